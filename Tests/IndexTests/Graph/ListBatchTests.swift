// Many queries by lists at once, against each of them alone, to the last bit.
@testable import Index
import Memory
import Testing
import TestSupport

@Suite struct ListBatchTests {
    /// What a search has found: rows, the bits of their scores, and how many rows were compared.
    private struct Found: Equatable {
        var rows: [UInt32]
        var scores: [UInt32]
        var compared: Int

        init(_ scratch: SearchScratch, compared: Int) {
            rows = (0..<scratch.results.count).map { scratch.results[$0].row }
            scores = (0..<scratch.results.count).map { scratch.results[$0].score.bitPattern }
            self.compared = compared
        }
    }

    private static func alone(_ fixture: IndexFixture, _ index: VectorIndex, _ queries: [FlatQuery], k: Int, _ plan: IndexPlan, _ visible: VisiblePositions?) -> [Found] {
        let scratch = SearchScratch()
        return queries.map { query in
            let compared = index.search(query.cells, k: k, plan: plan, visible: visible, scratch: scratch)
            fixture.vectors.rank(query.cells, k: k, scratch: scratch)
            return Found(scratch, compared: compared)
        }
    }

    private static func together(
        _ fixture: IndexFixture, _ index: VectorIndex, _ queries: [FlatQuery], k: Int, _ plan: IndexPlan, _ visible: VisiblePositions?, _ scratch: SearchScratch
    ) -> [Found] {
        var found: [Found] = []
        index.search(queries[...], k: k, plan: plan, visible: visible, scratch: scratch) { query, compared in
            fixture.vectors.rank(queries[query].cells, k: k, scratch: scratch)
            #expect(query == found.count)
            found.append(Found(scratch, compared: compared))
        }
        return found
    }

    /// Queries beside rows, some of them twice, and some where no row is.
    private static func queries(_ fixture: IndexFixture, _ count: Int, _ random: inout SeededRandom) -> [FlatQuery] {
        (0..<count).map { number in
            let row = Int.random(in: 0..<fixture.count, using: &random)
            let query = (0..<fixture.vectors.dimension).map { j in
                number % 7 == 3 ? Float.random(in: -9...9, using: &random) : fixture.vectors.values[row * fixture.vectors.stride + j] + 0.01
            }
            return FlatQuery(query.span, metric: fixture.vectors.metric)
        }
    }

    /// Every so many rows; or all but those of the first lists, so that what is near to many queries is not among them.
    private static func masks(_ count: Int, _ random: inout SeededRandom) -> [(words: CellBuffer<UInt64>, visible: VisiblePositions)] {
        let conditions: [(Int, inout SeededRandom) -> Bool] = [
            { _, random in random.oneIn(2) }, { _, random in random.oneIn(30) }, { position, _ in position > 2 * count / 3 },
            { position, _ in position == count / 2 },
        ]
        return conditions.map { isVisible in
            let words = CellBuffer<UInt64>(count: (count + 63) / 64)
            var visible = 0
            for position in 0..<count where isVisible(position, &random) {
                words.cells[position >> 6] |= 1 << UInt64(position & 63)
                visible += 1
            }
            return (words, VisiblePositions(words: words.cells.readOnly, count: visible))
        }
    }

    @Test(arguments: Metric.allCases, [false, true])
    func `queries find together what each finds alone, bit for bit`(metric: Metric, lines: Bool) {
        let seed = TestSeed(111)
        var random = seed.random
        let dimension = lines ? 192 : 12
        for kind in lines ? [VectorKind.lowRank] : [.lowRank, .bytes, .outlierRows] {
            for groups in [false, true] {
                let fixture = IndexFixture(kind.rows(1300, dimension, &random), metric) {
                    ($0.hasGraph, $0.hasLines, $0.listRows) = (false, lines, 30)
                    if groups { $0.tableMax = 12 }
                }
                fixture.built.calibrate(IndexCalibration(fixture.index, vectors: fixture.vectors, seed: 1, threads: 2).measure())
                let index = VectorIndex(fixture.built.columns, metric: metric, owner: fixture.built)
                let scratch = SearchScratch(), masks = Self.masks(1300, &random)
                // The number of queries that share a word, and more.
                for (count, lists, rows, elsewhere) in [(1, 3, 0, 0), (64, 1, 0, 0), (65, 4, 200, 0), (130, 9, 0, 400), (50, 40, 0, 1300)] {
                    let queries = Self.queries(fixture, count, &random)
                    let plan = IndexPlan.lists(lists: lists, rows: rows, refined: 20, elsewhere: elsewhere)
                    for visible in [nil, masks.randomElement(using: &random)!.visible] {  // There are masks.
                        let together = Self.together(fixture, index, queries, k: 10, plan, visible, scratch)
                        let alone = Self.alone(fixture, index, queries, k: 10, plan, visible)
                        #expect(together == alone, "\(kind), \(plan), \(count) queries, \(visible?.count ?? 1300) visible, \(seed)")
                    }
                }
                withExtendedLifetime(masks) {}
            }
        }
    }

    @Test func `a batch like the one before takes no memory`() {
        let seed = TestSeed(112)
        var random = seed.random
        let fixture = IndexFixture(VectorKind.lowRank.rows(1000, 12, &random), .l2) { ($0.hasGraph, $0.listRows) = (false, 30) }
        let scratch = SearchScratch()
        let plan = IndexPlan.lists(lists: 4, rows: 0, refined: 20)
        func places() -> [Int] {
            let queries = Self.queries(fixture, 100, &random)
            _ = Self.together(fixture, fixture.index, queries, k: 10, plan, nil, scratch)
            let room = scratch.batchRoom(queries: 100, stride: fixture.index.codes.stride, refined: 20, lists: fixture.built.medoids.count)
            return [unsafe Int(bitPattern: room.keys(of: 0).address), unsafe Int(bitPattern: room.values(of: 0).address), room.queries.capacity, room.lineQueries.count]
        }
        let first = places()
        for _ in 0..<3 { #expect(places() == first, "\(seed)") }
    }
}
