// Looks records up in the files of the audit log, the newest first.
package import Memory
import Storage

/// What a query came to.
package struct AuditAnswer: Sendable {
    /// Newest first.
    package var entries: [AuditEntry] = []
    /// Whether there are older ones, beyond the limit.
    package var hasMore = false
    /// Damage that was met: of this file, what lies behind it could not be read.
    package var damage: Corruption?
    /// The chain's end when it was looked: whoever keeps it elsewhere can later prove what was in front of it.
    package var head = AuditHash.zero
    package var lastRecord: UInt64 = 0

    package init() {}
}

/// One query in progress. Files are read front to back, as records are found by what is in front of them, and of each the newest matches
/// are kept.
struct AuditSearch {
    private let query: AuditQuery
    private let deadline: Deadline
    private var answer = AuditAnswer()
    private var hasPassed = false
    private static let recordsBetweenLooks: UInt64 = 1024

    init(_ query: AuditQuery, deadline: Deadline) {
        self.query = query
        self.deadline = deadline
    }

    /// One more than asked for tells whether there are more.
    private var wanted: Int { min(max(query.limit, 0), AuditQuery.limitMax) + 1 - answer.entries.count }
    var isDone: Bool { wanted <= 0 || hasPassed }

    mutating func run(over number: UInt64, upTo end: Int, on disk: any Disk) throws(DiskError) {
        let file: AuditFile
        do { file = try AuditFile(number, on: disk) } catch {
            // The oldest may go while others are read.
            if error.isAbsent { return }
            throw error
        }
        var matches: [AuditEntry] = []
        var oldest = 0
        let wanted = wanted
        let result = try file.read(upTo: end, checksChain: false) { (frame, payload, _) in
            if frame.number % Self.recordsBetweenLooks == 0, deadline.hasPassed {
                hasPassed = true
                return false
            }
            guard query.before.map({ frame.number < $0 }) ?? true else { return false }
            guard payload.matches(query) else { return true }
            let entry = AuditEntry(number: frame.number, milliseconds: payload.milliseconds, event: payload.event())
            if matches.count < wanted {
                matches.append(entry)
            } else {
                matches[oldest] = entry
                oldest = (oldest + 1) % wanted
            }
            return true
        }
        answer.entries += (matches[oldest...] + matches[..<oldest]).reversed()
        if let damage = result.damage, answer.damage == nil { answer.damage = damage }
    }

    consuming func finish(_ statistics: AuditStatistics) -> AuditAnswer {
        var answer = answer
        if wanted <= 0 {
            answer.entries.removeLast()
            answer.hasMore = true
        }
        answer.head = statistics.head
        answer.lastRecord = statistics.records
        return answer
    }
}
