// The database: one directory, one sequence; opened, written to, and read through snapshots.
import Memory
package import Storage
import Synchronization

/// How a database uses its disk. Tests make everything small.
package struct DatabaseSizes: Sendable {
    package var log = LogFileSizes()
    package var manifest = ManifestFileSizes()
    /// Kept back so that deletions succeed on a full disk.
    package var reserveBytes = 8 << 20
    /// Log bytes after which a checkpoint is due. A long compaction makes it wait its turn, and an open then replays more.
    package var checkpointBytes = 40 << 20
    /// Log bytes without a checkpoint beyond which writers wait for one: what an open replays at most.
    package var backlogBytesMax = 128 << 20
    /// Rows from which on a segment gets an index. Fewer are compared vector by vector in the time of a few walks.
    package var indexedRowsMin = 2048

    package init() {}
}

/// A database directory in use by this process. Safe to use from any thread.
///
/// - A write is answered once it is on the device and in force; no crash takes it back. (Opened for loading in bulk: see `Durability`.)
/// - A reader takes a snapshot and is not disturbed afterwards, nor disturbs anyone.
/// - Maintenance happens on the threads of those who call `maintain`, `checkpoint` or `optimize`.
package final class Database: Sendable {
    let queue: CommitQueue
    private let published: Published
    private let sizes: DatabaseSizes
    private let durability: Durability
    /// By collection: the first chunk of the head that was there at the open.
    private let firstHeadChunks: [UInt32: Int]
    let store: Store
    let maintenance: Maintenance
    package let preparedFilters = PreparedFilters()
    private let indexWork: IndexWork

    /// Opens or creates the database in `disk`: maps its segments, reads its catalogs, replays the log behind the last checkpoint.
    ///
    /// Randomness is a parameter so that a test's seed repeats a run exactly; it salts files and is no secret.
    package init(
        disk: any Disk, sizes: DatabaseSizes = DatabaseSizes(), durability: Durability = .write, randomness: @escaping @Sendable () -> UInt64
    ) throws(LogError) {
        do { try disk.lock() } catch { throw .disk(error) }
        let manifest = try Manifest(disk: disk, sizes: sizes.manifest, randomness: randomness)
        let contents = manifest.contents
        let store = try Store(disk: disk, manifest: manifest)
        let stored = try StoredDatabase(contents, disk: disk)
        var writer = stored.writer
        let log = try Log(
            disk: disk, files: contents.logFiles, after: contents.version.coveredSequence, databaseID: contents.databaseID,
            nextFileNumber: contents.nextFileNumber, sizes: sizes.log, randomness: randomness,
            willStart: { (number) throws(LogError) in try store.startLogFile(number) },
            apply: { (type, sequence, payload) throws(Corruption) in _ = try writer.apply(type: type, sequence: sequence, payload: payload) })
        do throws(Corruption) { try writer.checkWhole() } catch { throw .corruption(error) }
        do {
            let reserve = try Reserve(disk: disk, bytes: sizes.reserveBytes)
            let published = Published(DatabaseSnapshot(writer, RightsCache()))
            self.published = published
            firstHeadChunks = writer.collections.mapValues(\.head.firstChunk)
            let gate = LogGate(log: log, durability: durability, reserve: reserve, store: store)
            queue = CommitQueue(writer: writer, gate: gate) { writer, touched in
                published.update(from: writer, touched: touched)
            }
        } catch { throw .disk(error) }
        self.sizes = sizes
        self.durability = durability
        self.store = store
        maintenance = Maintenance(store: store, queue: queue, persisted: stored.catalogs, directory: stored.directory)
        indexWork = IndexWork(store: store, queue: queue, maintenance: maintenance, rowsMin: sizes.indexedRowsMin)
        // What a crash left of work that was under way.
        maintenance.sweepWhenIdle()
    }

    /// What is in force now.
    package func snapshot() -> DatabaseSnapshot { published.current() }

    /// Checks a write, gives it its place in the order, and returns. Whoever called then calls `commit`.
    ///
    /// `completion` runs exactly once, on some thread, when the write is durable and in force, or refused. The next
    /// group waits for it: it hands the answer on and does no work, least of all another `write`.
    package func enqueue(_ write: Write, completion: @escaping @Sendable (Result<WriteOutcome, EngineError>) -> Void) {
        do throws(EngineError) {
            queue.enqueue(try check(write), completion: completion)
        } catch { completion(.failure(error)) }
    }

    /// Commits what waits. Returns at once if another thread is doing so.
    package func commit() {
        relieveBacklog()
        queue.lead()
    }

    /// One write, waited for.
    package func write(_ write: Write) throws(EngineError) -> WriteOutcome {
        if durability == .checkpoint, isCheckpointDue { try checkpoint() }
        let answer = WriteAnswer()
        enqueue(write) { answer.fill($0) }
        relieveBacklog()
        while true {
            queue.lead()
            if let result = answer.result { return try result.get() }
            // Another thread leads with this write in its group, or about to take it: wait for it, look again.
            queue.waitForLeader()
        }
    }

    /// Commits what waits, refuses what comes, and lets go of the files. Where nothing is logged, a checkpoint comes before.
    package func close() throws(LogError) { try queue.close() }

    // MARK: Maintenance

    /// One piece of background work, the most pressing; false where there is none to do. What went wrong is also told by
    /// `statistics`, until a later piece has gone well.
    package func maintain(_ pace: Pace = .unlimited) throws(EngineError) -> Bool {
        do {
            let hasWorked = try maintainOnce(pace)
            maintenance.note(nil)
            return hasWorked
        } catch {
            maintenance.note(error)
            throw error
        }
    }

    private func maintainOnce(_ pace: Pace) throws(EngineError) -> Bool {
        try maintenance.sweepIfDue()
        if isCheckpointDue {
            try checkpoint(pace)
            return true
        }
        return try compactAsDue(pace)
    }

    private func compactAsDue(_ pace: Pace) throws(EngineError) -> Bool {
        checkNothingIsToBeLost()
        return try maintenance.compact({ published.current().states }, by: CompactionPlan.next, pace)
    }

    /// Compaction and indexes leave out what is not in force any more: were a crash to bring it back, it would be missing.
    private func checkNothingIsToBeLost() {
        precondition(durability == .write || coveredSequence == snapshot().sequence, "where nothing is logged, a checkpoint comes before all other work")
    }

    /// One piece of work on indexes: one is checked that was found at the open, or built on up to `threads` threads; false where there
    /// is none to do. Goes on beside `maintain`, on a thread of its own if that is wanted.
    package func maintainIndexes(threads: Int = 1, _ pace: Pace = .unlimited) throws(EngineError) -> Bool {
        checkNothingIsToBeLost()
        do {
            let hasWorked = try indexWork.work({ published.current().states }, threads: threads, pace)
            maintenance.noteIndexes(nil)
            return hasWorked
        } catch {
            maintenance.noteIndexes(error)
            throw error
        }
    }

    package var isCheckpointDue: Bool { queue.backlogBytes >= sizes.checkpointBytes }

    /// Whether the log has grown so long that writers will soon have to wait: no time for background work to take any.
    package var isBacklogPressing: Bool { queue.backlogBytes >= (sizes.checkpointBytes + sizes.backlogBytesMax) / 2 }

    /// Everything up to here is in files: what comes after it is in the log alone.
    package var coveredSequence: UInt64 { store.contents.version.coveredSequence }

    /// Brings all that is in force into files, so that the next open has no log to replay.
    package func checkpoint(_ pace: Pace = .unlimited) throws(EngineError) { try maintenance.checkpoint(pace) }

    /// A checkpoint, and then everything that can be joined is: each collection in as few segments as may be, no dead row in them.
    package func optimize(_ collection: String? = nil, deadline: Deadline = .none, _ pace: Pace = .unlimited) throws(EngineError) {
        if let collection { _ = try snapshot().state(of: collection) }
        try checkpoint(pace)
        let states = { self.published.current().states.filter { collection == nil || $0.schema.name.isExactly(collection ?? "") } }
        while try maintenance.compact(states, by: CompactionPlan.optimal, pace) {
            try deadline.check()
            // Others go on writing meanwhile: they are not to wait for the end of all of it.
            if isCheckpointDue { try checkpoint(pace) }
        }
    }

    /// Ends a load in bulk: a checkpoint, then what has come since the open is made as few segments as may be, and whatever else is due.
    /// Nobody writes meanwhile.
    package func joinLoaded(_ pace: Pace = .unlimited) throws(EngineError) {
        try checkpoint(pace)
        for number in published.current().states.map(\.number) {
            let (state, first) = ({ self.published.current().states.filter { $0.number == number } }, firstHeadChunks[number] ?? 0)
            while try maintenance.compact(state, by: { CompactionPlan.loaded($0, since: first) }, pace) {}
        }
        while try compactAsDue(pace) {}
    }

    /// The background work under way, and how many pieces of it have ended since the database was opened, well or not.
    package var jobs: (underWay: [Job], finished: Int) {
        let (files, indexes) = (maintenance.progress, maintenance.indexProgress)
        return ([files.job, indexes.job].compactMap { $0 }, files.finished + indexes.finished)
    }

    /// What it holds and how it is doing. O(segments); waits for no writer.
    package var statistics: DatabaseStatistics { DatabaseStatistics(snapshot(), store.contents, queue, maintenance) }

    /// Writers come before maintenance until the log has grown too long: then they do it themselves, or wait for who does.
    private func relieveBacklog() {
        guard durability == .write, queue.backlogBytes > sizes.backlogBytesMax else { return }
        do { try checkpoint() } catch { maintenance.note(error) }
    }

    // MARK: Snapshots

    /// What is in force now, kept under a name until it is dropped: instant, whatever its size, and durable when this returns.
    package func createSnapshot(_ name: String, nowMilliseconds: Int64) throws(EngineError) -> SnapshotInfo {
        try CollectionSchema.validate(name: name, field: "name")
        checkNothingIsToBeLost()
        return try queue.atRest { (sequence, log) throws(EngineError) in
            var made: ManifestSnapshot?
            try store.edit { (contents) throws(EngineError) in
                guard !contents.snapshots.contains(where: { $0.name == name }) else {
                    throw EngineError(.snapshotExists, "there is a snapshot \"\(name)\" already", field: "name")
                }
                guard contents.snapshots.count < Limits.snapshotsMax else {
                    throw EngineError(.limitExceeded, "at most \(Limits.snapshotsMax) snapshots: drop one", field: "name")
                }
                let snapshot = ManifestSnapshot(
                    name: name, createdMilliseconds: nowMilliseconds, sequence: sequence, version: contents.version,
                    log: log.filter { contents.logFiles.contains($0.number) })
                made = snapshot
                return .addSnapshot(snapshot)
            }
            return SnapshotInfo(made!)  // The edit has been made of it.
        }
    }

    /// Oldest first.
    package var snapshots: [SnapshotInfo] { store.contents.snapshots.map(SnapshotInfo.init) }

    /// Durable when this returns. Its files go at once, or when the work under way has ended.
    package func dropSnapshot(_ name: String) throws(EngineError) {
        try store.edit { (contents) throws(EngineError) in
            guard contents.snapshots.contains(where: { $0.name == name }) else { throw EngineError.unknownSnapshot(name) }
            return .dropSnapshot(name: name)
        }
        maintenance.sweepWhenIdle()
    }

    package func manifestSnapshot(_ name: String) throws(EngineError) -> ManifestSnapshot {
        guard let snapshot = store.contents.snapshots.first(where: { $0.name == name }) else { throw EngineError.unknownSnapshot(name) }
        return snapshot
    }

    /// All that can be judged without the writer: shape, limits, types, and bytes made of it, in parallel.
    private func check(_ write: Write) throws(EngineError) -> PendingChange {
        switch write {
        case .createCollection(let schema):
            try schema.validate()
            return .createCollection(schema)
        case .dropCollection(let name): return .dropCollection(name: name)
        case .delete(let input): return .delete(input)
        case .patch(let input):
            return .patch(try PendingPatch(input, collection: try snapshot().state(of: input.collection)))
        case .upsert(let input):
            return .upsert(try PendingUpsert(input, collection: try snapshot().state(of: input.collection)))
        case .changeDirectory(let change):
            try change.check()
            let record = change.record()
            guard record.count <= Limits.recordBytesMax else {
                throw EngineError(.limitExceeded, "at most \(Limits.recordBytesMax >> 20) MiB a change: send it in parts")
            }
            return .changeDirectory(change, record)
        }
    }
}

/// The snapshot in force; the lock is held for one reference.
private final class Published: Sendable {
    private let snapshot: Mutex<DatabaseSnapshot>

    init(_ first: DatabaseSnapshot) { snapshot = Mutex(first) }

    func current() -> DatabaseSnapshot { snapshot.withLock { $0 } }

    func update(from writer: borrowing Writer, touched: Set<UInt32>) {
        let next = current().succeeding(writer, touched: touched)
        snapshot.withLock { $0 = next }
    }
}

/// The place where one write's answer appears.
private final class WriteAnswer: Sendable {
    private let slot = Mutex<Result<WriteOutcome, EngineError>?>(nil)
    var result: Result<WriteOutcome, EngineError>? { slot.withLock { $0 } }
    func fill(_ value: Result<WriteOutcome, EngineError>) { slot.withLock { $0 = value } }
}

/// The whole database at one sequence. Immutable; holding it costs memory, never time.
package final class DatabaseSnapshot: Sendable {
    package let sequence: UInt64
    let directory: Directory
    private let collections: [String: CollectionCore]
    private let rights: RightsCache

    private init(sequence: UInt64, directory: Directory, collections: [String: CollectionCore], rights: RightsCache) {
        self.sequence = sequence
        self.directory = directory
        self.collections = collections
        self.rights = rights
    }

    fileprivate convenience init(_ writer: borrowing Writer, _ rights: RightsCache) {
        let states = writer.collections.values
        self.init(
            sequence: writer.sequence, directory: writer.directory,
            collections: Dictionary(uniqueKeysWithValues: states.map { ($0.schema.name, CollectionCore($0)) }), rights: rights)
    }

    /// The next snapshot; collections that no record touched are shared.
    fileprivate func succeeding(_ writer: borrowing Writer, touched: Set<UInt32>) -> DatabaseSnapshot {
        var next = collections
        for (name, old) in collections where touched.contains(old.state.number) && writer.numbers[name] != old.state.number { next[name] = nil }
        for number in touched {
            if let state = writer.collections[number] { next[state.schema.name] = CollectionCore(state) }
        }
        return DatabaseSnapshot(sequence: writer.sequence, directory: writer.directory, collections: next, rights: rights)
    }

    /// Of all collections, in the order in which they were made.
    fileprivate var states: [CollectionState] { collections.values.map(\.state).sorted { $0.number < $1.number } }

    private func core(_ name: String) throws(EngineError) -> CollectionCore {
        guard let core = collections[name], core.state.schema.name.isExactly(name) else { throw EngineError.unknownCollection(name) }
        return core
    }

    /// For writes, which ask for rights when their turn has come.
    func state(of name: String) throws(EngineError) -> CollectionState { try core(name).state }

    /// The way to read a collection: as somebody, who sees what is theirs to see. Without a caller only an open one can be read: nobody
    /// reads as everybody by accident.
    package func collection(_ name: String, for caller: Caller? = nil) throws(EngineError) -> CollectionSnapshot {
        let core = try core(name)
        guard let caller else {
            guard core.state.schema.access == .open else {
                throw EngineError(
                    .callerRequired, "the documents of \"\(name)\" have rights: say for whom, as in \"as\": {\"user\": \"user:ana\"}", field: "as")
            }
            return CollectionSnapshot(core, rights: nil)
        }
        guard core.state.schema.access == .enforced || caller.agent != nil else { return CollectionSnapshot(core, rights: nil) }
        return CollectionSnapshot(core, rights: try core.rights(of: caller, directory, rights))
    }

    /// What a collection is like, whoever asks; no document of it.
    package func overview(of name: String) throws(EngineError) -> CollectionOverview { CollectionOverview(try core(name)) }

    /// How much work a search will be: see `CollectionSnapshot.work`. None where it will be refused.
    package func work(of input: SearchInput, in name: String, for caller: Caller?) -> Int {
        do { return try collection(name, for: caller).work(of: input) } catch { return 0 }
    }

    /// By name.
    package var allCollections: [CollectionOverview] { collectionNames.compactMap { collections[$0].map(CollectionOverview.init) } }

    /// Names, sorted.
    package var collectionNames: [String] { collections.keys.sorted() }
}
