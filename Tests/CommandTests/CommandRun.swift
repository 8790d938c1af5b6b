// The real command line as a child process.
import Foundation
import TestSupport
import Wire

/// What a run of `needletail` printed and how it ended.
struct CommandRun {
    let code: Int32
    let output: String
    let errors: String

    /// The last line of output as JSON, for runs with `--json`.
    func json() throws -> JSONTree {
        guard let line = output.split(separator: "\n").last else { throw NoOutput(errors: errors) }
        return try Answer(line: Array(line.utf8)).root
    }
}

struct NoOutput: Error { let errors: String }

/// Runs `needletail` in `directory` to its end.
func needletail(_ arguments: String..., in directory: TemporaryDirectory, input: String? = nil, environment: [String: String] = [:]) throws -> CommandRun {
    try needletail(arguments, in: directory, input: input, environment: environment)
}

func needletail(_ arguments: [String], in directory: TemporaryDirectory, input: String? = nil, environment: [String: String] = [:]) throws -> CommandRun {
    let process = command(arguments, in: directory)
    process.environment = ProcessInfo.processInfo.environment.merging(environment) { _, new in new }
    let outputs = try TemporaryDirectory()
    process.standardOutput = try writable(outputs.file("out"))
    process.standardError = try writable(outputs.file("err"))
    if let input {
        try input.write(toFile: outputs.file("in"), atomically: false, encoding: .utf8)
        process.standardInput = FileHandle(forReadingAtPath: outputs.file("in"))
    } else {
        process.standardInput = FileHandle.nullDevice
    }
    try process.run()
    process.waitUntilExit()
    return CommandRun(
        code: process.terminationStatus, output: try String(contentsOfFile: outputs.file("out"), encoding: .utf8),
        errors: try String(contentsOfFile: outputs.file("err"), encoding: .utf8))
}

/// Runs `needletail` in `directory` and kills it after so long; false where it had come to its end before.
func killNeedletail(_ arguments: [String], in directory: TemporaryDirectory, afterMicroseconds delay: UInt32) throws -> Bool {
    let process = command(arguments, in: directory)
    process.standardOutput = FileHandle.nullDevice
    process.standardError = FileHandle.nullDevice
    process.standardInput = FileHandle.nullDevice
    try process.run()
    usleep(delay)
    _ = kill(process.processIdentifier, SIGKILL)
    process.waitUntilExit()
    return process.terminationReason == .uncaughtSignal
}

private func command(_ arguments: [String], in directory: TemporaryDirectory) -> Process {
    // Sound: Bundle.main is the test runner, which the build puts beside the command.
    guard let runner = Bundle.main.executableURL else { preconditionFailure("the test runner is a file") }
    let process = Process()
    process.executableURL = runner.deletingLastPathComponent().appending(path: "needletail")
    process.arguments = arguments
    process.currentDirectoryURL = URL(filePath: directory.path)
    return process
}

private func writable(_ path: String) throws -> FileHandle {
    _ = FileManager.default.createFile(atPath: path, contents: nil)
    return try FileHandle(forWritingTo: URL(filePath: path))
}

/// The repository's own folder, from where this file lies in it.
let repository = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().path
