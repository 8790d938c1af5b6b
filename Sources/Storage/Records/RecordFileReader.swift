// Reads one file of records back: every whole record in order, and a verdict on where and how it ends.
import Memory

/// What reading a file of records came to.
struct RecordFileEnd: Equatable {
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

extension RecordFileEnd {
    /// What is wrong where records that had been on the device are damaged or gone; nil where at most a torn tail is.
    func loss(in name: String) -> Corruption? {
        guard durableSequence >= nextSequence else { return nil }
        return damage ?? Corruption(
            file: name, offset: offset, expected: "records up to sequence \(durableSequence), which was acknowledged")
    }

    /// Makes sure that what was read is what the device holds.
    ///
    /// Records that a killed process had written but not synced are applied now and will be built upon: they must not be
    /// lost to a power cut later. Syncing alone is not enough: after a sync that failed, the page cache holds what
    /// the device does not and calls it clean. Writing the same bytes again makes it dirty.
    func settle(_ name: String, on disk: any Disk) throws(DiskError) {
        let file = try disk.open(name)
        if let unproven {
            let bytes = try RecordFileBytes(reading: file, from: unproven.lowerBound, to: unproven.upperBound)
            try file.write(bytes.bytes, at: unproven.lowerBound)
        }
        try file.sync()
    }
}

/// Walks the records of one file that has been read into memory.
struct RecordFileReader {
    let name: String
    let header: RecordFileHeader
    /// Of the file's format.
    let version: UInt32

    init(name: String, bytes: RawSpan, kind: RecordFileKind) throws(Corruption) {
        self.name = name
        do {
            let headerBytes = bytes.extracting(first: min(bytes.byteCount, RecordFormat.fileHeaderBytes))
            (header, version) = try RecordFileHeader.decode(headerBytes, as: kind)
        } catch { throw error.located(in: name, base: 0) }
        guard kind.file.name(header.fileNumber) == name else {
            throw Corruption(file: name, offset: 24, expected: "the file number of its own name, found \(header.fileNumber)")
        }
    }

    /// Hands each whole record to `apply` until the bytes end or stop making sense. O(file).
    func replay<E: Error>(
        _ bytes: RawSpan, apply: (_ record: RecordHeader, _ payload: RawSpan, _ payloadOffset: Int) throws(E) -> Void
    ) throws(E) -> RecordFileEnd {
        var end = RecordFileEnd(
            nextSequence: header.firstSequence, offset: RecordFormat.fileHeaderBytes, lastGroupOffset: RecordFormat.fileHeaderBytes,
            damage: nil, durableSequence: 0)
        var previous: UInt32 = 0
        while end.offset + RecordFormat.recordHeaderBytes <= bytes.byteCount {
            switch recordAt(end.offset, in: bytes, sequence: end.nextSequence, previous: previous) {
            case .end(let damage):
                end.damage = damage
                end.durableSequence = max(end.durableSequence, highestProof(in: bytes, from: end.offset))
                return end
            case .record(let record, let checksum):
                let start = end.offset + RecordFormat.recordHeaderBytes
                try apply(record, bytes.extracting(start..<start + record.payloadBytes), start)
                if record.sequence &- 1 == record.durableSequence { end.lastGroupOffset = end.offset }
                end.durableSequence = max(end.durableSequence, record.durableSequence)
                end.nextSequence += 1
                end.offset += RecordFormat.paddedRecordBytes(payload: record.payloadBytes)
                previous = checksum
            }
        }
        return end
    }

    private enum Finding {
        case record(RecordHeader, checksum: UInt32)
        case end(damage: Corruption?)
    }

    private func recordAt(_ offset: Int, in bytes: RawSpan, sequence: UInt64, previous: UInt32) -> Finding {
        if isZero(bytes.extracting(offset..<offset + RecordFormat.recordHeaderBytes)) { return .end(damage: nil) }
        let (record, checksum): (RecordHeader, UInt32)
        do throws(Corruption) { (record, checksum) = try validRecord(at: offset, in: bytes) } catch { return .end(damage: error) }
        // A mark stands where the next record will. Should records lie behind it, the device lost a write over it.
        if record.type == RecordHeader.markType { return .end(damage: nil) }
        guard record.sequence == sequence else {
            return .end(damage: Corruption(file: name, offset: offset + 8, expected: "sequence \(sequence), found \(record.sequence)"))
        }
        guard record.previousChecksum == previous else {
            return .end(damage: Corruption(file: name, offset: offset + 24, expected: "the checksum of the record before"))
        }
        return .record(record, checksum: checksum)
    }

    /// The record at `offset` if its own checksum holds, whatever stands before it.
    private func validRecord(at offset: Int, in bytes: RawSpan) throws(Corruption) -> (RecordHeader, UInt32) {
        let rest = bytes.extracting(offset..<bytes.byteCount)
        let (record, stored): (RecordHeader, UInt32)
        do { (record, stored) = try RecordHeader.decode(rest) } catch { throw error.located(in: name, base: offset) }
        let end = RecordFormat.recordHeaderBytes + record.payloadBytes
        guard end <= rest.byteCount else {
            throw Corruption(file: name, offset: offset, expected: "\(end) bytes of record, found \(rest.byteCount)")
        }
        let checksum = RecordHeader.checksum(
            salt: header.salt, headerAndPayload: rest.extracting(first: RecordFormat.recordHeaderBytes - 4),
            rest.extracting(RecordFormat.recordHeaderBytes..<end))
        guard checksum == stored else {
            throw Corruption(file: name, offset: offset + RecordFormat.recordHeaderBytes - 4, expected: "the record's checksum")
        }
        return (record, checksum)
    }

    /// The highest sequence that any valid record or mark from here on says was on the device.
    ///
    /// Only run once reading has stopped. A false match would need a 32-bit checksum over a random salt to agree.
    private func highestProof(in bytes: RawSpan, from offset: Int) -> UInt64 {
        var highest: UInt64 = 0
        var at = offset
        while at + RecordFormat.recordHeaderBytes <= bytes.byteCount {
            if RecordHeader.isPlausible(bytes, at: at) {
                do throws(Corruption) {
                    let (record, _) = try validRecord(at: at, in: bytes)
                    highest = max(highest, record.durableSequence)
                } catch {
                    // Not a record: look at the next place one could begin. This is a search, not an error.
                }
            }
            at += RecordFormat.alignment
        }
        return highest
    }

    private func isZero(_ bytes: RawSpan) -> Bool {
        for offset in 0..<bytes.byteCount where bytes.byte(at: offset) != 0 { return false }
        return true
    }
}
