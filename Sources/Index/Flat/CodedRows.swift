// Codes beside rows in memory: a search reads them instead of the rows, and then the rows of the best.
package import Memory

/// A code for each row of a table that grows. Copying it is a snapshot, as with the table.
package struct CodedRows: Sendable {
    package let encoder: RowEncoder
    private var codes: PagedRows<UInt8>
    /// Rows whose codes do not tell where they are: every search compares them.
    private var exceptions = PagedColumn<UInt32>()
    private var held = HeldLength()
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

    /// The next row: its vector, and its `Metric.rowFactor`.
    package mutating func append(_ vector: Span<Float>, factor: Float) {
        // Sound: the view is used within the closure only.
        unsafe vector.withUnsafeBufferPointer { row in
            let held = unsafe encoder.encode(Cells(start: row.baseAddress, count: row.count), factor: factor, in: scratch)
            if let held { self.held.add(held) } else { exceptions.append(UInt32(count)) }
            codes.append(scratch.code.cells.span)
        }
    }

    /// The next row, which has no vector.
    package mutating func appendAbsent() { codes.append(Span<UInt8>()) }

    /// Whether codes hold nearly as much of these rows as of the rows that their parameters were made for. Where not, they tell
    /// too little of which rows are near.
    package var isFitting: Bool {
        exceptions.count <= Self.exceptionsMax && held.share.map { $0 >= Self.fittingShare * encoder.ownShare } ?? true
    }

    private static let fittingShare = 0.8
    private static let exceptionsMax = 256

    /// The nearest rows by code, nearest first, and behind them all exceptions, into `scratch.candidates`; returns how many of them
    /// were found by code: fewer than `wanted` where there are no more.
    ///
    /// - Parameter visible: nil where all rows may be found.
    func find(_ query: Cells<Float>, wanted: Int, _ scratch: SearchScratch, visible: VisibleRows?) -> Int {
        let scorer = encoder.scorer(of: query, candidates: wanted + exceptions.count, scratch)
        var pool = CandidatePool(keys: scratch.keys.cells, capacity: wanted)
        switch scorer {
        case .line(let scorer): scan(by: scorer, &pool, wanted: wanted, scratch, visible)
        case .grid(let scorer): scan(by: scorer, &pool, wanted: wanted, scratch, visible)
        }
        let rows = scratch.candidateRows.cells
        for place in 0..<pool.count { rows[place] = CandidateKey.number(pool[place]) }
        var end = pool.count
        for i in 0..<exceptions.count {
            rows[end] = exceptions[i]
            guard !rows.readOnly.part(0..<pool.count).contains(exceptions[i]) else { continue }
            end += visible?(rows.part(end..<end + 1)) ?? 1
        }
        scratch.candidateCount = end
        return pool.count
    }

    @inline(__always)
    private func scan<S: WalkScorer>(
        by scorer: S, _ pool: inout CandidatePool, wanted: Int, _ scratch: SearchScratch, _ visible: VisibleRows?
    ) {
        let estimates = scratch.estimates.cells
        for number in 0..<codes.pageCount {
            // Sound: self holds the page.
            let bytes = unsafe codes.lentPage(number)
            let table = scorer.table(bytes)
            let rows = bytes.count / codes.width
            for first in stride(from: 0, to: rows, by: SearchScratch.blockRows) {
                let block = first..<min(first + SearchScratch.blockRows, rows)
                table.score(block, into: estimates)
                let found = FoundBlock(first: number * codes.pageRows + first, estimates: estimates.readOnly.part(0..<block.count))
                found.offer(to: &pool, wanted: wanted, ids: scratch.ids.cells, distances: scratch.scores.cells, visible)
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
