// The end of a search of one index: the best candidates ranked by their codes, as many as may be among the k.
import Memory

extension VectorIndex {
    /// Ranks the best of the pool by their codes; what may be among the k stays.
    func settle(
        _ reached: Found, k: Int, _ code: PreparedCode, _ visible: VisiblePositions?, _ excluded: UInt32?, _ space: SearchSpace,
        _ scratch: SearchScratch
    ) {
        let ids = space.ids
        var count = 0
        for place in 0..<min(reached.refined, reached.pool.count) {
            let position = CandidateKey.number(reached.pool[place])
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
        if let nearest = reached.nearest {
            scratch.remoteness = remoteness(code, at: nearest, space)
        } else {
            scratch.remoteness = ranked.count == 0 ? .infinity : remoteness(code, CandidateKey.distance(ranked[0]))
        }
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

    /// How far a position is from a query.
    func remoteness(of query: Cells<Float>, at position: UInt32, scratch: SearchScratch) -> Float {
        let space = space(for: .scan(refined: 1), refined: 1, scratch)
        return remoteness(prepare(query, space).code, at: position, space)
    }

    private func remoteness(_ code: PreparedCode, at position: UInt32, _ space: SearchSpace) -> Float {
        space.ids[0] = position
        CodeScorer(kernels: kernels, query: code, rows: codes, dots: space.dots).score(space.ids.readOnly.part(0..<1), into: space.estimates)
        return remoteness(code, space.estimates[0])
    }

    /// By its code: its squared distance, or, where products decide, what its product lacks of the greatest that rows of
    /// their length can have with the query.
    private func remoteness(_ code: PreparedCode, _ distance: Float) -> Float {
        let ratio = code.step / code.rowStep
        guard !transform.hasNorms else { return (distance + code.squares * ratio * ratio) * code.rowStep * code.rowStep }
        let lengths = code.squaredLength * (transform.metric == .dot ? transform.boundSquared : 1)
        return 1 + distance * code.step * code.rowStep / lengths.squareRoot()
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
