// The way into the log, with space kept back for what must not fail on a full disk.
import Memory
import Storage

/// Appends groups. On a full disk what takes something away is let through, on the space that was kept back for it;
/// everything else is refused until that space can be kept back again.
struct LogGate: ~Copyable {
    let log: Log
    private let reserve: Reserve
    private let store: Store
    private let durability: Durability
    /// Why the disk was last called full.
    private var full: DiskError
    /// Whether the last group was refused for that.
    private var isFull = false

    init(log: Log, durability: Durability, reserve: Reserve, store: Store) {
        self.log = log
        self.durability = durability
        self.reserve = reserve
        self.store = store
        full = DiskError.full(store.disk.path)
    }

    /// Why nothing is written any more, after a failure that was not for want of space.
    var stopped: LogError? { log.stopped ?? store.stopped }

    /// Whether the next group has good prospects.
    var condition: WriteCondition {
        let hasReserve = reserve.isIntact
        if let stopped { return WriteCondition(state: .stopped, reason: "\(stopped)", hasReserve: hasReserve) }
        // Without its reserve only what takes away is let through.
        if isFull || !hasReserve { return WriteCondition(state: .diskFull, reason: "\(full)", hasReserve: hasReserve) }
        return WriteCondition(state: .accepting, reason: nil, hasReserve: true)
    }

    /// Returns the sequence of the group's first record.
    mutating func append(_ entries: [LogEntry], isRemoval: Bool) throws(LogError) -> UInt64 {
        if let stopped { throw stopped }
        guard durability == .write else { return log.pass(entries) }
        do throws(LogError) {
            if !isRemoval { try refillReserve() }
            let first = try log.append(entries)
            isFull = false
            return first
        } catch {
            guard case .disk(let reason) = error, reason.isFull else { throw error }
            full = reason
            isFull = true
            guard isRemoval, try onDisk({ () throws(DiskError) in try reserve.release() }) else { throw error }
            return try log.append(entries)
        }
    }

    private func refillReserve() throws(LogError) {
        guard try onDisk({ () throws(DiskError) in try reserve.restore() }) else { throw .disk(full) }
    }

    private func onDisk<T>(_ body: () throws(DiskError) -> T) throws(LogError) -> T {
        do { return try body() } catch { throw .disk(error) }
    }
}

/// Whether a database takes writes.
package struct WriteCondition: Equatable, Sendable {
    package enum State: String, Sendable {
        case accepting = "ok"
        /// Until there is space. What takes away goes through as long as there is the reserve.
        case diskFull = "disk_full"
        /// For as long as this process runs.
        case stopped
    }

    package var state: State
    /// Where they are not.
    package var reason: String?
    /// Whether the space is there that lets deletions through on a full disk.
    package var hasReserve: Bool
}
