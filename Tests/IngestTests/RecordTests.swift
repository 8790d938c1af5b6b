// JSONL: what a line may say, and what becomes of one that says something else.
@testable import Ingest
import Engine
import Memory
import Testing
import Wire

struct RecordTests {
    private let scratch: Scratch
    init() throws { scratch = try Scratch() }

    private func items(_ text: String, _ options: RecordOptions = RecordOptions()) throws -> [SourceItem] {
        try drain(RecordSource(path: scratch.write("a.jsonl", text), options: options))
    }

    private func document(_ line: String, _ options: RecordOptions = RecordOptions()) throws -> OutgoingDocument? {
        try items(line, options).first?.document
    }

    private func reason(_ line: String, _ options: RecordOptions = RecordOptions()) throws -> String? {
        try items(line, options).first?.rejection?.reason
    }

    @Test func `a record with everything becomes a document with everything`() throws {
        var expected = OutgoingDocument(id: "d1")
        expected.parent = "folder"
        expected.title = "Title"
        expected.url = "https://example.org/d1"
        expected.mime = "text/plain"
        expected.time = "2026-04-20T10:00:00Z"
        expected.fields = [
            OutgoingField("team", .string("cs")), OutgoingField("year", .integer(2026)), OutgoingField("share", .number(0.5)),
            OutgoingField("open", .bool(true)), OutgoingField("tags", .strings(["a", "b"])),
        ]
        expected.chunks = [OutgoingChunk(text: "Tëxt \"quoted\"\n", vector: [1, -0.5, 2])]
        let line = #"""
            {"id":"d1","parent":"folder","title":"Title","url":"https://example.org/d1","mime":"text/plain","time":"2026-04-20T10:00:00Z","fields":{"team":"cs","year":2026,"share":0.5,"open":true,"tags":["a","b"],"gone":null},"text":"T\u00ebxt \"quoted\"\n","vector":[1,-0.5,2.0]}
            """#
        #expect(try document(line) == expected)
    }

    @Test func `a document brings its own chunks`() throws {
        let line = #"{"id":"d","title":"T","chunks":[{"text":"a","heading":"T > A"},{"vector":"AACAPw=="},{"text":"b","vector":[2]}]}"#
        #expect(try document(line)?.chunks == [
            OutgoingChunk(text: "a", heading: "T > A"), OutgoingChunk(vector: [1]), OutgoingChunk(text: "b", vector: [2]),
        ])
    }

    @Test func `ids may be called _id and may be integers, and null is nothing`() throws {
        #expect(try document(#"{"_id":"4983","title":null,"text":"x","vector":null}"#)?.id == "4983")
        #expect(try document(#"{"id":-17,"text":"x"}"#)?.id == "-17")
        #expect(try document(#"{"id":null,"_id":7,"text":"x"}"#)?.id == "7")
    }

    @Test func `times are RFC 3339, dates or milliseconds`() throws {
        for (written, read) in [("\"2026-04-20\"", "2026-04-20T00:00:00Z"), ("1618300000000", "1618300000000"), ("\"1618300000000\"", "1618300000000"), ("\"2026-04-20T10:00:00+02:00\"", "2026-04-20T10:00:00+02:00")] {
            #expect(try document("{\"id\":\"1\",\"text\":\"x\",\"time\":\(written)}")?.time == read)
        }
    }

    @Test func `keys can be renamed, and then mean nothing else`() throws {
        var options = RecordOptions()
        options.idKey = "docno"
        options.textKey = "body"
        options.titleKey = "headline"
        options.vectorKey = "emb"
        options.unknownKeys = .rejected
        let document = try document(#"{"docno":"7","body":"b","headline":"h","emb":[1]}"#, options)
        #expect(document?.id == "7" && document?.title == "h")
        #expect(document?.chunks == [OutgoingChunk(text: "b", vector: [1])])
        #expect(try reason(#"{"docno":"7","body":"b","id":"8"}"#, options)?.contains("\"id\"") == true)
        #expect(try reason(#"{"docno":"7","body":"b","text":"c"}"#, options)?.contains("\"text\"") == true)
    }

    @Test func `keys beyond the record form are ignored, rejected or fields, as asked`() throws {
        let line = #"{"id":"1","text":"x","year":1999,"lang":"en"}"#
        var options = RecordOptions()
        #expect(try document(line, options)?.fields == [])
        options.extraFields = .named(["year"])
        #expect(try document(line, options)?.fields == [OutgoingField("year", .integer(1999))])
        options.unknownKeys = .rejected
        #expect(try reason(line, options)?.contains("\"lang\"") == true)
        options.extraFields = .all
        #expect(try document(line, options)?.fields.map(\.name) == ["year", "lang"])
        #expect(try reason(#"{"id":"1","text":"x","year":1,"fields":{"year":2}}"#, options)?.contains("twice") == true)
    }

    @Test func `rights are never passed over unasked`() throws {
        let line = #"{"id":"1","text":"x","access":"board-only"}"#
        #expect(try reason(line)?.contains("\"access\"") == true)
        #expect(try reason(#"{"id":"1","chunks":[{"text":"x","access":"board-only"}]}"#)?.contains("\"access\"") == true)
        var options = RecordOptions()
        options.ignoredKeys = ["access"]
        #expect(try document(line, options)?.id == "1")
    }

    @Test func `missing ids become record numbers where that is asked for`() throws {
        let text = "{\"text\":\"a\"}\n\n{\"text\":\"b\"}\nrubbish\n{\"text\":\"c\"}"
        #expect(try items(text).allSatisfy { $0.rejection != nil })
        var options = RecordOptions()
        options.numbersMissingIDs = true
        #expect(try items(text, options).map { $0.document?.id } == ["0", "1", nil, "3"])
    }

    @Test func `positions name lines and bytes, blank lines count as lines and not as records`() throws {
        let items = try items("\r\n{\"id\":1,\"text\":\"a\"}\r\n   \t\n{\"id\":2,\"text\":\"b\"}\n")
        let positions = items.compactMap { item in if case .document(_, let position) = item { position } else { nil } }
        #expect(positions == [SourcePosition(row: 2, offset: 2), SourcePosition(row: 4, offset: 28)])
    }

    @Test func `a load goes on where it stopped`() throws {
        let text = (0..<10).map { "{\"text\":\"\($0)\"}\n" }.joined(separator: "\n")
        var options = RecordOptions()
        options.numbersMissingIDs = true
        options.firstRecord = 7
        #expect(try items(text, options).map { $0.document?.id } == ["7", "8", "9"])
        options.firstRecord = 11
        #expect(try items(text, options).isEmpty)
    }

    /// A line, and a word of the reason for which it is rejected.
    private static let nasty: [(String, String)] = [
        (#"{"id":"1","id":"2","text":"x"}"#, "twice"),
        (#"{"id":"1","_id":"2","text":"x"}"#, "which one"),
        (#"{"id":"1","text":"x","fields":{"a":1,"a":1}}"#, "twice"),
        (#"{"id":"1","chunks":[{"text":"x","text":"y"}]}"#, "twice"),
        (#"{"id":"1","vector":[1,NaN]}"#, "JSON"),
        (#"{"id":"1","vector":[1,Infinity]}"#, "JSON"),
        (#"{"id":"1","vector":[1e39]}"#, "float32"),
        (#"{"id":"1","vector":[1e400]}"#, "JSON"),
        (#"{"id":"1","vector":[1,"2"]}"#, "element 1"),
        (#"{"id":"1","vector":[1,null]}"#, "element 1"),
        (#"{"id":"1","vector":[[1]]}"#, "element 0"),
        (#"{"id":"1","vector":[]}"#, "0 numbers"),
        (#"{"id":"1","vector":{}}"#, "\"vector\""),
        (#"{"id":"1","vector":"AACA"}"#, "whole little-endian float32"),
        (#"{"id":"1","vector":"AACAPw="}"#, "whole little-endian float32"),
        (#"{"id":"1","vector":"AACA*w=="}"#, "character"),
        (#"{"id":"1","vector":"AADAfw=="}"#, "finite numbers"),
        (#"{"id":"1","vector":""}"#, "0 numbers"),
        (#"{"id":true,"text":"x"}"#, "string or an integer"),
        (#"{"id":1.5,"text":"x"}"#, "string or an integer"),
        (#"{"id":"","text":"x"}"#, "empty"),
        (#"{"id":"a\u0000b","text":"x"}"#, "NUL"),
        (#"{"text":"x"}"#, "expected an id"),
        (#"{"id":"1"}"#, "text, a vector or chunks"),
        (#"{"id":"1","title":"only"}"#, "text, a vector or chunks"),
        (#"{"id":"1","text":["x"]}"#, "must be a string"),
        (#"{"id":"1","text":7}"#, "must be a string"),
        (#"{"id":"1","text":"x","title":{}}"#, "must be a string"),
        (#"{"id":"1","text":"x","fields":[1]}"#, "must be an object"),
        (#"{"id":"1","text":"x","fields":{"a":{"b":1}}}"#, "found an object"),
        (#"{"id":"1","text":"x","fields":{"a":["b",1]}}"#, "array of strings"),
        (#"{"id":"1","text":"x","fields":{"a":18446744073709551615}}"#, "64-bit"),
        (#"{"id":"1","text":"x","time":"yesterday"}"#, "RFC 3339"),
        (#"{"id":"1","text":"x","time":"2026-02-30"}"#, "RFC 3339"),
        (#"{"id":"1","text":"x","time":99999999999999999}"#, "RFC 3339"),
        (#"{"id":"1","text":"x","chunks":[{"text":"y"}]}"#, "either chunks"),
        (#"{"id":"1","chunks":[{"heading":"y"}]}"#, "chunk 0"),
        (#"{"id":"1","chunks":[{"text":"y"},7]}"#, "chunk 1"),
        (#"{"id":"1","chunks":"y"}"#, "array of chunks"),
        (#"{"id":"1","text":"x","vectors":{"a":[1]}}"#, "\"vectors\""),
        (#"{"id":"1","text":"x"} {"#, "JSON"),
        (#"{"id":"1","text":"x""#, "JSON"),
        (#"{"id":"1","text":"\ud800"}"#, "JSON"),
        ("{\"id\":\"1\",\"text\":\"tab\there\"}", "JSON"),
        (#"[{"id":"1","text":"x"}]"#, "expected a JSON object, found an array"),
        ("7", "expected a JSON object"),
        ("null", "expected a JSON object"),
        ("rubbish", "JSON"),
        ("{\"id\":\"1\",\"text\":" + String(repeating: "[", count: 40) + String(repeating: "]", count: 40) + "}", "JSON"),
    ]

    @Test(arguments: nasty)
    func `a line that is no record is rejected with its reason, and the next is read`(line: String, word: String) throws {
        let items = try items(line + "\n" + #"{"id":"good","text":"x"}"#)
        try #require(items.count == 2)
        let rejection = try #require(items[0].rejection)
        #expect(rejection.reason.contains(word), "\(rejection.reason)")
        #expect(rejection.row == line)
        #expect(rejection.position == SourcePosition(row: 1, offset: 0))
        #expect(items[1].document?.id == "good")
    }

    @Test func `invalid UTF-8 is rejected without its row, which is no text`() throws {
        let bytes = Array(#"{"id":"1","text":""#.utf8) + [0xC3, 0x28] + Array("\"}\n{\"id\":2,\"text\":\"x\"}".utf8)
        let items = try drain(RecordSource(path: scratch.write("a.jsonl", bytes)))
        #expect(items.count == 2)
        #expect(items[0].rejection?.row == nil && items[0].rejection?.reason.contains("UTF-8") == true)
        #expect(items[1].document?.id == "2")
    }

    @Test func `an over-long line is rejected with its length and costs nobody else anything`() throws {
        var options = RecordOptions()
        options.lineBytesMax = 100
        let long = #"{"id":"1","text":""# + String(repeating: "x", count: 500) + #""}"#
        let items = try items("{\"id\":0,\"text\":\"a\"}\n\(long)\n{\"id\":2,\"text\":\"b\"}", options)
        #expect(items.map { $0.document?.id } == ["0", nil, "2"])
        #expect(items[1].rejection?.reason == "the line has \(long.utf8.count) bytes; the limit is 100")
    }

    @Test func `vectors of another dimension are rejected`() throws {
        var options = RecordOptions()
        options.dimension = 2
        #expect(try document(#"{"id":"1","vector":[1,2]}"#, options) != nil)
        #expect(try reason(#"{"id":"1","vector":[1,2,3]}"#, options)?.contains("3 numbers, expected 2") == true)
    }

    @Test func `no truncation of a line is a crash or a document`() throws {
        let line = #"{"id":"d1","fields":{"tags":["a","b"],"n":-1.5e3},"text":"T\u00eb\"xt","vector":[1,-0.5,2.0],"chunks":null}"#
        for count in 1..<line.utf8.count {
            let items = try drain(RecordSource(path: scratch.write("a.jsonl", Array(line.utf8.prefix(count)))))
            #expect(items.count == 1 && items[0].rejection != nil, "cut to \(count) bytes")
        }
        #expect(try document(line)?.chunks.count == 1)
    }
}
