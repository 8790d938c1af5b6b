// Every system call of this module: files are opened, read, appended to and listed here and nowhere else.
import Glibc

/// An open file, closed when its owner goes.
struct OpenFile: ~Copyable, Sendable {
    /// For messages.
    let name: String
    private let number: Int32
    private let isOwned: Bool

    private init(name: String, number: Int32, isOwned: Bool) {
        self.name = name
        self.number = number
        self.isOwned = isOwned
    }

    // A failing close loses nothing: this module reads, and what it appends was written by then.
    deinit { if isOwned { close(number) } }

    static func reading(_ path: String, followingLinks: Bool = true) throws(IngestError) -> OpenFile {
        let flags = O_RDONLY | O_CLOEXEC | (followingLinks ? 0 : O_NOFOLLOW)
        let number = try retrying("open", path) { unsafe Glibc.open(path, flags) }
        return OpenFile(name: path, number: number, isOwned: true)
    }

    static func standardInput() -> OpenFile {
        OpenFile(name: "standard input", number: STDIN_FILENO, isOwned: false)
    }

    static func appending(to path: String) throws(IngestError) -> OpenFile {
        let flags = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC
        let number = try retrying("open", path) { unsafe Glibc.open(path, flags, 0o640) }
        return OpenFile(name: path, number: number, isOwned: true)
    }

    func status() throws(IngestError) -> FileStatus {
        var status = stat()
        _ = try retrying("fstat", name) { unsafe fstat(number, &status) }
        return FileStatus(status)
    }

    /// Fills what is free of `output` as far as one call goes; 0 at the end of the file.
    func read(into output: inout OutputSpan<UInt8>) throws(IngestError) -> Int {
        try unsafe output.withUnsafeMutableBufferPointer { (buffer, count) throws(IngestError) -> Int in
            let free = buffer.count - count
            let start = count
            let got = try retrying("read", name) {
                // Sound: the call writes at most `free` bytes behind the `start` that are in use.
                unsafe Glibc.read(number, buffer.baseAddress.map { unsafe $0 + start }, free)
            }
            count += got
            return got
        }
    }

    func writeAll(_ bytes: RawSpan) throws(IngestError) {
        var done = 0
        while done < bytes.byteCount {
            let rest = bytes.byteCount - done
            done += try retrying("write", name) {
                // Sound: the call reads at most `rest` bytes of the span's own memory.
                unsafe bytes.withUnsafeBytes { unsafe Glibc.write(number, $0.baseAddress.map { unsafe $0 + done }, rest) }
            }
        }
    }
}

/// What the file system says about a name.
struct FileStatus: Equatable, Sendable {
    enum Kind { case file, directory, link, other }
    var kind: Kind
    var byteCount: Int
    /// Seconds since 1970, in UTC.
    var modifiedSeconds: Int64

    fileprivate init(_ status: stat) {
        kind = switch status.st_mode & S_IFMT {
        case S_IFREG: .file
        case S_IFDIR: .directory
        case S_IFLNK: .link
        default: .other
        }
        byteCount = Int(status.st_size)
        modifiedSeconds = Int64(status.st_mtim.tv_sec)
    }

    /// Of what the path names; of a symbolic link itself unless told to follow it.
    static func of(_ path: String, followingLinks: Bool) throws(IngestError) -> FileStatus {
        var status = stat()
        let flags = followingLinks ? 0 : AT_SYMLINK_NOFOLLOW
        _ = try retrying("stat", path) { unsafe fstatat(AT_FDCWD, path, &status, flags) }
        return FileStatus(status)
    }
}

enum Directory {
    /// The names in a directory as bytes, for a name need not be text; in no order, without `.` and `..`.
    static func names(in path: String) throws(IngestError) -> [[UInt8]] {
        guard let stream = unsafe opendir(path) else { throw systemError("opendir", path) }
        defer { unsafe closedir(stream) }
        var names: [[UInt8]] = []
        while true {
            errno = 0
            guard let entry = unsafe readdir(stream) else { break }
            // Sound: d_name ends with a NUL within the entry, which is valid until the next readdir.
            let name = unsafe withUnsafeBytes(of: &entry.pointee.d_name) { unsafe Array($0.prefix { $0 != 0 }) }
            if name != [dot], name != [dot, dot] { names.append(name) }
        }
        if errno != 0 { throw systemError("readdir", path) }
        return names
    }

    /// The path with links, `.` and `..` resolved: the only way to learn what `.` is called.
    static func resolved(_ path: String) throws(IngestError) -> String {
        guard let resolved = unsafe realpath(path, nil) else { throw systemError("realpath", path) }
        defer { unsafe free(resolved) }
        // Sound: realpath returned a NUL-terminated text of its own, freed after it was copied.
        return unsafe String(cString: resolved)
    }
}

/// Calls again while a signal interrupts; turns -1 into an error. Nothing else is ever retried.
private func retrying<T: FixedWidthInteger>(
    _ operation: String, _ path: String, _ call: () -> T
) throws(IngestError) -> T {
    while true {
        let result = call()
        if result != -1 { return result }
        if errno != EINTR { throw systemError(operation, path) }
    }
}

private func systemError(_ operation: String, _ path: String) -> IngestError {
    let code = errno
    // Sound: strerror returns a NUL-terminated text.
    return IngestError(file: path, "\(operation): \(unsafe String(cString: strerror(code))) (errno \(code))")
}

private let dot = UInt8(ascii: ".")
