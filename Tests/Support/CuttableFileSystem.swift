// A file system whose power can be cut: what the kernel had not yet put on the disk is gone.
import Foundation
#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// An ext4 file system on a loop device, with a file for its disk. Mounting takes root.
///
/// A cut is `FS_IOC_SHUTDOWN` without a flush of the journal: dirty pages and the open transaction never reach the disk,
/// and every later call that needs it fails. The device itself neither reorders nor tears writes: `FaultyDisk` does.
package final class CuttableFileSystem {
    /// Where the disk lies and the file system is mounted.
    package let directory: TemporaryDirectory
    package let path: String

    package init(megabytes: Int) throws {
        directory = try TemporaryDirectory()
        path = directory.file("mount")
        // A hole, which takes the space that the file system comes to use.
        try SystemCommand.run("truncate", "--size", "\(megabytes)M", directory.file("disk"))
        try SystemCommand.run("mkfs.ext4", "-q", "-F", directory.file("disk"))
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
        try mount()
    }

    deinit {
        // Lazily, so that a daemon that is about to end does not keep it.
        do { try SystemCommand.run("umount", "-l", path) } catch { print("left mounted: \(path): \(error)") }
    }

    package func file(_ name: String) -> String { path + "/" + name }

    /// From here on nothing reaches the disk.
    package func cutPower() throws {
        // Sound: the path is passed as a NUL-terminated text that lives through the call.
        let descriptor = unsafe open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw DaemonFailure(description: "open \(path): errno \(errno)") }
        defer { close(descriptor) }
        var withoutFlushingTheJournal: UInt32 = 2
        // Sound: the call reads four bytes.
        guard unsafe ioctl(descriptor, Self.shutdownRequest, &withoutFlushingTheJournal) == 0 else {
            throw DaemonFailure(description: "FS_IOC_SHUTDOWN \(path): errno \(errno)")
        }
    }

    /// The machine comes up again: the journal is replayed. Whoever had files open must have ended.
    package func restorePower() throws {
        try SystemCommand.run("umount", path)
        try mount()
    }

    private func mount() throws { try SystemCommand.run("mount", "-t", "ext4", "-o", "loop", directory.file("disk"), path) }

    /// `_IOR('X', 125, __u32)`
    private static let shutdownRequest: UInt = 0x8004_587D

    /// Whether this process may make one and cut its power; printed with the reason where not.
    package static let isPossible: Bool = {
        do {
            let fileSystem = try CuttableFileSystem(megabytes: 16)
            try fileSystem.cutPower()
            try fileSystem.restorePower()
            return true
        } catch {
            print("tests of power cuts are skipped: \(error)")
            return false
        }
    }()
}
