// The tokenizer at its edges, and against its two plain twins.

@testable import Embedding
import Testing

@Suite struct TokenizerTests {
    private let model = StaticModel.builtIn

    private func tokens(_ text: String) throws -> [String] {
        let vocabulary = String(decoding: try Fixtures.model("vocab.txt"), as: UTF8.self).split(separator: "\n")
        return model.tokenIDs(text).map { String(vocabulary[Int($0)]) }
    }

    @Test func `a text without anything to look up has no tokens`() {
        for text in ["", " ", "\t\r\n", "\u{0}", "\u{FFFD}\u{0}", "\u{200B}\u{FEFF}", "\u{301}", "\u{2028}\u{2029}"] {
            #expect(model.tokenIDs(text) == [], "\(text.debugDescription)")
            #expect(model.vector(text) == nil, "\(text.debugDescription)")
        }
    }

    @Test func `each punctuation scalar is a word`() throws {
        #expect(try tokens("a--b...") == ["a", "-", "-", "b", ".", ".", "."])
        #expect(try tokens("«a…") == ["«", "a", "…"])
        #expect(try tokens("a⸮b") == ["a", "[UNK]", "b"])
        #expect(try tokens("[UNK]") == ["[", "un", "##k", "]"])
    }

    @Test func `controls vanish, and only some of them are spaces`() throws {
        #expect(try tokens("re\u{0}fund\u{7F}s") == ["ref", "##unds"])
        #expect(try tokens("two\twords\rand\nmore") == ["two", "words", "and", "more"])
        #expect(try tokens("form\u{C}feed \u{B}") == ["form", "##fe", "##ed"])
        #expect(try tokens("line\u{2028}break") == ["line", "break"])
    }

    @Test func `marks and case are gone, in whichever form they are written`() throws {
        for text in ["café", "cafe\u{301}", "CAFÉ", "CAFE\u{301}", "c\u{327}a\u{323}f\u{307}e\u{301}\u{302}"] {
            #expect(try tokens(text) == ["cafe"], "\(text)")
        }
        #expect(try tokens("İstanbul") == ["istanbul"])
        #expect(try tokens("\u{2126}\u{212B}") == ["ω", "##a"])
    }

    @Test func `an ideograph is a word, and a syllable is its letters`() throws {
        #expect(try tokens("日本go") == ["日", "本", "go"])
        #expect(try tokens("\u{F900}") == tokens("豈"))
        #expect(model.tokenIDs("한국") == model.tokenIDs("\u{1112}\u{1161}\u{11AB}\u{1100}\u{116E}\u{11A8}"))
    }

    @Test func `a vowel of two parts is two letters`() throws {
        #expect(model.tokenIDs("ক\u{9CB}") == model.tokenIDs("ক\u{9C7}\u{9BE}"))
        #expect(model.tokenIDs("க\u{BCA}") == model.tokenIDs("க\u{BC6}\u{BBE}"))
    }

    @Test(arguments: [
        ("ΛΟΓΟΣ", "λογος"), ("ΛΟΓΟΣ.", "λογος."), ("ΣΟΦΙΑ", "σοφια"), ("Σ", "σ"), ("ΑΣ'Σ", "ασ'ς"),
        ("ΑΣ\u{301}Α", "ασα"),
        ("Α\u{AD}Σ", "ας"), ("Α\u{1}Σ\u{200D}", "ας"), ("1Σ", "1σ"), ("日Σ", "日σ"), ("Α Σ", "α σ"),
    ])
    func `a capital sigma is final where a word with case ends`(capital: String, small: String) {
        #expect(model.tokenIDs(capital) == model.tokenIDs(small))
    }

    @Test func `a word of over a hundred scalars is unknown, however it is written`() {
        #expect(model.tokenIDs(String(repeating: "a", count: 100)).contains(100) == false)
        #expect(model.tokenIDs(String(repeating: "a", count: 101)) == [100])
        #expect(model.tokenIDs(String(repeating: "e\u{301}", count: 100)).contains(100) == false)
        #expect(model.tokenIDs(String(repeating: "é", count: 101)) == [100])
        // 34 syllables of three letters each are 102 scalars.
        #expect(model.tokenIDs(String(repeating: "한", count: 33)).count == 99)
        #expect(model.tokenIDs(String(repeating: "한", count: 34)) == [100])
        #expect(model.tokenIDs(String(repeating: "a", count: 100_000) + " the") == [100, 1996])
    }

    @Test func `a word with one unknown letter is one unknown token`() {
        #expect(model.tokenIDs("running\u{1D48E}") == [100])
        #expect(model.tokenIDs("the \u{1D48E} the") == [1996, 100, 1996])
        #expect(model.vector("\u{1D48E}") == nil)
    }

    @Test(arguments: [1, 2, 3] as [UInt64])
    func `the fast path for ASCII finds what the general path finds`(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        var texts = try TextSource()
        for _ in 0..<2_000 {
            let text = texts.ascii(&random)
            #expect(model.tokenIDs(text) == model.tokenIDsByScalar(text), "\(text.debugDescription)")
        }
        for _ in 0..<2_000 {
            let text = texts.mixed(&random)
            #expect(model.tokenIDs(text) == model.tokenIDsByScalar(text), "\(text.debugDescription)")
        }
    }

    @Test(arguments: [4, 5] as [UInt64])
    func `any text has the tokens that the four rules give it one by one`(seed: UInt64) throws {
        let plain = try PlainModel()
        var random = SeededRandom(seed: seed)
        var texts = try TextSource()
        for _ in 0..<1_000 {
            let text = texts.mixed(&random)
            #expect(model.tokenIDs(text) == plain.tokenIDs(text), "\(text.debugDescription)")
        }
    }
}

/// Draws texts that come near words of the vocabulary, and texts that do not.
private struct TextSource {
    private let tokens: [Substring]

    init() throws {
        tokens = String(decoding: try Fixtures.model("vocab.txt"), as: UTF8.self).split(separator: "\n")
    }

    mutating func ascii(_ random: inout SeededRandom) -> String {
        text(&random) { random in
            switch Int.random(in: 0..<4, using: &random) {
            case 0: scalars(0..<128, 1...8, &random)
            case 1: scalars(0x61..<0x7B, 1...30, &random)
            default: token(&random).filter(\.isASCII)
            }
        }
    }

    mutating func mixed(_ random: inout SeededRandom) -> String {
        text(&random) { random in
            switch Int.random(in: 0..<8, using: &random) {
            case 0: scalars(0..<128, 1...8, &random)
            case 1: scalars(0x80..<0x3100, 1...5, &random)
            case 2: scalars(0xAC00..<0xD7A4, 1...3, &random)
            case 3: scalars(0x4E00..<0x11_0000, 1...3, &random)
            case 4: scalars(0x41..<0x7B, 1...3, &random) + scalars(0x300..<0x370, 1...3, &random)
            case 5: scalars(0x1E00..<0x2100, 1...3, &random)
            default: token(&random)
            }
        }
    }

    private func text(_ random: inout SeededRandom, _ part: (inout SeededRandom) -> String) -> String {
        let separator = Bool.random(using: &random) ? " " : ""
        return (0..<Int.random(in: 1...12, using: &random)).map { _ in part(&random) }.joined(separator: separator)
    }

    private func token(_ random: inout SeededRandom) -> String {
        let token = tokens[Int.random(in: 0..<tokens.count, using: &random)]
        return Bool.random(using: &random) ? token.uppercased() : String(token)
    }

    /// The plain twin knows no final sigma, which has a test of its own.
    private func scalars(
        _ range: Range<UInt32>, _ counts: ClosedRange<Int>, _ random: inout SeededRandom
    ) -> String {
        let drawn = (0..<Int.random(in: counts, using: &random)).compactMap { _ in
            Unicode.Scalar(UInt32.random(in: range, using: &random))
        }
        return String(String.UnicodeScalarView(drawn.filter { $0 != "Σ" }))
    }
}
