// needletail bench serving: what a daemon adds to its searches, in processor time.
import ArgumentParser
import Engine
import Foundation
import Server
import Wire

struct BenchServing: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serving",
        abstract: "Measure what a daemon takes for a request beyond the search itself.",
        discussion: """
            The same queries are searched in this process and asked of a daemon on the same database, over connections that \
            always have so many requests under way. Several daemons take turns, to compare builds.

            needletail bench serving --dataset /data/phrases --data /tmp/phrases-db --daemon old/needletaild,new/needletaild
            """)

    @Option(help: "The data set's directory.")
    var dataset: String

    @Option(help: "The database directory, made of the data set where it is missing and kept (default: one for this run).")
    var data: String?

    @Option(help: "The daemons' executables: PATH[,PATH] (default: needletaild beside this command).")
    var daemon: List<String> = List([])

    @Option(help: "Neighbours to find.")
    var k = 10

    @Option(help: "The recall to aim at, 0.5 to 1.")
    var recall: Float = 0.95

    @Option(help: "Connections.")
    var connections = 8

    @Option(help: "Requests that each connection has under way.")
    var window = 32

    @Option(help: "Requests of a round.")
    var requests = 20_000

    @Option(help: "Threads of the daemon, and of the search in this process.")
    var workers = 2

    @Option(help: "Rounds, of which the median counts.")
    var rounds = 3

    @Option(help: "Ask the first so many queries alone.")
    var queries = 1000

    @Flag(help: "Print the results as JSON.")
    var json = false

    func validate() throws {
        guard (1...Limits.kMax).contains(k) else { throw ValidationError("--k must be 1 to \(Limits.kMax)") }
        guard (SearchEffort.recallMin...1).contains(recall) else { throw ValidationError("--recall must be \(SearchEffort.recallMin) to 1") }
        guard (1...WireLimits.requestsInFlightMax).contains(window) else {
            throw ValidationError("--window must be 1 to \(WireLimits.requestsInFlightMax)")
        }
        guard (1...64).contains(workers), (1...1000).contains(connections) else { throw ValidationError("--workers must be 1 to 64, --connections 1 to 1000") }
        guard requests > 0, rounds > 0, queries > 0 else { throw ValidationError("--requests, --rounds and --queries must be positive") }
    }

    func run() throws {
        let data = try BenchData(dataset, queriesMax: queries)
        let directory = self.data ?? FileManager.default.temporaryDirectory.appending(path: "needletail-serving-\(UUID().uuidString)").path
        defer { if self.data == nil { remove(directory) } }
        let load = try PipelinedLoad(data, k: k, effort: .reaching(recall), connections: connections, window: window, requests: requests)
        var searches: [SearchCost] = []
        var served = [[ServedCost]](repeating: [], count: executables.count)
        for round in 1...rounds {
            if !json { printError("round \(round)") }
            let search = try SearchCost(of: data, in: directory, k: k, effort: .reaching(recall), threads: workers, searches: requests)
            searches.append(search)
            for (number, executable) in executables.enumerated() {
                let daemon = try ServedDaemon(executable, data: directory, workers: workers)
                defer { daemon.end() }
                served[number].append(try load.run(on: daemon, until: search.kind))
            }
        }
        let report = ServingReport(data: data, load: load, executables: executables, searches: searches, served: served)
        if json { print(report.json) } else { report.show() }
    }

    private var executables: [String] {
        guard daemon.values.isEmpty else { return daemon.values }
        let directory = Bundle.main.executableURL?.deletingLastPathComponent() ?? URL(filePath: ".")
        return [directory.appending(path: "needletaild").path]
    }

    private func remove(_ directory: String) {
        do { try FileManager.default.removeItem(atPath: directory) } catch { printError("\(directory) is left behind: \(error)") }
    }
}

/// What a search takes in this process: no connection, no request, no answer.
struct SearchCost {
    /// Microseconds of processor time a search.
    let processor: Double
    /// How the last one was carried out.
    let kind: SearchPlan.Kind

    /// Opens the database, which is made where it is missing, and closes it again: a daemon comes next.
    init(of data: BenchData, in directory: String, k: Int, effort: SearchEffort, threads: Int, searches: Int) throws {
        let subject = try InProcess(IndexChoice(index: .auto, quantization: .auto), at: directory)
        if subject.isEmpty { try subject.load(data, []) }
        _ = try subject.settle(threads: 2)
        let task = BenchTask(data: data, k: k, threads: threads, cpus: [])
        let questions = Questions(task: task, effort: effort, filter: nil, isBatch: false)
        (processor, kind) = try subject.processorMicroseconds(of: questions, searches: searches)
        try subject.end()
    }
}

/// What came of one round, a column each.
struct ServingReport {
    let data: BenchData
    let load: PipelinedLoad
    let executables: [String]
    let searches: [SearchCost]
    let served: [[ServedCost]]

    private var search: Double { searches.map(\.processor).median ?? 0 }

    private func beyond(_ costs: [ServedCost]) -> Double { (costs.map(\.processor).median ?? 0) - search }

    func show() {
        print("\(data.name), \(data.count.grouped) x \(data.dimension), \(load.connections.counted("connection")) of \(load.window.counted("request")), "
            + "\(load.requests.grouped) requests, median of \(searches.count.counted("round")), \(Machine.description), load \(Machine.load.shown(1))")
        var table = Table(["", "requests/s", "us processor", "us searching", "us beyond", "took_us"], alignsRight: Set(1...5))
        for (executable, costs) in zip(executables, served) {
            table.add([
                executable, Int(costs.map(\.rate).median ?? 0).grouped, (costs.map(\.processor).median ?? 0).shown(2), search.shown(2),
                beyond(costs).shown(2), (costs.map(\.took).median ?? 0).shown(1),
            ])
        }
        table.show()
    }

    var json: String {
        var line = JSONWriter()
        line.beginObject()
        line.member("dataset", data.name)
        line.member("connections", load.connections)
        line.member("window", load.window)
        line.member("requests", load.requests)
        line.member("machine", Machine.description)
        line.member("search_us", search)
        line.objects("daemons", Array(zip(executables, served))) { (line, daemon) in
            let (executable, costs) = daemon
            line.member("daemon", executable)
            line.member("qps", costs.map(\.rate).median ?? 0)
            line.member("processor_us", costs.map(\.processor).median ?? 0)
            line.member("beyond_us", beyond(costs))
            line.member("took_us", costs.map(\.took).median ?? 0)
        }
        line.endObject()
        return line.text
    }
}
