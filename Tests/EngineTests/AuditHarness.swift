// Audit logs on disks that fail, and what is in them, read without opening them.
@testable import Engine
import Memory
import Storage
import Testing
import TestSupport

enum AuditHarness {
    /// Files of a few records, and room for eight of them.
    static let small: AuditSizes = {
        var sizes = AuditSizes()
        sizes.fileBytes = 900
        sizes.totalBytes = 7200
        sizes.waitingBytes = 4000
        return sizes
    }()

    static func open(_ disk: FaultyDisk, _ sizes: AuditSizes = small, at milliseconds: Int64 = 1000) throws -> AuditLog {
        try AuditLog(disk: disk, sizes: sizes, nowMilliseconds: milliseconds)
    }

    /// A read told by its number.
    static func read(_ number: Int, items: Int = 2) -> AuditedRead {
        var head = AuditHead()
        head.milliseconds = 1000 + Int64(number)
        head.user = number % 3 == 0 ? "" : "user:\(number % 5)"
        head.agent = number % 4 == 0 ? "agent:weekly" : ""
        head.connection = UInt64(number % 7)
        head.operation = ["search", "get", "read"][number % 3]
        head.collection = "c\(number % 2)"
        head.filterDigest = UInt64(number) &* 0x9E37_79B9_7F4A_7C15
        head.queryDigest = ~UInt64(number)
        head.plan = number % 3 == 0 ? "graph" : ""
        head.sequence = UInt64(number)
        head.outcome = number % 6 == 1 ? "not_found" : ""
        let items = (0..<items).map { place in
            AuditItem(id: "d\((number + place) % 11)", ordinal: place % 2 == 0 ? place : nil, grade: Grade.allCases[(number + place) % 4])
        }
        return AuditedRead(head: head, items: items, part: 0, isLastPart: true)
    }

    /// All records of a directory, in order. What does not hold ends it.
    static func entries(_ disk: FaultyDisk) throws -> [AuditEntry] {
        var entries: [AuditEntry] = []
        for number in try AuditFile.numbers(on: disk) {
            let end = try AuditFile(number, on: disk).read(checksChain: true) { (frame, payload, _) in
                entries.append(AuditEntry(number: frame.number, milliseconds: payload.milliseconds, event: payload.event()))
                return true
            }
            if end.damage != nil { break }
        }
        return entries
    }

    static func reads(_ disk: FaultyDisk) throws -> [AuditedRead] { try entries(disk).compactMap(\.read) }

    /// A log of so many reads that was closed.
    static func closed(reads: Int, _ sizes: AuditSizes = small) throws -> FaultyDisk {
        let disk = FaultyDisk()
        let log = try open(disk, sizes)
        for number in 0..<reads {
            log.append(read(number))
            log.flush(nowMilliseconds: 2000, syncing: number % 3 == 2)
        }
        log.close(nowMilliseconds: 3000)
        return disk.afterRestart()
    }
}

extension AuditLog {
    func append(_ read: AuditedRead) {
        var items = AuditItems()
        for item in read.items { items.append(item.id, ordinal: item.ordinal, grade: item.grade) }
        append(read.head, items)
    }
}

extension AuditEntry {
    var read: AuditedRead? { if case .read(let read) = event { read } else { nil } }
    var lost: UInt64? { if case .lost(let count) = event { count } else { nil } }
    var openedDropping: UInt64? { if case .opened(let dropped, _, _) = event { dropped } else { nil } }
}
