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
            InterruptedLoad.wait(microsecondsMax: 3000, &random)
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
            InterruptedLoad.wait(microsecondsMax: 3000, &random)
            load.served.daemon.kill()
            try load.restartAndCheck("new directory \(round), \(seed)")
        }
    }

    /// Checkpoints every 64 KiB and a compaction after every eighth: whatever a kill meets, it is likely to meet maintenance too.
    @Test func `kills during checkpoints and compaction lose nothing either`() throws {
        let cycles = TestCycles("NEEDLETAIL_KILL_CYCLES", otherwise: 40)
        let seed = TestSeed(73)
        var random = seed.random
        var (checkpointed, compacted) = (0, 0)
        let start = { ((), try ServedDatabase(["--checkpoint-mib", "0.0625"])) }
        let tally = try InterruptedLoad.run(cycles, "kills during maintenance, \(seed)", lanes: 3, start: start) { load, _, comment in
            let connection = try load.served.daemon.connect()
            let before = try connection.stats()
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                try load.run(steps: Int.random(in: 0...100, using: &random), &random)
                // Without an answer waited for: it is under way while the load goes on.
                let work = ["flush", "optimize", "jobs", #"snapshot.create","name":"s\#(UInt32.random(in: 0...UInt32.max, using: &random))"#]
                try connection.sendLine(#"{"op":"\#(work.randomElement(using: &random)!)"}"#)  // The list is not empty.
            }
            try load.fill(&random)
            InterruptedLoad.wait(microsecondsMax: 20_000, &random)
            load.served.daemon.kill()
            if random.oneIn(4) {
                try DaemonProcess.startAndKill(data: load.served.path, afterMicroseconds: UInt32.random(in: 0...150_000, using: &random))
            }
            try load.restartAndCheck(comment)
            let after = try load.served.daemon.connect().stats()
            if after.storage("covered_seq") > before.storage("covered_seq") { checkpointed += 1 }
            if after.storage("segments") < before.storage("segments") { compacted += 1 }
        }
        print("\(checkpointed) kills came behind a checkpoint, \(compacted) behind a compaction")
        #expect(tally.metALoad, "the kills met a load: \(tally)")
        #expect(cycles.count < 20 || (checkpointed > cycles.count / 2 && compacted > cycles.count / 20), "and maintenance: \(checkpointed), \(compacted)")
    }
}
