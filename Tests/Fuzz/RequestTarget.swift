// Request lines of any bytes: each is refused with one line of JSON or carried out, and the database opens afterwards.
import Engine
import Memory
import Storage
import TestSupport
import Wire

extension FuzzTarget {
    /// An input is what a connection sends: lines.
    static let requests = FuzzTarget(name: "requests", seeds: { RequestScript.seeds }) { input in
        let disk = FaultyDisk()
        do throws(LogError) {
            let database = try RequestScript.database(disk)
            RequestScript.run(RequestScript.beginning, on: database)
            let before = database.snapshot().sequence
            RequestScript.run(input.split(separator: UInt8(ascii: "\n")).prefix(16).map(Array.init), on: database)
            let sequence = database.snapshot().sequence
            // Opening takes as long as all the rest, and most inputs write nothing.
            if sequence == before { return }
            guard try RequestScript.database(disk.afterRestart()).snapshot().sequence == sequence else {
                violated("what was acknowledged is there when the database is opened again")
            }
        } catch { violated("a database on a disk that works opens: \(error)") }
    }
}

/// Requests against a database in memory.
enum RequestScript {
    /// A collection with a field of every type, and requests of every kind on it.
    static let lines = [
        #"{"id":1,"op":"collection.create","name":"kb","spaces":{"default":{"dim":4,"metric":"cosine","index":"hnsw","quantization":"int8"},"small":{"dim":2,"metric":"l2"}},"fields":{"team":"keyword","tags":"keyword[]","year":"int","due":"time","weight":"float","done":"bool"}}"#,
        #"{"id":2,"op":"upsert","collection":"kb","records":[{"id":"a","vector":[0.5,-1e-3,2,3e2],"text":"a \"b\" \u00e9","fields":{"team":"cs","tags":["x","y"],"year":2026,"due":"2026-10-01T00:00:00Z","weight":0.5,"done":true}},{"id":"b","vector":"AACAPwAAAEAAAEBAAACAQA=="}]}"#,
        #"{"id":3,"op":"upsert","collection":"kb","documents":[{"id":"f","kind":"folder","chunks":[]},{"id":"d","kind":"document","parent":"f","title":"T","url":"u","mime":"text/plain","time":1760000000000,"if_version":0,"chunks":[{"text":"one","heading":"A > B","vectors":{"small":[1,2],"default":[3,4,5,6]}},{"text":"two"}]}]}"#,
        #"{"id":4,"op":"upsert","collection":"kb","documents":[{"id":"a","parent":"f","chunks":[{"vector":[1,2,3,4]}]}]}"#,
        #"{"id":5,"op":"search","collection":"kb","vector":[1,2,3,4],"k":5,"filter":{"$or":[{"team":{"$in":["cs","hr"]}},{"$not":{"year":{"$gte":2020,"$lt":2026}}}],"due":{"$exists":true}},"under":["f"],"min_score":0.25,"with":["text","vector"]}"#,
        #"{"id":6,"op":"search","collection":"kb","space":"small","searches":[{"vector":[1,2]},{"vector":"AACAPwAAAEA="}],"recall":0.9}"#,
        #"{"id":7,"op":"read","collection":"kb","document":"d","from_chunk":0,"to_chunk":3,"limit":2}"#,
        #"{"id":8,"op":"get","collection":"kb","ids":["a","b"],"with":["fields","vector","parent"]}"#,
        #"{"id":9,"op":"count","collection":"kb","filter":{"time":{"$gt":0}}}"#,
        #"{"id":10,"op":"collection.describe","name":"kb"}"#,
        #"{"id":11,"op":"delete","collection":"kb","ids":["b"]}"#,
        #"{"id":12,"op":"upsert","collection":"kb","records":[{"id":"b","vector":[1,0,0,0],"fields":{"tags":"z","year":-1}}]}"#,
        #"{"id":13,"op":"delete","collection":"kb","under":"f","filter":{"team":"cs"}}"#,
        #"{"id":16,"op":"patch","collection":"kb","ids":["d","b"],"title":"U","url":null,"time":"2026-10-01","parent":"f","set":{"tags":["z"]},"unset":["year"]}"#,
        #"{"id":24,"op":"list","collection":"kb","filter":{"tags":{"$all":["x","y"]},"team":{"$prefix":"c"},"title":{"$match":"one T"}},"under":["f"],"order_by":"weight","descending":true,"limit":2,"with":["text"]}"#,
        #"{"id":25,"op":"facet","collection":"kb","field":"tags","filter":{"$or":[{"$under":["f"]},{"id":{"$prefix":"a"}}],"kind":"document","parent":{"$nin":["f"]},"mime":"text/plain"},"limit":3}"#,
        #"{"id":26,"op":"nodes","collection":"kb","parent":"f","title_prefix":"T","kind":"document","limit":2,"with":["title","path"]}"#,
        #"{"id":27,"op":"nodes","collection":"kb","ids":["f","d","none"]}"#,
        #"{"id":28,"op":"filter.prepare","collection":"kb","filter":{"id":{"$in":["a","d"]},"team":{"$gte":"a"}}}"#,
        #"{"id":29,"op":"count","collection":"kb","prepared":["f-1"]}"#,
        #"{"id":30,"op":"filter.drop","handle":"f-1"}"#,
        #"{"id":31,"op":"group.put","group":"group:eng","members":["user:ana","group:sub"]}"#,
        #"{"id":32,"op":"group.remove","group":"group:eng","members":["user:ana"]}"#,
        #"{"id":33,"op":"access.put","access":"x","grants":[{"principal":"group:eng","grade":"derive"},{"principal":"public","grade":"exists"}],"denials":["user:bo"],"inherits":"y","contact":"c"}"#,
        #"{"id":34,"op":"access.deny","access":"x","principal":"user:ana"}"#,
        #"{"id":35,"op":"agent.put","agent":"agent:weekly","grade":"derive","scope":{"team":"cs","$under":["f"]}}"#,
        #"{"id":36,"op":"patch","collection":"kb","ids":["d"],"access":"x"}"#,
        #"{"id":37,"op":"access.explain","collection":"kb","document":"d","chunk":1,"user":"user:ana","agent":"agent:weekly"}"#,
        #"{"id":38,"op":"access.readers","collection":"kb","document":"d","limit":1}"#,
        #"{"id":39,"op":"access.list","limit":2}"#,
        #"{"id":40,"op":"group.drop","group":"group:eng"}"#,
        #"{"id":41,"op":"search","collection":"kb","vector":[1,2,3,4],"include_exists":true,"as":{"user":"user:ana","agent":"agent:weekly"}}"#,
        #"{"id":42,"op":"audit.query","document":"d","user":"user:ana","from":"2026-10-01","to":1790000000000,"before":9,"limit":2}"#,
        #"{"op":"server.info","id":"x","min_seq":3,"deadline_ms":100}"#,
        #"{"id":14,"op":"collection.create","name":"other","dim":4,"metric":"dot"}"#,
        #"{"id":15,"op":"collection.drop","name":"other"}"#,
    ]

    /// Those for who runs a database.
    static let operatorLines = [
        #"{"id":17,"op":"flush"}"#, #"{"id":18,"op":"optimize","collection":"kb"}"#, #"{"id":19,"op":"server.stats"}"#, #"{"id":20,"op":"jobs"}"#,
        #"{"id":21,"op":"snapshot.create","name":"s"}"#, #"{"id":22,"op":"snapshot.list"}"#, #"{"id":23,"op":"snapshot.drop","name":"s"}"#,
    ]

    /// What every input finds there.
    static let beginning = lines.prefix(4).map { Array($0.utf8) }

    /// A line each, and two connections' worth.
    static var seeds: [[UInt8]] {
        let all = lines + operatorLines
        return all.map { text([$0]) } + [text(lines), text(Array(lines.suffix(6)) + operatorLines)]
    }

    static func text(_ lines: [String]) -> [UInt8] { Array(lines.joined(separator: "\n").utf8) }

    static func database(_ disk: FaultyDisk) throws(LogError) -> Database {
        var small = DatabaseSizes()
        small.log = LogFileSizes(target: 1 << 20, zeroedStep: 256)
        small.manifest = ManifestFileSizes(editBytesMax: 4096, zeroedStep: 64)
        small.reserveBytes = 256
        return try Database(disk: disk, sizes: small, randomness: { 7 })
    }

    /// The log records that requests make.
    static func records(of lines: [String]) -> [LogEntry] {
        let disk = FaultyDisk()
        var records: [LogEntry] = []
        do throws(LogError) {
            run(lines.map { Array($0.utf8) }, on: try database(disk))
            guard let contents = try Manifest.load(disk) else { violated("a database has a manifest") }
            _ = try Log(
                disk: disk.afterRestart(), files: contents.logFiles, after: 0, databaseID: contents.databaseID, randomness: { 7 },
                willStart: { (_) throws(LogError) in }
            ) { (type, _, payload) throws(Corruption) in records.append(LogEntry(type: type, payload: Array(copying: payload))) }
        } catch { violated("a database on a disk that works opens: \(error)") }
        return records
    }

    /// Answers lines as the daemon does.
    static func run(_ lines: [[UInt8]], on database: Database) {
        var decoder = RequestDecoder()
        var response = ResponseWriter()
        for line in lines {
            do throws(RefusedLine) {
                // Sound: bytes have no invalid pattern.
                let request = try decoder.decode(unsafe line.span.bytes)
                do throws(WireError) { try answer(request, database, &response) } catch { response.failure(request.id, error) }
            } catch { response.failure(error.id, error.error) }
            checkAnswer(response.withBytes { Array(copying: $0) })
        }
    }

    static func checkAnswer(_ answer: [UInt8]) {
        guard answer.last == UInt8(ascii: "\n"), !answer.dropLast().contains(UInt8(ascii: "\n")) else { violated("an answer is one line") }
        do { _ = try Answer(line: Array(answer.dropLast())) } catch { violated("an answer is JSON: \(error)") }
    }

    private static func answer(_ request: Request, _ database: Database, _ response: inout ResponseWriter) throws(WireError) {
        let id = request.id
        let snapshot = database.snapshot()
        func collection(_ name: String) throws(WireError) -> CollectionSnapshot {
            try engine { () throws(EngineError) in try snapshot.collection(name, for: request.claimed) }
        }
        switch request.operation {
        case .createCollection(let schema): response.done(id, sequence: try write(.createCollection(schema), database).sequence)
        case .dropCollection(let name): response.done(id, sequence: try write(.dropCollection(name: name), database).sequence)
        case .upsert(let input): response.upserted(id, try write(.upsert(input), database))
        case .delete(var input):
            input.selection.caller = request.claimed
            response.deleted(id, try write(.delete(input), database))
        case .patch(var input):
            input.selection.caller = request.claimed
            response.patched(id, try write(.patch(input), database))
        case .changeDirectory(let change): response.done(id, sequence: try write(.changeDirectory(change), database).sequence)
        case .askDirectory(let question): try DirectoryAnswers.answer(question, id, snapshot, &response)
        case .flush:
            try engine { () throws(EngineError) in try database.checkpoint() }
            response.done(id, sequence: database.coveredSequence)
        case .optimize(let collection):
            try engine { () throws(EngineError) in try database.optimize(collection) }
            response.done(id, sequence: database.coveredSequence)
        case .createSnapshot(let name):
            response.snapshot(id, try engine { () throws(EngineError) in try database.createSnapshot(name, nowMilliseconds: 0) })
        case .dropSnapshot(let name):
            try engine { () throws(EngineError) in try database.dropSnapshot(name) }
            response.done(id, sequence: 1)
        case .verifySnapshot(let name):
            response.verified(id, name: name, try engine { () throws(EngineError) in try database.verifySnapshot(name) })
        case .exportSnapshot(let input):
            response.exported(id, input, try engine { () throws(EngineError) in
                try database.exportSnapshot(name: input.name, since: input.since, offset: input.offset)
            })
        case .listSnapshots: response.snapshots(id, sequence: 1, database.snapshots)
        case .jobs: response.jobs(id, underWay: database.jobs.underWay, finished: database.jobs.finished)
        case .serverStats:
            response.serverStats(id, ServerStatistics(uptimeSeconds: 0, connections: 0, operations: [], database: database.statistics, audit: AuditStatistics()))
        case .hello: response.hello(id, version: "", IdentityInfo(name: "", roles: []))
        case .ping, .serverInfo: response.pong(id)
        case .listCollections: response.collections(id, sequence: 1, snapshot.allCollections, counts: true)
        case .describeCollection(let name):
            response.collection(id, sequence: 1, try engine { () throws(EngineError) in try snapshot.overview(of: name) }, counts: true)
        case .get(let input): try response.nodes(id, sequence: 1, try collection(input.collection), input)
        case .read(let input): try response.document(id, sequence: 1, try collection(input.collection), input)
        case .count(let input):
            let collection = try collection(input.collection)
            let count = try engine { () throws(EngineError) in
                try collection.count(filter: input.filter, under: input.under, prepared: database.preparedFilters.filters(input.prepared, of: collection))
            }
            response.counted(id, sequence: 1, documents: count.documents, chunks: count.chunks)
        case .search(let search):
            let collection = try collection(search.collection)
            var input = search.input
            let result = try engine { () throws(EngineError) in
                input.prepared = try database.preparedFilters.filters(search.prepared, of: collection)
                return try collection.search(input)
            }
            try response.search(id, sequence: 1, collection, search, result, microseconds: 0)
        case .list(let list):
            let collection = try collection(list.collection)
            var input = list.input
            let page = try engine { () throws(EngineError) in
                input.prepared = try database.preparedFilters.filters(list.prepared, of: collection)
                return try collection.list(input, seal: database.cursorSeal)
            }
            try response.list(id, sequence: 1, collection, page, with: list.with)
        case .facet(let facet):
            let collection = try collection(facet.collection)
            let counts = try engine { () throws(EngineError) in
                try collection.facet(
                    facet.field, filter: facet.filter, under: facet.under, prepared: database.preparedFilters.filters(facet.prepared, of: collection),
                    limit: facet.limit)
            }
            try response.facet(id, sequence: 1, counts)
        case .nodes(let nodes):
            let collection = try collection(nodes.collection)
            if let ids = nodes.ids { return try response.tree(id, sequence: 1, collection, ids: ids, with: nodes.with) }
            guard let page = try engine({ () throws(EngineError) in try collection.tree(nodes.input, seal: database.cursorSeal) }) else { return response.pong(id) }
            try response.tree(id, sequence: 1, collection, page, with: nodes.with)
        case .prepareFilter(let input):
            let collection = try collection(input.collection)
            try engine { () throws(EngineError) in try database.preparedFilters.prepare(input.filter, for: collection, handle: "f-1") }
            response.prepared(id, sequence: 1, handle: "f-1")
        case .dropFilter(let handle):
            try engine { () throws(EngineError) in try database.preparedFilters.drop(handle) }
            response.done(id, sequence: 1)
        case .auditQuery: throw WireError(code: "unsupported", message: "no audit log is kept", field: "op")
        }
    }

    private static func write(_ write: Write, _ database: Database) throws(WireError) -> WriteOutcome {
        try engine { () throws(EngineError) in try database.write(write) }
    }

    static func engine<T>(_ body: () throws(EngineError) -> T) throws(WireError) -> T {
        do { return try body() } catch { throw WireError(error) }
    }
}
