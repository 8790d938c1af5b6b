// The command line as a person uses it, against the real daemon.
import Foundation
import Testing
import TestSupport
import Wire

@Suite struct CommandTests {
    let directory: TemporaryDirectory
    let daemon: DaemonProcess
    var port: String { "\(daemon.port)" }

    init() throws {
        directory = try TemporaryDirectory()
        daemon = try DaemonProcess(data: directory.file("data"))
    }

    @Test func `the sample is loaded, and its questions find the documents that answer them`() throws {
        let loaded = try needletail(
            "load", repository + "/tools/sample/company", "--collection", "sample", "--create", "--embed", "--field", "team=keyword",
            "--field", "owner=keyword", "--port", port, "--json", in: directory)
        #expect(loaded.code == 0, "\(loaded.errors)")
        let result = try loaded.json()
        #expect(result["rejected"]?.int == 0 && result["skipped"]?.int == 0 && result["without_vector"]?.int == 0)
        let chunks = try #require(result["chunks"]?.int)
        #expect((250...400).contains(chunks))

        var found = 0
        let questions = try String(contentsOfFile: repository + "/tools/sample/questions.jsonl", encoding: .utf8).split(separator: "\n")
        for line in questions {
            let question = try Answer(line: Array(line.utf8)).root
            let asked = try needletail("search", "sample", "--text", question["question"]?.string ?? "", "--k", "5", "--port", port, "--json", in: directory)
            let hits = try asked.json()["hits"]?.array ?? []
            #expect(hits.count == 5)
            if hits.contains(where: { $0["document"]?.string == question["document"]?.string }) { found += 1 }
        }
        // A bag of word pieces answers most of them, and a broken chunker or embedder hardly any.
        #expect(questions.count == 40 && found >= 34, "\(found) of \(questions.count)")
    }

    @Test func `what is there is listed, counted and walked`() throws {
        let loaded = try needletail(
            "load", repository + "/tools/sample/company", "--collection", "sample", "--create", "--embed", "--field", "team=keyword", "--port", port, "--json", in: directory)
        // Folders are among what was loaded.
        let nodes = try #require(try loaded.json()["documents"]?.int)
        let folders = try #require(try needletail("describe", "sample", "--port", port, "--json", in: directory).json()["collection"]?["folders"]?.int)
        let documents = nodes - folders
        func run(_ arguments: String...) throws -> String {
            let run = try needletail(arguments + ["--port", port], in: directory)
            #expect(run.code == 0, "\(run.errors)")
            return run.output
        }
        let counted = try needletail("count", "sample", "--port", port, "--json", in: directory).json()
        #expect(try run("count", "sample").hasPrefix("\(documents) documents, ") && counted["documents"]?.int == documents)
        let facet = try needletail("facet", "sample", "team", "--limit", "1", "--port", port, "--json", in: directory).json()
        let team = try #require(facet["values"]?.array.first?["value"]?.string)
        #expect(try run("facet", "sample", "team").contains(team))
        let some = try needletail("count", "sample", "--filter", "{\"team\":\"\(team)\"}", "--port", port, "--json", in: directory).json()
        #expect(some["documents"]?.int == facet["values"]?.array.first?["count"]?.int)
        #expect(try run("list", "sample", "--order-by", "id", "--limit", "3").contains("there are more: --cursor "))
        // Every line is a node, and whatever has others under it is followed by them.
        let lines = try run("nodes", "sample", "--depth", "9", "--limit", "1000").split(separator: "\n")
        #expect(lines.count == nodes)
        #expect(try needletail("nodes", "sample", "nowhere", "--port", port, in: directory).code == 1)
    }

    @Test func `loading the same folder again changes nothing`() throws {
        func load() throws -> CommandRun {
            try needletail("load", repository + "/tools/sample/company", "--collection", "sample", "--create", "--embed", "--port", port, "--json", in: directory)
        }
        _ = try load()
        let again = try load().json()
        #expect(again["inserted"]?.int == 0 && again["replaced"]?.int == 0)
        #expect(again["unchanged"]?.int == again["documents"]?.int)
    }

    @Test func `bad rows are rejected with line and reason, and the good ones go in`() throws {
        let rows = """
            {"id":"a","vector":[1,2],"text":"first"}
            {"id":"b","vector":[1],"text":"too short"}
            not json

            {"id":"c","vector":[0,0],"text":"no direction"}
            {"id":"d","vector":[3,4],"text":"last"}

            """
        try rows.write(toFile: directory.file("rows.jsonl"), atomically: false, encoding: .utf8)
        let loaded = try needletail("load", "rows.jsonl", "--collection", "c", "--create", "--port", port, "--json", in: directory)
        #expect(loaded.code == 0, "\(loaded.errors)")
        let result = try loaded.json()
        #expect(result["documents"]?.int == 2 && result["rejected"]?.int == 3)
        let rejects = try String(contentsOfFile: directory.file("rows.jsonl.rejected.jsonl"), encoding: .utf8)
        let lines = try rejects.split(separator: "\n").map { try Answer(line: Array($0.utf8)).root }
        #expect(Set(lines.compactMap { $0["line"]?.int }) == [2, 3, 5])
        #expect(lines.allSatisfy { $0["reason"]?.string?.isEmpty == false })
    }

    @Test func `a matrix beside JSONL gives each record its row`() throws {
        try #"{"id":"x","text":"one"}"#.appending("\n").appending(#"{"id":"y","text":"two"}"#).write(
            toFile: directory.file("r.jsonl"), atomically: false, encoding: .utf8)
        let one: [UInt8] = [0, 0, 0x80, 0x3F]
        let zero: [UInt8] = [0, 0, 0, 0]
        try Data(one + zero + zero + zero + one + zero).write(to: URL(filePath: directory.file("v.f32")))
        let loaded = try needletail("load", "r.jsonl", "--vectors", "v.f32", "--dim", "3", "--collection", "m", "--create", "--port", port, in: directory)
        #expect(loaded.code == 0, "\(loaded.errors)")
        #expect(loaded.output.hasPrefix("loaded 2 documents, 2 chunks in "))
        let hits = try needletail("search", "m", "--vector", "[0,1,0]", "--k", "1", "--port", port, "--json", in: directory).json()["hits"]
        #expect(hits?.array.first?["document"]?.string == "y" && hits?.array.first?["text"]?.string == "two")
    }

    @Test func `create, describe, get and status speak to people and to machines`() throws {
        #expect(try needletail("create", "c", "--dim", "2", "--metric", "l2", "--field", "n=int", "--port", port, in: directory).output == "created c: 2 dimensions, l2\n")
        let piped = try needletail(
            "load", "-", "--collection", "c", "--port", port, in: directory, input: #"{"id":"a","vector":[1,2],"text":"hello","n":7}"#)
        #expect(piped.code == 0, "\(piped.errors)")
        let described = try needletail("describe", "c", "--port", port, in: directory).output
        #expect(described.contains("c: 1 documents, 1 chunks") && described.contains("default 2 l2") && described.contains("n int"))
        #expect(try needletail("create", "e", "--dim", "3", "--index", "hnsw", "--quantization", "int8", "--port", port, in: directory).code == 0)
        #expect(try needletail("describe", "e", "--port", port, in: directory).output.contains("default 3 cosine hnsw int8"))
        #expect(try needletail("create", "f", "--dim", "3", "--index", "tree", "--port", port, in: directory).errors.contains("one of auto, hnsw, ivf, flat"))
        #expect(try needletail("describe", "--port", port, in: directory).output.contains("collection"))
        let got = try needletail("get", "c", "a", "nobody", "--port", port, in: directory).output
        #expect(got.contains("n: 7") && got.contains("hello") && got.contains("nobody: not there"))
        #expect(try needletail("status", "--port", port, "--json", in: directory).json()["seq"]?.int == 3)
        for effort in ["--recall=0.9", "--effort=40", "--exact"] {
            let found = try needletail("search", "c", "--vector", "[1,2]", effort, "--port", port, in: directory)
            #expect(found.code == 0 && found.output.contains(" us, exact, at sequence 3"), "\(effort): \(found.errors)")
        }
        #expect(try needletail("search", "c", "--vector", "[1,2]", "--recall", "0.9", "--exact", "--port", port, in: directory).errors.contains("one of recall, effort and exact"))
        #expect(try needletail("search", "c", "--vector", "[1,2]", "--filter", #"{"n":{"$gte":8}}"#, "--port", port, in: directory).output.hasPrefix("nothing found"))
    }

    @Test func `whoever runs a daemon flushes, optimizes, takes snapshots and sees how it is doing`() throws {
        _ = try needletail("create", "c", "--dim", "2", "--port", port, in: directory)
        _ = try needletail("load", "-", "--collection", "c", "--port", port, in: directory, input: #"{"id":"a","vector":[1,2],"text":"hello"}"#)
        #expect(try needletail("flush", "--port", port, in: directory).output == "in files up to sequence 2\n")
        #expect(try needletail("optimize", "--collection", "c", "--port", port, in: directory).output == "optimized, in files up to sequence 2\n")
        #expect(try needletail("jobs", "--port", port, in: directory).output == "1 done since the start\n")

        #expect(try needletail("snapshot", "create", "monday", "--port", port, in: directory).output.hasPrefix("created monday at sequence 2: 2 files, "))
        let again = try needletail("snapshot", "create", "monday", "--port", port, in: directory)
        #expect(again.code == 1 && again.errors.hasPrefix("Error: snapshot_exists (name): "))
        let listed = try needletail("snapshot", "list", "--port", port, in: directory).output.split(separator: "\n")
        #expect(listed.count == 2 && listed[1].hasPrefix("monday"))
        #expect(try needletail("snapshot", "list", "--port", port, "--json", in: directory).json()["snapshots"]?.array.first?["name"]?.string == "monday")

        let status = try needletail("status", "--port", port, in: directory).output
        for line in ["writes       ok\n", "segments     1 of ", "snapshots    1\n", "rows         1, 0 of them deleted\n", "snapshot.create"] {
            #expect(status.contains(line), "\(status)")
        }
        #expect(status.contains("up to sequence 2; a start replays 0 B of log"))
        #expect(try needletail("status", "--port", port, "--json", in: directory).json()["storage"]?["covered_seq"]?.int == 2)

        #expect(try needletail("snapshot", "drop", "monday", "--port", port, in: directory).output == "dropped monday\n")
        let unknown = try needletail("snapshot", "drop", "monday", "--port", port, "--json", in: directory)
        #expect(try unknown.code == 1 && unknown.json()["error"]?["code"]?.string == "unknown_snapshot")
        #expect(try needletail("optimize", "--collection", "nowhere", "--port", port, in: directory).code == 1)
        #expect(try needletail("snapshot", "create", in: directory).code == 2)
    }

    @Test func `what goes wrong is one line on standard error, and the exit code tells whose fault it was`() throws {
        let unknown = try needletail("search", "nowhere", "--vector", "[1]", "--port", port, in: directory)
        #expect(unknown.code == 1 && unknown.errors.hasPrefix("Error: unknown_collection (collection): "))
        let json = try needletail("search", "nowhere", "--vector", "[1]", "--port", port, "--json", in: directory)
        #expect(try json.code == 1 && json.json()["error"]?["code"]?.string == "unknown_collection")
        #expect(try needletail("search", "c", in: directory).code == 2)
        #expect(try needletail("load", "x.jsonl", in: directory).code == 2)
        let absent = try needletail("load", "absent.jsonl", "--collection", "c", "--create", "--dim", "2", "--port", port, in: directory)
        #expect(absent.code == 1 && absent.errors.contains("absent.jsonl"))
        let nobody = try needletail("status", "--port", "1", in: directory)
        #expect(nobody.code == 1 && nobody.errors.contains("Is the daemon running?"))
    }

    @Test func `an id that comes twice in a file ends as its last row`() throws {
        let rows = (0..<2000).map { #"{"id":"d\#($0 % 7)","vector":[\#($0),1],"text":"\#($0)"}"# }.joined(separator: "\n")
        let loaded = try needletail("load", "-", "--collection", "twice", "--create", "--dim", "2", "--port", port, "--json", in: directory, input: rows)
        #expect(loaded.code == 0, "\(loaded.errors)")
        for number in 1993..<2000 {
            let got = try needletail("get", "twice", "d\(number % 7)", "--port", port, "--json", in: directory).json()
            #expect(got["documents"]?.array.first?["chunks"]?.array.first?["text"]?.string == "\(number)")
        }
    }
}
