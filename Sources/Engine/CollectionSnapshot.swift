// One collection at one sequence, and what can be asked of it besides searching.
package import Memory
import Storage

/// A collection as readers see it.
package final class CollectionSnapshot: Sendable {
    let state: CollectionState
    /// The parts, the head last, and for each the number of its first row when all are counted through.
    let parts: [ChunkPart]
    let firstRows: [Int]
    private let visibilities: VisibilityCache

    init(_ state: CollectionState) {
        self.state = state
        parts = state.parts
        var rows = 0
        firstRows = parts.map { part in
            defer { rows += part.rowCount }
            return rows
        }
        visibilities = VisibilityCache(documents: state.documents.count, rows: rows)
    }

    package var schema: CollectionSchema { state.schema }
    /// Documents that are there, folders not counted.
    package var documentCount: Int { state.documents.liveCount - state.documents.folderCount }
    package var folderCount: Int { state.documents.folderCount }
    package var chunkCount: Int { state.liveChunkCount }
    /// Memory held, in bytes.
    package var byteCount: Int { state.byteCount }

    /// The node with this id.
    package func node(_ id: String) -> NodeView? {
        find(id).map { NodeView(collection: self, number: $0) }
    }

    // MARK: What a caller may be told of

    // The door: wherever a node is named or counted, one of these is asked. What they do not let through is as if it were not there.

    /// Whether a node may be named: in the tree, as a parent, on a path, in counts, and as what others lie under. Every node that is there may.
    func shows(_ node: Int) -> Bool { state.documents.isLive(node) }

    /// Whether all that are there may be, so that what is counted already need not be counted again.
    var showsEverything: Bool { true }

    /// The number of a node that may be named.
    func find(_ id: String) -> Int? { state.documents.find(id).flatMap { shows($0) ? $0 : nil } }

    /// The chunks of a document that are told of and counted.
    func chunkCount(of document: Int) -> Int { Int(state.documents.rows[document].chunkCount) }

    /// The nodes right under one that may be named.
    func childCount(of node: Int) -> Int {
        if showsEverything { return Int(state.documents.rows[node].childCount) }
        return children(of: node).count
    }

    /// Their numbers; of those at the root where `node` is nil. In no order. O(children).
    func children(of node: Int?) -> [Int] {
        var children: [Int] = []
        state.derived.tree.withLinks(of: state.documents) { links in links.forEachChild(of: node) { children.append($0) } }
        return showsEverything ? children : children.filter(shows)
    }

    /// What tells one view of a collection from another: a cursor goes on in the one it was given for. There is one view.
    var viewDigest: UInt64 { 0 }

    /// The document a hit lies in.
    package func document(of hit: Hit) -> NodeView { NodeView(collection: self, number: Int(hit.document)) }

    /// What an answer tells of hits; which texts their chunks have is looked up where these will be asked for.
    package func details(of hits: [Hit], withTexts: Bool) throws(EngineError) -> HitDetails {
        try HitDetails(self, hits, withTexts: withTexts)
    }

    /// The chunk that was found.
    package func chunk(of hit: Hit) throws(EngineError) -> ChunkView {
        let place = place(ofRow: Int(hit.row))
        let ordinal = try parts[place.part].chunk(place.row) - document(of: hit).firstChunk
        return ChunkView(part: parts[place.part], row: place.row, ordinal: ordinal)
    }

    func place(ofRow row: Int) -> ChunkPlace {
        // Parts are few; those without rows share their first with the next one.
        let part = firstRows.lastIndex { $0 <= row } ?? 0
        return ChunkPlace(part: part, row: row - firstRows[part])
    }

    /// Damaged segments, which are not searched: how many chunks in force they hold, and what is wrong with the first.
    package var damage: Damage? {
        let damaged = parts.filter { $0.segment?.corruption != nil }
        guard let first = damaged.first?.segment?.corruption else { return nil }
        return Damage(segments: damaged.count, chunks: damaged.reduce(0) { $0 + $1.liveCount }, first: first)
    }

    /// What is wrong with each of them.
    package var corruptions: [Corruption] { parts.compactMap { $0.segment?.corruption } }

    /// How many documents match, and how many chunks they have.
    package func count(filter: Filter?, under: [String]?, prepared: [PreparedFilter] = []) throws(EngineError) -> (documents: Int, chunks: Int) {
        guard let visibility = try visibility(filter: filter, under: under, prepared: prepared) else { return (documentCount, chunkCount) }
        return visibility.count { chunkCount(of: $0) }
    }

    /// The documents that filters and a subtree leave; nil where none is given and all are meant. Part of the door: no others are named,
    /// counted or compared.
    func documents(filter: Filter?, under: [String]?, prepared: [PreparedFilter] = []) throws(EngineError) -> Bitmap? {
        try visibility(filter: filter, under: under, prepared: prepared)?.documents
    }

    /// The same with what indexes make of it. Worked out at the first time of asking this snapshot, from what it was for the last one:
    /// O(pages), and the documents of those that have changed; O(documents) where nobody has asked before.
    func visibility(filter: Filter?, under: [String]?, prepared: [PreparedFilter] = []) throws(EngineError) -> Visibility? {
        guard filter != nil || under != nil || !prepared.isEmpty else { return nil }
        let key = VisibilityKey(filter: filter, under: under, prepared: prepared.map(\.handle))
        return try visibilities.visibility(of: key) { () throws(EngineError) in
            var allowed = filter != nil || under != nil ? try evaluated(filter, under) : nil
            for filter in prepared {
                let documents = filter.evaluation.documents(of: state, find: find)
                if allowed == nil { allowed = documents } else { allowed?.formIntersection(documents) }
            }
            guard let allowed else { preconditionFailure("something is given") }
            return allowed
        }
    }

    private func evaluated(_ filter: Filter?, _ under: [String]?) throws(EngineError) -> Bitmap {
        let evaluation = try state.derived.evaluations.evaluation(of: VisibilityKey(filter: filter, under: under)) { () throws(EngineError) in
            try filter?.checkLimits()
            return try FilterProgram(filter, under: under, schema: schema)
        }
        let documents = evaluation.documents(of: state, find: find)
        state.derived.evaluations.trim()
        return documents
    }
}

/// A node of a snapshot, read where it lies.
package struct NodeView {
    let collection: CollectionSnapshot
    let number: Int
    private let row: DocumentRow

    init(collection: CollectionSnapshot, number: Int) {
        self.collection = collection
        self.number = number
        row = collection.state.documents.rows[number]
    }

    private var state: CollectionState { collection.state }
    fileprivate var firstChunk: Int { Int(row.firstChunk) }

    package var id: RawSpan {
        @_lifetime(borrow self)
        get {
            // Sound: self holds the snapshot, which holds the bytes.
            unsafe _overrideLifetime(state.documents.ids.bytes(UInt32(number)), borrowing: self)
        }
    }

    package var isFolder: Bool { row.isFolder != 0 }
    package var version: UInt64 { UInt64(state.documents.versions[number]) }
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

    package var chunkCount: Int { collection.chunkCount(of: number) }

    package func chunk(_ ordinal: Int) throws(EngineError) -> ChunkView {
        precondition(ordinal >= 0 && ordinal < chunkCount, "a chunk must lie within its document")
        let chunk = Int(row.firstChunk) + ordinal
        guard let index = chunk >= state.head.firstChunk ? collection.parts.count - 1 : state.sealedIndex(ofChunk: chunk) else {
            preconditionFailure("a chunk in force lies in a part")
        }
        let part = collection.parts[index]
        return ChunkView(part: part, row: try part.row(ofChunk: chunk), ordinal: ordinal)
    }
}

/// What a collection cannot serve because the bytes on disk are damaged.
package struct Damage: Sendable {
    package var segments: Int
    package var chunks: Int
    package var first: Corruption
}

/// A chunk of a snapshot, read where it lies. Reading fails where the segment that holds it turns out to be damaged.
package struct ChunkView {
    private let part: ChunkPart
    private let row: Int
    package let ordinal: Int

    init(part: ChunkPart, row: Int, ordinal: Int) {
        self.part = part
        self.row = row
        self.ordinal = ordinal
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

    /// Its vector in a space of the schema's, if it has one.
    @_lifetime(borrow self)
    package func vector(space: Int, dimension: Int) throws(EngineError) -> Span<Float>? {
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
