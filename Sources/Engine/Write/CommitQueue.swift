// Many writers' changes, one sequence: whoever comes first leads, the others' changes go along in its group.
import Memory
import Storage
import Synchronization

/// Group commit. Changes are enqueued in order; the thread that finds no leader becomes it and commits group
/// after group until nothing waits: append, one sync, apply, publish, answer (LevelDB's writer queue, with
/// completions instead of waiting threads). No thread of its own, and none waits.
final class CommitQueue: Sendable {
    typealias Completion = @Sendable (Result<WriteOutcome, EngineError>) -> Void

    private struct Waiting: Sendable {
        var change: PendingChange
        var completion: Completion
        var byteCount: Int
    }

    private struct State: Sendable {
        var waiting: [Waiting] = []
        var hasLeader = false
        var isClosed = false
    }

    /// Writer and log: touched by the leader, and between two groups for a moment by maintenance.
    private struct Committer: ~Copyable {
        var writer: Writer
        var gate: LogGate
    }

    private let state = Mutex(State())
    private let committer: Mutex<Committer>
    private let publish: @Sendable (borrowing Writer, Set<UInt32>) -> Void

    /// Bytes ever appended to the log, and those of them that a checkpoint covers.
    private let appendedBytes: Atomic<UInt64>
    private let coveredBytes = Atomic<UInt64>(0)

    private let lastCondition: Mutex<WriteCondition>

    init(writer: Writer, gate: consuming sending LogGate, publish: @escaping @Sendable (borrowing Writer, Set<UInt32>) -> Void) {
        appendedBytes = Atomic(gate.log.bytesAppended)
        lastCondition = Mutex(gate.condition)
        committer = Mutex(Committer(writer: writer, gate: gate))
        self.publish = publish
    }

    /// Bytes of the log that no checkpoint covers: what the next open would have to replay.
    var backlogBytes: Int { Int(appendedBytes.load(ordering: .relaxed)) - Int(coveredBytes.load(ordering: .relaxed)) }

    /// Takes a change into the order. The caller then calls `lead`, at once or after other work.
    func enqueue(_ change: PendingChange, completion: @escaping Completion) {
        let byteCount = if case .upsert(let upsert) = change { upsert.payload.count } else { 0 }
        let isClosed = state.withLock { state in
            if !state.isClosed { state.waiting.append(Waiting(change: change, completion: completion, byteCount: byteCount)) }
            return state.isClosed
        }
        if isClosed { completion(.failure(EngineError(.readOnly, "the database is closing"))) }
    }

    /// Commits whatever waits, unless another thread is at it.
    func lead() {
        while let group = takeGroup() {
            committer.withLock { committer in commit(group, &committer) }
        }
    }

    /// Returns once no group is being committed, or at least one has been.
    func waitForLeader() { committer.withLock { _ in } }

    /// Refuses further changes, commits those that wait, and closes the log.
    func close() throws(LogError) {
        state.withLock { $0.isClosed = true }
        lead()
        // Another thread may lead, with groups still to come; nothing is appended once the log is closed.
        while !isIdle {
            waitForLeader()
            lead()
        }
        try committer.withLock { committer throws(LogError) in try committer.gate.log.close() }
    }

    // MARK: Maintenance

    /// Ends every head and the log file at hand, and hands out what is in force: all that is needed to write it down
    /// while writing goes on.
    func freeze() throws(EngineError) -> FrozenWriter {
        try committer.withLock { committer throws(EngineError) in
            defer { note(committer.gate.condition) }
            do throws(LogError) { try committer.gate.log.rotate() } catch { throw EngineError(maintaining: error) }
            committer.writer.sealHeads()
            return FrozenWriter(
                sequence: committer.writer.sequence, nextCollectionNumber: committer.writer.nextNumber, collections: committer.writer.collections,
                directory: committer.writer.directory,
                lastLogFile: committer.gate.log.files.last ?? 0, appendedBytes: committer.gate.log.bytesAppended)
        }
    }

    /// Puts segments in the place of what they were made of, for every snapshot from now on.
    func install(_ replacements: [Replacement]) {
        committer.withLock { committer in
            for replacement in replacements { committer.writer.install(replacement) }
            publish(committer.writer, Set(replacements.map(\.collection)))
        }
    }

    /// Gives a segment an index, for every snapshot from now on.
    func install(_ index: InstalledIndex) {
        committer.withLock { committer in
            committer.writer.install(index)
            publish(committer.writer, [index.collection])
        }
    }

    /// Gives a head codes, for every snapshot from now on. Rows that came meanwhile are encoded under the lock: few, since to
    /// encode a row is a fraction of writing it.
    func install(_ codes: HeadCodes) {
        committer.withLock { committer in
            committer.writer.install(codes)
            publish(committer.writer, [codes.collection])
        }
    }

    /// Forgets what the files of a checkpoint cover.
    func retireLog(coveredBy frozen: FrozenWriter) {
        committer.withLock { committer in
            let log = committer.gate.log
            log.retire(keeping: log.files.filter { $0 > frozen.lastLogFile })
        }
        coveredBytes.store(frozen.appendedBytes, ordering: .relaxed)
    }

    /// What a snapshot taken now holds besides files: up to which sequence, and how much of which log files. No group is
    /// committed while `body` runs.
    func atRest<T>(_ body: (_ sequence: UInt64, _ log: [LogFileExtent]) throws(EngineError) -> T) throws(EngineError) -> T {
        try committer.withLock { committer throws(EngineError) in
            try body(committer.writer.sequence, committer.gate.log.extent)
        }
    }

    /// Whether writes are taken, as of the last that was tried. Waits for nobody: a disk that hangs is when people ask.
    var condition: WriteCondition { lastCondition.withLock { $0 } }

    private func note(_ condition: WriteCondition) { lastCondition.withLock { $0 = condition } }

    private var isIdle: Bool { state.withLock { $0.waiting.isEmpty && !$0.hasLeader } }

    private func takeGroup() -> [Waiting]? {
        state.withLock { state in
            // A leader asks again after every group, so what was enqueued under its lead is not left behind.
            guard !state.waiting.isEmpty, !state.hasLeader else { return nil }
            state.hasLeader = true
            var bytes = 0
            var count = 0
            while count < state.waiting.count, count < Limits.groupRecordsMax, count == 0 || bytes < Limits.groupBytesMax {
                bytes += state.waiting[count].byteCount
                count += 1
            }
            let group = Array(state.waiting.prefix(count))
            state.waiting.removeFirst(count)
            return group
        }
    }

    /// Splits the group where a change can only be judged with those before it in force, or those behind it with it.
    private func commit(_ group: [Waiting], _ committer: inout Committer) {
        var entries: [LogEntry] = []
        var members: [Waiting] = []
        for waiting in group {
            if Writer.needsState(waiting.change) { append(&entries, &members, &committer) }
            do throws(EngineError) {
                switch try committer.writer.prepare(waiting.change) {
                case .record(let entry):
                    entries.append(entry)
                    members.append(waiting)
                    if Writer.isNeededInForce(waiting.change) { append(&entries, &members, &committer) }
                case .nothing(let counts):
                    // Where a write is in doubt it is not in force, and may be after a restart: "there is nothing to delete"
                    // could then turn out to be untrue.
                    if let stopped = committer.gate.stopped { throw EngineError(stopped) }
                    waiting.completion(.success(WriteOutcome(sequence: committer.writer.sequence, counts: counts)))
                }
            } catch { waiting.completion(.failure(error)) }
        }
        append(&entries, &members, &committer)
        state.withLock { $0.hasLeader = false }
    }

    /// Log, apply, publish, answer; leaves the lists empty.
    private func append(_ entries: inout [LogEntry], _ members: inout [Waiting], _ committer: inout Committer) {
        guard !entries.isEmpty else { return }
        defer {
            entries.removeAll()
            members.removeAll()
        }
        let first: UInt64
        // A group takes away as a whole or not at all: see `Writer.isNeededInForce`.
        do { first = try committer.gate.append(entries, isRemoval: Writer.isRemoval(members[0].change)) } catch {
            // Before the answers: whoever is refused and asks finds out why.
            note(committer.gate.condition)
            for member in members { member.completion(.failure(EngineError(error))) }
            return
        }
        note(committer.gate.condition)
        appendedBytes.store(committer.gate.log.bytesAppended, ordering: .relaxed)
        var outcomes: [WriteOutcome] = []
        var touched: Set<UInt32> = []
        for (index, entry) in entries.enumerated() {
            outcomes.append(apply(entry, sequence: first + UInt64(index), &committer, &touched))
        }
        publish(committer.writer, touched)
        for (member, outcome) in zip(members, outcomes) { member.completion(.success(outcome)) }
    }

    private func apply(_ entry: LogEntry, sequence: UInt64, _ committer: inout Committer, _ touched: inout Set<UInt32>) -> WriteOutcome {
        // Sound: bytes have no invalid pattern.
        let payload = unsafe entry.payload.span.bytes
        do throws(Corruption) {
            touched.insert(try Writer.collectionNumber(payload))
            return WriteOutcome(sequence: sequence, counts: try committer.writer.apply(type: entry.type, sequence: sequence, payload: payload))
        } catch {
            preconditionFailure("a record that was prepared can be applied: \(error)")
        }
    }
}

extension Writer {
    /// Every record begins with the number of the collection it is about.
    static func collectionNumber(_ payload: RawSpan) throws(Corruption) -> UInt32 {
        var reader = ByteReader(payload)
        return try reader.read()
    }
}
