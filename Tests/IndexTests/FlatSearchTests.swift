// Exact search against a naive sort, and every batch against its queries one by one, to the last bit.
@testable import Index
import Memory
import Testing
import TestSupport

@Suite struct FlatSearchTests {
    /// Pages of rows, which of them are asked for, and queries.
    private struct Case {
        var metric: Metric
        var dimension: Int
        var stride: Int
        var pages: [Page] = []
        var queries: [[Float]] = []

        struct Page {
            var rows: [[Float]]
            var ties: [UInt32]
            var selection: [UInt32]
        }

        /// The hits of these queries searched for together, and how many rows were compared.
        func search(_ queries: [[Float]], k: Int) -> (hits: [[Candidate]], compared: Int) {
            var search = FlatSearch(queries: queries.map { FlatQuery($0.span, metric: metric) }, k: k)
            var firstRow = 0
            for page in pages {
                let floats = page.rows.flatMap { $0 + [Float](repeating: .nan, count: stride - dimension) }
                let factors = page.rows.map { metric.rowFactor($0.span) }
                let lent = FlatPage(rows: floats.span, stride: stride, factors: factors.span, ties: page.ties.span, firstRow: firstRow)
                search.scan(lent, selection: page.selection.span)
                firstRow += page.rows.count
            }
            let compared = search.compared
            return (search.finish(), compared)
        }

        /// Every selected row with the score that `score` gives it, sorted.
        func sorted(_ query: [Float], by score: ([Float], [Float]) -> Float) -> [Candidate] {
            var all: [Candidate] = []
            var firstRow = 0
            for page in pages {
                for row in page.selection {
                    let candidate = Candidate(
                        score: score(query, page.rows[Int(row)]), tie: page.ties[Int(row)], row: UInt32(firstRow) + row)
                    all.append(candidate)
                }
                firstRow += page.rows.count
            }
            return all.sorted { (-$0.score, $0.tie, $0.row) < (-$1.score, $1.tie, $1.row) }
        }

        var selectedCount: Int { pages.reduce(0) { $0 + $1.selection.count } }
    }

    private static let dimensions = [1, 2, 3, 7, 16, 33, 64, 100]

    private static func randomCase(_ metric: Metric, queryCount: Int, using random: inout SeededRandom, number: (inout SeededRandom) -> Float) -> Case {
        let dimension = dimensions.randomElement(using: &random)!  // There are dimensions.
        var result = Case(metric: metric, dimension: dimension, stride: dimension + (random.oneIn(2) ? 0 : Int.random(in: 1...5, using: &random)))
        // Fewer vectors than rows: equal rows, also on different pages, tie.
        let pool = (0..<Int.random(in: 1...20, using: &random)).map { _ in vector(dimension, metric, using: &random, number: number) }
        for _ in 0..<Int.random(in: 1...5, using: &random) {
            let count = Int.random(in: 1...12, using: &random)
            let keep = [1, 1, 2, 8].randomElement(using: &random)!  // There are four.
            result.pages.append(Case.Page(
                rows: (0..<count).map { _ in pool.randomElement(using: &random)! },  // There is at least one.
                ties: (0..<count).map { _ in UInt32.random(in: 0..<5, using: &random) },
                selection: (0..<UInt32(count)).filter { _ in random.oneIn(keep) }))
        }
        result.queries = (0..<queryCount).map { _ in
            // A query that is one of the rows meets its own score everywhere.
            random.oneIn(3) ? pool.randomElement(using: &random)! : vector(dimension, metric, using: &random, number: number)
        }
        return result
    }

    private static func vector(_ dimension: Int, _ metric: Metric, using random: inout SeededRandom, number: (inout SeededRandom) -> Float) -> [Float] {
        var vector = (0..<dimension).map { _ in number(&random) }
        if metric == .cosine, vector.allSatisfy({ $0 == 0 }) { vector[0] = 1 }
        return vector
    }

    private static func bits(_ hits: [[Candidate]]) -> [[[UInt32]]] { hits.map { $0.map { [$0.score.bitPattern, $0.tie, $0.row] } } }

    // MARK: Alone

    @Test(arguments: [Metric.dot, .l2])
    func `whole numbers, whose scores are exact, are ranked as the formula ranks them`(metric: Metric) {
        let seed = TestSeed(23)
        var random = SeededRandom(seed: seed.value &+ UInt64(metric.rawValue))
        for _ in 0..<300 {
            let numbers = Self.randomCase(metric, queryCount: 1, using: &random) { Float(Int.random(in: -3...3, using: &$0)) }
            for k in [1, 2, 5, 12, 200] {
                let found = numbers.search(numbers.queries, k: k)
                let expected = numbers.sorted(numbers.queries[0]) { query, row in
                    zip(query, row).reduce(0) { $0 + (metric == .dot ? $1.0 * $1.1 : -($1.0 - $1.1) * ($1.0 - $1.1)) }
                }
                #expect(found.hits == [Array(expected.prefix(k))], "\(seed)")
                #expect(found.compared == numbers.selectedCount)
            }
        }
    }

    @Test(arguments: Metric.allCases)
    func `any numbers are ranked by their scores, and scored as the formula says`(metric: Metric) {
        let seed = TestSeed(24)
        var random = SeededRandom(seed: seed.value &+ UInt64(metric.rawValue))
        for _ in 0..<300 {
            let numbers = Self.randomCase(metric, queryCount: 1, using: &random) { Float.random(in: -1...1, using: &$0) }
            let vector = numbers.queries[0]
            let query = FlatQuery(vector.span, metric: metric)
            let found = numbers.search(numbers.queries, k: 12).hits[0]
            let ranked = numbers.sorted((0..<query.cells.count).map { query.cells[$0] }) { Self.kernelScore(metric, $0, $1) }
            #expect(Self.bits([found]) == Self.bits([Array(ranked.prefix(12))]), "\(seed)")
            let byRow = Dictionary(uniqueKeysWithValues: numbers.sorted(numbers.queries[0]) { Self.trueScore(metric, $0, $1) }.map { ($0.row, $0.score) })
            for hit in found {
                let score = query.finalScore(hit.score)
                #expect(abs(score - byRow[hit.row]!) <= 1e-4 * Float(numbers.dimension), "\(seed)")  // Every hit was selected.
            }
        }
    }

    /// What ranks, by the kernel for a single pair.
    private static func kernelScore(_ metric: Metric, _ query: [Float], _ row: [Float]) -> Float {
        switch metric {
        case .dot: Kernels.best.dot(query.span, row.span)
        case .cosine: Kernels.best.dot(query.span, row.span) * metric.rowFactor(row.span)
        case .l2: -Kernels.best.squaredDistance(query.span, row.span)
        }
    }

    /// What callers see, by the definition.
    private static func trueScore(_ metric: Metric, _ query: [Float], _ row: [Float]) -> Float {
        let dot = zip(query, row).reduce(0.0) { $0 + Double($1.0) * Double($1.1) }
        switch metric {
        case .dot: return Float(dot)
        case .cosine: return Float(dot / (length(query) * length(row)))
        case .l2: return Float(-length(zip(query, row).map { $0 - $1 }))
        }
    }

    private static func length(_ vector: [Float]) -> Double { vector.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot() }

    // MARK: Together

    @Test(arguments: Metric.allCases, 1...9)
    func `the hits of a batch are those of its queries alone, bit for bit`(metric: Metric, batch: Int) {
        let seed = TestSeed(25)
        var random = SeededRandom(seed: seed.value &+ UInt64(metric.rawValue) &* 100 &+ UInt64(batch))
        for round in 0..<60 {
            let numbers = Self.randomCase(metric, queryCount: batch, using: &random) { random in
                round % 2 == 0 ? Float(Int.random(in: -2...2, using: &random)) : Float.random(in: -1...1, using: &random)
            }
            Self.expectBatchEqualsSingles(numbers, "\(seed)")
        }
    }

    @Test(arguments: Metric.allCases)
    func `the hits of a batch are those of its queries alone among rows a rounding apart`(metric: Metric) {
        let seed = TestSeed(26)
        var random = SeededRandom(seed: seed.value &+ UInt64(metric.rawValue))
        for _ in 0..<150 {
            var numbers = Self.randomCase(metric, queryCount: 5, using: &random) { Float.random(in: -1...1, using: &$0) }
            // All rows are one row, give or take the last bit of some of its numbers.
            let row = numbers.pages[0].rows[0]
            for page in numbers.pages.indices {
                for at in numbers.pages[page].rows.indices { numbers.pages[page].rows[at] = row.map { random.oneIn(3) ? $0.nextUp : $0 } }
            }
            Self.expectBatchEqualsSingles(numbers, "\(seed)")
        }
    }

    @Test(arguments: Metric.allCases)
    func `the hits of a batch are those of its queries alone at every magnitude a float has`(metric: Metric) {
        // Once they were not: the bound on a product's rounding was computed from squared lengths, which underflow for
        // vectors of length 1e-12 already, and rows were passed over that the kernel would have kept.
        let seed = TestSeed(27)
        var random = SeededRandom(seed: seed.value &+ UInt64(metric.rawValue))
        // Squared lengths stay below 2^125 at 100 dimensions; cosine has a least length besides.
        let exponents = metric == .cosine ? -55...58 : -148...58
        for _ in 0..<400 {
            let common = Int.random(in: exponents, using: &random)
            let spread = random.oneIn(2) ? 0 : 6
            let numbers = Self.randomCase(metric, queryCount: 6, using: &random) { random in
                let exponent = min(max(common + Int.random(in: -spread...spread, using: &random), exponents.lowerBound), exponents.upperBound)
                return Float(sign: Bool.random(using: &random) ? .plus : .minus, exponent: exponent, significand: Float.random(in: 1..<2, using: &random))
            }
            Self.expectBatchEqualsSingles(numbers, "2^\(common), \(seed)")
        }
    }

    private static func expectBatchEqualsSingles(_ numbers: Case, _ comment: @autoclosure () -> String) {
        for k in [1, 2, 3, 5, 8, 12] as [Int] where k <= 2 || numbers.selectedCount >= k / 2 {
            let together = numbers.search(numbers.queries, k: k)
            let alone = numbers.queries.map { numbers.search([$0], k: k).hits[0] }
            #expect(bits(together.hits) == bits(alone), "\(numbers.metric), dimension \(numbers.dimension), k \(k), \(comment())")
            #expect(together.compared == numbers.selectedCount * numbers.queries.count)
        }
    }

    @Test func `rows that are not selected take no part, whatever they hold`() {
        for metric in Metric.allCases {
            let row: [Float] = [1, 2]
            let poison: [Float] = [.nan, .infinity]
            let numbers = Case(
                metric: metric, dimension: 2, stride: 2,
                pages: [Case.Page(rows: [poison, row, poison], ties: [0, 1, 2], selection: [1])],
                queries: [[Float]](repeating: row, count: 5))
            let hits = numbers.search(numbers.queries, k: 3).hits
            #expect(hits.allSatisfy { $0.map(\.row) == [1] })
        }
    }

    @Test func `an empty selection finds nothing and compares nothing`() {
        let numbers = Case(metric: .dot, dimension: 1, stride: 1, pages: [Case.Page(rows: [[1]], ties: [0], selection: [])])
        for count in [1, 5] {
            let found = numbers.search([[Float]](repeating: [1], count: count), k: 3)
            #expect(found.hits == [[Candidate]](repeating: [], count: count))
            #expect(found.compared == 0)
        }
    }
}
