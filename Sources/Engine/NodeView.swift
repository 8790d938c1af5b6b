// Nodes and chunks of a snapshot, read where they lie.
import Memory
import Storage

/// A node of a snapshot, read where it lies.
package struct NodeView {
    let collection: CollectionSnapshot
    let number: Int
    private let row: DocumentRow
    /// Of the chunks that may be seen; nil where these are all.
    private let ordinals: [Int]?

    init(collection: CollectionSnapshot, number: Int) {
        self.collection = collection
        self.number = number
        row = collection.state.documents.rows[number]
        ordinals = collection.visibleOrdinals(number)
    }

    private var state: CollectionState { collection.state }
    var firstChunk: Int { Int(row.firstChunk) }

    package var id: RawSpan {
        @_lifetime(borrow self)
        get {
            // Sound: self holds the snapshot, which holds the bytes.
            unsafe _overrideLifetime(state.documents.ids.bytes(UInt32(number)), borrowing: self)
        }
    }

    package var isFolder: Bool { row.isFolder != 0 }
    package var version: UInt64 { UInt64(state.documents.versions[number]) }
    /// Whether that means something: see `CollectionSnapshot.tellsGrades`.
    package var tellsGrade: Bool { collection.tellsGrades }
    /// How much of it the reader may know.
    package var grade: Grade { collection.grade(ofNode: number) }
    var parentNumber: Int? { row.parent }
    /// Told only where the parent may be named itself.
    package var parent: String? { row.parent.flatMap { collection.shows($0) ? state.documents.id($0) : nil } }
    package var title: String? { row.has(DocumentRow.Present.title) ? state.documents.texts.string(row.title) : nil }
    package var url: String? { row.has(DocumentRow.Present.url) ? state.documents.texts.string(row.url) : nil }
    package var mime: String? { row.has(DocumentRow.Present.mime) ? state.documents.texts.string(row.mime) : nil }
    /// RFC 3339.
    package var time: String? { row.has(DocumentRow.Present.time) ? Timestamp.rfc3339(milliseconds: row.time) : nil }

    /// Declared fields that have a value, in the order of their declaration. Times are RFC 3339 texts.
    package var fields: [(name: String, value: InputValue)] {
        state.fields.compactMap { column in
            guard let value = column.value(number) else { return nil }
            let output: InputValue =
                switch value {
                case .keyword(let text): .string(text)
                case .keywords(let texts): .strings(texts)
                case .int(let number): column.schema.type == .time ? .string(Timestamp.rfc3339(milliseconds: number)) : .integer(number)
                case .float(let number): .number(number)
                case .bool(let flag): .bool(flag)
                }
            return (column.schema.name, output)
        }
    }

    /// The access object that it has of its own, for those who look after rights.
    func access(_ directory: Directory) -> String? {
        let own = state.documents.ownAccess(number)
        return own == 0 ? nil : directory.accessName(own)
    }

    /// That of one of its chunks, told by its place among those that may be seen.
    func access(ofChunk ordinal: Int, _ directory: Directory) throws(EngineError) -> String? {
        let place = try collection.place(ofChunk: Int(row.firstChunk) + (ordinals?[ordinal] ?? ordinal))
        let own = try collection.parts[place.part].ownAccess(place.row)
        return own == 0 ? nil : directory.accessName(own)
    }

    /// Chunks that may be seen.
    package var chunkCount: Int { ordinals?.count ?? Int(row.chunkCount) }

    /// - Parameter ordinal: among the chunks that may be seen.
    package func chunk(_ ordinal: Int) throws(EngineError) -> ChunkView {
        precondition(ordinal >= 0 && ordinal < chunkCount, "a chunk must lie within its document")
        let place = try collection.place(ofChunk: Int(row.firstChunk) + (ordinals?[ordinal] ?? ordinal))
        let part = collection.parts[place.part]
        return ChunkView(part: part, row: place.row, ordinal: ordinal, grade: try collection.grade(of: part, place.row, document: number))
    }
}

/// A chunk of a snapshot, read where it lies. Reading fails where the segment that holds it turns out to be damaged.
package struct ChunkView {
    private let part: ChunkPart
    private let row: Int
    /// Its place among the chunks of its document that the reader may see.
    package let ordinal: Int
    package let grade: Grade

    init(part: ChunkPart, row: Int, ordinal: Int, grade: Grade) {
        self.part = part
        self.row = row
        self.ordinal = ordinal
        self.grade = grade
    }

    /// Its text, if it has one; the reader keeps what it had to unpack, for the chunk's neighbours.
    @_lifetime(&reader)
    package func text(with reader: inout ChunkReader) throws(EngineError) -> RawSpan? {
        guard try part.textParts(row) & ChunkParts.text != 0 else { return nil }
        return try part.text(row, with: &reader.texts)
    }

    @_lifetime(&reader)
    package func heading(with reader: inout ChunkReader) throws(EngineError) -> RawSpan? {
        guard try part.textParts(row) & ChunkParts.heading != 0 else { return nil }
        return try part.heading(row, with: &reader.headings)
    }

    /// Its vector in a space of the schema's, if it has one; only to those who may read the chunk: a text can be guessed from its vector.
    @_lifetime(borrow self)
    package func vector(space: Int, dimension: Int) throws(EngineError) -> Span<Float>? {
        guard grade == .read else { return nil }
        guard try !part.factor(row, space: space).isNaN else { return nil }
        return try part.paddedVector(row, space: space).extracting(first: dimension)
    }
}

/// What reading chunks one after the other keeps from one to the next.
package struct ChunkReader: ~Copyable {
    fileprivate var texts = BlockReader()
    fileprivate var headings = BlockReader()
    package init() {}
}

/// A document that may be known to exist, and no more.
package struct KnownNode: Sendable {
    private let collection: CollectionSnapshot
    private let number: Int

    init(collection: CollectionSnapshot, number: Int) {
        self.collection = collection
        self.number = number
    }

    package var id: String { collection.state.documents.id(number) }
    package var isFolder: Bool { collection.state.documents.rows[number].isFolder != 0 }
    package var title: String? { NodeView(collection: collection, number: number).title }
    /// Whom to ask, where the access object says so.
    package var contact: String? { collection.rights?.directory.contact(of: collection.state.documents.guardMark(number).access) }
}
