// Lists, the tree and prepared filters through the daemon: pages, handles, and what a restart leaves of both.
import Testing
import TestSupport
import Wire

@Suite struct BrowseTests {
    private let served: ServedDatabase
    private let connection: LineConnection

    init() throws {
        served = try ServedDatabase()
        connection = try served.daemon.connect()
        try connection.ok(#"{"id":1,"op":"collection.create","name":"kb","dim":2,"metric":"dot","fields":{"n":"int","team":"keyword"}}"#)
        let records = (0..<250).map { #"{"id":"d\#($0)","parent":"f\#($0 % 3)","vector":[\#($0),1],"fields":{"n":\#($0 / 10),"team":"t\#($0 % 4)"}}"# }
        try connection.ok(#"{"id":2,"op":"upsert","collection":"kb","records":[\#(records.joined(separator: ","))]}"#)
    }

    private func pages(_ request: String, _ list: String, on connection: LineConnection) throws -> [String] {
        var (ids, cursor): ([String], String?) = ([], nil)
        for _ in 0..<100 {
            let root = try connection.ok(#"{"id":3,\#(request)\#(cursor.map { #","cursor":"\#($0)""# } ?? "")}"#).root
            ids += root[list]?.array.compactMap { $0["id"]?.string } ?? []
            cursor = root["cursor"]?.string
            if cursor == nil { return ids }
        }
        throw ConversationError(description: "pages without an end")
    }

    @Test func `pages follow one another by their cursors`() throws {
        let listed = try pages(#""op":"list","collection":"kb","order_by":"n","descending":true,"limit":17"#, "documents", on: connection)
        #expect(listed == (0..<250).reversed().map { "d\($0)" })
        let children = try pages(#""op":"nodes","collection":"kb","parent":"f1","limit":7"#, "nodes", on: connection)
        #expect(children == (0..<250).filter { $0 % 3 == 1 }.map { "d\($0)" }.sorted())
    }

    @Test func `a cursor outlives the daemon, and a handle does not`() throws {
        let cursor = try #require(connection.ok(#"{"id":3,"op":"list","collection":"kb","order_by":"id","limit":249}"#).root["cursor"]?.string)
        let handle = try #require(connection.ok(#"{"id":4,"op":"filter.prepare","collection":"kb","filter":{"team":"t1"}}"#).root["handle"]?.string)
        #expect(try served.daemon.stop().code == 0)
        try served.start()
        let later = try served.daemon.connect()
        let last = try later.ok(#"{"id":5,"op":"list","collection":"kb","order_by":"id","limit":249,"cursor":"\#(cursor)"}"#).root
        #expect(last["documents"]?.array.map { $0["id"]?.string } == ["d99"] && last["cursor"] == .null)
        #expect(try later.failure(#"{"id":6,"op":"list","collection":"kb","order_by":"n","cursor":"\#(cursor)"}"#).code == "cursor_ended")
        #expect(try later.failure(#"{"id":7,"op":"count","collection":"kb","prepared":["\#(handle)"]}"#).code == "unknown_filter")
    }

    @Test func `a prepared filter of many ids narrows whatever takes it, and finds what comes later`() throws {
        let ids = (0..<30_000).map { #""d\#($0 * 5)""# }.joined(separator: ",")
        let inline = try connection.failure(#"{"id":3,"op":"count","collection":"kb","filter":{"id":{"$in":[\#(ids)]}}}"#)
        #expect(inline.code == "limit_exceeded" && inline.message.contains("prepare"))
        let handle = try #require(connection.ok(#"{"id":4,"op":"filter.prepare","collection":"kb","filter":{"id":{"$in":[\#(ids)]}}}"#).root["handle"]?.string)
        #expect(handle.hasPrefix("f-") && handle.utf8.count == 34)
        let narrowed = #""collection":"kb","prepared":["\#(handle)"]"#
        #expect(try connection.ok(#"{"id":5,"op":"count",\#(narrowed)}"#).root["documents"]?.int == 50)
        let hits = try connection.ok(#"{"id":6,"op":"search",\#(narrowed),"vector":[1,0],"k":3}"#).root["hits"]?.array
        #expect(hits?.map { $0["document"]?.string } == ["d245", "d240", "d235"])
        let teams = try connection.ok(#"{"id":7,"op":"facet",\#(narrowed),"field":"team"}"#).root
        #expect(teams["documents"]?.int == 50 && teams["distinct"]?.int == 4)
        try connection.ok(#"{"id":8,"op":"upsert","collection":"kb","records":[{"id":"d1000"},{"id":"d1001"}]}"#)
        try connection.ok(#"{"id":9,"op":"delete","collection":"kb","ids":["d0"]}"#)
        #expect(try connection.ok(#"{"id":10,"op":"count",\#(narrowed)}"#).root["documents"]?.int == 50)
        let listed = try connection.ok(#"{"id":11,"op":"list",\#(narrowed),"order_by":"id","limit":2,"with":[]}"#).root["documents"]?.array
        #expect(listed?.map { $0["id"]?.string } == ["d10", "d100"])
        try connection.ok(#"{"id":12,"op":"filter.drop","handle":"\#(handle)"}"#)
        #expect(try connection.failure(#"{"id":13,"op":"count",\#(narrowed)}"#).code == "unknown_filter")
    }

    @Test func `two handles are never the same`() throws {
        let handles = try (0..<50).map { try connection.ok(#"{"id":\#($0),"op":"filter.prepare","collection":"kb","filter":{}}"#).root["handle"]?.string }
        #expect(Set(handles).count == 50)
    }
}
