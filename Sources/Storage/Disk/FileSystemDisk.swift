// The disk that is one: every file system call the daemon makes stands in this folder.
#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif
import Memory

/// A directory of the file system.
package final class FileSystemDisk: Disk {
    package let path: String
    private let directory: Descriptor
    private let isReadOnly: Bool

    /// Opens the directory, creating it (and it alone) where it is missing.
    package init(path: String) throws(DiskError) {
        self.path = path
        isReadOnly = false
        let isNew = unsafe mkdir(path, 0o750) == 0
        if !isNew, currentErrno() != EEXIST { throw DiskError(lastOf: "mkdir", path) }
        directory = try Self.openDirectory(path)
        // Its files are made durable in it; its own name is so in the directory above.
        if isNew {
            let parent = try Self.openDirectory(path + "/..")
            _ = try retrying("fsync", path + "/..") { fsync(parent.number) }
        }
    }

    /// Opens a directory that is there, for looking only: whatever its rights, nothing in it can be changed through this value.
    package init(reading path: String) throws(DiskError) {
        self.path = path
        isReadOnly = true
        directory = try Self.openDirectory(path)
    }

    /// Takes over a directory that was opened to be written to.
    init(path: String, adopting directory: consuming Descriptor) {
        self.path = path
        isReadOnly = false
        self.directory = directory
    }

    /// Opens a file that is no database's, such as an archive, for reading.
    package static func openFile(reading path: String) throws(DiskError) -> any DiskFile {
        let number = try retrying("open", path) { unsafe Glibc.open(path, O_RDONLY | O_CLOEXEC) }
        let name = path.split(separator: "/").last.map(String.init) ?? path
        return FileSystemFile(name: name, path: path, descriptor: Descriptor(number))
    }

    static func openDirectory(_ path: String) throws(DiskError) -> Descriptor {
        Descriptor(try retrying("open", path) { unsafe Glibc.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) })
    }

    package func list() throws(DiskError) -> [String] {
        guard let stream = unsafe opendir(path) else { throw DiskError(lastOf: "opendir", path) }
        defer { unsafe closedir(stream) }
        var names: [String] = []
        while true {
            // Nil is the end and a failure alike, told apart by this alone: half a list would look like missing files.
            errno = 0
            guard let entry = unsafe readdir(stream) else { break }
            // Sound: d_name is NUL-terminated within the entry, which is valid until the next readdir.
            let name = unsafe withUnsafeBytes(of: &entry.pointee.d_name) { raw in
                unsafe String(decoding: raw.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != ".", name != ".." { names.append(name) }
        }
        guard currentErrno() == 0 else { throw DiskError(lastOf: "readdir", path) }
        return names.sorted()
    }

    package func create(_ name: String) throws(DiskError) -> any DiskFile {
        precondition(!isReadOnly, "a directory opened for reading is not written to")
        return try openFile(name, flags: O_RDWR | O_CREAT | O_EXCL)
    }

    package func open(_ name: String) throws(DiskError) -> any DiskFile {
        try openFile(name, flags: isReadOnly ? O_RDONLY : O_RDWR)
    }

    private func openFile(_ name: String, flags: Int32) throws(DiskError) -> any DiskFile {
        precondition(!name.isEmpty && !name.utf8.contains(UInt8(ascii: "/")), "a file's name is never a path")
        let full = path + "/" + name
        let number = try retrying("open", full) { unsafe openat(directory.number, name, flags | O_CLOEXEC | O_NOFOLLOW, 0o640) }
        return FileSystemFile(name: name, path: full, descriptor: Descriptor(number))
    }

    package func remove(_ name: String) throws(DiskError) {
        precondition(!isReadOnly, "a directory opened for reading is not written to")
        _ = try retrying("unlink", path + "/" + name) { unsafe unlinkat(directory.number, name, 0) }
    }

    package func syncDirectory() throws(DiskError) {
        _ = try retrying("fsync", path) { fsync(directory.number) }
    }

    package func lock() throws(DiskError) {
        var tries = Self.lockTries
        while true {
            do throws(DiskError) {
                _ = try retrying("flock (another process holds this database)", path) { flock(directory.number, LOCK_EX | LOCK_NB) }
                return
            } catch {
                // A process that this one is just starting holds a copy of all that was open until its own program runs.
                tries -= 1
                guard error.errno == EWOULDBLOCK, tries > 0 else { throw error }
                usleep(Self.lockPauseMicroseconds)
            }
        }
    }

    /// A tenth of a second: a command that is refused is refused at once, for people.
    private static let lockTries = 20
    private static let lockPauseMicroseconds: UInt32 = 5000
}

private final class FileSystemFile: DiskFile {
    let name: String
    private let path: String
    private let descriptor: Descriptor

    init(name: String, path: String, descriptor: consuming Descriptor) {
        self.name = name
        self.path = path
        self.descriptor = descriptor
    }

    func size() throws(DiskError) -> Int {
        var status = stat()
        _ = try retrying("fstat", path) { unsafe fstat(descriptor.number, &status) }
        return Int(status.st_size)
    }

    func read(into target: inout MutableRawSpan, at offset: Int) throws(DiskError) -> Int {
        var done = 0
        while done < target.byteCount {
            let remaining = target.byteCount - done
            let got = try retrying("pread", path) { () -> Int in
                // Sound: the call writes at most `remaining` bytes into the span's own memory.
                unsafe target.withUnsafeMutableBytes { unsafe pread(descriptor.number, $0.baseAddress! + done, remaining, off_t(offset + done)) }
            }
            if got == 0 { break }
            done += got
        }
        return done
    }

    func map() throws(DiskError) -> MappedBytes {
        let byteCount = try size()
        // The kernel maps no empty range.
        guard byteCount > 0 else { return MappedBytes(copying: RawSpan()) }
        let mapped = unsafe mmap(nil, byteCount, PROT_READ, MAP_SHARED, descriptor.number, 0)
        guard let mapped = unsafe mapped, unsafe mapped != MAP_FAILED else { throw DiskError(lastOf: "mmap", path) }
        // Sound: a new mapping of that many bytes, known to nobody else.
        return unsafe MappedBytes(adopting: UnsafeRawPointer(mapped), byteCount: byteCount)
    }

    func write(_ bytes: RawSpan, at offset: Int) throws(DiskError) {
        var done = 0
        while done < bytes.byteCount {
            let remaining = bytes.byteCount - done
            let wrote = try retrying("pwrite", path) { () -> Int in
                // Sound: the call reads at most `remaining` bytes of the span's own memory.
                unsafe bytes.withUnsafeBytes { unsafe pwrite(descriptor.number, $0.baseAddress! + done, remaining, off_t(offset + done)) }
            }
            // A short write is the file system's way of announcing that the next one will say why.
            done += wrote
        }
    }

    func sync() throws(DiskError) {
        // Not retried, not even on EINTR: after a failed sync the page cache may call lost pages clean.
        if fdatasync(descriptor.number) != 0 { throw DiskError(lastOf: "fdatasync", path) }
    }

    func truncate(to byteCount: Int) throws(DiskError) {
        _ = try retrying("ftruncate", path) { ftruncate(descriptor.number, off_t(byteCount)) }
    }
}

/// An open file descriptor, closed when its owner goes.
struct Descriptor: ~Copyable, Sendable {
    let number: Int32
    init(_ number: Int32) { self.number = number }
    // A failing close cannot lose data here: whatever had to last was synced before.
    deinit { close(number) }
}

/// Calls again while a signal interrupts; turns -1 into an error. Nothing else is ever retried.
func retrying<T: FixedWidthInteger>(
    _ operation: String, _ path: String, _ call: () -> T
) throws(DiskError) -> T {
    while true {
        let result = call()
        if result != -1 { return result }
        if currentErrno() != EINTR { throw DiskError(lastOf: operation, path) }
    }
}

func currentErrno() -> Int32 { errno }

extension DiskError {
    /// The error that the last call of this thread left behind.
    init(lastOf operation: String, _ path: String) {
        let code = currentErrno()
        // Sound: strerror returns a NUL-terminated text.
        self.init(operation: operation, path: path, errno: code, reason: unsafe String(cString: strerror(code)))
    }

    static let fullCodes: Set<Int32> = [ENOSPC, EDQUOT]

    /// There is no file of this name.
    package var isAbsent: Bool { errno == ENOENT }

    /// For one who knows that there is no space without having asked for it.
    package static func full(_ path: String) -> DiskError {
        DiskError(operation: "write", path: path, errno: ENOSPC, reason: "the space kept back for deletions cannot be kept back")
    }
}
