// Random filters over indexed segments: whatever the plan, nothing is found that is not allowed, and nothing missing that there is room for.
@testable import Engine
import Index
import Testing
import TestSupport

@Suite struct FilteredSearchTests {
    /// `NEEDLETAIL_FILTERS` asks for more.
    private static let filters = TestCycles("NEEDLETAIL_FILTERS", otherwise: 400).count
    private static let documentCount = 600
    private static let spaces = [
        SpaceSchema(name: "graph", dimension: 6, metric: .l2, index: .hnsw), SpaceSchema(name: "lists", dimension: 5, metric: .dot, index: .ivf),
        SpaceSchema(name: "flat", dimension: 3, metric: .l2, index: .flat),
    ]

    /// What is in force, naively: whole numbers, so that no score needs rounding.
    private struct Document {
        var number: Int64
        var flag: Bool
        var vectors: [[Float]]

        init(using random: inout SeededRandom) {
            number = Int64.random(in: 0..<1000, using: &random)
            flag = random.oneIn(2)
            vectors = FilteredSearchTests.spaces.map { space in (0..<space.dimension).map { _ in Float(Int.random(in: -20...20, using: &random)) } }
        }
    }

    private let database: Database
    private var documents: [Int: Document] = [:]
    private let seed = TestSeed(44)
    private var random: SeededRandom

    init() throws {
        database = try TestDatabase.open(FaultyDisk(), sizes: TestDatabase.largeFiles)
        random = seed.random
        let fields = [FieldSchema(name: "i", type: .int), FieldSchema(name: "b", type: .bool)]
        _ = try database.write(.createCollection(CollectionSchema(name: "c", spaces: Self.spaces, fields: fields)))
    }

    // MARK: Steps

    private mutating func put(_ numbers: some Sequence<Int>) throws {
        var input = UpsertInput([])
        for number in numbers {
            let document = Document(using: &random)
            documents[number] = document
            var (written, chunk) = (DocumentInput("d\(number)", fields: [("i", .integer(document.number)), ("b", .bool(document.flag))]), ChunkInput())
            for (space, vector) in zip(Self.spaces, document.vectors) {
                chunk.vectors.append(VectorInput(space: space.name, floats: input.floats.count..<input.floats.count + vector.count))
                input.floats += vector
            }
            written.chunks = [chunk]
            input.documents.append(written)
        }
        _ = try database.write(.upsert(input))
    }

    private mutating func delete(_ numbers: some Sequence<Int>) throws {
        for number in numbers { documents[number] = nil }
        _ = try database.write(.delete(DeleteInput(collection: "c", ids: numbers.map { "d\($0)" })))
    }

    private func settle() throws {
        try database.checkpoint()
        while try database.maintainIndexes() {}
    }

    // MARK: Questions

    /// A filter, and whether it allows a document. Few of them or many, in no order of the index's; of at most so many more conditions inside
    /// one another.
    private mutating func filter(depth: Int = 8) -> (filter: Filter, allows: (Int, Document) -> Bool) {
        switch Int.random(in: 0..<(depth > 0 ? 5 : 3), using: &random) {
        case 0:
            let wanted = Set((0..<[1, 5, 40, 300].randomElement(using: &random)!).map { _ in Int64.random(in: 0..<1000, using: &random) })  // There are some.
            return (.field("i", .isIn(wanted.sorted().map { .integer($0) })), { wanted.contains($1.number) })
        case 1:
            let (low, high) = (Int64.random(in: 0..<1000, using: &random), Int64.random(in: 0..<1000, using: &random))
            let range = Filter.Condition.range(
                lower: Filter.Bound(.integer(low), isInclusive: true), upper: Filter.Bound(.integer(high), isInclusive: false))
            return (.field("i", range), { $1.number >= low && $1.number < high })
        case 2:
            let flag = random.oneIn(2)
            return (.field("b", .isIn([.bool(flag)])), { $1.flag == flag })
        case 3:
            let part = filter(depth: depth - 1)
            return (.not(part.filter), { !part.allows($0, $1) })
        default:
            let (one, other) = (filter(depth: depth - 1), filter(depth: depth - 1))
            return random.oneIn(2)
                ? (.all([one.filter, other.filter]), { one.allows($0, $1) && other.allows($0, $1) })
                : (.any([one.filter, other.filter]), { one.allows($0, $1) || other.allows($0, $1) })
        }
    }

    private static func rank(_ space: SpaceSchema, _ query: [Float], _ vector: [Float]) -> Float {
        switch space.metric {
        case .dot, .cosine: zip(query, vector).reduce(0) { $0 + $1.0 * $1.1 }
        case .l2: -zip(query, vector).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
        }
    }

    /// One search of each space; returns how many were not exact.
    private mutating func ask(_ collection: CollectionSnapshot, _ comment: String) throws -> Int {
        let (filter, allows) = filter()
        let allowed = documents.filter { allows($0.key, $0.value) }
        var planned = 0
        for (place, space) in Self.spaces.enumerated() {
            let query = (0..<space.dimension).map { _ in Float(Int.random(in: -20...20, using: &random)) }
            var input = SearchInput(query, k: [1, 3, 10, 50, 200].randomElement(using: &random)!)  // There are some.
            input.space = space.name
            input.filter = random.oneIn(10) ? nil : filter
            input.effort = [.standard, .recall(0.5), .recall(0.9), .width(1), .width(80), .exact].randomElement(using: &random)!  // As above.
            let result = try collection.search(input)
            let found = result.hits[0].map { Int(String(decoding: Array(copying: collection.document(of: $0).id), as: UTF8.self).dropFirst())! }  // Names are numbers.
            let candidates = input.filter == nil ? documents : allowed
            let comment = "\(space.name), k \(input.k), \(input.effort), \(result.plan), \(candidates.count) allowed, \(comment)"
            #expect(found.allSatisfy { candidates[$0] != nil }, "\(comment)")
            #expect(found.count == min(input.k, candidates.count) && Set(found).count == found.count, "\(comment)")
            guard result.plan.isExact else {
                planned += 1
                continue
            }
            let best = candidates.values.map { Self.rank(space, query, $0.vectors[place]) }.sorted(by: >).prefix(input.k)
            #expect(found.compactMap { candidates[$0].map { Self.rank(space, query, $0.vectors[place]) } } == Array(best), "\(comment)")
        }
        return planned
    }

    @Test mutating func `no plan finds what a filter does not allow, and none fewer than there are up to k`() throws {
        try put(0..<Self.documentCount / 2)
        try settle()
        try put(Self.documentCount / 2..<Self.documentCount)
        try settle()
        var planned = 0
        for round in 0..<4 {
            // Some go, some are written again, some are new: what the indexes hold is ever less of what is in force.
            try delete((0..<40).map { _ in Int.random(in: 0..<Self.documentCount, using: &random) }.filter { documents[$0] != nil })
            try put(Set((0..<20).map { _ in Int.random(in: 0..<Self.documentCount, using: &random) }).sorted() + [Self.documentCount + round])
            let collection = try database.snapshot().collection("c")
            for _ in 0..<max(1, Self.filters / 4) { planned += try ask(collection, "round \(round), \(seed)") }
        }
        #expect(planned > Self.filters / 4, "\(seed)")
        print("filters: \(Self.filters), \(planned) searches by plans, \(seed)")
    }
}
