// Writes one file of records: its header once, then group after group behind each other.
import Memory

/// The file being appended to. One owner, one thread. After a failed write or sync its owner must not append again.
final class RecordFileWriter {
    let number: UInt64
    /// Sequence of the first record.
    let firstSequence: UInt64
    /// Sequence of the next record. What was appended before is on the device.
    private(set) var nextSequence: UInt64
    /// Where the next record goes: the file's length up to the last record on the device.
    private(set) var offset = RecordFormat.fileHeaderBytes
    private let handle: any DiskFile
    private let salt: UInt64
    private let zeroedStep: Int
    private var zeroedEnd = RecordFormat.fileHeaderBytes
    private var previousChecksum: UInt32 = 0
    /// Kept between groups, so that a steady stream of writes stops allocating.
    private var spareBuffer = ByteWriter()

    /// Creates a file whose header and name are durable before there is a record in it. Space for records is taken in
    /// steps of `zeroedStep` bytes.
    init(creating header: RecordFileHeader, as kind: RecordFileKind, on disk: any Disk, zeroedStep: Int) throws(DiskError) {
        number = header.fileNumber
        firstSequence = header.firstSequence
        nextSequence = header.firstSequence
        salt = header.salt
        self.zeroedStep = zeroedStep
        let name = kind.file.name(header.fileNumber)
        handle = try disk.create(name)
        do {
            try handle.write(header.encoded(as: kind).bytes, at: 0)
            try handle.sync()
            try disk.syncDirectory()
        } catch {
            // Nothing counts a half-made file, but a disk that stays full would collect one with every attempt.
            if error.isFull { try disk.remove(name) }
            throw error
        }
    }

    /// Writes and syncs a group; returns the sequence of its first record. All of the group or, with `.disk`, none.
    func append(_ group: [LogEntry]) throws(LogError) -> UInt64 {
        var buffer = ByteWriter()
        swap(&buffer, &spareBuffer)
        defer { swap(&buffer, &spareBuffer) }
        let checksum = encode(group, into: &buffer)
        // Space is taken before the first byte of the group: a full disk then leaves nothing half written.
        do { try zeroAhead(to: offset + buffer.count + RecordFormat.recordHeaderBytes) } catch { throw .disk(error) }
        do {
            try handle.write(buffer.bytes, at: offset)
            try handle.sync()
        } catch { throw .outcomeUnknown(error) }
        let first = nextSequence
        nextSequence += UInt64(group.count)
        offset += buffer.count
        previousChecksum = checksum
        return first
    }

    /// Says behind the last record that it is on the device; the next record overwrites it. Lets damage to the very last
    /// acknowledged record be told from a torn tail. Costs one write of 32 bytes.
    func writeMark() throws(DiskError) {
        var buffer = ByteWriter(capacity: RecordFormat.recordHeaderBytes)
        RecordHeader.mark(durableSequence: nextSequence - 1, previousChecksum: previousChecksum).encode(RawSpan(), salt: salt, into: &buffer)
        try handle.write(buffer.bytes, at: offset)
    }

    func sync() throws(DiskError) { try handle.sync() }

    /// Gives back the space zeroed ahead of the last record and its mark. A file on a full disk may have no room for the
    /// mark; it is not made longer here.
    func trim() throws(DiskError) {
        let end = min(offset + RecordFormat.recordHeaderBytes, zeroedEnd)
        if end < zeroedEnd { try handle.truncate(to: end) }
    }

    /// The group as bytes; returns the checksum that the next record chains to.
    private func encode(_ group: [LogEntry], into buffer: inout ByteWriter) -> UInt32 {
        buffer.removeAll()
        var previous = previousChecksum
        for (index, entry) in group.enumerated() {
            let header = RecordHeader(
                payloadBytes: entry.payload.count, type: entry.type, sequence: nextSequence + UInt64(index),
                durableSequence: nextSequence - 1, previousChecksum: previous)
            // Sound: bytes have no invalid pattern.
            previous = header.encode(unsafe entry.payload.span.bytes, salt: salt, into: &buffer)
        }
        return previous
    }

    /// Writes zeros so that the file reaches at least to `end`, and if it grows at all, by a step. A disk too full for
    /// a whole step gives what is needed, so that it is full for good when it is first called so.
    private func zeroAhead(to end: Int) throws(DiskError) {
        guard end > zeroedEnd else { return }
        let ahead = max(end, zeroedEnd + zeroedStep)
        do {
            try handle.writeZeros(over: zeroedEnd..<ahead)
            zeroedEnd = ahead
        } catch {
            guard error.isFull else { throw error }
            try handle.writeZeros(over: zeroedEnd..<end)
            zeroedEnd = end
        }
    }
}
