// Everything one collection holds at one sequence. The writer changes its copy; readers keep theirs.
import Index
import Memory

/// A collection as a value: copying it is the snapshot (every column shares its pages, see `PagedColumn`).
struct CollectionState: Sendable {
    /// Given once: a collection dropped and created again under one name is another collection.
    let number: UInt32
    let schema: CollectionSchema
    /// Shared by all copies; nothing of it is part of the state.
    let derived = DerivedData()
    var catalog: Catalog
    /// Segments, and heads waiting to become one; rising by chunk number.
    var sealed: [ChunkPart]
    /// The chunks behind them: the only part that grows.
    var head: HeadRows
    private(set) var headLiveCount = 0

    init(number: UInt32, schema: CollectionSchema) {
        self.init(number: number, schema: schema, catalog: Catalog(schema: schema), sealed: [], nextChunk: 0)
    }

    /// A collection as it was found on disk, with an empty head.
    init(number: UInt32, schema: CollectionSchema, catalog: Catalog, sealed: [ChunkPart], nextChunk: Int) {
        self.number = number
        self.schema = schema
        self.catalog = catalog
        self.sealed = sealed
        head = HeadRows(firstChunk: nextChunk, schema: schema, encoders: Self.encoders(of: sealed, schema))
        catalog.documents.forEachLive { _, row in countChunks(of: row, by: 1) }
    }

    var documents: DocumentTable {
        _read { yield catalog.documents }
        _modify { yield &catalog.documents }
    }

    var fields: [FieldColumn] {
        _read { yield catalog.fields }
        _modify { yield &catalog.fields }
    }

    /// All parts, the head last.
    var parts: [ChunkPart] { sealed + [ChunkPart(rows: .memory(head), liveCount: headLiveCount)] }
    /// Chunks in force.
    var liveChunkCount: Int { sealed.reduce(headLiveCount) { $0 + $1.liveCount } }
    /// Rows kept, in force or not.
    var rowCount: Int { sealed.reduce(head.count) { $0 + $1.rowCount } }

    /// Ends the head and begins a new one, to make a segment of the former.
    mutating func sealHead() {
        guard head.count > 0 else { return }
        sealed.append(ChunkPart(rows: .memory(head), liveCount: headLiveCount))
        beginHead(at: head.endChunk)
        headLiveCount = 0
    }

    private mutating func beginHead(at chunk: Int) {
        head = HeadRows(firstChunk: chunk, schema: schema, encoders: Self.encoders(of: sealed, schema))
    }

    /// What rows of the head are to be encoded by: see `encoder`.
    private static func encoders(of sealed: [ChunkPart], _ schema: CollectionSchema) -> [RowEncoder?] {
        schema.spaces.indices.map { encoder(in: sealed, space: $0) }
    }

    /// As the index of the space that was built last encodes its own; nil where none is in use.
    func encoder(space: Int) -> RowEncoder? { Self.encoder(in: sealed, space: space) }

    private static func encoder(in sealed: [ChunkPart], space: Int) -> RowEncoder? {
        let indexes = sealed.compactMap { $0.segment?.indexes[space] }.filter { $0.encoder != nil }
        return indexes.max { $0.fileNumber < $1.fileNumber }?.encoder
    }

    /// Whether every chunk in force has a place: a document for which not, if there is one. Asked once the log is replayed.
    func documentWithoutChunks() -> Int? {
        var found: Int?
        let (headStart, end) = (head.firstChunk, head.endChunk)
        documents.forEachLive { number, row in
            guard row.chunkCount > 0 else { return }
            let first = Int(row.firstChunk)
            let last = first + Int(row.chunkCount) - 1
            let isThere = first >= headStart ? last < end : sealedIndex(ofChunk: first).map { sealed[$0].chunks.contains(last) } ?? false
            if !isThere { found = found ?? number }
        }
        return found
    }

    mutating func install(_ replacement: Replacement) {
        let replaced = sealed.indices.filter { replacement.chunks.contains(sealed[$0].chunks.lowerBound) }
        guard let first = replaced.first, let last = replaced.last else { preconditionFailure("a segment replaces parts that are there") }
        let liveCount = sealed[first...last].reduce(0) { $0 + $1.liveCount }
        precondition(replacement.by != nil || liveCount == 0, "chunks in force are not left out")
        sealed.replaceSubrange(first...last, with: replacement.by.map { [ChunkPart(rows: .segment($0), liveCount: liveCount)] } ?? [])
    }

    /// Nothing to do where the segment has been compacted away meanwhile.
    mutating func install(_ index: InstalledIndex) {
        guard let part = sealed.firstIndex(where: { $0.segment?.fileNumber == index.segment }) else { return }
        if let segment = sealed[part].segment { sealed[part].rows = .segment(segment.with(index.index)) }
        if head.count == 0 { beginHead(at: head.firstChunk) }
    }

    /// Nothing to do where the head has become a segment meanwhile.
    mutating func install(_ codes: HeadCodes) {
        if head.firstChunk == codes.firstChunk { head.adopt(codes.codes, space: codes.space) }
    }

    /// Counts a document's chunks in (1) or out (-1) of the part that holds them.
    ///
    /// During recovery there may be none: the catalog is as old as the last checkpoint, and segments may have been compacted
    /// since, without the chunks that the log is about to take out of force.
    mutating func countChunks(of number: Int, by sign: Int) {
        if documents.isLive(number) { countChunks(of: documents.rows[number], by: sign) }
    }

    private mutating func countChunks(of row: DocumentRow, by sign: Int) {
        guard row.chunkCount > 0 else { return }
        let (chunk, change) = (Int(row.firstChunk), sign * Int(row.chunkCount))
        if chunk >= head.firstChunk {
            headLiveCount += change
        } else if let part = sealedIndex(ofChunk: chunk) {
            sealed[part].liveCount += change
        }
    }

    /// The documents that are there, folders left out.
    func liveDocuments() -> Bitmap {
        var live = Bitmap(count: documents.count)
        let guards = documents.guards
        for number in 0..<guards.pageCount {
            let page = guards.page(number)
            live.fill(from: number * guards.pageCapacity, count: page.count) { page[$0] & Guard.kindMask == Guard.there }
        }
        return live
    }

    /// Memory held, in bytes, pages shared with snapshots included.
    var byteCount: Int { catalog.byteCount + sealed.reduce(head.byteCount) { $0 + $1.byteCount } }
}

/// What a collection knows of its documents without their chunks: in memory whole, and on disk in catalog files.
struct Catalog: Sendable {
    var documents = DocumentTable()
    var fields: [FieldColumn]

    init(schema: CollectionSchema) { fields = schema.fields.map(FieldColumn.init) }

    var byteCount: Int { documents.byteCount + fields.reduce(0) { $0 + $1.byteCount } }
}
