// One collection at one sequence, and what can be asked of it besides searching.
import Memory

/// A collection as readers see it.
package final class CollectionSnapshot: Sendable {
    let state: CollectionState

    init(_ state: CollectionState) { self.state = state }

    package var schema: CollectionSchema { state.schema }
    /// Documents that are there, folders not counted.
    package var documentCount: Int { state.documents.liveCount - state.documents.folderCount }
    package var folderCount: Int { state.documents.folderCount }
    package var chunkCount: Int { state.liveChunkCount }
    /// Memory held, in bytes.
    package var byteCount: Int { state.byteCount }

    /// The node with this id.
    package func node(_ id: String) -> NodeView? {
        state.documents.find(id).map { NodeView(collection: self, number: $0) }
    }

    /// The document a hit lies in.
    package func document(of hit: Hit) -> NodeView { NodeView(collection: self, number: Int(hit.document)) }
    package func chunk(of hit: Hit) -> ChunkView { ChunkView(collection: self, number: Int(hit.chunk)) }

    /// How many documents match, and how many chunks they have.
    package func count(filter: Filter?, under: [String]?) throws(EngineError) -> (documents: Int, chunks: Int) {
        guard let documents = try documents(filter: filter, under: under) else { return (documentCount, chunkCount) }
        var chunks = 0
        documents.forEach { chunks += Int(state.documents.rows[$0].chunkCount) }
        return (documents.population, chunks)
    }

    /// The documents that a filter and a subtree leave; nil where neither is given and all are meant.
    func documents(filter: Filter?, under: [String]?) throws(EngineError) -> Bitmap? {
        guard filter != nil || under != nil else { return nil }
        var allowed = if let filter { try state.documents(matching: filter) } else { state.liveDocuments() }
        if let under { allowed.formIntersection(state.subtree(of: under)) }
        return allowed
    }
}

/// A node of a snapshot, read where it lies.
package struct NodeView {
    private let collection: CollectionSnapshot
    private let number: Int

    fileprivate init(collection: CollectionSnapshot, number: Int) {
        self.collection = collection
        self.number = number
    }

    private var state: CollectionState { collection.state }
    private var row: DocumentRow { state.documents.rows[number] }

    package var id: RawSpan {
        @_lifetime(borrow self)
        get {
            // Sound: self holds the snapshot, which holds the bytes.
            unsafe _overrideLifetime(state.documents.ids.bytes(UInt32(number)), borrowing: self)
        }
    }

    package var isFolder: Bool { row.isFolder != 0 }
    package var version: UInt64 { UInt64(state.documents.versions[number]) }
    package var parent: String? { row.parent.map { state.documents.id($0) } }
    package var title: String? { row.has(DocumentRow.Present.title) ? state.texts.string(row.title) : nil }
    package var url: String? { row.has(DocumentRow.Present.url) ? state.texts.string(row.url) : nil }
    package var mime: String? { row.has(DocumentRow.Present.mime) ? state.texts.string(row.mime) : nil }
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

    package var chunkCount: Int { Int(row.chunkCount) }

    package func chunk(_ ordinal: Int) -> ChunkView {
        precondition(ordinal >= 0 && ordinal < chunkCount, "a chunk must lie within its document")
        return ChunkView(collection: collection, number: Int(row.firstChunk) + ordinal)
    }
}

/// A chunk of a snapshot, read where it lies.
package struct ChunkView {
    private let collection: CollectionSnapshot
    private let number: Int

    fileprivate init(collection: CollectionSnapshot, number: Int) {
        self.collection = collection
        self.number = number
    }

    private var state: CollectionState { collection.state }

    package var ordinal: Int { state.ordinal(ofChunk: number) }

    package var text: RawSpan? {
        @_lifetime(borrow self)
        get {
            let row = state.chunks[number]
            guard row.hasText != 0 else { return nil }
            // Sound: self holds the snapshot, which holds the bytes.
            return unsafe _overrideLifetime(state.texts.bytes(row.text), borrowing: self)
        }
    }

    package var heading: RawSpan? {
        @_lifetime(borrow self)
        get {
            let row = state.chunks[number]
            guard row.hasHeading != 0 else { return nil }
            // Sound: as above.
            return unsafe _overrideLifetime(state.texts.bytes(row.heading), borrowing: self)
        }
    }

    /// Its vector in a space, if it has one.
    @_lifetime(borrow self)
    package func vector(space: Int) -> Span<Float>? {
        let rows = state.spaces[space]
        guard let vector = rows.vector(number) else { return nil }
        // Sound: as above; `rows` is a second holder of the snapshot's own pages.
        return unsafe _overrideLifetime(vector, borrowing: self)
    }
}
