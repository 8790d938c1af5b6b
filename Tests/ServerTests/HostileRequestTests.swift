// Requests that are valid JSON and still not what anybody should send: each gets its error, and the daemon goes on.
import Testing
import TestSupport
import Wire

@Suite struct HostileRequestTests {
    @Test func `more vectors in a chunk than there are spaces are refused`() throws {
        let served = try ServedDatabase()
        let connection = try served.daemon.connect()
        try connection.ok(#"{"id":1,"op":"collection.create","name":"kb","dim":2,"metric":"cosine"}"#)
        // The count of vectors is one byte in the log: 256 of them once ended the daemon.
        let vectors = (0..<256).map { "\"space-\($0)\":[1,2]" }.joined(separator: ",")
        let failure = try connection.failure(#"{"id":2,"op":"upsert","collection":"kb","records":[{"id":"a","vectors":{\#(vectors)}}]}"#)
        #expect(failure.code == "unknown_space" && failure.field == "records[0].vectors.space-0")
        try connection.ok(#"{"id":3,"op":"ping"}"#)
    }

    @Test func `more fields in a document than are declared are refused`() throws {
        let served = try ServedDatabase()
        let connection = try served.daemon.connect()
        try connection.ok(#"{"id":1,"op":"collection.create","name":"kb","dim":2,"metric":"cosine","fields":{"team":"keyword"}}"#)
        // The count of fields is two bytes in the log: 65,536 of them once ended the daemon.
        let fields = (0..<65_536).map { "\"field-\($0)\":1" }.joined(separator: ",")
        let failure = try connection.failure(#"{"id":2,"op":"upsert","collection":"kb","records":[{"id":"a","fields":{"team":"cs",\#(fields)}}]}"#)
        #expect(failure.code == "undeclared_field" && failure.field == "records[0].fields.field-0")
        try connection.ok(#"{"id":3,"op":"ping"}"#)
    }
}
