// What each operation does: from request to database to answer.
import Engine
import Memory
import Wire

/// Serves requests against one database. Any thread; it holds nothing that changes.
struct RequestHandler: Sendable {
    let database: Database
    let version: String
    let dataPath: String
    let workers: Int
    private let started = ContinuousClock.now

    init(database: Database, version: String, dataPath: String, workers: Int) {
        self.database = database
        self.version = version
        self.dataPath = dataPath
        self.workers = workers
    }

    /// Whether the request asks for a sequence that is not in force yet.
    func isBehind(_ request: Request) -> Bool {
        request.minSequence.map { $0 > database.snapshot().sequence } ?? false
    }

    /// Whether the answer takes so little work that handing it to another thread would cost more.
    func isLight(_ request: Request) -> Bool {
        guard case .search(let search) = request.operation else { return !request.operation.isLarge }
        let rows: Int
        do { rows = try database.snapshot().collection(search.collection).chunkCount } catch {
            // There is no such collection, which is quickly said.
            return true
        }
        return rows * search.input.floats.count <= ServerLimits.lightWork
    }

    // MARK: Reads

    func answer(_ request: Request, deadline: ContinuousClock.Instant?, into response: inout ResponseWriter) {
        do throws(WireError) {
            try serve(request, deadline: deadline.map(Deadline.init(at:)) ?? .none, &response)
        } catch { response.failure(request.id, error) }
    }

    private func serve(_ request: Request, deadline: Deadline, _ response: inout ResponseWriter) throws(WireError) {
        let snapshot = database.snapshot()
        if let wanted = request.minSequence, wanted > snapshot.sequence {
            throw WireError(EngineError(.behind, "sequence \(wanted) has not been reached; \(snapshot.sequence) has", field: "min_seq"))
        }
        do throws(EngineError) { try deadline.check() } catch { throw WireError(error) }
        switch request.operation {
        case .ping: response.pong(request.id)
        case .hello: response.hello(request.id, version: version)
        case .serverInfo: response.serverInfo(request.id, info(snapshot))
        case .listCollections: try engine { () throws(EngineError) in try response.collections(request.id, snapshot) }
        case .describeCollection(let name):
            response.collection(request.id, sequence: snapshot.sequence, try collection(name, snapshot))
        case .count(let input):
            let collection = try collection(input.collection, snapshot)
            let count = try engine { () throws(EngineError) in try collection.count(filter: input.filter, under: input.under) }
            response.counted(request.id, sequence: snapshot.sequence, documents: count.documents, chunks: count.chunks)
        case .get(let input):
            try response.nodes(request.id, sequence: snapshot.sequence, try collection(input.collection, snapshot), input)
        case .read(let input):
            try response.document(request.id, sequence: snapshot.sequence, try collection(input.collection, snapshot), input)
        case .search(let search): try self.search(search, request.id, snapshot, deadline, &response)
        case .createCollection, .dropCollection, .upsert, .delete, .patch: preconditionFailure("writes go through the log")
        }
    }

    private func search(
        _ search: SearchRequest, _ id: RequestID, _ snapshot: DatabaseSnapshot, _ deadline: Deadline, _ response: inout ResponseWriter
    ) throws(WireError) {
        let start = ContinuousClock.now
        let collection = try collection(search.collection, snapshot)
        let result = try engine { () throws(EngineError) in try collection.search(search.input, deadline: deadline) }
        let took = ContinuousClock.now - start
        try response.search(id, sequence: snapshot.sequence, collection, search, result, microseconds: Int(took / .microseconds(1)))
    }

    private func collection(_ name: String, _ snapshot: DatabaseSnapshot) throws(WireError) -> CollectionSnapshot {
        try engine { () throws(EngineError) in try snapshot.collection(name) }
    }

    private func engine<T>(_ body: () throws(EngineError) -> T) throws(WireError) -> T {
        do { return try body() } catch { throw WireError(error) }
    }

    private func info(_ snapshot: DatabaseSnapshot) -> ServerInfo {
        ServerInfo(
            version: version, sequence: snapshot.sequence, collections: snapshot.collectionNames.count,
            uptimeSeconds: Int((ContinuousClock.now - started) / .seconds(1)), dataPath: dataPath, workers: workers)
    }

    // MARK: Writes

    /// Why a write is not to be begun, where its deadline has passed already.
    func refusal(of request: Request, deadline: ContinuousClock.Instant?) -> WireError? {
        guard let deadline else { return nil }
        do throws(EngineError) { try Deadline(at: deadline).check() } catch { return WireError(error) }
        return nil
    }

    func answer(_ request: Request, with result: Result<WriteOutcome, EngineError>, into response: inout ResponseWriter) {
        switch (result, request.operation) {
        case (.failure(let error), _): response.failure(request.id, WireError(error))
        case (.success(let outcome), .upsert): response.upserted(request.id, outcome)
        case (.success(let outcome), .delete): response.deleted(request.id, outcome)
        case (.success(let outcome), .patch): response.patched(request.id, outcome)
        case (.success(let outcome), _): response.done(request.id, sequence: outcome.sequence)
        }
    }
}

extension Operation {
    /// The write it asks for; nil for a read.
    var write: Write? {
        switch self {
        case .createCollection(let schema): .createCollection(schema)
        case .dropCollection(let name): .dropCollection(name: name)
        case .upsert(let input): .upsert(input)
        case .delete(let input): .delete(input)
        case .patch(let input): .patch(input)
        case .hello, .ping, .serverInfo, .listCollections, .describeCollection, .get, .read, .search, .count: nil
        }
    }

    /// Reads whose work grows with the collection or the answer.
    fileprivate var isLarge: Bool {
        switch self {
        case .count(let input): input.filter != nil || input.under != nil
        case .get(let input): input.ids.count > 16
        default: false
        }
    }
}

extension Write {
    var changesCollections: Bool {
        switch self {
        case .createCollection, .dropCollection: true
        case .upsert, .delete, .patch: false
        }
    }
}
