// A file system that is soon full: for what happens when there is no more space.
import Foundation
#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// A tmpfs of a few megabytes, unmounted when the value goes. Mounting takes root.
package final class SmallFileSystem {
    private let directory: TemporaryDirectory
    package var path: String { directory.path }

    package init(megabytes: Int) throws {
        directory = try TemporaryDirectory()
        try SystemCommand.run("mount", "-t", "tmpfs", "-o", "size=\(megabytes)m,mode=700", "needletail-test", directory.path)
    }

    deinit {
        // Lazily, so that a daemon that is about to end does not keep it.
        do { try SystemCommand.run("umount", "-l", path) } catch { print("left mounted: \(path): \(error)") }
    }

    package func file(_ name: String) -> String { directory.file(name) }

    /// Takes space with a file of zeros, as large as asked for or as fits; returns its size.
    @discardableResult
    package func fill(_ name: String, megabytes: Int) throws -> Int {
        // Sound: the path is passed as a NUL-terminated text that lives through the call.
        let descriptor = unsafe open(file(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw DaemonFailure(description: "open \(file(name)): errno \(errno)") }
        defer { close(descriptor) }
        let zeros = [UInt8](repeating: 0, count: 4096)
        var size = 0
        while size < megabytes << 20 {
            // Sound: reads within the array.
            let count = unsafe zeros.withUnsafeBytes { unsafe write(descriptor, $0.baseAddress, $0.count) }
            if count <= 0 { break }
            size += count
        }
        return size
    }

    package func free(_ name: String) throws { try FileManager.default.removeItem(atPath: file(name)) }

    /// Whether this process may mount one; printed with the reason where not.
    package static let isPossible: Bool = {
        do {
            _ = try SmallFileSystem(megabytes: 1)
            return true
        } catch {
            print("tests of a full disk are skipped: mounting a tmpfs failed: \(error)")
            return false
        }
    }()
}
