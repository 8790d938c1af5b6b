// The end of the audit log's chain: frames records, writes them, starts files and removes the oldest.
import Memory
import Storage

/// How the log uses its disk and its memory. Tests make everything small.
package struct AuditSizes: Sendable {
    /// A file ends before the record that would make it longer.
    package var fileBytes: Int
    /// All files together.
    package var totalBytes: Int
    /// Records that wait to be written, beyond which reads are counted as lost. One answer more fits: it is at most as large as a line.
    package var waitingBytes = 16 << 20

    /// At most 64 MiB a file, and files enough that what goes at once is a small part.
    package init(totalBytes: Int = 1 << 30) {
        self.totalBytes = totalBytes
        fileBytes = min(64 << 20, max(totalBytes / 8, 1 << 16))
    }
}

/// What the log has come to.
package struct AuditStatistics: Equatable, Sendable {
    /// The last record's number: how many there have ever been.
    package var records: UInt64 = 0
    /// Of all files.
    package var bytes = 0
    /// Reads that are in no record, since this log was opened.
    package var lost: UInt64 = 0
    /// Why nothing is written at the moment; or what was damaged when the log was opened.
    package var failure: String?
    /// Of the last record.
    package var head = AuditHash.zero

    package init() {}
}

/// One user at a time. After a failed write or sync, but for a full disk, nothing is written any more.
struct AuditWriter {
    private let disk: any Disk
    private let sizes: AuditSizes
    private var position: Position
    /// The file at hand; nil before the first is made.
    private var file: (any DiskFile)?
    private var fileNumber: UInt64
    /// Those before it, oldest first.
    private var closed: [(number: UInt64, bytes: Int)]
    private var durableNumber: UInt64
    /// The file's length where it is more than the records': what a crash or a full disk has left behind them.
    private var tornEnd: Int
    private var isDirty = false
    private var stop: DiskError?
    private var full: DiskError?
    private let damage: Corruption?
    private var lost: UInt64 = 0
    /// Taken from those who answer, and written up to `written`. Kept while the disk is full.
    private var waiting = AuditBacklog()
    private var written = 0
    private var output = ByteWriter()

    private static let outputBytes = 1 << 20

    /// Where the next record goes, and what it goes on from.
    private struct Position {
        var offset: Int
        var nextNumber: UInt64
        var hash: AuditHash
    }

    /// Goes on from what was found. What the open has to tell is the first record.
    init(_ found: AuditRecovery, on disk: any Disk, sizes: AuditSizes, nowMilliseconds: Int64) {
        self.disk = disk
        self.sizes = sizes
        position = Position(offset: found.offset, nextNumber: found.nextNumber, hash: found.hash)
        file = found.file
        fileNumber = found.fileNumber
        closed = found.closed
        durableNumber = found.nextNumber - 1
        tornEnd = found.tornEnd
        damage = found.damage
        waiting.add(
            .opened(droppedBytes: UInt64(max(0, found.tornEnd - found.offset)), offset: UInt64(found.offset), note: found.note), milliseconds: nowMilliseconds)
    }

    var statistics: AuditStatistics {
        var statistics = AuditStatistics()
        statistics.records = position.nextNumber - 1
        statistics.bytes = closed.reduce(position.offset) { $0 + $1.bytes }
        statistics.lost = lost + waiting.lost
        statistics.failure = failure
        statistics.head = position.hash
        return statistics
    }

    private var failure: String? {
        if let stop { return "nothing is audited until a restart: \(stop)" }
        if let full { return "the disk is full: \(full)" }
        return damage.map { "damaged when it was opened: \($0)" }
    }

    /// The files, oldest first, and where the last one ends.
    var extent: (files: [UInt64], end: Int) {
        file == nil ? (closed.map(\.number), .max) : (closed.map(\.number) + [fileNumber], position.offset)
    }

    // MARK: Writing

    /// Writes what waits here, and then what `take` brings. Whatever cannot be written stays or is counted.
    mutating func flush(nowMilliseconds now: Int64, syncing: Bool, taking take: (inout AuditBacklog) -> Void) {
        guard stop == nil else { return discard(take) }
        do throws(DiskError) {
            try writeWaiting(now)
            take(&waiting)
            try writeWaiting(now)
            try removeOldest(now)
            if syncing { try sync() }
            full = nil
        } catch {
            if error.isFull { full = error } else { stop = error }
        }
    }

    /// Ends the log as it should end.
    mutating func close(nowMilliseconds now: Int64) {
        guard stop == nil, full == nil else { return }
        do throws(DiskError) {
            try sync()
            try write(.closed, now)
            try sync()
        } catch {
            if error.isFull { full = error } else { stop = error }
        }
    }

    private mutating func discard(_ take: (inout AuditBacklog) -> Void) {
        discardWaiting()
        take(&waiting)
        discardWaiting()
    }

    private mutating func discardWaiting() {
        lost += waiting.lost + waiting.readCount(from: written)
        waiting.removeAll()
        written = 0
    }

    private mutating func writeWaiting(_ now: Int64) throws(DiskError) {
        while written < waiting.bytes.count { written = try writeSome(now) }
        waiting.removeEntries()
        written = 0
        if waiting.lost > 0 {
            try write(.lost(count: waiting.lost), now)
            lost += waiting.lost
        }
        waiting.removeAll()
    }

    /// Writes entries as long as they fit into a file and into the memory for them; returns up to where.
    private mutating func writeSome(_ now: Int64) throws(DiskError) -> Int {
        try startFile(for: waiting.recordBytes(at: written), now)
        var records = beginOutput()
        defer { swap(&records, &output) }
        var (at, next) = (written, position)
        while at < waiting.bytes.count, records.count < Self.outputBytes {
            guard records.count == 0 || next.offset + waiting.recordBytes(at: at) <= sizes.fileBytes else { break }
            at = frame(waiting, at: at, &next, into: &records)
        }
        try write(records, to: next)
        return at
    }

    /// One record that is not a read, at once.
    private mutating func write(_ event: AuditEvent, _ now: Int64) throws(DiskError) {
        var backlog = AuditBacklog()
        backlog.add(event, milliseconds: now)
        try startFile(for: backlog.recordBytes(at: 0), now)
        var records = beginOutput()
        defer { swap(&records, &output) }
        var next = position
        _ = frame(backlog, at: 0, &next, into: &records)
        try write(records, to: next)
    }

    /// Memory for records, kept from one time to the next.
    private mutating func beginOutput() -> ByteWriter {
        var records = ByteWriter()
        swap(&records, &output)
        records.removeAll()
        return records
    }

    /// Makes a record of an entry; returns where the next entry begins.
    private func frame(_ entries: AuditBacklog, at offset: Int, _ next: inout Position, into records: inout ByteWriter) -> Int {
        let entry = entries.entry(at: offset)
        next.hash = AuditFrame.write(
            entry.kind, entries.bytes.bytes.extracting(entry.payload), number: next.nextNumber, durableNumber: durableNumber, after: next.hash, to: &records)
        next.nextNumber += 1
        next.offset += AuditFormat.frameBytes + entry.payload.count
        return entry.payload.upperBound
    }

    private mutating func write(_ records: ByteWriter, to next: Position) throws(DiskError) {
        guard let file else { preconditionFailure("a file has been started") }
        do {
            isDirty = true
            try file.write(records.bytes, at: position.offset)
        } catch {
            // What a full disk took of it is no record. What a crash had left is still to be told of, so that it stays.
            if error.isFull, tornEnd <= position.offset { try file.truncate(to: position.offset) }
            throw error
        }
        position = next
        if tornEnd > position.offset { try file.truncate(to: position.offset) }
        tornEnd = 0
    }

    private mutating func sync() throws(DiskError) {
        guard isDirty, let file else { return }
        try file.sync()
        isDirty = false
        durableNumber = position.nextNumber - 1
    }

    // MARK: Files

    /// Sees to it that a record of so many bytes may follow in the file at hand: goes on in a new one where this is full.
    private mutating func startFile(for recordBytes: Int, _ now: Int64) throws(DiskError) {
        if file != nil {
            guard position.offset > AuditFormat.headerBytes, position.offset + recordBytes > sizes.fileBytes else { return }
            // The new file says how this one ends, so all of it has to be there first, and nothing behind it.
            if tornEnd > position.offset, let file {
                isDirty = true
                try file.truncate(to: position.offset)
                tornEnd = 0
            }
            try sync()
            closed.append((fileNumber, position.offset))
            file = nil
            fileNumber += 1
            position.offset = 0
        }
        let header = AuditFileHeader(
            fileNumber: fileNumber, firstRecord: position.nextNumber, createdMilliseconds: now, previousHash: position.hash)
        let (bytes, hash) = header.encoded()
        let name = AuditFormat.name(fileNumber)
        let made = try disk.create(name)
        do {
            try made.write(bytes.bytes, at: 0)
            try made.sync()
            try disk.syncDirectory()
        } catch {
            // A disk that stays full is asked again with every flush.
            if error.isFull { try disk.remove(name) }
            throw error
        }
        file = made
        position.offset = AuditFormat.headerBytes
        position.hash = hash
    }

    /// Makes room for a whole file: says that the oldest goes, and then removes it.
    private mutating func removeOldest(_ now: Int64) throws(DiskError) {
        while let oldest = closed.first, closed.reduce(sizes.fileBytes, { $0 + $1.bytes }) > sizes.totalBytes {
            try write(.removed(file: oldest.number), now)
            try sync()
            try disk.remove(AuditFormat.name(oldest.number))
            try disk.syncDirectory()
            closed.removeFirst()
        }
    }
}
