// The audit log of the real daemon: who received what is told, by whom it was asked, and survives what kills the daemon.
import Foundation
import Testing
import TestSupport
import Wire

@Suite struct AuditTests {
    private func served(_ arguments: [String] = ["--audit", "all"]) throws -> ServedDatabase {
        let served = try ServedDatabase(arguments)
        let connection = try served.daemon.connect()
        try connection.ok(#"{"id":1,"op":"collection.create","name":"kb","dim":2,"metric":"cosine","fields":{"n":"int"}}"#)
        try connection.ok(
            #"{"id":2,"op":"upsert","collection":"kb","documents":[{"id":"a","fields":{"n":1},"chunks":[{"vector":[1,0],"text":"one"},{"vector":[1,1],"text":"two"}]},{"id":"b","chunks":[{"vector":[0,1],"text":"three"}]}]}"#)
        return served
    }

    /// The reads that were recorded, newest first, without what differs from run to run.
    private func reads(_ connection: LineConnection, _ members: String = "") throws -> [JSONTree] {
        let answer = try connection.ok(#"{"id":99,"op":"audit.query"\#(members)}"#).root
        return (answer["entries"]?.array ?? []).filter { $0["event"]?.string == "read" }
    }

    private func items(_ entry: JSONTree) -> [String] {
        (entry["items"]?.array ?? []).map { item in
            "\(item["document"]?.string ?? "")\(item["chunk"]?.int.map { "#\($0)" } ?? "") \(item["grade"]?.string ?? "")"
        }
    }

    @Test func `every read of a collection is recorded with what it returned, and refused ones with what they asked for`() throws {
        let served = try served()
        let connection = try served.daemon.connect()
        let hits = try connection.ok(#"{"id":1,"op":"search","collection":"kb","vector":[1,0],"k":2}"#).root["hits"]?.array
        try connection.ok(#"{"id":2,"op":"search","collection":"kb","searches":[{"vector":[0,1]},{"vector":[1,0]}],"k":1,"filter":{"n":1}}"#)
        try connection.ok(#"{"id":3,"op":"get","collection":"kb","ids":["b","nobody","a"]}"#)
        try connection.ok(#"{"id":4,"op":"read","collection":"kb","document":"a","from_chunk":1}"#)
        try connection.ok(#"{"id":5,"op":"count","collection":"kb","filter":{"n":1}}"#)
        _ = try connection.failure(#"{"id":6,"op":"read","collection":"kb","document":"hidden"}"#)
        _ = try connection.failure(#"{"id":7,"op":"search","collection":"absent","vector":[1,0]}"#)
        _ = try connection.failure(#"{"id":8,"op":"search","collection":"kb","vector":[1,0,0]}"#)
        try connection.ok(#"{"id":9,"op":"ping"}"#)

        let found = Array(try reads(connection).reversed())
        #expect(found.map { $0["op"]?.string } == ["search", "search", "get", "read", "count", "read", "search", "search"])
        #expect(found.map { $0["outcome"]?.string } == ["ok", "ok", "ok", "ok", "ok", "not_found", "unknown_collection", "dimension_mismatch"])
        #expect(found.allSatisfy { $0["seq"]?.int == 2 && $0["connection"]?.int == 2 && $0["user"] == nil })
        #expect(items(found[0]) == (hits ?? []).map { "\($0["document"]?.string ?? "")#\($0["chunk"]?.int ?? -1) read" } && hits?.count == 2)
        #expect(items(found[1]) == ["a#1 read", "a#0 read"])
        #expect(items(found[2]) == ["b read", "nobody none", "a read"])
        #expect(items(found[3]) == ["a#1 read"])
        #expect(items(found[4]).isEmpty && items(found[5]) == ["hidden none"] && items(found[6]).isEmpty && items(found[7]).isEmpty)
        #expect(found[6]["collection"]?.string == "absent" && found[0]["plan"]?.string == "exact" && found[3]["plan"] == nil)
        #expect(found[1]["filter"] != nil && found[1]["filter"] == found[4]["filter"] && found[0]["filter"] == nil)
        #expect(found[0]["query"] != found[1]["query"])

        #expect(try reads(connection, #","document":"hidden""#) == [found[5]])
        #expect(try reads(connection, #","document":"a","limit":1"#) == [found[3]])
        #expect(try reads(connection, #","collection":"absent""#) == [found[6]])
        #expect(try reads(connection, #","user":"user:ana""#).isEmpty)
    }

    /// Nodes asked for by id and not there, a parent that is not there, and the folders of a path were in no record.
    @Test func `lists and the tree are recorded with all that they name, and with what they were asked for in vain`() throws {
        let served = try served()
        let connection = try served.daemon.connect()
        try connection.ok(
            #"{"id":1,"op":"upsert","collection":"kb","documents":[{"id":"f","kind":"folder"},{"id":"c","parent":"f","fields":{"n":2},"chunks":[{"vector":[1,2],"text":"four"}]}]}"#)
        try connection.ok(#"{"id":2,"op":"list","collection":"kb","order_by":"id","limit":2}"#)
        try connection.ok(#"{"id":3,"op":"facet","collection":"kb","field":"n"}"#)
        try connection.ok(#"{"id":4,"op":"nodes","collection":"kb","parent":"f"}"#)
        try connection.ok(#"{"id":5,"op":"nodes","collection":"kb","ids":["c","hidden"],"with":["path"]}"#)
        _ = try connection.failure(#"{"id":6,"op":"nodes","collection":"kb","parent":"hidden"}"#)

        let found = Array(try reads(connection).reversed())
        #expect(found.map { $0["op"]?.string } == ["list", "facet", "nodes", "nodes", "nodes"])
        #expect(found.map { $0["outcome"]?.string } == ["ok", "ok", "ok", "ok", "not_found"])
        #expect(found.map(items) == [["a read", "b read"], [], ["c read"], ["c read", "f read", "hidden none"], ["hidden none"]])
        #expect(try reads(connection, #","document":"hidden""#) == [found[4], found[3]])
    }

    @Test func `records survive a kill as soon as they have reached the file, and a stop keeps every one`() throws {
        let served = try served(["--audit", "all", "--audit-flush-ms", "5"])
        var connection = try served.daemon.connect()
        for number in 0..<50 { try connection.ok(#"{"id":\#(number),"op":"search","collection":"kb","vector":[1,\#(number)],"k":1}"#) }
        // A question brings all of them into the file.
        #expect(try reads(connection, #","limit":1000"#).count == 50)
        served.daemon.kill()
        try served.start()
        connection = try served.daemon.connect()
        #expect(try reads(connection, #","limit":1000"#).count == 50)
        for number in 0..<50 { try connection.ok(#"{"id":\#(number),"op":"search","collection":"kb","vector":[1,\#(number)],"k":1}"#) }
        #expect(try served.daemon.stop().code == 0)
        try served.start()
        connection = try served.daemon.connect()
        let answer = try connection.ok(#"{"id":1,"op":"audit.query","limit":1000}"#).root
        #expect(answer["entries"]?.array.compactMap { $0["event"]?.string }.filter { $0 != "read" } == ["opened", "closed", "opened", "opened"])
        #expect(try reads(connection, #","limit":1000"#).count == 100)
        let stats = try connection.ok(#"{"id":2,"op":"server.stats"}"#).root["audit"]
        #expect(stats?["records"]?.int == 104 && stats?["lost"]?.int == 0 && stats?["failure"] == nil && (stats?["bytes"]?.int ?? 0) > 10_000)
    }

    @Test func `connections are told apart, and what many ask at once is recorded once each`() throws {
        let served = try served()
        let path = served.path, port = served.daemon.port
        Threads.run(4) { thread in
            do {
                let connection = try LineConnection(port: port)
                for number in 0..<100 { try connection.sendLine(#"{"id":\#(number),"op":"get","collection":"kb","ids":["t\#(thread)-\#(number)"]}"#) }
                for _ in 0..<100 { _ = try connection.receive() }
            } catch { Issue.record("\(error), \(path)") }
        }
        let found = try reads(served.daemon.connect(), #","limit":1000"#)
        #expect(found.count == 400)
        var byConnection: [Int: Set<String>] = [:]
        for read in found { byConnection[read["connection"]?.int ?? 0, default: []].formUnion(items(read)) }
        #expect(byConnection.count == 4 && byConnection.values.allSatisfy { $0.count == 100 && Set($0.map { $0.prefix(2) }).count == 1 })
    }

    @Test func `without rights nothing is recorded unless it is asked for, and no log is kept where it is off`() throws {
        let usual = try served([])
        let connection = try usual.daemon.connect()
        try connection.ok(#"{"id":1,"op":"search","collection":"kb","vector":[1,0]}"#)
        #expect(try reads(connection).isEmpty)
        #expect(try DaemonProcess.runToEnd(["--data", usual.path, "--audit", "some"]).code == 2)
        #expect(try DaemonProcess.runToEnd(["--data", usual.path, "--audit-mib", "-1"]).code == 2)
        for arguments in [["--audit", "off"], ["--audit", "all", "--audit-mib", "0"]] {
            let none = try served(arguments)
            let connection = try none.daemon.connect()
            #expect(try connection.failure(#"{"id":1,"op":"audit.query"}"#).code == "unsupported")
            #expect(try connection.ok(#"{"id":2,"op":"server.stats"}"#).root["audit"] == nil)
            #expect(!FileManager.default.fileExists(atPath: none.path + "/audit"))
        }
    }
}
