// Everything one collection holds at one sequence. The writer changes its copy; readers keep theirs.
import Index
import Memory

/// What a chunk is besides its vectors.
struct ChunkRow: BitwiseCopyable, Sendable {
    var text = ByteRange()
    var heading = ByteRange()
    var hasText: UInt8 = 0
    var hasHeading: UInt8 = 0
}

/// A collection as a value: copying it is the snapshot (every column shares its pages, see `PagedColumn`).
struct CollectionState: Sendable {
    /// Given once: a collection dropped and created again under one name is another collection.
    let number: UInt32
    let schema: CollectionSchema
    var documents = DocumentTable()
    var fields: [FieldColumn]
    /// By chunk number: the document it belongs to, and the version it belongs to.
    var chunkDocuments = PagedColumn<UInt32>()
    var chunkVersions = PagedColumn<UInt32>()
    var chunks = PagedColumn<ChunkRow>()
    var spaces: [SpaceRows]
    var texts = ByteArena()
    var liveChunkCount = 0

    init(number: UInt32, schema: CollectionSchema) {
        self.number = number
        self.schema = schema
        fields = schema.fields.map(FieldColumn.init)
        spaces = schema.spaces.map(SpaceRows.init)
    }

    var chunkCount: Int { chunkDocuments.count }

    func isLive(chunk: Int) -> Bool {
        chunkVersions[chunk] == documents.versions[Int(chunkDocuments[chunk])]
    }

    /// The chunk numbers of a document that is there.
    func chunkNumbers(of document: Int) -> Range<Int> {
        let row = documents.rows[document]
        return Int(row.firstChunk)..<Int(row.firstChunk) + Int(row.chunkCount)
    }

    func ordinal(ofChunk chunk: Int) -> Int {
        chunk - Int(documents.rows[Int(chunkDocuments[chunk])].firstChunk)
    }

    /// Memory held, in bytes, pages shared with snapshots included.
    var byteCount: Int {
        documents.byteCount + texts.byteCount + chunkDocuments.byteCount + chunkVersions.byteCount + chunks.byteCount
            + fields.reduce(0) { $0 + $1.byteCount } + spaces.reduce(0) { $0 + $1.byteCount }
    }
}
