// Puts an upsert record into force: the one path by which documents get in, live and on replay alike.
import Memory

/// What a write did, for its answer.
package struct WriteCounts: Equatable, Sendable {
    package var inserted = 0
    package var replaced = 0
    package var unchanged = 0
    package var deleted = 0
    package init() {}
}

/// Applies upsert records to a collection. Deterministic: the same record on the same state gives the same state.
struct UpsertApplier {
    /// `reader` stands behind the collection's number.
    static func apply(_ reader: inout ByteReader, to state: inout CollectionState) throws(Corruption) -> WriteCounts {
        var counts = WriteCounts()
        for _ in 0..<(try reader.read(UInt32.self)) {
            let id = try nodeID(&reader)
            if let existing = state.documents.find(id) {
                // On a copy of the reader: only a document that turns out to be the same has been read to its end.
                var comparing = reader
                if try isSame(&comparing, as: existing, in: state) {
                    reader = comparing
                    counts.unchanged += 1
                    continue
                }
                counts.replaced += 1
            } else {
                counts.inserted += 1
            }
            try store(&reader, id: id, in: &state)
        }
        return counts
    }

    // MARK: Storing

    private static func store(_ reader: inout ByteReader, id: RawSpan, in state: inout CollectionState) throws(Corruption) {
        let number = state.number(ofDocument: id)
        let wasLive = state.documents.isLive(number)
        var row = DocumentRow()
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
        try storeFields(&reader, of: number, in: &state)
        row.firstChunk = UInt32(state.chunkCount)
        row.chunkCount = try reader.read()
        for _ in 0..<row.chunkCount { try storeChunk(&reader, of: number, version: row.lastVersion, in: &state) }
        if wasLive { state.liveChunkCount -= Int(state.documents.rows[number].chunkCount) }
        state.liveChunkCount += Int(row.chunkCount)
        // The new chunks are all there; this is the step that makes them, and no others, the document's.
        state.documents.replace(number, with: row)
    }

    private static func text(
        _ reader: inout ByteReader, _ row: inout DocumentRow, _ part: UInt8, _ state: inout CollectionState
    ) throws(Corruption) -> ByteRange {
        row.present |= part
        return state.texts.append(try utf8(&reader))
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
        _ reader: inout ByteReader, of number: Int, version: UInt32, in state: inout CollectionState
    ) throws(Corruption) {
        var chunk = ChunkRow()
        let parts = try chunkParts(&reader)
        if parts & UpsertRecord.ChunkPart.text != 0 {
            chunk.hasText = 1
            chunk.text = state.texts.append(try utf8(&reader))
        }
        if parts & UpsertRecord.ChunkPart.heading != 0 {
            chunk.hasHeading = 1
            chunk.heading = state.texts.append(try utf8(&reader))
        }
        state.chunks.append(chunk)
        state.chunkDocuments.append(UInt32(number))
        state.chunkVersions.append(version)
        var given = [Bool](repeating: false, count: state.spaces.count)
        var floats: [Float] = []
        for _ in 0..<(try reader.read(UInt8.self)) {
            let vector = try vector(&reader, in: state)
            guard !given[vector.space] else { throw Corruption(offset: reader.offset, expected: "one vector a space") }
            given[vector.space] = true
            vector.bytes.copyFloats(to: &floats)
            do { try state.spaces[vector.space].schema.check(floats.span, field: "") } catch {
                throw Corruption(offset: reader.offset - vector.bytes.byteCount, expected: "a vector that can be compared: \(error.message)")
            }
            state.spaces[vector.space].append(floats.span)
        }
        for index in given.indices where !given[index] { state.spaces[index].appendAbsent() }
    }

    // MARK: Comparing

    /// Whether the document at the reader is the one stored, to the last bit. Reads to its end if it is.
    private static func isSame(_ reader: inout ByteReader, as number: Int, in state: CollectionState) throws(Corruption) -> Bool {
        let row = state.documents.rows[number]
        let parts = try parts(&reader)
        guard (parts & UpsertRecord.Part.folder != 0) == (row.isFolder != 0) else { return false }
        guard (parts & UpsertRecord.Part.parent != 0) == (row.parent != nil) else { return false }
        if let parent = row.parent {
            guard try reader.readBlob().isEqual(to: state.documents.ids.bytes(UInt32(parent))) else { return false }
        }
        guard try isSameText(&reader, parts & UpsertRecord.Part.title, row, DocumentRow.Present.title, row.title, state),
            try isSameText(&reader, parts & UpsertRecord.Part.url, row, DocumentRow.Present.url, row.url, state),
            try isSameText(&reader, parts & UpsertRecord.Part.mime, row, DocumentRow.Present.mime, row.mime, state)
        else { return false }
        guard (parts & UpsertRecord.Part.time != 0) == row.has(DocumentRow.Present.time) else { return false }
        if row.has(DocumentRow.Present.time) { guard try reader.read(Int64.self) == row.time else { return false } }
        guard try isSameFields(&reader, as: number, in: state) else { return false }
        guard try reader.read(UInt32.self) == row.chunkCount else { return false }
        for chunk in state.chunkNumbers(of: number) {
            guard try isSameChunk(&reader, as: chunk, in: state) else { return false }
        }
        return true
    }

    private static func isSameText(
        _ reader: inout ByteReader, _ given: UInt8, _ row: DocumentRow, _ part: UInt8, _ stored: ByteRange, _ state: CollectionState
    ) throws(Corruption) -> Bool {
        guard (given != 0) == row.has(part) else { return false }
        if given == 0 { return true }
        return try reader.readBlob().isEqual(to: state.texts.bytes(stored))
    }

    private static func isSameFields(_ reader: inout ByteReader, as number: Int, in state: CollectionState) throws(Corruption) -> Bool {
        var left = state.fields.reduce(0) { $0 + Int($1.present[number]) }
        for _ in 0..<(try reader.read(UInt16.self)) {
            let (index, value) = try field(&reader, in: state)
            guard let stored = state.fields[index].value(number), stored.isExactly(value) else { return false }
            left -= 1
        }
        return left == 0
    }

    private static func isSameChunk(_ reader: inout ByteReader, as chunk: Int, in state: CollectionState) throws(Corruption) -> Bool {
        let row = state.chunks[chunk]
        let parts = try chunkParts(&reader)
        guard (parts & UpsertRecord.ChunkPart.text != 0) == (row.hasText != 0),
            (parts & UpsertRecord.ChunkPart.heading != 0) == (row.hasHeading != 0)
        else { return false }
        if row.hasText != 0 { guard try reader.readBlob().isEqual(to: state.texts.bytes(row.text)) else { return false } }
        if row.hasHeading != 0 { guard try reader.readBlob().isEqual(to: state.texts.bytes(row.heading)) else { return false } }
        var left = state.spaces.reduce(0) { $0 + ($1.hasVector(chunk) ? 1 : 0) }
        for _ in 0..<(try reader.read(UInt8.self)) {
            let given = try vector(&reader, in: state)
            // Sound: a float is its four bytes. Bits are compared, so -0 and 0 differ: what was sent is what is kept.
            let space = state.spaces[given.space]
            guard let stored = space.vector(chunk), unsafe stored.bytes.isEqual(to: given.bytes) else { return false }
            left -= 1
        }
        return left == 0
    }

    // MARK: Reading the parts

    private static func parts(_ reader: inout ByteReader) throws(Corruption) -> UInt8 {
        let parts = try reader.read(UInt8.self)
        guard parts & ~UpsertRecord.Part.known == 0 else { throw Corruption(offset: reader.offset - 1, expected: "known document parts") }
        return parts
    }

    private static func chunkParts(_ reader: inout ByteReader) throws(Corruption) -> UInt8 {
        let parts = try reader.read(UInt8.self)
        guard parts & ~UpsertRecord.ChunkPart.known == 0 else { throw Corruption(offset: reader.offset - 1, expected: "known chunk parts") }
        return parts
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
    private static func utf8(_ reader: inout ByteReader) throws(Corruption) -> RawSpan {
        let start = reader.offset
        let bytes = try reader.readBlob()
        guard bytes.isValidUTF8 else { throw Corruption(offset: start, expected: "UTF-8 text") }
        return bytes
    }

    private static func field(_ reader: inout ByteReader, in state: CollectionState) throws(Corruption) -> (Int, FieldValue) {
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
    private static func vector(_ reader: inout ByteReader, in state: CollectionState) throws(Corruption) -> IndexedVector {
        let index = Int(try reader.read(UInt8.self))
        guard index < state.spaces.count else { throw Corruption(offset: reader.offset - 1, expected: "a space's index") }
        return IndexedVector(space: index, bytes: try reader.readBytes(4 * state.spaces[index].schema.dimension))
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
            folder.firstChunk = UInt32(chunkCount)
            for index in fields.indices { fields[index].set(parent, to: nil) }
            documents.replace(parent, with: folder)
        }
        return parent
    }

    mutating func remove(document number: Int) {
        liveChunkCount -= Int(documents.rows[number].chunkCount)
        documents.remove(number)
    }
}
