// Log files of any bytes: they are read or refused, the same way every time, and what is read can be built upon.
import Memory
@testable import Storage
import TestSupport

extension FuzzTarget {
    /// An input is a list of steps that write files. The checksums are right unless a step says otherwise: what they keep
    /// out would keep the fuzzer out.
    static let log = FuzzTarget(name: "log", seeds: { LogScript.seeds }) { input in
        let disk = FaultyDisk()
        var script = LogScript(input)
        for (name, bytes) in script.files() { disk[name] = bytes }
        check(disk)
    }

    private static func check(_ disk: FaultyDisk) {
        let first = replay(disk.afterRestart())
        let again = disk.afterRestart()
        let (records, log) = replay(again)
        guard first.records == records, (first.log == nil) == (log == nil) else { violated("a log is read the same way every time") }
        guard let log else { return }
        guard records.map(\.sequence) == Array(1..<log.nextSequence) else { violated("sequences run from 1 without a gap") }
        let entry = LogEntry(type: 7, payload: [1, 2, 3])
        do { guard try log.append([entry]) == UInt64(records.count) + 1 else { violated("the next record has the next sequence") } } catch {
            violated("a log that opens can be appended to: \(error)")
        }
        for next in [again.afterRestart(), again.afterCrash(.clean)] {
            let (found, log) = replay(next)
            let expected = records + [Record(sequence: UInt64(records.count) + 1, type: entry.type, payload: entry.payload)]
            guard log != nil, found == expected else { violated("what was read and what was appended is found by the next open") }
        }
    }

    private struct Record: Equatable {
        var sequence: UInt64
        var type: UInt8
        var payload: [UInt8]
    }

    /// The records, and the log if it opens.
    private static func replay(_ disk: FaultyDisk) -> (records: [Record], log: Log?) {
        var records: [Record] = []
        do throws(LogError) {
            let log = try Log(disk: disk, sizes: LogFileSizes(target: 1 << 12, zeroedStep: 64), randomness: { 99 }) { (type, sequence, payload) throws(Corruption) in
                records.append(Record(sequence: sequence, type: type, payload: Array(copying: payload)))
            }
            return (records, log)
        } catch .corruption {
            return (records, nil)
        } catch { violated("only corruption keeps a log from opening on a disk that works: \(error)") }
    }
}

/// Log files as an input describes them.
private struct LogScript {
    private var choices: Choices
    private var header = LogFileHeader(databaseID: 5, fileNumber: 1, firstSequence: 1, salt: 1)
    private var nextSequence: UInt64 = 1
    private var previousChecksum: UInt32 = 0
    private var bytes: [UInt8] = []
    private static let filesMax = 4

    init(_ input: [UInt8]) { choices = Choices(input) }

    private enum Step: UInt8, CaseIterable {
        case record, group, mark, zeros, raw, strangeRecord, wrongChecksum, cut, nextFile, strangeFile
    }

    /// One file; a file behind it that begins later than it ends; bytes between records; a torn end.
    static let seeds: [[UInt8]] = [
        [0, 3, 1, 2, 3, 0, 0, 0, 2], [0, 1, 1, 0, 1, 2, 2, 8, 0, 2, 9, 9, 2, 3, 64], [0, 4, 1, 2, 3, 4, 4, 3, 8, 8, 8, 0, 1, 1],
        [0, 4, 1, 2, 3, 4, 7, 2, 8, 0, 1, 1, 2], [5, 3, 1, 2, 3, 4, 5, 6, 7, 8, 6, 1, 1], [9, 1, 2, 3, 4, 0, 1, 1],
    ]

    mutating func files() -> [(name: String, bytes: [UInt8])] {
        var files: [(name: String, bytes: [UInt8])] = []
        startFile()
        while !choices.isEmpty, files.count < Self.filesMax {
            let step = Step.allCases[Int(choices.byte()) % Step.allCases.count]
            if step == .nextFile || step == .strangeFile {
                files.append((LogFormat.fileName(header.fileNumber), bytes))
                header.fileNumber &+= 1
                header.firstSequence = nextSequence
                if step == .strangeFile { changeHeader() }
                startFile()
            } else {
                run(step)
            }
        }
        return files + [(LogFormat.fileName(header.fileNumber), bytes)]
    }

    private mutating func startFile() {
        header.salt = header.fileNumber &* 1001
        bytes = Array(copying: header.encoded().bytes)
        previousChecksum = 0
        nextSequence = header.firstSequence
    }

    private mutating func changeHeader() {
        header.fileNumber = choices.byte() % 8 == 0 ? .max - UInt64(choices.byte() % 2) : header.fileNumber &+ UInt64(choices.byte() % 4)
        header.firstSequence &+= UInt64(choices.byte() % 4)
        header.databaseID ^= UInt64(choices.byte() % 2)
    }

    private mutating func run(_ step: Step) {
        switch step {
        case .record: add(type: 1, durable: nextSequence - 1)
        case .group: add(type: 2, durable: nextSequence == 1 ? 0 : nextSequence - 2)
        case .mark: add(type: LogRecordHeader.markType, sequence: nextSequence - 1, durable: nextSequence - 1, advancing: false)
        case .zeros: bytes += [UInt8](repeating: 0, count: 8 * Int(choices.byte() % 64))
        case .raw: bytes += choices.bytes(Int(choices.byte() % 64))
        case .strangeRecord:
            add(type: choices.byte(), sequence: strangeSequence(), durable: strangeSequence(), previous: choices.byte() % 2 == 0 ? nil : 7)
        case .wrongChecksum:
            add(type: 1, durable: nextSequence - 1)
            bytes[bytes.count - 8] ^= choices.byte()
        case .cut: bytes.removeLast(min(choices.word(), bytes.count))
        case .nextFile, .strangeFile: preconditionFailure("files are ended where they are collected")
        }
    }

    /// One about where it should be, or one of the ends.
    private mutating func strangeSequence() -> UInt64 {
        switch choices.byte() % 8 {
        case 0: 0
        case 1: .max
        case 2: .max - 1
        case let near: nextSequence &+ UInt64(near) &- 5
        }
    }

    private mutating func add(type: UInt8, sequence: UInt64? = nil, durable: UInt64, previous: UInt32? = nil, advancing: Bool = true) {
        let payload = type == LogRecordHeader.markType ? [] : choices.bytes(Int(choices.byte() % 64))
        let record = LogRecordHeader(
            payloadBytes: payload.count, type: type, sequence: sequence ?? nextSequence, durableSequence: durable,
            previousChecksum: previous ?? previousChecksum)
        var writer = ByteWriter()
        record.write(to: &writer)
        // Sound: bytes have no invalid pattern.
        let checksum = LogRecordHeader.checksum(salt: header.salt, headerAndPayload: writer.bytes, unsafe payload.span.bytes)
        writer.write(checksum)
        writer.write(payload.rawSpan)
        while writer.count % LogFormat.alignment != 0 { writer.write(UInt8(0)) }
        bytes += Array(copying: writer.bytes)
        if advancing {
            previousChecksum = checksum
            nextSequence &+= 1
        }
    }
}
