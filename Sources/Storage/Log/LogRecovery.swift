// Opening a log: replays the files that the manifest names and tells a torn tail from damage.
import Memory

/// What is known once every file has been read.
struct RecoveredLog {
    var files: [LogFile] = []
    /// The highest number of any log file that is there or is named.
    var fileNumberMax: UInt64
    var nextSequence: UInt64
    /// Bytes of the records that were applied.
    var bytesApplied: UInt64 = 0
    /// How many records there are, applied or not.
    var recordCount = 0
    /// What lies behind the good records of a file and is no record: torn tails, dropped now or at an earlier open.
    var tails: [Corruption] = []
}

/// Reads the files of a log. `run` changes nothing on disk that could be read, and `read` nothing at all; running them again comes
/// to the same end.
struct LogRecovery {
    let disk: any Disk
    let databaseID: UInt64
    let covered: UInt64

    /// A file that has been read, and where it ends.
    struct ReadFile {
        var name: String
        var end: RecordFileEnd
    }

    /// Reads the files of those numbers, and makes sure that the device holds what was read.
    func run(_ files: [UInt64], apply: LogApply) throws(LogError) -> RecoveredLog {
        let (log, last) = try read(files.map { LogFileExtent(number: $0, byteCount: .max) }, apply: apply)
        if let last { try onDisk { () throws(DiskError) in try last.end.settle(last.name, on: disk) } }
        return log
    }

    /// Reads the files up to the lengths that are given, or to their ends.
    func read(_ files: [LogFileExtent], apply: LogApply) throws(LogError) -> (log: RecoveredLog, last: ReadFile?) {
        precondition(zip(files, files.dropFirst()).allSatisfy { $0.number < $1.number }, "a manifest names log files in their order")
        let names = try onDisk { () throws(DiskError) in try disk.list() }
        let there = names.compactMap { FileKind.log.number($0) }
        var log = RecoveredLog(fileNumberMax: max(there.last ?? 0, files.last?.number ?? 0), nextSequence: covered + 1)
        var last: ReadFile?
        for file in files {
            let name = FileKind.log.name(file.number)
            guard there.contains(file.number) else {
                throw .corruption(Corruption(file: name, offset: 0, expected: "a file: the manifest names it, and it is missing"))
            }
            let bytes = try onDisk { () throws(DiskError) in try RecordFileBytes(reading: disk.open(name), to: Int(clamping: file.byteCount)) }
            let read = try replay(name, bytes.bytes, after: last, &log, apply: apply)
            let byteCount = UInt64(min(read.end.offset, bytes.bytes.byteCount))
            log.files.append(LogFile(extent: LogFileExtent(number: file.number, byteCount: byteCount), nextSequence: read.end.nextSequence))
            if let tail = read.end.damage { log.tails.append(tail) }
            last = read
        }
        guard var last else { return (log, nil) }
        try checkEnd(&last)
        log.nextSequence = last.end.nextSequence
        return (log, last)
    }

    private func replay(
        _ name: String, _ bytes: RawSpan, after before: ReadFile?, _ log: inout RecoveredLog, apply: LogApply
    ) throws(LogError) -> ReadFile {
        do throws(Corruption) {
            let reader = try RecordFileReader(name: name, bytes: bytes, kind: .log)
            try checkContinues(reader, after: before)
            let end = try reader.replay(bytes) { (record, payload, offset) throws(Corruption) in
                log.recordCount += 1
                guard record.sequence > covered else { return }
                log.bytesApplied += UInt64(RecordFormat.paddedRecordBytes(payload: record.payloadBytes))
                do throws(Corruption) { try apply(record.type, record.sequence, payload) } catch {
                    throw Corruption(
                        file: name, offset: offset + error.offset, expected: "in the record of sequence \(record.sequence): \(error.expected)")
                }
            }
            return ReadFile(name: name, end: end)
        } catch { throw .corruption(error) }
    }

    /// A file must begin where the one before it ends, and the first no later than where the checkpoint does; otherwise
    /// acknowledged records are missing between them.
    private func checkContinues(_ reader: RecordFileReader, after before: ReadFile?) throws(Corruption) {
        let first = reader.header.firstSequence
        guard reader.header.databaseID == databaseID else {
            throw Corruption(file: reader.name, offset: 16, expected: "database \(databaseID), found \(reader.header.databaseID)")
        }
        guard let before else {
            if first <= covered + 1 { return }
            throw Corruption(file: reader.name, offset: 32, expected: "a first sequence of at most \(covered + 1), found \(first)")
        }
        guard first != before.end.nextSequence else { return }
        throw before.end.damage ?? Corruption(file: before.name, offset: before.end.offset, expected: "records up to sequence \(first - 1)")
    }

    /// The last file's end: a torn tail is dropped, damage to acknowledged records is refused. What is covered was
    /// on the device before it was.
    private func checkEnd(_ last: inout ReadFile) throws(LogError) {
        last.end.durableSequence = max(last.end.durableSequence, covered)
        if let loss = last.end.loss(in: last.name) { throw .corruption(loss) }
    }
}
