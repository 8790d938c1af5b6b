// What an answer has told, kept for the audit log while it is written.
package import Engine
import Memory

/// The ids that an answer names, the state that it was read from, and how. Filled in by the very lines that write the answer, so that
/// the one cannot say what the other does not; only while it is asked to.
package struct AuditReceipt: Sendable {
    package private(set) var items = AuditItems()
    package private(set) var sequence: UInt64 = 0
    package private(set) var plan: SearchPlan.Kind?
    /// Whether anybody wants it: set before the answer is begun.
    package var isWanted = false

    mutating func begin() {
        guard isWanted else { return }
        items.removeAll()
        sequence = 0
        plan = nil
    }

    mutating func tell(sequence: UInt64) { self.sequence = sequence }
    mutating func tell(_ plan: SearchPlan.Kind) { self.plan = plan }

    @inline(__always)
    mutating func tell(_ id: RawSpan, ordinal: Int?, grade: Grade = .read) {
        if isWanted { items.append(id, ordinal: ordinal, grade: grade) }
    }

    /// An id of which was told that it exists, and no more.
    mutating func tellKnown(_ id: String) {
        if isWanted { items.append(id, ordinal: nil, grade: .exists) }
    }

    /// An id that was asked for and under which nothing was given.
    package mutating func tellRefused(_ id: String) {
        if isWanted { items.append(id, ordinal: nil, grade: .none) }
    }
}
