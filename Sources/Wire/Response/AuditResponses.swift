// Answers out of the audit log.
package import Engine
import Memory

extension ResponseWriter {
    package mutating func audited(_ id: RequestID, sequence: UInt64, _ answer: AuditAnswer) throws(WireError) {
        begin(id, sequence: sequence)
        json.key("entries")
        json.beginArray()
        for entry in answer.entries {
            json.beginObject()
            json.key("record")
            json.int(entry.number)
            string("time", Timestamp.rfc3339(milliseconds: entry.milliseconds))
            event(entry.event)
            json.endObject()
            try checkSize()
        }
        json.endArray()
        json.key("more")
        json.bool(answer.hasMore)
        object("head") { writer in
            writer.json.key("record")
            writer.json.int(answer.lastRecord)
            writer.string("hash", answer.head.description)
        }
        if let damage = answer.damage {
            object("incomplete") { writer in
                writer.string("file", damage.file)
                writer.int("offset", damage.offset)
                writer.string("expected", damage.expected)
            }
        }
        end()
    }

    private mutating func event(_ event: AuditEvent) {
        switch event {
        case .read(let read):
            string("event", "read")
            self.read(read)
        case .opened(let dropped, let offset, let note):
            string("event", "opened")
            if dropped > 0 {
                uint("dropped_bytes", dropped)
                uint("offset", offset)
            }
            string("note", note.isEmpty ? nil : note)
        case .closed: string("event", "closed")
        case .lost(let count):
            string("event", "lost")
            uint("count", count)
        case .removed(let file):
            string("event", "removed")
            uint("file", file)
        }
    }

    private mutating func read(_ read: AuditedRead) {
        let head = read.head
        string("user", head.user.isEmpty ? nil : head.user)
        string("agent", head.agent.isEmpty ? nil : head.agent)
        string("credential", head.credential.isEmpty ? nil : head.credential)
        uint("connection", head.connection)
        string("op", head.operation)
        string("collection", head.collection)
        string("filter", head.filterDigest == 0 ? nil : Self.digits(head.filterDigest))
        string("query", head.queryDigest == 0 ? nil : Self.digits(head.queryDigest))
        string("plan", head.plan.isEmpty ? nil : head.plan)
        uint("seq", head.sequence)
        string("outcome", head.outcome.isEmpty ? "ok" : head.outcome)
        if read.part > 0 || !read.isLastPart { int("part", read.part) }
        json.key("items")
        json.beginArray()
        for item in read.items {
            json.beginObject()
            string("document", item.id)
            if let ordinal = item.ordinal { int("chunk", ordinal) }
            string("grade", item.grade.name)
            json.endObject()
        }
        json.endArray()
    }

    /// A digest is not a number to count with, and may lie beyond what some readers take for one.
    private static func digits(_ digest: UInt64) -> String {
        let digits = String(digest, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }

    private mutating func uint(_ key: StaticString, _ value: UInt64) {
        json.key(key)
        json.int(value)
    }

    mutating func audit(_ audit: AuditStatistics) {
        uint("records", audit.records)
        int("bytes", audit.bytes)
        uint("lost", audit.lost)
        string("failure", audit.failure)
    }
}
