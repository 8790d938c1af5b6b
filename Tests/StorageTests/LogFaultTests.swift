// The log on a disk that is full or failing: every call of a run fails in turn, once and for ever.
#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif
import Memory
import Storage
import Testing
import TestSupport

@Suite struct LogFaultTests {
    private static let sizes = LogHarness.smallFiles

    /// How many calls the workload makes when all goes well, and which.
    private static let calls: [DiskCall] = {
        let disk = FaultyDisk()
        do {
            let known = try LogHarness.run(LogHarness.workload, on: disk, sizes: sizes)
            #expect(known.acknowledged == LogHarness.records(of: LogHarness.workload))
        } catch { Issue.record("a run without faults failed: \(error)") }
        return disk.calls
    }()

    // MARK: A full disk

    /// What came of a workload whose disk was full for a while.
    private struct FullDiskRun {
        var known = LogKnowledge()
        var refusals = 0
        var hasStopped = false
    }

    /// Runs the workload; frees space whenever a call was refused for want of it, and tries the same again.
    private static func runFreeingSpace(on disk: FaultyDisk) throws(LogError) -> FullDiskRun {
        var run = FullDiskRun()
        var opened = try openedFreeingSpace(disk, &run)
        for step in LogHarness.workload {
            let log = opened.log
            switch step {
            case .closeAndOpen:
                try freeingSpace(disk, &run) { () throws(LogError) in try log.close() }
                opened = try openedFreeingSpace(disk, &run)
            case .checkpoint(let behind, let isRotating):
                try freeingSpace(disk, &run) { () throws(LogError) in try opened.checkpoint(behind: behind, isRotating: isRotating) }
            case .append(let group):
                let records = group.enumerated().map { LoggedRecord(sequence: log.nextSequence + UInt64($0), type: $1.type, payload: $1.payload) }
                do throws(LogError) {
                    try freeingSpace(disk, &run) { () throws(LogError) in _ = try log.append(group) }
                } catch {
                    run.hasStopped = true
                    if case .outcomeUnknown = error { run.known.inDoubt = records }
                    return run
                }
                run.known.acknowledged += records
            }
        }
        return run
    }

    private static func openedFreeingSpace(_ disk: FaultyDisk, _ run: inout FullDiskRun) throws(LogError) -> OpenedLog {
        let known = run.known
        return try freeingSpace(disk, &run) { () throws(LogError) -> OpenedLog in
            let opened = try LogHarness.openDatabase(disk, sizes)
            #expect(known.completing(opened) == known.acknowledged, "nothing of a refused group is found")
            return opened
        }
    }

    private static func freeingSpace<T>(_ disk: FaultyDisk, _ run: inout FullDiskRun, _ body: () throws(LogError) -> T) throws(LogError) -> T {
        do { return try body() } catch {
            guard case .disk(let reason) = error, reason.isFull else { throw error }
            run.refusals += 1
            disk.plan(nil)
            return try body()
        }
    }

    @Test(arguments: [true, false])
    func `a disk full at any call refuses a group whole, and the log goes on once there is space`(isForever: Bool) throws {
        var refusals = 0
        for index in Self.calls.indices {
            let disk = FaultyDisk()
            disk.plan(DiskFault(.error(ENOSPC, isForever: isForever), at: index))
            let run = try Self.runFreeingSpace(on: disk)
            refusals += run.refusals
            // Only a group that was being written over zeros, or synced, can be in doubt; then writing stops.
            if run.hasStopped { #expect([.write, .sync].contains(Self.calls[index]), "call \(index)") }
            if !run.hasStopped { #expect(run.known.acknowledged == LogHarness.records(of: LogHarness.workload), "call \(index)") }
            try LogHarness.check(disk.afterRestart(), knowing: run.known, sizes: Self.sizes, "call \(index)")
            try LogHarness.check(disk.afterCrash(.clean), knowing: run.known, sizes: Self.sizes, "call \(index)")
        }
        #expect(refusals > Self.calls.count / 4)
    }

    @Test func `a disk that stays full collects no half-made files`() throws {
        for kind in [.write, .sync, .syncDirectory] as [DiskCall] {
            let disk = FaultyDisk()
            let (log, _) = try LogHarness.open(disk)
            disk.plan(DiskFault(.error(ENOSPC, isForever: true), at: 0, of: kind))
            for _ in 0..<5 {
                let error = #expect(throws: LogError.self) { _ = try log.append([LogHarness.entry(1, 1)]) }
                guard case .disk(let reason) = error, reason.isFull else {
                    Issue.record("\(kind): expected a full disk, got \(error as Any)")
                    return
                }
            }
            #expect(LogHarness.logNames(disk) == [], "\(kind)")
            disk.plan(nil)
            #expect(try log.append([LogHarness.entry(2, 1)]) == 1)
            #expect(try LogHarness.open(disk).records.map(\.type) == [2])
        }
    }

    @Test func `a disk too full for the mark behind a group does not stop the log`() throws {
        let disk = FaultyDisk()
        let (log, _) = try LogHarness.open(disk, LogFileSizes(target: 1 << 20, zeroedStep: 4096))
        _ = try log.append([LogHarness.entry(1, 1)])
        // The group is one write, the mark behind it the next.
        disk.plan(DiskFault(.error(ENOSPC, isForever: false), at: 1, of: .write))
        _ = try log.append([LogHarness.entry(2, 1)])
        #expect(disk.hasFailed)
        _ = try log.append([LogHarness.entry(3, 1)])
        #expect(try LogHarness.open(disk.afterCrash(.clean)).records.map(\.type) == [1, 2, 3])
    }

    // MARK: A failing disk

    @Test(arguments: [true, false])
    func `a disk that fails at any call loses nothing acknowledged and stops the log`(isForever: Bool) throws {
        for index in Self.calls.indices {
            let disk = FaultyDisk()
            disk.plan(DiskFault(.error(EIO, isForever: isForever), at: index))
            let known = try LogHarness.run(LogHarness.workload, on: disk, sizes: Self.sizes)
            #expect(disk.hasFailed)
            try LogHarness.check(disk.afterRestart(), knowing: known, sizes: Self.sizes, "call \(index), restarted")
            for crash in [.clean, Crash(.dropped, names: .kept), Crash(.kept, names: .kept), Crash(.torn(bytes: disk.unsyncedBytes / 2), names: .kept)] {
                try LogHarness.check(disk.afterCrash(crash), knowing: known, sizes: Self.sizes, "call \(index), \(crash)")
            }
        }
    }

    @Test func `after any failure but a full disk every append is refused until the process ends`() throws {
        let appendCalls = try Self.callsOfTwoAppends()
        for index in appendCalls.indices {
            let disk = FaultyDisk()
            let log = try LogHarness.openAlone(disk)
            disk.plan(DiskFault(.error(EIO, isForever: false), at: index))
            for type in [1, 2] as [UInt8] {
                do throws(LogError) { _ = try log.append([LogHarness.entry(type, 4)]) } catch { #expect(disk.hasFailed, "\(error)") }
            }
            #expect(disk.hasFailed)
            for _ in 0..<2 {
                let error = #expect(throws: LogError.self) { _ = try log.append([LogHarness.entry(3, 4)]) }
                guard case .stopped(let reason) = error else {
                    Issue.record("call \(index), \(appendCalls[index]): expected .stopped, got \(error as Any)")
                    return
                }
                #expect(reason.errno == EIO)
            }
        }
    }

    private static func callsOfTwoAppends() throws -> [DiskCall] {
        let disk = FaultyDisk()
        let log = try LogHarness.openAlone(disk)
        disk.plan(nil)
        for type in [1, 2] as [UInt8] { _ = try log.append([LogHarness.entry(type, 4)]) }
        // The mark of the second append is heard of by a third.
        return disk.calls
    }

    @Test func `a group whose sync failed is found whole, in part, or not at all`() throws {
        let group = [LogHarness.entry(2, 9), LogHarness.entry(3, 0), LogHarness.entry(4, 30)]
        for unsynced in 0...400 {
            let disk = FaultyDisk()
            let (log, _) = try LogHarness.open(disk)
            _ = try log.append([LogHarness.entry(1, 1)])
            disk.plan(DiskFault(.error(EIO, isForever: false), at: 0, of: .sync))
            let error = #expect(throws: LogError.self) { _ = try log.append(group) }
            guard case .outcomeUnknown = error else {
                Issue.record("expected an unknown outcome, got \(error as Any)")
                return
            }
            guard unsynced <= disk.unsyncedBytes else { break }
            let found = try LogHarness.open(disk.afterCrash(Crash(.torn(bytes: unsynced), names: .kept))).records
            #expect(found.map(\.type) == Array([1, 2, 3, 4].prefix(found.count)))
            #expect(found.count >= 1)
        }
    }

    @Test func `what an open found of a group whose sync failed stays found`() throws {
        // After a failed sync Linux calls the lost pages clean: a restarted process reads them, and syncing again
        // does nothing. Records built upon them would hang in the air at the next power cut; recovery writes
        // again what nothing proves to be on the device.
        let disk = FaultyDisk()
        let (log, _) = try LogHarness.open(disk)
        _ = try log.append([LogHarness.entry(1, 1)])
        disk.plan(DiskFault(.error(EIO, isForever: false), at: 0, of: .sync))
        #expect(throws: LogError.self) { _ = try log.append([LogHarness.entry(2, 9), LogHarness.entry(3, 70)]) }
        let restarted = disk.afterRestart()
        let (second, found) = try LogHarness.open(restarted, seed: 2)
        #expect(found.map(\.type) == [1, 2, 3])
        _ = try second.append([LogHarness.entry(4, 1)])
        #expect(try LogHarness.open(restarted.afterCrash(.clean)).records.map(\.type) == [1, 2, 3, 4])
    }

    @Test func `what a killed process had written is safe once it has been read`() throws {
        // The last group and its mark: written, not synced, and the process gone.
        for index in Self.calls.indices {
            let disk = FaultyDisk()
            disk.plan(DiskFault(.powerCut, at: index))
            let known = try LogHarness.run(LogHarness.workload, on: disk, sizes: Self.sizes)
            let restarted = disk.afterRestart()
            let found = try LogHarness.open(restarted, Self.sizes, seed: 5).records
            #expect(known.allows(found), "call \(index)")
            #expect(try LogHarness.open(restarted.afterCrash(.clean), Self.sizes, seed: 6).records == found, "call \(index)")
        }
    }

    @Test func `an open that fails can be repeated`() throws {
        let disk = FaultyDisk()
        let known = try LogHarness.run(LogHarness.workload, on: disk, sizes: Self.sizes)
        disk["log-00000000000000ff"] = [1, 2, 3]
        disk.plan(nil)
        _ = try LogHarness.open(disk.afterRestart(), Self.sizes)
        for index in 0..<100 {
            let restarted = disk.afterRestart()
            restarted.plan(DiskFault(.error(EIO, isForever: false), at: index))
            do throws(LogError) {
                _ = try LogHarness.open(restarted, Self.sizes)
                #expect(!restarted.hasFailed, "an open that meets an error says so")
                break
            } catch {
                guard case .disk(let reason) = error else {
                    Issue.record("call \(index): expected a disk error, got \(error)")
                    return
                }
                #expect(reason.errno == EIO)
            }
            restarted.plan(nil)
            #expect(try LogHarness.open(restarted, Self.sizes).records == known.acknowledged)
        }
    }
}
