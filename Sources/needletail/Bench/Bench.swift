// needletail bench: recall and speed on a data set, beside other libraries.
import ArgumentParser
import Engine
import Foundation
import Server
import Wire

struct Bench: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measure searches on a data set, or what a daemon adds to them.", subcommands: [BenchRace.self, BenchServing.self, BenchRights.self],
        defaultSubcommand: BenchRace.self)
}

struct BenchRace: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "race",
        abstract: "Measure recall and speed on a data set, in turns with other libraries.",
        discussion: """
            The data set is a directory with meta.json, base.*, query.* and gt100.i32; tools/make-vectors and tools/convert-hdf5 make such.

            needletail bench --dataset /data/fashion --recall 0.9,0.95,0.99 --against hnswlib,faiss --cpus 1 --out results
            needletail bench --dataset /data/fashion --filter 0.1,near:0.1,far:0.1 --connect 7621
            """)

    @Option(help: "The data set's directory.")
    var dataset: String

    @Option(help: "Neighbours to find.")
    var k = 10

    @Option(help: "How vectors are searched.")
    var index = IndexKind.auto

    @Option(help: "How an index keeps vectors.")
    var quantization = QuantizationKind.auto

    @Option(help: "Recalls to aim at, 0.5 to 1: N[,N] (default: 0.8,0.9,0.95,0.98,0.99,0.995 where nothing else is said).")
    var recall: List<Float> = List([])

    @Option(help: "Candidates to keep: N[,N].")
    var effort: List<Int> = List([])

    @Flag(help: "Compare every vector.")
    var exact = false

    @Option(help: "Searches at the same time.")
    var threads = 1

    @Option(help: "Processors to keep searches on, the peers' too: N[,N]; a daemon's are its own affair.")
    var cpus: List<Int> = List([])

    @Option(help: "Rounds of each point, of which the median counts.")
    var rounds = 3

    @Option(help: "Ask the first so many queries alone.")
    var queries = 1000

    @Option(help: "Shares of the rows to search among as well, drawn at random or lying near to each query or far from it: 0.1,near:0.1,far:0.01.")
    var filter: List<FilterShape> = List([])

    @Option(help: "Shares of the documents to let a caller see by access objects, and search as that caller: 0.9,0.5,0.1.")
    var rights: List<Double> = List([])

    @Option(help: "Peers to take turns with, by name or group: hnswlib,faiss,usearch.")
    var against: List<String> = List([])

    @Option(help: "The command that runs peers.")
    var peers = "tools/peers"

    @Option(help: "Threads to build with; a daemon has its own.")
    var buildThreads = 2

    @Option(help: "A directory to keep the peers' indexes in, and to load them from.")
    var keep: String?

    @Option(help: "Ask the daemon at [HOST:]PORT instead of a database in this process.")
    var connect: String?

    @Option(help: "The daemon's collection, which is created.")
    var collection = "bench"

    @Flag(help: "Ask the daemon's collection as an earlier run with the same filters has left it.")
    var reuse = false

    @Option(help: "A directory for the results as JSON and the plots.")
    var out: String?

    @Flag(help: "Print the results as JSON.")
    var json = false

    func validate() throws {
        guard (1...Neighbours.depthUsual).contains(k) else { throw ValidationError("--k must be 1 to \(Neighbours.depthUsual)") }
        guard recall.values.allSatisfy({ (SearchEffort.recallMin...1).contains($0) }) else {
            throw ValidationError("--recall must be \(SearchEffort.recallMin) to 1")
        }
        guard effort.values.allSatisfy({ (1...Limits.effortMax).contains($0) }) else { throw ValidationError("--effort must be 1 to \(Limits.effortMax)") }
        guard rights.values.allSatisfy({ (0.0001...1).contains($0) }), rights.values.count <= 8 else { throw ValidationError("--rights takes up to 8 shares, 0.0001 to 1") }
        guard rights.values.isEmpty || connect == nil else { throw ValidationError("--rights searches a database in this process: leave --connect out") }
        guard (1...64).contains(threads) else { throw ValidationError("--threads must be 1 to 64") }
        guard rounds > 0, queries > 0, buildThreads > 0 else { throw ValidationError("--rounds, --queries and --build-threads must be positive") }
        guard connect.map({ DaemonAddress($0) != nil }) ?? true else { throw ValidationError("--connect takes HOST:PORT or a port") }
    }

    func run() async throws {
        let load = Machine.load
        tell("reading \(dataset)")
        let task = BenchTask(data: try BenchData(dataset, queriesMax: queries), k: k, threads: threads, cpus: cpus.values)
        let filters = filter.values.enumerated().map { BenchFilter($1, field: "label\($0)", task.data, k: k) }
            + rights.values.enumerated().map { BenchFilter(rights: $1, number: $0, task.data) }
        let contenders = try await contenders(task, filters)
        let race = Race(contenders: contenders, rounds: rounds, progress: tell)
        var results: [(scenario: String, series: [Series])] = []
        for filter in [nil] + filters.map(Optional.some) {
            let scenario = Scenario(task, filter: filter)
            results.append((scenario.name, try await race.run(scenario)))
        }
        for contender in contenders { try await contender.leave() }
        let report = BenchReport(task, contenders, rounds: rounds, results, load: (load, Machine.load))
        if json { print(report.json) } else { report.show() }
        if let out { try report.write(to: out) }
    }

    /// Ourselves first.
    private func contenders(_ task: BenchTask, _ filters: [BenchFilter]) async throws -> [any Contender] {
        tell("loading \(task.data.count.grouped) vectors")
        var contenders: [any Contender] = [try await Ourselves(try await subject(), task, efforts, filters, buildThreads: buildThreads)]
        guard !against.values.isEmpty else { return contenders }
        for engine in try PeerEngine.all(against.values, k: k, tool: peers) {
            tell("building \(engine.name)")
            let kept = try keep.map { try keptFile(of: engine, in: $0) }
            do {
                contenders.append(try Peer(engine, task, dataset: dataset, tool: peers, buildThreads: buildThreads, kept: kept))
            } catch let abstention as Abstention { tell("\(engine.name) takes no part: \(abstention.reason)") }
        }
        return contenders
    }

    private func subject() async throws -> any Subject {
        let choice = IndexChoice(index: index, quantization: quantization)
        guard let connect, let address = DaemonAddress(connect) else { return try InProcess(choice) }
        return try await OverWire(address, collection: collection, choice, reuses: reuse, connections: threads)
    }

    private var efforts: [SearchEffort] {
        let chosen = recall.values.map(SearchEffort.reaching) + effort.values.map(SearchEffort.width) + (exact ? [.exact] : [])
        return chosen.isEmpty ? [0.8, 0.9, 0.95, 0.98, 0.99, 0.995].map(SearchEffort.recall) : chosen
    }

    private func keptFile(of engine: PeerEngine, in directory: String) throws -> String {
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        return URL(filePath: directory).appending(path: "\(URL(filePath: dataset).lastPathComponent)-\(engine.name)").path
    }

    private func tell(_ text: String) { if !json { printError(text) } }
}

extension IndexKind: ExpressibleByArgument {}
extension QuantizationKind: ExpressibleByArgument {}

/// Values between commas.
struct List<Value: ExpressibleByArgument>: ExpressibleByArgument {
    let values: [Value]

    init(_ values: [Value]) { self.values = values }

    init?(argument: String) {
        values = argument.split(separator: ",").compactMap { Value(argument: String($0)) }
        guard !values.isEmpty, values.count == argument.split(separator: ",").count else { return nil }
    }

    var defaultValueDescription: String { "" }
}
