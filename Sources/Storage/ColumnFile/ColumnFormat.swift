// The bytes of a column file: constants and layouts shared by writer and reader (page: Storage.docc/ColumnFileFormat.md).
import Memory

#if _endian(big)
#error("plain columns are little-endian and read in place")
#endif

/// What a column file is for. Names and headers tell the kinds apart; the layout is the same.
package enum ColumnFileKind: UInt32, CaseIterable, Sendable {
    case segment = 1, catalog = 2, index = 3

    private var names: FileKind {
        switch self {
        case .segment: .segment
        case .catalog: .catalog
        case .index: .index
        }
    }

    package func fileName(_ number: UInt64) -> String { names.name(number) }
}

/// The layout, version 1. All integers little-endian.
enum ColumnFormat {
    static let magic: UInt64 = 0x4C4F_434C_4941_544E  // "NTAILCOL"
    static let version: UInt32 = 1
    static let headerBytes = 64
    /// Where columns, tables, dictionaries and the directory begin: at multiples of a cache line.
    static let alignment = 64
    static let directoryEntryBytes = 56
    /// What one checksum of a plain column covers, and so what the first touch of a byte costs: 64 KiB take 3 us.
    static let plainBlockBytes = 1 << 16
    static let plainTableEntryBytes = 4
    /// What a packed block holds, uncompressed, unless its only item is larger.
    static let packedBlockBytes = 1 << 14
    static let packedTableEntryBytes = 24
    static let itemBytesMax = 4 << 20
    static let itemEndBytes = 4
    static let packedBlockBytesMax = itemBytesMax + itemEndBytes
    static let dictionaryBytesMax = 1 << 16

    static func aligned(_ offset: Int) -> Int { (offset + alignment - 1) / alignment * alignment }

    static func plainBlocks(_ byteCount: Int) -> Int { byteCount / plainBlockBytes + (byteCount % plainBlockBytes > 0 ? 1 : 0) }
}

/// The first 64 bytes of a column file.
struct ColumnFileHeader: Equatable {
    var kind: UInt32
    var databaseID: UInt64
    var fileNumber: UInt64
    var fileBytes: UInt64
    var directoryOffset: UInt64
    var directoryBytes: UInt32
    var directoryChecksum: UInt32

    /// The header, and the checksum that it ends with.
    func encoded() -> (bytes: ByteWriter, checksum: UInt32) {
        var writer = ByteWriter(capacity: ColumnFormat.headerBytes)
        writer.write(ColumnFormat.magic)
        writer.write(ColumnFormat.version)
        writer.write(kind)
        writer.write(databaseID)
        writer.write(fileNumber)
        writer.write(fileBytes)
        writer.write(directoryOffset)
        writer.write(directoryBytes)
        writer.write(directoryChecksum)
        writer.write(UInt32(0))
        let checksum = Checksum.of(writer.bytes)
        writer.write(checksum)
        return (writer, checksum)
    }
}

extension ColumnFileHeader {
    /// The header, and the checksum that it ends with.
    static func decode(_ bytes: RawSpan) throws(Corruption) -> (header: ColumnFileHeader, checksum: UInt32) {
        var reader = ByteReader(bytes)
        guard try reader.read(UInt64.self) == ColumnFormat.magic else {
            throw Corruption(offset: 0, expected: "a column file's magic number")
        }
        let version = try reader.read(UInt32.self)
        let header = ColumnFileHeader(
            kind: try reader.read(), databaseID: try reader.read(), fileNumber: try reader.read(), fileBytes: try reader.read(),
            directoryOffset: try reader.read(), directoryBytes: try reader.read(), directoryChecksum: try reader.read())
        let reserved = try reader.read(UInt32.self)
        let checksum = try reader.read(UInt32.self)
        guard checksum == Checksum.of(bytes.extracting(first: ColumnFormat.headerBytes - 4)) else {
            throw Corruption(offset: 60, expected: "the file header's checksum")
        }
        guard version == ColumnFormat.version else {
            throw Corruption(offset: 8, expected: "column file version \(ColumnFormat.version), found \(version)")
        }
        guard reserved == 0 else { throw Corruption(offset: 56, expected: "zeros in reserved bytes") }
        return (header, checksum)
    }
}

/// How a column's bytes are laid out.
package enum ColumnShape: UInt32, Sendable {
    /// Elements of one size, read in place.
    case plain = 1
    /// Byte strings in compressed blocks.
    case packed = 2
}

/// What the directory says of one column. Where its parts lie follows from their lengths.
struct ColumnEntry: Equatable {
    var id: UInt32
    var shape: ColumnShape
    /// 0 in a packed column.
    var elementBytes: Int
    var blockCount: Int
    /// Elements or items.
    var count: Int
    /// Bytes of all blocks as they stand in the file.
    var storedBytes: Int
    /// Bytes of all elements or items.
    var rawBytes: Int
    var tableChecksum: UInt32
    var dictionaryBytes: Int = 0
    var dictionaryChecksum: UInt32 = 0

    var tableBytes: Int {
        blockCount * (shape == .plain ? ColumnFormat.plainTableEntryBytes : ColumnFormat.packedTableEntryBytes)
    }

    func write(to writer: inout ByteWriter) {
        writer.write(id)
        writer.write(shape.rawValue)
        writer.write(UInt32(elementBytes))
        writer.write(UInt32(blockCount))
        writer.write(UInt64(count))
        writer.write(UInt64(storedBytes))
        writer.write(UInt64(rawBytes))
        writer.write(tableChecksum)
        writer.write(UInt32(dictionaryBytes))
        writer.write(dictionaryChecksum)
        writer.write(UInt32(0))
    }
}

extension ColumnEntry {
    static func decode(_ reader: inout ByteReader) throws(Corruption) -> ColumnEntry {
        let start = reader.offset
        let id = try reader.read(UInt32.self)
        guard let shape = ColumnShape(rawValue: try reader.read()) else {
            throw Corruption(offset: start + 4, expected: "a column's shape")
        }
        let entry = ColumnEntry(
            id: id, shape: shape, elementBytes: Int(try reader.read(UInt32.self)), blockCount: Int(try reader.read(UInt32.self)),
            count: try reader.readLength(), storedBytes: try reader.readLength(), rawBytes: try reader.readLength(),
            tableChecksum: try reader.read(), dictionaryBytes: Int(try reader.read(UInt32.self)), dictionaryChecksum: try reader.read())
        let reserved = try reader.read(UInt32.self)
        guard entry.isConsistent, reserved == 0 else {
            throw Corruption(offset: start, expected: "a column whose lengths agree")
        }
        return entry
    }

    /// Whether the numbers can belong together. Nothing here overflows: each was read with an upper bound.
    private var isConsistent: Bool {
        switch shape {
        case .plain:
            elementBytes > 0 && storedBytes % elementBytes == 0 && count == storedBytes / elementBytes && rawBytes == storedBytes
                && blockCount == ColumnFormat.plainBlocks(storedBytes) && dictionaryBytes == 0 && dictionaryChecksum == 0
        case .packed:
            elementBytes == 0 && count <= Int(UInt32.max) && blockCount <= count && (blockCount == 0) == (count == 0)
                && dictionaryBytes <= ColumnFormat.dictionaryBytesMax && (dictionaryBytes > 0 || dictionaryChecksum == 0)
        }
    }
}

extension ByteReader {
    /// A length of 64 bits that is one: no file is longer than 2^48 bytes.
    @_lifetime(self: copy self)
    fileprivate mutating func readLength() throws(Corruption) -> Int {
        let start = offset
        let value = try read(UInt64.self)
        guard value <= 1 << 48 else { throw Corruption(offset: start, expected: "a length below 2^48") }
        return Int(value)
    }
}

/// Where a column's parts lie in its file.
struct ColumnPlace: Equatable {
    var entry: ColumnEntry
    var data: Range<Int> = 0..<0
    var table: Range<Int> = 0..<0
    var dictionary: Range<Int> = 0..<0
}

/// What the table of a packed column says of one block.
struct PackedBlock: BitwiseCopyable {
    /// From the column's first byte.
    var offset: UInt64
    var firstItem: UInt32
    var storedBytes: UInt32
    /// Equal to `storedBytes` in a block that is not compressed.
    var rawBytes: UInt32
    /// Of the stored bytes.
    var checksum: UInt32

    func write(to writer: inout ByteWriter) {
        writer.write(offset)
        writer.write(firstItem)
        writer.write(storedBytes)
        writer.write(rawBytes)
        writer.write(checksum)
    }
}
