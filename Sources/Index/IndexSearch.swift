// A search of one index: the query made ready, candidates found in one of three ways, and the best of them ranked by codes.
package import Memory

extension VectorIndex {
    /// Finds candidates for the k nearest visible rows: their rows go to `scratch.candidates`, nearest first by code, as many as
    /// may be among the k. `rank` then settles the order. Returns how many rows were compared; `scratch.plan` tells how in the end.
    ///
    /// No row that is not visible becomes a candidate; a walk passes by such rows on its way. A plan was measured with queries that
    /// have rows near to them: one that met none, visible or not, where the plan minds (`elsewhere`), is compared with all visible rows.
    package func search(
        _ query: Cells<Float>, k: Int, plan: IndexPlan, visible: VisiblePositions? = nil, scratch: SearchScratch
    ) -> Int {
        let compared = search(query, k: k, plan: plan, visible: visible, excluding: nil, scratch: scratch).count
        return compared + searchIfRemote(query, k: k, plan: plan, visible: visible, scratch: scratch)
    }

    /// Compares a query that met no near row with all visible ones, where the plan that was carried out minds.
    func searchIfRemote(_ query: Cells<Float>, k: Int, plan: IndexPlan, visible: VisiblePositions?, scratch: SearchScratch) -> Int {
        guard plan.elsewhere > 0, scratch.plan == plan, let remotest = calibration.remotest,
            scratch.remoteness > Self.remoteFrom * remotest
        else { return 0 }
        let scan = IndexPlan.scan(refined: Self.remoteRefined * plan.refined)
        return search(query, k: k, plan: scan, visible: visible, excluding: nil, scratch: scratch).count
    }

    /// Far from all rows, estimates tell less: of 100,000 x 384 rows and queries of other clusters, .94 with twice as many as were ranked
    /// otherwise for .95, .986 with four times as many.
    private static let remoteRefined = 4

    /// As many times as far from all rows as the remotest query of the calibration, and a query is unlike those. Of real queries, 1 to 6 of a
    /// thousand have no row as near as that one had; of queries of other clusters all have none within 1.6 times (100,000 x 384).
    private static let remoteFrom: Float = 1.2

    /// All visible rows as candidates, whatever their codes say; returns how many.
    package func takeAll(_ visible: VisiblePositions, scratch: SearchScratch) -> Int {
        let space = scratch.reserve(
            rows: count, dimension: transform.dimension, stride: codes.stride, candidates: visible.count, lists: listCount, degree: degree)
        var found = 0
        for word in 0..<(count + 63) / 64 {
            var bits = visible.words[word]
            while bits != 0 {
                space.candidateRows[found] = columns.rows[word << 6 + bits.trailingZeroBitCount]
                found += 1
                bits &= bits - 1
            }
        }
        scratch.isRanked = false
        scratch.candidates = space.candidateRows.readOnly.part(0..<found)
        return found
    }

    /// The caller's rows, by position.
    package var rows: Cells<UInt32> { columns.rows }

    /// The caller's row at a position.
    package func row(_ position: Int) -> UInt32 { columns.rows[position] }

    /// The same as if one position were not there.
    func search(
        _ query: Cells<Float>, k: Int, plan: IndexPlan, visible: VisiblePositions?, excluding excluded: UInt32?, scratch: SearchScratch
    ) -> Comparisons {
        let refined = min(max(plan.refined, k), count)
        let space = space(for: plan, refined: refined, scratch)
        let (found, code) = find(query, plan, refined: refined, visible, excluded, space, scratch.lineQuery)
        scratch.plan = found.plan
        settle(found, k: k, code, visible, excluded, space, scratch)
        return found.compared
    }

    /// Positions in the order in which the plan finds them, into `scratch.candidates`: how plans are measured.
    func findInOrder(
        _ query: Cells<Float>, plan: IndexPlan, visible: VisiblePositions?, excluding excluded: UInt32, scratch: SearchScratch
    ) -> Comparisons {
        let space = space(for: plan, refined: plan.refined + 1, scratch)
        let (found, _) = find(query, plan, refined: plan.refined + 1, visible, excluded, space, scratch.lineQuery)
        var count = 0
        for place in 0..<found.pool.count where CandidateKey.number(found.pool[place]) != excluded && count < plan.refined {
            space.candidateRows[count] = CandidateKey.number(found.pool[place])
            count += 1
        }
        scratch.candidates = space.candidateRows.readOnly.part(0..<count)
        return found.compared
    }

    func space(for plan: IndexPlan, refined: Int, _ scratch: SearchScratch) -> SearchSpace {
        scratch.reserve(
            rows: count, dimension: transform.dimension, stride: codes.stride,
            candidates: max(plan.width, Self.refinedElsewhere * refined, Self.entryCount) + columns.exceptions.count, lists: listCount, degree: degree)
    }

    /// Candidates in the order of their estimates, of which the first `refined` are to be ranked.
    struct Found {
        var pool: CandidatePool
        var refined: Int
        var compared: Comparisons
        /// What was carried out.
        var plan: IndexPlan
        /// The nearest position met, where that need not be a candidate.
        var nearest: UInt32?
    }

    private func find(
        _ query: Cells<Float>, _ plan: IndexPlan, refined: Int, _ visible: VisiblePositions?, _ excluded: UInt32?, _ space: SearchSpace,
        _ lineQuery: LineQuery
    ) -> (Found, PreparedCode) {
        let (prepared, code) = prepare(query, space)
        if hasLines {
            space.prepareLine(prepared, columns.lineAxes, into: lineQuery, by: kernels)
            let scorer = LineScorer(kernels: kernels, query: lineQuery, lines: columns.lines)
            return (find(plan, refined: refined, visible, excluded, by: scorer, space), code)
        }
        let scorer = CodeScorer(kernels: kernels, query: code, rows: codes, dots: space.dots)
        return (find(plan, refined: refined, visible, excluded, by: scorer, space), code)
    }

    func prepare(_ query: Cells<Float>, _ space: SearchSpace) -> (prepared: Cells<Float>, code: PreparedCode) {
        let prepared = space.prepared.part(0..<transform.dimension)
        transform.prepareQuery(query, into: prepared)
        let code = space.prepareCodes(
            prepared.readOnly, centre: transform.hasNorms ? columns.centre : zeros, rowStep: columns.parameters.step, stride: codes.stride,
            hasNorms: transform.hasNorms, isExact: columns.parameters.isExact, by: kernels)
        return (prepared.readOnly, code)
    }

    @inline(__always)
    private func find<S: WalkScorer>(
        _ plan: IndexPlan, refined: Int, _ visible: VisiblePositions?, _ excluded: UInt32?, by scorer: S, _ space: SearchSpace
    ) -> Found {
        switch plan {
        case .walk(let width, _, let elsewhere):
            let entries = entries(by: scorer, space)
            var pool = CandidatePool(keys: space.keys, capacity: max(width, refined))
            guard let visible else {
                let compared = walk(from: entries, by: scorer, &pool, excluded, space) { _ in }
                return Found(pool: pool, refined: refined, compared: compared, plan: plan)
            }
            if elsewhere > 0, isElsewhere(visible, than: entries) { return searchElsewhere(by: scorer, elsewhere, refined: refined, visible, space) }
            var seen = CandidatePool(keys: space.visibleKeys, capacity: refined)
            let compared = walk(from: entries, by: scorer, &pool, visible, &seen, excluded, space)
            return Found(pool: seen, refined: refined, compared: compared, plan: plan, nearest: pool.count > 0 ? CandidateKey.number(pool[0]) : nil)
        case .lists(let lists, let rows, _, let elsewhere):
            if elsewhere > 0, let visible, isElsewhere(visible, than: entries(by: scorer, space)) {
                return searchElsewhere(by: scorer, elsewhere, refined: refined, visible, space)
            }
            var pool = CandidatePool(keys: space.keys, capacity: refined)
            let compared = scanLists(by: scorer, lists: lists, rows: rows, visible, &pool, space)
            return Found(pool: pool, refined: refined, compared: compared, plan: plan)
        case .scan:
            var pool = CandidatePool(keys: space.keys, capacity: refined)
            let compared = scan(0..<count, by: scorer, visible, &pool, space)
            return Found(pool: pool, refined: refined, compared: Comparisons(rows: compared, medoids: 0), plan: plan)
        }
    }

    /// The nearest of the table, for a walk to begin with: one to eight made no difference beyond the noise.
    @inline(__always)
    func entries<S: WalkScorer>(by scorer: S, _ space: SearchSpace) -> CandidatePool {
        scorer.table(tableCodes).score(0..<tableCount, into: space.estimates)
        var nearest = CandidatePool(keys: space.otherKeys, capacity: Self.entryCount)
        nearest.offer(listNumbers.part(0..<tableCount), space.estimates.readOnly, by: kernels)
        return nearest
    }

    static let entryCount = 4

    // MARK: Visible rows that lie elsewhere

    /// Whether those entries' lists hold less than two thirds of the visible rows that they would, were these spread evenly, and less than
    /// chance explains (three standard deviations).
    func isElsewhere(_ visible: VisiblePositions, than entries: CandidatePool) -> Bool {
        var (rows, seen) = (0, 0)
        // Of a small index all of them would be a good part.
        for place in 0..<min(entries.count, max(1, tableCount / 16)) {
            let range = positions(ofEntry: Int(CandidateKey.number(entries[place])))
            rows += range.count
            seen += visible.count(in: range)
        }
        let expected = Float(rows) * Float(visible.count) / Float(count)
        return Float(seen) + max(expected / 3, 3 * expected.squareRoot()) < expected
    }

    /// Far from a query the order of lists tells less, and so does that of estimates.
    private func searchElsewhere<S: WalkScorer>(
        by scorer: S, _ rows: Int, refined: Int, _ visible: VisiblePositions, _ space: SearchSpace
    ) -> Found {
        let refined = Self.refinedElsewhere * refined
        var pool = CandidatePool(keys: space.keys, capacity: refined)
        guard rows < visible.count else {
            let compared = scan(0..<count, by: scorer, visible, &pool, space)
            return Found(pool: pool, refined: refined, compared: Comparisons(rows: compared, medoids: tableCount), plan: .scan(refined: refined))
        }
        let compared = scanLists(by: scorer, lists: 1, rows: rows, visible, &pool, space)
        return Found(pool: pool, refined: refined, compared: compared, plan: .lists(lists: 1, rows: rows, refined: refined))
    }

    static let refinedElsewhere = 2

    // MARK: The walk

    /// Follows links from the medoids nearest to the query until no candidate is left whose links were not followed. `meet` hears of every
    /// position that is compared, its distances standing in `space.estimates`. Returns how many were compared.
    @inline(__always)
    private func walk<S: WalkScorer>(
        from entries: CandidatePool, by scorer: S, _ pool: inout CandidatePool, _ excluded: UInt32?, _ space: SearchSpace, meet: (Cells<UInt32>) -> Void
    ) -> Comparisons {
        let (visited, touched, estimates) = (space.visited, space.touched, space.estimates)
        var seen = enter(entries, &pool, excluded, space)
        // An excluded position comes first, and is not met.
        meet(touched.readOnly.part((excluded == nil ? 0 : 1)..<seen))
        let (links, degree) = (columns.links, degree)
        while let node = pool.takeNext() {
            let fresh = touched.part(seen..<seen &+ degree &+ 1)
            let count = visitLinks(
                links.part(Int(node) &* degree..<Int(node) &* degree &+ degree), visited: visited, unvisited: fresh, rows: scorer.bytes,
                stride: scorer.stride, bytes: scorer.stride)
            seen &+= count
            // What is followed will be ranked, mostly: its code comes while the walk goes on.
            if hasLines { codes.bytes.prefetch(from: Int(node) &* codes.stride, count: codes.stride) }
            let ids = fresh.readOnly.part(0..<count)
            pool.prefetchAhead(links, degree: degree, rows: scorer.bytes, stride: scorer.stride)
            scorer.score(ids, into: estimates)
            pool.offer(ids, estimates, links: links, degree: degree, by: kernels)
            meet(ids)
        }
        for i in 0..<seen { visited[Int(touched[i]) >> 5] = 0 }
        return Comparisons(rows: seen, medoids: tableCount)
    }

    /// The same, with the visible rows kept apart: all rows show the way, visible ones are found.
    @inline(__always)
    private func walk<S: WalkScorer>(
        from entries: CandidatePool, by scorer: S, _ pool: inout CandidatePool, _ visible: VisiblePositions, _ found: inout CandidatePool,
        _ excluded: UInt32?, _ space: SearchSpace
    ) -> Comparisons {
        walk(from: entries, by: scorer, &pool, excluded, space) { met in
            var count = 0
            for i in 0..<met.count {
                space.ids[count] = met[i]
                space.scores[count] = space.estimates[i]
                count &+= visible.contains(met[i]) ? 1 : 0
            }
            found.offer(space.ids.readOnly.part(0..<count), space.scores.readOnly, by: kernels)
        }
    }

    /// Puts the medoids of the table's entries into the pool; returns how many positions are touched. Their estimates stay in `estimates`.
    private func enter(_ entries: CandidatePool, _ pool: inout CandidatePool, _ excluded: UInt32?, _ space: SearchSpace) -> Int {
        let (visited, touched, estimates) = (space.visited, space.touched, space.estimates)
        var seen = 0
        if let excluded {
            visited[Int(excluded) >> 5] |= 1 << (excluded & 31)
            touched[0] = excluded
            seen = 1
        }
        let first = seen
        for place in 0..<entries.count {
            let position = tableMedoids[Int(CandidateKey.number(entries[place]))]
            let bit: UInt32 = 1 << (position & 31)
            guard visited[Int(position) >> 5] & bit == 0 else { continue }
            visited[Int(position) >> 5] |= bit
            touched[seen] = position
            estimates[seen - first] = CandidateKey.distance(entries[place])
            seen += 1
        }
        pool.offer(touched.readOnly.part(first..<seen), estimates, links: columns.links, degree: degree, by: kernels)
        return seen
    }
}
