// needletail audit verify, query: the log of who received what.
import ArgumentParser
import Engine
import Foundation
import Memory
import Storage
import Wire

struct AuditCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "audit", abstract: "Verify the log of who received what, and ask it.", subcommands: [Verify.self, Query.self])

    struct Verify: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Read an audit log again, and hold every record against the one before it.",
            discussion: """
                Whether a daemon is writing to it or not; nothing is changed. Keep the head hash elsewhere: --expect then tells later whether
                everything up to there is still what it was. Exit code 1 where the chain does not hold.
                """)

        @Argument(help: "The database's directory, or the folder audit in it.")
        var directory: String

        @Option(help: "A head hash noted earlier, which must be part of the chain.")
        var expect: AuditHash?

        @Flag(help: "Print one JSON object.")
        var json = false

        func run() async throws {
            let found = try await verify()
            guard found.files > 0 else { throw CommandFailure(description: "there is no audit log in \(directory)") }
            if json { print(found.json) } else { found.show(directory) }
            if !found.isSound { throw ExitCode.failure }
        }

        /// Once more where the end of the last file is being written at this moment.
        private func verify() async throws -> AuditVerification {
            let inside = directory + "/" + AuditLog.directoryName
            let disk = try FileSystemDisk(reading: FileManager.default.fileExists(atPath: inside) ? inside : directory)
            var found = try AuditLog.verify(disk, expecting: expect)
            for _ in 0..<Self.triesMax where found.isAtEnd {
                try await Task.sleep(for: .milliseconds(100))
                found = try AuditLog.verify(disk, expecting: expect)
            }
            return found
        }

        private static let triesMax = 5
    }

    struct Query: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show who received what, the newest first.",
            discussion: """
                needletail audit query --document handbook/pay.md --from 2026-11-01
                needletail audit query --user user:ana --limit 20 --json
                """)

        @Option(help: "A document's id: answers that named it, and reads of it that were refused.")
        var document: String?

        @Option(help: "A user, as in user:ana.")
        var user: String?

        @Option(help: "An agent, as in agent:weekly.")
        var agent: String?

        @Option(help: "A collection.")
        var collection: String?

        @Option(help: "A time: from then on. RFC 3339, a date, or Unix milliseconds.")
        var from: String?

        @Option(help: "A time: before then.")
        var to: String?

        @Option(help: "Only records of lower numbers: goes on where an earlier answer ended.")
        var before: Int?

        @Option(help: "How many records at most, up to 1000.")
        var limit = AuditQuery.limitUsual

        @OptionGroup var connection: ConnectionOptions

        func run() async throws {
            try await connection.ask("audit.query") { request in
                request.string("document", document)
                request.string("user", user)
                request.string("agent", agent)
                request.string("collection", collection)
                request.time("from", from)
                request.time("to", to)
                request.int("before", before)
                request.int("limit", limit)
            } show: { root in show(root) }
        }

        private func show(_ root: JSONTree) {
            var table = Table(["record", "time", "who", "what", "collection", "seq", "outcome", "items"], alignsRight: [0, 5])
            for entry in root["entries"]?.array ?? [] { table.add(row(of: entry)) }
            table.show()
            if root["more"]?.bool == true, let last = root["entries"]?.array.last { print("there are older ones: --before \(last["record"]?.int ?? 0)") }
            if let damage = root["incomplete"] {
                print("DAMAGED: \(damage["file"]?.string ?? ""), byte \(damage["offset"]?.int ?? 0): expected \(damage["expected"]?.string ?? ""); what lies behind it in the file could not be read")
            }
        }

        private func row(of entry: JSONTree) -> [String] {
            let start = [(entry["record"]?.int ?? 0).grouped, entry["time"]?.string ?? ""]
            guard entry["event"]?.string == "read" else {
                let what = entry["event"]?.string ?? ""
                let detail = entry["count"]?.int.map { $0.counted("read") } ?? entry["note"]?.string ?? ""
                return start + ["", what, "", "", "", detail]
            }
            let who = [entry["user"]?.string, entry["agent"]?.string].compactMap { $0 }.joined(separator: " by ")
            let items = (entry["items"]?.array ?? []).map { item in
                let grade = item["grade"]?.string ?? ""
                return (item["document"]?.string ?? "") + (item["chunk"]?.int.map { "#\($0)" } ?? "") + (grade == "read" ? "" : " (\(grade))")
            }
            let shown = items.prefix(3).joined(separator: ", ") + (items.count > 3 ? " and \(items.count - 3) more" : "")
            return start + [
                who.isEmpty ? "connection \(entry["connection"]?.int ?? 0)" : who, entry["op"]?.string ?? "", entry["collection"]?.string ?? "",
                entry.count("seq"), entry["outcome"]?.string ?? "", shown,
            ]
        }
    }
}

extension AuditHash: ExpressibleByArgument {
    public init?(argument: String) { self.init(hexadecimal: argument) }
}

extension AuditVerification {
    fileprivate func show(_ directory: String) {
        print(firstBreak == nil ? "the audit log of \(directory) holds" : "the audit log of \(directory) is BROKEN")
        if let firstBreak {
            print("  \(firstBreak.file), byte \(firstBreak.offset): expected \(firstBreak.expected)")
            if isAtEnd { print("  it is the end of the log: torn by a crash or a full disk, or changed; the next start drops it and says so") }
        }
        if hasExpected == false { print("  the expected hash is NOT part of it") }
        if let first, let last {
            print("records \(first.number.grouped) to \(last.number.grouped), \(records.counted("record")), of \(first.timeShown) to \(last.timeShown)")
        }
        print("\(files.counted("file")), \(bytes.bytesShown)\(lost == 0 ? "" : "; \(lost.counted("read")) lost, as it says itself")")
        print("head \(head)")
    }

    fileprivate var json: String {
        var line = JSONWriter()
        line.beginObject()
        line.key("sound")
        line.bool(isSound)
        line.member("files", files)
        line.member("bytes", bytes)
        line.member("records", records)
        line.member("lost", lost)
        if let first { line.place("first", first) }
        if let last { line.place("last", last) }
        line.member("head", head.description)
        if let hasExpected {
            line.key("has_expected")
            line.bool(hasExpected)
        }
        if let firstBreak {
            line.key("break")
            line.beginObject()
            line.member("file", firstBreak.file)
            line.member("offset", firstBreak.offset)
            line.member("expected", firstBreak.expected)
            line.key("at_end")
            line.bool(isAtEnd)
            line.endObject()
        }
        line.endObject()
        return line.text
    }
}

extension AuditVerification.Place {
    fileprivate var timeShown: String { Timestamp.rfc3339(milliseconds: milliseconds) }
}

extension JSONWriter {
    fileprivate mutating func place(_ key: StaticString, _ place: AuditVerification.Place) {
        self.key(key)
        beginObject()
        member("record", place.number)
        member("time", place.timeShown)
        endObject()
    }
}
