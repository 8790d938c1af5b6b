// Memory that a search works in, kept from one search to the next so that none allocates.
package import Memory

/// For one search at a time. Grows to the largest index and the widest walk it was used for.
package final class SearchScratch {
    private var sizes = SearchSpace.Sizes()
    private var held: [AnyObject] = []
    private var space: SearchSpace
    let lineQuery = LineQuery()
    private let batch = BatchRoom()
    /// Rows of the caller's numbering that the last search of an index found, not in order yet.
    package internal(set) var candidates = Cells<UInt32>.none
    /// What the last search carried out, which may be another plan than it was given.
    package internal(set) var plan = IndexPlan.scan(refined: 1)
    /// How far the nearest row that was met is, in the same measure for all queries of an index; infinite where there is none.
    var remoteness = Float.infinity
    /// Whether `results` are there already: codes told the scores exactly, and there is nothing left to rank.
    package internal(set) var isRanked = false
    /// The best of the candidates, best first, with their exact ranking scores.
    package internal(set) var results = Cells<RankedRow>.none

    package init() {
        let line = LineBuffers()
        held = [line]
        space = SearchSpace(line)
    }

    /// Room for a search; nothing is kept from the last one but that no bit is set in `visited`.
    func reserve(rows: Int, dimension: Int, stride: Int, candidates: Int, lists: Int, degree: Int) -> SearchSpace {
        let wanted = SearchSpace.Sizes(
            rows: rows, dimension: dimension, stride: stride, candidates: candidates, lists: max(lists, 32), degree: degree)
        if !sizes.contain(wanted) { grow(wanted) }
        return space
    }

    /// Room for the queries of a batch, beside that for a search.
    func batchRoom(queries: Int, stride: Int, refined: Int, lists: Int) -> BatchRoom {
        batch.reserve(queries: queries, stride: stride, refined: refined, lists: lists)
        return batch
    }

    /// As it was reserved last.
    var current: SearchSpace { space }

    private func grow(_ wanted: SearchSpace.Sizes) {
        sizes = sizes.joined(wanted)
        func cells<T: BitwiseCopyable>(_ count: Int, _ type: T.Type = T.self) -> MutableCells<T> {
            let buffer = CellBuffer<T>(count: count)
            held.append(buffer)
            return buffer.cells
        }
        let line = held[0]
        held = [line]
        let keys = sizes.candidates + CandidatePool.spareKeys
        let block = max(sizes.candidates, sizes.lists, sizes.degree, Self.blockRows)
        space.visited = cells((sizes.rows + 31) / 32)
        space.touched = cells(sizes.rows + sizes.degree + 2)
        space.keys = cells(keys)
        space.otherKeys = cells(keys)
        space.visibleKeys = cells(keys)
        space.listKeys = cells(sizes.lists + CandidatePool.spareKeys)
        space.tableKeys = cells(sizes.lists + CandidatePool.spareKeys)
        space.estimates = cells(block)
        space.scores = cells(block)
        space.dots = cells(block)
        space.ids = cells(block)
        space.prepared = cells(sizes.dimension)
        space.centred = cells(sizes.dimension)
        space.values = cells(sizes.stride)
        space.lineValues = cells((sizes.dimension + 3) / 4 * 4)
        space.candidateRows = cells(sizes.candidates)
        space.found = cells(sizes.candidates)
    }

    /// Rows that a scan scores at a time.
    static let blockRows = 1024
}

/// What of a search's needs does not depend on the index.
final class LineBuffers {
    let projections = CellBuffer<Int32>(count: LineColumn.count)
    let values = CellBuffer<Int8>(count: LineColumn.count)
}

/// The views of a scratch. Taken out once a search: a class's members are checked for exclusive use at every access.
struct SearchSpace {
    struct Sizes {
        var rows = 0
        var dimension = 0
        var stride = 0
        var candidates = 0
        var lists = 0
        var degree = 0

        func contain(_ other: Sizes) -> Bool {
            rows >= other.rows && dimension >= other.dimension && stride >= other.stride && candidates >= other.candidates && lists >= other.lists
                && degree >= other.degree
        }

        /// Large enough for both, and growing by halves so that rising demands are soon met.
        func joined(_ other: Sizes) -> Sizes {
            Sizes(
                rows: max(rows, other.rows), dimension: max(dimension, other.dimension), stride: max(stride, other.stride),
                candidates: other.candidates > candidates ? max(other.candidates, candidates * 3 / 2) : candidates, lists: max(lists, other.lists),
                degree: max(degree, other.degree))
        }
    }

    /// A bit for each row; all zero between searches.
    var visited = MutableCells<UInt32>.none
    /// Rows visited, in turn: what to clear afterwards.
    var touched = MutableCells<UInt32>.none
    var keys = MutableCells<UInt64>.none
    var otherKeys = MutableCells<UInt64>.none
    var visibleKeys = MutableCells<UInt64>.none
    var listKeys = MutableCells<UInt64>.none
    var tableKeys = MutableCells<UInt64>.none
    var estimates = MutableCells<Float>.none
    var scores = MutableCells<Float>.none
    var dots = MutableCells<Int32>.none
    var ids = MutableCells<UInt32>.none
    /// The query: transformed, less a centre; and in 8 bits.
    var prepared = MutableCells<Float>.none
    var centred = MutableCells<Float>.none
    var values = MutableCells<Int8>.none
    var lineValues = MutableCells<Int8>.none
    let projections: MutableCells<Int32>
    let columnValues: MutableCells<Int8>
    var candidateRows = MutableCells<UInt32>.none
    var found = MutableCells<RankedRow>.none

    init(_ line: LineBuffers) {
        projections = line.projections.cells
        columnValues = line.values.cells
    }
}

/// A row with the score that ranks it: higher is better.
package struct RankedRow: BitwiseCopyable, Equatable, Sendable {
    package var row: UInt32
    package var score: Float
}
