// The real daemon with system calls that go wrong below it: short, interrupted, and syncs that fail or lie.
import Foundation
import Testing
import TestSupport
import Wire

@Suite(.enabled(if: SystemCallFaults.isPossible, "the faults are written in C"))
struct SystemCallTests {
    @Test func `with every call interrupted and every read and write short, all is as ever`() throws {
        let seed = TestSeed(91)
        var random = seed.random
        let directory = try TemporaryDirectory()
        let faults = try SystemCallFaults(in: directory).environment("SHORT")
        let served = try ServedDatabase(at: directory.file("db"), in: directory, environment: faults)
        var load = try InterruptedLoad(served, lanes: 2)
        for round in 0..<5 {
            try load.run(steps: 200, &random)
            let end = try served.daemon.stop()
            #expect(end.code == 0 && end.log.contains("injected: short and interrupted calls"), "\(end.log)")
            // What was written with faults is read without them, and the other way round.
            try load.restartAndCheck("round \(round), \(seed)", environment: round % 2 == 0 ? [:] : faults)
            if round % 2 == 0 {
                #expect(try served.daemon.stop().code == 0)
                try load.restartAndCheck("round \(round), read with faults, \(seed)", environment: faults)
            }
        }
        #expect(load.tally.acknowledged > 200, "\(load.tally)")
    }

    @Test(arguments: [1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 30])
    func `when a sync fails, a write in flight is in doubt, later ones are refused, and reads go on`(failing: Int) throws {
        let directory = try TemporaryDirectory()
        let faults = try SystemCallFaults(in: directory).environment("FAILING_SYNC", failing)
        let served: ServedDatabase
        // Syncs are counted, and the audit log's would be among them.
        do { served = try ServedDatabase(at: directory.file("db"), in: directory, ["--audit", "off"], environment: faults) } catch {
            // The first syncs are those of the manifest and of the reserve: a database whose disk fails so early does not open.
            #expect(failing < 6 && "\(error)".contains("fdatasync"), "\(error)")
            let served = try ServedDatabase(at: directory.file("db"), in: directory)
            #expect(try served.daemon.connect().ok(#"{"id":1,"op":"collection.list"}"#).root["collections"]?.array.isEmpty == true)
            return
        }
        var documents = NumberedDocuments(try served.daemon.connect())
        var failure = try documents.connection.answer(#"{"id":1,"op":"collection.create","name":"kb","dim":2,"metric":"cosine"}"#).failure
        let isMade = failure == nil
        for _ in 0..<failing where failure == nil { failure = try documents.write() }
        // A sync of the manifest comes before anything of the write: then it is refused, and certainly not there.
        let code = try #require(failure).code
        #expect(code == "outcome_unknown" || code == "read_only", "\(String(describing: failure))")
        #expect(failure?.retry == "never")
        // That sync would succeed if it were tried again, and say nothing of what the first one lost.
        for _ in 0..<3 { #expect(try documents.write()?.code == (isMade ? "read_only" : "unknown_collection")) }
        if isMade {
            for id in ["0", "\(documents.acknowledged)", "none"] {
                // The one in doubt is not there now, and may be after the restart: not even nothing can be deleted.
                #expect(try documents.connection.failure(#"{"id":1,"op":"delete","collection":"kb","ids":["\#(id)"]}"#).code == "read_only")
            }
            #expect(try documents.found() == Array(0..<documents.acknowledged), "reads go on, and show what was acknowledged")
        }
        let end = try served.daemon.stop()
        #expect(end.log.contains("injected: a failing sync"), "\(end.log)")

        try served.start()
        documents.connection = try served.daemon.connect()
        guard isMade else { return }
        let found = try documents.found()
        #expect(found == Array(0..<documents.acknowledged) || code == "outcome_unknown" && found == Array(0...documents.acknowledged), "\(found)")
        #expect(try documents.write() == nil)
    }

    @Test(.enabled(if: CuttableFileSystem.isPossible, "mounting ext4 on a loop device takes root"))
    func `syncs that lie lose acknowledged writes to a power cut, which the test of power cuts sees`() throws {
        // Nothing can be done about such a device; but a test that did not see it would see no missing sync either.
        let disk = try CuttableFileSystem(megabytes: 64)
        let faults = try SystemCallFaults(in: disk.directory).environment("LYING_SYNC")
        let served = try ServedDatabase(at: disk.file("db"), in: disk.directory, environment: faults)
        var load = try InterruptedLoad(served, lanes: 2)
        var random = SeededRandom(seed: 92)
        try load.run(steps: 100, &random)
        try disk.cutPower()
        served.daemon.kill()
        try disk.restorePower()
        #expect(throws: (any Error).self) { try load.restartAndCheck("after lies", diskFailed: true) }
    }
}

/// One document a write, with its number for an id and for its text.
private struct NumberedDocuments {
    var connection: LineConnection
    private var sent = 0
    private(set) var acknowledged = 0

    init(_ connection: LineConnection) { self.connection = connection }

    /// Writes the next document; returns what was wrong.
    mutating func write() throws -> WireError? {
        let request = #"{"id":1,"op":"upsert","collection":"kb","records":[{"id":"\#(sent)","vector":[1,2],"text":"\#(sent)"}]}"#
        let failure = try connection.answer(request).failure
        sent += 1
        if failure == nil { acknowledged += 1 }
        return failure
    }

    /// The numbers of those that are there, each with its own text.
    func found() throws -> [Int] {
        let ids = (0..<sent).map { "\"\($0)\"" }.joined(separator: ",")
        let documents = try connection.ok(#"{"id":1,"op":"get","collection":"kb","ids":[\#(ids)]}"#).root["documents"]?.array ?? []
        return try documents.map { document in
            let id = try #require(document["id"]?.string)
            #expect(document["chunks"]?.array.first?["text"]?.string == id)
            return try #require(Int(id))
        }
    }
}

/// The faults as a library, for a daemon to be started with.
private struct SystemCallFaults {
    private let library: String

    /// Compiles it into a directory that is there for as long as daemons are started with it.
    init(in directory: TemporaryDirectory) throws {
        library = directory.file("faults.so")
        let source = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "SystemCalls/faults.c").path
        try SystemCommand.run("clang", "-O1", "-Wall", "-Werror", "-shared", "-fPIC", source, "-o", library, "-ldl")
    }

    func environment(_ fault: String, _ value: Int = 1) -> [String: String] {
        ["LD_PRELOAD": library, "NEEDLETAIL_\(fault)": "\(value)"]
    }

    /// Printed with the reason where not.
    static let isPossible: Bool = {
        do {
            let directory = try TemporaryDirectory()
            _ = try SystemCallFaults(in: directory)
            return true
        } catch {
            print("tests of system calls that go wrong are skipped: \(error)")
            return false
        }
    }()
}
