// Space held back, so that what must not fail for want of it (deletions, withdrawn rights) has some on a full disk.

/// A file of written zeros that can be given up. One owner, one thread.
package final class Reserve {
    package static let name = "reserve"
    private let disk: any Disk
    private let byteCount: Int
    /// Whether the space is held.
    package private(set) var isIntact = false

    /// Takes the space, or finds it taken. A disk too full for it is no error: then `isIntact` is false.
    package init(disk: any Disk, bytes: Int = 8 << 20) throws(DiskError) {
        precondition(bytes > 0, "a reserve is some space")
        self.disk = disk
        byteCount = bytes
        isIntact = try findsIntact()
        if !isIntact { try restore() }
    }

    /// Gives the space to whoever writes next; returns whether there was any.
    package func release() throws(DiskError) -> Bool {
        guard isIntact else { return false }
        isIntact = false
        try disk.remove(Self.name)
        // A file system may count blocks as free only once the name's end is durable.
        try disk.syncDirectory()
        return true
    }

    /// Takes the space again where there is enough; returns whether it is held.
    @discardableResult
    package func restore() throws(DiskError) -> Bool {
        if isIntact { return true }
        try removeRemains()
        do {
            try take()
            isIntact = true
        } catch {
            guard error.isFull else { throw error }
            try removeRemains()
        }
        return isIntact
    }

    private func take() throws(DiskError) {
        let file = try disk.create(Self.name)
        try file.writeZeros(over: 0..<byteCount)
        try file.sync()
        try disk.syncDirectory()
    }

    /// One that an earlier process took: whole if it has its size and nothing of it is waiting to be written.
    private func findsIntact() throws(DiskError) -> Bool {
        guard try isThere() else { return false }
        let file = try disk.open(Self.name)
        guard try file.size() == byteCount else { return false }
        do { try file.sync() } catch {
            guard error.isFull else { throw error }
            return false
        }
        return true
    }

    /// A half of a reserve holds space for nobody.
    private func removeRemains() throws(DiskError) {
        if try isThere() { try disk.remove(Self.name) }
    }

    private func isThere() throws(DiskError) -> Bool { try disk.list().contains(Self.name) }
}
