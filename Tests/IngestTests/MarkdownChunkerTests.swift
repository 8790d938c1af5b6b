// What chunking promises for any Markdown: bounds, trails, and that nothing is lost.
@testable import Ingest
import Testing
import Wire

/// Words as tokens: the plainest counter there is.
func countWords(_ text: String) -> Int { text.split { $0.isWhitespace }.count }

private func split(_ text: String, _ bounds: ChunkBounds = ChunkBounds(), count: @escaping TokenCounter = countWords) -> MarkdownDocument {
    MarkdownChunker(bounds: bounds, countTokens: count).split(text, name: "file name")
}

private func visible(_ text: some StringProtocol) -> [Unicode.Scalar] { text.unicodeScalars.filter { !$0.properties.isWhitespace } }

struct MarkdownTrailTests {
    @Test func `each chunk knows the headings it stands under`() {
        let document = split("""
            # Handbook

            Opening words.

            ## Pay

            About pay.

            ### Sick pay ###

            About sick pay.

            Levels
            ------

            About levels.

            # Appendix

            The end.
            """)
        #expect(document.title == "Handbook")
        #expect(document.chunks == [
            OutgoingChunk(text: "Opening words.", heading: "Handbook"),
            OutgoingChunk(text: "About pay.", heading: "Handbook > Pay"),
            OutgoingChunk(text: "About sick pay.", heading: "Handbook > Pay > Sick pay"),
            OutgoingChunk(text: "About levels.", heading: "Handbook > Levels"),
            OutgoingChunk(text: "The end.", heading: "Handbook > Appendix"),
        ])
    }

    @Test func `the title is the front matter's, the first heading's or the file's`() {
        #expect(split("---\ntitle: \"Given: here\"\n---\n# Heading\n\ntext").title == "Given: here")
        #expect(split("---\ntitle: Given\n---\n# Heading\n\ntext").chunks[0].heading == "Given > Heading")
        #expect(split("---\ntitle: Same\n---\n# Same\n\ntext").chunks[0].heading == "Same")
        #expect(split("some text\n\n# Heading\n\nmore").title == "Heading")
        #expect(split("## Opens\n\ntext").title == "Opens")
        #expect(split("## Opens\n\ntext").chunks[0].heading == "Opens")
        #expect(split("Setext\n===\ntext").title == "Setext")
        // A heading further down that is not of level 1 is a section's, not the document's.
        #expect(split("some text\n\n## Section\n\nmore").title == "file name")
        #expect(split("some text\n\n## Section\n\nmore").chunks.map(\.heading) == ["file name", "file name > Section"])
        #expect(split("text").chunks == [OutgoingChunk(text: "text", heading: "file name")])
    }

    @Test func `levels that are skipped and headings without text leave no gap in a trail`() {
        let document = split("# T\n\n#### Deep\n\na\n\n## Up\n\nb\n\n###\n\nc\n")
        #expect(document.chunks.map(\.heading) == ["T > Deep", "T > Up", "T > Up"])
        #expect(document.chunks.map(\.text) == ["a", "b", "c"])
    }

    @Test func `what only looks like a heading is text`() {
        for line in ["#tag", "####### seven", "    # code", "\\# escaped", "> # quoted", "- # item", "| # cell |", "a # b"] {
            let document = split("# T\n\n\(line)\n")
            #expect(document.chunks.map(\.heading) == ["T"], "\(line)")
            #expect(document.chunks.map { visible($0.text ?? "") } == [visible(line)], "\(line)")
        }
        let long = String(repeating: "x", count: 600)
        #expect(split("# T\n\n## \(long)\n").chunks.map(\.text) == ["## \(long)"])
    }

    @Test(arguments: ["```", "~~~", "````"])
    func `headings in fenced code are code`(fence: String) {
        let code = "\(fence)sh\n# comment\n\nTitle\n===\n\(fence)"
        #expect(split("# T\n\n\(code)\n\n## H\n\nafter").chunks == [
            OutgoingChunk(text: code, heading: "T"), OutgoingChunk(text: "after", heading: "T > H"),
        ])
        // Without its end, code goes on to the end of the document.
        #expect(split("# T\n\n\(fence)\n# comment\n\n## more").chunks.map(\.heading) == ["T"])
    }

    @Test func `fences close by their own mark and length only, and inside lists by their item`() {
        #expect(split("# T\n\n````\n```\n# a\n````\n\n## H\n\nb").chunks.map(\.heading) == ["T", "T > H"])
        #expect(split("# T\n\n~~~\n```\n# a\n~~~\n\n## H\n\nb").chunks.map(\.heading) == ["T", "T > H"])
        #expect(split("# T\n\n1. Run:\n   ```\n   # a\n\n   ```\n\n## H\n\nb").chunks.map(\.heading) == ["T", "T > H"])
        #expect(split("# T\n\n- Run:\n  ```\n  # a\n\n## H\n\nb").chunks.map(\.heading) == ["T", "T > H"])
        #expect(split("# T\n\n``` not a `fence`\n\n## H\n\nb").chunks.map(\.heading) == ["T", "T > H"])
    }

    @Test func `comments and raw HTML are no place for headings`() {
        #expect(split("# T\n\n<!--\n# a\n\n## b\n-->\n\n## H\n\nc").chunks.map(\.heading) == ["T", "T > H"])
        #expect(split("# T\n\n<PRE>\n\n# a\n</pre>\n\n## H\n\nc").chunks.map(\.heading) == ["T", "T > H"])
        #expect(split("# T\n\n<!-- a --> b\n\n## H\n\nc").chunks.map(\.heading) == ["T", "T > H"])
        #expect(split("# T\n\n<preface>\n\n## H\n\nc").chunks.map(\.heading) == ["T", "T > H"])
    }

    @Test func `a line of dashes is a heading's only under a single line of text`() {
        #expect(split("# T\n\nHeading\n---\n\na").chunks == [OutgoingChunk(text: "a", heading: "T > Heading")])
        #expect(split("# T\n\nline one\nline two\n---\n\na").chunks.map(\.heading) == ["T"])
        #expect(split("# T\n\n- item\n---\n\na").chunks.map(\.heading) == ["T"])
        #expect(split("# T\n\n| a |\n| --- |\n| b |\n").chunks.map(\.heading) == ["T"])
        #expect(split("# T\n\na\n\n---\n\nb").chunks.map(\.text) == ["a\n\n---\n\nb"])
    }

    @Test func `a document of headings alone is its own text`() {
        #expect(split("# A\n\n## B\n\n## C\n").chunks == [OutgoingChunk(text: "# A\n\n## B\n\n## C", heading: "A")])
        #expect(split("").chunks.isEmpty && split(" \n\n\t\n").chunks.isEmpty)
        #expect(split("---\na: b\n---\n").chunks.isEmpty)
    }

    @Test func `line ends of every kind and a byte order mark make no difference`() {
        let text = "---\ntitle: T\n---\n# H\n\na\n\n```\n# c\n```\n\nS\n===\nb\n"
        let crlf = "\u{FEFF}" + text.replacing("\n", with: "\r\n")
        #expect(split(crlf) == split(text))
    }
}

struct MarkdownPackingTests {
    private func words(_ count: Int, _ word: String = "w") -> String { repeatElement(word, count: count).joined(separator: " ") }

    @Test func `paragraphs are packed up to the target`() {
        let paragraphs = (0..<10).map { words(100, "p\($0)") }
        let chunks = split("# T\n\n" + paragraphs.joined(separator: "\n\n")).chunks
        let pairs: [String?] = stride(from: 0, to: 10, by: 2).map { "\(paragraphs[$0])\n\n\(paragraphs[$0 + 1])" }
        #expect(chunks.map(\.text) == pairs)
    }

    @Test func `a block between target and maximum stands whole and alone`() {
        let (short, long) = (words(100, "s"), words(400, "l"))
        #expect(split("\(short)\n\n\(long)\n\n\(short)").chunks.map(\.text) == [short, long, short])
    }

    @Test func `a list, a table and code are whole where they fit`() {
        let list = (0..<30).map { "- item \($0) " + words(8) }.joined(separator: "\n")
        let table = "| a | b |\n| --- | --- |\n" + (0..<60).map { "| \($0) | x |" }.joined(separator: "\n")
        let code = "```\n" + (0..<90).map { "let a\($0) = 1" }.joined(separator: "\n\n") + "\n```"
        let filler = words(200)
        for block in [list, table, code] {
            #expect((257...512).contains(countWords(block)))
            #expect(split("\(filler)\n\n\(block)\n\n\(filler)").chunks.map(\.text) == [filler, block, filler])
        }
    }

    @Test func `a list over the maximum is cut between items, a table and code between lines`() {
        let list = (0..<100).map { "- item \($0)\n  " + words(8) }.joined(separator: "\n")
        for chunk in split(list).chunks { #expect(chunk.text?.hasPrefix("- item") == true) }
        let table = "| a | b |\n|---|---|\n" + (0..<200).map { "| \($0) | x |" }.joined(separator: "\n")
        for chunk in split(table).chunks { #expect(chunk.text?.hasPrefix("|") == true && chunk.text?.hasSuffix("|") == true) }
        let code = "```\n" + (0..<300).map { "let a\($0) = 1;" }.joined(separator: "\n") + "\n```"
        for chunk in split(code).chunks.dropFirst() { #expect(chunk.text?.hasPrefix("let") == true) }
    }

    @Test func `a paragraph over the maximum is cut behind sentences, then between words, then within one`() {
        let sentence = words(30) + " (end.)"
        let sentences = split(repeatElement(sentence, count: 40).joined(separator: " ")).chunks
        #expect(sentences.count == 5)
        for chunk in sentences { #expect(chunk.text?.hasSuffix("(end.)") == true) }
        #expect(split(words(1000)).chunks.map { countWords($0.text ?? "") } == [256, 256, 256, 232])
        #expect(split(words(1000)).chunks.allSatisfy { $0.text?.hasPrefix("w") == true && $0.text?.hasSuffix("w") == true })
        // No space anywhere: scalars are cut, and none is cut apart.
        let word = "x" + String(repeating: "語é😀", count: 400)
        let chunks = split(word, ChunkBounds(tokensTarget: 5, tokensMax: 7, tokensMin: 0), count: { $0.unicodeScalars.count }).chunks
        #expect(chunks.map { $0.text ?? "" }.joined() == word)
        #expect(chunks.allSatisfy { ($0.text?.unicodeScalars.count ?? 0) <= 7 })
    }

    @Test func `sentences of Chinese and Japanese end without a space`() {
        let sentence = String(repeating: "字", count: 40) + "。"
        let chunks = split(String(repeating: sentence, count: 20), ChunkBounds(tokensTarget: 100, tokensMax: 120), count: { $0.count }).chunks
        #expect(chunks.count == 10)
        for chunk in chunks { #expect(chunk.text == sentence + sentence) }
    }

    @Test func `a short piece joins its neighbour in the section and never one of another section`() {
        let list = (0..<40).map { "- item \($0) " + words(5) }.joined(separator: "\n")
        #expect(split("As follows:\n\n\(list)").chunks.map(\.text) == ["As follows:\n\n\(list)"])
        let chunks = split("# T\n\n\(words(250))\n\ntail end\n\n## A\n\ntiny\n\n## B\n\ntiny too").chunks
        #expect(chunks.map { countWords($0.text ?? "") } == [252, 1, 2])
        // Where both are over the maximum together they stay apart.
        #expect(split("short\n\n\(words(512))").chunks.map { countWords($0.text ?? "") } == [1, 512])
    }

    @Test func `a word that a tokenizer takes for one token is still no chunk of any length`() {
        let chunks = split(String(repeating: "x", count: 100_000)).chunks
        #expect(chunks.allSatisfy { ($0.text?.utf8.count ?? 0) <= 512 * Limits.bytesPerTokenMax })
        #expect(chunks.map { $0.text ?? "" }.joined().count == 100_000)
    }
}

/// Markdown by chance, with a record of what is in it.
private struct RandomMarkdown {
    private var numbers: SeededNumbers
    private(set) var text = ""
    /// The visible scalars outside headings.
    private(set) var expected: [Unicode.Scalar] = []
    /// A word that occurs once, and the trail it stands under.
    private(set) var marks: [(word: String, trail: String)] = []
    private var stack: [(level: Int, text: String)] = []

    init(seed: UInt64) {
        numbers = SeededNumbers(seed: seed)
        addHeading(level: 1)
        stack = []
        for _ in 0..<Int.random(in: 0...40, using: &numbers) { addBlock() }
    }

    private var title: String { "Title" }

    private mutating func addHeading(level: Int) {
        let name = text.isEmpty ? title : "Heading \(marks.count)-\(Int.random(in: 0...99, using: &numbers))"
        stack.removeAll { $0.level >= level }
        stack.append((level, name))
        let isSetext = level <= 2 && Bool.random(using: &numbers)
        text += isSetext ? "\(name)\n\(level == 1 ? "===" : "-----")\n" : String(repeating: "#", count: level) + " \(name)\n"
        text += Bool.random(using: &numbers) ? "\n" : ""
    }

    private mutating func addBlock() {
        if Int.random(in: 0..<4, using: &numbers) == 0 { return addHeading(level: Int.random(in: 1...6, using: &numbers)) }
        let mark = "mark\(marks.count)"
        marks.append((mark, ([title] + stack.map(\.text)).joined(separator: " > ")))
        let block = switch Int.random(in: 0..<8, using: &numbers) {
        case 0: "```\n\(mark)\n# no heading\n\n\(lines(20))\n```"
        case 1: "- \(mark)\n" + repeated(30) { "- \($0)" }
        case 2: "1. \(mark)\n" + repeated(10) { "\n   \($0)\n2. \($0)" }
        case 3: "| \(mark) | b |\n| --- | --- |\n" + repeated(60) { "| \($0) | c |" }
        case 4: "> \(mark)\n" + repeated(5) { "> \($0)" }
        case 5: "<!-- \(mark)\n\n# no heading\n\(lines(3)) -->"
        case 6: "    \(mark)\n" + repeated(5) { "    \($0)" }
        default: "\(mark) " + sentences(Int.random(in: 1...60, using: &numbers))
        }
        expected += visible(block)
        text += "\n\(block)\n\n"
    }

    private mutating func sentences(_ count: Int) -> String {
        (0..<count).map { _ in words() + "." }.joined(separator: Bool.random(using: &numbers) ? " " : "\n")
    }

    private mutating func words() -> String {
        (0..<Int.random(in: 1...20, using: &numbers))
            .map { _ in ["a", "word", "naïve", "語", "e.g.", "3.5", "`code`", "x|y", "*bold*"].randomElement(using: &numbers)! }
            .joined(separator: " ")
    }

    private mutating func lines(_ count: Int) -> String { repeated(count) { $0 } }

    private mutating func repeated(_ countMax: Int, _ line: (String) -> String) -> String {
        (0..<Int.random(in: 1...countMax, using: &numbers)).map { _ in line(words()) }.joined(separator: "\n")
    }
}

/// A counter and the name it goes by in a failure.
struct NamedCounter: CustomTestStringConvertible, Sendable {
    var testDescription: String
    var count: TokenCounter

    static let all = [
        NamedCounter(testDescription: "words", count: countWords),
        NamedCounter(testDescription: "scalars", count: { $0.unicodeScalars.count }),
        NamedCounter(testDescription: "words and two marks around them", count: { countWords($0) + 2 }),
        NamedCounter(testDescription: "line ends above all", count: { text in text.split(separator: "\n").count * 3 + text.utf8.count / 16 }),
    ]
}

struct MarkdownPropertyTests {
    @Test(arguments: NamedCounter.all, [ChunkBounds(), ChunkBounds(tokensTarget: 20, tokensMax: 40, tokensMin: 5), ChunkBounds(tokensTarget: 8, tokensMax: 8, tokensMin: 0)])
    func `nothing is lost, nothing is too long, and every trail is right`(counter: NamedCounter, bounds: ChunkBounds) {
        let seeds: Range<UInt64> = 100..<115
        print("seeds \(seeds)")
        for seed in seeds {
            let random = RandomMarkdown(seed: seed)
            let document = split(random.text, bounds, count: counter.count)
            let chunks = document.chunks
            guard !random.marks.isEmpty else { continue }
            #expect(visible(chunks.map { $0.text ?? "" }.joined()) == random.expected, "seed \(seed)")
            for chunk in chunks { #expect(counter.count(chunk.text ?? "") <= bounds.tokensMax, "seed \(seed): \(chunk.text ?? "")") }
            for mark in random.marks where bounds.tokensMax > 8 {
                let holder = chunks.first { $0.text?.split(whereSeparator: { !$0.isLetter && !$0.isNumber }).contains(Substring(mark.word)) == true }
                #expect(holder?.heading == mark.trail, "seed \(seed), \(mark.word)")
            }
        }
    }

    /// Lines that begin, end and break everything there is, in any order.
    private static let soup = [
        "word", "two words", "# h", "###### deep", "#", "##no", "===", "---", "-", "- item", "  - nested", "    - deeper", "1. one", "7) seven", "2.",
        "```", "````", "~~~", "   ```", "  ~~~~ info", "> quote", ">", "|", "| a | b |", "|---|---|", "a | b", "<!--", "-->", "<!-- c -->", "<pre>", "</pre>",
        "<div>", "    code", "\tcode", "", "", "", " ", "* * *", "***", "___", "*em*", "語。語！", "é", "\u{A0}", "\u{2028}", "a. b! c? \"d.\" e…",
    ]

    @Test func `of any soup of lines only headings are left out, and every chunk is a stretch of the text`() {
        let seeds: Range<UInt64> = 1000..<1400
        print("seeds \(seeds)")
        for seed in seeds {
            var numbers = SeededNumbers(seed: seed)
            let lines = (0..<Int.random(in: 1...60, using: &numbers)).map { _ in Self.soup.randomElement(using: &numbers)! }
            let text = "start\n" + lines.joined(separator: "\n")
            let bounds = ChunkBounds(tokensTarget: 6, tokensMax: 12, tokensMin: 2)
            var rest = text[...]
            var gaps: [Substring] = []
            for chunk in split(text, bounds).chunks {
                #expect(countWords(chunk.text ?? "") <= 12, "seed \(seed)")
                guard let range = rest.range(ofUTF8: chunk.text ?? "") else {
                    Issue.record("seed \(seed): not a stretch of the text: \(chunk.text ?? "")")
                    break
                }
                gaps.append(rest[..<range.lowerBound])
                rest = rest[range.upperBound...]
            }
            for gap in gaps + [rest] { #expect(isHeadings(gap), "seed \(seed): lost \(gap)") }
        }
    }

    /// True for nothing but blank lines, ATX headings, and single lines with an underline.
    private func isHeadings(_ gap: Substring) -> Bool {
        let lines = gap.split(separator: "\n").map { $0.unicodeScalars.filter { $0 != " " && $0 != "\t" } }.filter { !$0.isEmpty }
        var index = 0
        while index < lines.count {
            if index + 1 < lines.count, Set(lines[index + 1]) == ["-"] || Set(lines[index + 1]) == ["="] {
                index += 2
            } else if lines[index].first == "#" || lines[index].allSatisfy(\.properties.isWhitespace) {
                index += 1
            } else {
                return false
            }
        }
        return true
    }

    @Test func `plain text keeps everything within the bounds too`() {
        let seeds: Range<UInt64> = 500..<540
        print("seeds \(seeds)")
        for seed in seeds {
            let text = RandomMarkdown(seed: seed).text
            for counter in NamedCounter.all {
                let bounds = ChunkBounds(tokensTarget: 20, tokensMax: 40, tokensMin: 5)
                let chunks = PlainTextChunker(bounds: bounds, countTokens: counter.count).split(text, title: "T")
                #expect(visible(chunks.map { $0.text ?? "" }.joined()) == visible(text), "seed \(seed)")
                #expect(chunks.allSatisfy { counter.count($0.text ?? "") <= 40 && $0.heading == "T" }, "seed \(seed)")
            }
        }
    }

    @Test(arguments: ["```\n", "<!--\n", "- \n", "> \n", "# \n", "|\n", "    x\n", "[", "*", "--- \n", "a\n---\n", "\t", "a. ", "&", "1. ```\n"])
    func `a file of nothing but one mark takes time in step with its length`(mark: String) {
        let text = String(repeating: mark, count: 20_000)
        let chunks = split(text, count: { $0.utf8.count / 4 + 1 }).chunks
        #expect(chunks.allSatisfy { ($0.text?.utf8.count ?? 0) <= 2048 })
    }
}

extension Substring {
    /// The first place of a text, compared by bytes: equal to the reader is not the same here.
    fileprivate func range(ofUTF8 text: String) -> Range<Index>? {
        let (all, wanted) = (Array(utf8), Array(text.utf8))
        guard wanted.count <= all.count else { return nil }
        for start in 0...all.count - wanted.count where all[start..<start + wanted.count].elementsEqual(wanted) {
            let lower = utf8.index(startIndex, offsetBy: start)
            return lower..<utf8.index(lower, offsetBy: wanted.count)
        }
        return nil
    }
}

struct FrontMatterTests {
    private func entries(_ text: String) -> [FrontMatter.Entry] { split(text).frontMatter.entries }

    @Test func `scalars and flat lists are read, deeper values left alone`() {
        let text = """
            ---
            owner: Priya Raghunathan
            effective: 2026-04-20   # from then on
            title: "Quoted: with a colon # and a mark"
            single: 'it is'
            empty:
            nothing: ~
            url: https://example.org/#part
            tags: [a, "b", 'c d']
            teams:
              - one
              - "two"
            deep:
              key: value
            block: |
              text
            # comment

            last: 1.10
            ---
            body
            """
        #expect(entries(text) == [
            .init(key: "owner", value: .scalar("Priya Raghunathan")), .init(key: "effective", value: .scalar("2026-04-20")),
            .init(key: "title", value: .scalar("Quoted: with a colon # and a mark")), .init(key: "single", value: .scalar("it is")),
            .init(key: "url", value: .scalar("https://example.org/#part")), .init(key: "tags", value: .list(["a", "b", "c d"])),
            .init(key: "teams", value: .list(["one", "two"])), .init(key: "last", value: .scalar("1.10")),
        ])
        #expect(split(text).chunks.map(\.text) == ["body"])
    }

    @Test(arguments: ["---\nnot a key\n---\nbody", "---\nkey: value\nbody without an end", "----\na: b\n---\nbody", "text\n---\na: b\n---", "---\n- item\n---\nbody"])
    func `what is no front matter is text`(text: String) {
        #expect(entries(text).isEmpty)
        // A line above dashes may be a heading; everything else stays.
        let kept = visible(split(text).chunks.map { $0.text ?? "" }.joined())
        #expect(kept.count >= visible(text).count - visible("key: value---not a key---- item").count)
        #expect(split(text).chunks.isEmpty == false)
    }

    @Test func `front matter without a text is a document without chunks`() {
        #expect(split("---\ntitle: T\n---").chunks.isEmpty)
        #expect(split("---\ntitle: T\n---").title == "T")
    }
}
