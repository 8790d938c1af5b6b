// Answers for those who run a daemon: what it holds, how it is doing, what work is under way.
package import Engine
import Memory

extension ResponseWriter {
    // MARK: Statistics

    package mutating func serverStats(_ id: RequestID, _ server: ServerStatistics) {
        let database = server.database
        begin(id, sequence: database.sequence)
        int("uptime_s", server.uptimeSeconds)
        int("connections", server.connections)
        object("operations") { writer in
            for operation in server.operations { writer.operation(operation) }
        }
        json.key("writes")
        json.string(database.writes.state.rawValue)
        string("writes_reason", database.writes.reason)
        json.key("reserve")
        json.bool(database.writes.hasReserve)
        object("storage") { writer in writer.storage(database) }
        object("memory") { writer in
            writer.int("head_bytes", database.headMemoryBytes)
            writer.int("catalog_bytes", database.catalogMemoryBytes)
        }
        object("maintenance") { writer in writer.maintenance(database) }
        if let audit = server.audit { object("audit") { writer in writer.audit(audit) } }
        json.key("quarantined")
        json.beginArray()
        for (collection, damage) in database.damages {
            json.beginObject()
            string("collection", collection)
            members(of: damage)
            json.endObject()
        }
        json.endArray()
        end()
    }

    private mutating func operation(_ operation: OperationStatistics) {
        json.key(named: operation.name.rawValue)
        json.beginObject()
        int("count", operation.count)
        int("p50_us", operation.p50Microseconds)
        int("p99_us", operation.p99Microseconds)
        json.endObject()
    }

    private mutating func storage(_ database: DatabaseStatistics) {
        json.key("covered_seq")
        json.int(database.coveredSequence)
        int("uncovered_log_bytes", database.uncoveredLogBytes)
        int("segments", database.segments)
        int("rows", database.rows)
        int("dead_rows", database.deadRows)
        json.key("segment_bytes")
        json.int(database.segmentBytes)
        json.key("catalog_bytes")
        json.int(database.catalogBytes)
        int("indexes", database.indexes)
        json.key("index_bytes")
        json.int(database.indexBytes)
        int("snapshots", database.snapshots)
    }

    private mutating func maintenance(_ database: DatabaseStatistics) {
        if let job = database.job {
            json.key("job")
            self.job(job)
        }
        int("finished", database.finishedJobs)
        if let failure = database.failure {
            object("failure") { writer in
                writer.string("code", failure.code.rawValue)
                writer.string("message", failure.message)
            }
        }
    }

    // MARK: Work

    package mutating func jobs(_ id: RequestID, underWay: [Job], finished: Int) {
        begin(id, ok: true)
        json.key("jobs")
        json.beginArray()
        for work in underWay { job(work) }
        json.endArray()
        int("finished", finished)
        end()
    }

    private mutating func job(_ job: Job) {
        json.beginObject()
        string("kind", job.kind.rawValue)
        string("collection", job.collection)
        int("done", job.done)
        int("total", job.total)
        json.endObject()
    }

    // MARK: Snapshots

    package mutating func snapshot(_ id: RequestID, _ snapshot: SnapshotInfo) {
        begin(id, sequence: snapshot.sequence)
        members(of: snapshot)
        end()
    }

    package mutating func snapshots(_ id: RequestID, sequence: UInt64, _ snapshots: [SnapshotInfo]) {
        begin(id, sequence: sequence)
        json.key("snapshots")
        json.beginArray()
        for snapshot in snapshots {
            json.beginObject()
            json.key("seq")
            json.int(snapshot.sequence)
            members(of: snapshot)
            json.endObject()
        }
        json.endArray()
        end()
    }

    package mutating func verified(_ id: RequestID, name: String, _ check: SnapshotCheck) {
        begin(id, sequence: check.sequence)
        string("name", name)
        int("files", check.files)
        int("bytes", check.bytes)
        int("records", check.records)
        json.key("problems")
        json.beginArray()
        for problem in check.problems {
            json.beginObject()
            string("file", problem.file)
            int("offset", problem.offset)
            string("expected", problem.expected)
            json.endObject()
        }
        json.endArray()
        end()
    }

    package mutating func exported(_ id: RequestID, _ input: ExportInput, _ piece: SnapshotPiece) {
        begin(id, sequence: piece.sequence)
        string("name", input.name)
        int("offset", input.offset)
        json.key("next")
        if let next = piece.next { json.int(next) } else { json.null() }
        int("total", piece.total)
        json.key("data")
        // Sound: bytes have no invalid pattern.
        json.base64(unsafe piece.frame.span.bytes)
        end()
    }

    private mutating func members(of snapshot: SnapshotInfo) {
        string("name", snapshot.name)
        string("created", snapshot.created)
        int("files", snapshot.fileCount)
        json.key("bytes")
        json.int(snapshot.byteCount)
    }

    // MARK: Members

    mutating func members(of damage: Damage) {
        int("segments", damage.segments)
        if let chunks = damage.chunks { int("chunks", chunks) }
        string("reason", "\(damage.first)")
    }

    mutating func object(_ key: StaticString, _ body: (inout ResponseWriter) -> Void) {
        json.key(key)
        json.beginObject()
        body(&self)
        json.endObject()
    }

    mutating func int(_ key: StaticString, _ value: Int) {
        json.key(key)
        json.int(value)
    }

    mutating func string(_ key: StaticString, _ value: String?) {
        guard let value else { return }
        json.key(key)
        json.string(value)
    }
}

/// What `server.stats` tells.
package struct ServerStatistics: Sendable {
    package var uptimeSeconds: Int
    package var connections: Int
    /// Those that have been asked for.
    package var operations: [OperationStatistics]
    package var database: DatabaseStatistics
    /// nil where none is kept.
    package var audit: AuditStatistics?

    package init(
        uptimeSeconds: Int, connections: Int, operations: [OperationStatistics], database: DatabaseStatistics, audit: AuditStatistics?
    ) {
        self.audit = audit
        self.uptimeSeconds = uptimeSeconds
        self.connections = connections
        self.operations = operations
        self.database = database
    }
}

/// The requests of one operation that have been answered, and how long that took from when their lines were read.
package struct OperationStatistics: Sendable {
    package var name: OperationName
    package var count: Int
    package var p50Microseconds: Int
    package var p99Microseconds: Int

    package init(name: OperationName, count: Int, p50Microseconds: Int, p99Microseconds: Int) {
        self.name = name
        self.count = count
        self.p50Microseconds = p50Microseconds
        self.p99Microseconds = p99Microseconds
    }
}
