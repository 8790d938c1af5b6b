// The log: every change in one sequence, on the device before anybody is told that it happened.
package import Memory

/// One record on its way into the log.
package struct LogEntry: Sendable {
    /// What kind of change; 1...254, the engine's to give meaning to.
    package var type: UInt8
    package var payload: [UInt8]

    /// What one record holds at most.
    package static let payloadBytesMax = RecordFormat.payloadBytesMax

    package init(type: UInt8, payload: [UInt8]) {
        precondition(type != 0 && type != RecordHeader.markType, "record types 0 and 255 are the log's own")
        precondition(payload.count <= Self.payloadBytesMax, "batches are bounded before they get here")
        self.type = type
        self.payload = payload
    }
}

/// Why a log or a manifest could not be opened or extended.
package enum LogError: Error, Sendable, CustomStringConvertible {
    /// A call failed and nothing of the group will be seen again. Writing goes on if `DiskError.isFull`.
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

/// The write side of the log. One owner, one thread.
///
/// - Opening reads the files that the manifest names, replays their records, drops a torn tail, and refuses damage before it.
/// - `append` returns after one sync for the whole group; what it returned for is replayed by every later open.
/// - A file that was found is never written to again: the first append after an open starts a new file with a new salt,
///   and the manifest names it before there is a record in it.
package final class Log {
    private let disk: any Disk
    private let sizes: LogFileSizes
    private let databaseID: UInt64
    private let randomness: () -> UInt64
    private let willStart: (UInt64) throws(LogError) -> Void
    private var nextFileNumber: UInt64
    /// Sequence of the next record. The first ever is 1.
    package private(set) var nextSequence: UInt64
    /// Bytes of the records appended or passed, or replayed when it was opened: what the next open would replay again if no
    /// checkpoint came in between. Only ever grows.
    package private(set) var bytesAppended: UInt64
    /// The files that are no longer written to, in order.
    private var closed: [LogFile]
    private var current: RecordFileWriter?
    private let stop = WriteStop()

    /// What every `append` from now on would throw, where an earlier failure has stopped all writing.
    package var stopped: LogError? { stop.reason.map { .stopped($0) } }

    /// Opens the log of `files` in `disk`, handing every record after `covered` to `apply` in sequence. Reads all of them:
    /// O(bytes). Other files of a log are left alone and not counted.
    /// - Parameter files: Numbers of the files that the manifest names, rising.
    /// - Parameter covered: Everything up to this sequence is stored elsewhere; it is verified, not applied.
    /// - Parameter nextFileNumber: New files get numbers from here on, and above those that are there.
    /// - Parameter willStart: Names a new file in the manifest. Called once its header and name are durable and before it
    ///   has a record; where it throws, nothing was appended.
    package init(
        disk: any Disk, files: [UInt64], after covered: UInt64, databaseID: UInt64, nextFileNumber: UInt64 = 1,
        sizes: LogFileSizes = LogFileSizes(), randomness: @escaping () -> UInt64,
        willStart: @escaping (_ number: UInt64) throws(LogError) -> Void,
        apply: (_ type: UInt8, _ sequence: UInt64, _ payload: RawSpan) throws(Corruption) -> Void
    ) throws(LogError) {
        self.disk = disk
        self.sizes = sizes
        self.databaseID = databaseID
        self.randomness = randomness
        self.willStart = willStart
        let recovered = try LogRecovery(disk: disk, databaseID: databaseID, covered: covered).run(files, apply: apply)
        closed = recovered.files
        bytesAppended = recovered.bytesApplied
        nextSequence = recovered.nextSequence
        self.nextFileNumber = max(nextFileNumber, recovered.fileNumberMax + 1)
    }

    /// Writes and syncs a group; returns the sequence of its first record. All of the group or, with `.disk`, none.
    package func append(_ group: [LogEntry]) throws(LogError) -> UInt64 {
        precondition(!group.isEmpty, "a group has at least one record")
        try stop.check()
        let file = try fileForAppending()
        let start = file.offset
        let first = try stop.guarding { () throws(LogError) in try file.append(group) }
        nextSequence = file.nextSequence
        bytesAppended += UInt64(file.offset - start)
        // The group itself is safe, so its writer is not disturbed; the next one hears of a disk that fails. On a full
        // one the mark is only missing. Not synced: it is evidence, not a promise.
        do { try file.writeMark() } catch { if !error.isFull { stop.note(error) } }
        return first
    }

    /// Gives a group its place in the sequence and keeps none of it; returns the sequence of its first record. Whoever passes records
    /// has everything up to the last of them stored elsewhere before anything is appended again, or the log would have a gap.
    package func pass(_ group: [LogEntry]) -> UInt64 {
        precondition(!group.isEmpty, "a group has at least one record")
        precondition(current == nil, "records are passed or appended, not both")
        let first = nextSequence
        nextSequence += UInt64(group.count)
        bytesAppended += UInt64(group.reduce(0) { $0 + RecordFormat.paddedRecordBytes(payload: $1.payload.count) })
        return first
    }

    /// Closes the file at hand, so that the next append begins a new one: a checkpoint does, to be rid of the old ones.
    package func rotate() throws(LogError) {
        try stop.check()
        guard let file = current else { return }
        try stop.guarding { () throws(LogError) in try onDisk { () throws(DiskError) in try file.trim() } }
        closed.append(LogFile(file))
        current = nil
    }

    /// Gives back the space zeroed ahead. The log must not be used afterwards.
    package func close() throws(LogError) {
        if stop.reason == nil { try rotate() }
    }

    private func fileForAppending() throws(LogError) -> RecordFileWriter {
        if let current, current.offset < sizes.target { return current }
        try rotate()
        return try startFile()
    }

    /// A new file is named durably, in its directory and in the manifest, before any record in it is acknowledged.
    private func startFile() throws(LogError) -> RecordFileWriter {
        precondition(nextFileNumber < FileKind.numberEnd, "a manifest's next file number has others after it")
        let header = RecordFileHeader(databaseID: databaseID, fileNumber: nextFileNumber, firstSequence: nextSequence, salt: randomness())
        // A name is used once only, even if creating the file fails half way.
        nextFileNumber += 1
        let file = try stop.guardingPreparation { () throws(LogError) in
            let file = try onDisk { () throws(DiskError) in
                try RecordFileWriter(creating: header, as: .log, on: disk, zeroedStep: sizes.zeroedStep)
            }
            try name(file)
            return file
        }
        current = file
        return file
    }

    private func name(_ file: RecordFileWriter) throws(LogError) {
        do { try willStart(file.number) } catch {
            // Refused for want of space, the file is certainly not named: see there. Otherwise it may be, and stays.
            if case .disk(let reason) = error, reason.isFull {
                try onDisk { () throws(DiskError) in try disk.remove(FileKind.log.name(file.number)) }
            }
            throw error
        }
    }
}

// MARK: Which files there are

/// How much of a log file belongs to a log: its length up to the last record that is known to be on the device.
package struct LogFileExtent: Equatable, Sendable {
    package var number: UInt64
    package var byteCount: UInt64

    package init(number: UInt64, byteCount: UInt64) {
        self.number = number
        self.byteCount = byteCount
    }
}

/// A file of the log that is not written to.
struct LogFile {
    var extent: LogFileExtent
    /// Sequence that follows its last record.
    var nextSequence: UInt64
}

extension LogFile {
    init(_ file: RecordFileWriter) {
        self.init(extent: LogFileExtent(number: file.number, byteCount: UInt64(file.offset)), nextSequence: file.nextSequence)
    }
}

extension Log {
    private var all: [LogFile] { closed + (current.map { [LogFile($0)] } ?? []) }

    /// The numbers of its files, rising.
    package var files: [UInt64] { all.map(\.extent.number) }

    /// Its files, each up to the last durable record. Copied so far and no further, they are the whole log.
    package var extent: [LogFileExtent] { all.map(\.extent) }

    /// The files that an open needs once everything up to `sequence` is stored elsewhere: those with later records, and
    /// the one at hand.
    package func filesNeeded(after sequence: UInt64) -> [UInt64] {
        let open = current?.number
        return Array(all.drop { $0.nextSequence <= sequence + 1 && $0.extent.number != open }.map(\.extent.number))
    }

    /// Forgets all files but these, its newest. Removing them is for whoever knows that no snapshot needs them.
    package func retire(keeping needed: [UInt64]) {
        precondition(files.suffix(needed.count) == needed[...], "a log is cut short at its beginning only")
        precondition(current.map { needed.last == $0.number } ?? true, "the file being written is needed")
        closed.removeAll { !needed.contains($0.extent.number) }
    }
}
