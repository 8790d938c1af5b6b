// Searches while a load is running: heads are filled, sealed and compacted and indexes built, and searches find all the while what an
// exact search of the same snapshot finds.
@testable import Engine
import Index
import Storage
import Synchronization
import Testing
import TestSupport

@Suite struct SearchUnderLoadTests {
    private static let dimension = 32
    private static let indexedCount = 600
    private static let documentCount = 6600
    private static let batchCount = 60
    /// Rows from which on a head is sealed: it is searched by codes before.
    private static let sealedRows = CodedSearch.rowsMin + 8 * batchCount

    /// What threads have found out.
    private struct Findings {
        var wrong: [String] = []
        /// Nearest rows found by standard searches, of so many.
        var found = 0
        var wanted = 0
        /// Searches for what was just written, of a head with codes.
        var codedSearches = 0

        var recall: Double { Double(found) / Double(wanted) }
    }

    private static func open(_ metric: Metric) throws -> Database {
        let random = SharedRandom(seed: 1)
        var sizes = DatabaseSizes()
        sizes.indexedRowsMin = 256
        sizes.reserveBytes = 2048
        let database = try Database(disk: FaultyDisk(), sizes: sizes, randomness: { random.next() })
        _ = try database.write(.createCollection(CollectionSchema(
            name: "c", spaces: [SpaceSchema(dimension: dimension, metric: metric)], fields: [])))
        return database
    }

    /// A point near one of forty centres, of length 1: by product, too, nothing is nearer to it than itself.
    private static func vector(_ random: inout SeededRandom) -> [Float] {
        let centre = Int.random(in: 0..<40, using: &random)
        let vector = (0..<dimension).map { j in Float((centre * (j + 7)) % 11) / 5 - 1 + Float.random(in: -1...1, using: &random) }
        let length = vector.reduce(0) { $0 + $1 * $1 }.squareRoot()
        return vector.map { $0 / length }
    }

    /// New documents, and with every tenth of them one that was there before once more. Returns the last one's vector.
    private static func put(_ numbers: Range<Int>, into database: Database, _ random: inout SeededRandom) throws(EngineError) -> [Float] {
        var input = UpsertInput([])
        var last: [Float] = []
        func add(_ number: Int) {
            last = vector(&random)
            var (document, chunk) = (DocumentInput("d\(number)"), ChunkInput())
            chunk.vectors = [VectorInput(space: nil, floats: input.floats.count..<input.floats.count + dimension)]
            input.floats += last
            document.chunks = [chunk]
            input.documents.append(document)
        }
        var replaced: Set<Int> = []
        if numbers.lowerBound > 0 {
            for _ in 0..<numbers.count / 10 { replaced.insert(Int.random(in: 0..<numbers.lowerBound, using: &random)) }
        }
        for number in replaced.sorted() { add(number) }
        for number in numbers { add(number) }
        _ = try database.write(.upsert(input))
        return last
    }

    /// The writer: what is acknowledged is there, and found, at once.
    private static func load(_ database: Database, _ findings: borrowing Mutex<Findings>, _ random: inout SeededRandom) throws(EngineError) {
        for first in stride(from: indexedCount, to: documentCount, by: batchCount) {
            let numbers = first..<min(first + batchCount, documentCount)
            let last = try put(numbers, into: database, &random)
            let collection = try database.snapshot().collection("c")
            let hit = try collection.search(SearchInput(last, k: 1)).hits[0].first
            let isCoded = CodedSearch.applies(to: collection.parts[collection.parts.count - 1], space: 0) != nil
            findings.withLock { findings in
                let (count, newest) = (numbers.upperBound, numbers.upperBound - 1)
                if isCoded { findings.codedSearches += 1 }
                if collection.overview.documentCount != count { findings.wrong.append("\(collection.overview.documentCount) documents of \(count)") }
                if hit.map({ Int($0.document) }) != newest { findings.wrong.append("document \(newest) is not found") }
            }
        }
    }

    /// A reader: compares answers with exact ones of the same snapshot.
    private static func search(_ database: Database, _ findings: borrowing Mutex<Findings>, _ random: inout SeededRandom) throws(EngineError) {
        let collection = try database.snapshot().collection("c")
        var input = SearchInput(vector(&random), vector(&random), vector(&random))
        let found = try collection.search(input).hits
        input.effort = .exact
        let exact = try collection.search(input)
        findings.withLock { findings in
            for (found, exact) in zip(found, exact.hits) {
                findings.found += Set(found.map(\.row)).intersection(exact.map(\.row)).count
                findings.wanted += exact.count
                if found.count != exact.count { findings.wrong.append("\(found.count) hits of \(exact.count)") }
            }
            if !exact.plan.isExact { findings.wrong.append("an exact search was not") }
        }
    }

    /// Seals and compacts. A head is sealed once it has been searched by codes for a while.
    private static func maintain(_ database: Database) throws(EngineError) {
        if try database.snapshot().collection("c").state.head.count >= sealedRows { try database.checkpoint() }
        _ = try database.maintain()
    }

    @Test(arguments: [Metric.cosine, .l2, .dot])
    func `while rows come, are sealed, compacted and indexed, searches find what exact ones of the same snapshot do`(_ metric: Metric) throws {
        let seed = TestSeed(91)
        let database = try Self.open(metric)
        var random = seed.random
        _ = try Self.put(0..<Self.indexedCount, into: database, &random)
        try database.checkpoint()
        while try database.maintainIndexes() {}
        let findings = Mutex(Findings())
        let isLoading = Atomic(true)
        Threads.run(4) { thread in
            var random = SeededRandom(seed: seed.value &+ UInt64(thread))
            do throws(EngineError) {
                if thread == 0 {
                    defer { isLoading.store(false, ordering: .releasing) }
                    return try Self.load(database, findings, &random)
                }
                while isLoading.load(ordering: .acquiring) {
                    switch thread {
                    case 1: try Self.search(database, findings, &random)
                    case 2: try Self.maintain(database)
                    default: _ = try database.maintainIndexes()
                    }
                }
            } catch { findings.withLock { $0.wrong.append("\(error)") } }
        }
        // What came last has been searched too, and is once more when all is done.
        while try database.maintainIndexes() {}
        for _ in 0..<20 { try Self.search(database, findings, &random) }
        let result = findings.withLock { $0 }
        #expect(result.wrong == [], "\(seed)")
        #expect(result.codedSearches > 0, "\(seed)")
        #expect(result.recall >= 0.95, "\(seed)")
    }
}
