// Times, the file of rejected rows, errors as people read them, and which source a path opens.
@testable import Ingest
import Foundation
import Memory
import Testing
import Wire

struct SourceTimeTests {
    @Test func `milliseconds become RFC 3339 in UTC`() {
        let known: [(Int64, String)] = [
            (0, "1970-01-01T00:00:00Z"), (1, "1970-01-01T00:00:00.001Z"), (-1, "1969-12-31T23:59:59.999Z"), (951_782_400_000, "2000-02-29T00:00:00Z"),
            (1_600_000_000_000, "2020-09-13T12:26:40Z"), (4_107_542_399_999, "2100-02-28T23:59:59.999Z"), (253_402_300_799_000, "9999-12-31T23:59:59Z"),
        ]
        for (milliseconds, text) in known {
            #expect(SourceTime.text(milliseconds: milliseconds) == text)
            #expect(SourceTime.isTime(text))
        }
    }

    @Test func `every day of four centuries has its own date, one after the other`() throws {
        var last = ""
        for day: Int64 in 0..<146_097 {
            let text = SourceTime.text(milliseconds: day * 86_400_000)
            try #require(text > last && SourceTime.normalised(String(text.prefix(10))) == text)
            last = text
        }
        #expect(last == "2369-12-31T00:00:00Z")
    }

    @Test func `what is a time and what is none`() {
        for text in ["2026-04-20T10:00:00Z", "2026-04-20t10:00:00.123456z", "2026-04-20T10:00:00+02:00", "2026-12-31T23:59:60Z", "1618300000000", "-5"] {
            #expect(SourceTime.isTime(text), "\(text)")
        }
        for text in ["2026-04-20", "2026-04-20T10:00Z", "2026-04-20T10:00:00", "2026-04-20T24:00:00Z", "2026-04-20T10:00:00.Z", "2026-04-20T10:00:00+2:00", "2026-13-01T10:00:00Z", "", "+5", "soon", "2026-02-29T00:00:00Z", "99999999999999999"] {
            #expect(!SourceTime.isTime(text), "\(text)")
        }
        #expect(SourceTime.normalised("2024-02-29") == "2024-02-29T00:00:00Z")
        #expect(SourceTime.normalised("2023-02-29") == nil && SourceTime.normalised("1900-02-29") == nil)
    }
}

struct RejectFileTests {
    @Test func `the file comes with the first rejection, and each is a line of JSON`() throws {
        let scratch = try Scratch()
        let path = scratch.path + "/rejected.jsonl"
        var file = RejectFile(path: path)
        #expect(!FileManager.default.fileExists(atPath: path))
        try file.append(Rejection(.invalid, at: SourcePosition(row: 7, offset: 99), reason: "no \"id\"", row: "{\"a\":\"\\n\"}"))
        #expect(try scratch.read("rejected.jsonl") == #"{"line":7,"reason":"no \"id\"","row":"{\"a\":\"\\n\"}"}"# + "\n")
        try file.append(Rejection(.invalid, at: SourcePosition(row: 8, offset: 0), reason: "not text"))
        try file.append(Rejection(.skipped, at: SourcePosition(file: "a/b.png", row: 0, offset: 0), reason: "a picture"))
        #expect(file.count == 3)
        // A load that goes on appends to what the first one left.
        var later = RejectFile(path: path)
        try later.append(Rejection(.invalid, at: SourcePosition(row: 9, offset: 0), reason: "late"))
        let lines = try scratch.read("rejected.jsonl").split(separator: "\n")
        #expect(lines.dropFirst() == [#"{"line":8,"reason":"not text","row":null}"#, #"{"file":"a/b.png","line":0,"reason":"a picture","row":null}"#, #"{"line":9,"reason":"late","row":null}"#])
    }

    @Test func `a rejected row can be loaded again from it once repaired`() throws {
        let scratch = try Scratch()
        let row = "{\"id\":\"1\",\"text\":\"t\u{FFFD} \u{1F600}\",\"fields\":[]}"
        var source = try RecordSource(path: scratch.write("a.jsonl", row))
        guard case .rejected(let rejection) = try source.next() else { throw RowError("expected a rejection") }
        var file = RejectFile(path: scratch.path + "/r.jsonl")
        try file.append(rejection)
        var parser = JSONParser(bytesMax: 1000, depthMax: 4)
        let bytes = Array(try scratch.read("r.jsonl").utf8)
        // Sound: bytes have no invalid pattern.
        let root = try parser.parse(unsafe bytes.span.bytes)
        guard var members = root.members else { throw RowError("expected an object") }
        var read: String?
        while let member = try members.next() { if member.key == "row" { read = member.value.string } }
        #expect(read == row)
    }

    @Test func `a place that cannot be written to is an error that names it`() throws {
        let scratch = try Scratch()
        var file = RejectFile(path: scratch.path + "/missing/r.jsonl")
        let rejection = Rejection(.invalid, at: SourcePosition(row: 1, offset: 0), reason: "x")
        let error = #expect(throws: IngestError.self) { try file.append(rejection) }
        #expect(error?.file.hasSuffix("/missing/r.jsonl") == true && file.count == 0)
    }
}

struct SourceOpeningTests {
    private let scratch: Scratch
    init() throws { scratch = try Scratch() }

    /// The ids that the source behind a path yields.
    private func ids(_ path: String, _ change: (inout SourceOptions) -> Void = { _ in }) throws -> [String] {
        var options = SourceOptions(tree: TreeOptions(countTokens: countWords))
        change(&options)
        var source = try openSource(path, options)
        var ids: [String] = []
        while let item = try source.next() {
            try #require(ids.count < 100)
            ids.append(item.document?.id ?? "rejected")
        }
        #expect(source.progress.bytesRead == source.progress.bytesTotal)
        return ids
    }

    @Test func `a path opens the source that its kind and name ask for`() throws {
        let records = try scratch.write("in/r.jsonl", "{\"id\":\"a\",\"text\":\"x\"}\n{\"id\":\"b\",\"text\":\"y\"}\n")
        let vectors = try scratch.write("in/v.f32", [Float(1), 2].flatMap(\.littleEndianBytes))
        #expect(try ids(records) == ["a", "b"])
        #expect(try ids(scratch.write("in/r.ndjson.gz", scratch.gzip(Array("{\"id\":7,\"text\":\"x\"}".utf8)))) == ["7"])
        #expect(try ids(vectors) { $0.dimension = 1 } == ["0", "1"])
        #expect(try ids(records) { ($0.vectors, $0.dimension) = (vectors, 1) } == ["a", "b"])
        #expect(try ids(scratch.path + "/in").first == "/")
    }

    @Test func `what cannot be told or does not belong together is refused`() throws {
        let records = try scratch.write("r.jsonl", "{}")
        let vectors = try scratch.write("v.f32", [0, 0, 0, 0])
        #expect(throws: IngestError.self) { try ids(scratch.write("a.csv", "a,b")) }
        #expect(throws: IngestError.self) { try ids(scratch.path + "/missing") }
        #expect(throws: IngestError.self) { try ids(vectors) }
        #expect(throws: IngestError.self) { try ids(vectors) { ($0.vectors, $0.dimension) = (vectors, 1) } }
        #expect(throws: IngestError.self) { try ids(records) { $0.vectors = records } }
    }

    @Test func `an error reads as a sentence with a place and a way out`() {
        #expect(IngestError(file: "a.npy", at: .row(3), "expected a row", remedy: "fetch it again").description == "a.npy, row 3: expected a row; fetch it again")
        #expect(IngestError(file: "a", at: .byte(8), "p").description == "a, byte 8: p")
        #expect(IngestError(file: "a", "p").description == "a: p")
    }
}
