// Requests of many vectors, against one request for each: the same hits and scores, however a segment is gone through.
@testable import Engine
import Index
import Testing
import TestSupport

@Suite struct BatchSearchTests {
    private static let dimension = 16
    private static let documentCount = 1200
    private let database: Database
    private let seed = TestSeed(71)
    private var random: SeededRandom

    init() throws {
        database = try TestDatabase.open(FaultyDisk(), sizes: TestDatabase.largeFiles)
        random = seed.random
        let space = SpaceSchema(dimension: Self.dimension, metric: .cosine, index: .ivf)
        _ = try database.write(.createCollection(CollectionSchema(name: "c", spaces: [space], fields: [FieldSchema(name: "i", type: .int)])))
        var input = UpsertInput([])
        for number in 0..<Self.documentCount {
            var (document, chunk) = (DocumentInput("d\(number)", fields: [("i", .integer(Int64(number % 2)))]), ChunkInput())
            chunk.vectors = [VectorInput(space: nil, floats: input.floats.count..<input.floats.count + Self.dimension)]
            input.floats += vector()
            document.chunks = [chunk]
            input.documents.append(document)
        }
        _ = try database.write(.upsert(input))
        try database.checkpoint()
        while try database.maintainIndexes() {}
    }

    private mutating func vector() -> [Float] {
        let centre = Int.random(in: 0..<5, using: &random)
        return (0..<Self.dimension).map { j in (j % 5 == centre ? 2 : 0) + Float.random(in: -1...1, using: &random) }
    }

    /// Hits and the bits of their scores.
    private static func told(_ hits: [Hit]) -> [[UInt32]] { hits.map { [$0.document, $0.row, $0.score.bitPattern] } }

    private func expectEqual(_ vectors: [[Float]], _ effort: SearchEffort, _ filter: Filter?) throws -> SearchPlan {
        let collection = try database.snapshot().collection("c")
        func search(_ vectors: [[Float]]) throws -> SearchResult {
            var input = SearchInput()
            for vector in vectors {
                input.vectors.append(input.floats.count..<input.floats.count + vector.count)
                input.floats += vector
            }
            (input.effort, input.filter) = (effort, filter)
            return try collection.search(input)
        }
        let together = try search(vectors)
        let alone = try vectors.map { try search([$0]) }
        let comment = "\(effort), \(together.plan), \(vectors.count) vectors, \(seed)"
        #expect(together.hits.map(Self.told) == alone.map { Self.told($0.hits[0]) }, "\(comment)")
        #expect(together.plan.visited == alone.reduce(0) { $0 + $1.plan.visited }, "\(comment)")
        return together.plan
    }

    @Test mutating func `many vectors in one request find what each finds alone, whatever is visible or deleted`() throws {
        var byLists = 0
        for isThinned in [false, true] {
            if isThinned {
                let gone = (0..<Self.documentCount).filter { _ in random.oneIn(6) }.map { "d\($0)" }
                _ = try database.write(.delete(DeleteInput(collection: "c", ids: gone)))
            }
            for count in [2, 60, 300] {
                let vectors = (0..<count).map { _ in vector() }
                for effort in [SearchEffort.standard, .recall(0.6), .width(4), .width(40)] {
                    for filter in [nil, Filter.field("i", .isIn([.integer(1)]))] {
                        if try expectEqual(vectors, effort, filter).kind == .lists { byLists += 1 }
                    }
                }
            }
        }
        #expect(byLists >= 12, "\(seed)")
    }

    @Test mutating func `a request of many vectors ends at its deadline`() throws {
        let collection = try database.snapshot().collection("c")
        var input = SearchInput()
        for _ in 0..<100 {
            input.vectors.append(input.floats.count..<input.floats.count + Self.dimension)
            input.floats += vector()
        }
        input.effort = .width(4)
        let error = #expect(throws: EngineError.self) { try collection.search(input, deadline: Deadline(at: .now - .seconds(1))) }
        #expect(error?.code == .deadlineExceeded)
    }
}
