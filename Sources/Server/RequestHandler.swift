// What each operation does: from request to database to answer.
import Engine
import Memory
import Wire

/// Serves requests against one database. Any thread; all that changes in it counts and measures.
struct RequestHandler: Sendable {
    let database: Database
    let version: String
    let dataPath: String
    let workers: Int
    /// nil where none is asked for: everybody is `Identity.local`.
    let authenticator: Authenticator?
    let maintenance: MaintenanceThread
    let damage: DamageLog
    let meter: ForegroundMeter
    /// nil where none is kept.
    let audit: Audit?
    let statistics = RequestStatistics()
    private let started = ContinuousClock.now

    init(
        database: Database, version: String, dataPath: String, workers: Int, authenticator: Authenticator?, maintenance: MaintenanceThread,
        damage: DamageLog, meter: ForegroundMeter, audit: Audit?
    ) {
        self.database = database
        self.version = version
        self.dataPath = dataPath
        self.workers = workers
        self.authenticator = authenticator
        self.maintenance = maintenance
        self.damage = damage
        self.meter = meter
        self.audit = audit
    }

    // MARK: Who asks

    /// Whose a connection is before it has said anything.
    var firstIdentity: Identity? { authenticator == nil ? .local : nil }

    /// Whose a connection is after a `hello`; nil where it is nobody's. Without a token it is whose it was.
    func identity(after hello: HelloInput, known: Identity?) -> Identity? {
        guard let authenticator else { return .local }
        let now = WallClock.nowMilliseconds
        guard let token = hello.token else { return known.flatMap { $0.isExpired(at: now) ? nil : $0 } }
        return authenticator.identity(of: token, nowMilliseconds: now)
    }

    /// Whether the request asks for a sequence that is not in force yet.
    func isBehind(_ authorized: Authorized) -> Bool {
        authorized.request.minSequence.map { $0 > database.snapshot().sequence } ?? false
    }

    /// What a request is, before it is begun. Looks into it once: to take an operation apart is to count references for all it holds.
    func judge(_ authorized: Authorized, lineBytes: Int) -> Judgement {
        let operation = authorized.request.operation
        var judgement = Judgement(name: operation.name)
        switch operation {
        case .search(let search):
            let work = database.snapshot().work(of: search.input, in: search.collection, for: authorized.caller)
            judgement.course = .read(work <= ServerLimits.tinyWork ? .tiny : work <= ServerLimits.lightWork ? .light : .large)
            judgement.weight = RequestWeight(.search, work: work)
        case .get, .read, .count, .list, .facet, .nodes:
            judgement.course = .read(operation.isLarge ? .large : .tiny)
            judgement.weight = RequestWeight(.read, work: lineBytes)
        case .flush: judgement.course = .order(.checkpoint)
        case .optimize(let collection): judgement.course = .order(.optimize(collection: collection))
        default:
            guard let write = write(of: authorized) else {
                judgement.course = .read(operation.isLarge ? .large : .tiny)
                break
            }
            judgement.course = .write(write)
            if !write.changesCollections { judgement.weight = RequestWeight(.write, work: lineBytes) }
        }
        return judgement
    }

    /// The write that a request asks for; nil where it is none.
    private func write(of authorized: Authorized) -> Write? {
        guard let write = authorized.request.operation.write(as: authorized.caller) else { return nil }
        // Where people are told apart, what nobody spoke of is nobody's; where anybody may say to be anybody, rights would only be in the way.
        guard case .createCollection(var schema) = write, !authorized.request.namesAccess, authenticator != nil else { return write }
        schema.access = .enforced
        return .createCollection(schema)
    }

    // MARK: Reads

    /// - Parameter connection: its number, for the audit log.
    func answer(_ authorized: Authorized, connection: UInt64, deadline: ContinuousClock.Instant?, into response: inout ResponseWriter) {
        let isAudited = isAudited(authorized.request.operation)
        response.receipt.isWanted = isAudited
        var refusal: WireError?
        do throws(WireError) {
            try serve(authorized, deadline: deadline.map(Deadline.init(at:)) ?? .none, &response)
        } catch {
            if error.code == EngineError.Code.dataDamaged.rawValue { damage.report(database.snapshot()) }
            response.failure(authorized.request.id, error)
            refusal = error
        }
        if isAudited { record(authorized, connection, refusedWith: refusal, &response) }
    }

    // MARK: Audit

    private func isAudited(_ operation: Operation) -> Bool {
        guard let audit, let name = operation.auditedCollection else { return false }
        return audit.covers(name, in: database.snapshot())
    }

    private func record(_ authorized: Authorized, _ connection: UInt64, refusedWith refusal: WireError?, _ response: inout ResponseWriter) {
        // What was asked for by name and refused is known by that name alone.
        if refusal != nil {
            switch authorized.request.operation {
            case .read(let input): response.receipt.tellRefused(input.id)
            case .nodes(let nodes): if let parent = nodes.input.parent { response.receipt.tellRefused(parent) }
            default: break
            }
        }
        audit?.record(authorized, connection: connection, sequence: database.snapshot().sequence, response.receipt, refusedWith: refusal)
    }

    /// Why a request is not to be begun: it asks for a sequence that has not come, or too late.
    func refusal(of authorized: Authorized, deadline: ContinuousClock.Instant?) -> WireError? {
        do throws(WireError) {
            try check(authorized, database.snapshot(), deadline.map(Deadline.init(at:)) ?? .none)
            return nil
        } catch { return error }
    }

    private func check(_ authorized: Authorized, _ snapshot: DatabaseSnapshot, _ deadline: Deadline) throws(WireError) {
        if let wanted = authorized.request.minSequence {
            try authorized.checkIsInTime()
            guard wanted <= snapshot.sequence else {
                throw WireError(EngineError(.behind, "sequence \(wanted) has not been reached; \(snapshot.sequence) has", field: "min_seq"))
            }
        }
        do throws(EngineError) { try deadline.check() } catch { throw WireError(error) }
    }

    private func serve(_ authorized: Authorized, deadline: Deadline, _ response: inout ResponseWriter) throws(WireError) {
        let request = authorized.request
        let identity = authorized.identity
        let snapshot = database.snapshot()
        try check(authorized, snapshot, deadline)
        switch request.operation {
        case .ping: response.pong(request.id)
        case .hello: response.hello(request.id, version: version, identity.info)
        case .serverInfo: response.serverInfo(request.id, info(snapshot, for: identity))
        case .listCollections:
            let collections = snapshot.allCollections.filter { identity.mayKnow(collection: $0.schema.name) }
            response.collections(request.id, sequence: snapshot.sequence, collections, counts: identity.roles.contains(.admin))
        case .describeCollection(let name):
            response.collection(
                request.id, sequence: snapshot.sequence, try engine { () throws(EngineError) in try snapshot.overview(of: name) },
                counts: identity.roles.contains(.admin))
        case .count(let input):
            let collection = try collection(input.collection, snapshot, authorized.caller)
            let prepared = try prepared(input.prepared, collection)
            let count = try engine { () throws(EngineError) in try collection.count(filter: input.filter, under: input.under, prepared: prepared) }
            response.counted(request.id, sequence: snapshot.sequence, documents: count.documents, chunks: count.chunks)
        case .get(let input):
            try response.nodes(request.id, sequence: snapshot.sequence, try collection(input.collection, snapshot, authorized.caller), input)
        case .read(let input):
            try response.document(request.id, sequence: snapshot.sequence, try collection(input.collection, snapshot, authorized.caller), input)
        case .search(let search): try self.search(search, request.id, authorized.caller, snapshot, deadline, &response)
        case .list, .facet, .nodes, .prepareFilter, .dropFilter: try list(authorized, snapshot, &response)
        case .serverStats: response.serverStats(request.id, serverStatistics)
        case .jobs:
            let jobs = database.jobs
            response.jobs(request.id, underWay: jobs.underWay, finished: jobs.finished)
        case .createSnapshot(let name):
            response.snapshot(request.id, try engine { () throws(EngineError) in
                try database.createSnapshot(name, nowMilliseconds: WallClock.nowMilliseconds)
            })
        case .listSnapshots: response.snapshots(request.id, sequence: snapshot.sequence, database.snapshots)
        case .dropSnapshot(let name):
            try engine { () throws(EngineError) in try database.dropSnapshot(name) }
            response.done(request.id, sequence: snapshot.sequence)
        case .verifySnapshot(let name):
            response.verified(request.id, name: name, try engine { () throws(EngineError) in
                try database.verifySnapshot(name, Pace { (_) throws(EngineError) in try deadline.check() })
            })
        case .exportSnapshot(let input):
            response.exported(request.id, input, try engine { () throws(EngineError) in
                try database.exportSnapshot(name: input.name, since: input.since, offset: input.offset)
            })
        case .askDirectory(let question): try answer(question, request.id, snapshot, &response)
        case .auditQuery(let query): try auditQuery(query, request.id, snapshot, deadline, &response)
        case .createCollection, .dropCollection, .upsert, .delete, .patch, .changeDirectory: preconditionFailure("writes go through the log")
        case .flush, .optimize: preconditionFailure("background work has a thread of its own")
        }
    }

    private func search(
        _ search: SearchRequest, _ id: RequestID, _ caller: Caller?, _ snapshot: DatabaseSnapshot, _ deadline: Deadline, _ response: inout ResponseWriter
    ) throws(WireError) {
        let start = ContinuousClock.now
        let collection = try collection(search.collection, snapshot, caller)
        var input = search.input
        input.prepared = try prepared(search.prepared, collection)
        let result = try engine { () throws(EngineError) in try collection.search(input, deadline: deadline) }
        if result.damage != nil { damage.report(try engine { () throws(EngineError) in try snapshot.overview(of: search.collection) }) }
        let took = ContinuousClock.now - start
        try response.search(id, sequence: snapshot.sequence, collection, search, result, microseconds: Int(took / .microseconds(1)))
    }

    private func auditQuery(
        _ query: AuditQuery, _ id: RequestID, _ snapshot: DatabaseSnapshot, _ deadline: Deadline, _ response: inout ResponseWriter
    ) throws(WireError) {
        guard let audit else {
            throw WireError(code: "unsupported", message: "no audit log is kept: the daemon was started with --audit off or --audit-mib 0", field: "op")
        }
        let answer = try engine { () throws(EngineError) in
            try audit.log.query(query, nowMilliseconds: WallClock.nowMilliseconds, deadline: deadline)
        }
        try response.audited(id, sequence: snapshot.sequence, answer)
    }

    func collection(_ name: String, _ snapshot: DatabaseSnapshot, _ caller: Caller?) throws(WireError) -> CollectionSnapshot {
        try engine { () throws(EngineError) in try snapshot.collection(name, for: caller) }
    }

    func engine<T>(_ body: () throws(EngineError) -> T) throws(WireError) -> T {
        do { return try body() } catch { throw WireError(error) }
    }

    private var uptimeSeconds: Int { Int((ContinuousClock.now - started) / .seconds(1)) }

    private func info(_ snapshot: DatabaseSnapshot, for identity: Identity) -> ServerInfo {
        ServerInfo(
            version: version, sequence: snapshot.sequence, collections: snapshot.collectionNames.count(where: identity.mayKnow),
            uptimeSeconds: uptimeSeconds, dataPath: identity.roles.contains(.admin) ? dataPath : nil, workers: workers)
    }

    private var serverStatistics: ServerStatistics {
        ServerStatistics(
            uptimeSeconds: uptimeSeconds, connections: statistics.connections, operations: statistics.operations, database: database.statistics,
            audit: audit?.log.statistics)
    }

    // MARK: Background work

    /// With the sequence that files cover, or what kept them from it.
    func answer(_ authorized: Authorized, with result: Result<UInt64, EngineError>, into response: inout ResponseWriter) {
        let request = authorized.request
        switch result {
        case .success(let covered): response.done(request.id, sequence: covered)
        case .failure(let error): response.failure(request.id, WireError(error))
        }
    }

    /// Counts an answer that has been given.
    func answered(_ operation: OperationName?, _ weight: RequestWeight?, took: Duration) {
        if let operation { statistics.answered(operation, took: took) }
        if let weight { meter.end(weight, took: took) }
    }

    // MARK: Writes

    /// Why a write is not to be begun, where its deadline has passed already.
    func refusal(ofWriteBy deadline: ContinuousClock.Instant?) -> WireError? {
        guard let deadline else { return nil }
        do throws(EngineError) { try Deadline(at: deadline).check() } catch { return WireError(error) }
        return nil
    }

    func answer(_ authorized: Authorized, with result: Result<WriteOutcome, EngineError>, into response: inout ResponseWriter) {
        let request = authorized.request
        switch (result, request.operation) {
        case (.failure(let error), _): response.failure(request.id, WireError(error))
        case (.success(let outcome), .upsert): response.upserted(request.id, outcome)
        case (.success(let outcome), .delete): response.deleted(request.id, outcome)
        case (.success(let outcome), .patch): response.patched(request.id, outcome)
        case (.success(let outcome), _): response.done(request.id, sequence: outcome.sequence)
        }
    }
}

/// What is known of a request before it is begun.
struct Judgement {
    enum Course {
        case read(Size)
        case write(Write)
        /// For the thread that does background work.
        case order(MaintenanceThread.Order)
    }

    /// How much work an answer takes beside handing it to another thread.
    enum Size {
        /// Less than several of them handed over at once.
        case tiny
        /// Less than one of them handed over by itself.
        case light
        case large
    }

    let name: OperationName
    var course = Course.read(.tiny)
    /// How to tell by its time whether background work is in its way; nil where it tells nothing.
    var weight: RequestWeight?

    init(name: OperationName) { self.name = name }
}

extension Operation {
    /// The write it asks for, of what a caller may read, where there is one; nil for a read.
    func write(as caller: Caller?) -> Write? {
        switch self {
        case .createCollection(let schema): return .createCollection(schema)
        case .dropCollection(let name): return .dropCollection(name: name)
        case .upsert(let input): return .upsert(input)
        case .delete(var input):
            input.selection.caller = caller
            return .delete(input)
        case .patch(var input):
            input.selection.caller = caller
            return .patch(input)
        case .changeDirectory(let change): return .changeDirectory(change)
        case .hello, .ping, .serverInfo, .serverStats, .flush, .optimize, .jobs, .createSnapshot, .listSnapshots, .dropSnapshot, .verifySnapshot,
            .exportSnapshot, .listCollections, .describeCollection, .get, .read, .search, .count, .askDirectory, .list, .facet, .nodes,
            .prepareFilter, .dropFilter, .auditQuery:
            return nil
        }
    }

    /// Reads whose work grows with the collection or the answer.
    fileprivate var isLarge: Bool {
        switch self {
        case .count(let input): input.filter != nil || input.under != nil || !input.prepared.isEmpty
        // These walk what matches, or lies under a node; a filter may be a million ids.
        case .list, .facet, .prepareFilter: true
        case .nodes(let request): request.ids.map { $0.count > 16 } ?? true
        case .get(let input): input.ids.count > 16
        // These look at every segment, or wait for the disk.
        case .serverStats, .createSnapshot, .listSnapshots, .dropSnapshot, .verifySnapshot, .exportSnapshot, .auditQuery: true
        // These walk all principals or objects.
        case .askDirectory: true
        default: false
        }
    }
}

extension Write {
    var changesCollections: Bool {
        switch self {
        // What comes behind a change of rights is answered under it.
        case .createCollection, .dropCollection, .changeDirectory: true
        case .upsert, .delete, .patch: false
        }
    }
}
