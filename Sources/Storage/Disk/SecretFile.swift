// Files that hold secrets: read whole, and not at all where others could have read or written them too.
#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif
import Memory

/// Why a file of secrets is not taken.
package struct SecretFileError: Error, CustomStringConvertible {
    package var description: String
}

package enum SecretFile {
    /// Longer files are refused, as what they hold is no such thing.
    package static let bytesMax = 1 << 20

    /// All bytes of a file that only its owner can write, and only the owner and the group can read.
    package static func read(_ path: String) throws(SecretFileError) -> [UInt8] {
        // Not blocking: the name of a pipe would be waited for until somebody writes into it.
        let file = Descriptor(try told { () throws(DiskError) in
            try retrying("open", path) { unsafe Glibc.open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK) }
        })
        // Of the open file: its name could mean another one by now.
        var status = stat()
        _ = try told { () throws(DiskError) in try retrying("fstat", path) { unsafe fstat(file.number, &status) } }
        try check(status, path)
        return try bytes(of: file, path)
    }

    private static func told<T>(_ body: () throws(DiskError) -> T) throws(SecretFileError) -> T {
        do { return try body() } catch { throw SecretFileError(description: "\(error)") }
    }

    private static func check(_ status: stat, _ path: String) throws(SecretFileError) {
        guard status.st_mode & S_IFMT == S_IFREG else { throw SecretFileError(description: "\(path) is not a file") }
        guard status.st_mode & (S_IRWXO | S_IWGRP) == 0 else {
            let mode = String(status.st_mode & 0o777, radix: 8)
            throw SecretFileError(description: "\(path) holds secrets, and its mode \(mode) lets others at them: chmod 600 \(path) (640 where the group is to read it)")
        }
        guard status.st_size <= bytesMax else { throw SecretFileError(description: "\(path) has \(status.st_size) bytes; at most \(bytesMax) are read") }
    }

    private static func bytes(of file: borrowing Descriptor, _ path: String) throws(SecretFileError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: bytesMax)
        var count = 0
        while count < bytes.count {
            let got = try told { () throws(DiskError) in
                try retrying("read", path) { () -> Int in
                    // Sound: the call writes at most what is left of the array behind `count`.
                    unsafe bytes.withUnsafeMutableBytes { unsafe Glibc.read(file.number, $0.baseAddress! + count, $0.count - count) }
                }
            }
            if got == 0 { break }
            count += got
        }
        bytes.removeLast(bytes.count - count)
        return bytes
    }
}
