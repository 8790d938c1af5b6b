// The power cut at every call of a run, with everything that the device may have made of the unsynced.
import Memory
import Storage
import Testing
import TestSupport

@Suite struct LogCrashTests {
    private static let sizes = LogHarness.smallFiles

    /// Runs `steps` with the power cut at the n-th call, for each n until the run meets no cut.
    private static func withPowerCutAtEveryCall(
        _ steps: [LogStep], on makeDisk: () -> FaultyDisk = { FaultyDisk() }, knowing known: LogKnowledge = LogKnowledge(), seed: UInt64 = 1,
        _ body: (FaultyDisk, LogKnowledge, Int) throws -> Void
    ) throws {
        for index in 0..<1000 {
            let disk = makeDisk()
            disk.plan(DiskFault(.powerCut, at: index))
            let after = try LogHarness.run(steps, on: disk, sizes: sizes, seed: seed, knowing: known)
            try body(disk, after, index)
            if !disk.hasFailed { return }
        }
        Issue.record("the run never ended")
    }

    enum Workload: CaseIterable {
        case plain, checkpointed
        var steps: [LogStep] { self == .plain ? LogHarness.workload : LogHarness.checkpointedWorkload }
    }

    @Test(arguments: Crash.Names.allCases, Workload.allCases)
    func `all that was acknowledged is found after the power is cut at any call and tears at any byte`(names: Crash.Names, workload: Workload) throws {
        try Self.withPowerCutAtEveryCall(workload.steps) { disk, known, index in
            for bytes in stride(from: 0, through: disk.unsyncedBytes, by: workload == .plain && names == .kept ? 1 : 7) {
                let crash = Crash(.torn(bytes: bytes), names: names)
                try LogHarness.check(disk.afterCrash(crash), knowing: known, sizes: Self.sizes, "call \(index), \(crash)")
            }
            let dropped = Crash(.dropped, names: names)
            try LogHarness.check(disk.afterCrash(dropped), knowing: known, sizes: Self.sizes, "call \(index), \(dropped)")
        }
    }

    @Test(arguments: Workload.allCases)
    func `all that was acknowledged is found after unsynced writes took effect in any order`(workload: Workload) throws {
        let seed = TestSeed(14)
        try Self.withPowerCutAtEveryCall(workload.steps) { disk, known, index in
            for number in 0..<12 as Range<UInt64> {
                let crash = Crash(.scattered(seed: seed.value &+ number), names: number % 2 == 0 ? .kept : .dropped)
                try LogHarness.check(disk.afterCrash(crash), knowing: known, sizes: Self.sizes, "call \(index), \(crash), \(seed)")
            }
        }
    }

    @Test func `the power may be cut again at any call of the recovery and of what follows it`() throws {
        let first: [LogStep] = [.append([LogHarness.entry(1, 5)]), .append([LogHarness.entry(2, 40), LogHarness.entry(3, 0), LogHarness.entry(4, 9)])]
        let second: [LogStep] = [.append([LogHarness.entry(5, 1), LogHarness.entry(6, 20)])]
        try Self.withPowerCutAtEveryCall(first) { disk, known, index in
            for crash in Self.someCrashes(of: disk) {
                try Self.withPowerCutAtEveryCall(second, on: { disk.afterCrash(crash) }, knowing: known, seed: 7) { again, after, secondIndex in
                    for secondCrash in Self.someCrashes(of: again).prefix(3) {
                        try LogHarness.check(
                            again.afterCrash(secondCrash), knowing: after, sizes: Self.sizes,
                            "call \(index), \(crash), then call \(secondIndex), \(secondCrash)")
                    }
                }
            }
        }
    }

    private static func someCrashes(of disk: FaultyDisk) -> [Crash] {
        let bytes = disk.unsyncedBytes
        guard bytes > 0 else { return [.clean, Crash(.dropped, names: .kept)] }
        return [
            .clean, Crash(.torn(bytes: bytes / 2), names: .kept), Crash(.scattered(seed: UInt64(bytes)), names: .kept),
            Crash(.kept, names: .kept), Crash(.dropped, names: .kept), Crash(.torn(bytes: max(0, bytes - 3)), names: .kept),
        ]
    }

    @Test(arguments: Workload.allCases)
    func `recovery writes nothing new: opening a crashed log again and again leaves it as it is`(workload: Workload) throws {
        try Self.withPowerCutAtEveryCall(workload.steps) { disk, known, index in
            let crashed = disk.afterCrash(Crash(.torn(bytes: disk.unsyncedBytes / 2), names: .kept))
            let opened = try LogHarness.openDatabase(crashed, Self.sizes)
            let found = opened.records
            #expect(known.allows(known.completing(opened)))
            let files = crashed.names.map { crashed[$0] }
            for seed in 2..<5 as Range<UInt64> {
                #expect(try LogHarness.open(crashed, Self.sizes, seed: seed).records == found, "call \(index)")
                #expect(crashed.names.map { crashed[$0] } == files, "call \(index)")
            }
        }
    }

    @Test func `a torn tail, a new file, and an open find all but the tail`() throws {
        let disk = FaultyDisk()
        let (log, _) = try LogHarness.open(disk)
        _ = try log.append([LogHarness.entry(1, 5)])
        disk.plan(DiskFault(.powerCut, at: 0, of: .sync))
        #expect(throws: LogError.self) { _ = try log.append([LogHarness.entry(2, 30), LogHarness.entry(3, 30)]) }
        // Enough for the first record of the group and a part of the second.
        let crashed = disk.afterCrash(Crash(.torn(bytes: disk.unsyncedBytes - 40), names: .kept))
        let (second, found) = try LogHarness.open(crashed, seed: 2)
        #expect(found.map(\.type) == [1, 2])
        #expect(try second.append([LogHarness.entry(4, 1)]) == 3)
        #expect(LogHarness.logNames(crashed).count == 2)
        #expect(try LogHarness.open(crashed.afterCrash(.clean)).records.map(\.type) == [1, 2, 4])
    }
}
