// Codes beside rows in memory: a search reads them instead of the rows, and then the rows of the best.
package import Memory

/// A code for each row of a table that grows. Copying it is a snapshot, as with the table.
package struct CodedRows: Sendable {
    package let encoder: RowEncoder
    private var codes: PagedRows<UInt8>
    /// Rows whose codes do not tell where they are: every search compares them.
    private var exceptions = PagedColumn<UInt32>()
    private var told = ToldShare()
    /// Used by whoever appends: of all copies, one.
    private let scratch: EncoderScratch

    package init(_ encoder: RowEncoder) {
        self.encoder = encoder
        codes = PagedRows(width: encoder.stride)
        scratch = encoder.scratch
    }

    /// Keeps those of the rows named that may be found, at the front, and returns how many. They are of one page.
    package typealias VisibleRows = (_ rows: MutableCells<UInt32>) -> Int

    package var count: Int { codes.count }
    package var byteCount: Int { codes.byteCount + exceptions.byteCount }

    /// Encodes the rows of the table that have no code yet.
    package mutating func encode(_ rows: PagedRows<Float>, _ factors: PagedColumn<Float>) {
        precondition(rows.count == factors.count && rows.count >= count, "codes are of rows that are there")
        for row in count..<rows.count {
            let factor = factors[row]
            guard !factor.isNaN else {
                codes.append(Span<UInt8>())
                continue
            }
            // Sound: the table is held by the caller.
            let isGood = unsafe encoder.encode(rows.lentRow(row).part(0..<encoder.transform.sourceDimension), factor: factor, in: scratch)
            if !isGood { exceptions.append(UInt32(row)) }
            codes.append(scratch.code.cells.span)
            if row % ToldShare.rowsApart == 0 { measure(row, rows, factors) }
        }
    }

    /// Whether codes tell enough of which rows are near.
    package var isFitting: Bool { exceptions.count <= Self.exceptionsMax && told.share.map { $0 >= Self.toldShareMin } ?? true }

    /// At 0.9, of the ten nearest of 12,000 about one in fifty is farther than the 62nd by code.
    private static let toldShareMin = 0.9
    private static let exceptionsMax = 256

    /// Takes a row as a query for others of its page.
    private mutating func measure(_ row: Int, _ rows: PagedRows<Float>, _ factors: PagedColumn<Float>) {
        let (page, first) = (row / codes.pageRows, row / codes.pageRows * codes.pageRows)
        guard row - first >= ToldShare.sampleRows else { return }
        let query = FlatQuery(rows.row(row).extracting(first: encoder.transform.sourceDimension), metric: encoder.transform.metric)
        let scorer = encoder.scorer(of: query.cells, candidates: ToldShare.sampleRows, scratch.search)
        let space = scratch.search.current
        let (ids, estimates, scores) = (space.ids, space.estimates, space.scores)
        var count = 0
        for sample in 0..<ToldShare.sampleRows {
            let other = first + sample * (row - first) / ToldShare.sampleRows
            guard !factors[other].isNaN, !isException(other) else { continue }
            (ids[count], scores[count]) = (UInt32(other - first), query.score(rows.row(other), factor: factors[other]))
            count += 1
        }
        // Sound: self holds the page.
        let bytes = unsafe codes.lentPage(page)
        switch scorer {
        case .line(let scorer): scorer.table(bytes).score(ids.readOnly.part(0..<count), into: estimates)
        case .grid(let scorer): scorer.table(bytes).score(ids.readOnly.part(0..<count), into: estimates)
        }
        told.add(estimates.readOnly.part(0..<count), scores.readOnly.part(0..<count))
    }

    private func isException(_ row: Int) -> Bool {
        for i in 0..<min(exceptions.count, Self.exceptionsMax) where exceptions[i] == UInt32(row) { return true }
        return false
    }

    /// The nearest rows by code, nearest first, and behind them all exceptions, into `scratch.candidates`; returns how many of them
    /// were found by code: fewer than `wanted` where there are no more.
    ///
    /// - Parameter visible: nil where all rows may be found.
    func find(_ query: Cells<Float>, wanted: Int, _ scratch: SearchScratch, visible: VisibleRows?) -> Int {
        let scorer = encoder.scorer(of: query, candidates: wanted + exceptions.count, scratch)
        let space = scratch.current
        var pool = CandidatePool(keys: space.keys, capacity: wanted)
        switch scorer {
        case .line(let scorer): scan(by: scorer, &pool, wanted: wanted, space, visible)
        case .grid(let scorer): scan(by: scorer, &pool, wanted: wanted, space, visible)
        }
        let rows = space.candidateRows
        for place in 0..<pool.count { rows[place] = CandidateKey.number(pool[place]) }
        var end = pool.count
        for i in 0..<exceptions.count {
            rows[end] = exceptions[i]
            guard !rows.readOnly.part(0..<pool.count).contains(exceptions[i]) else { continue }
            end += visible?(rows.part(end..<end + 1)) ?? 1
        }
        scratch.isRanked = false
        scratch.candidates = rows.readOnly.part(0..<end)
        return pool.count
    }

    @inline(__always)
    private func scan<S: WalkScorer>(
        by scorer: S, _ pool: inout CandidatePool, wanted: Int, _ space: SearchSpace, _ visible: VisibleRows?
    ) {
        let estimates = space.estimates
        for number in 0..<codes.pageCount {
            // Sound: self holds the page.
            let bytes = unsafe codes.lentPage(number)
            let table = scorer.table(bytes)
            let rows = bytes.count / codes.width
            for first in stride(from: 0, to: rows, by: SearchScratch.blockRows) {
                let block = first..<min(first + SearchScratch.blockRows, rows)
                table.score(block, into: estimates)
                let found = FoundBlock(first: number * codes.pageRows + first, estimates: estimates.readOnly.part(0..<block.count))
                found.offer(to: &pool, wanted: wanted, ids: space.ids, distances: space.scores, visible)
            }
        }
    }
}

/// Consecutive rows that were compared.
private struct FoundBlock {
    let first: Int
    let estimates: Cells<Float>

    /// Offers those of them that are visible to a pool of `wanted`.
    @inline(__always)
    func offer(to pool: inout CandidatePool, wanted: Int, ids: MutableCells<UInt32>, distances: MutableCells<Float>, _ visible: CodedRows.VisibleRows?) {
        let kernels = CodeKernels.best
        guard let visible else {
            for i in 0..<estimates.count { ids[i] = UInt32(truncatingIfNeeded: first &+ i) }
            return pool.offer(ids.readOnly.part(0..<estimates.count), estimates, by: kernels)
        }
        // Asked only of those that are near enough, once the pool is full: most are not.
        let limit = pool.count == wanted ? CandidateKey.distance(pool[wanted - 1]) : .infinity
        var count = 0
        for i in 0..<estimates.count {
            ids[count] = UInt32(truncatingIfNeeded: first &+ i)
            count &+= estimates[i] <= limit ? 1 : 0
        }
        count = visible(ids.part(0..<count))
        for i in 0..<count { distances[i] = estimates[Int(ids[i]) - first] }
        pool.offer(ids.readOnly.part(0..<count), distances.readOnly, by: kernels)
    }
}

/// How much of the differences between scores codes tell: the squared correlation of estimates and scores, on average over rows that
/// are compared with others. It takes in all that can go wrong: other axes, another scale, another centre.
private struct ToldShare: Sendable {
    private var sum = 0.0
    private var count = 0
    /// One row in so many is compared with so many others: a fifth of what it takes to encode all.
    static let rowsApart = 32
    static let sampleRows = 64

    var share: Double? { count >= Self.countMin ? sum / Double(count) : nil }
    private static let countMin = 8

    mutating func add(_ estimates: Cells<Float>, _ scores: Cells<Float>) {
        guard estimates.count > 2 else { return }
        let (e, s) = (mean(estimates), mean(scores))
        var (ee, ss, es) = (0.0, 0.0, 0.0)
        for i in 0..<estimates.count {
            let (x, y) = (Double(estimates[i]) - e, Double(scores[i]) - s)
            ee += x * x
            ss += y * y
            es += x * y
        }
        // Rows that are all alike are not told apart by their scores either.
        guard ss > 0 else { return }
        let told = ee > 0 && es < 0 ? es * es / (ee * ss) : 0
        sum += told.isFinite ? told : 0
        count += 1
    }

    private func mean(_ values: Cells<Float>) -> Double {
        var sum = 0.0
        for i in 0..<values.count { sum += Double(values[i]) }
        return sum / Double(values.count)
    }
}
