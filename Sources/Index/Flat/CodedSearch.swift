// A search of rows that have codes: found by code, ranked by vector, and looked at whether that was enough.
package import Memory

extension CodedRows {
    /// What a search is to find.
    package struct Request {
        package var k: Int
        /// How many rows are found by code at first, at least k.
        package var wanted: Int
        /// Share of the k nearest that is to be found, on average.
        package var recall: Float

        package init(k: Int, wanted: Int, recall: Float) {
            precondition(wanted >= k && k > 0, "what is asked for has to be found")
            self.k = k
            self.wanted = wanted
            self.recall = recall
        }
    }

    /// The k nearest rows, by their vectors' scores, into `scratch.results`, best first; returns how many rows were compared. nil
    /// where codes tell too little, or save too little: all visible rows are to be compared then.
    ///
    /// The worse the codes, the later the nearest turn up among what was found by them, and some not at all. So each answer is
    /// judged by itself (`isEnough`), and where it is not good, four times as many rows are ranked.
    ///
    /// - Parameters:
    ///   - rows: the table that the codes are of, and its factors.
    ///   - visible: the rows that may be found, all of which have a vector; nil where all rows may be.
    package func search(
        _ query: FlatQuery, _ request: Request, of rows: PagedRows<Float>, _ factors: PagedColumn<Float>, visible: VisiblePositions?,
        scratch: SearchScratch
    ) -> Int? {
        precondition(rows.count == count && factors.count == count, "every row has its code")
        let visibleCount = visible?.count ?? count
        var (wanted, compared) = (request.wanted, 0)
        while wanted <= visibleCount / Self.rankedShare {
            let found = find(query.cells, wanted: wanted, visible, scratch)
            rank(query, k: request.k, rows, factors, scratch)
            compared += visibleCount
            if found < wanted || isEnough(found, request, scratch) { return compared }
            wanted *= Self.growth
        }
        return nil
    }

    /// To rank this part of the rows and more takes about as long as to compare all of them, which are read in one stream.
    private static let rankedShare = 4
    private static let growth = 4

    /// The best k candidates, into `scratch.results`; all candidates' scores into `scratch.scores`.
    private func rank(_ query: FlatQuery, k: Int, _ rows: PagedRows<Float>, _ factors: PagedColumn<Float>, _ scratch: SearchScratch) {
        let (candidates, scores) = (scratch.candidates, scratch.current.scores)
        for i in 0..<min(Self.rowsAhead, candidates.count) { rows.prefetch(Int(candidates[i])) }
        for i in 0..<candidates.count {
            if i + Self.rowsAhead < candidates.count { rows.prefetch(Int(candidates[i + Self.rowsAhead])) }
            let row = Int(candidates[i])
            scores[i] = query.score(rows.row(row), factor: factors[row])
        }
        scratch.keepBest(k)
    }

    /// Rows that are on their way from memory while one is compared.
    private static let rowsAhead = 4

    /// Whether hardly more than may be missed lies beyond what was found by code. Were it to fall off evenly, as much of the best
    /// would lie beyond, in proportion to the later half, as in the later half in proportion to the earlier; four times that is
    /// reckoned with, as it falls off slower. Where codes tell nothing, both halves have as many of the best.
    private func isEnough(_ found: Int, _ request: Request, _ scratch: SearchScratch) -> Bool {
        let k = request.k
        guard scratch.results.count == k else { return true }
        let (scores, worst) = (scratch.current.scores, scratch.results[k - 1].score)
        var late = 0
        for i in found / 2..<found where scores[i] >= worst { late += 1 }
        return Float(4 * late * late) <= (1 - request.recall) * Float(k * (k - min(late, k)))
    }
}

extension FlatQuery {
    /// The score that ranks a row: the same, to the last bit, as in a page.
    @inline(__always)
    func score(_ row: Span<Float>, factor: Float) -> Float {
        let row = row.extracting(first: dimension)
        return switch metric {
        case .l2: -Kernels.best.squaredDistance(cells.span, row)
        case .cosine: Kernels.best.dot(cells.span, row) * factor
        case .dot: Kernels.best.dot(cells.span, row)
        }
    }
}

extension PagedRows<Float> {
    /// Asks for a row's cache lines.
    @inline(__always)
    fileprivate func prefetch(_ row: Int) {
        // Sound: self holds the page.
        unsafe lentRow(row).prefetch(from: 0, count: width)
    }
}
