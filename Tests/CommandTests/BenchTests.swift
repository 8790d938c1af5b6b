// `needletail bench` on data sets small enough to know the answers.
import Foundation
import Testing
import TestSupport
import Wire

@Suite struct BenchTests {
    let directory: TemporaryDirectory
    private let seed = TestSeed(20)
    private let base: [[Float]]
    private let queries: [[Float]]
    private static let (count, dimension, queryCount) = (600, 16, 20)

    init() throws {
        directory = try TemporaryDirectory()
        try FileManager.default.createDirectory(atPath: directory.file("set"), withIntermediateDirectories: true)
        let meta = #"{"n":\#(Self.count),"d":\#(Self.dimension),"metric":"l2"}"#
        try meta.write(toFile: directory.file("set/meta.json"), atomically: false, encoding: .utf8)
        var random = seed.random
        base = Self.vectors(Self.count, &random)
        queries = Self.vectors(Self.queryCount, &random)
        try write(base, "base.f32")
        try write(queries, "query.f32")
    }

    private static func vectors(_ count: Int, _ random: inout SeededRandom) -> [[Float]] {
        (0..<count).map { _ in (0..<dimension).map { _ in Float.random(in: -1...1, using: &random) } }
    }

    private func write(_ rows: [[Float]], _ name: String) throws {
        let bytes = rows.joined().flatMap { number in (0..<4).map { UInt8(truncatingIfNeeded: number.bitPattern >> UInt32(8 * $0)) } }
        try Data(bytes).write(to: URL(filePath: directory.file("set/" + name)))
    }

    private func points(_ result: JSONTree, _ contender: Int = 0) -> [[JSONTree]] {
        (result["scenarios"]?.array ?? []).map { $0["series"]?.array[contender]["points"]?.array ?? [] }
    }

    @Test func `comparing every vector finds all neighbours, whatever is filtered out`() throws {
        let run = try needletail(
            "bench", "--dataset", "set", "--exact", "--filter", "0.3,near:0.1,far:0.1", "--rounds", "2", "--json", "--out", "results", in: directory)
        #expect(run.code == 0, "\(run.errors)")
        let result = try run.json()
        #expect(result["scenarios"]?.array.map { $0["name"]?.string } == ["all rows", "random 30 %", "near 10 %", "far 10 %"])
        for points in points(result) {
            #expect(points.count == 1 && points[0]["recall"]?.double == 1 && points[0]["rounds"]?.array.count == 2, "\(seed)")
        }
        let files = try FileManager.default.contentsOfDirectory(atPath: directory.file("results")).sorted()
        #expect(files.count == 5 && files.first == "set-k10-t1-all-rows.svg" && files.contains("set-k10-t1.json"), "\(files)")
    }

    @Test func `a daemon is asked over its socket, from two connections`() throws {
        let daemon = try DaemonProcess(data: directory.file("data"))
        let arguments = ["bench", "--dataset", "set", "--filter", "0.2", "--threads", "2", "--recall", "0.9,1", "--rounds", "1", "--json", "--connect", "\(daemon.port)"]
        func bench(_ more: String...) throws -> CommandRun { try needletail(arguments + more, in: directory) }
        let run = try bench()
        #expect(run.code == 0, "\(run.errors)")
        for points in points(try run.json()) {
            #expect(points.first?["recall"]?.double == 1 && points.first?["call"]?.string == "single", "\(seed)")
        }
        let again = try bench()
        #expect(again.code == 1 && again.errors.contains("collection_exists"), "\(again.errors)")
        #expect(try bench("--reuse").code == 0)
    }

    @Test func `what a daemon adds to its searches is measured on a database that is made once`() throws {
        let arguments = ["bench", "serving", "--dataset", "set", "--data", "database", "--requests", "300", "--connections", "3", "--window", "7"]
        let run = try needletail(arguments + ["--rounds", "2", "--json"], in: directory)
        #expect(run.code == 0, "\(run.errors)")
        let daemons = try #require(try run.json()["daemons"]?.array)
        #expect(daemons.count == 1 && daemons[0]["processor_us"]?.double ?? 0 > 0 && daemons[0]["qps"]?.double ?? 0 > 0, "\(run.output)")
        let again = try needletail(arguments + ["--rounds", "1"], in: directory)
        #expect(again.code == 0 && again.output.contains("us beyond"), "\(again.errors)")
        let absent = try needletail(arguments + ["--daemon", "/bin/true"], in: directory)
        #expect(absent.code == 1 && absent.errors.contains("/bin/true did not start"), "\(absent.errors)")
    }

    @Test func `recall counts what the data set says is near`() throws {
        // Of each query's ten, five are its nearest and five its farthest.
        let truth = queries.flatMap { query in
            let order = base.indices.sorted { Self.distance(base[$0], query) < Self.distance(base[$1], query) }
            return order.prefix(5) + order.suffix(95)
        }
        let bytes = truth.flatMap { row in (0..<4).map { UInt8(truncatingIfNeeded: row >> (8 * $0)) } }
        try Data(bytes).write(to: URL(filePath: directory.file("set/gt100.i32")))
        let result = try needletail("bench", "--dataset", "set", "--exact", "--rounds", "1", "--json", in: directory).json()
        #expect(points(result)[0][0]["recall"]?.double == 0.5, "\(seed)")
    }

    private static func distance(_ a: [Float], _ b: [Float]) -> Double {
        zip(a, b).reduce(0) { $0 + Double($1.0 - $1.1) * Double($1.0 - $1.1) }
    }

    @Test func `a peer takes turns, and sits out what it cannot do`() throws {
        let peer = #"""
            #!/bin/sh
            if [ "$1" = --list ]; then
                echo '{"engines":[{"name":"fake","group":"fakes","grid":[{"ef":1},{"ef":2},{"ef":3}]}]}'
                exit
            fi
            while read -r line; do
                case $line in
                    *'"op":"open"'*) echo '{"ok":true,"version":"7"}' ;;
                    *'"op":"build"'*) echo '{"ok":true,"seconds":1.5,"memory_bytes":1000}' ;;
                    *'"path"'*)
                        truth=${line##*\"truth\":\"}
                        echo "{\"ok\":false,\"error\":\"no filter here, truth of $(($(wc -c < "${truth%%\"*}"))) bytes\"}" ;;
                    *'"op":"mask"'*) echo '{"ok":true}' ;;
                    *'"ef":1'*) echo '{"ok":true,"recall":0.8,"single":[1000],"batch":[500]}' ;;
                    *'"ef":2'*) echo '{"ok":true,"recall":1,"single":[50],"batch":[100]}' ;;
                    *) echo '{"ok":false,"error":"three is too many"}' ;;
                esac
            done
            """#
        try peer.write(toFile: directory.file("peer"), atomically: false, encoding: .utf8)
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: directory.file("peer"))
        let arguments = [
            "bench", "--dataset", "set", "--exact", "--filter", "0.2", "--rounds", "1", "--peers", directory.file("peer"), "--against", "fakes", "--queries", "2",
        ]
        let shown = try needletail(arguments, in: directory)
        #expect(shown.code == 0 && shown.errors.contains("fake ef=3: three is too many") && shown.output.contains("no filter here"), "\(shown.errors)")

        let result = try needletail(arguments + ["--json"], in: directory).json()
        #expect(result["contenders"]?.array[1]["version"]?.string == "7" && result["contenders"]?.array[1]["build_s"]?.double == 1.5)
        let series = try #require(result["scenarios"]?.array.first?["series"]?.array[1])
        #expect(series["points"]?.array.map { $0["call"]?.string } == ["single", "batch"])
        // Half way between two points, the rate is their geometric mean.
        let at90 = try #require(series["at"]?.array.first?["qps"]?.double)
        #expect(abs(at90 - 316.2) < 0.1)
        // A row for every query that the peer reads, although but two are asked: each was compared with the truth of another.
        let abstention = result["scenarios"]?.array[1]["series"]?.array[1]["abstention"]?.string
        #expect(abstention == "no filter here, truth of \(queries.count * 400) bytes")
    }
}
