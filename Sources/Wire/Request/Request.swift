// A request as a value: decoded once, and what was authorised is what is executed.
package import Engine

/// What the caller matches an answer by.
package enum RequestID: Equatable, Sendable {
    case integer(Int64)
    case string(String)
    /// The request was too broken to carry one.
    case none
}

package struct Request: Sendable {
    package var id: RequestID
    package var operation: Operation
    /// How long the caller waits, from when the request was read.
    package var deadlineMilliseconds: Int?
    /// The caller has seen this sequence and wants an answer no older.
    package var minSequence: UInt64?
    /// On whose behalf it says it is made (`as`). A claim: whether this connection may make it is for the server to say.
    package var claimed: Caller?
    /// Whether it says if a collection that it creates has rights. Where it does not, that is for the server to say.
    package var namesAccess = false
}

package enum Operation: Sendable {
    case hello(HelloInput)
    case ping
    case serverInfo
    case serverStats
    /// Everything in force into files.
    case flush
    /// The same, and each collection (or this one) into as few segments as may be.
    case optimize(collection: String?)
    case jobs
    case createSnapshot(name: String)
    case listSnapshots
    case dropSnapshot(name: String)
    case verifySnapshot(name: String)
    case exportSnapshot(ExportInput)
    case createCollection(CollectionSchema)
    case listCollections
    case describeCollection(name: String)
    case dropCollection(name: String)
    case upsert(UpsertInput)
    case delete(DeleteInput)
    case patch(PatchInput)
    case get(GetInput)
    case read(ReadInput)
    case search(SearchRequest)
    case count(CountInput)
    case list(ListRequest)
    case facet(FacetRequest)
    case nodes(NodesRequest)
    case prepareFilter(PrepareInput)
    case dropFilter(handle: String)
    case changeDirectory(DirectoryChange)
    case askDirectory(DirectoryQuestion)
    case auditQuery(AuditQuery)
}

/// What an operation is called on the wire.
package enum OperationName: String, CaseIterable, Sendable {
    case hello, ping, flush, optimize, jobs, upsert, delete, patch, get, read, search, count, list, facet, nodes
    case serverInfo = "server.info"
    case serverStats = "server.stats"
    case createCollection = "collection.create"
    case listCollections = "collection.list"
    case describeCollection = "collection.describe"
    case dropCollection = "collection.drop"
    case createSnapshot = "snapshot.create"
    case listSnapshots = "snapshot.list"
    case dropSnapshot = "snapshot.drop"
    case verifySnapshot = "snapshot.verify"
    case exportSnapshot = "snapshot.export"
    case prepareFilter = "filter.prepare"
    case dropFilter = "filter.drop"
    case putGroup = "group.put"
    case addMembers = "group.add"
    case removeMembers = "group.remove"
    case dropGroup = "group.drop"
    case getGroup = "group.get"
    case listGroups = "group.list"
    case putAccess = "access.put"
    case grantAccess = "access.grant"
    case denyAccess = "access.deny"
    case revokeAccess = "access.revoke"
    case dropAccess = "access.drop"
    case getAccess = "access.get"
    case listAccess = "access.list"
    case explainAccess = "access.explain"
    case accessReaders = "access.readers"
    case putAgent = "agent.put"
    case dropAgent = "agent.drop"
    case getAgent = "agent.get"
    case listAgents = "agent.list"
    case principalGroups = "principal.groups"
    case auditQuery = "audit.query"
}

extension Operation {
    package var name: OperationName {
        switch self {
        case .hello: .hello
        case .ping: .ping
        case .serverInfo: .serverInfo
        case .serverStats: .serverStats
        case .flush: .flush
        case .optimize: .optimize
        case .jobs: .jobs
        case .createSnapshot: .createSnapshot
        case .listSnapshots: .listSnapshots
        case .dropSnapshot: .dropSnapshot
        case .verifySnapshot: .verifySnapshot
        case .exportSnapshot: .exportSnapshot
        case .createCollection: .createCollection
        case .listCollections: .listCollections
        case .describeCollection: .describeCollection
        case .dropCollection: .dropCollection
        case .upsert: .upsert
        case .delete: .delete
        case .patch: .patch
        case .get: .get
        case .read: .read
        case .search: .search
        case .count: .count
        case .list: .list
        case .facet: .facet
        case .nodes: .nodes
        case .prepareFilter: .prepareFilter
        case .dropFilter: .dropFilter
        case .changeDirectory(let change): change.name
        case .askDirectory(let question): question.name
        case .auditQuery: .auditQuery
        }
    }
}

package struct HelloInput: Sendable {
    /// A static key or a signed token; never shown, logged or kept.
    package var token: String?
    package var client: String?
}

package struct ExportInput: Sendable {
    package var name = ""
    package var since: String?
    package var offset = 0
}

package struct GetInput: Sendable {
    package var collection = ""
    package var ids: [String] = []
    package var with: Parts = .nodeDefault
    /// Whether nodes are told of too that may be known to exist and no more.
    package var includesKnown = false
}

package struct ReadInput: Sendable {
    package var collection = ""
    package var id = ""
    package var fromChunk = 0
    /// Inclusive.
    package var toChunk: Int?
    package var limit = 100
}

package struct CountInput: Sendable {
    package var collection = ""
    package var filter: Filter?
    package var under: [String]?
    /// Handles of prepared filters.
    package var prepared: [String] = []
}

package struct SearchRequest: Sendable {
    package var collection = ""
    package var input = SearchInput()
    /// Handles of prepared filters.
    package var prepared: [String] = []
    package var with: Parts = .hitDefault
    /// Asked as `searches`: the answer has one result for each.
    package var isBatch = false
}

/// What an answer shows of a node or a hit besides what identifies it.
package struct Parts: OptionSet, Sendable {
    package let rawValue: UInt16
    package init(rawValue: UInt16) { self.rawValue = rawValue }

    package static let text = Parts(rawValue: 1), title = Parts(rawValue: 2), url = Parts(rawValue: 4), mime = Parts(rawValue: 8)
    package static let fields = Parts(rawValue: 16), heading = Parts(rawValue: 32), vector = Parts(rawValue: 64)
    package static let parent = Parts(rawValue: 128), time = Parts(rawValue: 256)
    /// Of nodes of the tree alone, and of no name in other operations' `with`.
    package static let path = Parts(rawValue: 512)

    static let hitDefault: Parts = [.text, .title, .heading]
    static let nodeDefault: Parts = [.text, .title, .url, .mime, .fields, .heading, .parent, .time]

    static let names: [(name: String, part: Parts)] = [
        ("text", .text), ("title", .title), ("url", .url), ("mime", .mime), ("fields", .fields), ("heading", .heading),
        ("vector", .vector), ("parent", .parent), ("time", .time),
    ]
}
