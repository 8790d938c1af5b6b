// Real power cuts under a load: whatever the kernel had not put on the disk is gone, and nothing acknowledged with it.
import Testing
import TestSupport
#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

@Suite(.enabled(if: CuttableFileSystem.isPossible, "mounting ext4 on a loop device takes root"), .serialized)
struct PowerCutTests {
    @Test func `power cuts on a growing database lose nothing acknowledged, bring nothing back and leave nothing half done`() throws {
        let cycles = TestCycles("NEEDLETAIL_POWER_CYCLES", otherwise: 20)
        let seed = TestSeed(81)
        var random = seed.random
        let tally = try InterruptedLoad.run(cycles, "power cuts, \(seed)", lanes: 2, start: Self.start) { load, disk, comment in
            try load.run(steps: Int.random(in: 0...150, using: &random), &random)
            try load.fill(&random)
            try Self.cut(disk, &load, &random)
            // Every few rounds the start that follows ends in the dark as well.
            if random.oneIn(4) {
                try DaemonProcess.startAndKill(
                    data: load.served.path, afterMicroseconds: UInt32.random(in: 0...150_000, using: &random), first: disk.cutPower)
                try disk.restorePower()
            }
            try load.restartAndCheck(comment, diskFailed: true)
        }
        #expect(tally.metALoad, "the cuts met a load: \(tally)")
    }

    @Test func `a power cut in a database's first moments leaves one that opens`() throws {
        let seed = TestSeed(82)
        var random = seed.random
        for round in 0..<4 {
            let disk = try CuttableFileSystem(megabytes: 64)
            let path = disk.file("db")
            try DaemonProcess.startAndKill(data: path, afterMicroseconds: UInt32.random(in: 0...150_000, using: &random), first: disk.cutPower)
            try disk.restorePower()
            var load = try InterruptedLoad(try ServedDatabase(at: path, in: disk.directory), lanes: 2)
            try load.run(steps: Int.random(in: 0...30, using: &random), &random)
            try load.fill(&random)
            try Self.cut(disk, &load, &random)
            try load.restartAndCheck("new disk \(round), \(seed)", diskFailed: true)
        }
    }

    private static func start() throws -> (machine: CuttableFileSystem, served: ServedDatabase) {
        let disk = try CuttableFileSystem(megabytes: 2048)
        return (disk, try ServedDatabase(at: disk.file("db"), in: disk.directory))
    }

    /// Cuts the power while writes are under way. The daemon has a moment to find its disk gone.
    private static func cut(_ disk: CuttableFileSystem, _ load: inout InterruptedLoad, _ random: inout SeededRandom) throws {
        InterruptedLoad.wait(microsecondsMax: 3000, &random)
        try load.takeAnswers()
        try disk.cutPower()
        InterruptedLoad.wait(microsecondsMax: 3000, &random)
        load.served.daemon.kill()
        try disk.restorePower()
    }
}
