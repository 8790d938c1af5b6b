// The bytes of a manifest's records (page: Storage.docc/ManifestFormat.md).
import Memory

/// What a record of a manifest is.
enum ManifestRecordType: UInt8 {
    case contents = 1
    case checkpoint, replaceSegments, startLogFile, addSnapshot, dropSnapshot, setIndex
}

/// How a manifest tells of segments: one way from end to end, since a file that was found is never appended to.
enum SegmentLayout {
    /// That of version 1, in which there were no indexes.
    case bare
    case indexed

    init(version: UInt32) { self = version == 1 ? .bare : .indexed }

    fileprivate var encodedBytesMin: Int { FileReference.encodedBytes + 8 + 8 + 4 + (self == .indexed ? 4 : 0) }
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

    init(decoding payload: RawSpan, _ layout: SegmentLayout) throws(Corruption) {
        var reader = ByteReader(payload)
        let databaseID = try reader.read(UInt64.self)
        let nextFileNumber = try reader.read(UInt64.self)
        let version = try ManifestVersion(from: &reader, layout)
        let logFiles = try reader.readNumbers()
        var snapshots: [ManifestSnapshot] = []
        for _ in 0..<(try reader.readCount(entryBytes: ManifestSnapshot.encodedBytesMin)) {
            snapshots.append(try ManifestSnapshot(from: &reader, layout))
        }
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
        case .setIndex(let collection, let segment, let space, let file):
            type = .setIndex
            writer.write(collection)
            writer.write(segment)
            writer.write(space)
            writer.write(UInt32(file == nil ? 0 : 1))
            file?.encode(into: &writer)
        }
        return LogEntry(type: type.rawValue, payload: writer.finish())
    }

    init(decoding payload: RawSpan, type: UInt8, _ layout: SegmentLayout) throws(Corruption) {
        var reader = ByteReader(payload)
        switch ManifestRecordType(rawValue: type) {
        case .checkpoint:
            let coveredSequence = try reader.read(UInt64.self)
            let nextCollectionNumber = try reader.read(UInt32.self)
            var changed: [ManifestCollection] = []
            for _ in 0..<(try reader.readCount(entryBytes: ManifestCollection.encodedBytesMin)) {
                changed.append(try ManifestCollection(from: &reader, layout))
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
            for _ in 0..<(try reader.readCount(entryBytes: layout.encodedBytesMin)) { added.append(try ManifestSegment(from: &reader, layout)) }
            self = .replaceSegments(collection: collection, removed: removed, added: added)
        case .startLogFile: self = .startLogFile(try reader.read())
        case .addSnapshot: self = .addSnapshot(try ManifestSnapshot(from: &reader, layout))
        case .dropSnapshot: self = .dropSnapshot(name: try reader.readString())
        case .setIndex:
            self = .setIndex(
                collection: try reader.read(), segment: try reader.read(), space: try reader.read(), file: try reader.readFile())
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

    fileprivate init(from reader: inout ByteReader, _ layout: SegmentLayout) throws(Corruption) {
        name = try reader.readString()
        createdMilliseconds = try reader.read()
        sequence = try reader.read()
        version = try ManifestVersion(from: &reader, layout)
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

    fileprivate init(from reader: inout ByteReader, _ layout: SegmentLayout) throws(Corruption) {
        coveredSequence = try reader.read()
        nextCollectionNumber = try reader.read()
        collections = [:]
        var previous: UInt32?
        for _ in 0..<(try reader.readCount(entryBytes: ManifestCollection.encodedBytesMin)) {
            let start = reader.offset
            let collection = try ManifestCollection(from: &reader, layout)
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

    fileprivate init(from reader: inout ByteReader, _ layout: SegmentLayout) throws(Corruption) {
        number = try reader.read()
        schema = try reader.readBlobBytes()
        state = try reader.readBlobBytes()
        catalog = []
        for _ in 0..<(try reader.readCount(entryBytes: FileReference.encodedBytes)) { catalog.append(try FileReference(from: &reader)) }
        segments = []
        for _ in 0..<(try reader.readCount(entryBytes: layout.encodedBytesMin)) { segments.append(try ManifestSegment(from: &reader, layout)) }
    }

    fileprivate var encodedBytes: Int {
        Self.encodedBytesMin + schema.count + state.count + catalog.count * FileReference.encodedBytes + segments.reduce(0) { $0 + $1.encodedBytes }
    }
}

extension ManifestSegment {
    fileprivate func encode(into writer: inout ByteWriter) {
        file.encode(into: &writer)
        writer.write(firstChunk)
        writer.write(endChunk)
        writer.write(rowCount)
        writer.write(UInt32(indexes.count))
        for index in indexes { index.encode(into: &writer) }
    }

    fileprivate init(from reader: inout ByteReader, _ layout: SegmentLayout) throws(Corruption) {
        file = try FileReference(from: &reader)
        firstChunk = try reader.read()
        endChunk = try reader.read()
        rowCount = try reader.read()
        indexes = []
        guard layout == .indexed else { return }
        for _ in 0..<(try reader.readCount(entryBytes: ManifestIndex.encodedBytes)) { indexes.append(try ManifestIndex(from: &reader)) }
    }

    fileprivate var encodedBytes: Int { SegmentLayout.indexed.encodedBytesMin + indexes.count * ManifestIndex.encodedBytes }
}

extension ManifestIndex {
    static let encodedBytes = 2 + FileReference.encodedBytes

    fileprivate func encode(into writer: inout ByteWriter) {
        writer.write(space)
        file.encode(into: &writer)
    }

    fileprivate init(from reader: inout ByteReader) throws(Corruption) {
        space = try reader.read()
        file = try FileReference(from: &reader)
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

    /// One file, or none.
    @_lifetime(self: copy self)
    fileprivate mutating func readFile() throws(Corruption) -> FileReference? {
        let start = offset
        let count = try readCount(entryBytes: FileReference.encodedBytes)
        guard count <= 1 else { throw Corruption(offset: start, expected: "one file or none, found \(count)") }
        return count == 0 ? nil : try FileReference(from: &self)
    }

    @_lifetime(self: copy self)
    fileprivate mutating func readBlobBytes() throws(Corruption) -> [UInt8] {
        let blob = try readBlob()
        // Sound: copied before the closure ends.
        return unsafe blob.withUnsafeBytes { unsafe Array($0) }
    }
}
