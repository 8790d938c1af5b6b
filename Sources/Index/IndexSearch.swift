// A search of one index: the query made ready, candidates found in one of three ways, and the best of them ranked by codes.
package import Memory

/// How an index is gone through.
package enum IndexPlan: Equatable, Sendable {
    /// Along links from the nearest medoids, keeping `width` candidates; the best `refined` are ranked by their codes.
    case walk(width: Int, refined: Int)
    /// All visible rows of the nearest lists: at least `lists` of them, and on until `rows` were compared.
    case lists(lists: Int, rows: Int, refined: Int)
    /// All visible rows.
    case scan(refined: Int)
}

/// The positions of an index that a search may see.
package struct VisiblePositions: Sendable {
    /// A bit for each position.
    package let words: Cells<UInt64>
    /// How many are set.
    package let count: Int

    package init(words: Cells<UInt64>, count: Int) {
        self.words = words
        self.count = count
    }

    @inline(__always)
    func contains(_ position: UInt32) -> Bool { words[Int(position) >> 6] >> UInt64(position & 63) & 1 != 0 }
}

extension VectorIndex {
    /// Finds candidates for the k nearest visible rows: their rows go to `scratch.candidates`, nearest first by code, as many as
    /// may be among the k. `rank` then settles the order. Returns how many rows were compared.
    ///
    /// No row that is not visible becomes a candidate; a walk passes by such rows on its way.
    package func search(
        _ query: Cells<Float>, k: Int, plan: IndexPlan, visible: VisiblePositions? = nil, scratch: SearchScratch
    ) -> Int {
        search(query, k: k, plan: plan, visible: visible, excluding: nil, scratch: scratch)
    }

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

    /// The caller's row at a position.
    package func row(_ position: Int) -> UInt32 { columns.rows[position] }

    /// The same as if one position were not there.
    func search(
        _ query: Cells<Float>, k: Int, plan: IndexPlan, visible: VisiblePositions?, excluding excluded: UInt32?, scratch: SearchScratch
    ) -> Int {
        let refined = min(max(plan.refined, k), count)
        let space = space(for: plan, refined: refined, scratch)
        let (pool, code, visited) = find(query, plan, refined: refined, visible, excluded, space, scratch.lineQuery)
        settle(pool, count: refined, k: k, code, visible, excluded, space, scratch)
        return visited
    }

    /// Positions in the order in which the plan finds them, into `scratch.candidates`: how plans are measured.
    func findInOrder(
        _ query: Cells<Float>, plan: IndexPlan, visible: VisiblePositions?, excluding excluded: UInt32, scratch: SearchScratch
    ) -> Int {
        let space = space(for: plan, refined: plan.refined + 1, scratch)
        let (pool, _, visited) = find(query, plan, refined: plan.refined + 1, visible, excluded, space, scratch.lineQuery)
        var count = 0
        for place in 0..<pool.count where CandidateKey.number(pool[place]) != excluded && count < plan.refined {
            space.candidateRows[count] = CandidateKey.number(pool[place])
            count += 1
        }
        scratch.candidates = space.candidateRows.readOnly.part(0..<count)
        return visited
    }

    private func space(for plan: IndexPlan, refined: Int, _ scratch: SearchScratch) -> SearchSpace {
        scratch.reserve(
            rows: count, dimension: transform.dimension, stride: codes.stride,
            candidates: max(plan.width, refined, Self.entryCount) + columns.exceptions.count, lists: listCount, degree: degree)
    }

    private func find(
        _ query: Cells<Float>, _ plan: IndexPlan, refined: Int, _ visible: VisiblePositions?, _ excluded: UInt32?, _ space: SearchSpace,
        _ lineQuery: LineQuery
    ) -> (CandidatePool, PreparedCode, Int) {
        let prepared = space.prepared.part(0..<transform.dimension)
        transform.prepareQuery(query, into: prepared)
        let code = space.prepareCodes(
            prepared.readOnly, centre: transform.hasNorms ? columns.centre : zeros, rowStep: columns.parameters.step, stride: codes.stride,
            hasNorms: transform.hasNorms, isExact: columns.parameters.isExact, by: kernels)
        if hasLines {
            space.prepareLine(prepared.readOnly, columns.lineAxes, into: lineQuery, by: kernels)
            let scorer = LineScorer(kernels: kernels, query: lineQuery, lines: columns.lines)
            let (pool, visited) = find(plan, refined: refined, visible, excluded, by: scorer, space)
            return (pool, code, visited)
        }
        let scorer = CodeScorer(kernels: kernels, query: code, rows: codes, dots: space.dots)
        let (pool, visited) = find(plan, refined: refined, visible, excluded, by: scorer, space)
        return (pool, code, visited)
    }

    @inline(__always)
    private func find<S: WalkScorer>(
        _ plan: IndexPlan, refined: Int, _ visible: VisiblePositions?, _ excluded: UInt32?, by scorer: S, _ space: SearchSpace
    ) -> (CandidatePool, Int) {
        let table = scorer.table(columns.medoidCodes)
        switch plan {
        case .walk(let width, _):
            var pool = CandidatePool(keys: space.keys, capacity: max(width, refined))
            guard let visible else {
                let visited = walk(from: table, by: scorer, &pool, excluded, space) { _ in }
                return (pool, visited)
            }
            var seen = CandidatePool(keys: space.visibleKeys, capacity: refined)
            let visited = walk(from: table, by: scorer, &pool, visible, &seen, excluded, space)
            return (seen, visited)
        case .lists(let lists, let rows, _):
            var pool = CandidatePool(keys: space.keys, capacity: refined)
            let visited = scanLists(from: table, by: scorer, lists: lists, rows: rows, visible, &pool, space)
            return (pool, visited)
        case .scan:
            var pool = CandidatePool(keys: space.keys, capacity: refined)
            let visited = scan(0..<count, by: scorer, visible, &pool, space)
            return (pool, visited)
        }
    }

    // MARK: The walk

    /// Follows links from the medoids nearest to the query until no candidate is left whose links were not followed. `meet` hears of every
    /// position that is compared, its distances standing in `space.estimates`. Returns how many were compared.
    @inline(__always)
    private func walk<S: WalkScorer>(
        from table: S, by scorer: S, _ pool: inout CandidatePool, _ excluded: UInt32?, _ space: SearchSpace, meet: (Cells<UInt32>) -> Void
    ) -> Int {
        let (visited, touched, estimates) = (space.visited, space.touched, space.estimates)
        var seen = enter(table, &pool, excluded, space)
        // An excluded position comes first, and is not met.
        meet(touched.readOnly.part((excluded == nil ? 0 : 1)..<seen))
        let (links, degree) = (columns.links, degree)
        while let node = pool.takeNext() {
            let fresh = touched.part(seen..<seen &+ degree &+ 1)
            let count = visitLinks(
                links.part(Int(node) &* degree..<Int(node) &* degree &+ degree), visited: visited, unvisited: fresh, rows: scorer.bytes,
                stride: scorer.stride, bytes: scorer.stride)
            seen &+= count
            let ids = fresh.readOnly.part(0..<count)
            pool.prefetchAhead(links, degree: degree, rows: scorer.bytes, stride: scorer.stride)
            scorer.score(ids, into: estimates)
            pool.offer(ids, estimates, links: links, degree: degree, by: kernels)
            meet(ids)
        }
        for i in 0..<seen { visited[Int(touched[i]) >> 5] = 0 }
        return seen + listCount
    }

    /// The same, with the visible rows kept apart: all rows show the way, visible ones are found.
    @inline(__always)
    private func walk<S: WalkScorer>(
        from table: S, by scorer: S, _ pool: inout CandidatePool, _ visible: VisiblePositions, _ found: inout CandidatePool, _ excluded: UInt32?,
        _ space: SearchSpace
    ) -> Int {
        walk(from: table, by: scorer, &pool, excluded, space) { met in
            var count = 0
            for i in 0..<met.count {
                space.ids[count] = met[i]
                space.scores[count] = space.estimates[i]
                count &+= visible.contains(met[i]) ? 1 : 0
            }
            found.offer(space.ids.readOnly.part(0..<count), space.scores.readOnly, by: kernels)
        }
    }

    /// Puts the nearest medoids into the pool; returns how many positions are touched. Their estimates stay in `estimates`.
    @inline(__always)
    private func enter<S: WalkScorer>(_ table: S, _ pool: inout CandidatePool, _ excluded: UInt32?, _ space: SearchSpace) -> Int {
        let (visited, touched, estimates) = (space.visited, space.touched, space.estimates)
        table.score(0..<listCount, into: estimates)
        var best = CandidatePool(keys: space.otherKeys, capacity: Self.entryCount)
        best.offer(listNumbers, estimates.readOnly, by: kernels)
        var seen = 0
        if let excluded {
            visited[Int(excluded) >> 5] |= 1 << (excluded & 31)
            touched[0] = excluded
            seen = 1
        }
        let first = seen
        for place in 0..<best.count {
            let position = columns.medoids[Int(CandidateKey.number(best[place]))]
            let bit: UInt32 = 1 << (position & 31)
            guard visited[Int(position) >> 5] & bit == 0 else { continue }
            visited[Int(position) >> 5] |= bit
            touched[seen] = position
            estimates[seen - first] = CandidateKey.distance(best[place])
            columns.links.prefetch(from: Int(position) * degree, count: degree)
            seen += 1
        }
        pool.offer(touched.readOnly.part(first..<seen), estimates, links: columns.links, degree: degree, by: kernels)
        return seen
    }

    /// Medoids that a walk begins with: one to eight made no difference beyond the noise.
    static let entryCount = 4

    // MARK: Lists and scans

    /// Goes through the nearest lists until enough lists and enough rows were seen.
    @inline(__always)
    private func scanLists<S: WalkScorer>(
        from table: S, by scorer: S, lists: Int, rows: Int, _ visible: VisiblePositions?, _ pool: inout CandidatePool, _ space: SearchSpace
    ) -> Int {
        let estimates = space.estimates
        table.score(0..<listCount, into: estimates)
        // Mostly few lists are gone through; where they held too little, all are put in order.
        var ordered = CandidatePool(keys: space.listKeys, capacity: min(listCount, max(2 * lists, 32)))
        ordered.offer(listNumbers, estimates.readOnly, by: kernels)
        var (done, compared) = (0, 0)
        while done < listCount, done < lists || compared < rows {
            if done == ordered.count {
                ordered = CandidatePool(keys: space.listKeys, capacity: listCount)
                table.score(0..<listCount, into: estimates)
                ordered.offer(listNumbers, estimates.readOnly, by: kernels)
            }
            let list = Int(CandidateKey.number(ordered[done]))
            compared += scan(Int(columns.listStarts[list])..<Int(columns.listStarts[list + 1]), by: scorer, visible, &pool, space)
            done += 1
        }
        return compared + listCount
    }

    /// Compares the visible positions of a range.
    @inline(__always)
    private func scan<S: WalkScorer>(
        _ range: Range<Int>, by scorer: S, _ visible: VisiblePositions?, _ pool: inout CandidatePool, _ space: SearchSpace
    ) -> Int {
        let (ids, estimates) = (space.ids, space.scores)
        var compared = 0
        guard let visible else {
            for first in stride(from: range.lowerBound, to: range.upperBound, by: SearchScratch.blockRows) {
                let block = first..<min(first + SearchScratch.blockRows, range.upperBound)
                scorer.score(block, into: estimates)
                for (i, position) in block.enumerated() { ids[i] = UInt32(position) }
                pool.offer(ids.readOnly.part(0..<block.count), estimates.readOnly, by: kernels)
            }
            return range.count
        }
        var gathered = 0
        func compare() {
            let found = ids.readOnly.part(0..<gathered)
            prefetchRows(scorer.bytes, stride: scorer.stride, bytes: 64, ids: found)
            scorer.score(found, into: estimates)
            pool.offer(found, estimates.readOnly, by: kernels)
            compared &+= gathered
            gathered = 0
        }
        // Word by word: a run of rows that may not be seen costs a bit each.
        for word in range.lowerBound >> 6..<(range.upperBound + 63) >> 6 {
            var bits = visible.words[word]
            if word == range.lowerBound >> 6 { bits &= ~0 << UInt64(range.lowerBound & 63) }
            if word == (range.upperBound - 1) >> 6 { bits &= ~0 >> UInt64(63 - (range.upperBound - 1) & 63) }
            while bits != 0 {
                ids[gathered] = UInt32(word << 6 &+ bits.trailingZeroBitCount)
                gathered &+= 1
                bits &= bits &- 1
            }
            if gathered > SearchScratch.blockRows - 64 { compare() }
        }
        compare()
        return compared
    }

    // MARK: The end

    /// Ranks the best of the pool by their codes; what may be among the k stays.
    private func settle(
        _ pool: CandidatePool, count wanted: Int, k: Int, _ code: PreparedCode, _ visible: VisiblePositions?, _ excluded: UInt32?, _ space: SearchSpace,
        _ scratch: SearchScratch
    ) {
        let ids = space.ids
        var count = 0
        for place in 0..<min(wanted, pool.count) {
            let position = CandidateKey.number(pool[place])
            ids[count] = position
            count += isException(position) ? 0 : 1
        }
        for i in 0..<columns.exceptions.count {
            let position = columns.exceptions[i]
            if let visible, !visible.contains(position) { continue }
            ids[count] = position
            count += position == excluded ? 0 : 1
        }
        let candidates = ids.readOnly.part(0..<count)
        prefetchRows(codes.bytes, stride: codes.stride, bytes: codes.stride, ids: candidates)
        let scorer = CodeScorer(kernels: kernels, query: code, rows: codes, dots: space.dots)
        scorer.score(candidates, into: space.estimates)
        var ranked = CandidatePool(keys: space.otherKeys, capacity: max(count, 1))
        ranked.offer(candidates, space.estimates.readOnly, by: kernels)
        let last = ranked.count == 0 ? 0 : CandidateKey.distance(ranked[min(k, ranked.count) - 1])
        scratch.isRanked = code.isExact && ranked.count > 0 && code.isExact(upTo: last)
        guard !scratch.isRanked else { return take(ranked, k: k, code, space, scratch) }
        // Of few dimensions the errors are not near to normal, and the vectors cheap to read.
        let deviations: Float = code.dimension < 64 ? 4 : 2
        let limit = last + deviations * code.deviation(squaredError: columns.parameters.squaredError, at: last)
        let found = space.candidateRows
        var rows = 0
        for place in 0..<ranked.count {
            let position = CandidateKey.number(ranked[place])
            // Codes do not tell where exceptions are.
            guard CandidateKey.distance(ranked[place]) <= limit || isException(position) else { continue }
            found[rows] = columns.rows[Int(position)]
            rows += 1
        }
        scratch.candidates = found.readOnly.part(0..<rows)
    }

    /// The best k as they stand: of whole numbers codes tell distances exactly, in the floats' own bits.
    private func take(_ ranked: CandidatePool, k: Int, _ code: PreparedCode, _ space: SearchSpace, _ scratch: SearchScratch) {
        var count = 0
        let found = space.found
        let last = CandidateKey.distance(ranked[min(k, ranked.count) - 1])
        for place in 0..<ranked.count {
            let distance = CandidateKey.distance(ranked[place])
            // Equal ones behind the k-th may have lower rows.
            guard place < k || distance == last else { break }
            let row = RankedRow(row: columns.rows[Int(CandidateKey.number(ranked[place]))], score: -(distance + code.squaredLength))
            var at = count
            while at > 0, row.isBetter(than: found[at - 1]) {
                found[at] = found[at - 1]
                at -= 1
            }
            found[at] = row
            count += 1
        }
        scratch.candidates = .none
        scratch.results = found.readOnly.part(0..<min(count, k))
    }

    /// O(log exceptions), which rise.
    private func isException(_ position: UInt32) -> Bool {
        var (low, high) = (0, columns.exceptions.count)
        while low < high {
            let middle = (low + high) / 2
            if columns.exceptions[middle] < position { low = middle + 1 } else { high = middle }
        }
        return low < columns.exceptions.count && columns.exceptions[low] == position
    }
}

extension IndexPlan {
    var refined: Int {
        switch self {
        case .walk(_, let refined), .lists(_, _, let refined), .scan(let refined): refined
        }
    }

    var width: Int { if case .walk(let width, _) = self { width } else { 1 } }
}
