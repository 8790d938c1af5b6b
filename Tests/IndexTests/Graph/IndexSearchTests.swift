// Searches of whole indexes against exhaustive comparison, on data that is hard in many ways.
import Index
import Memory
import Synchronization
import TestSupport
import Testing

struct IndexSearchTests {
    private static let dimensions = [2, 3, 8, 17, 32, 100, 192, 200, 384]

    @Test(arguments: VectorKind.allCases)
    func `what is near is found by walk, lists and scan`(_ kind: VectorKind) throws {
        let seed = TestSeed(81)
        var random = seed.random
        let shift = VectorKind.allCases.firstIndex(of: kind)!  // One of them.
        // Every other dimension: the kinds take turns.
        for (i, dimension) in Self.dimensions.enumerated() where (i + shift) % 2 == 0 {
            let metric = Metric.allCases[(i / 2 + shift) % 3]
            let rows = kind.rows(400, dimension, &random)
            let queries = Self.queries(near: rows, 6, &random)
            let fixture = IndexFixture(rows, metric) { $0.hasLines = false }
            let scan = fixture.recall(queries, k: 10, .scan(refined: 100))
            // One heavy dimension makes the step for all: among few others, more than a hundred rows then have one code.
            #expect(scan >= (kind == .heavyDimensions ? 0.88 : 0.93), "\(metric), \(dimension), \(seed)")
            let everywhere = IndexPlan.lists(lists: fixture.built.medoids.count, rows: 0, refined: 100)
            #expect(fixture.recall(queries, k: 10, everywhere) == scan, "\(metric), \(dimension), \(seed)")
            #expect(fixture.recall(queries, k: 10, .walk(width: 100, refined: 100)) >= scan - 0.04, "\(metric), \(dimension), \(seed)")
            guard dimension >= 192, kind != .farClusters else { continue }
            let lined = IndexFixture(rows, metric) { $0.hasLines = true }
            #expect(lined.recall(queries, k: 10, .scan(refined: 100)) >= scan - 0.06, "\(metric), \(dimension), \(seed)")
            #expect(lined.recall(queries, k: 10, .walk(width: 100, refined: 100)) >= scan - 0.1, "\(metric), \(dimension), \(seed)")
        }
    }

    @Test func `products with rows a thousand times as long as others are found`() {
        let seed = TestSeed(82)
        var random = seed.random
        let rows = VectorKind.gaussian.rows(1200, 32, &random).enumerated().map { i, row in row.map { $0 * [1, 3, 10, 100, 1000][i % 5] } }
        let fixture = IndexFixture(rows, .dot)
        let queries = VectorKind.gaussian.rows(10, 32, &random)
        #expect(fixture.recall(queries, k: 10, .scan(refined: 60)) >= 0.98, "\(seed)")
        #expect(fixture.recall(queries, k: 10, .walk(width: 100, refined: 60)) >= 0.95, "\(seed)")
    }

    @Test func `walks get from one far cluster to another, whether it has a medoid or not`() {
        let seed = TestSeed(83)
        var random = seed.random
        // Six lists, forty clusters: most have none.
        let centres = VectorKind.gaussian.rows(40, 12, &random).map { $0.map { 30 * $0 } }
        let rows = VectorKind.gaussian.rows(1600, 12, &random).enumerated().map { i, row in zip(centres[i % 40], row).map { $0 + $1 } }
        let queries = (0..<40).map { rows[$0] }
        for metric in [Metric.l2, .cosine] {
            let fixture = IndexFixture(rows, metric)
            let scan = fixture.recall(queries, k: 10, .scan(refined: 60))
            #expect(fixture.recall(queries, k: 10, .walk(width: 60, refined: 60)) >= scan - 0.03, "\(metric), \(seed)")
        }
    }

    @Test func `there are no more results than rows`() {
        let seed = TestSeed(84)
        var random = seed.random
        let scratch = SearchScratch()
        for count in [1, 2, 5, 40] {
            for metric in Metric.allCases {
                let rows = VectorKind.gaussian.rows(count, 7, &random)
                let fixture = IndexFixture(rows, metric)
                let plans: [IndexPlan] = [.scan(refined: 1), .lists(lists: 1, rows: 100, refined: 1), .walk(width: 100, refined: 100)]
                for plan in plans {
                    let found = fixture.found(rows[0], k: 100, plan, scratch)
                    #expect(found.sorted() == (0..<UInt32(count)).map { $0 }, "\(metric), \(plan), \(seed)")
                }
            }
        }
    }

    @Test(arguments: [12, 200])
    func `only what may be seen is found, and a scan finds as much as there is`(_ dimension: Int) {
        let seed = TestSeed(85)
        var random = seed.random
        let rows = VectorKind.outlierRows.rows(400, dimension, &random)
        let fixture = IndexFixture(rows, .l2) { $0.hasLines = dimension >= 192 }
        #expect(fixture.built.exceptions.count > 0, "\(seed)")
        let scratch = SearchScratch()
        for round in 0..<2000 {
            let (visible, words) = Self.visible(400, share: [2, 8, 50, 200, 390][round % 5], &random)
            let query = rows[Int.random(in: 0..<400, using: &random)]
            let plan = [.scan(refined: 20), .lists(lists: 1, rows: 40, refined: 20), IndexPlan.walk(width: 24, refined: 20)][round % 3]
            let found = withExtendedLifetime(words) { fixture.found(query, k: 10, plan, visible: visible, scratch) }
            let positions = found.map { row in (0..<400).first { fixture.built.rows.cells[$0] == row }! }  // Every row has a position.
            let isSeen = positions.allSatisfy { words.cells[$0 >> 6] >> UInt64($0 & 63) & 1 == 1 }
            #expect(isSeen && Set(found).count == found.count, "\(plan), \(round), \(seed)")
            if case .scan = plan { #expect(found.count == min(10, visible.count), "\(round), \(seed)") }
        }
    }

    /// They were not: a walk went to where the query is, came by next to nothing that may be seen, and was content with that.
    @Test(arguments: [IndexPlan.walk(width: 40, refined: 40, elsewhere: 1500), .lists(lists: 3, rows: 60, refined: 40, elsewhere: 1500)])
    func `the nearest are found where a filter leaves only rows far from the query`(_ plan: IndexPlan) {
        let seed = TestSeed(90)
        var random = seed.random
        let centres = VectorKind.gaussian.rows(30, 12, &random).map { $0.map { 4 * $0 } }
        let rows = VectorKind.gaussian.rows(3000, 12, &random).enumerated().map { i, row in zip(centres[i % 30], row).map { $0 + $1 } }
        let fixture = IndexFixture(rows, .l2)
        let scratch = SearchScratch()
        var hits = 0
        for query in Self.queries(near: rows, 4, &random) {
            let distances = rows.map { zip($0, query).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) } }
            let order = rows.indices.sorted { distances[$0] < distances[$1] }
            for count in [1500, 300] {
                let far = order.suffix(count), isFar = Set(far)
                let words = CellBuffer<UInt64>(count: (rows.count + 63) / 64)
                for position in rows.indices where isFar.contains(Int(fixture.built.rows.cells[position])) {
                    words.cells[position >> 6] |= 1 << UInt64(position & 63)
                }
                let visible = VisiblePositions(words: words.cells.readOnly, count: count)
                let found = withExtendedLifetime(words) { fixture.found(query, k: 10, plan, visible: visible, scratch) }
                hits += Set(far.prefix(10).map { UInt32($0) }).intersection(found).count
            }
        }
        #expect(hits >= 76, "\(seed)")
    }

    /// Of queries from other clusters than the rows', a third of what was asked for was found.
    @Test(arguments: [Metric.l2, .cosine])
    func `queries that are near to no row are compared with all of them`(_ metric: Metric) {
        let seed = TestSeed(91)
        var random = seed.random
        let centres = VectorKind.gaussian.rows(20, 24, &random).map { $0.map { 3 * $0 } }
        let rows = VectorKind.gaussian.rows(900, 24, &random).enumerated().map { i, row in zip(centres[i % 20], row).map { $0 + 0.3 * $1 } }
        let fixture = IndexFixture(rows, metric)
        fixture.built.calibrate(IndexCalibration(fixture.index, vectors: fixture.vectors, seed: 1, threads: 2).measure())
        let index = VectorIndex(fixture.built.columns, metric: metric, owner: fixture.built)
        let (plan, careless) = (IndexPlan.walk(width: 12, refined: 12, elsewhere: 1), IndexPlan.walk(width: 12, refined: 12))
        let scratch = SearchScratch()
        func carriedOut(_ plan: IndexPlan, _ query: [Float]) -> IndexPlan {
            let cells = CellBuffer<Float>(count: query.count)
            for (i, value) in query.enumerated() { cells.cells[i] = value }
            _ = withExtendedLifetime(cells) { index.search(cells.cells.readOnly, k: 10, plan: plan, scratch: scratch) }
            return scratch.plan
        }
        for query in VectorKind.gaussian.rows(10, 24, &random).map({ $0.map { 3 * $0 } }) {
            #expect(carriedOut(plan, query) != plan, "\(metric), \(seed)")
            #expect(carriedOut(careless, query) == careless, "\(metric), \(seed)")
        }
        let usual = rows.prefix(40).filter { carriedOut(plan, $0) == plan }
        #expect(usual.count >= 38, "\(metric), \(seed)")
    }

    @Test func `equal seeds build equal indexes on any number of threads`() {
        let seed = TestSeed(86)
        var random = seed.random
        let rows = VectorKind.lowRank.rows(1300, 200, &random) + VectorKind.duplicates.rows(200, 200, &random)
        let indexes = [1, 2, 3].map { threads in IndexFixture(rows, .cosine) { $0.threads = threads } }
        let expected = Self.bytes(indexes[0].built)
        #expect(Self.bytes(indexes[1].built) == expected && Self.bytes(indexes[2].built) == expected, "\(seed)")
        let other = IndexFixture(rows, .cosine) { $0.seed = 2 }
        #expect(Self.bytes(other.built) != expected, "\(seed)")
    }

    @Test func `a build that is cancelled gives nothing`() {
        let seed = TestSeed(87)
        var random = seed.random
        let rows = VectorKind.gaussian.rows(300, 200, &random)
        var asked = 0
        for patience in [0, 1, 3, 5, 8, 12, 20, 30, 45, 60, 80, 100, 1_000_000] {
            let asks = Mutex(0)
            let isCancelled = IndexFixture.isCancelled(rows, .l2) {
                asks.withLock {
                    $0 += 1
                    return $0 > patience
                }
            }
            asked = asks.withLock { $0 }
            #expect(isCancelled == (asked > patience), "\(patience), \(seed)")
        }
        #expect(asked > 30, "\(seed)")
    }

    @Test func `vectors without a direction do no harm`() {
        let seed = TestSeed(88)
        var random = seed.random
        for dimension in [6, 200] {
            var rows = VectorKind.gaussian.rows(400, dimension, &random)
            for i in stride(from: 0, to: 400, by: 9) { rows[i] = [Float](repeating: 0, count: dimension) }
            for metric in [Metric.dot, .l2] {
                let fixture = IndexFixture(rows, metric) { $0.hasLines = dimension >= 192 }
                let queries = Self.queries(near: rows.filter { $0[0] != 0 }, 5, &random)
                #expect(fixture.recall(queries, k: 10, .walk(width: 60, refined: 60)) >= 0.95, "\(metric), \(dimension), \(seed)")
                let found = fixture.found(rows[0], k: 10, .scan(refined: 60), SearchScratch())
                #expect(found.count == 10, "\(metric), \(dimension), \(seed)")
            }
        }
    }

    @Test func `lines are made where they rank well`() {
        let seed = TestSeed(89)
        var random = seed.random
        func hasLines(_ kind: VectorKind, _ count: Int, _ dimension: Int) -> Bool {
            IndexFixture(kind.rows(count, dimension, &random), .l2) { $0.hasGraph = false }.index.hasLines
        }
        #expect(hasLines(.duplicates, 4096, 192), "\(seed)")
        #expect(!hasLines(.gaussian, 4096, 256), "\(seed)")
        #expect(!hasLines(.duplicates, 1000, 192), "\(seed)")
        #expect(!hasLines(.duplicates, 4096, 100), "\(seed)")
    }

    // MARK: Helpers

    /// Rows, and mixtures of two.
    private static func queries(near rows: [[Float]], _ count: Int, _ random: inout SeededRandom) -> [[Float]] {
        (0..<count).map { i in
            let (a, b) = (rows[Int.random(in: 0..<rows.count, using: &random)], rows[Int.random(in: 0..<rows.count, using: &random)])
            return i % 2 == 0 ? a : zip(a, b).map { 0.9 * $0 + 0.1 * $1 }
        }
    }

    private static func visible(_ count: Int, share: Int, _ random: inout SeededRandom) -> (VisiblePositions, CellBuffer<UInt64>) {
        let words = CellBuffer<UInt64>(count: (count + 63) / 64)
        var seen = 0
        for position in 0..<count where Int.random(in: 0..<count, using: &random) < share {
            words.cells[position >> 6] |= 1 << UInt64(position & 63)
            seen += 1
        }
        return (VisiblePositions(words: words.cells.readOnly, count: seen), words)
    }

    private static func bytes(_ built: BuiltIndex) -> [[UInt8]] {
        func copied<T: BitwiseCopyable>(_ column: CellBuffer<T>) -> [UInt8] { (0..<column.bytes.byteCount).map { unsafe column.bytes.unsafeLoad(fromByteOffset: $0, as: UInt8.self) } }
        return [
            copied(built.rows), copied(built.codes), copied(built.lines), copied(built.links), copied(built.listStarts), copied(built.medoids),
            copied(built.medoidCodes), copied(built.exceptions), copied(built.centre), copied(built.lineMean), copied(built.lineBlocks),
            copied(built.lineSums), copied(built.lineScales),
        ]
    }
}
