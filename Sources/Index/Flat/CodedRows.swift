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
        codes = PagedRows(width: encoder.stride, pageRows: SearchScratch.blockRows)
        scratch = encoder.scratch
    }

    package var count: Int { codes.count }
    package var byteCount: Int { codes.byteCount + exceptions.byteCount }

    // MARK: Encoding

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
            codes.append(scratch.code.cells.span)
            if !isGood {
                exceptions.append(UInt32(row))
            } else if row % ToldShare.rowsApart == 0 {
                measure(row, rows, factors)
            }
        }
    }

    /// Whether codes tell enough of which rows are near.
    package var isFitting: Bool { exceptions.count <= Self.exceptionsMax && told.share >= Self.toldShareMin }

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

    // MARK: Finding

    /// The nearest rows by code, nearest first, and behind them all exceptions, into `scratch.candidates`; returns how many of them
    /// were found by code: fewer than `wanted` where there are no more. Of rows that are not visible no code is read.
    ///
    /// - Parameter visible: nil where all rows may be found.
    func find(_ query: Cells<Float>, wanted: Int, _ visible: VisiblePositions?, _ scratch: SearchScratch) -> Int {
        let scorer = encoder.scorer(of: query, candidates: wanted + exceptions.count, scratch)
        let space = scratch.current
        var pool = CandidatePool(keys: space.keys, capacity: wanted)
        switch scorer {
        case .line(let scorer): scan(by: scorer, visible, &pool, space)
        case .grid(let scorer): scan(by: scorer, visible, &pool, space)
        }
        let rows = space.candidateRows
        for place in 0..<pool.count { rows[place] = CandidateKey.number(pool[place]) }
        var end = pool.count
        for i in 0..<exceptions.count {
            let row = exceptions[i]
            if let visible, !visible.contains(row) { continue }
            if rows.readOnly.part(0..<pool.count).contains(row) { continue }
            rows[end] = row
            end += 1
        }
        scratch.isRanked = false
        scratch.candidates = rows.readOnly.part(0..<end)
        return pool.count
    }

    @inline(__always)
    private func scan<S: WalkScorer>(by scorer: S, _ visible: VisiblePositions?, _ pool: inout CandidatePool, _ space: SearchSpace) {
        let (ids, estimates) = (space.ids, space.estimates)
        for number in 0..<codes.pageCount {
            // Sound: self holds the page.
            let table = unsafe scorer.table(codes.lentPage(number))
            let (first, rows) = (number * codes.pageRows, table.bytes.count / codes.width)
            var count = rows
            if let visible {
                count = visible.gather(first..<first + rows, into: ids)
                table.score(ids.readOnly.part(0..<count), into: estimates)
                for i in 0..<count { ids[i] &+= UInt32(truncatingIfNeeded: first) }
            } else {
                table.score(0..<rows, into: estimates)
                for i in 0..<rows { ids[i] = UInt32(truncatingIfNeeded: first &+ i) }
            }
            pool.offer(ids.readOnly.part(0..<count), estimates.readOnly, by: .best)
        }
    }
}

extension VisiblePositions {
    /// Those in a range that begins with a word, counted from its beginning; returns how many.
    fileprivate func gather(_ range: Range<Int>, into numbers: MutableCells<UInt32>) -> Int {
        assert(range.lowerBound % 64 == 0 && (range.upperBound + 63) / 64 <= words.count, "a range has its words")
        var count = 0
        for first in stride(from: range.lowerBound, to: range.upperBound, by: 64) {
            var bits = words[first / 64]
            while bits != 0 {
                numbers[count] = UInt32(truncatingIfNeeded: first &- range.lowerBound &+ bits.trailingZeroBitCount)
                count &+= 1
                bits &= bits &- 1
            }
        }
        return count
    }
}

/// How much of the differences between scores codes tell: the squared correlation of estimates and scores, on average over rows that
/// are compared with others. It takes in all that can go wrong with most rows: other axes, another scale, another centre.
private struct ToldShare: Sendable {
    private var sum = 0.0
    private var count = 0
    /// Of the worst of all stretches that were measured: rows that come late are not to pass for their many predecessors' sake.
    private var worst = 1.0
    /// One row in so many is compared with so many others: a fifth of what it takes to encode all.
    static let rowsApart = 32
    static let sampleRows = 64
    /// Of about a thousand rows.
    private static let stretchCount = 30

    /// 1 where too little was measured to say.
    var share: Double { count >= Self.countMin ? min(worst, sum / Double(count)) : worst }
    private static let countMin = 8

    mutating func add(_ estimates: Cells<Float>, _ scores: Cells<Float>) {
        guard let told = Self.told(estimates, scores) else { return }
        sum += told
        count += 1
        guard count == Self.stretchCount else { return }
        worst = share
        (sum, count) = (0, 0)
    }

    /// nil where there is nothing to tell.
    private static func told(_ estimates: Cells<Float>, _ scores: Cells<Float>) -> Double? {
        guard estimates.count > 2 else { return nil }
        let (e, s) = (mean(estimates), mean(scores))
        var (ee, ss, es) = (0.0, 0.0, 0.0)
        for i in 0..<estimates.count {
            let (x, y) = (Double(estimates[i]) - e, Double(scores[i]) - s)
            ee += x * x
            ss += y * y
            es += x * y
        }
        // Rows that are all alike are not told apart by their scores either.
        guard ss > 0 else { return nil }
        let told = ee > 0 && es < 0 ? es * es / (ee * ss) : 0
        return told.isFinite ? told : 0
    }

    private static func mean(_ values: Cells<Float>) -> Double {
        var sum = 0.0
        for i in 0..<values.count { sum += Double(values[i]) }
        return sum / Double(values.count)
    }
}
