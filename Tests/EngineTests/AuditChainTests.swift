// The audit log's chain: a crash takes its end at most, and nobody takes, adds, changes or moves anything unseen.
@testable import Engine
import Memory
import Storage
import Testing
import TestSupport

@Suite struct AuditChainTests {
    // MARK: Crashes

    /// What must be found after a crash, and what may be.
    private struct Known {
        var appended: [AuditedRead] = []
        var durable = 0

        /// Whether these are a beginning of what was appended that holds all that was synced.
        func allows(_ found: [AuditedRead]) -> Bool { found.count >= durable && Array(appended.prefix(found.count)) == found }
    }

    /// Appends, flushes, syncs and restarts until the disk fails.
    private func work(on disk: FaultyDisk) -> Known {
        var known = Known()
        do {
            for _ in 0..<2 {
                let log = try AuditHarness.open(disk)
                for step in 0..<8 {
                    for _ in 0..<1 + step % 2 {
                        known.appended.append(AuditHarness.read(known.appended.count, items: step % 4))
                        log.append(known.appended[known.appended.count - 1])
                    }
                    log.flush(nowMilliseconds: 2000, syncing: step % 3 == 2)
                    if log.statistics.failure != nil { return known }
                    if step % 3 == 2 { known.durable = known.appended.count }
                }
                log.close(nowMilliseconds: 2000)
                if log.statistics.failure != nil { return known }
                known.durable = known.appended.count
                disk.unlock()
            }
        } catch {
            // The fault that was planned.
        }
        return known
    }

    private func check(_ disk: FaultyDisk, _ known: Known, _ comment: String) throws {
        // Before anybody opens it: at most its end is torn.
        let before = try AuditLog.verify(disk)
        #expect(before.firstBreak == nil || before.isAtEnd, "\(comment): \(before)")
        let log = try AuditHarness.open(disk)
        let next = AuditHarness.read(500)
        log.append(next)
        log.flush(nowMilliseconds: 4000, syncing: true)
        for found in [disk, disk.afterCrash(.clean)] {
            let verified = try AuditLog.verify(found)
            #expect(verified.isSound, "\(comment): \(verified)")
            let entries = try AuditHarness.entries(found)
            let reads = entries.compactMap(\.read)
            #expect(reads.last == next && known.allows(Array(reads.dropLast())), "\(comment): found \(reads.count - 1) of \(known.appended.count), \(known.durable) durable")
            // What was torn was told.
            let dropped = entries.compactMap(\.openedDropping).last
            let wasTorn = before.firstBreak.map { $0.offset >= AuditFormat.headerBytes } ?? false
            #expect(((dropped ?? 0) > 0) == wasTorn, "\(comment): \(String(describing: dropped)), \(before)")
        }
    }

    @Test(arguments: Crash.Names.allCases)
    func `after the power is cut at any call the chain holds, and nothing that was synced is missing`(names: Crash.Names) throws {
        let seed = TestSeed(5)
        for index in 0..<400 {
            let disk = FaultyDisk()
            disk.plan(DiskFault(.powerCut, at: index))
            let known = work(on: disk)
            let bytes = disk.unsyncedBytes
            var crashes: [Crash.Data] = [.dropped, .kept] + (0..<4).map { .scattered(seed: seed.value &+ UInt64(100 * index + $0)) }
            crashes += stride(from: 0, through: bytes, by: max(1, bytes / 12)).map { .torn(bytes: $0) }
            for crash in crashes {
                let crash = Crash(crash, names: names)
                try check(disk.afterCrash(crash), known, "call \(index), \(crash), \(seed)")
            }
            if !disk.hasFailed { return }
        }
        Issue.record("the run never ended")
    }

    @Test func `after the process is killed at any call everything that reached a file is there`() throws {
        for index in 0..<400 {
            let disk = FaultyDisk()
            disk.plan(DiskFault(.powerCut, at: index))
            let known = work(on: disk)
            try check(disk.afterRestart(), known, "call \(index)")
            if !disk.hasFailed { return }
        }
        Issue.record("the run never ended")
    }

    @Test func `what was synced and is damaged is kept as it is, told, and not built upon`() throws {
        let disk = try AuditHarness.closed(reads: 3, AuditSizes())
        let name = try #require(disk.names.first)
        disk.flip(name, byte: 400, bit: 3)
        let bytes = disk[name]
        let log = try AuditHarness.open(disk)
        log.append(AuditHarness.read(9))
        log.flush(nowMilliseconds: 4000, syncing: true)
        #expect(log.statistics.failure?.contains(name) == true)
        #expect(disk[name] == bytes && disk.names.count == 2)
        let found = try AuditLog.verify(disk)
        #expect(found.firstBreak?.file == name && !found.isAtEnd)
        let answer = try log.query(AuditQuery(), nowMilliseconds: 4000)
        #expect(answer.entries.first?.read == AuditHarness.read(9) && answer.damage?.file == name)
        guard case .opened(0, _, let note)? = answer.entries.dropFirst().first?.event else { return #expect(Bool(false), "\(answer.entries)") }
        #expect(note.contains(name))
    }

    // MARK: Hands

    @Test func `every bit that is turned over is found`() throws {
        let disk = try AuditHarness.closed(reads: 5)
        #expect(disk.names.count == 2)
        #expect(try AuditLog.verify(disk).isSound)
        for name in disk.names {
            for byte in 0..<(disk[name]?.count ?? 0) {
                for bit in 0..<8 {
                    disk.flip(name, byte: byte, bit: bit)
                    let found = try AuditLog.verify(disk)
                    #expect(found.firstBreak?.file == name || found.firstBreak != nil && name == disk.names[0], "\(name), byte \(byte), bit \(bit)")
                    disk.flip(name, byte: byte, bit: bit)
                }
            }
        }
        #expect(try AuditLog.verify(disk).isSound)
    }

    /// The records of a file as bytes, behind its header.
    private func records(_ bytes: [UInt8]) throws -> [[UInt8]] {
        var (records, offset): ([[UInt8]], Int) = ([], AuditFormat.headerBytes)
        while offset < bytes.count {
            let rest = Array(bytes[offset...])
            records.append(Array(rest[..<(try AuditFrame.decode(rest.rawSpan).recordBytes)]))
            offset += records[records.count - 1].count
        }
        return records
    }

    /// Hands each change of one file's list of records to `check`, on a disk that has it.
    private func withEveryChange(_ changed: (_ records: [[UInt8]], _ place: Int) throws -> [[UInt8]]?) throws {
        let disk = try AuditHarness.closed(reads: 14)
        #expect(disk.names.count >= 3)
        for name in disk.names {
            let bytes = try #require(disk[name])
            let records = try records(bytes)
            for place in records.indices {
                guard let forged = try changed(records, place) else { continue }
                disk[name] = Array(bytes[..<AuditFormat.headerBytes]) + forged.flatMap { $0 }
                let isLastOfAll = name == disk.names.last && place == records.count - 1
                let found = try AuditLog.verify(disk)
                // The end alone can go unseen: whoever has kept the head sees that as well.
                if isLastOfAll, forged.count < records.count {
                    let whole = try hash(of: records[place])
                    #expect(try AuditLog.verify(disk, expecting: whole).hasExpected == false)
                } else {
                    #expect(found.firstBreak != nil, "\(name), record \(place)")
                }
                disk[name] = bytes
            }
        }
    }

    @Test func `a record that is taken out, said twice or moved is found`() throws {
        try withEveryChange { records, place in records.enumerated().filter { $0.offset != place }.map(\.element) }
        try withEveryChange { records, place in records.enumerated().flatMap { $0.offset == place ? [$0.element, $0.element] : [$0.element] } }
        for other in 1..<4 {
            try withEveryChange { records, place in
                guard place + other < records.count else { return nil }
                var records = records
                records.swapAt(place, place + other)
                return records
            }
        }
    }

    private func hash(of record: [UInt8]) throws -> AuditHash { try AuditFrame.decode(record.rawSpan).hash }

    /// The record with another payload and a checksum that fits.
    private func forge(_ record: [UInt8], after previous: AuditHash, hashesToo: Bool) throws -> [UInt8] {
        let frame = try AuditFrame.decode(record.rawSpan)
        var payload = Array(record[AuditFormat.frameBytes...])
        payload[0] ^= 1
        var writer = ByteWriter()
        let base = hashesToo ? previous : .zero
        _ = AuditFrame.write(frame.kind, payload.rawSpan, number: frame.number, durableNumber: frame.durableNumber, after: base, to: &writer)
        return Array(copying: writer.bytes)
    }

    @Test func `a record that is changed by somebody who knows the format is found`() throws {
        for hashesToo in [false, true] {
            try withEveryChange { records, place in
                // The last record's successor, which would tell, is in the next file or is yet to come.
                guard place > 0, place + 1 < records.count else { return nil }
                var records = records
                records[place] = try forge(records[place], after: hash(of: records[place - 1]), hashesToo: hashesToo)
                return records
            }
        }
    }

    @Test func `a file that is missing is found, at the start as well, unless the log removed it itself`() throws {
        let disk = try AuditHarness.closed(reads: 14)
        let names = disk.names
        #expect(names.count >= 4)
        for name in names.dropLast() {
            let bytes = disk[name]
            disk[name] = nil
            #expect(try AuditLog.verify(disk).firstBreak != nil, "\(name)")
            disk[name] = bytes
        }
        #expect(try AuditLog.verify(disk).isSound)
        let bounded = try AuditHarness.closed(reads: 120)
        #expect(bounded.names[0] > names[0])
        #expect(try AuditLog.verify(bounded).isSound)
        bounded[bounded.names[0]] = nil
        #expect(try AuditLog.verify(bounded).firstBreak?.file == bounded.names[0])
    }

    @Test func `a head that was noted is part of the chain for as long as its record is kept`() throws {
        let disk = FaultyDisk()
        let log = try AuditHarness.open(disk)
        var heads: [AuditHash] = []
        for number in 0..<20 {
            log.append(AuditHarness.read(number))
            log.flush(nowMilliseconds: 2000, syncing: false)
            heads.append(log.statistics.head)
        }
        for head in heads {
            let found = try AuditLog.verify(disk, expecting: AuditHash(hexadecimal: head.description))
            #expect(found.isSound && found.hasExpected == true)
        }
        let other = AuditHash(hexadecimal: String(heads[3].description.reversed()))
        #expect(try !AuditLog.verify(disk, expecting: other).isSound)
        for text in ["", "00", heads[0].description + "0", "+" + heads[0].description.dropFirst(), "x" + heads[0].description.dropFirst()] {
            #expect(AuditHash(hexadecimal: text) == nil)
        }
    }

    @Test func `a log that is verified while it is written to and loses its oldest files holds`() throws {
        let disk = FaultyDisk()
        let log = try AuditHarness.open(disk)
        Threads.run(2) { thread in
            do {
                for number in 0..<300 {
                    if thread == 0 {
                        log.append(AuditHarness.read(number))
                        log.flush(nowMilliseconds: 2000, syncing: false)
                    } else {
                        let found = try AuditLog.verify(disk)
                        #expect(found.isSound || found.isAtEnd, "\(found)")
                    }
                }
            } catch { Issue.record("\(error)") }
        }
    }
}
