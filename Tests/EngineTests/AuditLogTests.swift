// The audit log: what goes in comes out, in order, within its bounds, and what does not go in is counted.
@testable import Engine
import Memory
import Storage
import Synchronization
import Testing
import TestSupport

@Suite struct AuditLogTests {
    @Test func `what was audited is read back as it was, over restarts`() throws {
        let seed = TestSeed(31)
        var random = seed.random
        var disk = FaultyDisk()
        var expected: [AuditedRead] = []
        for round in 0..<4 {
            let log = try AuditHarness.open(disk)
            for _ in 0..<12 {
                let read = AuditHarness.read(expected.count, items: Int.random(in: 0...5, using: &random))
                expected.append(read)
                log.append(read)
                if random.oneIn(2) { log.flush(nowMilliseconds: 2000, syncing: random.oneIn(2)) }
            }
            if round % 2 == 0 { log.close(nowMilliseconds: 3000) } else { log.flush(nowMilliseconds: 3000, syncing: false) }
            #expect(log.statistics.lost == 0 && log.statistics.failure == nil)
            disk = disk.afterRestart()
            let entries = try AuditHarness.entries(disk)
            // The oldest files are gone, and with them the oldest records.
            let kept = entries.compactMap(\.read)
            #expect(kept == Array(expected.suffix(kept.count)), "\(seed)")
            #expect(entries.map(\.number) == Array(entries[0].number..<entries[0].number + UInt64(entries.count)), "\(seed)")
            #expect(try AuditLog.verify(disk).isSound, "\(seed)")
        }
    }

    @Test func `an answer of very many items takes several records, which say so`() throws {
        let disk = FaultyDisk()
        let log = try AuditHarness.open(disk, AuditSizes())
        let read = AuditHarness.read(3, items: 12_000)
        log.append(read)
        log.close(nowMilliseconds: 2000)
        let parts = try AuditHarness.reads(disk.afterRestart())
        #expect(parts.count > 1 && parts.map(\.part) == Array(0..<parts.count))
        #expect(parts.map(\.isLastPart) == parts.indices.map { $0 == parts.count - 1 })
        #expect(parts.flatMap(\.items) == read.items && parts.allSatisfy { $0.head == read.head })
    }

    @Test func `texts longer than any name are cut between two characters`() throws {
        let disk = FaultyDisk()
        let log = try AuditHarness.open(disk)
        var read = AuditHarness.read(1)
        read.head.collection = String(repeating: "é", count: 400)
        read.items = []
        log.append(read.head, AuditItems())
        log.close(nowMilliseconds: 2000)
        let found = try #require(try AuditHarness.reads(disk.afterRestart()).first)
        read.head.collection = String(repeating: "é", count: AuditFormat.textBytesMax / 2)
        #expect(found == read)
    }

    @Test func `files end before they grow too long, the oldest go, and the log says which`() throws {
        let disk = FaultyDisk()
        let log = try AuditHarness.open(disk)
        for number in 0..<200 {
            log.append(AuditHarness.read(number))
            log.flush(nowMilliseconds: 2000, syncing: false)
            for name in disk.names { #expect((disk[name]?.count ?? 0) <= AuditHarness.small.fileBytes, "\(name)") }
            #expect(disk.usedBytes <= AuditHarness.small.totalBytes)
        }
        #expect(log.statistics.bytes == disk.usedBytes)
        let found = try AuditLog.verify(disk)
        #expect(found.isSound && found.files >= 5 && found.head == log.statistics.head)
        #expect(try #require(found.first).number > 1 && found.last?.number == log.statistics.records)
        let kept = try AuditHarness.reads(disk)
        #expect(kept == (200 - kept.count..<200).map { AuditHarness.read($0) } && kept.count > 15)
    }

    @Test func `on a full disk reads wait, then are counted as lost, and all of it is told once there is space`() throws {
        let disk = FaultyDisk()
        var sizes = AuditHarness.small
        sizes.totalBytes = 1 << 20
        let log = try AuditHarness.open(disk, sizes)
        log.append(AuditHarness.read(0))
        log.flush(nowMilliseconds: 2000, syncing: true)
        for space in [0, 30, 100, 250] {
            disk.capacity = disk.usedBytes + space
            var refused = 0
            for number in 0..<60 {
                log.append(AuditHarness.read(1000 * (space + 1) + number))
                log.flush(nowMilliseconds: 2000, syncing: true)
                if log.statistics.failure != nil { refused += 1 }
            }
            let lost = log.statistics.lost
            #expect(refused > 30 && lost > 0 && log.statistics.failure?.contains("full") == true)
            disk.capacity = nil
            log.flush(nowMilliseconds: 2000, syncing: true)
            log.flush(nowMilliseconds: 2000, syncing: true)
            #expect(log.statistics.failure == nil && log.statistics.lost == lost)
            let entries = try AuditHarness.entries(disk)
            let kept = entries.compactMap(\.read).filter { $0.head.sequence >= UInt64(1000 * (space + 1)) && $0.head.sequence < UInt64(1000 * (space + 1) + 60) }
            // Those that were kept are the first, and the loss is told behind them.
            #expect(kept == (0..<kept.count).map { AuditHarness.read(1000 * (space + 1) + $0) })
            #expect(entries.compactMap(\.lost).reduce(0, +) == lost)
            #expect(entries.last?.lost == UInt64(60 - kept.count))
            #expect(try AuditLog.verify(disk).isSound)
        }
    }

    @Test func `what comes faster than it is written is lost beyond a bound, and counted`() throws {
        let disk = FaultyDisk()
        let log = try AuditHarness.open(disk, AuditSizes())
        var sizes = AuditHarness.small
        sizes.fileBytes = 1 << 20
        sizes.totalBytes = 1 << 23
        let bounded = try AuditHarness.open(FaultyDisk(), sizes)
        for number in 0..<100 {
            log.append(AuditHarness.read(number))
            bounded.append(AuditHarness.read(number))
        }
        #expect(log.statistics.lost == 0)
        let lost = bounded.statistics.lost
        #expect(lost > 0 && lost < 100)
        let answer = try bounded.query(AuditQuery(), nowMilliseconds: 2000)
        #expect(answer.entries.first?.lost == lost && answer.entries.count { $0.read != nil } == 100 - Int(lost))
    }

    @Test func `a failed sync ends the log until the next open, and what it may have lost is written again`() throws {
        for call in [DiskCall.sync, .write] {
            let disk = FaultyDisk()
            let log = try AuditHarness.open(disk)
            log.append(AuditHarness.read(0))
            log.flush(nowMilliseconds: 2000, syncing: true)
            disk.plan(DiskFault(.error(5, isForever: false), at: 0, of: call))
            log.append(AuditHarness.read(1))
            log.flush(nowMilliseconds: 2000, syncing: true)
            #expect(log.statistics.failure?.contains("restart") == true)
            disk.plan(nil)
            log.append(AuditHarness.read(2))
            log.flush(nowMilliseconds: 2000, syncing: true)
            #expect(log.statistics.failure != nil && log.statistics.lost >= 1)
            log.close(nowMilliseconds: 2000)

            let restarted = disk.afterRestart()
            let next = try AuditHarness.open(restarted)
            next.append(AuditHarness.read(3))
            next.flush(nowMilliseconds: 3000, syncing: true)
            let crashed = restarted.afterCrash(.clean)
            #expect(try AuditLog.verify(crashed).isSound)
            let found = try AuditHarness.reads(crashed)
            #expect(found.first == AuditHarness.read(0) && found.last == AuditHarness.read(3))
        }
    }

    @Test func `threads append while others flush: nothing is lost, and each thread's reads stay in order`() throws {
        let disk = FaultyDisk()
        let log = try AuditHarness.open(disk, AuditSizes())
        let working = Atomic<Int>(4)
        Threads.run(5) { thread in
            if thread == 4 {
                while working.load(ordering: .relaxed) > 0 { log.flush(nowMilliseconds: 2000, syncing: false) }
                return
            }
            for number in 0..<500 { log.append(AuditHarness.read(1000 * thread + number)) }
            working.subtract(1, ordering: .relaxed)
        }
        log.close(nowMilliseconds: 3000)
        let reads = try AuditHarness.reads(disk.afterRestart())
        #expect(reads.count == 2000)
        for thread in 0..<4 {
            let own = reads.filter { Int($0.head.sequence) / 1000 == thread }
            #expect(own == (0..<500).map { AuditHarness.read(1000 * thread + $0) })
        }
        #expect(try AuditLog.verify(disk.afterRestart()).isSound)
    }

    @Test func `a query finds what looking at every record finds`() throws {
        let seed = TestSeed(77)
        var random = seed.random
        let disk = FaultyDisk()
        var sizes = AuditHarness.small
        sizes.waitingBytes = 1 << 20
        let log = try AuditHarness.open(disk, sizes)
        for number in 0..<150 {
            log.append(AuditHarness.read(number, items: Int.random(in: 0...4, using: &random)))
            if random.oneIn(4) { log.flush(nowMilliseconds: 1000 + Int64(number), syncing: false) }
        }
        log.flush(nowMilliseconds: 2000, syncing: true)
        let all = Array(try AuditHarness.entries(disk).reversed())
        for _ in 0..<400 {
            var query = AuditQuery()
            if random.oneIn(3) { query.document = "d\(Int.random(in: 0..<13, using: &random))" }
            if random.oneIn(3) { query.user = "user:\(Int.random(in: 0..<6, using: &random))" }
            if random.oneIn(4) { query.agent = random.oneIn(3) ? "agent:other" : "agent:weekly" }
            if random.oneIn(4) { query.collection = "c\(Int.random(in: 0..<3, using: &random))" }
            if random.oneIn(3) { query.from = Int64.random(in: 1000..<1200, using: &random) }
            if random.oneIn(3) { query.to = Int64.random(in: 1000..<1200, using: &random) }
            if random.oneIn(3) { query.before = UInt64.random(in: 0..<200, using: &random) }
            query.limit = Int.random(in: 1...40, using: &random)
            let expected = all.filter { isAbout($0, query) }
            let answer = try log.query(query, nowMilliseconds: 2000)
            #expect(answer.entries == Array(expected.prefix(query.limit)), "\(query), \(seed)")
            #expect(answer.hasMore == (expected.count > query.limit), "\(query), \(seed)")
            #expect(answer.damage == nil && answer.head == log.statistics.head && answer.lastRecord == all[0].number)
        }
    }

    private func isAbout(_ entry: AuditEntry, _ query: AuditQuery) -> Bool {
        if let from = query.from, entry.milliseconds < from { return false }
        if let to = query.to, entry.milliseconds >= to { return false }
        if let before = query.before, entry.number >= before { return false }
        let asksForReads = query.document != nil || query.user != nil || query.agent != nil || query.collection != nil
        guard let read = entry.read else { return !asksForReads }
        if let user = query.user, read.head.user != user { return false }
        if let agent = query.agent, read.head.agent != agent { return false }
        if let collection = query.collection, read.head.collection != collection { return false }
        return query.document.map { document in read.items.contains { $0.id == document } } ?? true
    }

    @Test func `a query sees what was appended just before it, and says where it met damage`() throws {
        let disk = try AuditHarness.closed(reads: 20)
        let log = try AuditHarness.open(disk)
        log.append(AuditHarness.read(20))
        var query = AuditQuery()
        query.collection = "c0"
        #expect(try log.query(query, nowMilliseconds: 4000).entries.first?.read == AuditHarness.read(20))
        let second = disk.names[1]
        disk.flip(second, byte: 300, bit: 1)
        query.limit = 1000
        let answer = try log.query(query, nowMilliseconds: 4000)
        #expect(answer.damage?.file == second && answer.entries.count > 3 && answer.entries.count < 11)
    }

    @Test func `filters and queries are told apart by their digests, and equal ones are not`() {
        let filters: [(Filter?, [String]?)] = [
            (nil, nil), (nil, ["a"]), (nil, ["a", "b"]), (nil, ["ab"]), (nil, []), (.field("f", .exists), nil), (.not(.field("f", .exists)), nil),
            (.field("f", .isIn([.string("é")])), nil), (.field("f", .isIn([.string("e\u{301}")])), nil), (.field("f", .isIn([.integer(1)])), nil),
            (.field("f", .isIn([.number(1)])), nil), (.field("f", .isIn([.bool(true)])), nil), (.field("f", .isIn([.bool(true), .bool(false)])), nil),
            (.all([.field("f", .exists)]), nil), (.any([.field("f", .exists)]), nil), (.all([]), nil),
            (.field("f", .range(lower: Filter.Bound(.integer(1), isInclusive: true), upper: nil)), nil),
            (.field("f", .range(lower: Filter.Bound(.integer(1), isInclusive: false), upper: nil)), nil),
            (.field("f", .range(lower: nil, upper: Filter.Bound(.integer(1), isInclusive: true))), nil),
        ]
        let digests = filters.map { Filter.digest($0.0, under: $0.1) }
        #expect(Set(digests).count == filters.count && digests[0] == 0 && digests == filters.map { Filter.digest($0.0, under: $0.1) })
        var prints: Set<UInt64> = []
        for count in 0..<200 {
            var input = SearchInput()
            input.floats = (0..<count).map { Float($0) }
            prints.insert(input.queryDigest)
            if count > 0 {
                input.floats[count / 2] += 0.5
                prints.insert(input.queryDigest)
            }
        }
        #expect(prints.count == 399)
    }
}
