// How a command of this project ends: 0 done, 1 failed, 2 used wrongly.
#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif
package import ArgumentParser

extension AsyncParsableCommand {
    /// Parses the command line, runs what it says, and ends the process.
    package static func runToExit() async -> Never {
        do {
            var command = try parseAsRoot()
            if var asynchronous = command as? any AsyncParsableCommand {
                try await asynchronous.run()
            } else {
                try command.run()
            }
            Glibc.exit(0)
        } catch {
            // The argument parser's own code for wrong usage is 64 (sysexits); scripts know 2.
            let code = exitCode(for: error)
            let text = fullMessage(for: error)
            if !text.isEmpty {
                if code == .success { print(text) } else { printError(text) }
            }
            Glibc.exit(code == .validationFailure ? 2 : code.rawValue)
        }
    }
}

/// For what is not the answer itself: errors, progress and notes.
package func printError(_ text: String, terminator: String = "\n") {
    var line = text + terminator
    line.withUTF8 { bytes in
        // Sound: written before the closure ends. A terminal that is gone is no reason to stop working.
        _ = unsafe write(STDERR_FILENO, bytes.baseAddress, bytes.count)
    }
}
