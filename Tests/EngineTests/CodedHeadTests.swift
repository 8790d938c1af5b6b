// Heads that are searched by codes, through the verbs of a database: what they find, what they never show, and when they are compared
// row by row instead.
@testable import Engine
import Index
import Storage
import Testing
import TestSupport

/// A space, and how its vectors are drawn.
struct CodedSpace: CustomStringConvertible, Sendable {
    var dimension: Int
    var metric: Metric

    /// Short rows have 8-bit codes, long ones lines.
    static let all = [(24, .cosine), (24, .l2), (24, .dot), (208, .cosine), (208, .dot)].map(CodedSpace.init)
    static let some = [(24, .l2), (208, .cosine)].map(CodedSpace.init)
    var description: String { "\(metric), \(dimension)" }
}

/// A collection with an index and, behind it, a head. Document "d7" has the number 7 in its field.
private struct CodedHead {
    static let indexedCount = 300
    static let headCount = 1400
    let disk = FaultyDisk()
    let database: Database
    let space: CodedSpace
    private var random = TestSeed(42).random

    init(_ space: CodedSpace, isIndexed: Bool = true) throws {
        self.space = space
        database = try Self.open(disk)
        // Of itself an index of so few rows would have no lines.
        let schema = SpaceSchema(dimension: space.dimension, metric: space.metric, quantization: space.dimension < 192 ? .auto : .line)
        _ = try database.write(.createCollection(CollectionSchema(name: "c", spaces: [schema], fields: [FieldSchema(name: "i", type: .int)])))
        try put(0..<Self.indexedCount)
        if isIndexed { try settle() }
    }

    static func open(_ disk: FaultyDisk) throws(LogError) -> Database {
        let random = SharedRandom(seed: 1)
        var sizes = DatabaseSizes()
        sizes.indexedRowsMin = 64
        sizes.reserveBytes = 2048
        return try Database(disk: disk, sizes: sizes, randomness: { random.next() })
    }

    func settle() throws {
        try database.checkpoint()
        while try database.maintain() {}
        try index(database)
    }

    func index(_ database: Database) throws {
        while try database.maintainIndexes() {}
    }

    /// A point near one of twenty centres; longer than wide, so that directions differ in what they tell, and some tell nothing.
    mutating func vector() -> [Float] {
        let centre = Int.random(in: 0..<20, using: &random)
        return (0..<space.dimension).map { j in
            (j == centre ? 2 : 0) + Float.random(in: -1...1, using: &random) * (j < 40 ? 1 : j < 160 ? 0.1 : 0)
        }
    }

    mutating func put(_ numbers: Range<Int>, _ vector: ((inout CodedHead) -> [Float]?)? = nil) throws {
        for first in stride(from: numbers.lowerBound, to: numbers.upperBound, by: 100) {
            var input = UpsertInput([])
            for number in first..<min(first + 100, numbers.upperBound) {
                var document = DocumentInput("d\(number)", fields: [("i", .integer(Int64(number)))])
                var chunk = ChunkInput()
                if let vector = vector.map({ $0(&self) }) ?? self.vector() {
                    chunk.vectors = [VectorInput(space: nil, floats: input.floats.count..<input.floats.count + vector.count)]
                    input.floats += vector
                } else {
                    chunk.text = "no vector"
                }
                document.chunks = [chunk]
                input.documents.append(document)
            }
            _ = try database.write(.upsert(input))
        }
    }

    /// Documents in the head, which begins behind those that are indexed.
    mutating func fill() throws { try put(Self.indexedCount..<Self.indexedCount + Self.headCount) }

    func search(
        _ vectors: [[Float]], _ effort: SearchEffort, filter: Filter? = nil, k: Int = 10, in other: Database? = nil
    ) throws -> (found: [[Int]], result: SearchResult) {
        var input = SearchInput()
        for vector in vectors {
            input.vectors.append(input.floats.count..<input.floats.count + vector.count)
            input.floats += vector
        }
        (input.effort, input.filter, input.k) = (effort, filter, k)
        let collection = try (other ?? database).snapshot().collection("c")
        let result = try collection.search(input)
        return (result.hits.map { hits in hits.map { Int($0.document) } }, result)
    }

    mutating func queries(_ count: Int) -> [[Float]] { (0..<count).map { _ in vector() } }

    static func range(_ lower: Int, _ upper: Int) -> Filter {
        .field("i", .range(lower: .init(.integer(Int64(lower)), isInclusive: true), upper: .init(.integer(Int64(upper)), isInclusive: false)))
    }

    /// All of the head.
    static let inHead = range(indexedCount, .max)

    func recall(_ queries: [[Float]], _ effort: SearchEffort, filter: Filter? = nil, k: Int = 10) throws -> Double {
        let exact = try search(queries, .exact, filter: filter, k: k).found
        let found = try search(queries, effort, filter: filter, k: k).found
        let hits = zip(exact, found).reduce(0) { $0 + Set($1.0).intersection($1.1).count }
        return Double(hits) / Double(exact.reduce(0) { $0 + $1.count })
    }

    /// How the head alone is searched.
    func headPlan(_ queries: [[Float]], in other: Database? = nil) throws -> SearchPlan {
        try search(queries, .standard, filter: Self.inHead, in: other).result.plan
    }
}

@Suite struct CodedHeadTests {
    // MARK: What is found

    @Test(arguments: CodedSpace.all) func `a head's codes find what its vectors would, and the plan says so`(_ space: CodedSpace) throws {
        var head = try CodedHead(space)
        try head.fill()
        let queries = head.queries(30)
        let plan = try head.headPlan(queries)
        #expect(plan.kind == .codes && !plan.isExact && plan.expectedRecall ?? 1 < 1)
        for effort in [SearchEffort.standard, .recall(0.9), .recall(0.99), .width(100)] {
            #expect(try head.recall(queries, effort, filter: CodedHead.inHead) >= 0.95, "\(effort)")
            #expect(try !head.search(queries, effort).result.plan.isExact)
        }
        #expect(try head.recall(queries, .standard, filter: CodedHead.inHead, k: 60) >= 0.95)
        #expect(try head.search(queries, .exact).result.plan.isExact)
    }

    @Test(arguments: CodedSpace.all) func `scores are those of an exact search`(_ space: CodedSpace) throws {
        var head = try CodedHead(space)
        try head.fill()
        let queries = head.queries(20)
        let exact = try head.search(queries, .exact, filter: CodedHead.inHead).result
        let found = try head.search(queries, .standard, filter: CodedHead.inHead).result
        #expect(found.plan.kind == .codes)
        for (exact, found) in zip(exact.hits, found.hits) {
            for hit in found {
                if let same = exact.first(where: { $0.document == hit.document }) { #expect(same.score == hit.score) }
            }
        }
    }

    @Test func `a small head is compared row by row, and so is a large answer`() throws {
        var head = try CodedHead(CodedSpace(dimension: 24, metric: .cosine))
        try head.put(CodedHead.indexedCount..<CodedHead.indexedCount + 300)
        let queries = head.queries(5)
        #expect(try head.headPlan(queries).isExact)
        try head.fill()
        #expect(try !head.headPlan(queries).isExact)
        #expect(try head.search(queries, .standard, filter: CodedHead.inHead, k: 150).result.plan.isExact)
    }

    // MARK: What is never found

    @Test(arguments: CodedSpace.some) func `what was replaced or deleted, or has no vector, is not found`(_ space: CodedSpace) throws {
        var head = try CodedHead(space)
        try head.fill()
        let first = CodedHead.indexedCount
        try head.put(first..<first + 300)
        try head.put(first + 300..<first + 400) { _ in nil }
        _ = try head.database.write(.delete(DeleteInput(collection: "c", ids: (first + 400..<first + 700).map { "d\($0)" })))
        let queries = head.queries(40)
        let (found, result) = try head.search(queries, .standard, filter: CodedHead.inHead)
        #expect(result.plan.kind == .codes)
        #expect(found.allSatisfy { Set($0).count == $0.count && $0.count == 10 })
        #expect(!found.joined().contains { (first + 300..<first + 700).contains($0) })
        #expect(try head.recall(queries, .standard) >= 0.95)
        #expect(try head.recall(queries, .standard, filter: CodedHead.inHead) >= 0.95)
    }

    @Test(arguments: CodedSpace.some) func `a filter's rows alone are found, as many as there are up to k`(_ space: CodedSpace) throws {
        var head = try CodedHead(space)
        try head.fill()
        let queries = head.queries(20)
        let end = CodedHead.indexedCount + CodedHead.headCount
        for visible in [3, 9, 30, 100, 700, 1300] {
            let filter = CodedHead.range(end - visible, end)
            let (found, _) = try head.search(queries, .standard, filter: filter)
            #expect(found.allSatisfy { $0.count == min(10, visible) }, "\(visible) visible")
            #expect(found.joined().allSatisfy { (end - visible..<end).contains($0) }, "\(visible) visible")
            #expect(try head.recall(queries, .standard, filter: filter) >= 0.95, "\(visible) visible")
        }
    }

    @Test(arguments: CodedSpace.some) func `of rows outside a filter, or out of force, not even codes are compared`(_ space: CodedSpace) throws {
        var head = try CodedHead(space)
        try head.fill()
        let (first, end) = (CodedHead.indexedCount, CodedHead.indexedCount + CodedHead.headCount)
        try head.put(end - 500..<end - 400) { _ in nil }
        _ = try head.database.write(.delete(DeleteInput(collection: "c", ids: (end - 100..<end).map { "d\($0)" })))
        for (filter, visible) in [(CodedHead.range(first, end - 600), CodedHead.headCount - 600), (CodedHead.range(end - 800, end), 600)] {
            for query in head.queries(10) {
                let plan = try head.search([query], .standard, filter: filter).result.plan
                // Once, and once more where the first answer was not good enough.
                #expect(plan.kind == .codes ? plan.visited % visible == 0 : plan.visited == visible)
                #expect(plan.visited <= 3 * visible)
            }
        }
    }

    // MARK: Rows that the codes do not fit

    @Test func `rows that vary where the index's did not are compared row by row`() throws {
        var head = try CodedHead(CodedSpace(dimension: 400, metric: .cosine))
        // The directions that told most tell little, and others much.
        func drifted(_ head: inout CodedHead) -> [Float] { head.vector().reversed() }
        try head.put(CodedHead.indexedCount..<CodedHead.indexedCount + 1100, drifted)
        let queries = (0..<10).map { _ in drifted(&head) }
        #expect(try head.headPlan(queries).isExact)
        #expect(try head.recall(queries, .standard, filter: CodedHead.inHead) == 1)
    }

    @Test(arguments: CodedSpace.all) func `rows around another centre are found all the same`(_ space: CodedSpace) throws {
        var head = try CodedHead(space)
        func shifted(_ head: inout CodedHead) -> [Float] { head.vector().enumerated().map { $1 * 0.3 + Float($0 % 7) * 0.6 } }
        try head.put(CodedHead.indexedCount..<CodedHead.indexedCount + 1100, shifted)
        let queries = (0..<20).map { _ in shifted(&head) }
        #expect(try head.recall(queries, .standard, filter: CodedHead.inHead) >= 0.95)
    }

    @Test func `a few rows off all axes of the index are found among many that its lines fit`() throws {
        var head = try CodedHead(CodedSpace(dimension: 400, metric: .l2))
        func strange(_ head: inout CodedHead) -> [Float] { head.vector().enumerated().map { $1 + ($0 < 160 ? 0 : $0 * $0 % 7 < 3 ? 0.5 : -0.5) } }
        var first = CodedHead.indexedCount
        for _ in 0..<20 {
            try head.put(first..<first + 1, strange)
            try head.put(first + 1..<first + 80)
            first += 80
        }
        let queries = (0..<20).map { _ in strange(&head) }
        #expect(try head.headPlan(queries).kind == .codes)
        #expect(try head.recall(queries, .standard, filter: CodedHead.inHead) >= 0.95)
    }

    @Test func `rows that drift away late are not judged by those that came before`() throws {
        var head = try CodedHead(CodedSpace(dimension: 400, metric: .cosine))
        try head.put(CodedHead.indexedCount..<CodedHead.indexedCount + 4000)
        #expect(try head.headPlan(head.queries(10)).kind == .codes)
        func drifted(_ head: inout CodedHead) -> [Float] { head.vector().reversed() }
        try head.put(CodedHead.indexedCount + 4000..<CodedHead.indexedCount + 5200, drifted)
        let queries = (0..<10).map { _ in drifted(&head) }
        #expect(try head.headPlan(queries).isExact)
        #expect(try head.recall(queries, .standard) >= 0.95)
    }

    @Test func `a row longer than all of the index is found by a product`() throws {
        for dimension in [24, 208] {
            var head = try CodedHead(CodedSpace(dimension: dimension, metric: .dot))
            try head.fill()
            let end = CodedHead.indexedCount + CodedHead.headCount
            try head.put(end..<end + 20) { head in head.vector().map { $0 * 3 } }
            let queries = head.queries(20)
            #expect(try head.headPlan(queries).kind == .codes)
            #expect(try head.recall(queries, .standard, filter: CodedHead.inHead) >= 0.95)
        }
    }

    // MARK: When codes come

    @Test(arguments: CodedSpace.some) func `a head that began before the index gets codes behind it`(_ space: CodedSpace) throws {
        var head = try CodedHead(space, isIndexed: false)
        try head.database.checkpoint()
        try head.fill()
        let queries = head.queries(20)
        #expect(try head.headPlan(queries).isExact)
        try head.index(head.database)
        #expect(try head.headPlan(queries).kind == .codes)
        // Rows that come now have codes too.
        let end = CodedHead.indexedCount + CodedHead.headCount
        try head.put(end..<end + 500)
        #expect(try head.headPlan(queries).kind == .codes)
        #expect(try head.recall(queries, .standard) >= 0.95)
        #expect(try head.recall(queries, .standard, filter: CodedHead.range(end, end + 500)) >= 0.95)
    }

    @Test func `rows that come while codes are made are not left out`() throws {
        var head = try CodedHead(CodedSpace(dimension: 24, metric: .cosine), isIndexed: false)
        try head.database.checkpoint()
        try head.put(CodedHead.indexedCount..<CodedHead.indexedCount + 1200)
        try head.index(head.database)
        var state = try head.database.snapshot().collection("c").state
        let encoder = try #require(state.encoder(space: 0))
        let codes = state.head.spaces[0].coded(by: encoder)
        try head.put(3000..<3300)
        state = try head.database.snapshot().collection("c").state
        state.head.adopt(codes, space: 0)
        #expect(state.head.spaces[0].codes?.count == 1500)
        // Of another head.
        state.sealHead()
        state.install(HeadCodes(collection: state.number, firstChunk: 0, space: 0, codes: codes))
        #expect(state.head.spaces[0].codes?.count == 0)
    }

    @Test func `a head replayed from the log answers as before`() throws {
        var head = try CodedHead(CodedSpace(dimension: 24, metric: .l2))
        try head.fill()
        let queries = head.queries(20)
        let exact = try head.search(queries, .exact).found
        let again = try CodedHead.open(head.disk.afterRestart())
        #expect(try head.headPlan(queries, in: again).isExact)
        try head.index(again)
        #expect(try head.headPlan(queries, in: again).kind == .codes)
        #expect(try head.search(queries, .exact, in: again).found == exact)
        let (before, after) = (try head.search(queries, .standard), try head.search(queries, .standard, in: again))
        #expect(after.found == before.found)
    }

    @Test(arguments: CodedSpace.some) func `a head on its way to a segment is searched by the codes it has`(_ space: CodedSpace) throws {
        var head = try CodedHead(space)
        try head.fill()
        let queries = head.queries(10)
        let before = try head.search(queries, .standard).found
        var state = try head.database.snapshot().collection("c").state
        state.sealHead()
        let part = try #require(state.sealed.last)
        #expect(CodedSearch.applies(to: part, space: 0) != nil)
        var input = SearchInput()
        input.floats = queries.flatMap(\.self)
        input.vectors = queries.indices.map { $0 * space.dimension..<($0 + 1) * space.dimension }
        #expect(try CollectionSnapshot(state).search(input).hits.map { $0.map { Int($0.document) } } == before)
    }
}
