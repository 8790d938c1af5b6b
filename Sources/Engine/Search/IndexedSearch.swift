// A search of one segment by its index: a plan from what is visible, candidates, and their vectors' true scores.
import Index
import Memory

/// Query vectors against segments that have an index for the space.
struct IndexedSearch {
    let space: Int
    let k: Int
    let effort: VectorIndex.Effort
    /// By document: the version in force.
    let current: PagedColumn<UInt32>
    let visibility: Visibility?
    private(set) var visited = 0
    private(set) var expectedRecall: Float = 1
    /// nil as long as nothing was found by an index.
    private(set) var kind: SearchPlan.Kind?

    init(space: Int, k: Int, effort: VectorIndex.Effort, current: PagedColumn<UInt32>, visibility: Visibility?) {
        self.space = space
        self.k = k
        self.effort = effort
        self.current = current
        self.visibility = visibility
    }

    /// Calls `body` for the nearest rows found, in no order: at least as many as there are, up to k. False where the segment has to
    /// be compared vector by vector instead.
    mutating func run(
        _ query: FlatQuery, on segment: Segment, _ index: VectorIndex, liveCount: Int, scratch: SearchScratch, _ body: (_ row: UInt32, _ document: UInt32, _ score: Float) -> Void
    ) throws(EngineError) -> Bool {
        let visible = try visible(segment, index)
        if let visible, visible.count == 0 { return true }
        if let way = way(through: index, of: segment, liveCount: liveCount, visible) {
            visited += index.search(query.cells, k: way.k, plan: way.plan, visible: visible, scratch: scratch)
            if try hand(over: query, way, segment, scratch, body) { return true }
        }
        guard let visible else { return false }
        return try runOverAll(visible, query, on: segment, index, scratch, body)
    }

    /// The same for many queries together, where that is sooner; nil, and nothing is done, where it is not. Returns the queries, by number,
    /// for which the segment has to be compared vector by vector instead.
    mutating func run(
        _ queries: [FlatQuery], on segment: Segment, _ index: VectorIndex, liveCount: Int, scratch: SearchScratch, deadline: Deadline,
        _ body: (_ query: Int, _ row: UInt32, _ document: UInt32, _ score: Float) -> Void
    ) throws(EngineError) -> [Int]? {
        guard queries.count > 1 else { return nil }
        let visible = try visible(segment, index)
        guard let way = way(through: index, of: segment, liveCount: liveCount, visible), VectorIndex.isBatch(queries.count, way.plan) else { return nil }
        var left: [Int] = []
        let batches = (queries.count + VectorIndex.batchMax - 1) / VectorIndex.batchMax
        for batch in 0..<batches {
            let part = queries[queries.count * batch / batches..<queries.count * (batch + 1) / batches]
            try index.search(part, k: way.k, plan: way.plan, visible: visible, scratch: scratch) { (number, compared) throws(EngineError) in
                try deadline.check()
                visited += compared
                if try hand(over: queries[number], way, segment, scratch, { body(number, $0, $1, $2) }) { return }
                let isDone = if let visible {
                    try runOverAll(visible, queries[number], on: segment, index, scratch) { body(number, $0, $1, $2) }
                } else { false }
                if !isDone { left.append(number) }
            }
        }
        return left
    }

    /// How any query goes through a segment's index.
    private struct Way {
        var plan: IndexPlan
        var recall: Float
        /// Rows asked for: more than are wanted, where some are left out at the end.
        var k: Int
        /// Whether every row found counts.
        var areAllLive: Bool
        /// Rows that must come of it.
        var wanted: Int
    }

    /// nil where every row is to be compared.
    private func way(through index: VectorIndex, of segment: Segment, liveCount: Int, _ visible: VisiblePositions?) -> Way? {
        // Without a filter, rows not in force are left out at the end: so many more are asked for.
        let areAllLive = visible != nil || liveCount == segment.rowCount
        let asked = areAllLive ? k : min(index.count, k * segment.rowCount / max(liveCount, 1) + k / 4 + 8)
        guard let (plan, recall) = index.plan(k: asked, effort: effort, visibleCount: visible?.count ?? index.count) else { return nil }
        return Way(plan: plan, recall: recall, k: asked, areAllLive: areAllLive, wanted: min(k, visible?.count ?? (areAllLive ? index.count : liveCount)))
    }

    private func visible(_ segment: Segment, _ index: VectorIndex) throws(EngineError) -> VisiblePositions? {
        guard let visibility else { return nil }
        return try visibility.positions(of: segment, space: space, index, current).visible
    }

    /// Ranks what was found and hands it on; false, and nothing is, where it is too little.
    private mutating func hand(
        over query: FlatQuery, _ way: Way, _ segment: Segment, _ scratch: SearchScratch, _ body: (UInt32, UInt32, Float) -> Void
    ) throws(EngineError) -> Bool {
        try touchCandidates(of: segment, scratch)
        segment.vectors[space].rows.rank(query.cells, k: way.k, scratch: scratch)
        let found = way.areAllLive ? scratch.results.count : liveResults(segment, scratch)
        guard found >= way.wanted else { return false }
        hand(segment, scratch, onlyLive: !way.areAllLive, body)
        note(scratch.plan, way.recall)
        return true
    }

    /// Few are left, or the plan did not come by enough of them: all are compared. False where they are more than that is good for.
    private mutating func runOverAll(
        _ visible: VisiblePositions, _ query: FlatQuery, on segment: Segment, _ index: VectorIndex, _ scratch: SearchScratch,
        _ body: (UInt32, UInt32, Float) -> Void
    ) throws(EngineError) -> Bool {
        guard visible.count <= Self.gatheredRowsMax else { return false }
        visited += index.takeAll(visible, scratch: scratch)
        try touchCandidates(of: segment, scratch)
        // Every one is handed on: which of equals are among the k is told by their documents, not by their rows.
        segment.vectors[space].rows.score(query.cells, scratch: scratch)
        hand(segment, scratch, onlyLive: false, body)
        return true
    }

    /// More than these are compared page by page.
    private static let gatheredRowsMax = 4096

    private func touchCandidates(of segment: Segment, _ scratch: SearchScratch) throws(EngineError) {
        try segment.touchForRanking(space: space)
        let documents = segment.vectors[space].documents
        for i in 0..<scratch.candidates.count {
            let row = Int(scratch.candidates[i])
            try segment.touchVector(row, space: space)
            documents.prefetch(from: row, count: 1)
        }
    }

    private func hand(_ segment: Segment, _ scratch: SearchScratch, onlyLive: Bool, _ body: (UInt32, UInt32, Float) -> Void) {
        let vectors = segment.vectors[space]
        for i in 0..<scratch.results.count {
            let result = scratch.results[i]
            guard !onlyLive || isLive(result, vectors) else { continue }
            body(result.row, vectors.documents[Int(result.row)], result.score)
        }
    }

    private func isLive(_ result: RankedRow, _ vectors: SegmentVectors) -> Bool {
        current[Int(vectors.documents[Int(result.row)])] == vectors.versions[Int(result.row)]
    }

    private func liveResults(_ segment: Segment, _ scratch: SearchScratch) -> Int {
        var count = 0
        for i in 0..<scratch.results.count where isLive(scratch.results[i], segment.vectors[space]) { count += 1 }
        return count
    }

    private mutating func note(_ plan: IndexPlan, _ recall: Float) {
        expectedRecall = min(expectedRecall, recall)
        let own: SearchPlan.Kind = if case .walk = plan { .graph } else { .lists }
        kind = kind == nil || kind == own ? own : .mixed
    }
}
