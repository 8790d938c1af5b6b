// Programs of the system that tests call on: mount, mkfs, a compiler.
import Foundation

package enum SystemCommand {
    /// Runs a program to its end; where it fails, what it complained of is the error.
    package static func run(_ command: String, _ arguments: String...) throws {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = [command] + arguments
        let complaints = Pipe()
        process.standardError = complaints
        process.standardOutput = FileHandle.nullDevice
        try process.run()
        let text = String(decoding: complaints.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw DaemonFailure(description: "\(command): \(text)") }
    }
}
