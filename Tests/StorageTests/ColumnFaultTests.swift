// Column files on a disk that is full, failing or without power while they are written.
#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif
import Memory
import Storage
import Testing
import TestSupport

@Suite struct ColumnFaultTests {
    /// Large enough for several writes of the buffer.
    private static let columns: [TestColumn] = {
        var random = SeededRandom(seed: 8)
        return [
            .plain(elementBytes: 8, ColumnHarness.noise(800_000, &random)), .packed((0..<50).map { _ in ColumnHarness.prose(900, &random) }),
            .plain(elementBytes: 1, ColumnHarness.noise(300_001, &random)),
        ]
    }()

    @Test func `a file is written front to back, synced, and headed last`() throws {
        let disk = FaultyDisk()
        let reference = try ColumnHarness.write(Self.columns, on: disk)
        #expect(disk.calls == [.create, .write, .write, .sync, .write, .sync])
        try disk.syncDirectory()
        let file = try ColumnHarness.open(reference, on: disk.afterCrash(.clean))
        #expect(try ColumnHarness.read(file) == Self.columns)
    }

    @Test(arguments: [ENOSPC, EIO], [true, false])
    func `a failing call fails the write, and what is left never passes for the file`(code: Int32, isForever: Bool) throws {
        let (calls, reference) = try Self.run()
        for index in calls.indices {
            let disk = FaultyDisk()
            disk.plan(DiskFault(.error(code, isForever: isForever), at: index))
            let error = #expect(throws: DiskError.self) { try ColumnHarness.write(Self.columns, on: disk) }
            #expect(error?.errno == code)
            disk.plan(nil)
            try disk.syncDirectory()
            for later in [disk.afterRestart(), disk.afterCrash(.clean)] {
                // Only the last sync has all of it before it, in the page cache.
                if index < calls.count - 1 { #expect(throws: ColumnFileError.self) { _ = try ColumnHarness.open(reference, on: later) } }
            }
        }
    }

    @Test func `a writer whose disk failed once writes no file afterwards`() throws {
        let disk = FaultyDisk()
        let writer = try ColumnFileWriter(disk: disk, kind: .segment, number: ColumnHarness.number, databaseID: ColumnHarness.databaseID)
        disk.plan(DiskFault(.error(EIO, isForever: false), at: 0, of: .write))
        writer.beginColumn(0, elementBytes: 1)
        #expect(throws: DiskError.self) { try writer.append([UInt8](repeating: 1, count: 2 << 20).rawSpan) }
        #expect(throws: DiskError.self) { try writer.append([UInt8](repeating: 1, count: 2 << 20).rawSpan) }
        writer.endColumn()
        #expect(throws: DiskError.self) { try writer.finish() }
    }

    @Test func `a sync that failed is not tried again`() throws {
        for index in 0..<2 {
            let disk = FaultyDisk()
            let writer = try ColumnFileWriter(disk: disk, kind: .segment, number: ColumnHarness.number, databaseID: ColumnHarness.databaseID)
            disk.plan(DiskFault(.error(EIO, isForever: false), at: index, of: .sync))
            for _ in 0..<2 { #expect(throws: DiskError.self) { try writer.finish() } }
            #expect(disk.calls.filter { $0 == .sync }.count == index + 1)
        }
    }

    @Test func `without power in between, a file is whole or does not open`() throws {
        let seed = TestSeed(51)
        var random = seed.random
        let (calls, reference) = try Self.run()
        var opened = 0
        var refused = 0
        for index in calls.indices {
            let disk = FaultyDisk()
            // The name may well be durable: another file's creation synced the directory.
            disk.plan(DiskFault(.powerCut, at: index))
            #expect(throws: DiskError.self) { try ColumnHarness.write(Self.columns, on: disk) }
            let data: [Crash.Data] = [
                .dropped, .kept, .torn(bytes: Int.random(in: 0...max(1, disk.unsyncedBytes), using: &random)),
                .scattered(seed: random.next()), .scattered(seed: random.next()),
            ]
            for crash in data.map({ Crash($0, names: .kept) }) {
                let file: ColumnFile
                do { file = try ColumnHarness.open(reference, on: disk.afterCrash(crash)) } catch {
                    refused += 1
                    continue
                }
                #expect(try ColumnHarness.read(file) == Self.columns, "call \(index), \(crash), \(seed)")
                #expect(index >= calls.count - 2, "call \(index), \(crash), \(seed)")
                opened += 1
            }
        }
        #expect(opened > 0 && refused > 0)
    }

    @Test func `a failing open or mapping is the disk's error`() throws {
        let disk = FaultyDisk()
        let reference = try ColumnHarness.write([], on: disk)
        for kind in [DiskCall.open, .map] {
            disk.plan(DiskFault(.error(EIO, isForever: false), at: 0, of: kind))
            let error = #expect(throws: ColumnFileError.self) { _ = try ColumnHarness.open(reference, on: disk) }
            guard case .disk(let reason) = error else {
                Issue.record("expected the disk's error, got \(error as Any)")
                return
            }
            #expect(reason.errno == EIO)
        }
    }

    /// The calls of a write without faults, and what came of it: the same every time.
    private static func run() throws -> (calls: [DiskCall], reference: FileReference) {
        let disk = FaultyDisk()
        let reference = try ColumnHarness.write(columns, on: disk)
        return (disk.calls, reference)
    }
}
