// Needletail itself as a contender: in this process, or as a daemon.
import Engine
import Wire

extension SearchEffort {
    fileprivate var name: String {
        switch self {
        case .standard: "standard"
        case .recall(let share): "recall=\(share)"
        case .width(let width): "effort=\(width)"
        case .exact: "exact"
        }
    }
}

/// What the collection's index is to be like.
struct IndexChoice: Sendable {
    var index: IndexKind
    var quantization: QuantizationKind
}

/// Some queries, asked in one way.
struct Questions: Sendable {
    var task: BenchTask
    var effort: SearchEffort
    var filter: BenchFilter?
    /// As many queries in a call as it takes, instead of one.
    var isBatch: Bool

    /// Queries of each call, in order.
    var calls: [Range<Int>] {
        let step = isBatch ? Limits.searchesMax : 1
        return stride(from: 0, to: task.data.queryCount, by: step).map { $0..<min($0 + step, task.data.queryCount) }
    }

    /// The calls of one lane of many.
    func calls(of lane: Int) -> ArraySlice<Range<Int>> {
        let calls = calls
        return calls[calls.count * lane / task.threads..<calls.count * (lane + 1) / task.threads]
    }

    /// Those of them that are asked before the clock runs: another process may have had the caches. A batch fills them itself.
    func warmUp(of lane: Int) -> ArraySlice<Range<Int>> { isBatch ? [] : calls(of: lane).prefix(100 / task.threads) }
}

/// What came of them.
struct Answered: Sendable {
    var rows: [[Int32]] = []
    var start: ContinuousClock.Instant
    var end: ContinuousClock.Instant
}

extension [Answered] {
    var rows: [[Int32]] { flatMap(\.rows) }

    /// From when the first lane began to when the last one ended.
    var seconds: Double {
        let (start, end) = (map(\.start).min(), map(\.end).max())
        guard let start, let end else { preconditionFailure("there is a lane") }
        return (end - start) / .seconds(1)
    }
}

/// Where Needletail runs.
protocol Subject: Sendable {
    var name: String { get }
    var version: String { get async throws }
    var memoryBytes: Int? { get }
    func load(_ data: BenchData, _ filters: [BenchFilter]) async throws
    /// Returns once no background work is left to do: how long indexes took to build of vectors that were there, on so many threads
    /// where that can be said.
    func settle(threads: Int) async throws -> Double
    /// Answers the questions in `task.threads` lanes.
    func answer(_ questions: Questions) async throws -> [Answered]
    func end() async throws
}

final class Ourselves: Contender {
    let version: String
    let buildSeconds: Double?
    let memoryBytes: Int?
    private let subject: any Subject
    private let task: BenchTask
    private let efforts: [SearchEffort]
    private var scenario: Scenario?

    /// Loads the data set and waits until it is indexed.
    init(_ subject: any Subject, _ task: BenchTask, _ efforts: [SearchEffort], _ filters: [BenchFilter], buildThreads: Int) async throws {
        try await subject.load(task.data, filters)
        buildSeconds = try await subject.settle(threads: buildThreads)
        version = try await subject.version
        // Files that are mapped take no memory until they are read.
        _ = try await subject.answer(Questions(task: task, effort: efforts[0], filter: nil, isBatch: false))
        memoryBytes = subject.memoryBytes
        self.subject = subject
        self.task = task
        self.efforts = efforts
    }

    var name: String { subject.name }
    var grid: [String] { efforts.map(\.name) }

    func enter(_ scenario: Scenario) { self.scenario = scenario }

    func measure(point: Int) async throws -> Reading {
        guard let scenario else { preconditionFailure("a contender enters a scenario before it is measured") }
        var questions = Questions(task: task, effort: efforts[point], filter: scenario.filter, isBatch: false)
        let single = try await subject.answer(questions)
        var reading = Reading(recall: scenario.recall.share(single.rows), single: Double(task.data.queryCount) / single.seconds)
        // Threads have queries of their own each, and a call has one filter.
        guard task.threads == 1, scenario.filter?.isShared ?? true else { return reading }
        questions.isBatch = true
        let batch = try await subject.answer(questions)
        reading.batch = Double(task.data.queryCount) / batch.seconds
        reading.recall = min(reading.recall, scenario.recall.share(batch.rows))
        return reading
    }

    func leave() async throws { try await subject.end() }
}
