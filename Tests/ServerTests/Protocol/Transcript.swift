// A conversation as a file: what is said and what must be answered, a step a line (see proto/protocol.md).
import Foundation
import Wire

/// Where the protocol's own files are.
enum ProtocolFiles {
    static let directory = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../../proto").standardizedFileURL

    static func text(_ name: String) throws -> String { try String(contentsOf: directory.appending(path: name), encoding: .utf8) }

    /// The names in a subdirectory, sorted.
    static func names(in folder: String) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: directory.appending(path: folder).path).sorted()
    }
}

enum TranscriptStep {
    case note
    /// A line, and the request it is, where it was given as one.
    case send(String, request: JSONTree?)
    case sendBytes([UInt8])
    case expect(JSONTree)
    case finishSending, expectClosed, restart
    /// What the daemon is started with; it stands before anything is sent.
    case authentication(String)
}

struct Transcript {
    /// Each with its line number.
    let steps: [(number: Int, step: TranscriptStep)]

    init(_ name: String) throws {
        let lines = try ProtocolFiles.text("transcripts/\(name)").split(separator: "\n", omittingEmptySubsequences: true)
        steps = try lines.enumerated().map { index, line in (index + 1, try Self.step(String(line), "\(name):\(index + 1)")) }
    }

    /// What the daemon is to be started with, where the transcript says so.
    var authentication: String? {
        for case (_, .authentication(let text)) in steps { return text }
        return nil
    }

    private static func step(_ line: String, _ place: String) throws -> TranscriptStep {
        let root = try Answer(line: Array(line.utf8)).root
        guard root.object.count == 1, let (kind, value) = root.object.first else { throw TranscriptError(description: "\(place): one member a step") }
        switch (kind, value) {
        case ("note", .string): return .note
        // The text as it stands: what is sent is what the file shows, to the byte.
        case ("send", .object): return .send(String(line.dropFirst(#"{"send":"#.count).dropLast()), request: value)
        case ("send_raw", .string(let text)): return .send(text, request: nil)
        case ("send_base64", .string(let text)):
            guard let data = Data(base64Encoded: text) else { throw TranscriptError(description: "\(place): not base64") }
            return .sendBytes(Array(data))
        case ("expect", .object): return .expect(value)
        case ("authentication", .object): return .authentication(String(line.dropFirst(#"{"authentication":"#.count).dropLast()))
        case ("finish_sending", .bool(true)): return .finishSending
        case ("expect_closed", .bool(true)): return .expectClosed
        case ("restart", .bool(true)): return .restart
        default: throw TranscriptError(description: "\(place): \"\(kind)\" is no step")
        }
    }
}

struct TranscriptError: Error, CustomStringConvertible {
    var description: String
}

extension JSONTree {
    /// Where and how this differs from what was expected; nil where it does not.
    func difference(from expected: JSONTree, at path: String = "answer") -> String? {
        switch (expected, self) {
        case (.string("<any>"), _), (.string("<int>"), .integer), (.string("<string>"), .string): return nil
        case (.object(let expected), .object(let members)):
            if let missing = expected.keys.sorted().first(where: { members[$0] == nil }) { return "\(path) has no \"\(missing)\"" }
            if let more = members.keys.sorted().first(where: { expected[$0] == nil }) { return "\(path) has \"\(more)\" as well" }
            for (key, value) in members.sorted(by: { $0.key < $1.key }) {
                if let difference = value.difference(from: expected[key] ?? .null, at: "\(path).\(key)") { return difference }
            }
            return nil
        case (.array(let expected), .array(let elements)):
            guard expected.count == elements.count else { return "\(path) has \(elements.count) elements, not \(expected.count)" }
            for (index, (expected, element)) in zip(expected, elements).enumerated() {
                if let difference = element.difference(from: expected, at: "\(path)[\(index)]") { return difference }
            }
            return nil
        default: return self == expected ? nil : "\(path) is \(self), not \(expected)"
        }
    }
}
