// Files of records as an input describes them: what the targets for logs and manifests share.
import Memory
@testable import Storage
import TestSupport

/// An input as a list of steps that write files. The checksums are right unless a step says otherwise: what they keep
/// out would keep the fuzzer out.
struct RecordFileScript {
    private var choices: Choices
    private let kind: RecordFileKind
    private var header = RecordFileHeader(databaseID: Self.databaseID, fileNumber: 1, firstSequence: 1, salt: 1)
    private var nextSequence: UInt64 = 1
    private var previousChecksum: UInt32 = 0
    private var bytes: [UInt8] = []
    private static let filesMax = 4
    static let databaseID: UInt64 = 5

    init(_ choices: Choices, kind: RecordFileKind) {
        self.choices = choices
        self.kind = kind
    }

    /// The first byte of a step says which, counted through again and again.
    enum Step: UInt8, CaseIterable {
        case record, group, mark, zeros, raw, strangeRecord, wrongChecksum, cut, nextFile, strangeFile
    }

    /// The step that writes this record.
    static func step(_ entry: LogEntry) -> [UInt8] {
        [Step.record.rawValue, entry.type, UInt8(truncatingIfNeeded: entry.payload.count), UInt8(truncatingIfNeeded: entry.payload.count >> 8)] + entry.payload
    }

    mutating func files() -> [(number: UInt64, bytes: [UInt8])] {
        var files: [(number: UInt64, bytes: [UInt8])] = []
        startFile()
        while !choices.isEmpty, files.count < Self.filesMax {
            let step = Step.allCases[Int(choices.byte()) % Step.allCases.count]
            if step == .nextFile || step == .strangeFile {
                files.append((header.fileNumber, bytes))
                header.fileNumber &+= 1
                header.firstSequence = nextSequence
                if step == .strangeFile { changeHeader() }
                startFile()
            } else {
                run(step)
            }
        }
        return (files + [(header.fileNumber, bytes)]).filter { $0.number < FileKind.numberEnd }
    }

    private mutating func startFile() {
        header.salt = header.fileNumber &* 1001
        bytes = Array(copying: header.encoded(as: kind).bytes)
        previousChecksum = 0
        nextSequence = header.firstSequence
    }

    private mutating func changeHeader() {
        let end = FileKind.numberEnd
        header.fileNumber = choices.byte() % 8 == 0 ? end - UInt64(1 + choices.byte() % 3) : header.fileNumber &+ UInt64(choices.byte() % 4)
        header.firstSequence = choices.byte() % 8 == 0 ? RecordFormat.sequenceEnd - 1 : header.firstSequence &+ UInt64(choices.byte() % 4)
        header.databaseID ^= UInt64(choices.byte() % 2)
    }

    private mutating func run(_ step: Step) {
        switch step {
        case .record: add(durable: nextSequence - 1)
        case .group: add(durable: nextSequence == 1 ? 0 : nextSequence - 2)
        case .mark: add(type: RecordHeader.markType, sequence: nextSequence - 1, durable: nextSequence - 1, advancing: false)
        case .zeros: bytes += [UInt8](repeating: 0, count: 8 * Int(choices.byte() % 64))
        case .raw: bytes += choices.bytes(Int(choices.byte() % 64))
        case .strangeRecord: add(sequence: strangeSequence(), durable: strangeSequence(), previous: choices.byte() % 2 == 0 ? nil : 7)
        case .wrongChecksum:
            add(durable: nextSequence - 1)
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

    /// A record of the type and with the payload that the input goes on with, or a mark.
    private mutating func add(
        type: UInt8? = nil, sequence: UInt64? = nil, durable: UInt64, previous: UInt32? = nil, advancing: Bool = true
    ) {
        let isMark = type == RecordHeader.markType
        let type = type ?? choices.byte()
        let payload = isMark ? [] : choices.bytes(choices.word())
        let record = RecordHeader(
            payloadBytes: payload.count, type: type, sequence: sequence ?? nextSequence, durableSequence: durable,
            previousChecksum: previous ?? previousChecksum)
        var writer = ByteWriter()
        let checksum = record.encode(payload.rawSpan, salt: header.salt, into: &writer)
        bytes += Array(copying: writer.bytes)
        if advancing {
            previousChecksum = checksum
            nextSequence &+= 1
        }
    }
}
