// The one seam between the database and a file system; everything above it can be run on a faulty one.
package import Memory

/// One directory, and the only way to its files. Names are plain file names, never paths.
package protocol Disk: Sendable {
    /// The directory, for messages.
    var path: String { get }
    /// The names in the directory, sorted.
    func list() throws(DiskError) -> [String]
    /// Creates a file that must not exist yet.
    func create(_ name: String) throws(DiskError) -> any DiskFile
    /// Opens an existing file.
    func open(_ name: String) throws(DiskError) -> any DiskFile
    func remove(_ name: String) throws(DiskError)
    /// Makes created and removed names durable: a synced file whose name is not synced can vanish with the power.
    func syncDirectory() throws(DiskError)
    /// Takes the directory for this process until the value goes, or says who has it.
    func lock() throws(DiskError)
}

/// An open file. Every call either does all it was asked or throws.
package protocol DiskFile: AnyObject, Sendable {
    var name: String { get }
    func size() throws(DiskError) -> Int
    /// Fills `target` from `offset` on; returns how many bytes there were (fewer only at the end of the file).
    func read(into target: inout MutableRawSpan, at offset: Int) throws(DiskError) -> Int
    /// All the file's bytes as they are now, readable for as long as somebody holds them, even without its name.
    /// For files that are never changed again.
    func map() throws(DiskError) -> MappedBytes
    func write(_ bytes: RawSpan, at offset: Int) throws(DiskError)
    /// Returns once data and size are on the device (`fdatasync`).
    func sync() throws(DiskError)
    func truncate(to byteCount: Int) throws(DiskError)
}

/// A file system call that failed: which, on what, and why.
package struct DiskError: Error, Equatable, Sendable, CustomStringConvertible {
    package var operation: String
    package var path: String
    package var errno: Int32
    package var reason: String

    package init(operation: String, path: String, errno: Int32, reason: String) {
        self.operation = operation
        self.path = path
        self.errno = errno
        self.reason = reason
    }

    /// The device or the quota is used up: freeing space cures it.
    package var isFull: Bool { DiskError.fullCodes.contains(errno) }

    package var description: String { "\(operation) \(path): \(reason) (errno \(errno))" }
}
