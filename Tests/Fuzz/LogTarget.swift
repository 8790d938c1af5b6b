// Log files of any bytes: they are read or refused, the same way every time, and what is read can be built upon.
import Memory
@testable import Storage
import TestSupport

extension FuzzTarget {
    /// An input is how far the log is covered, and then a list of steps that write files (`RecordFileScript`).
    static let log = FuzzTarget(name: "log", seeds: { seeds }) { input in
        var choices = Choices(input)
        let covered = UInt64(choices.byte() % 4)
        var script = RecordFileScript(choices, kind: .log)
        let disk = FaultyDisk()
        var numbers: Set<UInt64> = []
        for (number, bytes) in script.files() {
            disk[FileKind.log.name(number)] = bytes
            // What a manifest names has others after it.
            if number < FileKind.numberEnd - 1 { numbers.insert(number) }
        }
        check(NamedLog(disk: disk, files: numbers.sorted(), covered: covered))
    }

    /// One file; a file behind it that begins later than it ends; bytes between records; a torn end; a covered beginning.
    private static let seeds: [[UInt8]] = [
        [0, 0, 1, 3, 0, 1, 2, 3, 0, 1, 0, 0, 2], [0, 0, 1, 1, 0, 1, 1, 2, 2, 0, 8, 9, 2, 8, 0, 2, 2, 0, 9, 9, 2, 3, 64],
        [0, 0, 1, 4, 0, 1, 2, 3, 4, 4, 3, 8, 8, 8, 0, 1, 1, 0, 1], [0, 0, 1, 4, 0, 1, 2, 3, 4, 7, 2, 0, 8, 0, 1, 1, 0, 2],
        [2, 0, 1, 1, 0, 9, 0, 1, 1, 0, 8, 0, 1, 1, 0, 7, 2, 8, 0, 1, 1, 0, 1], [0, 9, 1, 2, 3, 4, 0, 1, 1, 0, 1],
    ]

    private static func check(_ log: NamedLog) {
        let first = log.restarted().replay()
        var again = log.restarted()
        let (records, opened) = again.replay()
        guard first.records == records, (first.log == nil) == (opened == nil) else { violated("a log is read the same way every time") }
        guard let opened else { return }
        guard records.map(\.sequence) == Array(log.covered + 1..<max(opened.nextSequence, log.covered + 1)) else {
            violated("sequences run on from the checkpoint without a gap")
        }
        let next = opened.nextSequence
        let entry = LogEntry(type: 7, payload: [1, 2, 3])
        do { guard try opened.append([entry]) == next else { violated("the next record has the next sequence") } } catch {
            violated("a log that opens can be appended to: \(error)")
        }
        again.files = opened.files
        for reopened in [again.restarted(), again.crashed()] {
            let (found, log) = reopened.replay()
            guard log != nil, found == records + [NamedLog.Record(sequence: next, type: entry.type, payload: entry.payload)] else {
                violated("what was read and what was appended is found by the next open")
            }
        }
    }
}

/// The files of a log, and what a manifest would say of them.
private struct NamedLog {
    var disk: FaultyDisk
    var files: [UInt64]
    var covered: UInt64

    struct Record: Equatable {
        var sequence: UInt64
        var type: UInt8
        var payload: [UInt8]
    }

    func restarted() -> NamedLog { NamedLog(disk: disk.afterRestart(), files: files, covered: covered) }
    func crashed() -> NamedLog { NamedLog(disk: disk.afterCrash(.clean), files: files, covered: covered) }

    /// The records, and the log if it opens.
    func replay() -> (records: [Record], log: Log?) {
        var records: [Record] = []
        do throws(LogError) {
            let log = try Log(
                disk: disk, files: files, after: covered, databaseID: RecordFileScript.databaseID,
                sizes: LogFileSizes(target: 1 << 12, zeroedStep: 64), randomness: { 99 }, willStart: { (_) throws(LogError) in }
            ) { (type, sequence, payload) throws(Corruption) in
                records.append(Record(sequence: sequence, type: type, payload: Array(copying: payload)))
            }
            return (records, log)
        } catch .corruption {
            return (records, nil)
        } catch { violated("only corruption keeps a log from opening on a disk that works: \(error)") }
    }
}
