// Whose the rows of an index are and which of them are in force, by position: kept up from one snapshot to the next.
import Index
import Memory
import Synchronization

/// The documents of an index's positions. A write makes a new snapshot, for which everybody's visible positions are worked out anew: from
/// this, in a pass over numbers that lie side by side (0.8 ms for a million), and what is in force only where documents have changed.
final class IndexedRows: Sendable {
    /// By position: the document's number.
    private let documents: CellBuffer<UInt32>
    private let rows: Cells<UInt32>
    private let versions: Cells<UInt32>
    /// The positions by pages of documents' numbers: those of page p are `placed` from `starts[p]` to `starts[p + 1]`.
    private let starts: CellBuffer<UInt32>
    private let placed: CellBuffer<UInt32>
    private static let pageCapacity = PagedColumn<UInt32>().pageCapacity
    private let known = Mutex<InForce?>(nil)

    /// Positions whose rows are in force, and the pages of versions by which they are.
    private struct InForce {
        var stamps: [UInt64]
        var positions: Bitmap
    }

    /// O(positions). The columns are lent for as long as this is kept; what is read of them was touched, and documents were found to lie
    /// below `documentCount`.
    init(_ index: VectorIndex, _ vectors: SegmentVectors, documentCount: Int) {
        let pages = (documentCount + Self.pageCapacity - 1) / Self.pageCapacity
        (rows, versions) = (index.rows, vectors.versions)
        documents = CellBuffer(count: index.count)
        starts = CellBuffer(count: pages + 2)
        placed = CellBuffer(count: index.count)
        let (documents, starts) = (documents.cells, starts.cells)
        for position in 0..<index.count {
            let document = vectors.documents[Int(index.row(position))]
            documents[position] = document
            starts[Int(document) / Self.pageCapacity + 2] += 1
        }
        for page in 0..<pages { starts[page + 2] += starts[page + 1] }
        // Each page's start moves to its end, where the next one begins.
        for position in 0..<index.count {
            let page = Int(documents[position]) / Self.pageCapacity
            placed.cells[Int(starts[page + 1])] = UInt32(position)
            starts[page + 1] += 1
        }
    }

    /// The positions in force, by documents' versions. O(pages of versions + positions of documents in changed ones); O(positions) the
    /// first time.
    func inForce(_ current: PagedColumn<UInt32>) -> Bitmap {
        precondition(current.pageCapacity == Self.pageCapacity, "positions are kept by pages of versions")
        let pages = starts.count - 2
        let stamps = (0..<pages).map { current.pageStamp($0) }
        let earlier = known.withLock { $0 }
        // Snapshots come in any order: what was kept may be of a later one, and is as good.
        var positions = earlier?.positions ?? Bitmap(count: documents.count)
        for page in 0..<pages where earlier?.stamps[page] != stamps[page] {
            let versionsOfPage = current.page(page)
            for place in Int(starts.cells[page])..<Int(starts.cells[page + 1]) {
                let position = Int(placed.cells[place])
                let document = Int(documents.cells[position]) - page * Self.pageCapacity
                positions[position] = versionsOfPage[document] == versions[Int(rows[position])]
            }
        }
        known.withLock { $0 = InForce(stamps: stamps, positions: positions) }
        return positions
    }

    /// Marks the positions that are in force and whose documents are in a set; returns how many. O(positions).
    func mark(_ inForce: Bitmap, of allowed: Bitmap, into words: MutableCells<UInt64>) -> Int {
        allowed.mark(documents.cells.readOnly, within: inForce, into: words)
    }
}
