// Indexes whose lists are in groups: many lists of few rows stand for the millions of rows that have them in earnest.
import Index
import Memory
import TestSupport
import Testing

struct ListGroupTests {
    private static func group(_ settings: inout IndexSettings) {
        settings.listRows = 12
        settings.tableMax = 8
    }

    @Test(arguments: VectorKind.allCases)
    func `every row is in one list, every list in one group, each with a middle of its own`(_ kind: VectorKind) {
        let seed = TestSeed(101)
        var random = seed.random
        for metric in Metric.allCases {
            let built = IndexFixture(kind.rows(700, 9, &random), metric, Self.group).built
            let (lists, groups) = (Self.ranges(built.listStarts), Self.ranges(built.groupStarts))
            #expect(Set((0..<700).map { built.rows.cells[$0] }).count == 700, "\(metric), \(seed)")
            for (ranges, end, medoids) in [(lists, 700, built.medoids), (groups, lists.count, built.groupMedoids)] {
                #expect(ranges.first?.lowerBound == 0 && ranges.last?.upperBound == end && ranges.count == medoids.count, "\(metric), \(seed)")
                #expect(ranges.allSatisfy { !$0.isEmpty }, "\(metric), \(seed)")
            }
            #expect(groups.count <= 8, "\(metric), \(seed)")
            for (list, positions) in lists.enumerated() { #expect(positions.contains(Int(built.medoids.cells[list])), "\(metric), \(list), \(seed)") }
            for (group, own) in groups.enumerated() {
                let positions = lists[own.lowerBound].lowerBound..<lists[own.upperBound - 1].upperBound
                #expect(positions.contains(Int(built.groupMedoids.cells[group])), "\(metric), \(group), \(seed)")
            }
        }
    }

    @Test func `as many lists as a table holds are in no groups`() {
        let seed = TestSeed(102)
        var random = seed.random
        let rows = VectorKind.gaussian.rows(700, 9, &random)
        func built(_ tableMax: Int) -> BuiltIndex {
            IndexFixture(rows, .l2) {
                $0.listRows = 12
                $0.tableMax = tableMax
            }.built
        }
        let (one, two) = (built(58), built(57))
        #expect(one.medoids.count > 40 && one.groupStarts.count + one.groupMedoids.count + one.groupCodes.count == 0, "\(seed)")
        #expect(two.groupMedoids.count > 40, "\(seed)")
    }

    @Test(arguments: [false, true])
    func `what is near is found in few of many lists, and in all lists what a scan finds`(_ lines: Bool) {
        let seed = TestSeed(103)
        var random = seed.random
        for (kind, metric) in [(VectorKind.lowRank, Metric.l2), (.farClusters, .cosine), (.lowRank, .dot)] {
            let rows = kind.rows(1500, lines ? 192 : 24, &random)
            let queries = Self.queries(rows, 20, share: 0.02)
            let fixture = IndexFixture(rows, metric) {
                Self.group(&$0)
                $0.hasLines = lines
            }
            let count = fixture.built.medoids.count
            #expect(count > 40, "\(seed)")
            let scan = fixture.recall(queries, k: 10, .scan(refined: 100))
            #expect(fixture.recall(queries, k: 10, .lists(lists: count, rows: 0, refined: 100)) == scan, "\(kind), \(metric), \(seed)")
            let share = Self.share(of: fixture, queries, lists: count / 3)
            let some = fixture.recall(queries, k: 10, .lists(lists: count / 3, rows: 0, refined: 100))
            #expect(share > 0.5 && some >= scan * share - 0.1, "\(kind), \(metric), \(share), \(seed)")
            #expect(fixture.recall(queries, k: 10, .walk(width: 100, refined: 100)) >= scan - 0.1, "\(kind), \(metric), \(seed)")
            #expect(fixture.unreachableRows == [], "\(kind), \(metric), \(seed)")
        }
    }

    @Test(arguments: [false, true])
    func `all lists of an index find what a scan finds, row for row, whatever is visible`(_ groups: Bool) {
        let seed = TestSeed(107)
        var random = seed.random
        for (kind, dimension, hasLines) in [(VectorKind.lowRank, 9, false), (.duplicates, 9, false), (.lowRank, 192, true)] {
            let fixture = IndexFixture(kind.rows(1500, dimension, &random), .l2) {
                if groups { Self.group(&$0) }
                ($0.hasGraph, $0.hasLines) = (false, hasLines)
            }
            let (lists, scratch) = (fixture.built.medoids.count, SearchScratch())
            for share in [1, 2, 5, 40, 1500] {
                let words = CellBuffer<UInt64>(count: (1500 + 63) / 64)
                var count = 0
                for position in 0..<1500 where random.next() % UInt64(share) == 0 {
                    words.cells[position >> 6] |= 1 << UInt64(position & 63)
                    count += 1
                }
                for visible in [nil, VisiblePositions(words: words.cells.readOnly, count: count)] {
                    for row in [3, 700, 1400] {
                        let query = (0..<dimension).map { fixture.vectors.values[row * fixture.vectors.stride + $0] + 0.01 }
                        func found(_ plan: IndexPlan) -> [UInt32] {
                            withExtendedLifetime(words) { fixture.found(query, k: 10, plan, visible: visible, scratch) }
                        }
                        let (byLists, byScan) = (found(.lists(lists: lists, rows: 0, refined: 30)), found(.scan(refined: 30)))
                        #expect(byLists == byScan && byLists.count == min(10, visible?.count ?? 1500), "\(kind), 1 of \(share), \(seed)")
                    }
                }
            }
        }
    }

    @Test func `lists go on through all groups until enough rows are seen`() {
        let seed = TestSeed(104)
        var random = seed.random
        let fixture = IndexFixture(VectorKind.gaussian.rows(900, 6, &random), .l2, Self.group)
        let scratch = SearchScratch()
        let query = (0..<6).map { fixture.vectors.values[$0] }
        for rows in [1, 10, 100, 450, 899, 900, 5000] {
            let found = fixture.found(query, k: 900, .lists(lists: 1, rows: rows, refined: 900), scratch)
            #expect(found.count >= min(rows, 900) && Set(found).count == found.count, "\(rows), \(seed)")
        }
    }

    @Test func `equal seeds build equal groups on any number of threads`() {
        let seed = TestSeed(105)
        var random = seed.random
        // More rows than a block has, half of them in one group.
        let small = VectorKind.duplicates.rows(1300, 40, &random).map { row in row.map { 0.01 * $0 } }
        let rows = VectorKind.lowRank.rows(1300, 40, &random) + small
        func build(_ change: (inout IndexSettings) -> Void) -> [[UInt8]] {
            let built = IndexFixture(rows, .l2) {
                Self.group(&$0)
                $0.hasGraph = false
                change(&$0)
            }.built
            return withExtendedLifetime(built) {
                let columns = built.columns
                return IndexColumn.allCases.map { id in
                    let bytes = columns.bytes(of: id)
                    return (0..<bytes.count).map { bytes[$0] }
                }
            }
        }
        let expected = build { _ in }
        for threads in [2, 3] {
            let isEqual = build { $0.threads = threads } == expected
            #expect(isEqual, "\(threads), \(seed)")
        }
        let isEqual = build { $0.seed = 2 } == expected
        #expect(!isEqual, "\(seed)")
    }

    @Test func `a calibrated index of groups finds what it was asked for`() throws {
        let seed = TestSeed(106)
        var random = seed.random
        let rows = VectorKind.lowRank.rows(2000, 24, &random)
        let fixture = IndexFixture(rows, .cosine) {
            Self.group(&$0)
            $0.hasGraph = false
        }
        fixture.built.calibrate(IndexCalibration(fixture.index, vectors: fixture.vectors, seed: 1, threads: 2).measure())
        let index = VectorIndex(fixture.built.columns, metric: .cosine, owner: fixture.built)
        let (plan, recall) = try #require(index.plan(k: 10, effort: .recall(0.9), visibleCount: 2000), "\(seed)")
        guard case .lists(let lists, let wanted, _, _) = plan else { return _ = Issue.record("\(plan), \(seed)") }
        // `rows` stands for the rows of so many lists, no table's medoids among them.
        #expect(recall >= 0.9 && wanted >= lists && wanted <= 2000, "\(plan), \(seed)")
        let queries = Self.queries(rows, 40, share: 0.1)
        #expect(fixture.recall(queries, k: 10, plan) >= 0.85, "\(plan), \(seed)")
    }

    /// The share of the true ten nearest in the lists whose medoids are nearest, all of them compared.
    private static func share(of fixture: IndexFixture, _ queries: [[Float]], lists: Int) -> Double {
        let ranges = ranges(fixture.built.listStarts)
        var found = 0
        for query in queries {
            let scores = fixture.scores(query)
            func score(_ position: Int) -> Double { scores[Int(fixture.built.rows.cells[position])] }
            let last = scores.sorted(by: >)[9]
            let nearest = ranges.indices.sorted { score(Int(fixture.built.medoids.cells[$0])) > score(Int(fixture.built.medoids.cells[$1])) }
            for list in nearest.prefix(lists) { found += ranges[list].filter { score($0) >= last }.count }
        }
        return Double(found) / Double(10 * queries.count)
    }

    /// Rows, moved towards others.
    private static func queries(_ rows: [[Float]], _ count: Int, share: Float) -> [[Float]] {
        (0..<count).map { number -> [Float] in
            let (row, other) = (rows[7 * number], rows[7 * number + 1])
            return row.indices.map { row[$0] + share * (other[$0] - row[$0]) }
        }
    }

    private static func ranges(_ starts: CellBuffer<UInt32>) -> [Range<Int>] {
        (0..<max(0, starts.count - 1)).map { Int(starts.cells[$0])..<Int(starts.cells[$0 + 1]) }
    }
}
