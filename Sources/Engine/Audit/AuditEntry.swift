// What the audit log holds, as values: who received what, under which sequence, and what became of the log itself.

/// One read, but for the ids that it returned.
package struct AuditHead: Equatable, Sendable {
    /// Unix milliseconds.
    package var milliseconds: Int64 = 0
    /// `user:ana`; empty where a request names nobody.
    package var user = ""
    /// `agent:weekly`; empty where a person asks directly.
    package var agent = ""
    /// By which credential the connection was let in; empty without authentication.
    package var credential = ""
    package var connection: UInt64 = 0
    /// As it is called on the wire.
    package var operation = ""
    package var collection = ""
    /// Tells equal filters from different ones (`Fingerprint`); 0 where there was none.
    package var filterDigest: UInt64 = 0
    /// The same for what was asked: the query vectors, say.
    package var queryDigest: UInt64 = 0
    /// How a search was carried out; empty for other reads.
    package var plan = ""
    /// The state that was read.
    package var sequence: UInt64 = 0
    /// Empty where the read was answered; otherwise the code of the error that it was refused with.
    package var outcome = ""

    package init() {}
}

/// What an answer named.
package struct AuditItem: Equatable, Sendable {
    /// A document's id.
    package var id: String
    /// nil where the answer was about the document as a whole.
    package var ordinal: Int?
    /// What the caller was given of it. `none`: it was asked for by its id and not given.
    package var grade: Grade

    package init(id: String, ordinal: Int?, grade: Grade) {
        self.id = id
        self.ordinal = ordinal
        self.grade = grade
    }
}

/// A read, or as much of one as a record holds: an answer of very many items takes several records, one behind the other.
package struct AuditedRead: Equatable, Sendable {
    package var head: AuditHead
    package var items: [AuditItem]
    /// From 0.
    package var part: Int
    package var isLastPart: Bool
}

/// What a record tells.
package enum AuditEvent: Equatable, Sendable {
    case read(AuditedRead)
    /// A daemon took the log over. Bytes at its end that were no record, as a crash leaves them, were dropped from `offset` of the
    /// file on; `note` says what else it found.
    case opened(droppedBytes: UInt64, offset: UInt64, note: String)
    /// The log ended as it should.
    case closed
    /// So many reads before this record are in no record: there was no room for them.
    case lost(count: UInt64)
    /// A file has been removed, with all that were before it, so that the log stays within its bounds.
    case removed(file: UInt64)
}

/// A record of the log.
package struct AuditEntry: Equatable, Sendable {
    /// From 1, without a gap.
    package var number: UInt64
    package var milliseconds: Int64
    package var event: AuditEvent
}

/// What is asked of the log; what is nil does not matter. Bounds of time are Unix milliseconds, `from` included and `to` not.
package struct AuditQuery: Equatable, Sendable {
    /// Among the items of an answer, given or not.
    package var document: String?
    package var user: String?
    package var agent: String?
    package var collection: String?
    package var from: Int64?
    package var to: Int64?
    /// Only records of lower numbers: goes on where an earlier answer ended.
    package var before: UInt64?
    package var limit = limitUsual

    package static let limitUsual = 100
    package static let limitMax = 1000

    package init() {}

    /// Whether only reads can be meant.
    var isAboutReads: Bool { document != nil || user != nil || agent != nil || collection != nil }
}
