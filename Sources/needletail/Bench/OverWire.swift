// A daemon, asked over its socket: what a caller gets.
import Client
import Engine
import Index
import Wire

/// `HOST:PORT`, or a port alone.
struct DaemonAddress {
    let host: String
    let port: Int

    init?(_ text: String) {
        let parts = text.split(separator: ":")
        guard let port = parts.last.flatMap({ Int($0) }), (1...65535).contains(port), parts.count <= 2 else { return nil }
        host = parts.count == 2 ? String(parts[0]) : "127.0.0.1"
        self.port = port
    }
}

final class OverWire: Subject {
    let name = "needletail served"
    /// One for each lane of searches, and for loading.
    private let clients: [Client]
    private let collection: String
    private let choice: IndexChoice
    /// Searches a collection that is there already instead of loading it.
    private let reuses: Bool
    private static let batchDocuments = 256

    init(_ address: DaemonAddress, collection: String, _ choice: IndexChoice, reuses: Bool, connections: Int) async throws {
        var clients: [Client] = []
        for _ in 0..<connections { clients.append(try await Client.connect(host: address.host, port: address.port, token: Token.fromEnvironment)) }
        self.clients = clients
        self.collection = collection
        self.choice = choice
        self.reuses = reuses
    }

    var version: String {
        get async throws { try await clients[0].ask("server.info").root["version"]?.string ?? "" }
    }

    var memoryBytes: Int? { nil }

    func load(_ data: BenchData, _ filters: [BenchFilter]) async throws {
        if reuses { return }
        _ = try await clients[0].ask("collection.create") { request in
            request.string("name", collection)
            request.string("access", "open")
            request.int("dim", data.dimension)
            request.string("metric", data.metric.name)
            request.string("index", choice.index.rawValue)
            request.string("quantization", choice.quantization.rawValue)
            request.object("fields", filters.map { ($0.field, "int") })
        }
        // Two batches under way: one is written to disk while the other travels.
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (number, first) in stride(from: 0, to: data.count, by: Self.batchDocuments).enumerated() {
                if number > 1 { try await group.next() }
                group.addTask { try await self.upsert(first..<min(first + Self.batchDocuments, data.count), of: data, filters) }
            }
            try await group.waitForAll()
        }
    }

    private func upsert(_ rows: Range<Int>, of data: BenchData, _ filters: [BenchFilter]) async throws {
        _ = try await clients[0].ask("upsert") { request in
            request.string("collection", collection)
            request.documents(rows.map { row in
                var document = OutgoingDocument(id: "\(row)")
                document.fields = filters.map { OutgoingField($0.field, .integer(Int64($0.labels[row]))) }
                document.chunks = [OutgoingChunk(vector: data.row(row))]
                return document
            })
        }
    }

    func settle(threads: Int) async throws -> Double {
        _ = try await clients[0].ask("optimize")
        let start = ContinuousClock.now
        // Work that follows on other work begins within moments of its end.
        var quiet = 0
        while quiet < 10 {
            let isIdle = try await clients[0].ask("jobs").root["jobs"]?.array.isEmpty ?? true
            quiet = isIdle ? quiet + 1 : 0
            try await Task.sleep(for: .milliseconds(200))
        }
        return (ContinuousClock.now - start) / .seconds(1)
    }

    func answer(_ questions: Questions) async throws -> [Answered] {
        try await withThrowingTaskGroup(of: (lane: Int, answered: Answered).self) { group in
            for lane in 0..<questions.task.threads {
                group.addTask { (lane, try await self.answer(questions, lane)) }
            }
            var answered: [(lane: Int, answered: Answered)] = []
            for try await one in group { answered.append(one) }
            return answered.sorted { $0.lane < $1.lane }.map(\.answered)
        }
    }

    private func answer(_ questions: Questions, _ lane: Int) async throws -> Answered {
        for queries in questions.warmUp(of: lane) { _ = try await ask(queries, of: questions, clients[lane]) }
        let start = ContinuousClock.now
        var rows: [[Int32]] = []
        for queries in questions.calls(of: lane) { rows += try await ask(queries, of: questions, clients[lane]) }
        return Answered(rows: rows, start: start, end: ContinuousClock.now)
    }

    private func ask(_ queries: Range<Int>, of questions: Questions, _ client: Client) async throws -> [[Int32]] {
        let answer = try await client.ask("search") { request in
            request.string("collection", collection)
            request.int("k", questions.task.k)
            request.strings("with", [])
            if questions.isBatch {
                request.vectors(queries.map { questions.task.data.query($0) })
            } else {
                request.vector("vector", questions.task.data.query(queries.lowerBound))
            }
            if let filter = questions.filter { try request.verbatim("filter", #"{"\#(filter.field)":\#(filter.wanted[queries.lowerBound])}"#) }
            questions.effort.write(to: &request)
        }
        let results = questions.isBatch ? answer.root["results"]?.array ?? [] : [answer.root]
        return results.map { result in (result["hits"]?.array ?? []).compactMap { $0["document"]?.string.flatMap { Int32($0) } } }
    }

    func end() async throws {
        for client in clients { try await client.close() }
    }
}

extension SearchEffort {
    func write(to request: inout RequestWriter) {
        switch self {
        case .standard: break
        case .recall(let share): request.float("recall", share)
        case .width(let width): request.int("effort", width)
        case .exact: request.bool("exact", true)
        }
    }
}
