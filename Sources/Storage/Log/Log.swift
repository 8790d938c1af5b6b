// The log: every change in one sequence, on the device before anybody is told that it happened.
package import Memory

/// One record on its way into the log.
package struct LogEntry: Sendable {
    /// What kind of change; 1...254, the engine's to give meaning to.
    package var type: UInt8
    package var payload: [UInt8]

    /// What one record holds at most.
    package static let payloadBytesMax = LogFormat.payloadBytesMax

    package init(type: UInt8, payload: [UInt8]) {
        precondition(type != 0 && type != LogRecordHeader.markType, "record types 0 and 255 are the log's own")
        self.type = type
        self.payload = payload
    }
}

/// Why the log could not be opened or extended.
package enum LogError: Error, Sendable, CustomStringConvertible {
    /// A call failed and nothing of the group will be seen again. The log goes on if `DiskError.isFull`.
    case disk(DiskError)
    /// Acknowledged bytes are damaged or missing. The log does not open.
    case corruption(Corruption)
    /// A write or sync failed in a way that leaves open what reached the device; this group may or may not be
    /// there after a restart. Nothing more is written by this process.
    case outcomeUnknown(DiskError)
    /// An earlier failure stopped all writing.
    case stopped(DiskError)

    package var description: String {
        switch self {
        case .disk(let error): "\(error)"
        case .corruption(let error): "\(error)"
        case .outcomeUnknown(let error): "outcome unknown: \(error)"
        case .stopped(let error): "writing stopped after: \(error)"
        }
    }
}

/// The write side of the log. One owner, one thread.
///
/// - Opening replays every whole record, drops a torn tail, and refuses damage before it.
/// - `append` returns after one sync for the whole group; what it returned for is replayed by every later open.
/// - An old file is never written to again: the first append after an open starts a new file with a new salt.
package final class Log {
    private let disk: any Disk
    private let sizes: LogFileSizes
    private let randomness: () -> UInt64
    private var databaseID: UInt64
    private var nextFileNumber: UInt64
    /// Sequence of the next record. The first ever is 1.
    package private(set) var nextSequence: UInt64
    private var durableSequence: UInt64
    private var current: OpenLogFile?
    private var failure: DiskError?
    /// Kept between groups, so that a steady stream of writes stops allocating.
    private var spareBuffer = ByteWriter()

    /// A fresh identity where there is no file yet.
    package var database: UInt64 { databaseID }

    /// What every `append` from now on would throw, where an earlier failure has stopped all writing.
    package var stopped: LogError? { failure.map { .stopped($0) } }

    /// Opens the log in `disk`, handing every record to `apply` in sequence. Reads all of it: O(bytes).
    package init(
        disk: any Disk, sizes: LogFileSizes = LogFileSizes(), randomness: @escaping () -> UInt64,
        apply: (_ type: UInt8, _ sequence: UInt64, _ payload: RawSpan) throws(Corruption) -> Void
    ) throws(LogError) {
        self.disk = disk
        self.sizes = sizes
        self.randomness = randomness
        do {
            let recovered = try LogRecovery(disk: disk).run(apply: apply)
            databaseID = recovered.databaseID ?? randomness()
            nextFileNumber = recovered.nextFileNumber
            nextSequence = recovered.nextSequence
            durableSequence = recovered.nextSequence - 1
        } catch { throw error }
    }

    /// Writes and syncs a group; returns the sequence of its first record. All of the group or, with `.disk`, none.
    package func append(_ group: [LogEntry]) throws(LogError) -> UInt64 {
        precondition(!group.isEmpty, "a group has at least one record")
        if let stopped { throw stopped }
        let file = try fileForAppending()
        var buffer = ByteWriter()
        swap(&buffer, &spareBuffer)
        defer { swap(&buffer, &spareBuffer) }
        let checksum = encode(group, after: file, into: &buffer)
        try write(buffer, to: file)
        do { try file.handle.sync() } catch {
            failure = error
            throw .outcomeUnknown(error)
        }
        let first = nextSequence
        nextSequence += UInt64(group.count)
        durableSequence = nextSequence - 1
        file.offset += buffer.count
        file.previousChecksum = checksum
        writeMark(to: file, using: &buffer)
        return first
    }

    /// Gives back the space zeroed ahead. The log must not be used afterwards.
    package func close() throws(LogError) {
        guard let file = current, failure == nil else { return }
        do { try file.handle.truncate(to: file.offset + LogFormat.recordHeaderBytes) } catch { throw .disk(error) }
        current = nil
    }

    /// The group as bytes; returns the checksum that the next record chains to.
    private func encode(_ group: [LogEntry], after file: OpenLogFile, into buffer: inout ByteWriter) -> UInt32 {
        buffer.removeAll()
        var previous = file.previousChecksum
        for (index, entry) in group.enumerated() {
            precondition(entry.payload.count <= LogFormat.payloadBytesMax, "batches are bounded before they get here")
            let header = LogRecordHeader(
                payloadBytes: entry.payload.count, type: entry.type, sequence: nextSequence + UInt64(index),
                durableSequence: durableSequence, previousChecksum: previous)
            // Sound: bytes have no invalid pattern.
            previous = append(header, unsafe entry.payload.span.bytes, salt: file.salt, to: &buffer)
        }
        return previous
    }

    private func append(_ header: LogRecordHeader, _ payload: RawSpan, salt: UInt64, to buffer: inout ByteWriter) -> UInt32 {
        let start = buffer.count
        buffer.reserve(LogFormat.paddedRecordBytes(payload: payload.byteCount))
        header.write(to: &buffer)
        let checksum = LogRecordHeader.checksum(
            salt: salt, headerAndPayload: buffer.bytes.extracting(start..<buffer.count), payload)
        buffer.write(checksum)
        buffer.write(payload)
        while (buffer.count - start) % LogFormat.alignment != 0 { buffer.write(UInt8(0)) }
        return checksum
    }

    private func write(_ buffer: borrowing ByteWriter, to file: OpenLogFile) throws(LogError) {
        do {
            // Space is taken before the first byte of the group: a full disk then leaves nothing half written.
            try file.zeroAhead(to: file.offset + buffer.count + LogFormat.recordHeaderBytes, step: sizes.zeroedStep)
        } catch { throw refusal(error) }
        do { try file.handle.write(buffer.bytes, at: file.offset) } catch {
            failure = error
            throw .outcomeUnknown(error)
        }
    }

    /// Says behind the last record that it is on the device. Not synced: it is evidence, not a promise, and lets
    /// damage to the very last acknowledged record be told from a torn tail. Costs one write of 32 bytes a group.
    private func writeMark(to file: OpenLogFile, using buffer: inout ByteWriter) {
        buffer.removeAll()
        let mark = LogRecordHeader(
            payloadBytes: 0, type: LogRecordHeader.markType, sequence: durableSequence,
            durableSequence: durableSequence, previousChecksum: file.previousChecksum)
        _ = append(mark, RawSpan(), salt: file.salt, to: &buffer)
        // The group itself is safe, so its writer is not disturbed; the next one hears of a disk that fails. On a full
        // one the mark is only missing.
        do { try file.handle.write(buffer.bytes, at: file.offset) } catch { if !error.isFull { failure = error } }
    }

    private func fileForAppending() throws(LogError) -> OpenLogFile {
        if let current, current.offset < sizes.target { return current }
        do {
            if let full = current { try full.handle.truncate(to: full.offset + LogFormat.recordHeaderBytes) }
            current = nil
            let file = try startFile()
            current = file
            return file
        } catch { throw refusal(error) }
    }

    /// Nothing of the group was written. Only a full disk leaves a log that can go on.
    private func refusal(_ error: DiskError) -> LogError {
        if !error.isFull { failure = error }
        return .disk(error)
    }

    /// A new file is named durably before any record in it is acknowledged.
    private func startFile() throws(DiskError) -> OpenLogFile {
        let header = LogFileHeader(
            databaseID: databaseID, fileNumber: nextFileNumber, firstSequence: nextSequence, salt: randomness())
        // A name is used once only, even if creating the file fails half way.
        nextFileNumber += 1
        let name = LogFormat.fileName(header.fileNumber)
        let file = OpenLogFile(handle: try disk.create(name), salt: header.salt)
        do {
            try file.handle.write(header.encoded().bytes, at: 0)
            try file.handle.sync()
            try disk.syncDirectory()
        } catch {
            // Recovery passes over a half-made file, but a disk that stays full would collect one with every attempt.
            if error.isFull { try disk.remove(name) }
            throw error
        }
        return file
    }
}

/// The file being appended to.
private final class OpenLogFile {
    let handle: any DiskFile
    let salt: UInt64
    /// Where the next record goes.
    var offset = LogFormat.fileHeaderBytes
    var previousChecksum: UInt32 = 0
    private var zeroedEnd = LogFormat.fileHeaderBytes

    init(handle: any DiskFile, salt: UInt64) {
        self.handle = handle
        self.salt = salt
    }

    private static let zeros = [UInt8](repeating: 0, count: 1 << 20)

    /// Writes zeros so that the file reaches at least to `end`, and if it grows at all, by a step. A disk too full for
    /// a whole step gives what is needed, so that it is full for good when it is first called so.
    func zeroAhead(to end: Int, step: Int) throws(DiskError) {
        guard end > zeroedEnd else { return }
        do { try zero(to: max(end, zeroedEnd + step)) } catch {
            guard error.isFull else { throw error }
            try zero(to: end)
        }
    }

    private func zero(to target: Int) throws(DiskError) {
        while zeroedEnd < target {
            let count = min(Self.zeros.count, target - zeroedEnd)
            // Sound: bytes have no invalid pattern.
            try handle.write(unsafe Self.zeros.span.bytes.extracting(first: count), at: zeroedEnd)
            zeroedEnd += count
        }
    }
}
