// A disk that runs full under a load: one clear error a write, reads go on, and nothing acknowledged is lost.
import Testing
import TestSupport
import Wire

@Suite(.enabled(if: SmallFileSystem.isPossible, "mounting a tmpfs takes root"))
struct DiskFullTests {
    @Test func `a full disk refuses writes, serves reads, and is cured by space alone`() throws {
        let disk = try SmallFileSystem(megabytes: 24)
        try disk.fill("ballast", megabytes: 8)
        var daemon = try DaemonProcess(data: disk.file("db"))
        var load = Load(try daemon.connect())
        try load.connection.ok(#"{"id":1,"op":"collection.create","name":"kb","dim":2,"metric":"cosine"}"#)

        let refused = try load.writeUntilRefused()
        #expect(refused.code == "disk_full" && refused.retry == "later", "\(refused)")
        for _ in 0..<5 { #expect(try load.write()?.code == "disk_full", "full stays full") }
        try load.checkAll()

        try disk.free("ballast")
        for _ in 0..<5 { #expect(try load.write() == nil, "space alone brings writes back") }
        try load.checkAll()

        #expect(try daemon.stop().code == 0)
        daemon = try DaemonProcess(data: disk.file("db"))
        load.connection = try daemon.connect()
        try load.checkAll()
    }

    @Test func `a right is withdrawn on a full disk, at once and for good`() throws {
        let disk = try SmallFileSystem(megabytes: 24)
        var daemon = try DaemonProcess(data: disk.file("db"))
        var load = Load(try daemon.connect())
        for line in [
            #"{"id":1,"op":"collection.create","name":"kb","dim":2,"metric":"cosine"}"#,
            #"{"id":2,"op":"collection.create","name":"ours","dim":2,"metric":"l2","access":"enforced"}"#,
            #"{"id":3,"op":"group.put","group":"group:eng","members":["user:ana","user:bo"]}"#,
            #"{"id":4,"op":"access.put","access":"handbook","grants":[{"principal":"group:eng","grade":"read"}]}"#,
            #"{"id":5,"op":"access.put","access":"nobody"}"#,
            #"{"id":6,"op":"upsert","collection":"ours","records":[{"id":"a","vector":[1,2],"access":"handbook"},{"id":"b","vector":[1,2],"access":"handbook"}]}"#,
        ] { try load.connection.ok(line) }
        func seen(by user: String) throws -> Int? {
            try load.connection.ok(#"{"id":7,"op":"count","collection":"ours","as":{"user":"\#(user)"}}"#).root["documents"]?.int
        }
        #expect(try seen(by: "user:ana") == 2 && seen(by: "user:bo") == 2)

        #expect(try load.writeUntilRefused().code == "disk_full")
        try load.connection.ok(#"{"id":8,"op":"group.remove","group":"group:eng","members":["user:ana"]}"#)
        #expect(try seen(by: "user:ana") == 0 && seen(by: "user:bo") == 2)
        try load.connection.ok(#"{"id":9,"op":"patch","collection":"ours","ids":["a"],"access":"nobody"}"#)
        #expect(try seen(by: "user:bo") == 1)
        try load.connection.ok(#"{"id":10,"op":"access.revoke","access":"handbook","principal":"group:eng"}"#)
        #expect(try seen(by: "user:bo") == 0 && load.write()?.code == "disk_full")

        daemon.kill()
        daemon = try DaemonProcess(data: disk.file("db"))
        load.connection = try daemon.connect()
        #expect(try seen(by: "user:ana") == 0 && seen(by: "user:bo") == 0)
        try load.checkAll()
    }

    @Test func `a daemon started on a full disk leaves nothing behind that a later start stumbles over`() throws {
        // Each refused write once left a log file without a header; two of them, and the database did not open again.
        let disk = try SmallFileSystem(megabytes: 24)
        var daemon = try DaemonProcess(data: disk.file("db"))
        var load = Load(try daemon.connect())
        try load.connection.ok(#"{"id":1,"op":"collection.create","name":"kb","dim":2,"metric":"cosine"}"#)
        for _ in 0..<10 { #expect(try load.write() == nil) }
        daemon.kill()

        try disk.fill("ballast", megabytes: 64)
        daemon = try DaemonProcess(data: disk.file("db"))
        load.connection = try daemon.connect()
        for _ in 0..<5 { #expect(try load.write()?.code == "disk_full") }
        try load.checkAll()
        daemon.kill()

        daemon = try DaemonProcess(data: disk.file("db"))
        load.connection = try daemon.connect()
        for _ in 0..<5 { #expect(try load.write()?.code == "disk_full") }
        try disk.free("ballast")
        for _ in 0..<5 { #expect(try load.write() == nil) }
        daemon.kill()

        daemon = try DaemonProcess(data: disk.file("db"))
        load.connection = try daemon.connect()
        try load.checkAll()
    }
}

/// Documents of 50 kB, each written once; it remembers which were acknowledged.
private struct Load {
    var connection: LineConnection
    private var next = 0
    private var acknowledged: [String] = []
    private static let text = String(repeating: "x", count: 50_000)

    init(_ connection: LineConnection) { self.connection = connection }

    /// Writes one document; returns what was wrong.
    mutating func write() throws -> WireError? {
        let id = "document-\(next)"
        next += 1
        let answer = try connection.answer(#"{"id":\#(next),"op":"upsert","collection":"kb","records":[{"id":"\#(id)","vector":[1,2],"text":"\#(id)\#(Self.text)"}]}"#)
        if answer.failure == nil { acknowledged.append(id) }
        return answer.failure
    }

    mutating func writeUntilRefused() throws -> WireError {
        for _ in 0..<1000 { if let refused = try write() { return refused } }
        throw ConversationError(description: "1,000 documents of 50 kB fit a disk of 16 MB")
    }

    /// Every acknowledged document is there as it was written, and no other.
    func checkAll() throws {
        #expect(acknowledged.count >= 10)
        for id in acknowledged {
            let answer = try connection.ok(#"{"id":1,"op":"get","collection":"kb","ids":["\#(id)"]}"#)
            #expect(answer.root["documents"]?.array.first?["chunks"]?.array.first?["text"]?.string == id + Self.text, "\(id)")
        }
        #expect(try connection.ok(#"{"id":2,"op":"count","collection":"kb"}"#).root["documents"]?.int == acknowledged.count)
    }
}
