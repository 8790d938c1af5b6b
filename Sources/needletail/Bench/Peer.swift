// Another library as a contender: a process that answers lines of JSON (tools/peers.d/README.md).
import Foundation
import Wire

/// A child process, asked and answering a line at a time.
final class LineProcess {
    private let process = Process()
    private let requests = Pipe()
    private let answers = Pipe()
    private var received: [UInt8] = []

    init(_ executable: String, _ arguments: [String]) throws {
        process.executableURL = URL(filePath: executable)
        process.arguments = arguments
        process.standardInput = requests
        process.standardOutput = answers
        try process.run()
    }

    func ask(_ line: [UInt8]) throws -> JSONTree {
        try requests.fileHandleForWriting.write(contentsOf: Data(line))
        return try Answer(line: try nextLine()).root
    }

    /// Everything the process prints until it ends.
    func rest() throws -> [UInt8] {
        defer { process.waitUntilExit() }
        return [UInt8](try answers.fileHandleForReading.readToEnd() ?? Data())
    }

    private func nextLine() throws -> [UInt8] {
        while true {
            if let end = received.firstIndex(of: UInt8(ascii: "\n")) {
                defer { received.removeFirst(end + 1) }
                return Array(received[..<end])
            }
            let more = answers.fileHandleForReading.availableData
            guard !more.isEmpty else {
                process.waitUntilExit()
                throw CommandFailure(description: "\(process.executableURL?.path ?? "") ended with \(process.terminationStatus)")
            }
            received += more
        }
    }

    /// Closes its input, at which it ends.
    func end() throws {
        try requests.fileHandleForWriting.close()
        process.waitUntilExit()
    }
}

/// A library and the parameters it is tried with.
struct PeerEngine {
    let name: String
    let group: String
    /// Objects of JSON, as the peer understands them.
    let grid: [JSONTree]

    /// The engines of these names and groups, in the order asked for.
    static func all(_ asked: [String], k: Int, tool: String) throws -> [PeerEngine] {
        let list = try Answer(line: try LineProcess(tool, ["--list", "--k", "\(k)"]).rest()).root
        let engines = (list["engines"]?.array ?? []).map {
            PeerEngine(name: $0["name"]?.string ?? "", group: $0["group"]?.string ?? "", grid: $0["grid"]?.array ?? [])
        }
        return try asked.flatMap { name in
            let chosen = engines.filter { $0.name == name }.isEmpty ? engines.filter { $0.group == name } : engines.filter { $0.name == name }
            guard !chosen.isEmpty else {
                throw CommandFailure(description: "there is no peer \"\(name)\"; there are \(engines.map(\.name).joined(separator: ", "))")
            }
            return chosen
        }
    }
}

final class Peer: Contender {
    let name: String
    let version: String
    let buildSeconds: Double?
    let memoryBytes: Int?
    private let process: LineProcess
    private let task: BenchTask
    private let parameters: [JSONTree]
    private let scratch: String
    private var scenario: Scenario?

    /// Builds the index; `kept` is a file to load it from instead, or to save it to.
    init(_ engine: PeerEngine, _ task: BenchTask, dataset: String, tool: String, buildThreads: Int, kept: String?) throws {
        name = engine.name
        parameters = engine.grid
        self.task = task
        scratch = FileManager.default.temporaryDirectory.appending(path: "needletail-peer-\(UUID().uuidString)").path
        process = try LineProcess(tool, ["--serve", engine.name])
        version = try process.request("open", ["dataset": .string(URL(filePath: dataset).path)])["version"]?.string ?? ""
        let built: JSONTree
        if let kept, FileManager.default.fileExists(atPath: kept) {
            built = try process.request("load", ["path": .string(kept)])
            buildSeconds = nil
        } else {
            built = try process.request("build", ["parameters": .object([:]), "threads": .integer(buildThreads)])
            buildSeconds = built["seconds"]?.double
            if let kept { _ = try process.request("save", ["path": .string(kept)]) }
        }
        memoryBytes = built["memory_bytes"]?.int
    }

    var grid: [String] { parameters.map(\.parametersShown) }

    func enter(_ scenario: Scenario) throws {
        self.scenario = scenario
        guard let filter = scenario.filter else {
            _ = try process.request("mask", [:])
            return
        }
        try FileManager.default.createDirectory(atPath: scratch, withIntermediateDirectories: true)
        let (mask, truth) = (scratch + "/mask.bits", scratch + "/truth.i32")
        try filter.mask(queryCount: filter.isShared ? 1 : task.data.queryCount).write(to: URL(filePath: mask))
        try scenario.neighbours.bytes(queryCount: task.data.storedQueryCount).write(to: URL(filePath: truth))
        _ = try process.request("mask", ["path": .string(mask), "truth": .string(truth)])
    }

    func measure(point: Int) throws -> Reading {
        let answer = try process.request("point", [
            "parameters": parameters[point], "k": .integer(task.k), "threads": .integer(task.threads), "rounds": .integer(1),
            "queries": .integer(task.data.queryCount), "cpus": .array(task.cpus.map(JSONTree.integer)),
        ])
        let (single, batch) = (answer["single"]?.array.first?.double, answer["batch"]?.array.first?.double)
        return Reading(recall: answer["recall"]?.double ?? 0, single: single, batch: batch)
    }

    func leave() throws {
        try process.end()
        if FileManager.default.fileExists(atPath: scratch) { try FileManager.default.removeItem(atPath: scratch) }
    }
}

extension LineProcess {
    /// A refusal is an `Abstention`: the process goes on.
    fileprivate func request(_ op: String, _ members: [String: JSONTree]) throws -> JSONTree {
        var line = JSONWriter()
        line.tree(.object(members.merging(["op": .string(op)]) { _, op in op }))
        line.endLine()
        let answer = try ask(line.finish())
        guard answer["ok"]?.bool == true else { throw Abstention(reason: answer["error"]?.string ?? "no reason given") }
        return answer
    }
}

extension BenchFilter {
    /// Bits, lowest first, whole bytes for each query.
    fileprivate func mask(queryCount: Int) -> Data {
        let stride = (labels.count + 7) / 8
        var bits = Data(count: stride * queryCount)
        for query in 0..<queryCount {
            for (row, label) in labels.enumerated() where label == wanted[query] { bits[query * stride + row / 8] |= 1 << UInt8(row % 8) }
        }
        return bits
    }
}

extension JSONWriter {
    mutating func tree(_ tree: JSONTree) {
        switch tree {
        case .object(let members):
            beginObject()
            for (name, value) in members.sorted(by: { $0.key < $1.key }) {
                key(named: name)
                self.tree(value)
            }
            endObject()
        case .array(let elements):
            beginArray()
            for element in elements { self.tree(element) }
            endArray()
        case .string(let text): string(text)
        case .integer(let number): int(number)
        case .number(let number): double(number)
        case .bool(let flag): bool(flag)
        case .null: null()
        }
    }
}

extension JSONTree {
    /// Parameters as people read them: `ef=40`.
    fileprivate var parametersShown: String {
        object.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value.double?.shown(0) ?? $0.value.string ?? "")" }.joined(separator: " ")
    }
}
