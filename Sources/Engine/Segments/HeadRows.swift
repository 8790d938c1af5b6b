// The chunks that are in no segment yet: rows in memory, one writer adding, readers on copies.
import Index
import Memory

/// The texts of a chunk, where they lie in the rows' arena.
struct ChunkTexts: BitwiseCopyable, Sendable {
    var text = ByteRange()
    var heading = ByteRange()
    /// `ChunkParts`: an empty text is not an absent one.
    var parts: UInt8 = 0
}

/// Which of the optional texts a chunk has.
enum ChunkParts {
    static let text: UInt8 = 1, heading: UInt8 = 2
    /// In records only: rows have the access object's number in a column of its own.
    static let access: UInt8 = 4
    static let known: UInt8 = 7
}

/// Consecutive chunks by row, the first of them numbered `firstChunk`. Copying it is a snapshot.
struct HeadRows: Sendable {
    let firstChunk: Int
    /// By row: the document, and which version of it the chunk belongs to.
    private(set) var documents = PagedColumn<UInt32>()
    private(set) var versions = PagedColumn<UInt32>()
    private(set) var texts = PagedColumn<ChunkTexts>()
    /// The row's own access object; 0, or beyond the end, where it has none.
    private(set) var access = PagedColumn<UInt32>()
    private(set) var arena = ByteArena()
    private(set) var spaces: [SpaceRows]

    /// - Parameter encoders: by space, where its rows are to have codes.
    init(firstChunk: Int, schema: CollectionSchema, encoders: [RowEncoder?]) {
        self.firstChunk = firstChunk
        spaces = zip(schema.spaces, encoders).map(SpaceRows.init)
    }

    var count: Int { documents.count }
    var endChunk: Int { firstChunk + count }

    /// Begins the next row; its vectors follow, one call a space.
    mutating func append(document: Int, version: UInt32, text: RawSpan?, heading: RawSpan?, access object: UInt32 = 0) {
        var row = ChunkTexts()
        if let text {
            row.parts |= ChunkParts.text
            row.text = arena.append(text)
        }
        if let heading {
            row.parts |= ChunkParts.heading
            row.heading = arena.append(heading)
        }
        if object != 0 {
            while access.count < count { access.append(0) }
            access.append(object)
        }
        texts.append(row)
        documents.append(UInt32(document))
        versions.append(version)
    }

    func ownAccess(_ row: Int) -> UInt32 { row < access.count ? access[row] : 0 }

    mutating func append(_ vector: Span<Float>, space: Int) { spaces[space].append(vector) }
    mutating func appendAbsent(space: Int) { spaces[space].appendAbsent() }
    mutating func adopt(_ codes: CodedRows, space: Int) { spaces[space].adopt(codes) }

    var byteCount: Int {
        documents.byteCount + versions.byteCount + texts.byteCount + access.byteCount + arena.byteCount + spaces.reduce(0) { $0 + $1.byteCount }
    }
}
