// Seeded histories with crashes, against a model: as many as there is time for.
#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif
@testable import Engine
import Storage
import Synchronization
import Testing
import TestSupport

/// One database's life from a seed: random writes, maintenance and snapshots, a fault at a random call, a crash, a new start.
private struct Simulation {
    private var random: SeededRandom
    private let seed: UInt64

    init(seed: UInt64) {
        self.seed = seed
        random = SeededRandom(seed: seed)
    }

    /// Throws where a promise is broken. Returns a digest of all that was read and written, equal for equal seeds.
    mutating func run() throws -> UInt64 {
        var trace: UInt64 = 0xCBF2_9CE4_8422_2325
        var disk = FaultyDisk()
        var known = Witness.Knowledge()
        for life in 0..<Int.random(in: 1...3, using: &random) {
            known = try live(on: disk, known)
            trace = Self.mix(trace, disk)
            let crash = self.crash(of: disk)
            try Witness.check(disk.afterCrash(crash), known, seed: random.next(), "life \(life), \(crash), seed \(seed)")
            disk = disk.afterCrash(crash)
            var witness = try Witness(disk, seed: random.next(), known: known)
            try witness.settle("life \(life), \(crash), seed \(seed)")
            try witness.checkSnapshots("life \(life), \(crash), seed \(seed)")
            known = witness.known
            disk = disk.afterRestart()
        }
        return trace
    }

    /// Steps until they are done, or until the disk's fault has stopped them.
    private mutating func live(on disk: FaultyDisk, _ known: Witness.Knowledge) throws -> Witness.Knowledge {
        var witness = try Witness(disk, seed: random.next(), known: known)
        let isCrowded = random.oneIn(500)
        disk.plan(fault())
        if isCrowded, try !crowd(&witness) { return witness.known }
        for _ in 0..<Int.random(in: 4...16, using: &random) {
            guard try witness.run(step(witness.known), seed: random.next(), "seed \(seed)") else { break }
        }
        return witness.known
    }

    private mutating func step(_ known: Witness.Knowledge) -> Step {
        switch Int.random(in: 0..<22, using: &random) {
        case 0, 1: .checkpoint
        case 2, 3: .maintain
        case 4: .optimize
        case 5: .createSnapshot("s\(Int.random(in: 0..<4, using: &random))")
        case 6: .dropSnapshot("s\(Int.random(in: 0..<4, using: &random))")
        case 7: .reopen
        case 8, 9: .index
        default: .write(RandomInput.write(on: known.acknowledged, using: &random))
        }
    }

    /// Chunks so many that they are searched by plans, which few do without.
    private mutating func crowd(_ witness: inout Witness) throws -> Bool {
        for step in [Step.write(.createCollection(RandomInput.crowd)), .write(RandomInput.crowd(using: &random)), .checkpoint, .index] {
            guard try witness.run(step, seed: random.next(), "seed \(seed)") else { return false }
        }
        return true
    }

    private mutating func fault() -> DiskFault? {
        let index = Int.random(in: 0..<150, using: &random)
        switch Int.random(in: 0..<6, using: &random) {
        case 0: return nil
        case 1: return DiskFault(.error(EIO, isForever: random.oneIn(2)), at: index)
        case 2: return DiskFault(.error(ENOSPC, isForever: random.oneIn(2)), at: index)
        default: return DiskFault(.powerCut, at: index)
        }
    }

    private mutating func crash(of disk: FaultyDisk) -> Crash {
        let names = random.oneIn(2) ? Crash.Names.kept : .dropped
        switch Int.random(in: 0..<5, using: &random) {
        case 0: return .clean
        case 1: return Crash(.kept, names: names)
        case 2: return Crash(.dropped, names: names)
        case 3: return Crash(.torn(bytes: Int.random(in: 0...disk.unsyncedBytes, using: &random)), names: .kept)
        default: return Crash(.scattered(seed: random.next()), names: .kept)
        }
    }

    /// FNV-1a over calls, names and bytes.
    private static func mix(_ trace: UInt64, _ disk: FaultyDisk) -> UInt64 {
        var trace = trace
        func add(_ byte: UInt8) { trace = (trace ^ UInt64(byte)) &* 0x100_0000_01B3 }
        for call in disk.calls { for byte in call.rawValue.utf8 { add(byte) } }
        for name in disk.names {
            for byte in name.utf8 { add(byte) }
            for byte in disk[name] ?? [] { add(byte) }
        }
        return trace
    }
}

@Suite struct SimulationTests {
    /// `NEEDLETAIL_HISTORIES` asks for more, or with `NEEDLETAIL_SEED` for one history again.
    private static let histories = TestCycles("NEEDLETAIL_HISTORIES", otherwise: 10_000).count

    @Test func `no history with faults and crashes loses what was acknowledged or shows half of anything`() {
        let seed = TestSeed(61)
        let next = Atomic(0)
        let failures = Atomic(0)
        Threads.run(2) { _ in
            while true {
                let number = next.add(1, ordering: .relaxed).oldValue
                guard number < Self.histories, failures.load(ordering: .relaxed) < 5 else { return }
                var simulation = Simulation(seed: seed.value &+ UInt64(number))
                do { _ = try simulation.run() } catch {
                    failures.add(1, ordering: .relaxed)
                    Issue.record("\(error); again: NEEDLETAIL_HISTORIES=1 NEEDLETAIL_SEED=\(seed.value &+ UInt64(number)) swift test --filter SimulationTests")
                }
            }
        }
        print("histories: \(min(next.load(ordering: .relaxed), Self.histories)), \(seed)")
    }

    @Test func `one seed gives one history, to the last byte on the disk`() throws {
        let seed = TestSeed(62)
        for number in 0..<60 as Range<UInt64> {
            var (one, other) = (Simulation(seed: seed.value &+ number), Simulation(seed: seed.value &+ number))
            #expect(try one.run() == other.run(), "\(seed), history \(number)")
        }
    }
}
