// Searches by indexes, through the verbs of a database: what they find, what they never show, and what happens without them.
@testable import Engine
import Index
import Storage
import Testing
import TestSupport

@Suite struct IndexedSearchTests {
    private static let dimension = 24
    private static let documentCount = 700
    private let disk = FaultyDisk()
    private let database: Database
    private var random: SeededRandom

    init() throws {
        database = try Self.open(disk)
        random = SeededRandom(seed: 42)
        let space = SpaceSchema(dimension: Self.dimension, metric: .cosine)
        _ = try database.write(.createCollection(CollectionSchema(
            name: "c", spaces: [space], fields: [FieldSchema(name: "i", type: .int)])))
    }

    /// A second collection, `name`, of one space or two, with so many documents that have a vector in the first.
    private mutating func fill(_ name: String, _ spaces: [SpaceSchema], count: Int) throws {
        _ = try database.write(.createCollection(CollectionSchema(name: name, spaces: spaces, fields: [])))
        var input = UpsertInput([], into: name)
        for number in 0..<count {
            var (document, chunk) = (DocumentInput("d\(number)"), ChunkInput())
            let vector = vector()
            chunk.vectors = [VectorInput(space: spaces[0].name, floats: input.floats.count..<input.floats.count + vector.count)]
            input.floats += vector
            document.chunks = [chunk]
            input.documents.append(document)
        }
        _ = try database.write(.upsert(input))
    }

    private static func open(_ disk: FaultyDisk) throws(LogError) -> Database {
        let random = SharedRandom(seed: 1)
        var sizes = DatabaseSizes()
        sizes.indexedRowsMin = 64
        sizes.reserveBytes = 2048
        return try Database(disk: disk, sizes: sizes, randomness: { random.next() })
    }

    // MARK: Steps

    /// A point near one of twenty centres, so that there is something to be near to.
    private mutating func vector() -> [Float] {
        let centre = Int.random(in: 0..<20, using: &random)
        return (0..<Self.dimension).map { j in (j % 20 == centre ? 2 : 0) + Float.random(in: -1...1, using: &random) }
    }

    private mutating func put(_ numbers: Range<Int>) throws {
        var input = UpsertInput([])
        for number in numbers {
            var document = DocumentInput("d\(number)", fields: [("i", .integer(Int64(number)))])
            var chunk = ChunkInput()
            let vector = vector()
            chunk.vectors = [VectorInput(space: nil, floats: input.floats.count..<input.floats.count + vector.count)]
            input.floats += vector
            document.chunks = [chunk]
            input.documents.append(document)
        }
        _ = try database.write(.upsert(input))
    }

    private func settle(_ database: Database) throws {
        try database.checkpoint()
        while try database.maintain() {}
        while try database.maintainIndexes() {}
    }

    private func ids(_ result: SearchResult, _ collection: CollectionSnapshot) -> [[String]] {
        result.hits.map { hits in hits.map { String(decoding: Array(copying: collection.document(of: $0).id), as: UTF8.self) } }
    }

    private func search(_ database: Database, _ vectors: [[Float]], effort: SearchEffort, filter: Filter? = nil) throws -> (found: [[String]], result: SearchResult) {
        var input = SearchInput()
        for vector in vectors {
            input.vectors.append(input.floats.count..<input.floats.count + vector.count)
            input.floats += vector
        }
        input.effort = effort
        input.filter = filter
        let collection = try database.snapshot().collection("c")
        let result = try collection.search(input)
        return (ids(result, collection), result)
    }

    private mutating func queries(_ count: Int) -> [[Float]] { (0..<count).map { _ in vector() } }

    /// Share of the exact answer that was found.
    private func recall(_ database: Database, _ queries: [[Float]], _ effort: SearchEffort, filter: Filter? = nil) throws -> Double {
        let exact = try search(database, queries, effort: .exact, filter: filter).found
        let found = try search(database, queries, effort: effort, filter: filter).found
        let hits = zip(exact, found).reduce(0) { $0 + Set($1.0).intersection($1.1).count }
        return Double(hits) / Double(exact.reduce(0) { $0 + $1.count })
    }

    // MARK: What it takes

    @Test mutating func `the work of a search is told beforehand, by the plan that it will follow`() throws {
        try put(0..<Self.documentCount)
        func work(_ effort: SearchEffort, vectors: Int = 1, filter: Filter? = nil, space: String? = nil) throws -> Int {
            var input = SearchInput()
            input.vectors = [Range<Int>](repeating: 0..<Self.dimension, count: vectors)
            input.effort = effort
            input.filter = filter
            input.space = space
            return try database.snapshot().collection("c").work(of: input)
        }
        let everything = Self.documentCount * Self.dimension
        #expect(try work(.recall(0.9)) == everything, "there is no index yet")
        try settle(database)
        #expect(try work(.exact) == everything && work(.exact, vectors: 3) == 3 * everything)
        #expect(try work(.recall(0.9), filter: .field("i", .exists)) == everything)
        #expect(try work(.width(10)) < work(.width(40)) && work(.width(40), vectors: 2) == 2 * work(.width(40)))
        #expect(try work(.width(10)) != everything)
        #expect(try work(.exact, space: "none") == 0)
    }

    // MARK: What is found

    @Test mutating func `a segment's index finds what was asked of it, and says how`() throws {
        try put(0..<Self.documentCount)
        try settle(database)
        let queries = queries(40)
        let answer = try search(database, queries, effort: .recall(0.95)).result
        #expect(answer.plan.kind != .exact && !answer.plan.isExact)
        #expect((answer.plan.expectedRecall ?? 0) >= 0.95)
        #expect(answer.hits.allSatisfy { $0.count == 10 })
        #expect(try recall(database, queries, .recall(0.95)) >= 0.9)
        #expect(try recall(database, queries, .width(200)) >= 0.99)
        #expect(try search(database, queries, effort: .exact).result.plan.isExact)
    }

    @Test mutating func `scores are those of an exact search, whichever way a chunk was found`() throws {
        try put(0..<Self.documentCount)
        let queries = queries(20)
        let before = try search(database, queries, effort: .exact).result
        try settle(database)
        let after = try search(database, queries, effort: .width(300)).result
        for (exact, found) in zip(before.hits, after.hits) {
            for hit in found {
                if let same = exact.first(where: { $0.document == hit.document }) { #expect(same.score == hit.score) }
            }
        }
    }

    @Test mutating func `chunks written after the index was built are found with those before`() throws {
        try put(0..<Self.documentCount)
        try settle(database)
        try put(Self.documentCount..<Self.documentCount + 50)
        let queries = queries(30)
        #expect(try recall(database, queries, .recall(0.98)) >= 0.93)
        let news = try search(database, queries, effort: .recall(0.98)).found.joined().contains { Int($0.dropFirst())! >= Self.documentCount }
        #expect(news)
    }

    // MARK: What is never found

    @Test mutating func `what was replaced or deleted is not found by an index that still has it`() throws {
        try put(0..<Self.documentCount)
        try settle(database)
        try put(0..<200)
        _ = try database.write(.delete(DeleteInput(collection: "c", ids: (200..<400).map { "d\($0)" })))
        let queries = queries(40)
        let (found, _) = try search(database, queries, effort: .recall(0.95))
        #expect(found.allSatisfy { Set($0).count == $0.count && $0.count == 10 })
        #expect(!found.joined().contains { (200..<400).contains(Int($0.dropFirst())!) })
        #expect(try recall(database, queries, .recall(0.95)) >= 0.9)
    }

    @Test mutating func `a filter's rows alone are found, as many as there are up to k`() throws {
        try put(0..<Self.documentCount)
        try settle(database)
        let queries = queries(10)
        for end in [3, 9, 30, 100, 350, Self.documentCount] {
            let filter = Filter.field("i", .range(lower: nil, upper: Filter.Bound(.integer(Int64(end)), isInclusive: false)))
            let (found, _) = try search(database, queries, effort: .recall(0.95), filter: filter)
            #expect(found.allSatisfy { $0.count == min(10, end) }, "\(end) visible")
            #expect(!found.joined().contains { Int($0.dropFirst())! >= end }, "\(end) visible")
            #expect(try recall(database, queries, .recall(0.95), filter: filter) >= 0.85, "\(end) visible")
        }
    }

    /// The few rows that a filter left were ranked by row, and a document written again, which lies behind those that came after it, was
    /// not among the first k of its equals.
    @Test func `of equals the document that arrived first comes first, though it was written again`() throws {
        func put(_ numbers: Range<Int>) throws {
            for number in numbers {
                var input = UpsertInput("d\(number)", vectors: [(nil, [Float](repeating: 1, count: Self.dimension))])
                input.documents[0].fields = [(name: "i", value: .integer(Int64(number)))]
                _ = try database.write(.upsert(input))
            }
        }
        try put(0..<80)
        try settle(database)
        try put(80..<160)
        try put(0..<1)
        try settle(database)
        let filter = Filter.field("i", .isIn([0, 90, 91, 92].map { .integer($0) }))
        for effort in [SearchEffort.standard, .width(10), .exact] {
            var input = SearchInput([Float](repeating: 1, count: Self.dimension), k: 2)
            (input.filter, input.effort) = (filter, effort)
            let collection = try database.snapshot().collection("c")
            let result = try collection.search(input)
            #expect(result.plan.isExact && ids(result, collection) == [["d0", "d90"]], "\(effort)")
        }
    }

    /// A cache of filters once took composed and decomposed letters for one text, as Swift's strings do.
    @Test func `filters whose texts only look alike are different filters`() throws {
        _ = try database.write(.upsert(UpsertInput([DocumentInput("\u{e9}"), DocumentInput("e\u{301}", parent: "\u{e9}")])))
        let collection = try database.snapshot().collection("c")
        #expect(try collection.count(filter: nil, under: ["\u{e9}"]).documents == 2)
        #expect(try collection.count(filter: nil, under: ["e\u{301}"]).documents == 1)
    }

    @Test(arguments: [IndexKind.hnsw, .ivf])
    mutating func `there are k hits where there are k chunks, however little is to be spent`(kind: IndexKind) throws {
        try fill("k", [SpaceSchema(dimension: Self.dimension, metric: .l2, index: kind)], count: 400)
        try settle(database)
        let collection = try database.snapshot().collection("k")
        for k in [1, 9, 40, 120, 399, 400, 401] {
            for effort in [SearchEffort.recall(0.5), .recall(0.99), .width(1)] {
                var input = SearchInput(vector(), vector(), vector(), k: k)
                input.effort = effort
                let hits = try collection.search(input).hits
                #expect(hits.allSatisfy { $0.count == min(k, 400) && Set($0.map(\.document)).count == $0.count }, "\(k), \(effort)")
            }
        }
    }

    // MARK: Files

    /// Building found nothing to build from, and was found to be due again, for ever.
    @Test mutating func `a space in which no chunk has a vector gets no index, and the work ends`() throws {
        let spaces = [SpaceSchema(name: "full", dimension: Self.dimension, metric: .cosine), SpaceSchema(name: "empty", dimension: 3, metric: .l2)]
        try fill("two", spaces, count: 200)
        try database.checkpoint()
        var pieces = 0
        while pieces < 10, try database.maintainIndexes() { pieces += 1 }
        #expect(pieces < 10)
        #expect(database.statistics.indexes == 1)
    }

    @Test mutating func `a space without codes has no index and is searched exactly`() throws {
        let space = SpaceSchema(dimension: Self.dimension, metric: .cosine, quantization: .none)
        try fill("plain", [space], count: 200)
        try settle(database)
        #expect(database.statistics.indexes == 0)
        let found = try database.snapshot().collection("plain").search(SearchInput(vector(), k: 3))
        #expect(found.plan.isExact)
        let impossible = CollectionSchema(name: "no", spaces: [SpaceSchema(dimension: 3, metric: .l2, index: .hnsw, quantization: .none)], fields: [])
        #expect { try database.write(.createCollection(impossible)) } throws: { ($0 as? EngineError)?.field == "quantization" }
    }

    @Test mutating func `an index is found again by the next open, once it was checked`() throws {
        try put(0..<Self.documentCount)
        try settle(database)
        let queries = queries(10)
        let before = try search(database, queries, effort: .recall(0.95))
        let again = try Self.open(disk.afterRestart())
        #expect(try search(again, queries, effort: .recall(0.95)).result.plan.isExact)
        #expect(try again.maintainIndexes())
        let after = try search(again, queries, effort: .recall(0.95))
        #expect(after.found == before.found && after.result.plan == before.result.plan)
        #expect(try !again.maintainIndexes())
    }

    @Test mutating func `a damaged index costs time, no answer: another is built in its place`() throws {
        try put(0..<Self.documentCount)
        try settle(database)
        let queries = queries(10)
        let before = try search(database, queries, effort: .recall(0.95)).found
        let copy = disk.afterRestart()
        let name = try #require(copy.names.first { FileKind.index.number($0) != nil })
        for offset in [0, 100, 5000, 20_000] { copy.flip(name, byte: offset, bit: 3) }
        let again = try Self.open(copy)
        #expect(try search(again, queries, effort: .recall(0.95)).result.plan.isExact)
        while try again.maintainIndexes() {}
        #expect(try search(again, queries, effort: .recall(0.95)).found == before)
        #expect(!copy.names.contains(name))
    }

    @Test mutating func `equal data gives equal index files`() throws {
        try put(0..<Self.documentCount)
        try database.checkpoint()
        let copy = disk.afterRestart()
        let other = try Self.open(copy)
        _ = try database.maintainIndexes(threads: 1)
        _ = try other.maintainIndexes(threads: 2)
        let name = try #require(disk.names.first { FileKind.index.number($0) != nil })
        #expect(disk[name] == copy[name])
    }
}
