// Writes of many connections at once: each connection's own order, and what one may do to another's.
import Testing
import TestSupport
import Wire

@Suite struct WriteOrderTests {
    @Test func `a collection may be dropped while others write to it`() throws {
        // A drop and a later upsert once went into one commit group; the upsert was judged before the drop was in force,
        // and its record could not be applied: the daemon ended, and no later one could open the database.
        let served = try ServedDatabase()
        let writers = try (0..<3).map { _ in try served.daemon.connect() }
        let dropper = try served.daemon.connect()
        for round in 0..<20 {
            try dropper.ok(#"{"id":1,"op":"collection.create","name":"kb","dim":2,"metric":"cosine"}"#)
            for (number, writer) in writers.enumerated() {
                try writer.send((0..<50).map { #"{"id":\#($0),"op":"upsert","collection":"kb","records":[{"id":"\#(number)-\#($0)","vector":[1,2]}]}"# + "\n" }.joined())
            }
            try dropper.ok(#"{"id":2,"op":"collection.drop","name":"kb"}"#)
            for writer in writers {
                for _ in 0..<50 {
                    let failure = try writer.receive().failure
                    #expect(failure == nil || failure?.code == "unknown_collection", "round \(round)")
                }
            }
        }
        #expect(try served.daemon.stop().code == 0)
        try served.start()
        #expect(try served.daemon.connect().ok(#"{"id":1,"op":"collection.list"}"#).root["collections"]?.array.count == 0)
    }
}
