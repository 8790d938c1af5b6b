// What a filter lets a search see: worked out once a snapshot, per document, and per row where an index asks.
import Index
import Memory
import Synchronization

/// A filter and a subtree under somebody's rights, as a question that may come again: told byte by byte, since texts that only look
/// alike, which Swift takes for equal, are different here.
struct VisibilityKey: Hashable, Sendable {
    private var bytes: [UInt8] = []

    /// The nodes of a scope, folders among them.
    init(scope: Filter) {
        bytes.append(4)
        append(scope)
    }

    /// What under these rights may be known to exist, and no more.
    init(known stamp: UInt64, under: [String]?) {
        bytes.append(5)
        append(Int(truncatingIfNeeded: stamp))
        append(under: under)
    }

    /// - Parameters:
    ///   - prepared: names of prepared filters, of which none is ever given twice.
    ///   - rights: the stamp of the rights under which it is asked; nil where nobody's are.
    init(filter: Filter?, under: [String]?, prepared: [String] = [], rights: UInt64? = nil) {
        if let rights {
            bytes.append(6)
            append(Int(truncatingIfNeeded: rights))
        }
        if let filter {
            bytes.append(1)
            append(filter)
        }
        append(under: under)
        for handle in prepared {
            bytes.append(3)
            append(handle)
        }
    }

    /// Of the same questions; equal after a restart too, where nobody's rights are among them.
    var digest: UInt64 {
        // Sound: bytes have no invalid pattern.
        ContentDigest(of: unsafe bytes.span.bytes).high
    }

    private mutating func append(under: [String]?) {
        guard let under else { return }
        bytes.append(2)
        append(under.count)
        for id in under { append(id) }
    }

    private mutating func append(_ filter: Filter) {
        switch filter {
        case .all(let parts): append(tag: 1, parts)
        case .any(let parts): append(tag: 2, parts)
        case .not(let part): append(tag: 3, [part])
        case .field(let name, let condition):
            bytes.append(4)
            append(name)
            append(condition)
        case .under(let ids):
            bytes.append(5)
            append(ids.count)
            for id in ids { append(id) }
        }
    }

    private mutating func append(tag: UInt8, _ parts: [Filter]) {
        bytes.append(tag)
        append(parts.count)
        for part in parts { append(part) }
    }

    private mutating func append(_ condition: Filter.Condition) {
        switch condition {
        case .isIn(let values): append(tag: 1, values)
        case .containsAll(let values): append(tag: 4, values)
        case .prefix(let text):
            bytes.append(5)
            append(text)
        case .match(let text):
            bytes.append(6)
            append(text)
        case .range(let lower, let upper):
            bytes.append(2)
            append(lower)
            append(upper)
        case .exists: bytes.append(3)
        }
    }

    private mutating func append(tag: UInt8, _ values: [InputValue]) {
        bytes.append(tag)
        append(values.count)
        for value in values { append(value) }
    }

    private mutating func append(_ bound: Filter.Bound?) {
        guard let bound else { return bytes.append(0) }
        bytes.append(bound.isInclusive ? 1 : 2)
        append(bound.value)
    }

    private mutating func append(_ value: InputValue) {
        switch value {
        case .string(let text):
            bytes.append(1)
            append(text)
        case .integer(let number):
            bytes.append(2)
            append(Int(number))
        case .number(let number):
            bytes.append(3)
            append(Int(bitPattern: UInt(number.bitPattern)))
        case .bool(let flag): bytes.append(flag ? 4 : 5)
        case .strings(let texts):
            bytes.append(6)
            append(texts.count)
            for text in texts { append(text) }
        }
    }

    private mutating func append(_ text: String) {
        append(text.utf8.count)
        bytes += text.utf8
    }

    private mutating func append(_ number: Int) {
        for byte in 0..<8 { bytes.append(UInt8(truncatingIfNeeded: number >> (8 * byte))) }
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
        try segment.touchDocuments()
        let rows = VisibleRows(index, segment.vectors[space], documents, try segment.hidingRows(rowRights), current)
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
    init(_ index: VectorIndex, _ vectors: SegmentVectors, _ allowed: Bitmap, _ hidden: Bitmap?, _ current: PagedColumn<UInt32>) {
        words = CellBuffer(count: (index.count + 63) / 64)
        var count = 0
        for word in 0..<words.count {
            var bits: UInt64 = 0
            for bit in 0..<min(64, index.count - word * 64) {
                let row = Int(index.row(word * 64 + bit))
                let document = Int(vectors.documents[row])
                if let hidden, hidden[row] { continue }
                if allowed[document], current[document] == vectors.versions[row] { bits |= 1 << UInt64(bit) }
            }
            words.cells[word] = bits
            count += bits.nonzeroBitCount
        }
        visible = VisiblePositions(words: words.cells.readOnly, count: count)
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
