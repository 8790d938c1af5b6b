// Random histories of writes, lived through by a database and by the model, compared after every step.
@testable import Engine
import Storage
import Testing
import TestSupport

@Suite struct HistoryTests {
    /// A database, the model of it, and snapshots of both from earlier.
    private struct History {
        var disk = FaultyDisk()
        var database: Database
        var model = Model()
        var memories: [(snapshot: DatabaseSnapshot, model: Model)] = []
        var random: SeededRandom
        var refused = 0

        init(seed: UInt64) throws {
            random = SeededRandom(seed: seed)
            database = try TestDatabase.open(disk, seed: seed)
        }

        mutating func step() throws {
            switch Int.random(in: 0..<40, using: &random) {
            case 0: try reopen(closing: true)
            case 1: try reopen(closing: false)
            case 2, 3, 4: memories.append((database.snapshot(), model))
            case 5, 6: try checkMemory()
            default: try write()
            }
        }

        private mutating func write() throws {
            let write = RandomInput.write(on: model, using: &random)
            let expected = Result { () throws(Refusal) in try model.apply(write) }
            let found = Result { () throws(EngineError) in try database.write(write) }.mapError { Refusal($0) }
            try #require(found == expected, "\(write)")
            if case .failure = expected { refused += 1 }
        }

        /// As a process that ends well or is killed, and another after it.
        private mutating func reopen(closing: Bool) throws {
            if closing { try database.close() }
            disk = disk.afterRestart()
            database = try TestDatabase.open(disk, seed: random.next())
        }

        private mutating func checkMemory() throws {
            guard let (index, memory) = memories.enumerated().randomElement(using: &random).map({ ($0.offset, $0.element) }) else { return }
            try check(memory.snapshot, memory.model)
            if memories.count > 5 { memories.remove(at: index) }
        }

        /// Of rights, asked of database and model.
        private(set) var decisions = 0
        private(set) var searches = 0

        mutating func check() throws { try check(database.snapshot(), model) }
        mutating func checkMemories() throws { for memory in memories { try check(memory.snapshot, memory.model) } }

        private mutating func check(_ snapshot: DatabaseSnapshot, _ model: Model) throws {
            try #require(try model.difference(from: snapshot) == nil)
            try #require(try model.rightsDifference(from: snapshot) == nil)
            decisions += model.decisionCount
            try #require(try model.difference(from: snapshot, asking: &random, searches: &searches) == nil)
        }
    }

    @Test(arguments: 1...18 as ClosedRange<UInt64>)
    func `a random history is answered at every step as by the model, and old snapshots answer as they did`(number: UInt64) throws {
        let seed = TestSeed(31)
        var history = try History(seed: seed.value &+ number)
        for step in 0..<250 {
            do {
                try history.step()
                try history.check()
            } catch {
                Issue.record("at step \(step) of history \(number), \(seed): \(error)")
                return
            }
        }
        try history.checkMemories()
        #expect(history.refused < 90, "most writes must get through, or little was tested: \(seed)")
        // Measured: 68,000 decisions and 2,200 searches as somebody on average, so over a million and over 20,000 in all eighteen.
        #expect(history.decisions > 15_000 && history.searches > 500, "\(history.decisions) decisions, \(history.searches) searches, \(seed)")
    }
}
