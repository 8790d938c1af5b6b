// What a filter lets a search see: worked out once a snapshot, per document, and per row where an index asks.
import Index
import Memory
import Synchronization

/// A filter and a subtree under somebody's rights, as a question that may come again: told byte by byte, since texts that only look
/// alike, which Swift takes for equal, are different here.
struct VisibilityKey: Hashable, Sendable {
    /// Filters are in it as they are encoded to be kept.
    private var writer = ByteWriter()

    /// The nodes of a scope, folders among them.
    init(scope: Filter) {
        writer.write(UInt8(4))
        scope.encode(to: &writer)
    }

    /// What under these rights may be known to exist, and no more.
    init(known stamp: UInt64, under: [String]?) {
        writer.write(UInt8(5))
        writer.write(stamp)
        append(under: under)
    }

    /// - Parameters:
    ///   - prepared: names of prepared filters, of which none is ever given twice.
    ///   - rights: the stamp of the rights under which it is asked; nil where nobody's are.
    init(filter: Filter?, under: [String]?, prepared: [String] = [], rights: UInt64? = nil) {
        if let rights {
            writer.write(UInt8(6))
            writer.write(rights)
        }
        if let filter {
            writer.write(UInt8(1))
            filter.encode(to: &writer)
        }
        append(under: under)
        for handle in prepared {
            writer.write(UInt8(3))
            writer.writeString(handle)
        }
    }

    /// Of the same questions; equal after a restart too, where nobody's rights are among them.
    var digest: UInt64 { ContentDigest(of: writer.bytes).high }

    private mutating func append(under: [String]?) {
        guard let under else { return }
        writer.write(UInt8(2))
        writer.write(UInt32(under.count))
        for id in under { writer.writeString(id) }
    }

    static func == (a: VisibilityKey, b: VisibilityKey) -> Bool { a.writer.bytes.isEqual(to: b.writer.bytes) }

    func hash(into hasher: inout Hasher) {
        // Sound: read within the closure only.
        unsafe writer.bytes.withUnsafeBytes { unsafe hasher.combine(bytes: $0) }
    }
}

/// The documents that a filter and rights leave, and the rows of indexes and heads that are theirs.
final class Visibility: Sendable {
    let documents: Bitmap
    /// What is asked of rows that have an access object of their own; nil where no row has, or nobody's rights are asked.
    let rowRights: RowRights?
    private let positions = Mutex<[PositionsKey: VisibleRows]>([:])
    private let counts = Mutex<(documents: Int, chunks: Int)?>(nil)

    private struct PositionsKey: Hashable {
        enum Part: Hashable {
            case segment(UInt64)
            /// By its first chunk.
            case head(Int)
        }

        var part: Part
        var space: Int
    }

    init(_ documents: Bitmap, _ rowRights: RowRights? = nil) {
        self.documents = documents
        self.rowRights = rowRights
    }

    /// How many documents there are, and how many chunks they have: counted by the first call, which every other would do alike.
    func count(_ body: (Bitmap) throws(EngineError) -> (documents: Int, chunks: Int)) throws(EngineError) -> (documents: Int, chunks: Int) {
        if let known = counts.withLock({ $0 }) { return known }
        let counted = try body(documents)
        counts.withLock { $0 = counted }
        return counted
    }

    /// The positions of a segment's index that may be seen: in force, and of such documents. The first call is O(rows).
    ///
    /// - Parameter current: by document, the version in force.
    func positions(of segment: Segment, space: Int, _ index: VectorIndex, _ current: PagedColumn<UInt32>) throws(EngineError) -> VisibleRows {
        let key = PositionsKey(part: .segment(segment.fileNumber), space: space)
        if let known = positions.withLock({ $0[key] }) { return known }
        guard let indexed = segment.indexes[space]?.rows else { preconditionFailure("an index that is searched was checked") }
        let rows = VisibleRows(index, indexed, documents, try segment.hidingRows(rowRights), current)
        positions.withLock { $0[key] = rows }
        return rows
    }

    /// The rows of a head that may be seen: such as have a vector, in force, and of such documents. The first call is O(rows).
    func rows(of head: HeadRows, space: Int, _ current: PagedColumn<UInt32>) -> VisibleRows {
        let key = PositionsKey(part: .head(head.firstChunk), space: space)
        if let known = positions.withLock({ $0[key] }) { return known }
        let rows = VisibleRows(head, space: space, allowed: documents, rowRights, current)
        positions.withLock { $0[key] = rows }
        return rows
    }
}

/// A bit for each position of an index, or for each row of a head.
final class VisibleRows: Sendable {
    private let words: CellBuffer<UInt64>
    let visible: VisiblePositions

    /// - Parameter hidden: rows of the segment that their own access objects hide; nil where there are none.
    init(_ index: VectorIndex, _ indexed: IndexedRows, _ allowed: Bitmap, _ hidden: Bitmap?, _ current: PagedColumn<UInt32>) {
        words = CellBuffer(count: (index.count + 63) / 64)
        let cells = words.cells
        var count = indexed.mark(indexed.inForce(current), of: allowed, into: cells)
        if let hidden {
            VisiblePositions(words: cells.readOnly, count: count).forEach(in: 0..<index.count) { position in
                guard hidden[Int(index.row(Int(position)))] else { return }
                cells[Int(position) >> 6] &= ~(1 << UInt64(position & 63))
                count -= 1
            }
        }
        visible = VisiblePositions(words: cells.readOnly, count: count)
    }

    /// - Parameter allowed: nil where all documents are.
    init(_ head: HeadRows, space: Int, allowed: Bitmap?, _ rowRights: RowRights?, _ current: PagedColumn<UInt32>) {
        words = CellBuffer(count: (head.count + 63) / 64)
        let factors = head.spaces[space].factors
        var count = 0
        // Page by page: to find an element's page takes longer than to look at the element.
        for number in 0..<head.documents.pageCount {
            let (owners, versions, factors) = (head.documents.page(number), head.versions.page(number), factors.page(number))
            let first = number * head.documents.pageCapacity
            for i in owners.indices {
                let document = Int(owners[i])
                if let allowed, !allowed[document] { continue }
                guard current[document] == versions[i], !factors[i].isNaN else { continue }
                if let rowRights, !rowRights.allows(head.ownAccess(first + i)) { continue }
                words.cells[(first + i) >> 6] |= 1 << UInt64((first + i) & 63)
                count += 1
            }
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
    private let entriesMax: Int
    /// What the bitmaps of all entries may come to.
    private static let bytesMax = 32 << 20

    /// Bitmaps have a bit for each document, and one for each row of an index.
    init(documents: Int, rows: Int) { entriesMax = min(max(Self.bytesMax / ((documents + rows) / 8 + 1), 16), 256) }

    func visibility(of key: VisibilityKey, _ make: () throws(EngineError) -> Visibility) throws(EngineError) -> Visibility {
        if let known = entries.withLock({ $0.known[key] }) { return known }
        let made = try make()
        entries.withLock { entries in
            if entries.known.updateValue(made, forKey: key) == nil { entries.order.append(key) }
            if entries.order.count > entriesMax { entries.known[entries.order.removeFirst()] = nil }
        }
        return made
    }
}
