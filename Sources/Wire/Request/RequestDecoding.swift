// From a line to a request: the one place where the protocol's requests are understood.
import Engine
import Index
import Memory

/// A line that is no request, and the id to say so under.
package struct RefusedLine: Error {
    package var id: RequestID
    package var error: WireError
}

/// Decodes lines, one after the other. One a thread; it keeps the parser's memory.
package struct RequestDecoder: ~Copyable {
    private var parser = JSONParser(bytesMax: WireLimits.lineBytesMax, depthMax: WireLimits.depthMax)

    package init() {}

    package mutating func decode(_ line: RawSpan) throws(RefusedLine) -> Request {
        let root: JSONValue
        do { root = try parser.parse(line) } catch { throw RefusedLine(id: .none, error: .badJSON(error)) }
        return try Self.decode(root)
    }

    private static func decode(_ root: borrowing JSONValue) throws(RefusedLine) -> Request {
        var request = Request(id: .none, operation: .ping)
        do throws(WireError) {
            guard root.kind == .object else { throw WireError(code: "invalid_value", message: "a request must be an object") }
            // The id first, wherever it stands: every later complaint is then told under it.
            if let id = root.firstMember("id") { request.id = try requestID(id) }
            do { try root.checkKeys() } catch { throw WireError.badJSON(error) }
            if let deadline = root.firstMember("deadline_ms") {
                request.deadlineMilliseconds = try deadline.decodeInt("deadline_ms", in: 1...WireLimits.deadlineMillisecondsMax)
            }
            if let sequence = root.firstMember("min_seq") { request.minSequence = try sequence.decodeSequence("min_seq") }
            guard let op = try root.firstMember("op")?.decodeString("op") else { throw WireError.missing("op", "a request") }
            guard let decode = operations[op] else {
                throw WireError(code: "unknown_op", message: "there is no operation \"\(op)\"; there are: \(operations.keys.sorted().joined(separator: " "))", field: "op")
            }
            request.operation = try decode(root)
            request.namesAccess = root.firstMember("access") != nil
            if let claimed = root.firstMember("as") { request.claimed = try claimed.decodeCaller("as", of: request.operation.name) }
        } catch { throw RefusedLine(id: request.id, error: error) }
        return request
    }

    private static func requestID(_ value: borrowing JSONValue) throws(WireError) -> RequestID {
        if let int = value.int { return .integer(int) }
        if let string = value.string, string.utf8.count <= WireLimits.requestIDBytesMax { return .string(string) }
        throw .invalid("id", "an integer or a string of at most \(WireLimits.requestIDBytesMax) bytes")
    }

    private typealias Decode = @Sendable (borrowing JSONValue) throws(WireError) -> Operation

    private static let operations: [String: Decode] = [
        "hello": { root throws(WireError) in try hello(root) },
        "ping": { root throws(WireError) in try bare(root, "ping", .ping) },
        "server.info": { root throws(WireError) in try bare(root, "server.info", .serverInfo) },
        "server.stats": { root throws(WireError) in try bare(root, "server.stats", .serverStats) },
        "flush": { root throws(WireError) in try bare(root, "flush", .flush) },
        "optimize": { root throws(WireError) in try optimize(root) },
        "jobs": { root throws(WireError) in try bare(root, "jobs", .jobs) },
        "snapshot.create": { root throws(WireError) in .createSnapshot(name: try snapshotName(root, "snapshot.create")) },
        "snapshot.list": { root throws(WireError) in try bare(root, "snapshot.list", .listSnapshots) },
        "snapshot.drop": { root throws(WireError) in .dropSnapshot(name: try snapshotName(root, "snapshot.drop")) },
        "snapshot.verify": { root throws(WireError) in .verifySnapshot(name: try snapshotName(root, "snapshot.verify")) },
        "snapshot.export": { root throws(WireError) in try exportSnapshot(root) },
        "collection.create": { root throws(WireError) in try createCollection(root) },
        "collection.list": { root throws(WireError) in try bare(root, "collection.list", .listCollections) },
        "collection.describe": { root throws(WireError) in .describeCollection(name: try collectionName(root, "collection.describe")) },
        "collection.drop": { root throws(WireError) in .dropCollection(name: try collectionName(root, "collection.drop")) },
        "upsert": { root throws(WireError) in try upsert(root) },
        "delete": { root throws(WireError) in try delete(root) },
        "patch": { root throws(WireError) in try patch(root) },
        "get": { root throws(WireError) in try get(root) },
        "read": { root throws(WireError) in try read(root) },
        "search": { root throws(WireError) in try search(root) },
        "count": { root throws(WireError) in try count(root) },
        "list": { root throws(WireError) in try list(root) },
        "facet": { root throws(WireError) in try facet(root) },
        "nodes": { root throws(WireError) in try nodes(root) },
        "filter.prepare": { root throws(WireError) in try prepareFilter(root) },
        "filter.drop": { root throws(WireError) in try dropFilter(root) },
        "group.put": { root throws(WireError) in try groupMembers(root, "group.put") { .putGroup($0, members: $1) } },
        "group.add": { root throws(WireError) in try groupMembers(root, "group.add") { .addMembers(group: $0, $1) } },
        "group.remove": { root throws(WireError) in try groupMembers(root, "group.remove") { .removeMembers(group: $0, $1) } },
        "group.drop": { root throws(WireError) in try named(root, "group.drop", "group") { .changeDirectory(.dropGroup($0)) } },
        "group.get": { root throws(WireError) in try named(root, "group.get", "group") { .askDirectory(.group($0)) } },
        "group.list": { root throws(WireError) in try page(root, "group.list") { .groups($0) } },
        "principal.groups": { root throws(WireError) in try named(root, "principal.groups", "principal") { .askDirectory(.principal($0)) } },
        "access.put": { root throws(WireError) in try putAccess(root) },
        "access.grant": { root throws(WireError) in try entry(root, "access.grant", hasGrade: true) { .grant(access: $0, principal: $1, $2) } },
        "access.deny": { root throws(WireError) in try entry(root, "access.deny", hasGrade: false) { .grant(access: $0, principal: $1, $2) } },
        "access.revoke": { root throws(WireError) in try entry(root, "access.revoke", hasGrade: false) { access, principal, _ in .revoke(access: access, principal: principal) } },
        "access.drop": { root throws(WireError) in try named(root, "access.drop", "access") { .changeDirectory(.dropAccess($0)) } },
        "access.get": { root throws(WireError) in try named(root, "access.get", "access") { .askDirectory(.access($0)) } },
        "access.list": { root throws(WireError) in try page(root, "access.list") { .accessObjects($0) } },
        "access.explain": { root throws(WireError) in try explain(root) },
        "access.readers": { root throws(WireError) in try readers(root) },
        "agent.put": { root throws(WireError) in try putAgent(root) },
        "agent.drop": { root throws(WireError) in try named(root, "agent.drop", "agent") { .changeDirectory(.dropAgent($0)) } },
        "agent.get": { root throws(WireError) in try named(root, "agent.get", "agent") { .askDirectory(.agent($0)) } },
        "agent.list": { root throws(WireError) in try page(root, "agent.list") { .agents($0) } },
        "audit.query": { root throws(WireError) in try auditQuery(root) },
    ]

    // MARK: Members

    /// The members that are the operation's own; those of every request have been read already.
    static func members(
        _ root: borrowing JSONValue, _ op: String, _ body: (String, borrowing JSONValue) throws(WireError) -> Bool
    ) throws(WireError) {
        try root.forEachMember("", areDistinct: true) { (key, value) throws(WireError) in
            switch key {
            case "id", "op", "deadline_ms", "min_seq", "as": break
            default: guard try body(key, value) else { throw .unknown(key, in: op) }
            }
        }
    }

    private static func bare(_ root: borrowing JSONValue, _ op: String, _ operation: Operation) throws(WireError) -> Operation {
        try members(root, op) { (_, _) throws(WireError) in false }
        return operation
    }

    static func present(_ name: String, _ field: String, _ op: String) throws(WireError) {
        if name.isEmpty { throw .missing(field, op) }
    }

    // MARK: Operations

    private static func hello(_ root: borrowing JSONValue) throws(WireError) -> Operation {
        var input = HelloInput()
        try members(root, "hello") { (key, value) throws(WireError) in
            switch key {
            case "token":
                let token = try value.decodeString(key)
                guard token.utf8.count <= WireLimits.tokenBytesMax else { throw .invalid(key, "at most \(WireLimits.tokenBytesMax) bytes") }
                input.token = token
            case "client": input.client = try value.decodeString(key)
            default: return false
            }
            return true
        }
        return .hello(input)
    }

    /// `name`, or `collection` as the other operations call it.
    private static func collectionName(_ root: borrowing JSONValue, _ op: String) throws(WireError) -> String {
        var name = ""
        try members(root, op) { (key, value) throws(WireError) in
            guard key == "name" || key == "collection" else { return false }
            guard name.isEmpty else { throw .invalid(key, "given once, as \"name\" or \"collection\"") }
            name = try value.decodeString(key)
            return true
        }
        try present(name, "name", op)
        return name
    }

    private static func snapshotName(_ root: borrowing JSONValue, _ op: String) throws(WireError) -> String {
        var name = ""
        try members(root, op) { (key, value) throws(WireError) in
            guard key == "name" else { return false }
            name = try value.decodeString(key)
            return true
        }
        try present(name, "name", op)
        return name
    }

    private static func exportSnapshot(_ root: borrowing JSONValue) throws(WireError) -> Operation {
        var input = ExportInput()
        try members(root, "snapshot.export") { (key, value) throws(WireError) in
            switch key {
            case "name": input.name = try value.decodeString(key)
            case "since": input.since = try value.decodeString(key)
            case "offset": input.offset = try value.decodeInt(key, in: 0...Int.max)
            default: return false
            }
            return true
        }
        try present(input.name, "name", "snapshot.export")
        return .exportSnapshot(input)
    }

    private static func optimize(_ root: borrowing JSONValue) throws(WireError) -> Operation {
        var collection: String?
        try members(root, "optimize") { (key, value) throws(WireError) in
            guard key == "collection" else { return false }
            collection = try value.decodeString(key)
            return true
        }
        return .optimize(collection: collection)
    }

    private static func createCollection(_ root: borrowing JSONValue) throws(WireError) -> Operation {
        var schema = CollectionSchema(name: "", spaces: [], fields: [])
        var single = SpaceShape()
        try members(root, "collection.create") { (key, value) throws(WireError) in
            switch key {
            case "name", "collection":
                guard schema.name.isEmpty else { throw .invalid(key, "given once, as \"name\" or \"collection\"") }
                schema.name = try value.decodeString(key)
            case "spaces": schema.spaces = try spaces(value)
            case "fields": schema.fields = try fields(value)
            case "access": schema.access = try value.decodeCase(key)
            case "default_access": schema.defaultAccess = try value.decodeString(key)
            default: return try single.member(key, value, key)
            }
            return true
        }
        try present(schema.name, "name", "collection.create")
        if !single.isEmpty {
            guard schema.spaces.isEmpty else { throw .invalid("spaces", "absent where dim and metric are given at the top level") }
            schema.spaces = [try single.schema(name: "default", field: "")]
        }
        return .createCollection(schema)
    }

    private static func spaces(_ value: borrowing JSONValue) throws(WireError) -> [SpaceSchema] {
        var spaces: [SpaceSchema] = []
        try value.forEachMember("spaces") { (name, value) throws(WireError) in
            var shape = SpaceShape()
            try value.forEachMember("spaces.\(name)") { (key, value) throws(WireError) in
                guard try shape.member(key, value, "spaces.\(name).\(key)") else { throw .unknown(key, in: "a space", path: "spaces.\(name).\(key)") }
            }
            spaces.append(try shape.schema(name: name, field: "spaces.\(name)."))
        }
        return spaces
    }

    private static func fields(_ value: borrowing JSONValue) throws(WireError) -> [FieldSchema] {
        var fields: [FieldSchema] = []
        try value.forEachMember("fields") { (name, value) throws(WireError) in
            fields.append(FieldSchema(name: name, type: try value.decodeCase("fields.\(name)")))
        }
        return fields
    }

    private static func upsert(_ root: borrowing JSONValue) throws(WireError) -> Operation {
        var collection = ""
        try root.forEachMember("") { (key, value) throws(WireError) in
            if key == "collection" { collection = try value.decodeString(key) }
        }
        try present(collection, "collection", "upsert")
        var input: UpsertInput?
        try members(root, "upsert") { (key, value) throws(WireError) in
            switch key {
            case "collection": return true
            case "records", "documents":
                guard input == nil else { throw .invalid(key, "absent: give records or documents, not both") }
                input = key == "records" ? try UpsertDecoder.records(value, collection: collection) : try UpsertDecoder.documents(value, collection: collection)
                return true
            default: return false
            }
        }
        guard let input else { throw .missing("records", "upsert") }
        return .upsert(input)
    }

    private static func delete(_ root: borrowing JSONValue) throws(WireError) -> Operation {
        var input = DeleteInput(collection: "")
        try members(root, "delete") { (key, value) throws(WireError) in
            switch key {
            case "collection": input.collection = try value.decodeString(key)
            default: return try selectionMember(key, value, &input.selection)
            }
            return true
        }
        try present(input.collection, "collection", "delete")
        return .delete(input)
    }

    /// What delete and patch choose nodes by; false for a key that is none of these.
    private static func selectionMember(_ key: String, _ value: borrowing JSONValue, _ selection: inout Selection) throws(WireError) -> Bool {
        switch key {
        case "ids": selection.ids = try value.decodeStrings(key, max: WireLimits.idsMax)
        case "filter": selection.filter = try FilterDecoder.decode(value, field: key)
        case "under": selection.under = try value.decodeOneOrMoreStrings(key, max: WireLimits.idsMax)
        default: return false
        }
        return true
    }

    private static func patch(_ root: borrowing JSONValue) throws(WireError) -> Operation {
        var input = PatchInput(collection: "")
        try members(root, "patch") { (key, value) throws(WireError) in
            switch key {
            case "collection": input.collection = try value.decodeString(key)
            case "if_version": input.ifVersion = try value.decodeSequence(key)
            case "parent": input.parent = try value.decodeTextChange(key)
            case "title": input.title = try value.decodeTextChange(key)
            case "url": input.url = try value.decodeTextChange(key)
            case "mime": input.mime = try value.decodeTextChange(key)
            case "time": input.time = value.isNull ? .remove : .set(try value.decodeInputValue(key))
            case "access": input.access = try value.decodeTextChange(key)
            case "set":
                try value.forEachMember(key) { (name, value) throws(WireError) in
                    input.set.append((name, try value.decodeInputValue("set.\(name)")))
                }
            case "unset": input.unset = try value.decodeStrings(key, max: Limits.fieldsMax)
            default: return try selectionMember(key, value, &input.selection)
            }
            return true
        }
        try present(input.collection, "collection", "patch")
        return .patch(input)
    }

    private static func get(_ root: borrowing JSONValue) throws(WireError) -> Operation {
        var input = GetInput()
        var hasIDs = false
        try members(root, "get") { (key, value) throws(WireError) in
            switch key {
            case "collection": input.collection = try value.decodeString(key)
            case "ids":
                input.ids = try value.decodeStrings(key, max: WireLimits.idsMax)
                hasIDs = true
            case "with": input.with = try value.decodeParts(key)
            case "include_exists": input.includesKnown = try value.decodeBool(key)
            default: return false
            }
            return true
        }
        try present(input.collection, "collection", "get")
        guard hasIDs else { throw .missing("ids", "get") }
        return .get(input)
    }

    private static func read(_ root: borrowing JSONValue) throws(WireError) -> Operation {
        var input = ReadInput()
        try members(root, "read") { (key, value) throws(WireError) in
            switch key {
            case "collection": input.collection = try value.decodeString(key)
            case "document": input.id = try value.decodeString(key)
            case "from_chunk": input.fromChunk = try value.decodeInt(key, in: 0...Limits.chunksPerDocumentMax)
            case "to_chunk": input.toChunk = try value.decodeInt(key, in: 0...Limits.chunksPerDocumentMax)
            case "limit": input.limit = try value.decodeInt(key, in: 1...WireLimits.readChunksMax)
            default: return false
            }
            return true
        }
        try present(input.collection, "collection", "read")
        try present(input.id, "document", "read")
        return .read(input)
    }

    private static func count(_ root: borrowing JSONValue) throws(WireError) -> Operation {
        var input = CountInput()
        try members(root, "count") { (key, value) throws(WireError) in
            switch key {
            case "collection": input.collection = try value.decodeString(key)
            case "filter": input.filter = try FilterDecoder.decode(value, field: key)
            case "under": input.under = try value.decodeOneOrMoreStrings(key, max: WireLimits.idsMax)
            case "prepared": input.prepared = try value.decodeHandles(key)
            default: return false
            }
            return true
        }
        try present(input.collection, "collection", "count")
        return .count(input)
    }

    private static func search(_ root: borrowing JSONValue) throws(WireError) -> Operation {
        var request = SearchRequest()
        try members(root, "search") { (key, value) throws(WireError) in
            switch key {
            case "collection": request.collection = try value.decodeString(key)
            case "space": request.input.space = try value.decodeString(key)
            case "vector":
                guard !request.isBatch else { throw .invalid(key, "absent where searches are given") }
                request.input.vectors.append(try value.decodeVector(key, to: &request.input.floats))
            case "searches": try searches(value, &request)
            case "k": request.input.k = try value.decodeInt(key, in: 1...Limits.kMax)
            case "filter": request.input.filter = try FilterDecoder.decode(value, field: key)
            case "under": request.input.under = try value.decodeOneOrMoreStrings(key, max: WireLimits.idsMax)
            case "prepared": request.prepared = try value.decodeHandles(key)
            case "min_score": request.input.minScore = try value.decodeFloat(key)
            case "with": request.with = try value.decodeParts(key)
            case "include_exists": request.input.includesKnown = try value.decodeBool(key)
            case "recall", "effort", "exact": try effort(key, value, &request.input.effort)
            default: return false
            }
            return true
        }
        try present(request.collection, "collection", "search")
        guard request.isBatch || request.input.vectors.count == 1 else { throw .missing("vector", "search") }
        return .search(request)
    }

    /// One of three ways to say how hard to look. `"exact": false` asks for nothing.
    private static func effort(_ key: String, _ value: borrowing JSONValue, _ effort: inout SearchEffort) throws(WireError) {
        let asked: SearchEffort
        switch key {
        case "recall":
            let recallMin = SearchEffort.recallMin
            guard let recall = value.double, recall >= Double(recallMin), recall <= 1 else { throw .invalid(key, "a number from \(recallMin) to 1") }
            asked = .reaching(Float(recall))
        case "effort": asked = .width(try value.decodeInt(key, in: 1...Limits.effortMax))
        default: asked = try value.decodeBool(key) ? .exact : .standard
        }
        guard asked != .standard else { return }
        guard effort == .standard else { throw .invalid(key, "absent: a search takes one of recall, effort and exact") }
        effort = asked
    }

    /// `[{"vector":…}, …]`: many vectors, one line, one snapshot.
    private static func searches(_ value: borrowing JSONValue, _ request: inout SearchRequest) throws(WireError) {
        guard var elements = value.elements else { throw .invalid("searches", "an array of {\"vector\":…}") }
        guard request.input.vectors.isEmpty else { throw .invalid("searches", "absent where a vector is given") }
        request.isBatch = true
        while let element = elements.next() {
            let place = "searches[\(request.input.vectors.count)]"
            guard request.input.vectors.count < Limits.searchesMax else {
                throw WireError(code: "limit_exceeded", message: "at most \(Limits.searchesMax) searches a request", field: "searches")
            }
            var range: Range<Int>?
            try element.forEachMember(place) { (key, value) throws(WireError) in
                guard key == "vector" else { throw .unknown(key, in: place, path: "\(place).\(key)") }
                range = try value.decodeVector("\(place).vector", to: &request.input.floats)
            }
            guard let range else { throw .missing("\(place).vector", "search") }
            request.input.vectors.append(range)
        }
        guard !request.input.vectors.isEmpty else { throw .invalid("searches", "at least one search") }
    }
}

/// A space as it is read: `dim`, `metric`, and what its indexes are to be like.
private struct SpaceShape {
    private var dimension: Int?
    private var metric: Metric?
    private var index: IndexKind?
    private var quantization: QuantizationKind?
    var isEmpty: Bool { dimension == nil && metric == nil && index == nil && quantization == nil }

    mutating func member(_ key: String, _ value: borrowing JSONValue, _ field: String) throws(WireError) -> Bool {
        switch key {
        case "dim": dimension = try value.decodeInt(field, in: 1...Limits.dimensionMax)
        case "metric":
            guard let named = Metric(name: value.string ?? "") else {
                throw .invalid(field, "one of \(Metric.allCases.map(\.name).joined(separator: ", "))")
            }
            metric = named
        case "index": index = try value.decodeCase(field)
        case "quantization": quantization = try value.decodeCase(field)
        default: return false
        }
        return true
    }

    func schema(name: String, field: String) throws(WireError) -> SpaceSchema {
        guard let dimension else { throw .missing("\(field)dim", "a space") }
        guard let metric else { throw .missing("\(field)metric", "a space") }
        return SpaceSchema(name: name, dimension: dimension, metric: metric, index: index ?? .auto, quantization: quantization ?? .auto)
    }
}
