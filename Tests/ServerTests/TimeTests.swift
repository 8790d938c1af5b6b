// Deadlines, and reads that wait for what was written.
import Testing
import TestSupport
import Wire

@Suite struct TimeTests {
    private let served: ServedDatabase
    private let connection: LineConnection

    init() throws {
        served = try ServedDatabase(["--workers", "2"])
        connection = try served.daemon.connect()
        try connection.ok(#"{"id":1,"op":"collection.create","name":"kb","dim":2,"metric":"cosine"}"#)
    }

    @Test func `a search past its deadline is given up`() throws {
        // Reading the line alone takes longer than a millisecond: 1,024 vectors of 2,048 numbers.
        try connection.ok(#"{"id":2,"op":"collection.create","name":"wide","dim":2048,"metric":"dot"}"#)
        let vector = "[" + Array(repeating: "1", count: 2048).joined(separator: ",") + "]"
        let records = (0..<64).map { #"{"id":"\#($0)","vector":\#(vector)}"# }.joined(separator: ",")
        try connection.ok(#"{"id":3,"op":"upsert","collection":"wide","records":[\#(records)]}"#)
        let searches = Array(repeating: #"{"vector":\#(vector)}"#, count: 1024).joined(separator: ",")
        let failure = try connection.failure(#"{"id":4,"op":"search","collection":"wide","deadline_ms":1,"k":1,"with":[],"searches":[\#(searches)]}"#)
        #expect(failure.code == "deadline_exceeded" && failure.retry == "later" && failure.field == "deadline_ms")
        let answer = try connection.ok(#"{"id":5,"op":"search","collection":"wide","deadline_ms":600000,"k":1,"with":[],"searches":[\#(searches)]}"#)
        #expect(answer.root["results"]?.array.count == 1024)
    }

    @Test func `a write past its deadline is not begun`() throws {
        let text = String(repeating: "x", count: 1 << 20)
        let documents = (0..<16).map { #"{"id":"\#($0)","chunks":[{"text":"\#(text)"}]}"# }.joined(separator: ",")
        let failure = try connection.failure(#"{"id":2,"op":"upsert","collection":"kb","deadline_ms":1,"documents":[\#(documents)]}"#)
        #expect(failure.code == "deadline_exceeded" && failure.retry == "later")
        #expect(try connection.ok(#"{"id":3,"op":"count","collection":"kb"}"#).root["documents"]?.int == 0)
        try connection.ok(#"{"id":4,"op":"upsert","collection":"kb","deadline_ms":600000,"documents":[\#(documents)]}"#)
        #expect(try connection.ok(#"{"id":5,"op":"count","collection":"kb"}"#).root["documents"]?.int == 16)
    }

    @Test func `a read waits for the sequence it asks for`() throws {
        let reader = try served.daemon.connect()
        let seen = try #require(try connection.ok(#"{"id":2,"op":"count","collection":"kb"}"#).root["seq"]?.int)
        for round in 1...20 {
            try reader.sendLine(#"{"id":1,"op":"count","collection":"kb","min_seq":\#(seen + round),"deadline_ms":30000}"#)
            // While it waits, others on its own connection are answered.
            #expect(try reader.ask(#"{"id":2,"op":"ping"}"#) == #"{"id":2,"ok":true}"#)
            try connection.ok(#"{"id":3,"op":"upsert","collection":"kb","records":[{"id":"\#(round)","vector":[1,2]}]}"#)
            let answer = try reader.receive()
            #expect(answer.failure == nil && answer.id == 1 && answer.root["seq"]?.int == seen + round && answer.root["documents"]?.int == round)
        }
    }

    @Test(arguments: ["", #","deadline_ms":50"#])
    func `a sequence that does not come is said to be behind`(deadline: String) throws {
        let failure = try connection.failure(#"{"id":2,"op":"search","collection":"kb","vector":[1,2],"min_seq":1000000\#(deadline)}"#)
        #expect(failure.code == "behind" && failure.retry == "later" && failure.field == "min_seq")
    }

    @Test func `a sequence that has come is no reason to wait`() throws {
        let seen = try #require(try connection.ok(#"{"id":2,"op":"collection.list","min_seq":1}"#).root["seq"]?.int)
        try connection.ok(#"{"id":3,"op":"get","collection":"kb","ids":[],"min_seq":\#(seen)}"#)
        try connection.ok(#"{"id":4,"op":"upsert","collection":"kb","records":[],"min_seq":1000000}"#)
    }
}
