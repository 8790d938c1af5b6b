// A search of one segment by its index: a plan from what is visible, candidates, and their vectors' true scores.
import Index
import Memory

/// One query vector against segments that have an index for the space.
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
        if let visibility {
            let visible = try visibility.positions(of: segment, space: space, index, current).visible
            return try run(query, on: segment, index, visible, scratch, body)
        }
        return try run(query, on: segment, index, liveCount: liveCount, scratch, body)
    }

    /// Without a filter, rows not in force are left out at the end: so many more are asked for.
    private mutating func run(
        _ query: FlatQuery, on segment: Segment, _ index: VectorIndex, liveCount: Int, _ scratch: SearchScratch,
        _ body: (UInt32, UInt32, Float) -> Void
    ) throws(EngineError) -> Bool {
        let areAllLive = liveCount == segment.rowCount
        let asked = areAllLive ? k : min(index.count, k * segment.rowCount / max(liveCount, 1) + k / 4 + 8)
        guard let (plan, recall) = index.plan(k: asked, effort: effort, visibleCount: index.count) else { return false }
        visited += index.search(query.cells, k: asked, plan: plan, scratch: scratch)
        try rank(query, k: asked, segment, scratch)
        let found = areAllLive ? scratch.results.count : liveResults(segment, scratch)
        guard found >= min(k, areAllLive ? index.count : liveCount) else { return false }
        let vectors = segment.vectors[space]
        for i in 0..<scratch.results.count {
            let result = scratch.results[i]
            guard areAllLive || isLive(result, vectors) else { continue }
            body(result.row, vectors.documents[Int(result.row)], result.score)
        }
        note(scratch.plan, recall)
        return true
    }

    private mutating func run(
        _ query: FlatQuery, on segment: Segment, _ index: VectorIndex, _ visible: VisiblePositions, _ scratch: SearchScratch,
        _ body: (UInt32, UInt32, Float) -> Void
    ) throws(EngineError) -> Bool {
        guard visible.count > 0 else { return true }
        let wanted = min(k, visible.count)
        if let (plan, recall) = index.plan(k: k, effort: effort, visibleCount: visible.count) {
            visited += index.search(query.cells, k: k, plan: plan, visible: visible, scratch: scratch)
            try rank(query, k: k, segment, scratch)
            if scratch.results.count >= wanted {
                hand(segment, scratch, body)
                note(scratch.plan, recall)
                return true
            }
        }
        // Few are left, or the plan did not come by enough of them: all are compared.
        guard visible.count <= Self.gatheredRowsMax else { return false }
        visited += index.takeAll(visible, scratch: scratch)
        try touchCandidates(of: segment, scratch)
        // Every one is handed on: which of equals are among the k is told by their documents, not by their rows.
        segment.vectors[space].rows.score(query.cells, scratch: scratch)
        hand(segment, scratch, body)
        return true
    }

    /// More than these are compared page by page.
    private static let gatheredRowsMax = 4096

    private func rank(_ query: FlatQuery, k: Int, _ segment: Segment, _ scratch: SearchScratch) throws(EngineError) {
        try touchCandidates(of: segment, scratch)
        segment.vectors[space].rows.rank(query.cells, k: k, scratch: scratch)
    }

    private func touchCandidates(of segment: Segment, _ scratch: SearchScratch) throws(EngineError) {
        try segment.touchForRanking(space: space)
        let documents = segment.vectors[space].documents
        for i in 0..<scratch.candidates.count {
            let row = Int(scratch.candidates[i])
            try segment.touchVector(row, space: space)
            documents.prefetch(from: row, count: 1)
        }
    }

    private func hand(_ segment: Segment, _ scratch: SearchScratch, _ body: (UInt32, UInt32, Float) -> Void) {
        let vectors = segment.vectors[space]
        for i in 0..<scratch.results.count {
            let result = scratch.results[i]
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
