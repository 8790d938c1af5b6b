// What a filter lets a search see: worked out once a snapshot, per document, and per row where an index asks.
import Index
import Memory
import Synchronization

/// A filter and a subtree, as a question that may come again.
struct VisibilityKey: Hashable, Sendable {
    var filter: Filter?
    var under: [String]?
}

/// The documents that a filter leaves, and the rows of indexes that are theirs.
final class Visibility: Sendable {
    let documents: Bitmap
    private let positions = Mutex<[PositionsKey: VisibleRows]>([:])

    private struct PositionsKey: Hashable {
        var segment: UInt64
        var space: Int
    }

    init(_ documents: Bitmap) { self.documents = documents }

    /// The positions of a segment's index that may be seen: in force, and of such documents. The first call is O(rows).
    func positions(of segment: Segment, space: Int, _ index: VectorIndex, _ table: DocumentTable) throws(EngineError) -> VisibleRows {
        let key = PositionsKey(segment: segment.fileNumber, space: space)
        if let known = positions.withLock({ $0[key] }) { return known }
        try segment.touchDocuments()
        let rows = VisibleRows(index, segment.vectors[space], documents, table)
        positions.withLock { $0[key] = rows }
        return rows
    }
}

/// A bit for each position of an index.
final class VisibleRows: Sendable {
    private let words: CellBuffer<UInt64>
    let visible: VisiblePositions

    init(_ index: VectorIndex, _ vectors: SegmentVectors, _ allowed: Bitmap, _ table: DocumentTable) {
        words = CellBuffer(count: (index.count + 63) / 64)
        var count = 0
        for word in 0..<words.count {
            var bits: UInt64 = 0
            for bit in 0..<min(64, index.count - word * 64) {
                let row = Int(index.row(word * 64 + bit))
                let document = Int(vectors.documents[row])
                if allowed[document], table.versions[document] == vectors.versions[row] { bits |= 1 << UInt64(bit) }
            }
            words.cells[word] = bits
            count += bits.nonzeroBitCount
        }
        visible = VisiblePositions(words: words.cells.readOnly, count: count)
    }
}

/// Filters that were asked of one snapshot lately. A snapshot never changes, so neither do the answers.
final class VisibilityCache: Sendable {
    private struct Entries {
        var known: [VisibilityKey: Visibility] = [:]
        /// Oldest first.
        var order: [VisibilityKey] = []
    }

    private let entries = Mutex(Entries())
    /// Bitmaps are an eighth of a byte a document and row each.
    private static let entriesMax = 16

    func visibility(of key: VisibilityKey, _ make: () throws(EngineError) -> Bitmap) throws(EngineError) -> Visibility {
        if let known = entries.withLock({ $0.known[key] }) { return known }
        let made = Visibility(try make())
        entries.withLock { entries in
            if entries.known.updateValue(made, forKey: key) == nil { entries.order.append(key) }
            if entries.order.count > Self.entriesMax { entries.known[entries.order.removeFirst()] = nil }
        }
        return made
    }
}
