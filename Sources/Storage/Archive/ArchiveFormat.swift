// The first bytes of an archive: what it is of, and which files it consists of (page: Storage.docc/ArchiveFormat.md).
import Memory

enum ArchiveFormat {
    static let magic: UInt64 = 0x4352_414C_4941_544E  // "NTAILARC"
    static let version: UInt32 = 1
    /// Magic, version and the header's length, which tell how much more there is to read.
    static let prefixBytes = 16
    static let fixedBytes = prefixBytes + 8 + 8 + 8 + 8 + 4 + 4 + 4
    static let entryBytesMin = 4 + 8 + 4 + 1
    /// Above what the largest manifest comes to: 32 MiB of it name a file with 16 bytes or more, the table with 41 or less.
    static let headerBytesMax = 128 << 20
    /// No file is longer, and no archive.
    static let fileBytesMax: UInt64 = 1 << 48
}

/// Where an archive has the bytes of one of its files.
enum ArchivePlace: UInt8 {
    case here = 1
    /// In the archive of an earlier snapshot, from which this one goes on.
    case earlier = 2
}

/// A file of the archived database.
struct ArchiveEntry: Equatable, Hashable {
    var name: String
    var byteCount: UInt64
    /// `FileReference.checksum`; 0 for manifest and log, which are always here.
    var checksum: UInt32
    var place: ArchivePlace

    var kind: FileKind? { FileKind.allCases.first { $0.number(name) != nil } }
}

/// What comes before the files.
struct ArchiveHeader: Equatable {
    var databaseID: UInt64
    var snapshot: String
    var createdMilliseconds: Int64
    var sequence: UInt64
    /// The manifest first, then catalogs, segments and indexes, then the log.
    var entries: [ArchiveEntry]

    /// Bytes of the header itself.
    var headerBytes: Int {
        entries.reduce(ArchiveFormat.fixedBytes + snapshot.utf8.count) { $0 + ArchiveFormat.entryBytesMin + $1.name.utf8.count }
    }

    /// Bytes of the whole archive, uncompressed.
    var byteCount: Int {
        entries.reduce(headerBytes) { $1.place == .here ? $0 + Int($1.byteCount) : $0 }
    }

    func encoded() -> [UInt8] {
        precondition(headerBytes <= ArchiveFormat.headerBytesMax, "a manifest is bounded, and so is the table of its files")
        var writer = ByteWriter(capacity: headerBytes)
        writer.write(ArchiveFormat.magic)
        writer.write(ArchiveFormat.version)
        writer.write(UInt32(headerBytes))
        writer.write(UInt64(byteCount))
        writer.write(databaseID)
        writer.write(sequence)
        writer.write(createdMilliseconds)
        writer.writeString(snapshot)
        writer.write(UInt32(entries.count))
        for entry in entries {
            writer.writeString(entry.name)
            writer.write(entry.byteCount)
            writer.write(entry.checksum)
            writer.write(entry.place.rawValue)
        }
        writer.write(Checksum.of(writer.bytes))
        return writer.finish()
    }
}

// MARK: Reading

extension ArchiveHeader {
    /// How long the header is that begins with these bytes.
    static func length(_ prefix: RawSpan) throws(Corruption) -> Int {
        var reader = ByteReader(prefix)
        guard try reader.read(UInt64.self) == ArchiveFormat.magic else { throw Corruption(offset: 0, expected: "the magic number of an archive") }
        let version = try reader.read(UInt32.self)
        guard version == ArchiveFormat.version else {
            throw Corruption(offset: 8, expected: "archive version \(ArchiveFormat.version), found \(version)")
        }
        let length = Int(try reader.read(UInt32.self))
        guard length >= ArchiveFormat.fixedBytes, length <= ArchiveFormat.headerBytesMax else {
            throw Corruption(offset: 12, expected: "a header of \(ArchiveFormat.fixedBytes) to \(ArchiveFormat.headerBytesMax) bytes")
        }
        return length
    }

    /// A header of that length, with everything in it checked that can be without the files.
    init(decoding bytes: RawSpan) throws(Corruption) {
        let end = bytes.byteCount - 4
        var checksumReader = ByteReader(bytes.extracting(end..<bytes.byteCount))
        guard try checksumReader.read(UInt32.self) == Checksum.of(bytes.extracting(first: end)) else {
            throw Corruption(offset: end, expected: "the header's checksum")
        }
        var reader = ByteReader(bytes.extracting(first: end))
        _ = try reader.readBytes(ArchiveFormat.prefixBytes)
        let byteCount = try reader.read(UInt64.self)
        databaseID = try reader.read()
        sequence = try reader.read()
        createdMilliseconds = try reader.read()
        snapshot = try reader.readString()
        let count = Int(try reader.read(UInt32.self))
        guard count <= reader.remaining / ArchiveFormat.entryBytesMin else {
            throw Corruption(offset: reader.offset, expected: "at most \(reader.remaining / ArchiveFormat.entryBytesMin) files, found \(count)")
        }
        entries = []
        var total = UInt64(bytes.byteCount)
        var names: Set<String> = []
        for index in 0..<count {
            let start = reader.offset
            let entry = try ArchiveEntry(from: &reader)
            guard names.insert(entry.name).inserted else { throw Corruption(offset: start, expected: "each file once, found \(entry.name) again") }
            guard (entry.kind == .manifest) == (index == 0) else { throw Corruption(offset: start, expected: "one manifest, before all other files") }
            if entry.place == .here { total += entry.byteCount }
            guard total <= ArchiveFormat.fileBytesMax else { throw Corruption(offset: start, expected: "an archive below 2^48 bytes") }
            entries.append(entry)
        }
        try reader.finish()
        guard !entries.isEmpty else { throw Corruption(offset: end, expected: "a manifest") }
        guard byteCount == total else { throw Corruption(offset: 16, expected: "a length of \(total) bytes, found \(byteCount)") }
    }
}

extension ArchiveEntry {
    fileprivate init(from reader: inout ByteReader) throws(Corruption) {
        let start = reader.offset
        name = try reader.readString()
        byteCount = try reader.read()
        checksum = try reader.read()
        guard let place = ArchivePlace(rawValue: try reader.read()) else { throw Corruption(offset: reader.offset - 1, expected: "a place, 1 or 2") }
        self.place = place
        // The grammar of the names has no way out of a directory: no dots, no slashes.
        guard let kind else { throw Corruption(offset: start, expected: "the name of a database's file") }
        guard byteCount <= ArchiveFormat.fileBytesMax else { throw Corruption(offset: start, expected: "a file below 2^48 bytes") }
        guard place == .here || kind != .manifest && kind != .log else {
            throw Corruption(offset: start, expected: "\(name) in this archive: only catalogs, segments and indexes are left to earlier ones")
        }
    }
}
