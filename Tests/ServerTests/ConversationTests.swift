// Many requests on one connection, many connections at once: every request has its answer, writes keep their order.
import Testing
import TestSupport
import Wire

@Suite struct ConversationTests {
    private let served: ServedDatabase
    private let connection: LineConnection

    init() throws {
        served = try ServedDatabase()
        connection = try served.daemon.connect()
        try connection.ok(#"{"id":1,"op":"collection.create","name":"kb","dim":2,"metric":"cosine","fields":{"number":"int"}}"#)
        let records = (0..<100).map { #"{"id":"\#($0)","vector":[\#($0 + 1),1],"fields":{"number":\#($0)}}"# }.joined(separator: ",")
        try connection.ok(#"{"id":2,"op":"upsert","collection":"kb","records":[\#(records)]}"#)
    }

    @Test func `a thousand requests in one go have a thousand answers, each its own`() throws {
        var expected: [String: String] = [:]
        var lines: [String] = []
        for number in 0..<1000 {
            // Ids of both kinds, one a look-alike of the other.
            let id = number % 2 == 0 ? "\(number)" : "\"\(number - 1)\""
            let (member, answer) = request(number)
            lines.append(#"{"id":\#(id),\#(member)}"#)
            expected[id] = answer
        }
        try connection.send(lines.joined(separator: "\n") + "\n")
        for _ in 0..<1000 {
            let line = try #require(try connection.receiveLine())
            let id = String(line.dropFirst(#"{"id":"#.count).prefix { $0 != "," })
            let part = try #require(expected[id], "an id that was asked and not yet answered: \(line)")
            expected[id] = nil
            #expect(line.contains(part), "\(line)")
        }
        #expect(expected.isEmpty)
    }

    /// One of several kinds of request, and a part of the answer that only it can have.
    private func request(_ number: Int) -> (members: String, answer: String) {
        let document = number % 100
        return switch number % 6 {
        case 0: (#""op":"ping""#, #""ok":true}"#)
        case 1: (#""op":"read","collection":"kb","document":"\#(document)""#, #""document":"\#(document)""#)
        case 2: (#""op":"count","collection":"kb","filter":{"number":{"$lt":\#(document)}}"#, #""documents":\#(document),"#)
        case 3: (#""op":"get","collection":"kb","ids":["\#(document)"],"with":["fields"]"#, #""fields":{"number":\#(document)}"#)
        case 4: (#""op":"nothing-\#(number)""#, #"nothing-\#(number)"#)
        default: (#""op":"search","collection":"kb","vector":[1,1],"filter":{"number":\#(document)},"with":[]"#, #""hits":[{"document":"\#(document)","#)
        }
    }

    @Test func `writes of one connection apply in the order they were sent`() throws {
        let count = 500
        try connection.send((0..<count).map { number in
            // The last of each ten is a delete, so that order shows in what is there as well as in the sequence.
            number % 10 == 9
                ? #"{"id":\#(number),"op":"delete","collection":"kb","ids":["one"]}"# + "\n"
                : #"{"id":\#(number),"op":"upsert","collection":"kb","records":[{"id":"one","vector":[1,1],"text":"\#(number)"}]}"# + "\n"
        }.joined())
        var sequences: [Int] = [Int](repeating: 0, count: count)
        for _ in 0..<count {
            let answer = try connection.receive()
            let id = try #require(answer.id)
            sequences[id] = try #require(answer.root["seq"]?.int)
            let (key, expected) = id % 10 == 9 ? ("deleted", 1) : id % 10 == 0 ? ("inserted", 1) : ("replaced", 1)
            #expect(answer.root[key]?.int == expected, "\(answer.text)")
        }
        #expect(zip(sequences, sequences.dropFirst()).allSatisfy { $0 < $1 })
        try connection.ok(#"{"id":1,"op":"upsert","collection":"kb","records":[{"id":"one","vector":[1,1],"text":"last"}]}"#)
        let document = try connection.ok(#"{"id":2,"op":"get","collection":"kb","ids":["one"]}"#).root["documents"]?.array.first
        #expect(document?["chunks"]?.array.first?["text"]?.string == "last")
        #expect(document?["version"]?.int == count / 10 * 9 + 1, "a deleted document's versions are not used again")
    }

    @Test func `a collection can be made, filled, read and dropped in one go`() throws {
        for round in 0..<20 {
            try connection.send("""
                {"id":1,"op":"collection.create","name":"short","dim":2,"metric":"l2"}
                {"id":2,"op":"upsert","collection":"short","records":[{"id":"a","vector":[1,2]}]}
                {"id":3,"op":"upsert","collection":"short","records":[{"id":"b","vector":[3,4]}]}
                {"id":4,"op":"delete","collection":"short","ids":["a"]}
                {"id":5,"op":"collection.drop","name":"short"}
                {"id":6,"op":"upsert","collection":"short","records":[{"id":"c","vector":[5,6]}]}

                """)
            var codes: [Int: String] = [:]
            for _ in 0..<6 {
                let answer = try connection.receive()
                codes[try #require(answer.id)] = answer.failure?.code ?? "ok"
            }
            #expect(codes == [1: "ok", 2: "ok", 3: "ok", 4: "ok", 5: "ok", 6: "unknown_collection"], "round \(round)")
        }
    }

    @Test func `a peer that has said all it will is answered to the end`() throws {
        let one = try served.daemon.connect()
        try one.send((0..<300).map { #"{"id":\#($0),"op":"upsert","collection":"kb","records":[{"id":"half-\#($0)","vector":[1,1]}]}"# + "\n" }.joined())
        try one.finishSending()
        var answered: Set<Int> = []
        while let line = try one.receiveLine() { answered.insert(try #require(try Answer(line: Array(line.utf8)).id)) }
        #expect(answered == Set(0..<300))
    }

    @Test func `a peer that asks nothing and leaves is let go`() throws {
        for _ in 0..<50 {
            let one = try served.daemon.connect()
            try one.finishSending()
            #expect(try one.receiveLine() == nil)
        }
    }

    @Test func `peers that vanish with requests under way harm nobody`() throws {
        for round in 0..<20 {
            let one = try served.daemon.connect()
            try one.send((0..<100).map { #"{"id":\#($0),"op":"upsert","collection":"kb","records":[{"id":"gone-\#(round)-\#($0)","vector":[1,1]}]}"# + "\n" }.joined())
            // Closed with answers unread: the daemon writes into a reset connection.
        }
        #expect(try connection.ask(#"{"id":1,"op":"ping"}"#) == #"{"id":1,"ok":true}"#)
    }

    @Test func `sixty-four connections at once are each answered as if alone`() throws {
        let connections = try (0..<64).map { _ in try served.daemon.connect() }
        for round in 0..<5 {
            for (number, one) in connections.enumerated() {
                try one.send(#"{"id":\#(number),"op":"upsert","collection":"kb","records":[{"id":"of-\#(number)","vector":[1,1],"text":"\#(round)"}]}"# + "\n")
                try one.send(#"{"id":"s","op":"search","collection":"kb","vector":[1,0],"k":3}"# + "\n")
            }
            for (number, one) in connections.enumerated() {
                var ids: Set<String> = []
                for _ in 0..<2 {
                    let answer = try one.receive()
                    #expect(answer.failure == nil, "\(answer.text)")
                    if let id = answer.id { ids.insert("\(id)") } else { ids.insert(answer.root["id"]?.string ?? "none") }
                }
                #expect(ids == ["\(number)", "s"])
                let document = try one.ok(#"{"id":0,"op":"get","collection":"kb","ids":["of-\#(number)"]}"#).root["documents"]?.array.first
                #expect(document?["chunks"]?.array.first?["text"]?.string == "\(round)", "an acknowledged write is seen by the next read")
            }
        }
        #expect(try connection.ok(#"{"id":1,"op":"count","collection":"kb"}"#).root["documents"]?.int == 164)
    }
}
