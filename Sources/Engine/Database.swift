// The database: one directory, one sequence; opened, written to, and read through snapshots.
import Memory
package import Storage
import Synchronization

/// A database directory in use by this process. Safe to use from any thread.
///
/// - A write is answered once it is on the device and in force; no crash takes it back.
/// - A reader takes a snapshot and is not disturbed afterwards, nor disturbs anyone.
package final class Database: Sendable {
    private let disk: any Disk
    private let queue: CommitQueue
    private let published: Published

    /// Opens or creates the database in `disk`, replaying its log: O(bytes in the log).
    ///
    /// Randomness is a parameter so that a test's seed repeats a run exactly; it salts files and is no secret.
    package init(
        disk: any Disk, logFileSizes: LogFileSizes = LogFileSizes(), randomness: @escaping @Sendable () -> UInt64
    ) throws(LogError) {
        do { try disk.lock() } catch { throw .disk(error) }
        var writer = Writer()
        let log = try Log(disk: disk, sizes: logFileSizes, randomness: randomness) { (type, sequence, payload) throws(Corruption) in
            _ = try writer.apply(type: type, sequence: sequence, payload: payload)
        }
        let published = Published(DatabaseSnapshot(writer))
        self.disk = disk
        self.published = published
        queue = CommitQueue(writer: writer, log: log) { writer, touched in
            published.update(from: writer, touched: touched)
        }
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
    package func commit() { queue.lead() }

    /// One write, waited for.
    package func write(_ write: Write) throws(EngineError) -> WriteOutcome {
        let answer = WriteAnswer()
        enqueue(write) { answer.fill($0) }
        while true {
            queue.lead()
            if let result = answer.result { return try result.get() }
            // Another thread leads with this write in its group, or about to take it: wait for it, look again.
            queue.waitForLeader()
        }
    }

    /// Commits what waits, refuses what comes, and lets go of the files.
    package func close() throws(LogError) { try queue.close() }

    /// All that can be judged without the writer: shape, limits, types, and bytes made of it, in parallel.
    private func check(_ write: Write) throws(EngineError) -> PendingChange {
        switch write {
        case .createCollection(let schema):
            try schema.validate()
            return .createCollection(schema)
        case .dropCollection(let name): return .dropCollection(name: name)
        case .delete(let input): return .delete(input)
        case .patch(let input):
            return .patch(try PendingPatch(input, collection: try snapshot().collection(input.collection).state))
        case .upsert(let input):
            return .upsert(try PendingUpsert(input, collection: try snapshot().collection(input.collection).state))
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
    private let collections: [String: CollectionSnapshot]

    fileprivate init(sequence: UInt64, collections: [String: CollectionSnapshot]) {
        self.sequence = sequence
        self.collections = collections
    }

    fileprivate convenience init(_ writer: borrowing Writer) {
        let states = writer.collections.values
        self.init(
            sequence: writer.sequence,
            collections: Dictionary(uniqueKeysWithValues: states.map { ($0.schema.name, CollectionSnapshot($0)) }))
    }

    /// The next snapshot; collections that no record touched are shared.
    fileprivate func succeeding(_ writer: borrowing Writer, touched: Set<UInt32>) -> DatabaseSnapshot {
        var next = collections
        for (name, old) in collections where touched.contains(old.state.number) && writer.numbers[name] != old.state.number { next[name] = nil }
        for number in touched {
            if let state = writer.collections[number] { next[state.schema.name] = CollectionSnapshot(state) }
        }
        return DatabaseSnapshot(sequence: writer.sequence, collections: next)
    }

    package func collection(_ name: String) throws(EngineError) -> CollectionSnapshot {
        guard let collection = collections[name], collection.schema.name.isExactly(name) else { throw EngineError.unknownCollection(name) }
        return collection
    }

    /// Names, sorted.
    package var collectionNames: [String] { collections.keys.sorted() }
}
