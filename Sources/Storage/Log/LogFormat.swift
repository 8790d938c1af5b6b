// The bytes of the log: constants and layouts shared by writer and reader (page: Storage.docc/LogFormat.md).
import Memory

/// How long the log's files grow. Not part of the format: any reader reads files of any length.
package struct LogFileSizes: Sendable {
    /// A file is closed once it is this long; a record may run past it.
    package var target: Int
    /// Zeros are written this far ahead: overwriting written blocks needs no journal commit at the sync.
    /// Measured on ext4, 400 kB a sync: 0.18 ms into zeros, 0.33 into unwritten extents, 1.03 when appending.
    package var zeroedStep: Int

    package init(target: Int = 64 << 20, zeroedStep: Int = 4 << 20) {
        self.target = target
        self.zeroedStep = zeroedStep
    }
}

/// The log's layout, version 1. All integers little-endian.
enum LogFormat {
    static let magic: UInt64 = 0x474F_4C4C_4941_544E  // "NTAILLOG"
    static let version: UInt32 = 1
    static let fileHeaderBytes = 64
    static let recordHeaderBytes = 32
    static let alignment = 8
    /// A record is bounded before anything is allocated for it; the wire's largest line fits with room.
    static let payloadBytesMax = 64 << 20

    /// No log gets there by itself, and from there on as many numbers again can follow.
    static let fileNumberMax: UInt64 = 1 << 63

    static func fileName(_ number: UInt64) -> String {
        let digits = String(number, radix: 16)
        return "log-" + String(repeating: "0", count: 16 - digits.count) + digits
    }

    /// The number in a log file's name, or nil for any other name.
    static func fileNumber(_ name: String) -> UInt64? {
        guard name.hasPrefix("log-"), name.utf8.count == 20 else { return nil }
        return UInt64(name.dropFirst(4), radix: 16).flatMap { fileName($0) == name ? $0 : nil }
    }

    static func paddedRecordBytes(payload: Int) -> Int {
        (recordHeaderBytes + payload + alignment - 1) / alignment * alignment
    }
}

/// The first 64 bytes of a log file.
struct LogFileHeader: Equatable {
    var databaseID: UInt64
    var fileNumber: UInt64
    /// Sequence of the first record in this file: one more than the last of the file before.
    var firstSequence: UInt64
    /// Mixed into every checksum of the file, so that bytes of another file never validate here.
    var salt: UInt64

    func encoded() -> ByteWriter {
        var writer = ByteWriter(capacity: LogFormat.fileHeaderBytes)
        writer.write(LogFormat.magic)
        writer.write(LogFormat.version)
        writer.write(UInt32(0))
        writer.write(databaseID)
        writer.write(fileNumber)
        writer.write(firstSequence)
        writer.write(salt)
        writer.write(UInt64(0))
        writer.write(UInt32(0))
        writer.write(Checksum.of(writer.bytes))
        return writer
    }

    init(databaseID: UInt64, fileNumber: UInt64, firstSequence: UInt64, salt: UInt64) {
        self.databaseID = databaseID
        self.fileNumber = fileNumber
        self.firstSequence = firstSequence
        self.salt = salt
    }

    init(decoding bytes: RawSpan) throws(Corruption) {
        guard bytes.byteCount == LogFormat.fileHeaderBytes else {
            throw Corruption(offset: bytes.byteCount, expected: "a file header of \(LogFormat.fileHeaderBytes) bytes")
        }
        var reader = ByteReader(bytes)
        guard try reader.read(UInt64.self) == LogFormat.magic else { throw Corruption(offset: 0, expected: "the log's magic number") }
        let version = try reader.read(UInt32.self)
        let reserved = try reader.read(UInt32.self)
        databaseID = try reader.read()
        fileNumber = try reader.read()
        firstSequence = try reader.read()
        salt = try reader.read()
        let moreReserved = try reader.read(UInt64.self)
        let lastReserved = try reader.read(UInt32.self)
        let checksum = try reader.read(UInt32.self)
        guard checksum == Checksum.of(bytes.extracting(first: LogFormat.fileHeaderBytes - 4)) else {
            throw Corruption(offset: 60, expected: "the file header's checksum")
        }
        guard version == LogFormat.version else { throw Corruption(offset: 8, expected: "log version \(LogFormat.version), found \(version)") }
        guard reserved == 0, moreReserved == 0, lastReserved == 0 else { throw Corruption(offset: 12, expected: "zeros in reserved bytes") }
    }
}

/// The 32 bytes before a record's payload.
struct LogRecordHeader: Equatable {
    var payloadBytes: Int
    var type: UInt8
    var sequence: UInt64
    /// The highest sequence known to be on the device when this record was written: what proves, later, that
    /// a damaged record before it was acknowledged and is no torn tail.
    var durableSequence: UInt64
    /// Checksum of the record before, which chains records: one that was moved or repeated does not validate.
    var previousChecksum: UInt32

    /// A durability mark: no payload, no sequence of its own, overwritten by the next record.
    static let markType: UInt8 = 0xFF

    func write(to writer: inout ByteWriter) {
        writer.write(UInt32(payloadBytes))
        writer.write(type)
        writer.write(UInt8(0))
        writer.write(UInt16(0))
        writer.write(sequence)
        writer.write(durableSequence)
        writer.write(previousChecksum)
    }

    init(payloadBytes: Int, type: UInt8, sequence: UInt64, durableSequence: UInt64, previousChecksum: UInt32) {
        self.payloadBytes = payloadBytes
        self.type = type
        self.sequence = sequence
        self.durableSequence = durableSequence
        self.previousChecksum = previousChecksum
    }

    /// The header at the start of `bytes` and the checksum stored behind it.
    static func decode(_ bytes: RawSpan) throws(Corruption) -> (header: LogRecordHeader, checksum: UInt32) {
        var reader = ByteReader(bytes)
        let payloadBytes = Int(try reader.read(UInt32.self))
        guard payloadBytes <= LogFormat.payloadBytesMax else {
            throw Corruption(offset: 0, expected: "a record length of at most \(LogFormat.payloadBytesMax)")
        }
        let type = try reader.read(UInt8.self)
        let flags = try reader.read(UInt8.self)
        let reserved = try reader.read(UInt16.self)
        guard flags == 0, reserved == 0 else { throw Corruption(offset: 5, expected: "zeros in reserved bytes") }
        let header = LogRecordHeader(
            payloadBytes: payloadBytes, type: type, sequence: try reader.read(),
            durableSequence: try reader.read(), previousChecksum: try reader.read())
        // A record is written before it is durable, a mark after.
        guard type == markType ? header.durableSequence == header.sequence : header.durableSequence < header.sequence else {
            throw Corruption(offset: 16, expected: "a durable sequence before the record's own, \(header.sequence), found \(header.durableSequence)")
        }
        return (header, try reader.read())
    }

    /// Whether a header could begin here, told from one word and without an error: length in bounds, some type,
    /// zeros where zeros belong. Searching a damaged file asks this at every aligned offset.
    static func isPlausible(_ bytes: RawSpan, at offset: Int) -> Bool {
        precondition(offset >= 0 && offset + 8 <= bytes.byteCount, "a header must lie within its file")
        // Sound: checked above; any bit pattern is an integer.
        let word = UInt64(littleEndian: unsafe bytes.unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: UInt64.self))
        return word & 0xFFFF_FFFF <= UInt64(LogFormat.payloadBytesMax) && (word >> 32) & 0xFF != 0 && word >> 40 == 0
    }

    /// The checksum that stands behind a header: over the file's salt, the header and the payload.
    static func checksum(salt: UInt64, headerAndPayload parts: RawSpan, _ payload: RawSpan) -> UInt32 {
        var saltBytes = ByteWriter(capacity: 8)
        saltBytes.write(salt)
        var checksum = Checksum(seed: 0)
        checksum.update(saltBytes.bytes)
        checksum.update(parts)
        checksum.update(payload)
        return checksum.value
    }
}
