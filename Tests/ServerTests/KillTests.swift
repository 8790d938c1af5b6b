// kill -9 in the middle of a load, again and again: what was acknowledged is there, nothing is there by half.
import Testing
import TestSupport
#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

@Suite struct KillTests {
    @Test func `kills on one directory lose nothing that was acknowledged and leave nothing half done`() throws {
        let cycles = TestCycles("NEEDLETAIL_KILL_CYCLES", otherwise: 40)
        let seed = TestSeed(71)
        var random = seed.random
        let tally = try InterruptedLoad.run(cycles, "kills, \(seed)", lanes: 3, start: { ((), try ServedDatabase()) }) { load, _, comment in
            try load.run(steps: Int.random(in: 0...150, using: &random), &random)
            try load.fill(&random)
            usleep(UInt32.random(in: 0...3000, using: &random))
            load.served.daemon.kill()
            // Every few rounds the start that follows is killed as well.
            if random.oneIn(4) {
                try DaemonProcess.startAndKill(data: load.served.path, afterMicroseconds: UInt32.random(in: 0...150_000, using: &random))
            }
            try load.restartAndCheck(comment)
        }
        #expect(tally.metALoad, "the kills met a load: \(tally)")
    }

    @Test func `a kill in a database's first moments leaves one that opens`() throws {
        let seed = TestSeed(72)
        var random = seed.random
        for round in 0..<10 {
            var load = try InterruptedLoad(try ServedDatabase(), lanes: 3)
            try load.run(steps: Int.random(in: 0...60, using: &random), &random)
            try load.fill(&random)
            usleep(UInt32.random(in: 0...3000, using: &random))
            load.served.daemon.kill()
            try load.restartAndCheck("new directory \(round), \(seed)")
        }
    }
}
