// What a bench found: a table for people, JSON and plots for files.
import Foundation
import Index
import Wire

struct BenchReport {
    let task: BenchTask
    let contenders: [any Contender]
    let rounds: Int
    let results: [(scenario: String, series: [Series])]
    /// The machine's load before and after.
    let load: (Double, Double)

    private static let recalls = [0.9, 0.95, 0.99]
    private let date = Date.now.formatted(.iso8601)

    init(_ task: BenchTask, _ contenders: [any Contender], rounds: Int, _ results: [(scenario: String, series: [Series])], load: (Double, Double)) {
        self.task = task
        self.contenders = contenders
        self.rounds = rounds
        self.results = results
        self.load = load
    }

    // MARK: Table

    func show() {
        print(headline)
        print(circumstances)
        for result in results {
            print("\n\(result.scenario)")
            show(result.series)
        }
    }

    private var headline: String {
        let threads = task.threads == 1 ? "one thread" : "\(task.threads) threads"
        let data = "\(task.data.name), \(task.data.count.grouped) x \(task.data.dimension), \(task.data.metric.name)"
        return "\(data), k \(task.k), \(task.data.queryCount.grouped) queries, \(threads), median of \(rounds.counted("round"))"
    }

    private var circumstances: String {
        let commit = Machine.commit.map { ", commit \($0)" } ?? ""
        return "\(Machine.description), kernels \(Kernels.best.name), load \(load.0.shown(1)) to \(load.1.shown(1)), \(date)\(commit)"
    }

    private func show(_ all: [Series]) {
        // The library most others are compared with, where it takes part.
        let reference = all.first { $0.contender == "hnswlib" } ?? all[all.count - 1]
        var table = Table(
            ["", "queries/s at .90", "at .95", "at .99", "best recall", "build s", "memory", "times \(reference.contender) at .95"],
            alignsRight: Set(1...7))
        for (contender, series) in zip(contenders, all) where series.abstention == nil {
            let rates = Self.recalls.map { series.rate(at: $0).map { Int($0).grouped } ?? "-" }
            let ratio = series.rate(at: 0.95).flatMap { rate in reference.rate(at: 0.95).map { (rate / $0).shown(2) } } ?? "-"
            let cost = [contender.buildSeconds?.shown(1) ?? "-", contender.memoryBytes?.bytesShown ?? "-"]
            table.add([series.contender] + rates + [series.bestRecall?.shown(4) ?? "-"] + cost + [ratio])
        }
        table.show()
        for series in all { if let reason = series.abstention { print("\(series.contender) takes no part: \(reason)") } }
    }

    // MARK: Files

    /// `NAME.json` and a plot for each scenario.
    func write(to directory: String) throws {
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        let stem = "\(directory)/\(task.data.name)-k\(task.k)-t\(task.threads)"
        try (json + "\n").write(toFile: stem + ".json", atomically: true, encoding: .utf8)
        for result in results {
            let plot = Plot(title: "\(task.data.name): \(result.scenario)", subtitle: "\(headline); \(Machine.description); \(date)", series: result.series)
            let place = result.scenario.split { !$0.isLetter && !$0.isNumber }.joined(separator: "-")
            try plot.svg.write(toFile: "\(stem)-\(place).svg", atomically: true, encoding: .utf8)
        }
    }

    var json: String {
        var line = JSONWriter()
        line.beginObject()
        line.member("dataset", task.data.name)
        line.member("n", task.data.count)
        line.member("d", task.data.dimension)
        line.member("metric", task.data.metric.name)
        line.member("queries", task.data.queryCount)
        line.member("k", task.k)
        line.member("threads", task.threads)
        line.key("cpus")
        line.beginArray()
        for cpu in task.cpus { line.int(cpu) }
        line.endArray()
        line.member("rounds", rounds)
        line.member("machine", Machine.description)
        line.member("kernels", Kernels.best.name)
        line.numbers("load", [load.0, load.1])
        line.member("date", date)
        if let commit = Machine.commit { line.member("commit", commit) }
        line.objects("contenders", contenders) { (line, contender) in
            line.member("name", contender.name)
            line.member("version", contender.version)
            if let seconds = contender.buildSeconds { line.member("build_s", seconds) }
            if let bytes = contender.memoryBytes { line.member("memory_bytes", bytes) }
        }
        line.objects("scenarios", results) { (line, result) in
            line.member("name", result.scenario)
            line.objects("series", result.series) { (line, series) in series.write(to: &line, at: Self.recalls) }
        }
        line.endObject()
        return line.text
    }
}

extension Series {
    fileprivate func write(to line: inout JSONWriter, at recalls: [Double]) {
        line.member("contender", contender)
        if let abstention { line.member("abstention", abstention) }
        line.objects("at", recalls.filter { rate(at: $0) != nil }) { (line, recall) in
            line.member("recall", recall)
            line.member("qps", rate(at: recall) ?? 0)
        }
        line.objects("points", points) { (line, point) in
            line.member("parameters", point.parameters)
            line.member("recall", point.recall)
            line.member("qps", point.rate)
            line.member("call", point.call)
            line.numbers("rounds", point.rounds)
        }
    }
}

extension JSONWriter {
    mutating func member(_ key: StaticString, _ value: Double) {
        self.key(key)
        double(value)
    }

    fileprivate mutating func numbers(_ key: StaticString, _ values: [Double]) {
        self.key(key)
        beginArray()
        for value in values { double(value) }
        endArray()
    }
}
