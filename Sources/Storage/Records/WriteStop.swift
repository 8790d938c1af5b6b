// What a failure leaves of writing: all of it after a full disk, nothing after any other.

/// Runs calls of a disk; their failure leaves nothing to be seen again.
func onDisk<T: ~Copyable>(_ body: () throws(DiskError) -> T) throws(LogError) -> T {
    do { return try body() } catch { throw .disk(error) }
}

/// Whether writing has stopped for good, and after which failure. Steps nest, so it is shared and not exclusive.
final class WriteStop {
    private(set) var reason: DiskError?

    func check() throws(LogError) {
        if let reason { throw .stopped(reason) }
    }

    /// Runs a step of writing. Any failure but a full disk before the first byte stops all that would follow.
    func guarding<T>(_ body: () throws(LogError) -> T) throws(LogError) -> T {
        do { return try body() } catch {
            switch error {
            case .disk(let reason): if !reason.isFull { self.reason = reason }
            case .outcomeUnknown(let reason), .stopped(let reason): self.reason = reason
            case .corruption: break
            }
            throw error
        }
    }

    /// Stops after a failure that nobody has been told of: the next one to write hears of it.
    func note(_ error: DiskError) { reason = error }

    /// The same for a step that comes before anything of the group: whatever it leaves open, it is not the group.
    func guardingPreparation<T>(_ body: () throws(LogError) -> T) throws(LogError) -> T {
        do { return try guarding(body) } catch {
            if case .outcomeUnknown(let reason) = error { throw .stopped(reason) }
            throw error
        }
    }
}
