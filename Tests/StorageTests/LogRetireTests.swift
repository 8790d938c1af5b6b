// A log that is cut short at its beginning, and the stretches of it that snapshots keep.
#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif
import Memory
import Storage
import Testing
import TestSupport

@Suite struct LogRetireTests {
    /// A log of one file for each of these groups.
    private static func fileForEach(_ groups: [[LogEntry]], on disk: FaultyDisk) throws -> OpenedLog {
        let opened = try LogHarness.openDatabase(disk)
        for group in groups {
            _ = try opened.log.append(group)
            try opened.log.rotate()
        }
        return opened
    }

    private static let groups = (0..<4 as Range<UInt8>).map { number in (0...number).map { LogHarness.entry(10 * number + $0 + 1, 5) } }

    @Test func `rotating ends the file at hand, and a file without records is never begun`() throws {
        let disk = FaultyDisk()
        let (log, _) = try LogHarness.open(disk)
        for _ in 0..<3 { try log.rotate() }
        #expect(log.files == [])
        _ = try log.append([LogHarness.entry(1, 5)])
        for _ in 0..<3 { try log.rotate() }
        _ = try log.append([LogHarness.entry(2, 5)])
        _ = try log.append([LogHarness.entry(3, 5)])
        #expect(log.files == [1, 2])
        #expect(LogHarness.logNames(disk) == ["log-0000000000000001", "log-0000000000000002"])
        // A header of 64 bytes, a record of 40, its mark of 32.
        #expect(disk["log-0000000000000001"]?.count == 64 + 40 + 32)
        #expect(try LogHarness.open(disk).records.map(\.type) == [1, 2, 3])
    }

    @Test func `a checkpoint needs the files with later records, and no others`() throws {
        let disk = FaultyDisk()
        let opened = try Self.fileForEach(Self.groups, on: disk)
        // The files end at sequences 1, 3, 6 and 10.
        let ends: [UInt64] = [1, 3, 6, 10]
        for sequence in 0...10 as ClosedRange<UInt64> {
            let needed = ends.indices.filter { ends[$0] > sequence }.map { UInt64($0 + 1) }
            #expect(opened.log.filesNeeded(after: sequence) == needed, "\(sequence)")
            #expect(try LogHarness.open(disk.afterRestart()).log.filesNeeded(after: sequence) == needed, "\(sequence), opened")
        }
        // The file at hand is needed whatever is covered.
        _ = try opened.log.append([LogHarness.entry(99, 1)])
        #expect(opened.log.filesNeeded(after: 11) == [5])
        #expect(opened.log.filesNeeded(after: 6) == [4, 5])
    }

    @Test func `what is retired is known no more, and the log goes on from there`() throws {
        let disk = FaultyDisk()
        let opened = try Self.fileForEach(Self.groups, on: disk)
        try opened.checkpoint(behind: 5, isRotating: true)
        #expect(opened.log.files == [3, 4])
        #expect(LogHarness.logNames(disk).count == 2)
        try opened.checkpoint(behind: 0, isRotating: true)
        #expect(opened.log.files == [] && LogHarness.logNames(disk) == [])
        #expect(try opened.log.append([LogHarness.entry(50, 3)]) == 11)
        let again = try LogHarness.openDatabase(disk.afterCrash(.clean))
        #expect(again.records.map(\.sequence) == [11])
        // Numbers rise though no file was left to tell.
        #expect(again.log.files == [5])
    }

    @Test func `a number is not used again after all files are gone and the process with them`() throws {
        let disk = FaultyDisk()
        let opened = try Self.fileForEach(Self.groups, on: disk)
        try opened.checkpoint(behind: 0, isRotating: true)
        let again = try LogHarness.openDatabase(disk.afterRestart())
        #expect(again.log.nextSequence == 11 && again.records == [])
        _ = try again.log.append([LogHarness.entry(50, 3)])
        #expect(again.log.files == [5])
    }

    @Test func `the running count is of what an open would replay`() throws {
        let disk = FaultyDisk()
        let opened = try LogHarness.openDatabase(disk)
        #expect(opened.log.bytesAppended == 0)
        _ = try opened.log.append([LogHarness.entry(1, 5), LogHarness.entry(2, 9)])
        #expect(opened.log.bytesAppended == 40 + 48)
        _ = try opened.log.append([LogHarness.entry(3, 0)])
        #expect(opened.log.bytesAppended == 40 + 48 + 32)
        #expect(try LogHarness.open(disk.afterRestart()).log.bytesAppended == 40 + 48 + 32)
        try opened.checkpoint(behind: 1, isRotating: false)
        #expect(try LogHarness.open(disk.afterRestart()).log.bytesAppended == 32)
    }

    @Test func `files copied as far as their extent are the whole log`() throws {
        let disk = FaultyDisk()
        let opened = try LogHarness.openDatabase(disk, LogHarness.smallFiles)
        var count = 0
        for step in LogHarness.workload {
            guard case .append(let group) = step else { continue }
            _ = try opened.log.append(group)
            count += group.count
            // Now, and as a process sees it that opens the same files.
            for log in [opened.log, try LogHarness.open(disk.afterRestart()).log] {
                let copy = FaultyDisk()
                let extents = log.extent
                #expect(extents.map(\.number) == log.files)
                for extent in extents {
                    let name = FileKind.log.name(extent.number)
                    copy[name] = Array(try #require(disk[name]).prefix(Int(extent.byteCount)))
                    #expect(copy[name]?.count == Int(extent.byteCount))
                }
                var contents = opened.manifest.contents
                contents.logFiles = extents.map(\.number)
                let manifest = Manifest.encode(contents, salt: 1)
                copy[manifest.name] = manifest.bytes
                let copied = try LogHarness.openDatabase(copy)
                #expect(copied.records == Array(LogHarness.records(of: LogHarness.workload).prefix(count)))
                #expect(copied.log.extent == extents)
            }
        }
    }

    @Test func `an extent ends before a torn tail, and after a group that did not fail`() throws {
        let disk = FaultyDisk()
        let opened = try LogHarness.openDatabase(disk)
        _ = try opened.log.append([LogHarness.entry(1, 5)])
        let before = opened.log.extent
        #expect(before == [LogFileExtent(number: 1, byteCount: 64 + 40)])
        disk.plan(DiskFault(.powerCut, at: 0, of: .sync))
        #expect(throws: LogError.self) { _ = try opened.log.append([LogHarness.entry(2, 50)]) }
        #expect(opened.log.extent == before)
        let crashed = disk.afterCrash(Crash(.torn(bytes: disk.unsyncedBytes - 9), names: .kept))
        #expect(try LogHarness.open(crashed).log.extent == before)
    }

    // MARK: Naming new files

    @Test func `a new file is named once its header is durable, and before it has a record`() throws {
        let disk = FaultyDisk()
        var random = SeededRandom(seed: 4)
        var headers: [[UInt8]?] = []
        let log = try Log(
            disk: disk, files: [], after: 41, databaseID: 9, nextFileNumber: 6, randomness: { random.next() },
            willStart: { (number) throws(LogError) in headers.append(disk.afterCrash(.clean)[FileKind.log.name(number)]) },
            apply: { (_, _, _) throws(Corruption) in })
        #expect(headers.isEmpty)
        #expect(try log.append([LogHarness.entry(1, 1)]) == 42)
        _ = try log.append([LogHarness.entry(2, 1)])
        #expect(headers == [Array(try #require(disk["log-0000000000000006"]).prefix(64))])
    }

    @Test func `where a file cannot be named nothing is written, and after a full disk the next append tries again`() throws {
        let disk = FaultyDisk()
        let full = DiskError(operation: "write", path: "manifest", errno: ENOSPC, reason: "injected")
        var failures = [LogError.disk(full), .disk(full)]
        let log = try Log(
            disk: disk, files: [], after: 0, databaseID: 9, randomness: { 1 },
            willStart: { (_) throws(LogError) in if let failure = failures.popLast() { throw failure } }, apply: { (_, _, _) throws(Corruption) in })
        for _ in 0..<2 {
            let error = #expect(throws: LogError.self) { _ = try log.append([LogHarness.entry(1, 1)]) }
            guard case .disk(let reason) = error, reason.isFull else {
                Issue.record("expected a full disk, got \(error as Any)")
                return
            }
            #expect(disk.names == [] && log.files == [])
        }
        #expect(try log.append([LogHarness.entry(2, 1)]) == 1)
        #expect(log.files == [3])
    }

    @Test func `where it is unknown whether a file is named it stays, without a record, and writing stops`() throws {
        let failing = DiskError(operation: "sync", path: "manifest", errno: EIO, reason: "injected")
        for failure in [LogError.outcomeUnknown(failing), .stopped(failing), .disk(failing)] {
            let disk = FaultyDisk()
            let log = try Log(
                disk: disk, files: [], after: 0, databaseID: 9, randomness: { 1 }, willStart: { (_) throws(LogError) in throw failure },
                apply: { (_, _, _) throws(Corruption) in })
            #expect(throws: LogError.self) { _ = try log.append([LogHarness.entry(1, 1)]) }
            #expect(disk["log-0000000000000001"]?.count == 64)
            let error = #expect(throws: LogError.self) { _ = try log.append([LogHarness.entry(1, 1)]) }
            guard case .stopped = error else {
                Issue.record("expected .stopped, got \(error as Any)")
                return
            }
            // Named after all, it opens as a log without records.
            let records = try Log(
                disk: disk.afterCrash(.clean), files: [1], after: 0, databaseID: 9, randomness: { 1 }, willStart: { (_) throws(LogError) in },
                apply: { (_, _, _) throws(Corruption) in })
            #expect(records.nextSequence == 1)
        }
    }
}
