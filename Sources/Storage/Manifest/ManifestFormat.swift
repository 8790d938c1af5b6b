// The bytes of a manifest's records (page: Storage.docc/ManifestFormat.md).
import Memory

/// What a record of a manifest is.
enum ManifestRecordType: UInt8 {
    case contents = 1
    case checkpoint, replaceSegments, startLogFile, addSnapshot, dropSnapshot
}

extension ManifestContents {
    var record: LogEntry {
        var writer = ByteWriter()
        writer.write(databaseID)
        writer.write(nextFileNumber)
        version.encode(into: &writer)
        writer.writeNumbers(logFiles)
        writer.write(UInt32(snapshots.count))
        for snapshot in snapshots { snapshot.encode(into: &writer) }
        return LogEntry(type: ManifestRecordType.contents.rawValue, payload: writer.finish())
    }

    init(decoding payload: RawSpan) throws(Corruption) {
        var reader = ByteReader(payload)
        let databaseID = try reader.read(UInt64.self)
        let nextFileNumber = try reader.read(UInt64.self)
        let version = try ManifestVersion(from: &reader)
        let logFiles = try reader.readNumbers()
        var snapshots: [ManifestSnapshot] = []
        for _ in 0..<(try reader.readCount(entryBytes: ManifestSnapshot.encodedBytesMin)) { snapshots.append(try ManifestSnapshot(from: &reader)) }
        try reader.finish()
        self.init(databaseID: databaseID, version: version, logFiles: logFiles, snapshots: snapshots)
        self.nextFileNumber = nextFileNumber
    }

    /// How long the payload of `record` is. O(files named), nothing allocated.
    var encodedBytes: Int {
        8 + 8 + version.encodedBytes + 4 + 8 * logFiles.count + 4 + snapshots.reduce(0) { $0 + $1.encodedBytes }
    }
}

extension ManifestEdit {
    var record: LogEntry {
        var writer = ByteWriter()
        let type: ManifestRecordType
        switch self {
        case .checkpoint(let coveredSequence, let nextCollectionNumber, let changed, let dropped, let logFiles):
            type = .checkpoint
            writer.write(coveredSequence)
            writer.write(nextCollectionNumber)
            writer.write(UInt32(changed.count))
            for collection in changed { collection.encode(into: &writer) }
            writer.write(UInt32(dropped.count))
            for number in dropped { writer.write(number) }
            writer.writeNumbers(logFiles)
        case .replaceSegments(let collection, let removed, let added):
            type = .replaceSegments
            writer.write(collection)
            writer.writeNumbers(removed)
            writer.write(UInt32(added.count))
            for segment in added { segment.encode(into: &writer) }
        case .startLogFile(let number):
            type = .startLogFile
            writer.write(number)
        case .addSnapshot(let snapshot):
            type = .addSnapshot
            snapshot.encode(into: &writer)
        case .dropSnapshot(let name):
            type = .dropSnapshot
            writer.writeString(name)
        }
        return LogEntry(type: type.rawValue, payload: writer.finish())
    }

    init(decoding payload: RawSpan, type: UInt8) throws(Corruption) {
        var reader = ByteReader(payload)
        switch ManifestRecordType(rawValue: type) {
        case .checkpoint:
            let coveredSequence = try reader.read(UInt64.self)
            let nextCollectionNumber = try reader.read(UInt32.self)
            var changed: [ManifestCollection] = []
            for _ in 0..<(try reader.readCount(entryBytes: ManifestCollection.encodedBytesMin)) {
                changed.append(try ManifestCollection(from: &reader))
            }
            var dropped: [UInt32] = []
            for _ in 0..<(try reader.readCount(entryBytes: 4)) { dropped.append(try reader.read()) }
            self = .checkpoint(
                coveredSequence: coveredSequence, nextCollectionNumber: nextCollectionNumber, changed: changed, dropped: dropped,
                logFiles: try reader.readNumbers())
        case .replaceSegments:
            let collection = try reader.read(UInt32.self)
            let removed = try reader.readNumbers()
            var added: [ManifestSegment] = []
            for _ in 0..<(try reader.readCount(entryBytes: ManifestSegment.encodedBytes)) { added.append(try ManifestSegment(from: &reader)) }
            self = .replaceSegments(collection: collection, removed: removed, added: added)
        case .startLogFile: self = .startLogFile(try reader.read())
        case .addSnapshot: self = .addSnapshot(try ManifestSnapshot(from: &reader))
        case .dropSnapshot: self = .dropSnapshot(name: try reader.readString())
        case .contents, nil: throw Corruption(offset: 0, expected: "a type of edit, found \(type)")
        }
        try reader.finish()
    }
}

// MARK: Parts

extension ManifestSnapshot {
    static let encodedBytesMin = 4 + 8 + 8 + ManifestVersion.encodedBytesMin + 4

    fileprivate func encode(into writer: inout ByteWriter) {
        writer.writeString(name)
        writer.write(createdMilliseconds)
        writer.write(sequence)
        version.encode(into: &writer)
        writer.write(UInt32(log.count))
        for extent in log {
            writer.write(extent.number)
            writer.write(extent.byteCount)
        }
    }

    fileprivate init(from reader: inout ByteReader) throws(Corruption) {
        name = try reader.readString()
        createdMilliseconds = try reader.read()
        sequence = try reader.read()
        version = try ManifestVersion(from: &reader)
        log = []
        for _ in 0..<(try reader.readCount(entryBytes: 16)) {
            log.append(LogFileExtent(number: try reader.read(), byteCount: try reader.read()))
        }
    }

    fileprivate var encodedBytes: Int { 4 + name.utf8.count + 8 + 8 + version.encodedBytes + 4 + 16 * log.count }
}

extension ManifestVersion {
    static let encodedBytesMin = 8 + 4 + 4

    fileprivate func encode(into writer: inout ByteWriter) {
        writer.write(coveredSequence)
        writer.write(nextCollectionNumber)
        writer.write(UInt32(collections.count))
        for (_, collection) in collections.sorted(by: { $0.key < $1.key }) { collection.encode(into: &writer) }
    }

    fileprivate init(from reader: inout ByteReader) throws(Corruption) {
        coveredSequence = try reader.read()
        nextCollectionNumber = try reader.read()
        collections = [:]
        var previous: UInt32?
        for _ in 0..<(try reader.readCount(entryBytes: ManifestCollection.encodedBytesMin)) {
            let start = reader.offset
            let collection = try ManifestCollection(from: &reader)
            if let previous, previous >= collection.number {
                throw Corruption(offset: start, expected: "a collection after \(previous), found \(collection.number)")
            }
            previous = collection.number
            collections[collection.number] = collection
        }
    }

    fileprivate var encodedBytes: Int { Self.encodedBytesMin + collections.values.reduce(0) { $0 + $1.encodedBytes } }
}

extension ManifestCollection {
    static let encodedBytesMin = 4 + 4 + 4 + 4 + 4

    fileprivate func encode(into writer: inout ByteWriter) {
        writer.write(number)
        // Sound, both: bytes have no invalid pattern.
        writer.writeBlob(unsafe schema.span.bytes)
        writer.writeBlob(unsafe state.span.bytes)
        writer.write(UInt32(catalog.count))
        for file in catalog { file.encode(into: &writer) }
        writer.write(UInt32(segments.count))
        for segment in segments { segment.encode(into: &writer) }
    }

    fileprivate init(from reader: inout ByteReader) throws(Corruption) {
        number = try reader.read()
        schema = try reader.readBlobBytes()
        state = try reader.readBlobBytes()
        catalog = []
        for _ in 0..<(try reader.readCount(entryBytes: FileReference.encodedBytes)) { catalog.append(try FileReference(from: &reader)) }
        segments = []
        for _ in 0..<(try reader.readCount(entryBytes: ManifestSegment.encodedBytes)) { segments.append(try ManifestSegment(from: &reader)) }
    }

    fileprivate var encodedBytes: Int {
        Self.encodedBytesMin + schema.count + state.count + catalog.count * FileReference.encodedBytes + segments.count * ManifestSegment.encodedBytes
    }
}

extension ManifestSegment {
    static let encodedBytes = FileReference.encodedBytes + 8 + 8 + 4

    fileprivate func encode(into writer: inout ByteWriter) {
        file.encode(into: &writer)
        writer.write(firstChunk)
        writer.write(endChunk)
        writer.write(rowCount)
    }

    fileprivate init(from reader: inout ByteReader) throws(Corruption) {
        file = try FileReference(from: &reader)
        firstChunk = try reader.read()
        endChunk = try reader.read()
        rowCount = try reader.read()
    }
}

extension FileReference {
    static let encodedBytes = 8 + 8 + 4

    fileprivate func encode(into writer: inout ByteWriter) {
        writer.write(number)
        writer.write(byteCount)
        writer.write(checksum)
    }

    fileprivate init(from reader: inout ByteReader) throws(Corruption) {
        self.init(number: try reader.read(), byteCount: try reader.read(), checksum: try reader.read())
    }
}

extension ByteWriter {
    fileprivate mutating func writeNumbers(_ numbers: [UInt64]) {
        write(UInt32(numbers.count))
        for number in numbers { write(number) }
    }
}

extension ByteReader {
    /// How many entries follow, which must be no more than there are bytes for.
    @_lifetime(self: copy self)
    fileprivate mutating func readCount(entryBytes: Int) throws(Corruption) -> Int {
        let start = offset
        let count = Int(try read(UInt32.self))
        guard count <= remaining / entryBytes else {
            throw Corruption(offset: start, expected: "at most \(remaining / entryBytes) entries, found \(count)")
        }
        return count
    }

    @_lifetime(self: copy self)
    fileprivate mutating func readNumbers() throws(Corruption) -> [UInt64] {
        var numbers: [UInt64] = []
        for _ in 0..<(try readCount(entryBytes: 8)) { numbers.append(try read()) }
        return numbers
    }

    @_lifetime(self: copy self)
    fileprivate mutating func readBlobBytes() throws(Corruption) -> [UInt8] {
        let blob = try readBlob()
        // Sound: copied before the closure ends.
        return unsafe blob.withUnsafeBytes { unsafe Array($0) }
    }
}
