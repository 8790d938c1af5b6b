// A search of one index: the query made ready, a walk along the links, codes rank what it found, floats settle it.
package import Memory

/// How wide a search looks.
package struct SearchWidth: Equatable, Sendable {
    /// Candidates that a walk keeps.
    package var walk: Int
    /// Of them, how many are ranked by their codes.
    package var refined: Int

    package init(walk: Int, refined: Int) {
        self.walk = walk
        self.refined = refined
    }
}

extension VectorIndex {
    /// The k nearest rows that a walk of this width finds, into `scratch.results`, with exact scores. Returns how many rows
    /// were looked at. `vectors` are the rows that the index was built from.
    package func walk(_ query: Cells<Float>, k: Int, width: SearchWidth, vectors: VectorRows, scratch: SearchScratch) -> Int {
        let walkWidth = max(width.walk, k)
        let refined = max(min(width.refined, walkWidth), k)
        scratch.reserve(
            rows: count, dimension: transform.dimension, stride: codes.stride, candidates: max(walkWidth, refined) + columns.exceptions.count,
            lists: listCount, degree: degree)
        let prepared = scratch.prepared.cells.part(0..<transform.dimension)
        transform.prepareQuery(query, into: prepared)
        let code = prepareCodes(prepared.readOnly, scratch)
        var pool = CandidatePool(keys: scratch.keys.cells, capacity: walkWidth)
        let visited: Int
        if hasLines {
            prepareLine(prepared.readOnly, scratch)
            let scorer = LineScorer(kernels: kernels, query: scratch.lineQuery, lines: columns.lines)
            visited = walk(from: scorer.table(columns.medoidCodes), by: scorer, &pool, scratch)
        } else {
            let scorer = CodeScorer(kernels: kernels, query: code, rows: codes, dots: scratch.dots.cells)
            visited = walk(from: scorer.table(columns.medoidCodes), by: scorer, &pool, scratch)
        }
        settle(pool, count: refined, k: k, query, code, vectors, scratch)
        return visited
    }

    // MARK: The query

    /// The query on the codes' grid: about the centre where distances decide, and then in the rows' step where it fits, so that
    /// whole numbers stay exact; from zero where products do, since a centre adds the same to each row's product then.
    private func prepareCodes(_ query: Cells<Float>, _ scratch: SearchScratch) -> PreparedCode {
        let centred = scratch.centred.cells.part(0..<query.count)
        let values = scratch.values.cells.part(0..<codes.stride)
        let greatest = kernels.centre(query, around: transform.hasNorms ? columns.centre : zeros, into: centred)
        let rowStep = columns.parameters.step
        let step = transform.hasNorms && greatest <= 127 * rowStep ? rowStep : max(greatest / 127, .leastNormalMagnitude)
        let sum = kernels.quantize(centred.readOnly, scale: 1 / step, into: values)
        for j in query.count..<codes.stride { values[j] = 0 }
        return PreparedCode(values: CodeQuery(values: values.readOnly, sum: sum), step: step, rowStep: rowStep, hasNorms: transform.hasNorms)
    }

    private func prepareLine(_ query: Cells<Float>, _ scratch: SearchScratch) {
        let centred = scratch.centred.cells.part(0..<query.count)
        let values = scratch.lineValues.cells.part(0..<(query.count + 3) / 4 * 4)
        let step = max(kernels.centre(query, around: columns.lineMean, into: centred) / 127, .leastNormalMagnitude)
        _ = kernels.quantize(centred.readOnly, scale: 1 / step, into: values)
        for j in query.count..<values.count { values[j] = 0 }
        let projections = scratch.projections.cells
        kernels.project(values.readOnly, blocks: columns.lineBlocks, columnSums: columns.lineSums, into: projections)
        let (floats, columnValues, scales) = (scratch.columnFloats.cells, scratch.columnValues.cells, columns.lineScales)
        var greatest = Float.leastNormalMagnitude
        for column in 0..<LineColumn.count {
            floats[column] = Float(projections[column]) * scales[column]
            greatest = max(greatest, floats[column].magnitude)
        }
        _ = kernels.quantize(floats.readOnly, scale: 127 / greatest, into: columnValues)
        // A level's middle: half the levels less one, below the level's number.
        var bias: Int32 = 0
        for column in 0..<LineColumn.count { bias += Int32(columnValues[column]) * LineColumn.middles[column] }
        scratch.lineQuery.setValues(columnValues.readOnly, scale: greatest / 127 * step, bias: Float(bias) / 2)
    }

    // MARK: The walk

    /// Follows links from the medoids nearest to the query until no candidate is left whose links were not followed.
    @inline(__always)
    private func walk<S: WalkScorer>(from table: S, by scorer: S, _ pool: inout CandidatePool, _ scratch: SearchScratch) -> Int {
        let (visited, touched, estimates) = (scratch.visited.cells, scratch.touched.cells, scratch.estimates.cells)
        var seen = enter(table, &pool, scratch)
        let (links, degree) = (columns.links, degree)
        while let node = pool.takeNext() {
            let first = Int(node) &* degree
            let fresh = touched.part(seen..<seen &+ degree &+ 1)
            let count = visitLinks(
                links.part(first..<first &+ degree), visited: visited, unvisited: fresh, rows: scorer.bytes, stride: scorer.stride,
                bytes: scorer.stride)
            seen &+= count
            let ids = fresh.readOnly.part(0..<count)
            scorer.score(ids, into: estimates)
            pool.offer(ids, estimates, links: links, degree: degree, by: kernels)
        }
        for i in 0..<seen { visited[Int(touched[i]) >> 5] = 0 }
        return seen + listCount
    }

    /// Puts the nearest medoids into the pool; returns how many.
    @inline(__always)
    private func enter<S: WalkScorer>(_ table: S, _ pool: inout CandidatePool, _ scratch: SearchScratch) -> Int {
        let (visited, touched, estimates) = (scratch.visited.cells, scratch.touched.cells, scratch.estimates.cells)
        table.score(0..<listCount, into: estimates)
        var best = CandidatePool(keys: scratch.otherKeys.cells, capacity: Self.entryCount)
        best.offer(listNumbers, estimates.readOnly, by: kernels)
        var seen = 0
        for place in 0..<best.count {
            let position = columns.medoids[Int(CandidateKey.number(best[place]))]
            let bit: UInt32 = 1 << (position & 31)
            guard visited[Int(position) >> 5] & bit == 0 else { continue }
            visited[Int(position) >> 5] |= bit
            touched[seen] = position
            seen += 1
            columns.links.prefetch(from: Int(position) * degree, count: degree)
            estimates[seen - 1] = CandidateKey.distance(best[place])
        }
        pool.offer(touched.readOnly.part(0..<seen), estimates, links: columns.links, degree: degree, by: kernels)
        return seen
    }

    /// Medoids that a walk begins with: measured best at two to four.
    static let entryCount = 4

    // MARK: The end

    /// Ranks the best of the pool by their codes, then those that may be among the k by their vectors.
    private func settle(
        _ pool: CandidatePool, count wanted: Int, k: Int, _ query: Cells<Float>, _ code: PreparedCode, _ vectors: VectorRows, _ scratch: SearchScratch
    ) {
        let ids = scratch.ids.cells
        var count = min(wanted, pool.count)
        for place in 0..<count { ids[place] = CandidateKey.number(pool[place]) }
        for i in 0..<columns.exceptions.count {
            ids[count] = columns.exceptions[i]
            count += 1
        }
        let candidates = ids.readOnly.part(0..<count)
        prefetchRows(codes.bytes, stride: codes.stride, bytes: codes.stride, ids: candidates)
        let scorer = CodeScorer(kernels: kernels, query: code, rows: codes, dots: scratch.dots.cells)
        let estimates = scratch.estimates.cells
        scorer.score(candidates, into: estimates)
        var ranked = CandidatePool(keys: scratch.otherKeys.cells, capacity: max(count, 1))
        ranked.offer(candidates, estimates.readOnly, by: kernels)
        var contested = 0
        if ranked.count > 0 {
            let last = CandidateKey.distance(ranked[min(k, ranked.count) - 1])
            let limit = last + 2 * code.deviation(squaredError: columns.parameters.squaredError, at: last, centred: scratch.centred.cells.readOnly.part(0..<transform.dimension))
            while contested < ranked.count, CandidateKey.distance(ranked[contested]) <= limit { contested += 1 }
        }
        for place in 0..<contested { ids[place] = columns.rows[Int(CandidateKey.number(ranked[place]))] }
        rank(ids.readOnly.part(0..<contested), k: k, query, vectors, scratch)
    }

    /// The best k of some rows by their vectors, into `scratch.results`.
    private func rank(_ rows: Cells<UInt32>, k: Int, _ query: Cells<Float>, _ vectors: VectorRows, _ scratch: SearchScratch) {
        for i in 0..<rows.count { vectors.row(Int(rows[i])).prefetch(from: 0, count: vectors.dimension) }
        let scores = scratch.scores.cells
        vectors.score(query, rows, into: scores)
        let found = scratch.found.cells
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
        scratch.foundCount = count
    }
}

extension RankedRow {
    /// Of equal scores the lower row is better.
    @inline(__always)
    func isBetter(than other: RankedRow) -> Bool { score != other.score ? score > other.score : row < other.row }
}

extension VectorRows {
    /// The scores that rank rows: see `Metric`, but for Euclidean distance its negative square.
    func score(_ query: Cells<Float>, _ rows: Cells<UInt32>, into scores: MutableCells<Float>) {
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

/// A query on the codes' grid.
struct PreparedCode {
    var values: CodeQuery
    var step: Float
    var rowStep: Float
    var hasNorms: Bool

    /// Standard deviation of a code distance's error, in its own units.
    ///
    /// Of a product it is that of the rounding of either side, along the other; of a distance, along the difference, which for
    /// near rows is short.
    func deviation(squaredError: Float, at distance: Float, centred: Cells<Float>) -> Float {
        let queryError = step * step / 12
        let queryLength = Float(Kernels.best.sumOfSquares(centred.span))
        if hasNorms {
            let squared = max(0, distance * rowStep * rowStep + queryLength)
            return 2 * (squared * (squaredError + queryError)).squareRoot() / (rowStep * rowStep)
        }
        return (queryLength * (squaredError + queryError)).squareRoot() / (step * rowStep)
    }
}

/// Distances of positions from a query, in some unit of their own; less is nearer.
protocol WalkScorer {
    var bytes: Cells<UInt8> { get }
    var stride: Int { get }
    func score(_ ids: Cells<UInt32>, into distances: MutableCells<Float>)
    func score(_ range: Range<Int>, into distances: MutableCells<Float>)
}

struct LineScorer: WalkScorer {
    let kernels: CodeKernels
    let query: LineQuery
    let lines: Cells<UInt8>

    var bytes: Cells<UInt8> { lines }
    var stride: Int { 64 }
    func table(_ lines: Cells<UInt8>) -> LineScorer { LineScorer(kernels: kernels, query: query, lines: lines) }

    @inline(__always)
    func score(_ ids: Cells<UInt32>, into distances: MutableCells<Float>) { kernels.estimates(query, lines, ids: ids, into: distances) }
    @inline(__always)
    func score(_ range: Range<Int>, into distances: MutableCells<Float>) { kernels.estimates(query, lines, range, into: distances) }
}

struct CodeScorer: WalkScorer {
    let kernels: CodeKernels
    let query: PreparedCode
    let rows: CodeRows
    let dots: MutableCells<Int32>

    var bytes: Cells<UInt8> { rows.bytes }
    var stride: Int { rows.stride }
    func table(_ bytes: Cells<UInt8>) -> CodeScorer {
        CodeScorer(kernels: kernels, query: query, rows: CodeRows(bytes: bytes, stride: rows.stride), dots: dots)
    }

    @inline(__always)
    func score(_ ids: Cells<UInt32>, into distances: MutableCells<Float>) {
        kernels.dots(query.values, rows, ids: ids, into: dots)
        guard query.hasNorms else {
            for i in 0..<ids.count { distances[i] = -Float(dots[i]) }
            return
        }
        let factor = 2 * query.step / query.rowStep
        for i in 0..<ids.count { distances[i] = Float(rows.tail(Int(ids[i]))) - factor * Float(dots[i]) }
    }

    @inline(__always)
    func score(_ range: Range<Int>, into distances: MutableCells<Float>) {
        kernels.dots(query.values, rows, range, into: dots)
        guard query.hasNorms else {
            for i in 0..<range.count { distances[i] = -Float(dots[i]) }
            return
        }
        let factor = 2 * query.step / query.rowStep
        for i in 0..<range.count { distances[i] = Float(rows.tail(range.lowerBound + i)) - factor * Float(dots[i]) }
    }
}
