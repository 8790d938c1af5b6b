// What a client writes is what the daemon understands.
import Engine
import Index
import Testing
import TestSupport
import Wire

@Suite struct RequestWriterTests {
    @Test func `random documents arrive as they were sent`() throws {
        let seed = TestSeed(51)
        var random = seed.random
        for round in 0..<200 {
            let sent = (0..<Int.random(in: 0...5, using: &random)).map { random.document(number: $0) }
            var writer = RequestWriter("upsert", id: round)
            writer.string("collection", "kb")
            writer.documents(sent)
            let line = writer.finish()
            #expect(line.last == UInt8(ascii: "\n") && line.dropLast().allSatisfy { $0 != UInt8(ascii: "\n") }, "one line, \(seed)")
            let received = try request(Array(line.dropLast()))
            guard case .upsert(let input) = received.operation else { throw NotWritten() }
            #expect(received.id == .integer(Int64(round)) && input.collection == "kb" && input.listName == "documents")
            #expect(input.documents.map { outgoing($0, input.floats) } == sent, "round \(round), \(seed)")
        }
    }

    @Test func `a search arrives with all it was given`() throws {
        var writer = RequestWriter("search", id: 9)
        writer.string("collection", "kb")
        writer.string("space", nil)
        writer.vector("vector", [0.1, -2])
        writer.int("k", 7)
        writer.float("min_score", -0.25)
        writer.bool("exact", nil)
        writer.float("recall", 0.95)
        writer.strings("under", ["a", "b"])
        writer.strings("with", ["vector", "time"])
        try writer.verbatim("filter", "{\"team\":\r\n {\"$in\": [\"cs\"]}}")
        let line = writer.finish()
        #expect(line.filter { $0 == UInt8(ascii: "\n") || $0 == UInt8(ascii: "\r") }.count == 1)
        guard case .search(let search) = try request(Array(line.dropLast())).operation else { throw NotWritten() }
        #expect(search.input.floats == [0.1, -2] && search.input.k == 7 && search.input.minScore == -0.25 && search.input.effort == .recall(0.95))
        #expect(search.input.under == ["a", "b"] && search.with == [.vector, .time] && search.input.filter != nil && search.input.space == nil)
    }

    @Test func `a batch of vectors arrives in its order`() throws {
        var random = TestSeed(52).random
        let vectors = (0..<50).map { _ in (0..<9).map { _ in random.float() } }
        var writer = RequestWriter("search", id: 1)
        writer.string("collection", "kb")
        writer.vectors(vectors)
        guard case .search(let search) = try request(Array(writer.finish().dropLast())).operation else { throw NotWritten() }
        #expect(search.isBatch && search.input.vectors.map { Array(search.input.floats[$0]) } == vectors)
    }

    @Test func `a schema arrives with its fields in their order`() throws {
        var writer = RequestWriter("collection.create", id: 1)
        writer.string("name", "kb")
        writer.int("dim", 3)
        writer.string("metric", "l2")
        writer.object("fields", [("team", "keyword"), ("tags", "keyword[]"), ("year", "int"), ("price", "float"), ("done", "bool"), ("due", "time")])
        guard case .createCollection(let schema) = try request(Array(writer.finish().dropLast())).operation else { throw NotWritten() }
        #expect(schema.spaces == [SpaceSchema(dimension: 3, metric: .l2)])
        #expect(schema.fields.map { "\($0.name):\($0.type.rawValue)" } == ["team:keyword", "tags:keyword[]", "year:int", "price:float", "done:bool", "due:time"])
    }

    @Test(arguments: ["{", "{}}", "{} {}", "", "{\"a\":1} ,\"k\":5"])
    func `text that is not one whole value is not spliced into a request`(text: String) {
        #expect(throws: JSONError.self) {
            var writer = RequestWriter("count", id: 1)
            try writer.verbatim("filter", text)
        }
    }

    /// A document as it arrived, in the client's words.
    private func outgoing(_ document: DocumentInput, _ floats: [Float]) -> OutgoingDocument {
        var result = OutgoingDocument(id: document.id)
        result.isFolder = document.isFolder
        result.parent = document.parent
        result.title = document.title
        result.url = document.url
        result.mime = document.mime
        switch document.time {
        case .string(let text): result.time = text
        case .integer(let milliseconds): result.time = String(milliseconds)
        default: result.time = nil
        }
        result.fields = document.fields.map { OutgoingField($0.name, outgoing($0.value)) }
        result.chunks = document.chunks.map { chunk in
            OutgoingChunk(text: chunk.text, heading: chunk.heading, vector: chunk.vectors.first.map { Array(floats[$0.floats]) })
        }
        return result
    }

    private func outgoing(_ value: InputValue) -> InputValue {
        switch value {
        case .string(let text): .string(text)
        case .integer(let number): .integer(number)
        case .number(let number): .number(number)
        case .bool(let flag): .bool(flag)
        case .strings(let texts): .strings(texts)
        }
    }
}

private struct NotWritten: Error {}

extension SeededRandom {
    fileprivate mutating func document(number: Int) -> OutgoingDocument {
        var document = OutgoingDocument(id: "\(number)\(text())")
        document.isFolder = oneIn(5)
        document.parent = maybe { $0.text() }
        document.title = maybe { $0.text() }
        document.url = maybe { $0.text() }
        document.mime = maybe { $0.text() }
        document.time = maybe { $0.oneIn(2) ? "2026-10-01T00:00:00Z" : String(Int.random(in: -(1 << 40)...1 << 40, using: &$0)) }
        document.fields = (0..<Int.random(in: 0...4, using: &self)).map { OutgoingField("\($0)\(text())", value()) }
        guard !document.isFolder else { return document }
        document.chunks = (0..<Int.random(in: 0...4, using: &self)).map { _ in
            OutgoingChunk(text: maybe { $0.text(countMax: 200) }, heading: maybe { $0.text() }, vector: maybe { random in (0..<5).map { _ in random.float() } })
        }
        return document
    }

    private mutating func maybe<T>(_ make: (inout SeededRandom) -> T) -> T? { oneIn(2) ? make(&self) : nil }

    private mutating func value() -> InputValue {
        switch Int.random(in: 0..<5, using: &self) {
        case 0: .string(text())
        case 1: .integer(Int64(truncatingIfNeeded: next()))
        case 2: .number(Double(float()))
        case 3: .bool(oneIn(2))
        default: .strings((0..<Int.random(in: 0...3, using: &self)).map { _ in text() })
        }
    }
}
