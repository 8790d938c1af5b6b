// A directory of the real file system for the length of a test.
#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif
import Storage

package enum TemporaryDirectory {
    /// Lends the path of an empty directory, which is gone afterwards with the files in it.
    package static func with(_ body: (_ path: String) throws -> Void) throws {
        var template = Array("/tmp/needletail-test-XXXXXX".utf8CString)
        // Sound: the array is NUL-terminated and lives through the call, which writes within it.
        let made = unsafe template.withUnsafeMutableBufferPointer { unsafe mkdtemp($0.baseAddress!) }  // It has elements.
        guard let made = unsafe made else { throw DiskError(operation: "mkdtemp", path: "/tmp", errno: errno, reason: "") }
        let path = unsafe String(cString: made)
        do { try body(path) } catch {
            try remove(path)
            throw error
        }
        try remove(path)
    }

    private static func remove(_ path: String) throws(DiskError) {
        let disk = try FileSystemDisk(path: path)
        for name in try disk.list() { try disk.remove(name) }
        guard unsafe rmdir(path) == 0 else { throw DiskError(operation: "rmdir", path: path, errno: errno, reason: "") }
    }
}
