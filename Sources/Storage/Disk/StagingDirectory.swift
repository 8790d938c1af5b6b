// A directory that is filled under another name, and gets its own once all of it is on the device.
#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// `TARGET.restoring` beside the target, until it takes the target's place or is removed. One owner, one thread.
///
/// The target is not there, or is an empty directory, before and until `takePlace` has succeeded.
final class StagingDirectory {
    let disk: FileSystemDisk
    private let parent: Descriptor
    private let name: String
    private let targetName: String
    private let target: String
    private var hasTakenPlace = false

    /// Makes the directory. Refuses a target that has something in it, and remains of an earlier attempt.
    init(for target: String) throws(DiskError) {
        let (parentPath, targetName) = try Self.split(target)
        self.target = target
        self.targetName = targetName
        name = targetName + ".restoring"
        parent = try FileSystemDisk.openDirectory(parentPath)
        let path = parentPath == "/" ? "/" + name : parentPath + "/" + name
        try Self.checkIsFree(targetName, in: parent, target)
        disk = FileSystemDisk(path: path, adopting: try Self.make(name, in: parent, path))
    }

    private static func make(_ name: String, in parent: borrowing Descriptor, _ path: String) throws(DiskError) -> Descriptor {
        let directory = parent.number
        _ = try retrying("mkdir", path) { unsafe mkdirat(directory, name, 0o750) }
        do {
            return Descriptor(try retrying("open", path) { unsafe openat(directory, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW) })
        } catch {
            _ = try retrying("rmdir", path) { unsafe unlinkat(directory, name, AT_REMOVEDIR) }
            throw error
        }
    }

    /// The directory above and the name in it.
    private static func split(_ path: String) throws(DiskError) -> (parent: String, name: String) {
        var rest = path[...]
        while rest.count > 1, rest.last == "/" { rest.removeLast() }
        let slash = rest.lastIndex(of: "/")
        let name = String(slash.map { rest[rest.index(after: $0)...] } ?? rest)
        guard !name.isEmpty, name != ".", name != ".." else {
            throw DiskError(operation: "restore into", path: path, errno: EINVAL, reason: "give the directory by its name")
        }
        guard let slash else { return (".", name) }
        return (slash == rest.startIndex ? "/" : String(rest[..<slash]), name)
    }

    private static func checkIsFree(_ name: String, in parent: borrowing Descriptor, _ path: String) throws(DiskError) {
        let number = unsafe openat(parent.number, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW)
        if number == -1, currentErrno() == ENOENT { return }
        guard number != -1 else { throw DiskError(lastOf: "open", path) }
        guard try FileSystemDisk(path: path, adopting: Descriptor(number)).list().isEmpty else {
            throw DiskError(operation: "restore into", path: path, errno: ENOTEMPTY, reason: "the directory is not empty, and is left as it is")
        }
    }

    /// Gives the directory the target's name, durably. Whoever has put something into the target meanwhile keeps it, and this throws.
    func takePlace() throws(DiskError) {
        try disk.syncDirectory()
        _ = try retrying("rename", target) { unsafe renameat(parent.number, name, parent.number, targetName) }
        hasTakenPlace = true
        _ = try retrying("fsync", target + "/..") { fsync(parent.number) }
    }

    /// Removes the directory and what is in it, unless it is the target by now.
    func remove() throws(DiskError) {
        if hasTakenPlace { return }
        for file in try disk.list() { try disk.remove(file) }
        _ = try retrying("rmdir", disk.path) { unsafe unlinkat(parent.number, name, AT_REMOVEDIR) }
    }
}
