// The protocol's text, schemas and transcripts against the daemon that implements it: none can say what the others do not.
import Engine
import Testing
import TestSupport
import Wire

@Suite struct ProtocolTests {
    private static let transcripts: [String] = {
        do { return try ProtocolFiles.names(in: "transcripts") } catch { preconditionFailure("the transcripts are in the repository: \(error)") }
    }()

    @Test(arguments: transcripts)
    func `a transcript is what happens`(name: String) throws {
        try TranscriptReplay(name).run()
    }

    @Test func `every operation has schemas, a section of the text and a transcript`() throws {
        let operations = try operations()
        #expect(operations.count >= 13)
        let schemas = try Schemas()
        #expect(Set(schemas.names) == Set(operations.flatMap { ["\($0).request.json", "\($0).answer.json"] } + ["common.json", "error.json"]))
        let text = try ProtocolFiles.text("protocol.md")
        let sent = try Self.transcripts.map { try ProtocolFiles.text("transcripts/\($0)") }.joined()
        for operation in operations {
            #expect(text.contains("\n### `\(operation)`\n"), "\(operation)")
            #expect(sent.contains("\"op\":\"\(operation)\""), "\(operation)")
        }
    }

    @Test func `the codes of the text are those of the schema, and the engine's are among them`() throws {
        let rows = try tableRows(of: "## Errors")
        let codes = Dictionary(uniqueKeysWithValues: rows.map { ($0[0], $0[1]) })
        let listed = try Schemas().document("error.json")?["properties"]?["error"]?["properties"]?["code"]?["enum"]?.array.compactMap(\.string)
        #expect(Set(codes.keys) == Set(listed ?? []))
        for code in EngineError.Code.allCases { #expect(codes[code.rawValue] == EngineError(code, "").retry.rawValue, "\(code)") }
    }

    @Test func `the limits of the text are those that the daemon tells`() throws {
        let served = try ServedDatabase()
        let told = try served.daemon.connect().ok(#"{"id":1,"op":"hello"}"#).root["limits"]?.object.mapValues(\.int)
        #expect(told == Dictionary(uniqueKeysWithValues: try tableRows(of: "## Limits").map { ($0[0], Int($0[1])) }))
    }

    @Test func `the text's first example is what happens`() throws {
        let lines = try ProtocolFiles.text("protocol.md").split(separator: "\n")
        let served = try ServedDatabase()
        let connection = try served.daemon.connect()
        var count = 0
        for (sent, received) in zip(lines, lines.dropFirst()) where sent.hasPrefix("→ ") && received.hasPrefix("← ") {
            let answer = try connection.answer(String(sent.dropFirst(2))).root
            var expected = try Answer(line: Array(received.dropFirst(2).utf8)).root.object
            if expected["took_us"] != nil { expected["took_us"] = .string("<int>") }
            #expect(answer.difference(from: .object(expected)) == nil)
            count += 1
        }
        #expect(count == 3)
    }

    /// The operations there are, as the daemon lists them to whoever asks for another.
    private func operations() throws -> [String] {
        let served = try ServedDatabase()
        let failure = try served.daemon.connect().failure(#"{"id":1,"op":"none of them"}"#)
        return failure.message.split(separator: "there are: ").last?.split(separator: " ").map(String.init) ?? []
    }

    /// The cells of a section's first table whose rows begin with a name in backquotes.
    private func tableRows(of heading: String) throws -> [[String]] {
        let section = try ProtocolFiles.text("protocol.md").split(separator: "\n\(heading)\n")[1].split(separator: "\n## ")[0]
        return section.split(separator: "\n").filter { $0.hasPrefix("| `") }.map { row in
            row.split(separator: "|").map { $0.filter { $0 != "`" && $0 != " " } }
        }
    }
}

/// One transcript in progress.
private final class TranscriptReplay {
    private let name: String
    private let transcript: Transcript
    private let schemas: Schemas
    private let served: ServedDatabase
    private var connection: LineConnection
    /// Requests sent, by id, for the schemas of their answers.
    private var requests: [JSONTree: JSONTree] = [:]
    /// Answers that came before they were expected.
    private var early: [JSONTree] = []
    private var isFinished = false

    init(_ name: String) throws {
        self.name = name
        transcript = try Transcript(name)
        schemas = try Schemas()
        served = try transcript.authentication.map { try ServedDatabase(authentication: $0) } ?? ServedDatabase()
        connection = try served.daemon.connect()
    }

    func run() throws {
        for (number, step) in transcript.steps { try take(step, "\(name):\(number)") }
        if !isFinished { try connection.finishSending() }
        #expect(try connection.receiveLine() == nil && early.isEmpty, "\(name): answers that nothing expects: \(early)")
    }

    private func take(_ step: TranscriptStep, _ place: String) throws {
        switch step {
        case .note, .authentication: break
        case .send(let line, let request):
            if let request { requests[request["id"] ?? .null] = request }
            try connection.sendLine(line)
        case .sendBytes(let bytes): try connection.send(bytes)
        case .expect(let expected):
            let answer = try answer(to: expected["id"] ?? .null, place)
            let difference = answer.difference(from: expected)
            #expect(difference == nil, "\(place)")
            try check(answer, place)
        case .finishSending:
            try connection.finishSending()
            isFinished = true
        case .expectClosed: #expect(try connection.receiveLine() == nil, "\(place)")
        case .restart:
            #expect(try served.daemon.stop().code == 0, "\(place)")
            try served.start()
            connection = try served.daemon.connect()
        }
    }

    private func answer(to id: JSONTree, _ place: String) throws -> JSONTree {
        if let index = early.firstIndex(where: { $0["id"] == id }) { return early.remove(at: index) }
        while let line = try connection.receiveLine() {
            let answer = try Answer(line: Array(line.utf8)).root
            if answer["id"] == id { return answer }
            early.append(answer)
        }
        throw TranscriptError(description: "\(place): closed instead of an answer")
    }

    /// Holds an answer against its schema, and its request where the answer says that it was one: an answer of success to
    /// a request that the schema refuses, or a missing or unknown member that it accepts, is a fault of the schema.
    private func check(_ answer: JSONTree, _ place: String) throws {
        let request = requests[answer["id"] ?? .null]
        guard answer["ok"] == .bool(true) else {
            let complaint = try schemas.complaint(answer, "error.json")
            #expect(complaint == nil, "\(place)")
            if let operation = request?["op"]?.string, let request, ["missing_field", "unknown_field"].contains(answer["error"]?["code"]?.string) {
                #expect(try schemas.complaint(request, "\(operation).request.json") != nil, "\(place): the schema accepts what the daemon refuses")
            }
            return
        }
        guard let request, let operation = request["op"]?.string else { return }
        let (asked, answered) = (try schemas.complaint(request, "\(operation).request.json"), try schemas.complaint(answer, "\(operation).answer.json"))
        #expect(asked == nil, "\(place)")
        #expect(answered == nil, "\(place)")
    }
}
