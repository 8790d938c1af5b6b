// The real daemon as a child process: what is tested is the binary that users start.
import Foundation
#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// What kept a daemon from doing what the test asked of it, with what it had logged.
package struct DaemonFailure: Error, CustomStringConvertible {
    package var description: String
}

/// How a daemon that has ended did so.
package struct DaemonEnd: Sendable {
    /// Its exit code; nil where a signal ended it.
    package var code: Int32?
    /// All it wrote to standard error.
    package var log: String
}

/// A running `needletaild` out of the build directory, on a free port of 127.0.0.1. Killed when the value goes.
package final class DaemonProcess {
    package let port: Int
    private let process: Process
    private let outputs: TemporaryDirectory
    private static let patienceSeconds = 30

    /// Returns once connections are accepted.
    package init(data: String, _ arguments: [String] = [], environment: [String: String] = [:]) throws {
        outputs = try TemporaryDirectory()
        process = try Self.start(["--data", data, "--port", "0"] + arguments, environment, outputs)
        guard let line = try Self.firstLine(of: process, outputs) else {
            throw DaemonFailure(description: "the daemon did not start: \(try Self.log(outputs))")
        }
        guard let port = line.split(separator: ":").last.flatMap({ Int($0) }) else {
            throw DaemonFailure(description: "no port in \"\(line)\"")
        }
        self.port = port
    }

    deinit { if process.isRunning { kill() } }

    package func connect(receiveBufferBytes: Int? = nil) throws -> LineConnection {
        try LineConnection(port: port, receiveBufferBytes: receiveBufferBytes)
    }

    // MARK: Ends

    /// Ends it as a power switch would, from the process's view.
    package func kill() { Self.end(process) }

    /// Asks it to stop.
    package func askToStop() { _ = Glibc.kill(process.processIdentifier, SIGTERM) }

    /// Asks it to stop and waits until it has.
    package func stop() throws -> DaemonEnd {
        askToStop()
        return try Self.end(of: process, outputs)
    }

    /// Runs a daemon that is expected not to start, to its end.
    package static func runToEnd(_ arguments: [String]) throws -> DaemonEnd {
        let outputs = try TemporaryDirectory()
        return try end(of: try start(arguments, [:], outputs), outputs)
    }

    /// Starts a daemon and kills it so soon that it may not even be ready; `first` happens to it before.
    package static func startAndKill(data: String, afterMicroseconds delay: UInt32, first: () throws -> Void = {}) throws {
        let outputs = try TemporaryDirectory()
        let process = try start(["--data", data, "--port", "0"], [:], outputs)
        usleep(delay)
        defer { end(process) }
        try first()
    }

    private static func end(_ process: Process) {
        _ = Glibc.kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
    }

    private static func end(of process: Process, _ outputs: TemporaryDirectory) throws -> DaemonEnd {
        for _ in 0..<(patienceSeconds * 200) where process.isRunning { usleep(5000) }
        guard !process.isRunning else {
            _ = Glibc.kill(process.processIdentifier, SIGKILL)
            throw DaemonFailure(description: "still running after \(patienceSeconds) s: \(try log(outputs))")
        }
        return DaemonEnd(code: process.terminationReason == .exit ? process.terminationStatus : nil, log: try log(outputs))
    }

    // MARK: Looking at it

    package var isRunning: Bool { process.isRunning }

    /// The most memory it has had resident so far, in bytes; nil where the system does not tell.
    package func peakResidentBytes() throws -> Int? {
        guard FileManager.default.fileExists(atPath: "/proc/self/status") else { return nil }
        let status = try String(contentsOfFile: "/proc/\(process.processIdentifier)/status", encoding: .utf8)
        let line = status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") }
        return line.flatMap { Int($0.filter(\.isNumber)) }.map { $0 << 10 }
    }

    /// How many files and sockets it has open; nil where the system does not tell.
    package func openFileCount() throws -> Int? {
        guard FileManager.default.fileExists(atPath: "/proc/self/fd") else { return nil }
        return try FileManager.default.contentsOfDirectory(atPath: "/proc/\(process.processIdentifier)/fd").count
    }

    // MARK: Starting

    /// `NEEDLETAIL_DAEMON` where it is set: a release build is tested for hours, by the tests of a debug build.
    private static let binary: URL = {
        if let path = ProcessInfo.processInfo.environment["NEEDLETAIL_DAEMON"] { return URL(filePath: path) }
        // Sound: Bundle.main is the test runner, which the build puts beside the daemon.
        guard let runner = Bundle.main.executableURL else { preconditionFailure("the test runner is a file") }
        return runner.deletingLastPathComponent().appending(path: "needletaild")
    }()

    private static func start(_ arguments: [String], _ environment: [String: String], _ outputs: TemporaryDirectory) throws -> Process {
        let process = Process()
        process.executableURL = binary
        process.arguments = arguments
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { _, new in new }
        // Files, not pipes: nobody has to read along for the daemon to go on writing.
        process.standardOutput = try file("stdout", outputs)
        process.standardError = try file("stderr", outputs)
        process.standardInput = FileHandle.nullDevice
        try process.run()
        return process
    }

    private static func file(_ name: String, _ outputs: TemporaryDirectory) throws -> FileHandle {
        _ = FileManager.default.createFile(atPath: outputs.file(name), contents: nil)
        return try FileHandle(forWritingTo: URL(filePath: outputs.file(name)))
    }

    private static func log(_ outputs: TemporaryDirectory) throws -> String {
        try String(contentsOfFile: outputs.file("stderr"), encoding: .utf8)
    }

    /// The line that says where it listens; nil where it ended without one.
    private static func firstLine(of process: Process, _ outputs: TemporaryDirectory) throws -> String? {
        for _ in 0..<(patienceSeconds * 500) {
            let text = try String(contentsOfFile: outputs.file("stdout"), encoding: .utf8)
            if let newline = text.firstIndex(of: "\n") { return String(text[..<newline]) }
            if !process.isRunning { return nil }
            usleep(2000)
        }
        return nil
    }
}
