// Audit files of any bytes: they are read or refused, the same way every time, and a log goes on behind them.
@testable import Engine
import Memory
import Storage
import TestSupport

extension FuzzTarget {
    /// An input is a list of steps that write files, whose checksums and hashes are right unless a step says otherwise.
    static let audit = FuzzTarget(name: "audit", seeds: { AuditScript.seeds }) { input in
        var script = AuditScript(input)
        let disk = FaultyDisk()
        for (number, bytes) in script.files() { disk[AuditFormat.name(number)] = bytes }
        do {
            let found = try AuditLog.verify(disk)
            guard try AuditLog.verify(disk) == found else { violated("a log is verified the same way every time") }
            let log = try AuditLog(disk: disk, sizes: AuditSizes(totalBytes: 1 << 24), nowMilliseconds: 5)
            let entries = try query(log, AuditQuery()).entries
            guard case .opened = entries.first?.event else { violated("an open is the last record") }
            var question = AuditQuery()
            question.document = "a"
            question.user = "b"
            _ = try query(log, question)
            log.close(nowMilliseconds: 6)
            let after = try AuditLog.verify(disk.afterCrash(.clean))
            // A torn end is healed, and damage stays.
            let isHealed = found.firstBreak == nil || found.isAtEnd
            if isHealed, let damage = after.firstBreak { violated("a log whose end alone was torn holds after the next open: \(damage)") }
            if !isHealed, after.firstBreak == nil { violated("damage is not forgotten") }
        } catch { violated("a disk that works lets a log be read and gone on with: \(error)") }
    }

    private static func query(_ log: AuditLog, _ query: AuditQuery) throws -> AuditAnswer { try log.query(query, nowMilliseconds: 5) }
}

private struct AuditScript {
    private var choices: Choices
    private var bytes: [UInt8] = []
    private var number: UInt64 = 1
    private var next: UInt64 = 1
    private var hash = AuditHash.zero

    init(_ input: [UInt8]) { choices = Choices(input) }

    private enum Step: UInt8, CaseIterable { case read, event, raw, strange, cut, nextFile, flip }

    mutating func files() -> [(number: UInt64, bytes: [UInt8])] {
        var files: [(number: UInt64, bytes: [UInt8])] = []
        startFile()
        while !choices.isEmpty, files.count < 4 {
            let step = Step.allCases[Int(choices.byte()) % Step.allCases.count]
            guard step == .nextFile else {
                run(step)
                continue
            }
            files.append((number, bytes))
            number += 1 + UInt64(choices.byte() / 200)
            startFile()
        }
        return files + [(number, bytes)]
    }

    private mutating func startFile() {
        let header = AuditFileHeader(fileNumber: number, firstRecord: next, createdMilliseconds: 0, previousHash: hash)
        let (encoded, start) = header.encoded()
        bytes = Array(copying: encoded.bytes)
        hash = start
    }

    private mutating func run(_ step: Step) {
        switch step {
        case .read:
            var backlog = AuditBacklog()
            var (head, items) = (AuditHead(), AuditItems())
            head.user = choices.byte() % 2 == 0 ? "b" : "c"
            head.milliseconds = Int64(choices.byte())
            for _ in 0..<choices.byte() % 4 { items.append(choices.byte() % 2 == 0 ? "a" : "é", ordinal: Int(choices.byte()), grade: .read) }
            backlog.add(head, items, part: 0)
            let entry = backlog.entry(at: 0)
            add(entry.kind, Array(copying: backlog.bytes.bytes.extracting(entry.payload)))
        case .event: add(AuditKind(rawValue: choices.byte() % 5 + 1) ?? .closed, choices.bytes(Int(choices.byte() % 80)))
        case .raw: bytes += choices.bytes(Int(choices.byte() % 64))
        case .strange:
            next = next &+ UInt64(choices.byte() % 3)
            if choices.byte() % 2 == 0 { hash = .zero }
        case .cut: bytes.removeLast(min(choices.word(), bytes.count))
        case .flip: if !bytes.isEmpty { bytes[choices.word() % bytes.count] ^= 1 << (choices.byte() % 8) }
        case .nextFile: preconditionFailure("files are ended where they are collected")
        }
    }

    private mutating func add(_ kind: AuditKind, _ payload: [UInt8]) {
        var writer = ByteWriter()
        hash = AuditFrame.write(
            kind, payload.rawSpan, number: max(next, 1), durableNumber: next > 1 && choices.byte() % 2 == 0 ? next - 1 : 0, after: hash, to: &writer)
        next += 1
        bytes += Array(copying: writer.bytes)
    }

    /// Reads, a file behind another, an event of too many bytes, a tail that is cut, a bit turned over.
    static let seeds: [[UInt8]] = [
        [0, 0, 9, 2, 0, 1, 1, 2, 0, 0, 1, 7, 0, 1], [0, 0, 1, 1, 0, 3, 0, 5, 0, 0, 1, 2, 0, 0, 5, 0, 0, 0, 3, 0],
        [1, 2, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 4, 9, 1], [0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 4, 9, 0], [0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 6, 120, 0, 3],
    ]
}
