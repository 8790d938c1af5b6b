// Folders of Markdown, text and chat: what becomes a document, and what is said of the rest.
@testable import Ingest
import Foundation
import Engine
import Testing
import Wire

struct TreeTests {
    private let scratch: Scratch
    init() throws { scratch = try Scratch() }

    private func items(_ change: (inout TreeOptions) -> Void = { _ in }) throws -> [SourceItem] {
        var options = TreeOptions(countTokens: countWords)
        change(&options)
        return try drain(TreeSource(path: scratch.path, options: options))
    }

    private func documents(_ change: (inout TreeOptions) -> Void = { _ in }) throws -> [OutgoingDocument] {
        try items(change).compactMap(\.document)
    }

    private func rejections() throws -> [Rejection] { try items().compactMap(\.rejection) }

    @Test func `folders come before what is in them, and runs repeat`() throws {
        for name in ["b/two.md", "b/a/deep.txt", "a.md", "B.md", "ü.md", "b.md", "b/.hidden.md", ".git/config.md"] { _ = try scratch.write(name, "text of \(name)") }
        try FileManager.default.createDirectory(atPath: scratch.path + "/empty", withIntermediateDirectories: true)
        let documents = try documents()
        #expect(documents.map(\.id) == ["/", "B.md", "a.md", "b", "b/a", "b/a/deep.txt", "b/two.md", "b.md", "empty", "ü.md"])
        #expect(documents.map(\.parent) == [nil, "/", "/", "/", "b", "b/a", "b", "/", "/", "/"])
        #expect(documents.map(\.isFolder) == [true, false, false, true, true, false, false, false, true, false])
        #expect(documents[0].title == (scratch.path as NSString).lastPathComponent)
        #expect(documents[3].title == "b" && documents[4].title == "a")
        #expect(try self.documents() == documents)
    }

    @Test func `a prefix goes before every id, so that two trees can share a collection`() throws {
        _ = try scratch.write("policies/leave.md", "text")
        let documents = try documents { $0.idPrefix = "drive:" }
        #expect(documents.map(\.id) == ["drive:/", "drive:policies", "drive:policies/leave.md"])
        #expect(documents.map(\.parent) == [nil, "drive:/", "drive:policies"])
    }

    @Test func `a Markdown file brings its title, time, fields and passages`() throws {
        let text = "---\nowner: Priya\neffective: 2026-04-20\nteam: engineering\nrank: 3\ndraft: false\ntags: [a, b]\nother: x\n---\n# Title\n\nOpening.\n\n## Part\n\nMore.\n"
        _ = try scratch.write("doc.md", text)
        let document = try #require(try documents { options in
            options.fields = ["team": .keyword, "rank": .int, "draft": .bool, "tags": .keywords, "effective": .time, "missing": .float]
        }.last)
        #expect(document.id == "doc.md" && document.title == "Title" && document.mime == "text/markdown")
        #expect(document.time == "2026-04-20T00:00:00Z")
        #expect(document.fields == [
            OutgoingField("effective", .string("2026-04-20T00:00:00Z")), OutgoingField("team", .string("engineering")), OutgoingField("rank", .integer(3)),
            OutgoingField("draft", .bool(false)), OutgoingField("tags", .strings(["a", "b"])),
        ])
        #expect(document.chunks == [OutgoingChunk(text: "Opening.", heading: "Title"), OutgoingChunk(text: "More.", heading: "Title > Part")])
    }

    @Test func `without a date of its own a document has the time of its file`() throws {
        for name in ["a.md", "b.txt"] {
            let path = try scratch.write(name, "---\ndate: soon\n---\ntext")
            try FileManager.default.setAttributes([.modificationDate: Date(timeIntervalSince1970: 1_600_000_000)], ofItemAtPath: path)
        }
        _ = try scratch.write("c.md", "---\ndate: 2025-01-31 10:00\n---\ntext")
        #expect(try documents().dropFirst().map(\.time) == ["2020-09-13T12:26:40Z", "2020-09-13T12:26:40Z", "2025-01-31T00:00:00Z"])
    }

    @Test func `a declared field of the wrong type rejects the file, for a filter on it would lie`() throws {
        _ = try scratch.write("a.md", "---\nrank: high\n---\ntext")
        _ = try scratch.write("b.md", "---\nrank: 1\nrank: 2\n---\ntext")
        let rejections = try items { $0.fields = ["rank": .int] }.compactMap(\.rejection)
        #expect(rejections.map(\.position.file) == ["a.md", "b.md"])
        #expect(rejections[0].reason == "the front matter's \"rank\": expected an integer, found \"high\"")
        #expect(rejections[1].reason.contains("twice"))
        #expect(rejections.allSatisfy { $0.kind == .invalid })
    }

    @Test func `plain text is chunked by paragraphs under its file's name`() throws {
        _ = try scratch.write("notes.TXT", "# no heading\n\nbody")
        let document = try #require(try documents().last)
        #expect(document.title == "notes" && document.mime == "text/plain")
        #expect(document.chunks == [OutgoingChunk(text: "# no heading\n\nbody", heading: "notes")])
    }

    @Test func `what is not loaded is reported with its reason`() throws {
        _ = try scratch.write("image.png", "x")
        _ = try scratch.write("channels.json", "[]")
        _ = try scratch.write("noending", "x")
        _ = try scratch.write("bad.md", [0xFF, 0xFE, 0x41, 0x00])
        try FileManager.default.createSymbolicLink(atPath: scratch.path + "/link.md", withDestinationPath: "noending")
        try FileManager.default.createSymbolicLink(atPath: scratch.path + "/loop", withDestinationPath: ".")
        let long = String(repeating: "d", count: 200) + "/" + String(repeating: "e", count: 200) + "/" + String(repeating: "f", count: 200)
        _ = try scratch.write(long + "/deep.md", "x")
        let rejections = try rejections()
        #expect(rejections.map(\.position.file) == ["bad.md", "channels.json", long, "image.png", "link.md", "loop", "noending"])
        #expect(rejections.map(\.kind) == [.invalid, .skipped, .skipped, .skipped, .skipped, .skipped, .skipped])
        #expect(rejections[0].reason.contains("UTF-8") && rejections[2].reason.contains("602 bytes") && rejections[4].reason.contains("symbolic link"))
    }

    @Test func `folders may nest as deep as the limit and no deeper`() throws {
        let path = repeatElement("d", count: 70).joined(separator: "/")
        _ = try scratch.write(path + "/deep.md", "x")
        let items = try items()
        #expect(items.count == Ingest.Limits.treeDepthMax + 1)
        #expect(items.last?.rejection?.reason.contains("folders deep") == true)
    }

    @Test func `a root that is no folder is an error, a file that cannot be read is a rejection`() throws {
        let file = try scratch.write("a.md", "x")
        #expect(throws: IngestError.self) { _ = try TreeSource(path: file, options: TreeOptions(countTokens: countWords)) }
        #expect(throws: IngestError.self) { _ = try TreeSource(path: scratch.path + "/missing", options: TreeOptions(countTokens: countWords)) }
        _ = try scratch.write("large.txt", [UInt8](repeating: UInt8(ascii: "x"), count: Limits.textFileBytesMax + 1))
        #expect(try rejections().map(\.reason).first?.contains("limit") == true)
    }

    @Test func `progress ends at the bytes of what is loaded`() throws {
        _ = try scratch.write("a.md", "12345")
        _ = try scratch.write("b/c.txt", "123")
        _ = try scratch.write("d.png", "1234567")
        var source = try TreeSource(path: scratch.path, options: TreeOptions(countTokens: countWords))
        #expect(source.progress == SourceProgress(bytesRead: 0, bytesTotal: 8))
        for _ in 0..<20 where try source.next() == nil { break }
        #expect(source.progress == SourceProgress(bytesRead: 8, bytesTotal: 8))
    }
}

struct ChatTests {
    private let scratch: Scratch
    init() throws { scratch = try Scratch() }

    private func items(_ bounds: ChunkBounds = ChunkBounds()) throws -> [SourceItem] {
        var options = TreeOptions(countTokens: countWords)
        options.bounds = bounds
        return try drain(TreeSource(path: scratch.path, options: options))
    }

    private func day(_ messages: String, bounds: ChunkBounds = ChunkBounds()) throws -> OutgoingDocument {
        _ = try scratch.write("general/2026-04-14.json", messages)
        return try #require(try items(bounds).compactMap(\.document).last)
    }

    private func message(_ stamp: String, _ user: String, _ text: String, thread: String? = nil) -> String {
        #"{"type":"message","user":"\#(user)","text":"\#(text)","ts":"\#(stamp)"\#(thread.map { #","thread_ts":"\#($0)""# } ?? "")}"#
    }

    private func writePeople() throws {
        let people = #"[{"id":"U1","name":"ana","profile":{"display_name":"Ana"}},{"id":"U2","name":"bo","real_name":"Bo B.","profile":{"display_name":"","real_name":"Bo Berg"}},{"id":"U3","name":"cy"},{"name":"no id"},{"id":"U4"}]"#
        _ = try scratch.write("users.json", people)
    }

    @Test func `a day of a channel is a document in the channel's folder`() throws {
        try writePeople()
        let document = try day("[" + [message("1776150000.000200", "U1", "hello"), message("1776150060.5", "U2", "hi <@U1>")].joined(separator: ",") + "]")
        #expect(document.id == "general/2026-04-14.json" && document.parent == "general")
        #expect(document.title == "#general 2026-04-14")
        #expect(document.time == "2026-04-14T07:00:00Z")
        #expect(document.chunks == [OutgoingChunk(text: "Ana: hello\nBo Berg: hi @Ana", heading: "#general > 2026-04-14")])
        #expect(try items().count == 3)
    }

    @Test func `Markdown and chat in one tree are each read as what they are`() throws {
        _ = try scratch.write("handbook/leave.md", "# Leave\n\ntext")
        _ = try scratch.write("chat/users.json", #"[{"id":"U1","name":"ana"}]"#)
        _ = try scratch.write("chat/general/2026-04-14.json", "[" + message("1776150000.1", "U1", "hello") + "]")
        _ = try scratch.write("other/2026-04-14.json", "[" + message("1776150000.1", "U1", "unknown here") + "]")
        let documents = try items().compactMap(\.document)
        #expect(documents.map(\.id) == ["/", "chat", "chat/general", "chat/general/2026-04-14.json", "handbook", "handbook/leave.md", "other", "other/2026-04-14.json"])
        #expect(documents[3].chunks.map(\.text) == ["ana: hello"])
        #expect(documents[7].chunks.map(\.text) == ["U1: unknown here"])
    }

    @Test func `names come from the list of people, the message or its id, in this order`() throws {
        try writePeople()
        let messages = [
            message("1.1", "U3", "a"), message("1.2", "U4", "b"), message("1.3", "U9", "c"),
            #"{"user":"U8","user_profile":{"display_name":"Di"},"text":"d","ts":"1.4"}"#, #"{"username":"bot","bot_id":"B1","text":"e","ts":"1.5"}"#,
            #"{"bot_id":"B1","bot_profile":{"name":"Robot"},"text":"f","ts":"1.6"}"#, #"{"bot_id":"B1","text":"g","ts":"1.7"}"#, #"{"text":"h","ts":"1.8"}"#,
        ]
        let text = try day("[" + messages.joined(separator: ",") + "]").chunks[0].text
        #expect(text == "cy: a\nU4: b\nU9: c\nDi: d\nbot: e\nRobot: f\nB1: g\nunknown: h")
    }

    @Test func `answers stand behind their message, also when others spoke in between`() throws {
        let messages = [
            message("3", "U1", "answer to one", thread: "1"), message("1", "U1", "one", thread: "1"), message("2", "U2", "two"),
            message("4", "U3", "answer to yesterday", thread: "0.5"), message("5", "U1", "five"), message("6", "U3", "again to yesterday", thread: "0.5"),
        ]
        #expect(try day("[" + messages.joined(separator: ",") + "]").chunks.map(\.text) == [
            "U1: one\nU1: answer to one\nU2: two\nU3: answer to yesterday\nU3: again to yesterday\nU1: five",
        ])
    }

    @Test func `windows are of whole messages and whole threads where these fit`() throws {
        let seed: UInt64 = 31
        print("seed \(seed)")
        var numbers = SeededNumbers(seed: seed)
        // Message i answers i rounded down to tens, now and then.
        var messages: [String] = []
        var threads: [Int: [Int]] = [:]
        var wordCounts: [Int] = []
        for index in 0..<200 {
            let thread = Int.random(in: 0..<3, using: &numbers) == 0 ? index / 10 * 10 : index
            let words = Int.random(in: 1...12, using: &numbers)
            threads[thread, default: []].append(index)
            wordCounts.append(words + 1)
            messages.append(message("\(index + 1)", "U\(index)", repeatElement("w", count: words).joined(separator: " "), thread: "\(thread + 1)"))
        }
        let bounds = ChunkBounds(tokensTarget: 60, tokensMax: 120, tokensMin: 5)
        let texts = try day("[" + messages.joined(separator: ",") + "]", bounds: bounds).chunks.map { $0.text ?? "" }
        #expect(texts.allSatisfy { countWords($0) <= 120 })
        let windows = texts.map { text in text.split(separator: "\n").compactMap { Int($0.prefix { $0 != ":" }.dropFirst()) } }
        #expect(windows.flatMap { $0 }.sorted() == Array(0..<200))
        for thread in threads.values where thread.map({ wordCounts[$0] }).reduce(0, +) <= 120 {
            #expect(windows.contains { Set(thread).isSubset(of: $0) }, "thread \(thread)")
        }
    }

    @Test func `a thread over the maximum is cut between its messages, a message over it within`() throws {
        let long = repeatElement("word", count: 50).joined(separator: " ")
        let bounds = ChunkBounds(tokensTarget: 60, tokensMax: 80, tokensMin: 5)
        let thread = (0..<4).map { message("\($0 + 1)", "U\($0)", long, thread: "1") }
        #expect(try day("[" + thread.joined(separator: ",") + "]", bounds: bounds).chunks.map(\.text) == (0..<4).map { "U\($0): \(long)" })
        let huge = repeatElement(long, count: 4).joined(separator: " ")
        let chunks = try day("[" + message("1", "U1", huge) + "]", bounds: bounds).chunks
        #expect(chunks.map { countWords($0.text ?? "") } == [60, 60, 60, 21])
    }

    @Test func `marks are written as they were seen`() {
        let text = "<@U1> <@U9|zed> <#C1|general> <#C2> <!here> <!subteam^S1|@team> <!date^1^x|yesterday> <https://a.b/c?d=1&amp;e|label &lt;x&gt;> <https://a.b> <mailto:a@b|a@b> 1 &lt; 2 &amp;&amp; 3 > 2 & <"
        #expect(ChatMarkup.plain(text, names: ChatNames()) ==
            "@U1 @zed #general #C2 @here @team yesterday label <x> (https://a.b/c?d=1&e) https://a.b a@b (mailto:a@b) 1 < 2 && 3 > 2 & <")
        #expect(ChatMarkup.plain("plain", names: ChatNames()) == "plain")
        #expect(ChatMarkup.plain(String(repeating: "<", count: 5000), names: ChatNames()).utf8.count == 5000)
    }

    @Test func `files and attachments are part of what was said, comings and goings are not`() throws {
        let messages = [
            #"{"subtype":"channel_join","user":"U1","text":"<@U1> has joined","ts":"1"}"#, #"{"subtype":"tombstone","text":"deleted","ts":"2"}"#,
            #"{"user":"U1","text":"","files":[{"name":"plan.pdf","title":"The plan"},{"name":"b.png"},{}],"ts":"3"}"#,
            #"{"user":"U1","text":"see","attachments":[{"fallback":"fell back","text":"attached"},{"fallback":"only this"}],"ts":"4"}"#, #"{"user":"U1","text":"","ts":"5"}"#,
        ]
        #expect(try day("[" + messages.joined(separator: ",") + "]").chunks.map(\.text) == ["U1: [file: The plan]\n[file: b.png]\nU1: see\nattached\nonly this"])
    }

    @Test func `a message that cannot be read is rejected by its number, the rest of the day is read`() throws {
        let faulty = ["7", #"{"text":"no time"}"#, #"{"text":"bad time","ts":"soon"}"#, #"{"text":"two","text":"texts","ts":"1"}"#, #"{"text":{},"ts":"1"}"#, #"{"text":"x","ts":"-1"}"#, #"{"text":"x","ts":"1.1234567"}"#, #"{"text":"x","ts":"99999999999999"}"#]
        _ = try scratch.write("general/2026-04-14.json", "[" + (faulty + [message("1", "U1", "good")]).joined(separator: ",") + "]")
        let items = try items()
        #expect(items.compactMap(\.rejection).map(\.position) == faulty.indices.map { SourcePosition(file: "general/2026-04-14.json", row: $0, offset: 0) })
        #expect(items.compactMap(\.document).last?.chunks.map(\.text) == ["U1: good"])
    }

    @Test(arguments: ["", "{}", "[", "null", "[]x", "\u{FEFF}[", "[{\"ts\":\"1\",\"text\":\"\\ud800\"}]"])
    func `a day or a list of people that is none is rejected by name`(text: String) throws {
        _ = try scratch.write("general/2026-04-14.json", text)
        _ = try scratch.write("users.json", text)
        let rejections = try items().compactMap(\.rejection)
        #expect(rejections.map(\.position.file) == ["users.json", "general/2026-04-14.json"])
        #expect(rejections.allSatisfy { $0.kind == .invalid })
    }

    @Test func `an empty day is a document without passages, at its date`() throws {
        let document = try day("[]")
        #expect(document.chunks.isEmpty && document.time == "2026-04-14T00:00:00Z")
    }

    @Test func `only names that are dates are days`() throws {
        for name in ["2026-02-30.json", "2026-4-1.json", "general.json", "2026-04-14.jsonl"] { _ = try scratch.write("general/" + name, "[]") }
        #expect(try items().compactMap(\.rejection).count == 4)
    }
}
