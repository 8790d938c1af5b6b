// What makes two ids, two keywords, two places the same.
import Testing
import TestSupport
import Wire

@Suite struct IdentityTests {
    private let served: ServedDatabase
    private let connection: LineConnection
    private static let composed = "caf\u{E9}", decomposed = "cafe\u{301}"

    init() throws {
        served = try ServedDatabase()
        connection = try served.daemon.connect()
        try connection.ok(#"{"id":1,"op":"collection.create","name":"kb","dim":2,"metric":"cosine","fields":{"team":"keyword"}}"#)
    }

    @Test func `composed and decomposed letters make two ids`() throws {
        let answer = try connection.ok(#"{"id":2,"op":"upsert","collection":"kb","records":[{"id":"\#(Self.decomposed)","kind":"folder","parent":"root"},{"id":"\#(Self.composed)","parent":"\#(Self.decomposed)"}]}"#)
        #expect(answer.root["inserted"]?.int == 2)
        let counts = try connection.ok(#"{"id":3,"op":"count","collection":"kb","under":["\#(Self.decomposed)"]}"#)
        #expect(counts.root["documents"]?.int == 1)
    }

    @Test func `a keyword that is spelled in other bytes is another one`() throws {
        try connection.ok(#"{"id":2,"op":"upsert","collection":"kb","records":[{"id":"a","fields":{"team":"\#(Self.composed)"}}]}"#)
        let answer = try connection.ok(#"{"id":3,"op":"upsert","collection":"kb","records":[{"id":"a","fields":{"team":"\#(Self.decomposed)"}}]}"#)
        #expect(answer.root["replaced"]?.int == 1)
        let counts = try connection.ok(#"{"id":4,"op":"count","collection":"kb","filter":{"team":"\#(Self.decomposed)"}}"#)
        #expect(counts.root["documents"]?.int == 1)
    }
}
