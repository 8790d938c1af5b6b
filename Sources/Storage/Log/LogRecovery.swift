// Opening a log: replays its files in order and tells a torn tail from damage.
import Memory

/// What is known once every file has been read.
struct RecoveredLog {
    var databaseID: UInt64?
    var nextFileNumber: UInt64
    var nextSequence: UInt64
}

/// Reads the files of a log. On disk it changes nothing that could be read, except that it removes files which a
/// crash or a full disk left without a header; running it again comes to the same end.
struct LogRecovery {
    let disk: any Disk

    typealias Apply = (_ type: UInt8, _ sequence: UInt64, _ payload: RawSpan) throws(Corruption) -> Void

    /// A file that has been read, and where it ends.
    private struct ReadFile {
        var name: String
        var end: LogFileEnd
    }

    func run(apply: Apply) throws(LogError) -> RecoveredLog {
        let names = try onDisk { () throws(DiskError) in try disk.list() }.filter { LogFormat.fileNumber($0) != nil }
        var state = RecoveredLog(databaseID: nil, nextFileNumber: 1, nextSequence: 1)
        var before: ReadFile?
        var unfinished: [Corruption] = []
        for name in names {
            let bytes = try read(name)
            state.nextFileNumber = try numberAfter(name)
            if let damage = unfinishedCreation(name, bytes.bytes) {
                unfinished.append(damage)
            } else {
                before = try replay(name, bytes.bytes, after: before, passing: unfinished, state: &state, apply: apply)
            }
        }
        if let before { try settle(before) }
        // Not before now: had records been missing, these files would have been all there is to learn why.
        for damage in unfinished { try onDisk { () throws(DiskError) in try disk.remove(damage.file) } }
        return state
    }

    private func numberAfter(_ name: String) throws(LogError) -> UInt64 {
        let number = LogFormat.fileNumber(name)!  // Names were filtered by it.
        guard number <= LogFormat.fileNumberMax else {
            throw .corruption(Corruption(file: name, offset: 24, expected: "a file number of at most \(LogFormat.fileNumberMax)"))
        }
        return number + 1
    }

    private func replay(
        _ name: String, _ bytes: RawSpan, after before: ReadFile?, passing unfinished: [Corruption], state: inout RecoveredLog, apply: Apply
    ) throws(LogError) -> ReadFile {
        do throws(Corruption) {
            let reader = try LogReader(name: name, bytes: bytes)
            try checkContinues(reader, after: before, passing: unfinished, databaseID: state.databaseID)
            let end = try reader.replay(bytes) { (record, payload, offset) throws(Corruption) in
                do throws(Corruption) { try apply(record.type, record.sequence, payload) } catch {
                    throw Corruption(
                        file: name, offset: offset + error.offset, expected: "in the record of sequence \(record.sequence): \(error.expected)")
                }
            }
            state.databaseID = reader.header.databaseID
            state.nextSequence = end.nextSequence
            return ReadFile(name: name, end: end)
        } catch { throw .corruption(error) }
    }

    /// A file must begin where the one before it ends; otherwise acknowledged records are missing between them.
    private func checkContinues(
        _ reader: LogReader, after before: ReadFile?, passing unfinished: [Corruption], databaseID: UInt64?
    ) throws(Corruption) {
        if let databaseID, databaseID != reader.header.databaseID {
            throw Corruption(file: reader.name, offset: 16, expected: "database \(databaseID), found \(reader.header.databaseID)")
        }
        if reader.header.firstSequence == before?.end.nextSequence ?? 1 { return }
        // A file without a header, taken for one that was never finished, was none.
        if let last = unfinished.last, last.file > before?.name ?? "" { throw last }
        guard let before else {
            throw Corruption(file: reader.name, offset: 32, expected: "the first file to begin with sequence 1, found \(reader.header.firstSequence)")
        }
        throw before.end.damage ?? Corruption(
            file: before.name, offset: before.end.offset, expected: "records up to sequence \(reader.header.firstSequence - 1)")
    }

    /// The last file's end: a torn tail is dropped, damage to acknowledged records is refused.
    private func settle(_ last: ReadFile) throws(LogError) {
        guard last.end.durableSequence < last.end.nextSequence else {
            throw .corruption(last.end.damage ?? Corruption(
                file: last.name, offset: last.end.offset, expected: "records up to sequence \(last.end.durableSequence), which was acknowledged"))
        }
        // Records that a killed process had written but not synced are applied now and will be built upon: they
        // must not be lost to a power cut later. Syncing alone is not enough: after a sync that failed, the page
        // cache holds what the device does not and calls it clean. Writing the same bytes again makes it dirty.
        try onDisk { () throws(DiskError) in
            let file = try disk.open(last.name)
            if let unproven = last.end.unproven {
                let bytes = try LogFileBytes(reading: file, from: unproven.lowerBound, to: unproven.upperBound)
                try file.write(bytes.bytes, at: unproven.lowerBound)
            }
            try file.sync()
        }
    }

    /// What is wrong with the header of a file that has nothing else in it; nil for any other file. A header is synced
    /// before the first record is acknowledged, so such a file holds none; if it did, the next one would not continue.
    private func unfinishedCreation(_ name: String, _ bytes: RawSpan) -> Corruption? {
        do throws(Corruption) {
            _ = try LogFileHeader(decoding: bytes.extracting(first: min(bytes.byteCount, LogFormat.fileHeaderBytes)))
            return nil
        } catch {
            // Something follows: then the file is refused, with its own reason.
            for offset in stride(from: LogFormat.fileHeaderBytes, to: bytes.byteCount, by: 1) where bytes.byte(at: offset) != 0 { return nil }
            return error.located(in: name, base: 0)
        }
    }

    private func read(_ name: String) throws(LogError) -> LogFileBytes {
        try onDisk { () throws(DiskError) in try LogFileBytes(reading: disk.open(name)) }
    }

    private func onDisk<T: ~Copyable>(_ body: () throws(DiskError) -> T) throws(LogError) -> T {
        do { return try body() } catch { throw .disk(error) }
    }
}

/// A log file, or a part of it, in memory; bounded, as files are, by 64 MiB and one record.
private struct LogFileBytes: ~Copyable {
    private let buffer: AlignedBuffer
    private let count: Int

    /// The bytes from `start` to `end`, or as many of them as the file has.
    init(reading file: any DiskFile, from start: Int = 0, to end: Int = .max) throws(DiskError) {
        let size = min(end, try file.size()) - start
        var memory = AlignedBuffer(byteCount: max(size, 1))
        let got = try Self.fill(&memory, from: file, at: start)
        precondition(got >= size, "a log file does not change while it is read: the directory is locked")
        count = size
        buffer = memory
    }

    private static func fill(_ memory: inout AlignedBuffer, from file: any DiskFile, at offset: Int) throws(DiskError) -> Int {
        var target = memory.mutableSpan(of: UInt8.self)
        // Sound: any bit pattern is a byte.
        var raw = unsafe target.mutableBytes
        return try file.read(into: &raw, at: offset)
    }

    var bytes: RawSpan {
        @_lifetime(borrow self) get { buffer.bytes.extracting(first: count) }
    }
}
