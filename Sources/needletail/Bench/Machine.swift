// Where and when something was measured.
import Foundation

enum Machine {
    /// Processor and how many of them.
    static let description: String = {
        let processors = "\(ProcessInfo.processInfo.processorCount) processors"
        do {
            let lines = try String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8).split(separator: "\n")
            guard let model = lines.first(where: { $0.hasPrefix("model name") })?.split(separator: ":").last else { return processors }
            return model.trimmingCharacters(in: .whitespaces) + ", " + processors
        } catch {
            // Only Linux tells it there.
            return processors
        }
    }()

    /// The commit of the directory the command is run in; nil outside of a repository.
    static let commit: String? = {
        do {
            let text = String(decoding: try LineProcess("/usr/bin/git", ["describe", "--always", "--dirty"]).rest(), as: UTF8.self)
            return text.isEmpty ? nil : text.trimmingCharacters(in: .whitespacesAndNewlines)
        } catch {
            // No git, no commit.
            return nil
        }
    }()

    /// Of the last minute: processes that want a processor.
    static var load: Double {
        var load = 0.0
        // Sound: one number is asked for, and there is room for one.
        return unsafe getloadavg(&load, 1) == 1 ? load : 0
    }
}
