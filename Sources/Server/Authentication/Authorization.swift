// What an identity may do: decided once, on the decoded request, before anything of it is carried out.
import Engine
import Wire

/// A request that may be carried out, and as whom. There is no other way to one than `authorize`.
struct Authorized: Sendable {
    let request: Request
    /// On whose behalf it reads, patches or deletes. Nil for all else, and where the identity is nobody and speaks for nobody.
    let caller: Caller?
    let identity: Identity

    fileprivate init(_ request: consuming Request, _ caller: Caller?, _ identity: Identity) {
        self.request = request
        self.caller = caller
        self.identity = identity
    }

    /// Once more, for a request that has waited: its token may have ended meanwhile.
    func checkIsInTime() throws(WireError) {
        if request.operation.name != .hello { try identity.checkIsInTime() }
    }
}

extension Identity {
    fileprivate func checkIsInTime() throws(WireError) {
        // The clock is looked at for those alone whose time ends.
        if expires != nil, isExpired(at: WallClock.nowMilliseconds) { throw .unauthenticated("the token has expired: say hello with a new one") }
    }
}

extension Request {
    /// - Parameter identity: nil where nobody is known on this connection.
    /// - Throws: `unauthenticated`, `forbidden`, or what an unknown collection is answered with.
    consuming func authorize(_ identity: Identity?) throws(WireError) -> Authorized {
        guard let identity else { throw .unauthenticated("say hello with a token first") }
        let name = operation.name
        // How one whose time has ended goes on, so not a matter of its time.
        if name == .hello { return Authorized(self, nil, identity) }
        try identity.checkIsInTime()
        try identity.checkRole(name)
        let caller = try identity.caller(claimed, name)
        // To take an operation apart counts references for all it holds, so it is done for those alone whom it concerns.
        if let collections = identity.collections { try checkReach(within: collections, identity) }
        if name == .patch && caller != nil || name == .upsert && identity.caller != nil { try checkKeepsRights() }
        return Authorized(self, caller, identity)
    }

    /// What is not for this identity is answered as what is not there, whether it is or not: nothing is looked up before.
    private func checkReach(within collections: [String], _ identity: Identity) throws(WireError) {
        switch operation.reach {
        case .nothing: break
        case .collection(let name): guard identity.mayKnow(collection: name) else { throw WireError(EngineError.unknownCollection(name)) }
        case .database:
            throw .forbidden("\(operation.name.rawValue) concerns all collections, and this credential is limited to \(collections.count)", field: "op")
        }
    }

    /// Where a node lies decides who may see it, and an upsert says where its documents lie: whoever reads as somebody could move into
    /// sight what is not meant for them.
    private func checkKeepsRights() throws(WireError) {
        switch operation {
        case .patch(let input) where input.changesRights:
            throw .forbidden("who may see nodes is not changed as somebody, nor where they lie: leave access and parent out, or ask as the service itself", field: "op")
        case .upsert:
            throw .forbidden("upsert says where documents lie, and so who may see them: it takes a credential that is nobody, without user and agent", field: "op")
        default: break
        }
    }
}

extension PatchInput {
    /// Whether it changes who may see the nodes, which is as much as where they lie.
    fileprivate var changesRights: Bool {
        if case .keep = parent, case .keep = access { false } else { true }
    }
}

extension Identity {
    fileprivate func checkRole(_ operation: OperationName) throws(WireError) {
        let allowed = operation.roles
        guard roles.isDisjoint(with: allowed) else { return }
        let wanted = Role.allCases.filter(allowed.contains).map(\.rawValue).joined(separator: ", ")
        throw .forbidden("\(operation.rawValue) needs a credential with one of the roles: \(wanted)", field: "op")
    }

    fileprivate func caller(_ claimed: Caller?, _ operation: OperationName) throws(WireError) -> Caller? {
        guard operation.hasCaller else { return nil }
        guard let claimed else { return caller }
        guard roles.contains(.service) else { throw .forbidden("only a credential with the role service speaks for others: leave as out", field: "as") }
        return claimed
    }
}

/// What an operation touches.
enum Reach {
    case nothing
    case collection(String)
    /// All collections together, or what tells of them.
    case database
}

extension OperationName {
    /// Who may: anybody with one of these roles. `hello` asks for none, as it is how one comes by them.
    var roles: Set<Role> {
        switch self {
        case .hello, .ping, .serverInfo: Set(Role.allCases)
        case .search, .get, .read, .count, .list, .facet, .nodes, .prepareFilter, .dropFilter: [.service, .reader]
        case .upsert, .patch, .delete: [.service, .writer]
        // An administrator must know what there is to be administered; nothing of a document is told.
        case .listCollections, .describeCollection: Set(Role.allCases)
        case .createCollection, .dropCollection, .createSnapshot, .listSnapshots, .dropSnapshot, .verifySnapshot, .exportSnapshot, .flush, .optimize,
            .jobs, .serverStats, .auditQuery, .putGroup, .addMembers, .removeMembers, .dropGroup, .getGroup, .listGroups, .putAccess, .grantAccess, .denyAccess, .revokeAccess, .dropAccess, .getAccess, .listAccess, .explainAccess, .accessReaders, .putAgent, .dropAgent, .getAgent, .listAgents, .principalGroups:
            [.admin]
        }
    }
}

extension Operation {
    fileprivate var reach: Reach {
        switch self {
        case .hello, .ping, .serverInfo: .nothing
        // The answer leaves out what is not for this identity.
        case .listCollections: .nothing
        case .createCollection(let schema): .collection(schema.name)
        case .describeCollection(let name), .dropCollection(let name): .collection(name)
        case .upsert(let input): .collection(input.collection)
        case .delete(let input): .collection(input.collection)
        case .patch(let input): .collection(input.collection)
        case .get(let input): .collection(input.collection)
        case .read(let input): .collection(input.collection)
        case .search(let search): .collection(search.collection)
        case .count(let input): .collection(input.collection)
        case .list(let input): .collection(input.collection)
        case .facet(let input): .collection(input.collection)
        case .nodes(let input): .collection(input.collection)
        case .prepareFilter(let input): .collection(input.collection)
        // Who has the handle was given it.
        case .dropFilter: .nothing
        case .askDirectory(let question): question.collection.map { .collection($0) } ?? .database
        case .changeDirectory: .database
        case .optimize(let collection): collection.map { .collection($0) } ?? .database
        case .auditQuery: .database
        case .serverStats, .flush, .jobs, .createSnapshot, .listSnapshots, .dropSnapshot, .verifySnapshot, .exportSnapshot: .database
        }
    }
}
