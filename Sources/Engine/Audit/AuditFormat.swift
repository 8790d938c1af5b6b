// The bytes of an audit log's files (page: Engine.docc/AuditFormat.md).
import Memory

enum AuditFormat {
    static let headerBytes = 96
    static let frameBytes = 60
    /// Of a frame, in front of the hash: what the hash covers besides the payload.
    static let chainedFrameBytes = 24
    /// Items of one record; an answer with more of them takes several records.
    static let itemBytesMax = 64 << 10
    /// Of each of a read's texts. Names of principals and collections are shorter; what a refused request made up is cut.
    static let textBytesMax = 512
    static let textCount = 7
    static let readHeadBytes = 48
    static let payloadBytesMax = itemBytesMax + readHeadBytes + textCount * (2 + textBytesMax)
    static let recordBytesMax = frameBytes + payloadBytesMax
    /// Numbers of records and files stay below, so that there is always a next one.
    static let numberEnd: UInt64 = 1 << 62

    static func name(_ number: UInt64) -> String {
        let digits = String(number, radix: 16)
        return "audit-" + String(repeating: "0", count: 16 - digits.count) + digits + ".log"
    }

    /// The number in a file's name; nil for any other name.
    static func number(_ name: String) -> UInt64? {
        guard name.hasPrefix("audit-"), name.hasSuffix(".log"), name.utf8.count == 26 else { return nil }
        let number = UInt64(name.dropFirst(6).dropLast(4), radix: 16)
        return number.flatMap { $0 > 0 && $0 < numberEnd && self.name($0) == name ? $0 : nil }
    }

    /// An item in front of its id.
    @inline(__always)
    static func item(idBytes: Int, ordinal: Int?, grade: Grade) -> UInt64 {
        let ordinal = ordinal.map { UInt64(UInt32(clamping: $0)) } ?? UInt64(UInt32.max)
        return UInt64(idBytes) | UInt64(grade.rawValue) << 16 | ordinal << 32
    }
}

/// What a record is.
enum AuditKind: UInt8 {
    case read = 1, opened, closed, lost, removed
}

/// The first bytes of a file.
struct AuditFileHeader: Equatable {
    var fileNumber: UInt64
    /// Of the first record in it.
    var firstRecord: UInt64
    /// Unix milliseconds.
    var createdMilliseconds: Int64
    /// Of the last record in the file before; zero in the first file of all.
    var previousHash: AuditHash

    private static let magic: UInt64 = 0x4455_414C_4941_544E  // "NTAILAUD"
    private static let version: UInt32 = 1
    private static let reservedBytes = 20

    /// The header's bytes, and the hash that its first record goes on from.
    func encoded() -> (bytes: ByteWriter, hash: AuditHash) {
        var writer = ByteWriter(capacity: AuditFormat.headerBytes)
        writer.write(Self.magic)
        writer.write(Self.version)
        writer.write(UInt32(0))
        writer.write(fileNumber)
        writer.write(firstRecord)
        writer.write(createdMilliseconds)
        previousHash.write(to: &writer)
        for _ in 0..<Self.reservedBytes / 4 { writer.write(UInt32(0)) }
        let hash = AuditHash(of: writer.bytes)
        writer.write(Checksum.of(writer.bytes))
        return (writer, hash)
    }

    static func decode(_ bytes: RawSpan, number: UInt64) throws(Corruption) -> (AuditFileHeader, AuditHash) {
        guard bytes.byteCount >= AuditFormat.headerBytes else {
            throw Corruption(offset: 0, expected: "\(AuditFormat.headerBytes) bytes of header, found \(bytes.byteCount)")
        }
        let covered = bytes.extracting(first: AuditFormat.headerBytes - 4)
        var reader = ByteReader(bytes)
        guard try reader.read(UInt64.self) == magic else { throw Corruption(offset: 0, expected: "NTAILAUD") }
        guard try reader.read(UInt32.self) == version else { throw Corruption(offset: 8, expected: "version \(version)") }
        guard try reader.read(UInt32.self) == 0 else { throw Corruption(offset: 12, expected: "zero") }
        let (fileNumber, firstRecord): (UInt64, UInt64) = (try reader.read(), try reader.read())
        let header = AuditFileHeader(
            fileNumber: fileNumber, firstRecord: firstRecord, createdMilliseconds: try reader.read(), previousHash: try AuditHash(reading: &reader))
        for _ in 0..<reservedBytes / 4 {
            guard try reader.read(UInt32.self) == 0 else { throw Corruption(offset: reader.offset - 4, expected: "zero") }
        }
        guard try reader.read(UInt32.self) == Checksum.of(covered) else { throw Corruption(offset: 92, expected: "the header's checksum") }
        guard fileNumber == number else { throw Corruption(offset: 16, expected: "the file number of its own name, found \(fileNumber)") }
        guard (1..<AuditFormat.numberEnd).contains(firstRecord) else { throw Corruption(offset: 24, expected: "the number of a record") }
        return (header, AuditHash(of: covered))
    }
}

/// What stands around each record's payload.
struct AuditFrame: Equatable {
    var kind: AuditKind
    var number: UInt64
    /// The highest record that was known to be on the device when this one was written: how a torn tail is told from damage.
    var durableNumber: UInt64
    var payloadBytes: Int
    var hash: AuditHash

    var recordBytes: Int { AuditFormat.frameBytes + payloadBytes }

    /// Appends a whole record; returns its hash.
    static func write(
        _ kind: AuditKind, _ payload: RawSpan, number: UInt64, durableNumber: UInt64, after previous: AuditHash, to writer: inout ByteWriter
    ) -> AuditHash {
        precondition(payload.byteCount <= AuditFormat.payloadBytesMax, "a record is written whole")
        let start = writer.count
        writer.write(UInt32(payload.byteCount))
        writer.write(UInt32(kind.rawValue))
        writer.write(number)
        writer.write(durableNumber)
        let hash = AuditHash(after: previous, writer.bytes.extracting(start..<writer.count), payload)
        hash.write(to: &writer)
        writer.write(checksum(writer.bytes.extracting(start..<writer.count), payload))
        writer.write(payload)
        return hash
    }

    /// The frame that bytes begin with, where its checksum holds for it and the payload behind it. Whether it belongs there is for
    /// the caller to say.
    static func decode(_ bytes: RawSpan) throws(Corruption) -> AuditFrame {
        guard bytes.byteCount >= AuditFormat.frameBytes else {
            throw Corruption(offset: 0, expected: "a record of at least \(AuditFormat.frameBytes) bytes, found \(bytes.byteCount)")
        }
        var reader = ByteReader(bytes)
        let payloadBytes = Int(try reader.read(UInt32.self))
        guard payloadBytes <= AuditFormat.payloadBytesMax else { throw Corruption(offset: 0, expected: "at most \(AuditFormat.payloadBytesMax) bytes of payload") }
        let kindWord = try reader.read(UInt32.self)
        guard let kind = UInt8(exactly: kindWord).flatMap(AuditKind.init(rawValue:)) else { throw Corruption(offset: 4, expected: "a kind of record") }
        let (number, durable): (UInt64, UInt64) = (try reader.read(), try reader.read())
        guard (1..<AuditFormat.numberEnd).contains(number), durable < number else { throw Corruption(offset: 8, expected: "the number of a record, and a lower one") }
        let frame = AuditFrame(kind: kind, number: number, durableNumber: durable, payloadBytes: payloadBytes, hash: try AuditHash(reading: &reader))
        let stored = try reader.read(UInt32.self)
        guard bytes.byteCount >= frame.recordBytes else {
            throw Corruption(offset: 0, expected: "\(frame.recordBytes) bytes of record, found \(bytes.byteCount)")
        }
        let payload = bytes.extracting(AuditFormat.frameBytes..<frame.recordBytes)
        guard stored == checksum(bytes.extracting(first: AuditFormat.frameBytes - 4), payload) else {
            throw Corruption(offset: AuditFormat.frameBytes - 4, expected: "the record's checksum")
        }
        return frame
    }

    private static func checksum(_ frame: RawSpan, _ payload: RawSpan) -> UInt32 {
        var checksum = Checksum()
        checksum.update(frame)
        checksum.update(payload)
        return checksum.value
    }
}
