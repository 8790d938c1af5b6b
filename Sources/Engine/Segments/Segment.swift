// A run of chunks in an immutable, mapped file.
import Index
import Memory
import Storage
import Synchronization

/// The columns of a segment file, by id. A row is a chunk; rows rise by chunk number.
enum SegmentColumn {
    /// u64: first chunk, end of chunks, rows, then for each space how many rows have no vector.
    static let counts: UInt32 = 0
    /// u32 a row: the document's number.
    static let documents: UInt32 = 1
    /// u32 a row: the version of the document that the chunk belongs to.
    static let versions: UInt32 = 2
    /// u32 a row: the chunk's number less the first. Absent where no chunk in between is missing.
    static let chunks: UInt32 = 3
    /// u8 a row: `ChunkParts`.
    static let parts: UInt32 = 4
    /// Packed, an item a row.
    static let texts: UInt32 = 5
    static let headings: UInt32 = 6
    /// u32 a row: the number of the chunk's own access object, 0 for none. Absent where no chunk has one.
    static let access: UInt32 = 7
    /// f32, `SpaceRows.rowWidth` a row, zeros where there is no vector.
    static func vectors(_ space: Int) -> UInt32 { 16 + 2 * UInt32(space) }
    /// f32 a row: `Metric.rowFactor`; NaN where there is no vector.
    static func factors(_ space: Int) -> UInt32 { 17 + 2 * UInt32(space) }
}

/// A segment as readers use it, from any thread. What is damaged is found when it is first touched; from then on the segment
/// is quarantined: it answers nothing any more, and everybody who asks is told.
final class Segment: Sendable {
    let record: ManifestSegment
    private let columns: Columns?
    /// Nodes of the collection: numbers of documents stay below.
    let documentCount: Int
    private let findings: Findings
    /// By space: what searches by an index read besides it. Empty where the file cannot be read.
    let vectors: [SegmentVectors]
    /// By space: the index, where there is one.
    let indexes: [SegmentIndex?]

    /// What readers have found out about the file: whoever has it open knows.
    private final class Findings: Sendable {
        let areDocumentsChecked = Atomic(false)
        let isDamaged: Atomic<Bool>
        let damage: Mutex<Corruption?>

        init(_ damage: Corruption?) {
            isDamaged = Atomic(damage != nil)
            self.damage = Mutex(damage)
        }
    }

    /// An object, as every hit of an answer asks for it a few times: handing it out counts one reference instead of a dozen.
    fileprivate final class Columns: Sendable {
        let file: ColumnFile
        let documents: PlainColumn
        let versions: PlainColumn
        let chunks: PlainColumn?
        let parts: PlainColumn
        let texts: PackedColumn
        let headings: PackedColumn
        let access: PlainColumn?
        let spaces: [Space]

        init(
            file: ColumnFile, documents: PlainColumn, versions: PlainColumn, chunks: PlainColumn?, parts: PlainColumn, texts: PackedColumn,
            headings: PackedColumn, access: PlainColumn?, spaces: [Space]
        ) {
            self.file = file
            self.documents = documents
            self.versions = versions
            self.chunks = chunks
            self.parts = parts
            self.texts = texts
            self.headings = headings
            self.access = access
            self.spaces = spaces
        }

        struct Space: Sendable {
            var vectors: PlainColumn
            var factors: PlainColumn
            var width: Int
            var dimension: Int
            var absentCount: Int
        }
    }

    /// Maps the file: O(columns). One that cannot be mapped is there all the same, quarantined.
    init(_ record: ManifestSegment, schema: CollectionSchema, documentCount: Int, disk: any Disk, databaseID: UInt64) {
        self.record = record
        self.documentCount = documentCount
        var found: Corruption?
        do throws(ColumnFileError) {
            let file = try ColumnFile(disk: disk, kind: .segment, reference: record.file, databaseID: databaseID)
            do throws(Corruption) { columns = try Self.columns(of: file, record, schema) } catch { throw .corruption(error) }
        } catch {
            columns = nil
            switch error {
            case .corruption(let corruption): found = corruption
            case .disk(let disk): found = Corruption(file: ColumnFileKind.segment.fileName(record.file.number), offset: 0, expected: "a readable file: \(disk)")
            }
        }
        findings = Findings(found)
        vectors = columns.map { columns in
            zip(columns.spaces, schema.spaces).map { SegmentVectors($0, $1, documents: columns.documents, versions: columns.versions) }
        } ?? []
        indexes = schema.spaces.indices.map { space in record.indexes.first { Int($0.space) == space }.map(SegmentIndex.init) }
    }

    private init(_ other: Segment, _ record: ManifestSegment, _ indexes: [SegmentIndex?]) {
        self.record = record
        columns = other.columns
        documentCount = other.documentCount
        findings = other.findings
        vectors = other.vectors
        self.indexes = indexes
    }

    /// The same segment, with an index in the place of an earlier one of its space.
    func with(_ index: SegmentIndex) -> Segment {
        var (record, indexes) = (record, indexes)
        record.set(index.record)
        indexes[Int(index.record.space)] = index
        return Segment(self, record, indexes)
    }

    private static func columns(of file: ColumnFile, _ record: ManifestSegment, _ schema: CollectionSchema) throws(Corruption) -> Columns {
        let rows = Int(record.rowCount)
        func plain(_ id: UInt32, _ elementBytes: Int, _ count: Int) throws(Corruption) -> PlainColumn {
            guard let column = file.column(id), column.elementBytes == elementBytes, column.count == count else {
                throw Corruption(file: file.name, offset: 0, expected: "a column \(id) of \(count) elements of \(elementBytes) bytes")
            }
            return column
        }
        func packed(_ id: UInt32) throws(Corruption) -> PackedColumn {
            guard let column = file.packed(id), column.count == rows else {
                throw Corruption(file: file.name, offset: 0, expected: "a packed column \(id) of \(rows) items")
            }
            return column
        }
        let counts = try plain(SegmentColumn.counts, 8, 3 + schema.spaces.count)
        let values = try counts.elements(0..<counts.count, as: UInt64.self)
        guard values[0] == record.firstChunk, values[1] == record.endChunk, values[2] == UInt64(rows) else {
            throw Corruption(file: file.name, offset: 0, expected: "chunks \(record.firstChunk)..<\(record.endChunk) in \(rows) rows")
        }
        var spaces: [Columns.Space] = []
        for (index, space) in schema.spaces.enumerated() {
            let width = SpaceRows.rowWidth(space.dimension)
            spaces.append(Columns.Space(
                vectors: try plain(SegmentColumn.vectors(index), 4, rows * width), factors: try plain(SegmentColumn.factors(index), 4, rows),
                width: width, dimension: space.dimension, absentCount: Int(min(values[3 + index], UInt64(rows)))))
        }
        let isDense = record.endChunk - record.firstChunk == UInt64(rows)
        return Columns(
            file: file, documents: try plain(SegmentColumn.documents, 4, rows), versions: try plain(SegmentColumn.versions, 4, rows),
            chunks: isDense ? nil : try plain(SegmentColumn.chunks, 4, rows), parts: try plain(SegmentColumn.parts, 1, rows),
            texts: try packed(SegmentColumn.texts), headings: try packed(SegmentColumn.headings),
            access: file.column(SegmentColumn.access) == nil ? nil : try plain(SegmentColumn.access, 4, rows), spaces: spaces)
    }

    /// Tells it from all others, whatever indexes it has.
    var fileNumber: UInt64 { record.file.number }
    var chunks: Range<Int> { Int(record.firstChunk)..<Int(record.endChunk) }
    var rowCount: Int { Int(record.rowCount) }
    var byteCount: Int { Int(record.file.byteCount) }

    // MARK: Damage

    /// What was found to be wrong with it.
    var corruption: Corruption? { findings.isDamaged.load(ordering: .acquiring) ? findings.damage.withLock { $0 } : nil }

    private func quarantine(_ found: Corruption) -> EngineError {
        findings.damage.withLock { if $0 == nil { $0 = found } }
        findings.isDamaged.store(true, ordering: .releasing)
        return EngineError.damaged(found)
    }

    /// For what only its readers can find to be wrong.
    func quarantine(_ expected: String) -> EngineError {
        quarantine(Corruption(file: ColumnFileKind.segment.fileName(record.file.number), offset: 0, expected: expected))
    }

    private func intact() throws(EngineError) -> Columns {
        guard !findings.isDamaged.load(ordering: .acquiring), let columns else {
            throw EngineError.damaged(corruption ?? Corruption(offset: 0, expected: "a segment"))
        }
        return columns
    }

    // MARK: Rows

    /// Whose the rows are. The first call reads all of them: O(rows).
    @_lifetime(borrow self)
    func documents(_ rows: Range<Int>) throws(EngineError) -> Span<UInt32> {
        let column = try intact().documents
        if !findings.areDocumentsChecked.load(ordering: .acquiring) { try checkDocuments(column) }
        return try elements(column, rows)
    }

    /// Two threads may check them at the same time, harmlessly.
    private func checkDocuments(_ column: PlainColumn) throws(EngineError) {
        let all: Span<UInt32> = try elements(column, 0..<rowCount)
        for row in all.indices where Int(all[row]) >= documentCount { throw quarantine("the document of row \(row)") }
        findings.areDocumentsChecked.store(true, ordering: .releasing)
    }

    @_lifetime(borrow self)
    func versions(_ rows: Range<Int>) throws(EngineError) -> Span<UInt32> { try elements(try intact().versions, rows) }
    @_lifetime(borrow self)
    func factors(_ rows: Range<Int>, space: Int) throws(EngineError) -> Span<Float> { try elements(try intact().spaces[space].factors, rows) }

    /// The rows' vectors side by side, `SpaceRows.rowWidth` floats each.
    @_lifetime(borrow self)
    func vectors(_ rows: Range<Int>, space: Int) throws(EngineError) -> Span<Float> {
        let space = try intact().spaces[space]
        return try elements(space.vectors, rows.lowerBound * space.width..<rows.upperBound * space.width)
    }

    /// One row's vector, to be handed out: its numbers are finite.
    @_lifetime(borrow self)
    func paddedVector(_ row: Int, space: Int) throws(EngineError) -> Span<Float> {
        let vector = try vectors(row..<row + 1, space: space)
        for index in vector.indices where !vector[index].isFinite { throw quarantine("finite numbers in the vector of row \(row)") }
        return vector
    }

    /// Reads whole what an index of a space is built from.
    func touchAll(space: Int) throws(EngineError) {
        _ = try documents(0..<rowCount)
        let columns = try intact()
        do {
            try columns.versions.touch(0..<rowCount)
            try columns.spaces[space].factors.touch(0..<rowCount)
            try columns.spaces[space].vectors.touch(0..<rowCount * columns.spaces[space].width)
        } catch { throw quarantine(error) }
    }

    /// Reads whole what tells which rows are in force, and whose.
    func touchDocuments() throws(EngineError) {
        _ = try documents(0..<rowCount)
        let versions = try intact().versions
        do { try versions.touch(0..<rowCount) } catch { throw quarantine(error) }
    }

    /// Makes sure that what `vectors` lends of all rows is whole, but for the vectors themselves: those are touched one by one.
    @inline(__always)
    func touchForRanking(space: Int) throws(EngineError) {
        guard !vectors[space].isChecked else { return }
        try touchDocuments()
        do { try vectors[space].touchFactors() } catch { throw quarantine(error) }
        vectors[space].setChecked()
    }

    /// Makes sure that a row's vector is whole.
    @inline(__always)
    func touchVector(_ row: Int, space: Int) throws(EngineError) {
        do { try vectors[space].touchVector(row) } catch { throw quarantine(error) }
    }

    // MARK: Access objects

    /// Whether one of its chunks has an access object of its own. Where the file cannot be read, no chunk of it can.
    var hasAccess: Bool { columns?.access != nil }

    /// The access object that a chunk has of its own; 0 where it has none.
    func ownAccess(_ row: Int) throws(EngineError) -> UInt32 {
        guard let column = try intact().access else { return 0 }
        return try element(column, row)
    }

    /// The rows that their own access objects hide; nil where none can be. O(rows).
    func hidingRows(_ rights: RowRights?) throws(EngineError) -> Bitmap? {
        guard let rights, let column = try intact().access else { return nil }
        let own: Span<UInt32> = try elements(column, 0..<rowCount)
        var hidden = Bitmap(count: rowCount)
        hidden.fill(from: 0, count: rowCount) { row in !rights.allows(own[row]) }
        return hidden
    }

    func absentCount(space: Int) throws(EngineError) -> Int { try intact().spaces[space].absentCount }

    /// The chunk's number.
    func chunk(ofRow row: Int) throws(EngineError) -> Int {
        guard let chunks = try intact().chunks else { return self.chunks.lowerBound + row }
        let chunk = self.chunks.lowerBound + Int(try element(chunks, row))
        guard self.chunks.contains(chunk) else { throw quarantine("a chunk of \(self.chunks) in row \(row)") }
        return chunk
    }

    /// The row of a live chunk: O(log rows).
    func row(ofChunk chunk: Int) throws(EngineError) -> Int {
        let wanted = UInt32(chunk - chunks.lowerBound)
        guard let column = try intact().chunks else { return Int(wanted) }
        var low = 0
        var high = rowCount
        while low < high {
            let middle = (low + high) / 2
            if try element(column, middle) < wanted { low = middle + 1 } else { high = middle }
        }
        guard low < rowCount, try element(column, low) == wanted else {
            throw quarantine("chunk \(chunk), which is in force")
        }
        return low
    }

    /// Which of its texts a chunk has (`ChunkParts`).
    func parts(_ row: Int) throws(EngineError) -> UInt8 {
        try elements(try intact().parts, row..<row + 1)[0]
    }

    /// The same for many rows: first all are made sure of, then all are read, so that the waits for memory overlap.
    func parts(_ rows: [Int]) throws(EngineError) -> [UInt8] {
        let column = try intact().parts
        do throws(Corruption) {
            for row in rows { try column.touch(row..<row + 1) }
        } catch { throw quarantine(error) }
        // Sound: the column holds its file, and what is read was touched.
        let parts = unsafe column.lentElements(as: UInt8.self)
        return rows.map { parts[$0] }
    }

    @_lifetime(&reader)
    func text(_ row: Int, with reader: inout BlockReader) throws(EngineError) -> RawSpan { try item(try intact().texts, row, &reader) }
    @_lifetime(&reader)
    func heading(_ row: Int, with reader: inout BlockReader) throws(EngineError) -> RawSpan { try item(try intact().headings, row, &reader) }

    @_lifetime(&reader)
    private func item(_ column: PackedColumn, _ row: Int, _ reader: inout BlockReader) throws(EngineError) -> RawSpan {
        let item: RawSpan
        do { item = try column.read(row, with: &reader) } catch { throw quarantine(error) }
        guard item.isValidUTF8 else { throw quarantine("UTF-8 text in row \(row)") }
        return item
    }

    private func element(_ column: PlainColumn, _ row: Int) throws(EngineError) -> UInt32 {
        try elements(column, row..<row + 1)[0]
    }

    @_lifetime(borrow self)
    private func elements<T: BitwiseCopyable>(_ column: PlainColumn, _ range: Range<Int>) throws(EngineError) -> Span<T> {
        do {
            let span = try column.elements(range, as: T.self)
            // Sound: the column's file, which self holds, stays mapped.
            return unsafe _overrideLifetime(span, borrowing: self)
        } catch { throw quarantine(error) }
    }
}

/// The columns that a search by an index reads, lent as long as the segment is held. What is read was touched before.
final class SegmentVectors: Sendable {
    let rows: VectorRows
    let documents: Cells<UInt32>
    let versions: Cells<UInt32>
    private let columns: Segment.Columns.Space
    private let checked = Atomic(false)

    fileprivate init(_ columns: Segment.Columns.Space, _ schema: SpaceSchema, documents: PlainColumn, versions: PlainColumn) {
        self.columns = columns
        // Sound: the columns, of which one is kept here, hold their file.
        unsafe self.documents = documents.lentElements()
        unsafe self.versions = versions.lentElements()
        unsafe rows = VectorRows(
            values: columns.vectors.lentElements(), stride: columns.width, factors: columns.factors.lentElements(), dimension: columns.dimension,
            metric: schema.metric)
    }

    fileprivate var isChecked: Bool { checked.load(ordering: .acquiring) }
    fileprivate func setChecked() { checked.store(true, ordering: .releasing) }
    fileprivate func touchFactors() throws(Corruption) { try columns.factors.touch(0..<columns.factors.count) }

    @inline(__always)
    fileprivate func touchVector(_ row: Int) throws(Corruption) { try columns.vectors.touch(row * columns.width..<(row + 1) * columns.width) }
}
