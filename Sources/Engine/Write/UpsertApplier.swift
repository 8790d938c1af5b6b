// Puts an upsert record into force: the one path by which documents get in, live and on replay alike.
import Memory

/// What a write did, for its answer.
package struct WriteCounts: Equatable, Sendable {
    package var inserted = 0
    package var replaced = 0
    package var unchanged = 0
    package var deleted = 0
    package var patched = 0
    package init() {}
}

/// Applies upsert records to a collection. Deterministic: the same record on the same state gives the same state.
struct UpsertApplier {
    /// `reader` stands behind the collection's number.
    static func apply(_ reader: inout ByteReader, to state: inout CollectionState, _ directory: inout Directory) throws(Corruption) -> WriteCounts {
        var counts = WriteCounts()
        for _ in 0..<(try reader.read(UInt32.self)) {
            let id = try nodeID(&reader)
            let digest = ContentDigest(high: try reader.read(), low: try reader.read())
            var document = ByteReader(try reader.readBlob())
            if let existing = state.documents.find(id) {
                if digest.isKnown, state.documents.rows[existing].digest == digest {
                    counts.unchanged += 1
                    continue
                }
                counts.replaced += 1
            } else {
                counts.inserted += 1
            }
            try store(&document, id: id, digest: digest, in: &state, &directory)
            try document.finish()
        }
        return counts
    }

    // MARK: Storing

    private static func store(
        _ reader: inout ByteReader, id: RawSpan, digest: ContentDigest, in state: inout CollectionState, _ directory: inout Directory
    ) throws(Corruption) {
        let number = state.number(ofDocument: id)
        var row = DocumentRow()
        row.digest = digest
        row.lastVersion = state.documents.rows[number].lastVersion + 1
        let parts = try parts(&reader)
        if parts & UpsertRecord.Part.folder != 0 { row.isFolder = 1 }
        if parts & UpsertRecord.Part.parent != 0 {
            row.parentPlusOne = UInt32(state.parentNumber(try nodeID(&reader))) + 1
        }
        if parts & UpsertRecord.Part.title != 0 { row.title = try text(&reader, &row, DocumentRow.Present.title, &state) }
        if parts & UpsertRecord.Part.url != 0 { row.url = try text(&reader, &row, DocumentRow.Present.url, &state) }
        if parts & UpsertRecord.Part.mime != 0 { row.mime = try text(&reader, &row, DocumentRow.Present.mime, &state) }
        if parts & UpsertRecord.Part.time != 0 {
            row.time = try reader.read()
            row.present |= DocumentRow.Present.time
        }
        if parts & UpsertRecord.Part.access != 0 { state.documents.setAccess(number, to: try access(&reader, &directory)) }
        try storeFields(&reader, of: number, in: &state)
        row.firstChunk = UInt64(state.head.endChunk)
        row.chunkCount = try reader.read()
        for _ in 0..<row.chunkCount { try storeChunk(&reader, of: number, version: row.lastVersion, state.schema.spaces, in: &state.head, &directory) }
        // The new chunks are all there; this is the step that makes them, and no others, the document's.
        state.countChunks(of: number, by: -1)
        state.documents.replace(number, with: row)
        state.countChunks(of: number, by: 1)
    }

    private static func text(
        _ reader: inout ByteReader, _ row: inout DocumentRow, _ part: UInt8, _ state: inout CollectionState
    ) throws(Corruption) -> ByteRange {
        row.present |= part
        return state.documents.texts.append(try utf8(&reader))
    }

    private static func storeFields(_ reader: inout ByteReader, of number: Int, in state: inout CollectionState) throws(Corruption) {
        var given = [Bool](repeating: false, count: state.fields.count)
        for _ in 0..<(try reader.read(UInt16.self)) {
            let (index, value) = try field(&reader, in: state)
            given[index] = true
            state.fields[index].set(number, to: value)
        }
        for index in given.indices where !given[index] { state.fields[index].set(number, to: nil) }
    }

    private static func storeChunk(
        _ reader: inout ByteReader, of number: Int, version: UInt32, _ spaces: [SpaceSchema], in head: inout HeadRows, _ directory: inout Directory
    ) throws(Corruption) {
        let parts = try chunkParts(&reader)
        let text = parts & ChunkParts.text != 0 ? try utf8(&reader) : nil
        let heading = parts & ChunkParts.heading != 0 ? try utf8(&reader) : nil
        let own = parts & ChunkParts.access != 0 ? try access(&reader, &directory) : 0
        head.append(document: number, version: version, text: text, heading: heading, access: own)
        var given = [Bool](repeating: false, count: spaces.count)
        var floats: [Float] = []
        for _ in 0..<(try reader.read(UInt8.self)) {
            let vector = try vector(&reader, spaces)
            guard !given[vector.space] else { throw Corruption(offset: reader.offset, expected: "one vector a space") }
            given[vector.space] = true
            vector.bytes.copyFloats(to: &floats)
            do { try spaces[vector.space].check(floats.span, field: "") } catch {
                throw Corruption(offset: reader.offset - vector.bytes.byteCount, expected: "a vector that can be compared: \(error.message)")
            }
            head.append(floats.span, space: vector.space)
        }
        for index in given.indices where !given[index] { head.appendAbsent(space: index) }
    }

    // MARK: Reading the parts

    private static func parts(_ reader: inout ByteReader) throws(Corruption) -> UInt8 {
        let parts = try reader.read(UInt8.self)
        guard parts & ~UpsertRecord.Part.known == 0 else { throw Corruption(offset: reader.offset - 1, expected: "known document parts") }
        return parts
    }

    private static func chunkParts(_ reader: inout ByteReader) throws(Corruption) -> UInt8 {
        let parts = try reader.read(UInt8.self)
        guard parts & ~ChunkParts.known == 0 else { throw Corruption(offset: reader.offset - 1, expected: "known chunk parts") }
        return parts
    }

    /// The number of an access object by its name, which gets one if it never had; 0 for the empty name.
    static func access(_ reader: inout ByteReader, _ directory: inout Directory) throws(Corruption) -> UInt32 {
        let start = reader.offset
        let name = try utf8(&reader)
        guard name.byteCount <= Limits.idBytesMax else { throw Corruption(offset: start, expected: "an access object's name of at most \(Limits.idBytesMax) bytes") }
        guard name.byteCount > 0 else { return 0 }
        return directory.intern(access: name)
    }

    @_lifetime(copy reader)
    private static func nodeID(_ reader: inout ByteReader) throws(Corruption) -> RawSpan {
        let start = reader.offset
        let bytes = try utf8(&reader)
        guard (1...Limits.idBytesMax).contains(bytes.byteCount) else {
            throw Corruption(offset: start, expected: "an id of 1 to \(Limits.idBytesMax) bytes")
        }
        return bytes
    }

    /// Text for the arena, where only valid UTF-8 may get.
    @_lifetime(copy reader)
    static func utf8(_ reader: inout ByteReader) throws(Corruption) -> RawSpan {
        let start = reader.offset
        let bytes = try reader.readBlob()
        guard bytes.isValidUTF8 else { throw Corruption(offset: start, expected: "UTF-8 text") }
        return bytes
    }

    static func field(_ reader: inout ByteReader, in state: CollectionState) throws(Corruption) -> (Int, FieldValue) {
        let index = Int(try reader.read(UInt16.self))
        guard index < state.fields.count else { throw Corruption(offset: reader.offset - 2, expected: "a declared field's index") }
        switch state.fields[index].schema.type {
        case .keyword: return (index, .keyword(try reader.readString()))
        case .keywords:
            var texts: [String] = []
            for _ in 0..<(try reader.read(UInt16.self)) { texts.append(try reader.readString()) }
            return (index, .keywords(texts))
        case .int, .time: return (index, .int(try reader.read()))
        case .float:
            let number = try reader.readDouble()
            guard number.isFinite else { throw Corruption(offset: reader.offset - 8, expected: "a finite number") }
            return (index, .float(number))
        case .bool: return (index, .bool(try reader.read(UInt8.self) != 0))
        }
    }

    @_lifetime(copy reader)
    private static func vector(_ reader: inout ByteReader, _ spaces: [SpaceSchema]) throws(Corruption) -> IndexedVector {
        let index = Int(try reader.read(UInt8.self))
        guard index < spaces.count else { throw Corruption(offset: reader.offset - 1, expected: "a space's index") }
        return IndexedVector(space: index, bytes: try reader.readBytes(4 * spaces[index].dimension))
    }
}

/// A vector in a record: which space, and the bytes of its floats.
private struct IndexedVector: ~Escapable {
    let space: Int
    let bytes: RawSpan

    @_lifetime(copy bytes)
    init(space: Int, bytes: RawSpan) {
        self.space = space
        self.bytes = bytes
    }
}

extension CollectionState {
    /// The number of a document, with a place in every column.
    mutating func number(ofDocument id: RawSpan) -> Int {
        let (number, isNew) = documents.number(id)
        if isNew { for index in fields.indices { fields[index].appendAbsent() } }
        return number
    }

    /// The number of a parent. One that is not there becomes an empty folder at the root, so that a tree can be
    /// loaded in any order and over several connections; its own record completes it.
    mutating func parentNumber(_ id: RawSpan) -> Int {
        let parent = number(ofDocument: id)
        if !documents.isLive(parent) {
            var folder = DocumentRow()
            folder.lastVersion = documents.rows[parent].lastVersion + 1
            folder.isFolder = 1
            for index in fields.indices { fields[index].set(parent, to: nil) }
            documents.replace(parent, with: folder)
        }
        return parent
    }

    mutating func remove(document number: Int) {
        countChunks(of: number, by: -1)
        documents.remove(number)
    }
}
