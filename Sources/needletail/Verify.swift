// needletail verify, restore: directories that no daemon uses.
import ArgumentParser
import Engine
import Memory
import Storage
import Wire

struct Verify: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Read everything in a database's directory again, and say what is damaged.",
        discussion: "The directory is not changed, and no daemon may be using it. Exit code 1 where anything is damaged.")

    @Argument(help: "The database's directory.")
    var directory: String

    @Flag(help: "Print one JSON object.")
    var json = false

    func run() async throws {
        let report = try Database.verify(try FileSystemDisk(reading: directory))
        if json { print(report.json) } else { report.show(directory) }
        if !report.isSound { throw ExitCode.failure }
    }
}

struct RestoreArchive: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "restore",
        abstract: "Make a database of a snapshot's archive.",
        discussion: """
            DIR must not exist or be empty. Everything is written beside it and verified there first: if anything is wrong, DIR is left as it is.

            needletail restore monday.zst --data ./restored
            needletail restore tuesday.zst --base monday.zst --data ./restored

            A snapshot that holds rights is restored with those of a newer database, which must not be in use, or by name with its own, though some of
            these may have been withdrawn since:

            needletail restore monday.zst --data ./restored --rights-from ./data
            needletail restore monday.zst --data ./restored --rights-of monday
            """)

    @Argument(help: "The archive, as snapshot export wrote it.")
    var archive: String

    @Option(help: "The directory to restore into.")
    var data: String

    @Option(name: .customLong("base"), help: "An archive that an incremental one goes on from. Again for more, in any order.")
    var bases: [String] = []

    @Option(help: "The directory of a newer database, whose rights are to be in force.")
    var rightsFrom: String?

    @Option(help: "The snapshot's name, where its own rights are to be in force again.")
    var rightsOf: String?

    @Flag(help: "Print one JSON object.")
    var json = false

    func validate() throws {
        guard rightsFrom == nil || rightsOf == nil else { throw ValidationError("give --rights-from or --rights-of, not both") }
    }

    private func rights() throws -> RestoredRights {
        if let rightsFrom { return .newer(try FileSystemDisk(path: rightsFrom)) }
        return rightsOf.map { .ofSnapshot(named: $0) } ?? .unsaid
    }

    func run() async throws {
        let restored = try Database.restore(
            try FileSystemDisk.openFile(reading: archive), bases: try bases.map { try FileSystemDisk.openFile(reading: $0) }, to: data, rights: try rights())
        let report = restored.report
        if json {
            var line = JSONWriter()
            line.beginObject()
            line.member("snapshot", restored.snapshot)
            line.member("seq", restored.sequence)
            line.member("documents", report.documents)
            line.member("chunks", report.chunks)
            line.member("files", report.files)
            line.member("bytes", report.bytes)
            line.endObject()
            print(line.text)
        } else {
            print("restored \(restored.snapshot) at sequence \(restored.sequence.grouped) into \(data): \(report.documents.counted("document")), \(report.chunks.counted("chunk"))")
            print("\(report.files.counted("file")), \(report.bytes.bytesShown), all verified")
        }
    }
}

extension VerificationReport {
    fileprivate func show(_ directory: String) {
        print(isSound ? "\(directory) is sound, up to sequence \(sequence.grouped)" : "\(directory) is DAMAGED: \(problems.count.counted("problem"))")
        for problem in problems { print("  \(problem.file), byte \(problem.offset): expected \(problem.expected)") }
        print("read \(files.counted("file")), \(bytes.bytesShown): \(documents.counted("document")), \(chunks.counted("chunk")), \(records.counted("record")) of log")
        for note in notes { print("note: \(note)") }
    }

    fileprivate var json: String {
        var line = JSONWriter()
        line.beginObject()
        line.key("sound")
        line.bool(isSound)
        line.member("seq", sequence)
        line.member("files", files)
        line.member("bytes", bytes)
        line.member("documents", documents)
        line.member("chunks", chunks)
        line.member("records", records)
        line.objects("problems", problems) { (line, problem) in
            line.member("file", problem.file)
            line.member("offset", problem.offset)
            line.member("expected", problem.expected)
        }
        line.key("notes")
        line.beginArray()
        for note in notes { line.string(note) }
        line.endArray()
        line.endObject()
        return line.text
    }
}

extension JSONWriter {
    mutating func member(_ key: StaticString, _ text: String) {
        self.key(key)
        string(text)
    }

    mutating func member(_ key: StaticString, _ value: Int) {
        self.key(key)
        int(value)
    }

    mutating func member(_ key: StaticString, _ value: UInt64) {
        self.key(key)
        int(value)
    }

    mutating func objects<Element>(_ key: StaticString, _ elements: [Element], _ members: (inout JSONWriter, Element) -> Void) {
        self.key(key)
        beginArray()
        for element in elements {
            beginObject()
            members(&self, element)
            endObject()
        }
        endArray()
    }

    var text: String { String(decoding: finish(), as: UTF8.self) }
}
