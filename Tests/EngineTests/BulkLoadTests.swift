// Databases opened for loading in bulk: nothing is logged, and a crash still leaves what was whole at some point.
@testable import Engine
import Memory
import Storage
import Testing
import TestSupport

@Suite struct BulkLoadTests {
    /// Writes that the model takes, of every kind, from a seed, and what the model is after each, by its sequence.
    private static func history(_ seed: UInt64, count: Int) -> (writes: [Write], states: [UInt64: Model]) {
        var random = SeededRandom(seed: seed)
        var model = Model()
        var writes: [Write] = []
        var states: [UInt64: Model] = [0: model]
        for _ in 0..<100 * count where writes.count < count {
            let write = RandomInput.write(on: model, using: &random)
            let before = model.sequence
            do throws(Refusal) { _ = try model.apply(write) } catch { continue }
            guard model.sequence > before else { continue }
            writes.append(write)
            states[model.sequence] = model
        }
        #expect(writes.count == count)
        return (writes, states)
    }

    /// The first part of the writes logged by one process, the rest loaded in bulk by another. Returns the sequence that no crash
    /// may fall behind; stops at the disk's fault.
    private static func run(_ writes: [Write], logged: Int, on disk: FaultyDisk) -> UInt64 {
        var safe: UInt64 = 0
        do {
            let first = try TestDatabase.open(disk, seed: 3)
            for write in writes.prefix(logged) { safe = try first.write(write).sequence }
            try first.close()
            disk.unlock()
            let second = try TestDatabase.open(disk, durability: .checkpoint, seed: 4)
            for write in writes.dropFirst(logged) {
                _ = try second.write(write)
                safe = max(safe, second.coveredSequence)
            }
            try second.joinLoaded()
            safe = second.snapshot().sequence
            try second.close()
        } catch { #expect(disk.hasFailed, "\(error)") }
        return safe
    }

    /// Opens what a crash left: it is what the writes had made of it at some point, not before `safe`, and goes on from there.
    private static func check(_ disk: FaultyDisk, _ states: [UInt64: Model], safe: UInt64, _ comment: String) throws {
        let database = try TestDatabase.open(disk, seed: 5)
        let found = database.snapshot()
        #expect(found.sequence >= safe, "\(comment)")
        var model = try #require(states[found.sequence], "\(comment)")
        #expect(try model.difference(from: found) == nil, "\(comment)")
        let more = Write.createCollection(.everything(name: "after"))
        #expect(try database.write(more) == model.apply(more), "\(comment)")
        let again = try TestDatabase.open(disk.afterCrash(.clean), seed: 6)
        #expect(try model.difference(from: again.snapshot()) == nil, "\(comment)")
    }

    @Test(arguments: 0..<2 as Range<UInt64>)
    func `a power cut at any call of a bulk load leaves what there was at one of its checkpoints, or later`(number: UInt64) throws {
        let seed = TestSeed(71)
        let (writes, states) = Self.history(seed.value &+ number, count: 14)
        for index in 0..<2000 {
            let disk = FaultyDisk()
            disk.plan(DiskFault(.powerCut, at: index))
            let safe = Self.run(writes, logged: 4, on: disk)
            for crash in [.clean, Crash(.kept, names: .kept), Crash(.kept, names: .dropped), Crash(.scattered(seed: seed.value), names: .kept)] {
                try Self.check(disk.afterCrash(crash), states, safe: safe, "call \(index), \(crash), \(seed)")
            }
            if !disk.hasFailed { return }
        }
        Issue.record("the load never ended")
    }

    @Test func `a process that ends in the middle leaves what there was at the last checkpoint, and files that verify`() throws {
        let seed = TestSeed(72)
        let (writes, states) = Self.history(seed.value, count: 60)
        for count in stride(from: 1, through: writes.count, by: 3) {
            let disk = FaultyDisk()
            let database = try TestDatabase.open(disk, durability: .checkpoint)
            for write in writes.prefix(count) { _ = try database.write(write) }
            let covered = database.coveredSequence
            #expect(try Database.verify(disk.afterRestart()).isSound, "\(seed)")
            let found = try TestDatabase.open(disk.afterRestart(), seed: 2).snapshot()
            #expect(found.sequence == covered, "\(seed)")
            #expect(try #require(states[covered]).difference(from: found) == nil, "\(seed)")
        }
    }

    @Test func `what was loaded in bulk ends in one segment beside what there was, and nothing of it is logged`() throws {
        let disk = FaultyDisk()
        let first = try TestDatabase.open(disk)
        _ = try first.write(.createCollection(.everything()))
        func load(_ numbers: Range<Int>, _ y: Float, into database: Database) throws {
            for number in numbers { _ = try database.write(.upsert(UpsertInput("d\(number)", vectors: [(nil, [Float(number), y])]))) }
        }
        try load(0..<5, 1, into: first)
        try first.checkpoint()
        try first.close()
        disk.unlock()
        let second = try TestDatabase.open(disk, durability: .checkpoint, seed: 2)
        try load(4..<200, 2, into: second)
        #expect(second.statistics.segments > 2)
        #expect(!disk.names.contains { FileKind.log.number($0) != nil })
        try second.joinLoaded()
        #expect(second.statistics.segments == 2 && second.statistics.rows == 201)
        #expect(second.coveredSequence == second.snapshot().sequence && second.statistics.uncoveredLogBytes == 0)
        while try second.maintainIndexes() {}
        #expect(try Database.verify(disk.afterRestart()).documents == 200)
    }

    @Test func `work that leaves out what is not in force any more comes after a checkpoint`() async throws {
        await #expect(processExitsWith: .failure) {
            let database = try TestDatabase.open(FaultyDisk(), durability: .checkpoint)
            _ = try database.write(.createCollection(.everything()))
            _ = try database.maintainIndexes()
        }
    }
}
