// Reads one log file back: every whole record in order, and a verdict on where and how it ends.
import Memory

/// What reading a log file came to.
struct LogFileEnd: Equatable {
    /// Sequence that the next record would have.
    var nextSequence: UInt64
    /// Where the good bytes end.
    var offset: Int
    /// Where the last group of good records begins.
    var lastGroupOffset: Int
    /// What was wrong with the bytes there; nil where the file simply ends.
    var damage: Corruption?
    /// Highest sequence that anything in the file proves to have been on the device.
    var durableSequence: UInt64

    /// The bytes of records that nothing in the file proves to be on the device: the last group's, or none.
    var unproven: Range<Int>? { durableSequence + 1 < nextSequence ? lastGroupOffset..<offset : nil }
}

/// Walks the records of one file that has been read into memory.
struct LogReader {
    let name: String
    let header: LogFileHeader

    init(name: String, bytes: RawSpan) throws(Corruption) {
        self.name = name
        do {
            let headerBytes = bytes.extracting(first: min(bytes.byteCount, LogFormat.fileHeaderBytes))
            header = try LogFileHeader(decoding: headerBytes)
        } catch { throw error.located(in: name, base: 0) }
        guard LogFormat.fileName(header.fileNumber) == name else {
            throw Corruption(file: name, offset: 24, expected: "the file number of its own name, found \(header.fileNumber)")
        }
    }

    /// Hands each whole record to `apply` until the bytes end or stop making sense. O(file).
    func replay<E: Error>(
        _ bytes: RawSpan, apply: (_ record: LogRecordHeader, _ payload: RawSpan, _ payloadOffset: Int) throws(E) -> Void
    ) throws(E) -> LogFileEnd {
        var end = LogFileEnd(
            nextSequence: header.firstSequence, offset: LogFormat.fileHeaderBytes, lastGroupOffset: LogFormat.fileHeaderBytes,
            damage: nil, durableSequence: 0)
        var previous: UInt32 = 0
        while end.offset + LogFormat.recordHeaderBytes <= bytes.byteCount {
            switch recordAt(end.offset, in: bytes, sequence: end.nextSequence, previous: previous) {
            case .end(let damage):
                end.damage = damage
                end.durableSequence = max(end.durableSequence, highestProof(in: bytes, from: end.offset))
                return end
            case .record(let record, let checksum):
                let start = end.offset + LogFormat.recordHeaderBytes
                try apply(record, bytes.extracting(start..<start + record.payloadBytes), start)
                if record.sequence == record.durableSequence + 1 { end.lastGroupOffset = end.offset }
                end.durableSequence = max(end.durableSequence, record.durableSequence)
                end.nextSequence += 1
                end.offset += LogFormat.paddedRecordBytes(payload: record.payloadBytes)
                previous = checksum
            }
        }
        return end
    }

    private enum Finding {
        case record(LogRecordHeader, checksum: UInt32)
        case end(damage: Corruption?)
    }

    private func recordAt(_ offset: Int, in bytes: RawSpan, sequence: UInt64, previous: UInt32) -> Finding {
        if isZero(bytes.extracting(offset..<offset + LogFormat.recordHeaderBytes)) { return .end(damage: nil) }
        let (record, checksum): (LogRecordHeader, UInt32)
        do throws(Corruption) { (record, checksum) = try validRecord(at: offset, in: bytes) } catch { return .end(damage: error) }
        // A mark stands where the next record will. Should records lie behind it, the device lost a write over it.
        if record.type == LogRecordHeader.markType { return .end(damage: nil) }
        guard record.sequence == sequence else {
            return .end(damage: Corruption(file: name, offset: offset + 8, expected: "sequence \(sequence), found \(record.sequence)"))
        }
        guard record.previousChecksum == previous else {
            return .end(damage: Corruption(file: name, offset: offset + 24, expected: "the checksum of the record before"))
        }
        return .record(record, checksum: checksum)
    }

    /// The record at `offset` if its own checksum holds, whatever stands before it.
    private func validRecord(at offset: Int, in bytes: RawSpan) throws(Corruption) -> (LogRecordHeader, UInt32) {
        let rest = bytes.extracting(offset..<bytes.byteCount)
        let (record, stored): (LogRecordHeader, UInt32)
        do { (record, stored) = try LogRecordHeader.decode(rest) } catch { throw error.located(in: name, base: offset) }
        let end = LogFormat.recordHeaderBytes + record.payloadBytes
        guard end <= rest.byteCount else {
            throw Corruption(file: name, offset: offset, expected: "\(end) bytes of record, found \(rest.byteCount)")
        }
        let checksum = LogRecordHeader.checksum(
            salt: header.salt, headerAndPayload: rest.extracting(first: LogFormat.recordHeaderBytes - 4),
            rest.extracting(LogFormat.recordHeaderBytes..<end))
        guard checksum == stored else {
            throw Corruption(file: name, offset: offset + LogFormat.recordHeaderBytes - 4, expected: "the record's checksum")
        }
        return (record, checksum)
    }

    /// The highest sequence that any valid record or mark from here on says was on the device.
    ///
    /// Only run once reading has stopped. A false match would need a 32-bit checksum over a random salt to agree.
    private func highestProof(in bytes: RawSpan, from offset: Int) -> UInt64 {
        var highest: UInt64 = 0
        var at = offset
        while at + LogFormat.recordHeaderBytes <= bytes.byteCount {
            if LogRecordHeader.isPlausible(bytes, at: at) {
                do throws(Corruption) {
                    let (record, _) = try validRecord(at: at, in: bytes)
                    highest = max(highest, record.durableSequence)
                } catch {
                    // Not a record: look at the next place one could begin. This is a search, not an error.
                }
            }
            at += LogFormat.alignment
        }
        return highest
    }

    private func isZero(_ bytes: RawSpan) -> Bool {
        for offset in 0..<bytes.byteCount where bytes.byte(at: offset) != 0 { return false }
        return true
    }
}
