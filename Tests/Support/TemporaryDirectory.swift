// A directory that is there as long as its owner.
import Foundation
import Synchronization

/// Made under the system's temporary directory, removed with everything in it when the value goes.
package final class TemporaryDirectory: Sendable {
    package let path: String
    private let isKept = Atomic(false)

    package init() throws {
        path = FileManager.default.temporaryDirectory.appending(path: "needletail-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    /// Lends the path of an empty directory, which is gone afterwards with everything in it.
    package static func with(_ body: (_ path: String) throws -> Void) throws {
        let directory = try TemporaryDirectory()
        try withExtendedLifetime(directory) { try body(directory.path) }
    }

    package func file(_ name: String) -> String { path + "/" + name }

    /// Writes a file that is nobody's but its owner's; its path.
    package func secretFile(_ name: String, _ text: String, mode: Int = 0o600) throws -> String {
        try text.write(toFile: file(name), atomically: false, encoding: .utf8)
        try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: file(name))
        return file(name)
    }

    /// Leaves the directory to whoever wants to know what went wrong in it.
    package func keep() {
        isKept.store(true, ordering: .relaxed)
        print("kept: \(path)")
    }

    deinit {
        if isKept.load(ordering: .relaxed) { return }
        do { try FileManager.default.removeItem(atPath: path) } catch { print("left behind: \(path): \(error)") }
    }
}
