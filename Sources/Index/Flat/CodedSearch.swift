// A search of rows that have codes: found by code, ranked by vector, and looked at whether that was enough.
package import Memory

extension CodedRows {
    /// What a search is to find.
    package struct Request {
        package var k: Int
        /// How many rows are found by code at first, at least k.
        package var wanted: Int
        /// How many of the k nearest may be missed.
        package var missesMax: Int

        package init(k: Int, wanted: Int, missesMax: Int) {
            precondition(wanted >= k && k > 0, "what is asked for has to be found")
            self.k = k
            self.wanted = wanted
            self.missesMax = missesMax
        }
    }

    /// The k nearest rows, by their vectors' scores, into `scratch.results`, best first; returns how many rows were compared. nil
    /// where codes tell too little, or save too little: all rows are to be compared then.
    ///
    /// Were codes any worse, more of the nearest would turn up late among what they found, and some not at all. So where more than
    /// may be missed turn up in the later half, four times as many rows are ranked.
    ///
    /// - Parameters:
    ///   - rows: the table that the codes are of, and its factors.
    ///   - visible: nil where all rows may be found.
    package func search(
        _ query: FlatQuery, _ request: Request, of rows: PagedRows<Float>, _ factors: PagedColumn<Float>, scratch: SearchScratch,
        visible: VisibleRows?
    ) -> Int? {
        precondition(rows.count == count && factors.count == count, "every row has its code")
        var (wanted, compared) = (request.wanted, 0)
        while wanted <= count / Self.rankedShare {
            let found = find(query.cells, wanted: wanted, scratch, visible: visible)
            rank(query, k: request.k, rows, factors, scratch)
            compared += count
            if found < wanted || late(found, k: request.k, scratch) <= request.missesMax { return compared }
            wanted *= Self.growth
        }
        return nil
    }

    /// To rank this part of the rows and more takes about as long as to compare all of them, which are read in one stream.
    private static let rankedShare = 4
    private static let growth = 4

    /// The best k candidates, into `scratch.results`; all candidates' scores into `scratch.scores`.
    private func rank(_ query: FlatQuery, k: Int, _ rows: PagedRows<Float>, _ factors: PagedColumn<Float>, _ scratch: SearchScratch) {
        let candidates = scratch.candidates
        let (scores, distances, ids) = (scratch.scores.cells, scratch.estimates.cells, scratch.ids.cells)
        for i in 0..<min(Self.rowsAhead, candidates.count) { rows.prefetch(Int(candidates[i])) }
        for i in 0..<candidates.count {
            if i + Self.rowsAhead < candidates.count { rows.prefetch(Int(candidates[i + Self.rowsAhead])) }
            let row = Int(candidates[i])
            scores[i] = query.score(rows.row(row), factor: factors[row])
            (distances[i], ids[i]) = (-scores[i], UInt32(i))
        }
        var best = CandidatePool(keys: scratch.otherKeys.cells, capacity: k)
        best.offer(ids.readOnly.part(0..<candidates.count), distances.readOnly, by: .best)
        let results = scratch.found.cells
        for place in 0..<best.count {
            let i = Int(CandidateKey.number(best[place]))
            results[place] = RankedRow(row: candidates[i], score: scores[i])
        }
        scratch.foundCount = best.count
    }

    /// Rows that are on their way from memory while one is compared.
    private static let rowsAhead = 4

    /// How many of the later half of what was found by code are among the k best.
    private func late(_ found: Int, k: Int, _ scratch: SearchScratch) -> Int {
        guard scratch.results.count == k else { return 0 }
        let (scores, worst) = (scratch.scores.cells, scratch.results[k - 1].score)
        var count = 0
        for i in found / 2..<found where scores[i] >= worst { count += 1 }
        return count
    }
}

extension FlatQuery {
    /// The score that ranks a row: the same, to the last bit, as in a page.
    @inline(__always)
    fileprivate func score(_ row: Span<Float>, factor: Float) -> Float {
        let row = row.extracting(first: vector.count)
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
        unsafe lentPage(row / pageRows).prefetch(from: row % pageRows * width, count: width)
    }
}
