// Manifests whose power is cut, whose disk is full, and whose disk fails, at every call of a run.
#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif
import Memory
import Storage
import Testing
import TestSupport

@Suite struct ManifestCrashTests {
    /// How many calls the workload makes when all goes well, and which.
    private static let calls: [DiskCall] = {
        let disk = FaultyDisk()
        do {
            let known = try ManifestHarness.run(ManifestHarness.workload, on: disk)
            var expected = ManifestContents(databaseID: known.contents?.databaseID ?? 0)
            for edit in ManifestHarness.edits { expected = ManifestOracle.applying(edit, to: expected) }
            #expect(known.contents == expected)
        } catch { Issue.record("a run without faults failed: \(error)") }
        return disk.calls
    }()

    private static func withPowerCutAtEveryCall(
        _ steps: [ManifestStep], on makeDisk: () -> FaultyDisk = { FaultyDisk() }, knowing known: ManifestKnowledge = ManifestKnowledge(), seed: UInt64 = 1,
        _ body: (FaultyDisk, ManifestKnowledge, Int) throws -> Void
    ) throws {
        for index in 0..<1000 {
            let disk = makeDisk()
            disk.plan(DiskFault(.powerCut, at: index))
            let after = try ManifestHarness.run(steps, on: disk, seed: seed, knowing: known)
            try body(disk, after, index)
            if !disk.hasFailed { return }
        }
        Issue.record("the run never ended")
    }

    private static func someCrashes(of disk: FaultyDisk) -> [Crash] {
        let bytes = disk.unsyncedBytes
        guard bytes > 0 else { return [.clean, Crash(.dropped, names: .kept)] }
        return [
            .clean, Crash(.torn(bytes: bytes / 2), names: .kept), Crash(.scattered(seed: UInt64(bytes)), names: .kept),
            Crash(.kept, names: .dropped), Crash(.kept, names: .kept), Crash(.torn(bytes: max(0, bytes - 3)), names: .kept),
        ]
    }

    @Test func `the runs here outgrow files, rewrite them, and open several`() {
        // One file when it is made, one for each of two openings that are followed by edits, the rest because of growth.
        #expect(Self.calls.filter { $0 == .create }.count >= 4)
        #expect(Self.calls.filter { $0 == .remove }.count >= 3)
    }

    // MARK: Power

    @Test(arguments: Crash.Names.allCases)
    func `every acknowledged edit is found after the power is cut at any call and tears at any byte`(names: Crash.Names) throws {
        try Self.withPowerCutAtEveryCall(ManifestHarness.workload) { disk, known, index in
            for bytes in stride(from: 0, through: disk.unsyncedBytes, by: names == .kept ? 1 : 5) {
                let crash = Crash(.torn(bytes: bytes), names: names)
                try ManifestHarness.check(disk.afterCrash(crash), knowing: known, "call \(index), \(crash)")
            }
            let dropped = Crash(.dropped, names: names)
            try ManifestHarness.check(disk.afterCrash(dropped), knowing: known, "call \(index), \(dropped)")
        }
    }

    @Test func `every acknowledged edit is found after unsynced writes took effect in any order`() throws {
        let seed = TestSeed(21)
        try Self.withPowerCutAtEveryCall(ManifestHarness.workload) { disk, known, index in
            for number in 0..<8 as Range<UInt64> {
                let crash = Crash(.scattered(seed: seed.value &+ number), names: number % 2 == 0 ? .kept : .dropped)
                try ManifestHarness.check(disk.afterCrash(crash), knowing: known, "call \(index), \(crash), \(seed)")
            }
        }
    }

    @Test func `the power may be cut again at any call of the opening and of what follows it`() throws {
        let second: [ManifestStep] = [.edit(.startLogFile(20)), .edit(.startLogFile(21)), .edit(.startLogFile(22))]
        try Self.withPowerCutAtEveryCall(Array(ManifestHarness.workload.prefix(6))) { disk, known, index in
            for crash in Self.someCrashes(of: disk) {
                try Self.withPowerCutAtEveryCall(second, on: { disk.afterCrash(crash) }, knowing: known, seed: 7) { again, after, secondIndex in
                    for secondCrash in Self.someCrashes(of: again).prefix(3) {
                        try ManifestHarness.check(
                            again.afterCrash(secondCrash), knowing: after, "call \(index), \(crash), then call \(secondIndex), \(secondCrash)")
                    }
                }
            }
        }
    }

    @Test func `opening again and again comes to the same file and writes nothing else`() throws {
        try Self.withPowerCutAtEveryCall(ManifestHarness.workload) { disk, known, index in
            for crash in Self.someCrashes(of: disk) {
                let crashed = disk.afterCrash(crash)
                let found = try ManifestHarness.open(crashed, seed: 3).contents
                let files = crashed.names.map { crashed[$0] }
                for seed in 4..<6 as Range<UInt64> {
                    #expect(try ManifestHarness.open(crashed, seed: seed).contents == found, "call \(index), \(crash)")
                    #expect(crashed.names.map { crashed[$0] } == files, "call \(index), \(crash)")
                }
            }
        }
    }

    @Test func `what was found once stays found, though the power is cut then`() throws {
        for index in Self.calls.indices {
            for effect in [.powerCut, .error(EIO, isForever: true)] as [DiskFault.Effect] {
                let disk = FaultyDisk()
                disk.plan(DiskFault(effect, at: index))
                let known = try ManifestHarness.run(ManifestHarness.workload, on: disk)
                let restarted = disk.afterRestart()
                let found = try ManifestHarness.open(restarted, seed: 5).contents
                #expect(known.allows(found), "call \(index)")
                #expect(try ManifestHarness.open(restarted.afterCrash(.clean), seed: 6).contents == found, "call \(index), \(effect)")
            }
        }
    }

    // MARK: A failing disk

    @Test(arguments: [true, false])
    func `a disk that fails at any call loses no acknowledged edit`(isForever: Bool) throws {
        for index in Self.calls.indices {
            let disk = FaultyDisk()
            disk.plan(DiskFault(.error(EIO, isForever: isForever), at: index))
            let known = try ManifestHarness.run(ManifestHarness.workload, on: disk)
            #expect(disk.hasFailed)
            try ManifestHarness.check(disk.afterRestart(), knowing: known, "call \(index), restarted")
            for crash in Self.someCrashes(of: disk) {
                try ManifestHarness.check(disk.afterCrash(crash), knowing: known, "call \(index), \(crash)")
            }
        }
    }

    @Test(arguments: [EIO, ENOSPC])
    func `after a failed sync every append is refused until the process ends`(code: Int32) throws {
        // Full disks are a matter of the file at hand here: a new one that has no header yet is given up.
        for index in 0..<20 {
            let disk = FaultyDisk()
            let manifest = try ManifestHarness.open(disk, code == EIO ? ManifestHarness.smallFiles : ManifestHarness.oneFile)
            disk.plan(DiskFault(.error(code, isForever: false), at: index, of: .sync))
            var number: UInt64 = 0
            while !disk.hasFailed {
                number += 1
                do throws(LogError) { try manifest.append(.startLogFile(number)) } catch { #expect(disk.hasFailed, "\(error)") }
            }
            for _ in 0..<2 {
                let error = #expect(throws: LogError.self) { try manifest.append(.startLogFile(number + 1)) }
                guard case .stopped(let reason) = error else {
                    Issue.record("sync \(index): expected .stopped, got \(error as Any)")
                    return
                }
                #expect(reason.errno == code)
            }
        }
    }

    @Test func `a disk that fails while a manifest is opened says so, and opening can be repeated`() throws {
        let disk = FaultyDisk()
        let known = try ManifestHarness.run(ManifestHarness.workload, on: disk)
        disk["manifest-00000000000000ff"] = [1, 2, 3]
        for index in 0..<100 {
            let restarted = disk.afterRestart()
            restarted.plan(DiskFault(.error(EIO, isForever: false), at: index))
            do throws(LogError) {
                _ = try ManifestHarness.open(restarted)
                #expect(!restarted.hasFailed)
                return
            } catch {
                guard case .disk = error else {
                    Issue.record("call \(index): expected a disk error, got \(error)")
                    return
                }
            }
            restarted.plan(nil)
            #expect(try ManifestHarness.open(restarted).contents == known.contents)
        }
    }

    // MARK: A full disk

    /// Runs the workload; frees space whenever a call was refused for want of it, and tries the same again.
    private static func runFreeingSpace(on disk: FaultyDisk) throws -> (known: ManifestKnowledge, refusals: Int, hasStopped: Bool) {
        var known = ManifestKnowledge()
        var refusals = 0
        func freeingSpace<T>(_ body: () throws(LogError) -> T) throws(LogError) -> T {
            do { return try body() } catch {
                guard case .disk(let reason) = error, reason.isFull else { throw error }
                refusals += 1
                disk.plan(nil)
                return try body()
            }
        }
        do throws(LogError) {
            var manifest = try freeingSpace { () throws(LogError) in try ManifestHarness.open(disk, ManifestHarness.smallFiles) }
            known.contents = manifest.contents
            for step in ManifestHarness.workload {
                switch step {
                case .open:
                    manifest = try freeingSpace { () throws(LogError) in try ManifestHarness.open(disk, ManifestHarness.smallFiles, seed: 9) }
                    #expect(manifest.contents == known.contents, "nothing of a refused edit is found")
                case .edit(let edit):
                    try freeingSpace { () throws(LogError) in try ManifestHarness.append(edit, to: manifest, &known) }
                    known.inDoubt = nil
                }
            }
        } catch {
            if case .corruption(let corruption) = error { throw corruption }
            return (known, refusals, true)
        }
        return (known, refusals, false)
    }

    @Test(arguments: [true, false])
    func `a disk full at any call refuses an edit whole, and the manifest goes on once there is space`(isForever: Bool) throws {
        var refusals = 0
        for index in Self.calls.indices {
            let disk = FaultyDisk()
            disk.plan(DiskFault(.error(ENOSPC, isForever: isForever), at: index))
            let run = try Self.runFreeingSpace(on: disk)
            refusals += run.refusals
            if run.hasStopped { #expect([.write, .sync].contains(Self.calls[index]), "call \(index), \(Self.calls[index])") }
            try ManifestHarness.check(disk.afterRestart(), knowing: run.known, "call \(index)")
            for crash in Self.someCrashes(of: disk) {
                try ManifestHarness.check(disk.afterCrash(crash), knowing: run.known, "call \(index), \(crash)")
            }
        }
        #expect(refusals > Self.calls.count / 4)
    }

    @Test func `a disk that stays full collects no half-made manifests, while it runs or when it opens`() throws {
        // Of a new file the header is written first, then space for its contents is taken.
        for index in 0..<3 {
            let disk = FaultyDisk()
            _ = try ManifestHarness.run(Array(ManifestHarness.workload.prefix(3)), on: disk)
            let manifest = try ManifestHarness.open(disk)
            let names = disk.names
            disk.plan(DiskFault(.error(ENOSPC, isForever: true), at: index, of: .write))
            for _ in 0..<4 {
                let error = #expect(throws: LogError.self) { try manifest.append(.startLogFile(40)) }
                // With the space taken, a write that fails all the same says that the disk is not what it seems.
                guard index < 2 else { break }
                #expect(disk.names == names)
                guard case .disk(let reason) = error, reason.isFull else {
                    Issue.record("write \(index): expected a full disk, got \(error as Any)")
                    return
                }
            }
            disk.plan(nil)
            if index < 2 { try manifest.append(.startLogFile(40)) }
            let restarted = disk.afterRestart()
            #expect(try ManifestHarness.open(restarted, seed: 9).contents.logFiles.last == (index < 2 ? 40 : 1))
            #expect(ManifestHarness.manifestNames(restarted).count == 1)
        }
    }

    @Test func `a disk too full for a new file may have room for an edit in the old one`() throws {
        // Creation is what fails, for ever; the file at hand has space that was taken before.
        let disk = FaultyDisk()
        let manifest = try ManifestHarness.open(disk, ManifestFileSizes(editBytesMax: 100, zeroedStep: 4096))
        var known = ManifestKnowledge(contents: manifest.contents)
        disk.plan(DiskFault(.error(ENOSPC, isForever: true), at: 0, of: .create))
        for number in 1...30 as ClosedRange<UInt64> { try ManifestHarness.append(.startLogFile(number), to: manifest, &known) }
        #expect(disk.hasFailed)
        #expect(ManifestHarness.manifestNames(disk) == ["manifest-0000000000000001"])
        disk.plan(nil)
        try ManifestHarness.append(.startLogFile(31), to: manifest, &known)
        #expect(ManifestHarness.manifestNames(disk).count == 1 && disk["manifest-0000000000000001"] == nil)
        #expect(try ManifestHarness.open(disk.afterCrash(.clean)).contents == known.contents)
    }
}
