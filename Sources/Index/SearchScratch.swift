// Memory that a search works in, kept from one search to the next so that none allocates.
package import Memory

/// For one search at a time. Grows to the largest index and the widest walk it was used for.
package final class SearchScratch {
    /// A bit for each row; all zero between searches.
    private(set) var visited = CellBuffer<UInt32>(count: 0)
    /// Rows visited, in turn: what to clear afterwards.
    private(set) var touched = CellBuffer<UInt32>(count: 0)
    private(set) var keys = CellBuffer<UInt64>(count: 0)
    private(set) var visibleKeys = CellBuffer<UInt64>(count: 0)
    private(set) var listKeys = CellBuffer<UInt64>(count: 0)
    private(set) var otherKeys = CellBuffer<UInt64>(count: 0)
    private(set) var estimates = CellBuffer<Float>(count: 0)
    private(set) var dots = CellBuffer<Int32>(count: 0)
    private(set) var ids = CellBuffer<UInt32>(count: 0)
    private(set) var scores = CellBuffer<Float>(count: 0)
    /// The query: as given, transformed, less a centre; and in 8 bits.
    private(set) var query = CellBuffer<Float>(count: 0)
    private(set) var prepared = CellBuffer<Float>(count: 0)
    private(set) var centred = CellBuffer<Float>(count: 0)
    private(set) var values = CellBuffer<Int8>(count: 0)
    private(set) var lineValues = CellBuffer<Int8>(count: 0)
    let projections = CellBuffer<Int32>(count: LineColumn.count)
    let columnFloats = CellBuffer<Float>(count: LineColumn.count)
    let columnValues = CellBuffer<Int8>(count: LineColumn.count)
    let lineQuery = LineQuery()
    private(set) var candidateRows = CellBuffer<UInt32>(count: 0)
    var candidateCount = 0
    var found = CellBuffer<RankedRow>(count: 0)
    var foundCount = 0

    package init() {}

    /// What the last search of an index found: rows of the caller's numbering, not in order yet.
    package var candidates: Cells<UInt32> { candidateRows.cells.readOnly.part(0..<candidateCount) }
    /// The best of them, best first, with their exact ranking scores.
    package var results: Cells<RankedRow> { found.cells.readOnly.part(0..<foundCount) }

    func reserve(rows: Int, dimension: Int, stride: Int, candidates: Int, lists: Int, degree: Int) {
        reserve(&visited, (rows + 31) / 32)
        reserve(&touched, rows + degree + 1)
        reserve(&keys, candidates + CandidatePool.spareKeys)
        reserve(&visibleKeys, candidates + CandidatePool.spareKeys)
        reserve(&listKeys, max(lists, 32) + CandidatePool.spareKeys)
        reserve(&otherKeys, candidates + CandidatePool.spareKeys)
        let block = max(candidates, lists, degree, Self.blockRows)
        reserve(&estimates, block)
        reserve(&dots, block)
        reserve(&ids, block)
        reserve(&scores, block)
        reserve(&found, candidates)
        reserve(&candidateRows, candidates)
        reserve(&query, dimension)
        reserve(&prepared, dimension)
        reserve(&centred, dimension)
        reserve(&values, stride)
        reserve(&lineValues, (dimension + 3) / 4 * 4)
    }

    /// Rows that a scan scores at a time.
    static let blockRows = 1024

    private func reserve<T>(_ buffer: inout CellBuffer<T>, _ count: Int) {
        if buffer.count < count { buffer = CellBuffer(count: max(count, buffer.count * 3 / 2)) }
    }
}

/// A row with the score that ranks it: higher is better.
package struct RankedRow: BitwiseCopyable, Equatable, Sendable {
    package var row: UInt32
    package var score: Float
}
