// The last step of a search by an index: candidates ranked by their stored vectors.
package import Memory

extension VectorRows {
    /// The best k of the candidates by their vectors, into `scratch.results`, unless they are there already.
    package func rank(_ query: Cells<Float>, k: Int, scratch: SearchScratch) {
        guard !scratch.isRanked else { return }
        let rows = scratch.candidates
        for i in 0..<rows.count { row(Int(rows[i])).prefetch(from: 0, count: dimension) }
        score(query, rows, into: scratch.current.scores)
        scratch.keepBest(k)
    }

    /// All candidates with their scores, in no order, into `scratch.results`: for whoever has an order of its own among equals.
    package func score(_ query: Cells<Float>, scratch: SearchScratch) {
        let rows = scratch.candidates, space = scratch.current
        for i in 0..<rows.count { row(Int(rows[i])).prefetch(from: 0, count: dimension) }
        score(query, rows, into: space.scores)
        for i in 0..<rows.count { space.found[i] = RankedRow(row: rows[i], score: space.scores[i]) }
        scratch.results = space.found.readOnly.part(0..<rows.count)
    }

    /// The scores that rank rows: see `Metric`, but for Euclidean distance its negative square.
    private func score(_ query: Cells<Float>, _ rows: Cells<UInt32>, into scores: MutableCells<Float>) {
        guard rows.count > 0 else { return }
        var output = scores.mutableSpan
        switch metric {
        case .l2:
            Kernels.best.squaredDistance(query.span, rows: values.span, stride: stride, at: rows.span, into: &output)
            for i in 0..<rows.count { scores[i] = -scores[i] }
        case .dot: Kernels.best.dot(query.span, rows: values.span, stride: stride, at: rows.span, into: &output)
        case .cosine:
            Kernels.best.dot(query.span, rows: values.span, stride: stride, at: rows.span, into: &output)
            for i in 0..<rows.count { scores[i] *= factors[Int(rows[i])] }
        }
    }
}

extension SearchScratch {
    /// The best k of the candidates, by their scores in `scores`, into `results`, best first.
    func keepBest(_ k: Int) {
        let (rows, scores, found) = (candidates, current.scores, current.found)
        var count = 0
        for i in 0..<rows.count {
            let row = RankedRow(row: rows[i], score: scores[i])
            if count == k {
                guard row.isBetter(than: found[k - 1]) else { continue }
                count -= 1
            }
            var place = count
            while place > 0, row.isBetter(than: found[place - 1]) {
                found[place] = found[place - 1]
                place -= 1
            }
            found[place] = row
            count += 1
        }
        results = found.readOnly.part(0..<count)
    }
}

extension RankedRow {
    /// Of equal scores the lower row is better.
    @inline(__always)
    func isBetter(than other: RankedRow) -> Bool { score != other.score ? score > other.score : row < other.row }
}
