// `needletail load --offline`: the same load without a daemon, whole at its end and never damaged before.
import Foundation
import Memory
import Testing
import TestSupport
import Wire

@Suite struct OfflineLoadTests {
    let directory: TemporaryDirectory
    var data: String { directory.file("data") }

    init() throws { directory = try TemporaryDirectory() }

    private static func row(_ number: Int, text: String = "text") -> String {
        #"{"id":"d\#(number)","vector":[\#(number),1],"text":"\#(text) \#(number)","n":\#(number)}"#
    }

    private static let shape = ["--create", "--dim", "2", "--metric", "l2", "--field", "n=int"]

    private func loadOffline(_ rows: [String], _ more: String...) throws -> CommandRun {
        try needletail(["load", "-", "--collection", "c", "--offline", data] + Self.shape + more, in: directory, input: rows.joined(separator: "\n"))
    }

    /// What a daemon that opens the directory says to one request.
    private func ask(_ request: String) throws -> JSONTree {
        let daemon = try DaemonProcess(data: data)
        return try Answer(line: Array(daemon.connect().ask(request).utf8)).root
    }

    @Test func `what was loaded offline is served and found, and a second load adds to it and replaces`() throws {
        let first = try loadOffline((0..<300).map { Self.row($0) })
        #expect(first.code == 0, "\(first.errors)")
        let lines = first.output.split(separator: "\n")
        #expect(lines.count == 2 && lines[0].hasPrefix("loaded 300 documents, 300 chunks in "), "\(first.output)")
        #expect(lines[1].hasPrefix("load ") && lines[1].contains(" on disk in 1 segment with 0 indexes"), "\(first.output)")
        let second = try loadOffline((250..<400).map { Self.row($0, text: $0 < 280 ? "text" : "new") }, "--json", "--memory-mib", "0.005").json()
        #expect(second["inserted"]?.int == 100 && second["replaced"]?.int == 20 && second["unchanged"]?.int == 30)
        #expect(second["segments"]?.int == 2 && second["phase_seconds"]?["index"]?.double != nil)

        let verified = try needletail("verify", data, "--json", in: directory).json()
        #expect(verified["sound"]?.bool == true && verified["documents"]?.int == 400 && verified["records"]?.int == 0)
        let found = try ask(#"{"id":1,"op":"search","collection":"c","vector":[290,1],"k":1,"filter":{"n":{"$gte":0}}}"#)
        let hit = found["hits"]?.array.first
        #expect(hit?["document"]?.string == "d290" && hit?["text"]?.string == "new 290")
    }

    @Test func `every kind of input gives the collection that a daemon makes of it`() throws {
        let numbers: [Float] = (0..<90).map { Float($0 % 7) + 0.5 }
        try Data(numbers.flatMap { number in (0..<4).map { UInt8(truncatingIfNeeded: number.bitPattern >> (8 * $0)) } }).write(to: URL(filePath: directory.file("v.f32")))
        var rows = (0..<29).map { #"{"id":"r\#($0 % 20)","text":"row \#($0)","n":\#($0)}"# }
        rows.insert(contentsOf: ["not json", #"{"id":"","vector":[1,2,3]}"#, #"{"id":"x","vector":[1,2]}"#, #"{"id":"y","n":"seven"}"#], at: 7)
        try rows.map { $0.replacing(#""text""#, with: #""vector":[1,2,\#($0.count)],"text""#) }.joined(separator: "\n").write(
            toFile: directory.file("bad.jsonl"), atomically: false, encoding: .utf8)
        try (rows.filter { $0.hasPrefix(#"{"id":"r"#) } + [#"{"id":"last"}"#]).joined(separator: "\n").write(
            toFile: directory.file("paired.jsonl"), atomically: false, encoding: .utf8)
        let loads = [
            ["v.f32", "--dim", "3", "--collection", "raw", "--metric", "dot", "--index", "flat"],
            ["bad.jsonl", "--dim", "3", "--collection", "bad", "--field", "n=int"],
            ["paired.jsonl", "--vectors", "v.f32", "--dim", "3", "--collection", "paired"],
            [repository + "/tools/sample/company", "--collection", "tree", "--embed", "--field", "team=keyword", "--id-prefix", "p:"],
        ]
        let daemon = try DaemonProcess(data: directory.file("other"))
        for load in loads {
            let online = try needletail(["load"] + load + ["--create", "--json", "--rejects", "online", "--port", "\(daemon.port)"], in: directory)
            let offline = try needletail(["load"] + load + ["--create", "--json", "--rejects", "offline", "--offline", data], in: directory)
            #expect(online.code == 0 && offline.code == 0, "\(load): \(online.errors) \(offline.errors)")
            for key in ["documents", "chunks", "inserted", "replaced", "unchanged", "rejected", "skipped", "without_vector"] {
                #expect(try online.json()[key] == offline.json()[key], "\(load): \(key)")
            }
        }
        func rejected(_ name: String) throws -> [String] {
            try String(contentsOfFile: directory.file(name), encoding: .utf8).split(separator: "\n").map(String.init).sorted()
        }
        // Each file is in its own batches' order, and the reasons name places in those.
        #expect(try rejected("online").count == rejected("offline").count && rejected("offline").count >= 4)
        #expect(try rejected("online") == rejected("offline"))

        let offline = try DaemonProcess(data: data)
        for collection in ["raw", "bad", "paired", "tree"] {
            let vector = collection == "tree" ? "[\((0..<256).map { "\(Float($0 % 5) - 2)" }.joined(separator: ","))]" : "[1,2,3]"
            let question = #"{"id":1,"op":"search","collection":"\#(collection)","vector":\#(vector),"k":20}"#
            let answers = try [daemon, offline].map { try Answer(line: Array($0.connect().ask(question).utf8)).root["hits"] }
            #expect(answers[0] == answers[1] && answers[0]?.array.isEmpty == false, "\(collection)")
            let described = try [daemon, offline].map { try needletail("describe", collection, "--json", "--port", "\($0.port)", in: directory).json()["collection"] }
            for key in ["documents", "folders", "chunks", "spaces", "fields"] { #expect(described[0]?[key] == described[1]?[key], "\(collection): \(key)") }
        }
    }

    @Test func `large loads get their indexes, on as many threads as are wanted`() throws {
        let loaded = try loadOffline((0..<2500).map { Self.row($0) }, "--json", "--threads", "2")
        #expect(loaded.code == 0, "\(loaded.errors)")
        #expect(try loaded.json()["indexes"]?.int == 1)
        let found = try ask(#"{"id":1,"op":"search","collection":"c","vector":[1234,1],"k":1}"#)
        #expect(found["hits"]?.array.first?["document"]?.string == "d1234")
    }

    @Test func `a directory that a daemon holds is refused, and an address beside a directory`() throws {
        let daemon = try DaemonProcess(data: data)
        let held = try loadOffline([Self.row(1)])
        #expect(held.code == 1 && held.errors.hasPrefix("Error: another process holds the database in \(data): load through its daemon"), "\(held.errors)")
        #expect(try needletail("describe", "--json", "--port", "\(daemon.port)", in: directory).json()["collections"]?.array.isEmpty == true)
        for more in [["--port", "\(daemon.port)"], ["--host", "127.0.0.1"], ["--connections", "2"]] {
            let both = try needletail(["load", "-", "--collection", "c", "--offline", directory.file("new")] + more, in: directory, input: Self.row(1))
            #expect(both.code == 2 && both.errors.contains("give one of the two"), "\(both.errors)")
        }
        #expect(try needletail("load", "-", "--collection", "c", "--threads", "2", in: directory, input: "").errors.contains("are for --offline"))
        #expect(!FileManager.default.fileExists(atPath: directory.file("new")))
    }

    @Test func `a directory of another version is refused and left as it is`() throws {
        #expect(try loadOffline([Self.row(1)]).code == 0)
        let name = try #require(FileManager.default.contentsOfDirectory(atPath: data).first { $0.hasPrefix("manifest") })
        let file = URL(filePath: data + "/" + name)
        var bytes = [UInt8](try Data(contentsOf: file))
        bytes[8] = 99
        let checksum = Checksum.of(Array(bytes[..<60]).rawSpan)
        for place in 0..<4 { bytes[60 + place] = UInt8(truncatingIfNeeded: checksum >> (8 * place)) }
        try Data(bytes).write(to: file)
        let refused = try loadOffline([Self.row(2)])
        #expect(refused.code == 1 && refused.errors.hasPrefix("Error: cannot open the database in \(data): ") && refused.errors.contains("found 99"), "\(refused.errors)")
        #expect([UInt8](try Data(contentsOf: file)) == bytes)
    }

    @Test func `what goes wrong is told as with a daemon, and what came before it is stored`() throws {
        let absent = try needletail("load", "-", "--collection", "c", "--offline", data, in: directory, input: Self.row(1))
        #expect(absent.code == 1 && absent.errors.hasPrefix("Error: unknown_collection (collection): there is no collection \"c\""), "\(absent.errors)")
        let shape = try needletail(["load", "-", "--collection", "c", "--create", "--dim", "2", "--index", "tree", "--offline", data], in: directory, input: "")
        #expect(shape.code == 1 && shape.errors.contains("one of auto, hnsw, ivf, flat"), "\(shape.errors)")
        // 1,000 rows and a half.
        try Data(count: 1000 * 12 + 5).write(to: URL(filePath: directory.file("cut.f32")))
        let cut = try needletail(
            "load", "cut.f32", "--dim", "3", "--metric", "l2", "--collection", "cut", "--create", "--batch", "100", "--offline", data, in: directory)
        #expect(cut.code == 1 && cut.errors.contains("stopped after 1,000 documents were stored") && cut.errors.contains("cut short"), "\(cut.errors)")
        #expect(try ask(#"{"id":1,"op":"count","collection":"cut"}"#)["documents"]?.int == 1000)
    }

    @Test func `a load that is killed leaves what was there and a beginning of what was loaded`() throws {
        let seed = TestSeed(81)
        var random = seed.random
        #expect(try loadOffline((-10..<0).map { Self.row($0) }, "--index", "flat").code == 0)
        let count = 6000
        try (0..<count).map { Self.row($0) }.joined(separator: "\n").write(toFile: directory.file("rows.jsonl"), atomically: false, encoding: .utf8)
        let base = directory.file("base")
        try FileManager.default.moveItem(atPath: data, toPath: base)
        let arguments = ["load", "rows.jsonl", "--collection", "c", "--batch", "50", "--memory-mib", "0.03", "--offline", data]
        try FileManager.default.copyItem(atPath: base, toPath: data)
        let start = ContinuousClock.now
        #expect(try needletail(arguments, in: directory).code == 0)
        let whole = UInt32((ContinuousClock.now - start) / .microseconds(1))
        var counts: Set<Int> = []
        for attempt in 0..<12 {
            try FileManager.default.removeItem(atPath: data)
            try FileManager.default.copyItem(atPath: base, toPath: data)
            let delay = UInt32.random(in: 0..<whole, using: &random)
            _ = try killNeedletail(arguments, in: directory, afterMicroseconds: delay)
            let comment: Comment = "attempt \(attempt), killed after \(delay) us, \(seed)"
            let verified = try needletail("verify", data, "--json", in: directory).json()
            #expect(verified["sound"]?.bool == true, comment)
            let found = try #require(verified["documents"]?.int) - 10
            counts.insert(found)
            let below = try ask(#"{"id":1,"op":"count","collection":"c","filter":{"n":{"$lt":\#(found)}}}"#)
            #expect(below["documents"]?.int == found + 10, comment)
        }
        // Some of the kills came between the first checkpoint and the last.
        #expect(counts.contains { $0 > 0 && $0 < count }, "\(counts), \(seed)")
    }
}
