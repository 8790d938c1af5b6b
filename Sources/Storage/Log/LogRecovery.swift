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
}

/// Reads the files of a log. On disk it changes nothing that could be read; running it again comes to the same end.
struct LogRecovery {
    let disk: any Disk
    let databaseID: UInt64
    let covered: UInt64

    typealias Apply = (_ type: UInt8, _ sequence: UInt64, _ payload: RawSpan) throws(Corruption) -> Void

    /// A file that has been read, and where it ends.
    private struct ReadFile {
        var name: String
        var end: RecordFileEnd
    }

    func run(_ files: [UInt64], apply: Apply) throws(LogError) -> RecoveredLog {
        precondition(zip(files, files.dropFirst()).allSatisfy { $0 < $1 }, "a manifest names log files in their order")
        let names = try onDisk { () throws(DiskError) in try disk.list() }
        let there = names.compactMap { FileKind.log.number($0) }
        var log = RecoveredLog(fileNumberMax: max(there.last ?? 0, files.last ?? 0), nextSequence: covered + 1)
        var last: ReadFile?
        for number in files {
            let name = FileKind.log.name(number)
            guard there.contains(number) else {
                throw .corruption(Corruption(file: name, offset: 0, expected: "a file: the manifest names it, and it is missing"))
            }
            let bytes = try onDisk { () throws(DiskError) in try RecordFileBytes(reading: disk.open(name)) }
            let file = try replay(name, bytes.bytes, after: last, &log, apply: apply)
            let byteCount = UInt64(min(file.end.offset, bytes.bytes.byteCount))
            log.files.append(LogFile(extent: LogFileExtent(number: number, byteCount: byteCount), nextSequence: file.end.nextSequence))
            last = file
        }
        if let last {
            try settle(last)
            log.nextSequence = last.end.nextSequence
        }
        return log
    }

    private func replay(
        _ name: String, _ bytes: RawSpan, after before: ReadFile?, _ log: inout RecoveredLog, apply: Apply
    ) throws(LogError) -> ReadFile {
        do throws(Corruption) {
            let reader = try RecordFileReader(name: name, bytes: bytes, kind: .log)
            try checkContinues(reader, after: before)
            let end = try reader.replay(bytes) { (record, payload, offset) throws(Corruption) in
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
    private func settle(_ last: ReadFile) throws(LogError) {
        var end = last.end
        end.durableSequence = max(end.durableSequence, covered)
        if let loss = end.loss(in: last.name) { throw .corruption(loss) }
        try onDisk { () throws(DiskError) in try end.settle(last.name, on: disk) }
    }
}
