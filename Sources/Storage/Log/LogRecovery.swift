// Opening a log: replays its files in order and tells a torn tail from damage.
import Memory

/// What is known once every file has been read.
struct RecoveredLog {
    var databaseID: UInt64?
    var nextFileNumber: UInt64
    var nextSequence: UInt64
}

/// Reads the files of a log. Changes nothing on disk, except that it syncs the last file and removes those that a
/// crash or a full disk left behind before their header was written; running it again comes to the same end.
struct LogRecovery {
    let disk: any Disk

    typealias Apply = (_ type: UInt8, _ sequence: UInt64, _ payload: RawSpan) throws(Corruption) -> Void

    func run(apply: Apply) throws(LogError) -> RecoveredLog {
        let names = try onDisk { () throws(DiskError) in try disk.list() }.filter { LogFormat.fileNumber($0) != nil }
        var state = RecoveredLog(databaseID: nil, nextFileNumber: 1, nextSequence: 1)
        var before: (name: String, end: LogFileEnd)?
        for name in names {
            let bytes = try read(name)
            state.nextFileNumber = LogFormat.fileNumber(name)! + 1  // Names were filtered by it above.
            if isTornCreation(bytes.bytes) {
                try onDisk { () throws(DiskError) in try disk.remove(name) }
                continue
            }
            before = try replay(name, bytes.bytes, after: before, state: &state, apply: apply)
        }
        if let (name, end) = before { try settle(name, end) }
        return state
    }

    private func replay(
        _ name: String, _ bytes: RawSpan, after before: (name: String, end: LogFileEnd)?, state: inout RecoveredLog,
        apply: Apply
    ) throws(LogError) -> (name: String, end: LogFileEnd) {
        do throws(Corruption) {
            let reader = try LogReader(name: name, bytes: bytes)
            try checkContinues(reader, after: before, databaseID: state.databaseID)
            let end = try reader.replay(bytes) { (type, sequence, payload) throws(Corruption) in
                do throws(Corruption) { try apply(type, sequence, payload) } catch {
                    throw Corruption(file: name, offset: error.offset, expected: "in the record of sequence \(sequence): \(error.expected)")
                }
            }
            state.databaseID = reader.header.databaseID
            state.nextSequence = end.nextSequence
            return (name, end)
        } catch { throw .corruption(error) }
    }

    /// A file must begin where the one before it ends; otherwise acknowledged records are missing between them.
    private func checkContinues(
        _ reader: LogReader, after before: (name: String, end: LogFileEnd)?, databaseID: UInt64?
    ) throws(Corruption) {
        if let databaseID, databaseID != reader.header.databaseID {
            throw Corruption(file: reader.name, offset: 16, expected: "database \(databaseID), found \(reader.header.databaseID)")
        }
        guard let (name, end) = before else {
            guard reader.header.firstSequence == 1 else {
                throw Corruption(file: reader.name, offset: 32, expected: "the first file to begin with sequence 1, found \(reader.header.firstSequence)")
            }
            return
        }
        if reader.header.firstSequence == end.nextSequence { return }
        throw end.damage ?? Corruption(
            file: name, offset: end.offset, expected: "records up to sequence \(reader.header.firstSequence - 1)")
    }

    /// The last file's end: a torn tail is dropped, damage to acknowledged records is refused.
    private func settle(_ name: String, _ end: LogFileEnd) throws(LogError) {
        guard end.durableSequence < end.nextSequence else {
            throw .corruption(end.damage ?? Corruption(
                file: name, offset: end.offset, expected: "records up to sequence \(end.durableSequence), which was acknowledged"))
        }
        // Records that a killed process had written but not synced are applied now and will be built upon:
        // they must not be lost to a power cut later.
        try onDisk { () throws(DiskError) in try disk.open(name).sync() }
    }

    /// A header is synced before the first record is acknowledged, so a file without one, and with nothing behind it,
    /// never held any. Were records missing with it, the next file would not continue the one before.
    private func isTornCreation(_ bytes: RawSpan) -> Bool {
        do throws(Corruption) {
            _ = try LogFileHeader(decoding: bytes.extracting(first: min(bytes.byteCount, LogFormat.fileHeaderBytes)))
            return false
        } catch {
            // The reason does not matter: either nothing follows, or the file is refused with its own reason.
            for offset in stride(from: LogFormat.fileHeaderBytes, to: bytes.byteCount, by: 1) where bytes.byte(at: offset) != 0 {
                return false
            }
            return true
        }
    }

    private func read(_ name: String) throws(LogError) -> LogFileBytes {
        try onDisk { () throws(DiskError) in try LogFileBytes(reading: disk.open(name)) }
    }

    private func onDisk<T: ~Copyable>(_ body: () throws(DiskError) -> T) throws(LogError) -> T {
        do { return try body() } catch { throw .disk(error) }
    }
}

/// A whole log file in memory; bounded, as files are, by 64 MiB and one record.
private struct LogFileBytes: ~Copyable {
    private let buffer: AlignedBuffer
    private let count: Int

    init(reading file: any DiskFile) throws(DiskError) {
        let size = try file.size()
        var memory = AlignedBuffer(byteCount: max(size, 1))
        let got = try Self.fill(&memory, from: file)
        precondition(got == size, "a log file does not change while it is read: the directory is locked")
        count = size
        buffer = memory
    }

    private static func fill(_ memory: inout AlignedBuffer, from file: any DiskFile) throws(DiskError) -> Int {
        var target = memory.mutableSpan(of: UInt8.self)
        // Sound: any bit pattern is a byte.
        var raw = unsafe target.mutableBytes
        return try file.read(into: &raw, at: 0)
    }

    var bytes: RawSpan {
        @_lifetime(borrow self) get { buffer.bytes.extracting(first: count) }
    }
}
