// Before hello, and behind one: what a connection may do that is nobody's, or nobody's any more.
import Foundation
import Testing
import TestSupport
import Wire

@Suite struct HelloTests {
    private let forge = Forge()
    private let served: ServedDatabase
    private let everything: String
    private let reader: String

    init() throws {
        var credentials = Credentials()
        everything = credentials.key("everything", ["service", "writer", "reader", "admin"])
        reader = credentials.key("reader", ["reader"])
        for signer in forge.signers { credentials.signer(signer) }
        served = try ServedDatabase(authentication: credentials.json)
    }

    @Test func `before hello nothing is answered, and nothing is done`() throws {
        let connection = try served.daemon.connect()
        for operation in OperationName.allCases where operation != .hello {
            #expect(try connection.failure(sample(of: operation)).code == "unauthenticated", "\(operation)")
        }
        let known = try served.daemon.connect()
        try known.hello(everything)
        #expect(try known.ok(#"{"id":1,"op":"collection.list"}"#).root["collections"]?.array.isEmpty == true)
    }

    @Test func `a connection that says nothing, or never finishes, or talks of other things is closed`() throws {
        let (silent, slow, talking) = (try served.daemon.connect(), try served.daemon.connect(), try served.daemon.connect())
        try slow.send(#"{"id":1,"op":"hello","token":"#)
        var answers: [WireError?] = []
        for _ in 0..<6000 {
            // It may be closed between two lines: that is what is waited for.
            do { try talking.sendLine(#"{"id":1,"op":"ping"}"#) } catch is SocketError { break }
            guard let line = try talking.receiveLine() else { break }
            answers.append(try Answer(line: Array(line.utf8)).failure)
            usleep(5000)
        }
        #expect(answers.count > 1 && answers.allSatisfy { $0?.code == "unauthenticated" } && answers.last??.message.contains("within 2 s") == true, "\(answers.suffix(2))")
        for connection in [silent, slow] {
            #expect(try connection.receive().failure?.code == "unauthenticated")
            #expect(try connection.receiveLine() == nil)
        }
    }

    @Test func `who has said hello may be silent for longer`() throws {
        let connection = try served.daemon.connect()
        try connection.hello(reader)
        usleep(2_300_000)
        #expect(try connection.ask(#"{"id":1,"op":"ping"}"#) == #"{"id":1,"ok":true}"#)
    }

    @Test func `a line is short until hello has been answered`() throws {
        func hello(_ length: Int) -> String {
            let line = #"{"id":0,"op":"hello","token":"\#(reader)"}"#
            return line + String(repeating: " ", count: length - line.utf8.count)
        }
        let known = try served.daemon.connect()
        #expect(try known.answer(hello(4096)).failure == nil)
        #expect(try known.ask(#"{"id":1,"op":"ping"\#(String(repeating: " ", count: 1 << 20))}"#) == #"{"id":1,"ok":true}"#)
        for line in [hello(4097) + "\n", String(repeating: "x", count: 4097), String(repeating: " ", count: 1 << 20)] {
            let stranger = try served.daemon.connect()
            // The daemon may have closed it before all is sent.
            do { try stranger.send(line) } catch is SocketError {}
            let failure = try #require(try stranger.receive().failure)
            #expect(failure.code == "line_too_long" && failure.message.contains("4096"))
            #expect(try stranger.receiveLine() == nil)
        }
    }

    @Test func `what stands behind a hello is asked by whom it names, line by line`() throws {
        let connection = try served.daemon.connect()
        let lines = [
            #"{"id":1,"op":"ping"}"#, #"{"id":2,"op":"hello","token":"\#(everything)"}"#, #"{"id":3,"op":"collection.create","name":"kb","dim":2,"metric":"cosine","access":"open"}"#,
            #"{"id":4,"op":"hello","token":"\#(reader)"}"#, #"{"id":5,"op":"upsert","collection":"kb","records":[{"id":"a"}]}"#, #"{"id":6,"op":"count","collection":"kb"}"#,
            #"{"id":7,"op":"hello"}"#, #"{"id":8,"op":"hello","token":"none"}"#, #"{"id":9,"op":"count","collection":"kb"}"#,
        ]
        try connection.send(lines.map { $0 + "\n" }.joined())
        var answers: [Int: Answer] = [:]
        while let line = try connection.receiveLine() {
            let answer = try Answer(line: Array(line.utf8))
            answers[try #require(answer.id)] = answer
        }
        let codes = (1...9).map { answers[$0].map { $0.failure?.code ?? "ok" } }
        #expect(codes == ["unauthenticated", "ok", "ok", "ok", "forbidden", "ok", "ok", "unauthenticated", nil])
        #expect(answers[7]?.root["identity"]?["name"]?.string == "reader")
    }

    @Test func `what stands behind a token that is not valid is not done`() throws {
        let connection = try served.daemon.connect()
        try connection.send(#"{"id":1,"op":"hello","token":"none"}"# + "\n" + #"{"id":2,"op":"hello","token":"\#(everything)"}"# + "\n" + #"{"id":3,"op":"collection.create","name":"kb","dim":2,"metric":"cosine"}"# + "\n")
        #expect(try connection.receive().failure?.code == "unauthenticated")
        #expect(try connection.receiveLine() == nil)
        let known = try served.daemon.connect()
        try known.hello(everything)
        #expect(try known.ok(#"{"id":1,"op":"server.info"}"#).root["collections"]?.int == 0)
    }

    @Test func `hello without a token is no way in`() throws {
        let connection = try served.daemon.connect()
        #expect(try connection.failure(#"{"id":1,"op":"hello","client":"a test"}"#).code == "unauthenticated")
        #expect(try connection.receiveLine() == nil)
    }

    @Test func `a token's end is the end of what its connection may do, until a new one`() throws {
        let connection = try served.daemon.connect()
        try connection.hello(forge.hs256(Forge.claims(endingIn: 3)))
        var last: WireError?
        for _ in 0..<1500 {
            last = try connection.answer(#"{"id":1,"op":"ping"}"#).failure
            if last != nil { break }
            usleep(20_000)
        }
        #expect(last?.code == "unauthenticated" && last?.message.contains("expired") == true)
        #expect(try connection.failure(#"{"id":1,"op":"count","collection":"kb"}"#).code == "unauthenticated")
        try connection.hello(forge.hs256(Forge.claims()))
        #expect(try connection.ask(#"{"id":1,"op":"ping"}"#) == #"{"id":1,"ok":true}"#)
    }

    /// A read that waited for a sequence was answered though the token had ended while it waited.
    @Test func `a token that ends while a read waits for a sequence is not answered`() throws {
        let (waiting, other, writer) = try (served.daemon.connect(), served.daemon.connect(), served.daemon.connect())
        let token = forge.hs256(Forge.claims(endingIn: 3))
        try waiting.hello(token)
        try other.hello(token)
        try writer.hello(everything)
        let next = try (writer.ok(#"{"id":1,"op":"collection.list"}"#).root["seq"]?.int ?? 0) + 1
        try waiting.sendLine(#"{"id":1,"op":"collection.list","min_seq":\#(next),"deadline_ms":60000}"#)
        for _ in 0..<1500 {
            if try other.answer(#"{"id":1,"op":"ping"}"#).failure != nil { break }
            usleep(20_000)
        }
        try writer.ok(#"{"id":2,"op":"collection.create","name":"later","dim":2,"metric":"l2"}"#)
        #expect(try waiting.receive().failure?.code == "unauthenticated")
    }
}
