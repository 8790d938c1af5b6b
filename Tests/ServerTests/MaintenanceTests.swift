// What the daemon does behind the requests: the log into files, files into fewer, and snapshots, while others write.
import Foundation
import Synchronization
import Testing
import TestSupport
import Wire

@Suite struct MaintenanceTests {
    @Test func `a log that grows is brought into files, and files into fewer, without being asked`() throws {
        let served = try ServedDatabase(["--checkpoint-mib", "0.0625"])
        var load = try NumberedLoad(served.daemon.connect())
        for _ in 0..<100 { try load.write(50) }
        try served.daemon.connect().awaitStats("everything but 64 KiB is in files") { $0.storage("uncovered_log_bytes") < 64 << 10 && $0.isIdle }
        let stats = try load.connection.stats()
        #expect(stats.storage("covered_seq") > 0 && stats.storage("segments") >= 1)
        // More than eight checkpoints leave fewer than eight segments of one size.
        let finished = try #require(stats["maintenance"]?["finished"]?.int)
        #expect(finished > 8 && stats.storage("segments") < finished, "\(stats)")
        try load.check()

        served.daemon.kill()
        try served.start()
        load.connection = try served.daemon.connect()
        #expect(try load.connection.stats().storage("uncovered_log_bytes") < 128 << 10)
        try load.check()
    }

    @Test func `a start after a flush replays nothing`() throws {
        let served = try ServedDatabase()
        var load = try NumberedLoad(served.daemon.connect())
        for _ in 0..<20 { try load.write(100) }
        #expect(try load.connection.stats().storage("uncovered_log_bytes") > 100_000)
        #expect(try load.connection.ok(#"{"id":1,"op":"flush"}"#).root["seq"]?.int == load.sequence)
        #expect(try load.connection.stats().storage("uncovered_log_bytes") == 0)

        served.daemon.kill()
        try served.start()
        load.connection = try served.daemon.connect()
        let stats = try load.connection.stats()
        #expect(stats.storage("uncovered_log_bytes") == 0 && stats.storage("covered_seq") == load.sequence && stats["seq"]?.int == load.sequence)
        #expect(stats["memory"]?["head_bytes"]?.int == 0, "nothing but catalogs was read")
        try load.check()
    }

    @Test func `what deletions leave is compacted without being asked`() throws {
        let served = try ServedDatabase()
        var load = try NumberedLoad(served.daemon.connect())
        try load.write(1000)
        try load.connection.ok(#"{"id":1,"op":"flush"}"#)
        try load.delete(0..<900)
        #expect(try load.connection.stats().storage("dead_rows") <= 900)
        try load.connection.awaitStats("the deleted rows are gone") { $0.storage("dead_rows") == 0 && $0.storage("rows") == 100 }
        try load.check()
    }

    @Test func `optimize leaves one segment with nothing deleted, and writers go on meanwhile`() throws {
        let served = try ServedDatabase(["--checkpoint-mib", "0.0625"])
        let writer = try BackgroundWriter(served)
        let connection = try served.daemon.connect()
        for _ in 0..<3 {
            let before = try connection.stats()
            let answer = try connection.ok(#"{"id":1,"op":"optimize","collection":"kb"}"#)
            #expect(try #require(answer.root["seq"]?.int) >= before["seq"]?.int ?? .max)
        }
        var load = try writer.stop()
        #expect(load.count > 0, "the writer wrote")
        try connection.ok(#"{"id":2,"op":"optimize"}"#)
        let stats = try connection.stats()
        #expect(stats.storage("segments") == 1 && stats.storage("dead_rows") == 0 && stats.storage("rows") == load.count, "\(stats)")
        try load.check()
        served.daemon.kill()
        try served.start()
        load.connection = try served.daemon.connect()
        try load.check()
    }

    @Test func `at its deadline optimize is answered, and goes on`() throws {
        let served = try ServedDatabase()
        var load = try NumberedLoad(served.daemon.connect())
        for _ in 0..<4 {
            for _ in 0..<10 { try load.write(100) }
            try load.connection.ok(#"{"id":1,"op":"flush"}"#)
        }
        #expect(try load.connection.stats().storage("segments") == 4)
        let failure = try load.connection.failure(#"{"id":2,"op":"optimize","deadline_ms":1}"#)
        #expect(failure.code == "deadline_exceeded" && failure.retry == "later" && failure.field == "deadline_ms")
        try load.connection.awaitStats("four segments have become one") { $0.storage("segments") == 1 && $0.isIdle }
        try load.check()
    }

    @Test func `work that is asked for holds up neither its own connection nor the workers`() throws {
        let served = try ServedDatabase(["--workers", "1"])
        var load = try NumberedLoad(served.daemon.connect())
        for _ in 0..<30 { try load.write(100) }
        // Many of them, so that they are at work for as long as it takes to look.
        for number in 0..<20 {
            try load.connection.sendLine(#"{"id":\#(number),"op":"\#(number % 2 == 0 ? "flush" : "optimize")"}"#)
            try load.connection.sendLine(#"{"id":\#(100 + number),"op":"search","collection":"kb","vector":[1,2,3,4],"k":1,"with":[]}"#)
        }
        var answered: [Int] = []
        for _ in 0..<40 {
            let answer = try load.connection.receive()
            #expect(answer.failure == nil)
            answered.append(try #require(answer.id))
        }
        #expect(Set(answered).count == 40)
        let firstSearch = try #require(answered.firstIndex { $0 >= 100 }), lastWork = try #require(answered.lastIndex { $0 < 100 })
        #expect(firstSearch < lastWork, "\(answered)")
    }

    @Test func `a stop gives up work under way, answers for it, and loses nothing`() throws {
        let served = try ServedDatabase()
        var load = try NumberedLoad(served.daemon.connect())
        for _ in 0..<30 { try load.write(100) }
        for number in 0..<20 { try load.connection.sendLine(#"{"id":\#(number),"op":"optimize"}"#) }
        try load.connection.sendLine(#"{"id":100,"op":"ping"}"#)
        while try load.connection.receive().id != 100 {}
        let end = try served.daemon.stop()
        #expect(end.code == 0, "\(end.log)")
        while let line = try load.connection.receiveLine() {
            let failure = try Answer(line: Array(line.utf8)).failure
            #expect(failure == nil || failure?.code == "read_only", "\(line)")
        }
        try served.start()
        load.connection = try served.daemon.connect()
        try load.check()
    }

    @Test func `snapshots are made, listed and dropped under a load, and what they held is given back`() throws {
        let served = try ServedDatabase(["--checkpoint-mib", "0.0625"])
        let writer = try BackgroundWriter(served)
        let connection = try served.daemon.connect()
        var sequence = 0
        for round in 0..<30 {
            let before = try #require(try connection.stats()["seq"]?.int)
            let made = try connection.ok(#"{"id":1,"op":"snapshot.create","name":"s\#(round)"}"#).root
            let held = try #require(made["seq"]?.int)
            #expect(held >= before && held >= sequence && made["name"]?.string == "s\(round)")
            sequence = held
            if round % 3 == 2 { try connection.ok(#"{"id":2,"op":"snapshot.drop","name":"s\#(round - 1)"}"#) }
        }
        var load = try writer.stop()
        try load.check()
        let names = try snapshotNames(connection)
        #expect(names == (0..<30).filter { $0 % 3 != 1 }.map { "s\($0)" })

        served.daemon.kill()
        try served.start()
        load.connection = try served.daemon.connect()
        #expect(try snapshotNames(load.connection) == names)
        for name in names { try load.connection.ok(#"{"id":3,"op":"snapshot.drop","name":"\#(name)"}"#) }
        try load.connection.ok(#"{"id":4,"op":"optimize"}"#)
        try load.check()
        let segments = try FileManager.default.contentsOfDirectory(atPath: served.path).filter { $0.hasPrefix("segment") }
        #expect(segments.count == 1, "what only snapshots held is gone: \(segments)")
    }

    private func snapshotNames(_ connection: LineConnection) throws -> [String] {
        try connection.ok(#"{"id":1,"op":"snapshot.list"}"#).root["snapshots"]?.array.compactMap { $0["name"]?.string } ?? []
    }

    @Test func `a damaged segment is told of in the log, in answers and in the statistics`() throws {
        let served = try ServedDatabase()
        var load = try NumberedLoad(served.daemon.connect())
        try load.write(500)
        try load.connection.ok(#"{"id":1,"op":"flush"}"#)
        #expect(try served.daemon.stop().code == 0)
        let name = try #require(try FileManager.default.contentsOfDirectory(atPath: served.path).first { $0.hasPrefix("segment") })
        try flipBytes(served.path + "/" + name)

        try served.start()
        let connection = try served.daemon.connect()
        var incomplete: JSONTree?
        for _ in 0..<2 {
            incomplete = try connection.ok(#"{"id":2,"op":"search","collection":"kb","vector":[1,2,3,4],"k":5,"with":["text"]}"#).root["incomplete"]
        }
        #expect(incomplete?["segments"]?.int == 1 && incomplete?["chunks"]?.int == 500)
        #expect(incomplete?["reason"]?.string?.contains(name) == true)
        #expect(try connection.ok(#"{"id":3,"op":"collection.describe","name":"kb"}"#).root["collection"]?["incomplete"] == incomplete)
        #expect(try connection.failure(#"{"id":4,"op":"get","collection":"kb","ids":["d1"]}"#).code == "data_damaged")
        let quarantined = try #require(try connection.stats()["quarantined"]?.array)
        #expect(quarantined.count == 1 && quarantined[0]["collection"]?.string == "kb" && quarantined[0]["segments"]?.int == 1)
        let log = try served.daemon.stop().log
        #expect(log.split(separator: "\n").count { $0.contains("warning") && $0.contains(name) } == 1, "\(log)")
    }

    /// Here and there, in every column.
    private func flipBytes(_ path: String) throws {
        var bytes = try Data(contentsOf: URL(filePath: path))
        for offset in stride(from: 4096, to: bytes.count - 4096, by: 512) { bytes[offset] ^= 0x10 }
        try bytes.write(to: URL(filePath: path))
    }
}

@Suite(.enabled(if: SmallFileSystem.isPossible, "mounting a tmpfs takes root"))
struct MaintenanceOnFullDiskTests {
    @Test func `background work that met a full disk is taken up again once there is space`() throws {
        let disk = try SmallFileSystem(megabytes: 40)
        let daemon = try DaemonProcess(data: disk.file("db"), ["--checkpoint-mib", "6"])
        var load = try NumberedLoad(daemon.connect(), textBytes: 20_000)
        // Log for 8 MiB and the reserve are there: from here on it is the checkpoint that lacks space.
        while try load.connection.stats().storage("uncovered_log_bytes") < 5 << 20 { try load.write(10) }
        try disk.fill("ballast", megabytes: 64)
        while try load.connection.stats().storage("uncovered_log_bytes") < 6 << 20 { try load.write(10) }
        let failed = try load.connection.awaitStats("the checkpoint met the full disk") { $0["maintenance"]?["failure"] != nil }
        #expect(failed["maintenance"]?["failure"]?["code"]?.string == "disk_full")
        let flush = try load.connection.failure(#"{"id":1,"op":"flush"}"#)
        #expect(flush.code == "disk_full" && flush.retry == "later")
        // It left nothing behind that takes the space it lacked, but for what the attempt under way is writing at any one moment.
        var left: [String] = []
        for _ in 0..<200 {
            left = try FileManager.default.contentsOfDirectory(atPath: disk.file("db")).filter { $0.hasPrefix("segment") }
            if left.isEmpty { break }
            Thread.sleep(forTimeInterval: 0.05)
        }
        #expect(left.isEmpty)
        try load.check()

        try disk.free("ballast")
        let healed = try load.connection.awaitStats("space alone brings it back") { $0.storage("covered_seq") > 0 }
        #expect(healed.storage("segments") >= 1)
        try load.connection.awaitStats("the failure is forgotten") { $0["maintenance"]?["failure"] == nil }
        try load.write(10)
        #expect(try load.connection.stats()["writes"]?.string == "ok")
        try load.check()
        let log = try daemon.stop().log
        #expect(log.split(separator: "\n").count { $0.contains("background work failed") } == 1, "told once, tried often: \(log)")
        #expect(log.contains("background work goes on"))
    }

    @Test func `the statistics tell of a full disk and of the reserve`() throws {
        let disk = try SmallFileSystem(megabytes: 24)
        let daemon = try DaemonProcess(data: disk.file("db"))
        var load = try NumberedLoad(daemon.connect(), textBytes: 20_000)
        try load.write(10)
        var stats = try load.connection.stats()
        #expect(stats["writes"]?.string == "ok" && stats["reserve"] == .bool(true) && stats["writes_reason"] == nil)

        try disk.fill("ballast", megabytes: 64)
        var refused: WireError?
        while refused == nil { refused = try load.tryToWrite(10) }
        #expect(refused?.code == "disk_full")
        stats = try load.connection.stats()
        #expect(stats["writes"]?.string == "disk_full" && stats["writes_reason"]?.string?.isEmpty == false)

        try disk.free("ballast")
        try load.write(1)
        stats = try load.connection.stats()
        #expect(stats["writes"]?.string == "ok" && stats["reserve"] == .bool(true))
        try load.check()
    }
}

/// A writer on a thread and a connection of its own, from when it is made until it is stopped.
private final class BackgroundWriter: Sendable {
    private let port: Int
    private let isStopping = Atomic<Bool>(false)
    private let written = Mutex<Result<NumberedLoad.Written, any Error>?>(nil)
    private let hasEnded = DispatchSemaphore(value: 0)

    init(_ served: ServedDatabase) throws {
        port = served.daemon.port
        _ = try NumberedLoad(served.daemon.connect())
        Thread.detachNewThread { [self] in
            let result = Result { try run() }
            written.withLock { $0 = result }
            hasEnded.signal()
        }
    }

    private func run() throws -> NumberedLoad.Written {
        var load = NumberedLoad(try LineConnection(port: port), NumberedLoad.Written())
        while !isStopping.load(ordering: .relaxed) {
            try load.write(40)
            try load.delete(load.next - 40..<load.next - 30)
        }
        return load.written
    }

    /// What it has written, on a connection to go on with.
    func stop() throws -> NumberedLoad {
        isStopping.store(true, ordering: .relaxed)
        hasEnded.wait()
        guard let written = written.withLock({ $0 }) else { preconditionFailure("it is there before the signal") }
        return NumberedLoad(try LineConnection(port: port), try written.get())
    }
}

/// Documents with rising numbers, each of which can be told from its number; some are deleted again.
private struct NumberedLoad {
    /// What is there because of it.
    struct Written: Sendable {
        var next = 0
        var sequence = 0
        var deleted: Set<Int> = []
    }

    var connection: LineConnection
    private(set) var written = Written()
    private let textBytes: Int

    var next: Int { written.next }
    var sequence: Int { written.sequence }
    var count: Int { next - written.deleted.count }

    init(_ connection: LineConnection, textBytes: Int = 200) throws {
        self.connection = connection
        self.textBytes = textBytes
        try connection.ok(#"{"id":1,"op":"collection.create","name":"kb","dim":4,"metric":"l2","fields":{"n":"int"}}"#)
    }

    init(_ connection: LineConnection, _ written: Written) {
        self.connection = connection
        self.written = written
        textBytes = 200
    }

    /// One request with so many documents.
    mutating func write(_ count: Int) throws {
        if let refused = try tryToWrite(count) { throw refused }
    }

    mutating func tryToWrite(_ count: Int) throws -> WireError? {
        let records = (next..<next + count).map { #"{"id":"d\#($0)","vector":\#(vector($0)),"text":"\#(text($0))","fields":{"n":\#($0)}}"# }
        let answer = try connection.answer(#"{"id":1,"op":"upsert","collection":"kb","records":[\#(records.joined(separator: ","))]}"#)
        if let failure = answer.failure { return failure }
        written.next += count
        written.sequence = try #require(answer.root["seq"]?.int)
        return nil
    }

    mutating func delete(_ numbers: Range<Int>) throws {
        let ids = numbers.map { "\"d\($0)\"" }.joined(separator: ",")
        written.sequence = try #require(try connection.ok(#"{"id":1,"op":"delete","collection":"kb","ids":[\#(ids)]}"#).root["seq"]?.int)
        written.deleted.formUnion(numbers)
    }

    private func vector(_ number: Int) -> String { "[\(number % 7),\(number % 11),\(number % 13),\(number)]" }

    /// Text that does not compress to nothing.
    private func text(_ number: Int) -> String {
        var random = SeededRandom(seed: UInt64(number))
        var text = "document \(number) "
        while text.utf8.count < textBytes { text += String(random.next(), radix: 36) }
        return text
    }

    /// Every document is there as it was written or deleted, and each is found where its vector lies.
    func check() throws {
        for first in stride(from: 0, to: next, by: 500) {
            let numbers = first..<min(first + 500, next)
            let ids = numbers.map { "\"d\($0)\"" }.joined(separator: ",")
            let answer = try connection.ok(#"{"id":1,"op":"get","collection":"kb","ids":[\#(ids)],"with":["text","fields"]}"#).root
            let expected = numbers.filter { !written.deleted.contains($0) }
            #expect(answer["documents"]?.array.map { $0["id"]?.string } == expected.map { "d\($0)" })
            #expect(answer["documents"]?.array.map { $0["chunks"]?.array.first?["text"]?.string } == expected.map { text($0) })
            #expect(answer["documents"]?.array.map { $0["fields"]?["n"]?.int } == expected.map { $0 })
        }
        for number in stride(from: 0, to: next, by: max(1, next / 20)) where !written.deleted.contains(number) {
            let hit = try connection.ok(#"{"id":1,"op":"search","collection":"kb","vector":\#(vector(number)),"k":1,"with":[]}"#).root["hits"]?.array.first
            #expect(hit?["document"]?.string == "d\(number)" && hit?["score"]?.double == 0)
        }
        #expect(try connection.ok(#"{"id":2,"op":"count","collection":"kb"}"#).root["documents"]?.int == count)
    }
}

extension LineConnection {
    func stats() throws -> JSONTree { try ok(#"{"id":"stats","op":"server.stats"}"#).root }

    /// Asks until the statistics are as they must become; what does not come within half a minute is an error.
    @discardableResult
    func awaitStats(_ rule: String, _ holds: (JSONTree) -> Bool) throws -> JSONTree {
        var last = JSONTree.null
        for _ in 0..<600 {
            last = try stats()
            if holds(last) { return last }
            usleep(50_000)
        }
        throw ConversationError(description: "it does not come to be that \(rule): \(last)")
    }
}

extension JSONTree {
    func storage(_ key: String) -> Int { self["storage"]?[key]?.int ?? .min }
    var isIdle: Bool { self["maintenance"]?["job"] == nil }
}
