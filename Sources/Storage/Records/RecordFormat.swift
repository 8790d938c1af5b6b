// The bytes that log and manifest share: a file's header, and the frame around each record (page: Storage.docc/LogFormat.md).
import Memory

/// A kind of file made of records, told by its first bytes.
struct RecordFileKind {
    let file: FileKind
    let magic: UInt64
    /// Those that are read; the last is written.
    let versions: ClosedRange<UInt32>

    static let log = RecordFileKind(file: .log, magic: 0x474F_4C4C_4941_544E, versions: 2...2)  // "NTAILLOG"
    static let manifest = RecordFileKind(file: .manifest, magic: 0x4E41_4D4C_4941_544E, versions: 1...2)  // "NTAILMAN"
}

/// The layout of a file of records. All integers little-endian.
enum RecordFormat {
    static let fileHeaderBytes = 64
    static let recordHeaderBytes = 32
    static let alignment = 8
    /// Sequences stay below, so that there is always a next one.
    static let sequenceEnd: UInt64 = 1 << 62
    /// A record is bounded before anything is allocated for it; the wire's largest line fits with room.
    static let payloadBytesMax = 64 << 20

    static func paddedRecordBytes(payload: Int) -> Int {
        (recordHeaderBytes + payload + alignment - 1) / alignment * alignment
    }

    /// Whether a file has nothing behind its header, whatever the header says.
    static func isEmpty(_ bytes: RawSpan) -> Bool {
        for offset in stride(from: fileHeaderBytes, to: bytes.byteCount, by: 1) where bytes.byte(at: offset) != 0 { return false }
        return true
    }
}

/// The first 64 bytes of a file of records.
struct RecordFileHeader: Equatable {
    var databaseID: UInt64
    var fileNumber: UInt64
    /// Sequence of the first record in this file: one more than the last of the file before.
    var firstSequence: UInt64
    /// Mixed into every checksum of the file, so that bytes of another file never validate here.
    var salt: UInt64

    func encoded(as kind: RecordFileKind) -> ByteWriter {
        var writer = ByteWriter(capacity: RecordFormat.fileHeaderBytes)
        writer.write(kind.magic)
        writer.write(kind.versions.upperBound)
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

    /// The header, and the version of the file's format.
    static func decode(_ bytes: RawSpan, as kind: RecordFileKind) throws(Corruption) -> (header: RecordFileHeader, version: UInt32) {
        guard bytes.byteCount == RecordFormat.fileHeaderBytes else {
            throw Corruption(offset: bytes.byteCount, expected: "a file header of \(RecordFormat.fileHeaderBytes) bytes")
        }
        var reader = ByteReader(bytes)
        guard try reader.read(UInt64.self) == kind.magic else { throw Corruption(offset: 0, expected: "the magic number of a \(kind.file)") }
        let version = try reader.read(UInt32.self)
        let reserved = try reader.read(UInt32.self)
        let header = RecordFileHeader(
            databaseID: try reader.read(), fileNumber: try reader.read(), firstSequence: try reader.read(), salt: try reader.read())
        let moreReserved = try reader.read(UInt64.self)
        let lastReserved = try reader.read(UInt32.self)
        let checksum = try reader.read(UInt32.self)
        guard checksum == Checksum.of(bytes.extracting(first: RecordFormat.fileHeaderBytes - 4)) else {
            throw Corruption(offset: 60, expected: "the file header's checksum")
        }
        guard kind.versions.contains(version) else {
            throw Corruption(offset: 8, expected: "\(kind.file) version \(kind.versions.upperBound), found \(version)")
        }
        guard header.firstSequence < RecordFormat.sequenceEnd else { throw Corruption(offset: 32, expected: "a sequence with others after it") }
        guard reserved == 0, moreReserved == 0, lastReserved == 0 else { throw Corruption(offset: 12, expected: "zeros in reserved bytes") }
        return (header, version)
    }
}

/// The 32 bytes before a record's payload.
struct RecordHeader: Equatable {
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

    /// The mark behind the record of sequence `durableSequence`.
    static func mark(durableSequence: UInt64, previousChecksum: UInt32) -> RecordHeader {
        RecordHeader(
            payloadBytes: 0, type: markType, sequence: durableSequence, durableSequence: durableSequence, previousChecksum: previousChecksum)
    }

    /// Appends the whole record, padded; returns the checksum that the next one chains to.
    @discardableResult
    func encode(_ payload: RawSpan, salt: UInt64, into writer: inout ByteWriter) -> UInt32 {
        precondition(payload.byteCount == payloadBytes && payloadBytes <= RecordFormat.payloadBytesMax, "payloads are bounded before they get here")
        let start = writer.count
        writer.reserve(RecordFormat.paddedRecordBytes(payload: payloadBytes))
        write(to: &writer)
        let checksum = RecordHeader.checksum(salt: salt, headerAndPayload: writer.bytes.extracting(start..<writer.count), payload)
        writer.write(checksum)
        writer.write(payload)
        while (writer.count - start) % RecordFormat.alignment != 0 { writer.write(UInt8(0)) }
        return checksum
    }

    private func write(to writer: inout ByteWriter) {
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
    static func decode(_ bytes: RawSpan) throws(Corruption) -> (header: RecordHeader, checksum: UInt32) {
        var reader = ByteReader(bytes)
        let payloadBytes = Int(try reader.read(UInt32.self))
        guard payloadBytes <= RecordFormat.payloadBytesMax else {
            throw Corruption(offset: 0, expected: "a record length of at most \(RecordFormat.payloadBytesMax)")
        }
        let type = try reader.read(UInt8.self)
        let flags = try reader.read(UInt8.self)
        let reserved = try reader.read(UInt16.self)
        guard flags == 0, reserved == 0 else { throw Corruption(offset: 5, expected: "zeros in reserved bytes") }
        let header = RecordHeader(
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
        return word & 0xFFFF_FFFF <= UInt64(RecordFormat.payloadBytesMax) && (word >> 32) & 0xFF != 0 && word >> 40 == 0
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
