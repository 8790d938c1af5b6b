// The way into the log, with space kept back for what must not fail on a full disk.
import Memory
import Storage

/// Appends groups. On a full disk what takes something away is let through, on the space that was kept back for it;
/// everything else is refused until that space can be kept back again.
struct LogGate: ~Copyable {
    let log: Log
    private let reserve: Reserve
    /// Why the disk was last called full.
    private var full: DiskError

    init(log: Log, reserve: Reserve, path: String) {
        self.log = log
        self.reserve = reserve
        full = DiskError.full(path)
    }

    /// Whether the space is there that lets deletions through on a full disk.
    var hasReserve: Bool { reserve.isIntact }

    /// Returns the sequence of the group's first record.
    mutating func append(_ entries: [LogEntry], isRemoval: Bool) throws(LogError) -> UInt64 {
        do throws(LogError) {
            if !isRemoval { try refillReserve() }
            return try log.append(entries)
        } catch {
            guard case .disk(let reason) = error, reason.isFull else { throw error }
            full = reason
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
