// `as`: on whose behalf a request is made, judged by its shape alone.
import Engine

extension JSONValue {
    /// `{"user":"user:ana","agent":"agent:weekly"}`, one of the two at least.
    func decodeCaller(_ field: String, of operation: OperationName) throws(WireError) -> Caller {
        guard operation.hasCaller else {
            throw .invalid(field, "absent: \(operation.rawValue) is nobody's but this connection's own. Only reads, patch and delete are made as somebody")
        }
        var caller = Caller(user: nil)
        try forEachMember(field) { (key, value) throws(WireError) in
            let place = "\(field).\(key)"
            switch key {
            case "user": caller.user = try value.decodePrincipal(place, .user)
            case "agent": caller.agent = try value.decodePrincipal(place, .agent)
            default: throw .unknown(key, in: field, path: place)
            }
        }
        guard caller.user != nil || caller.agent != nil else { throw .missing("\(field).user", "a request as somebody") }
        return caller
    }

    private func decodePrincipal(_ field: String, _ kind: PrincipalKind) throws(WireError) -> String {
        guard let name = string, kind.isName(name) else {
            throw .invalid(field, "\"\(kind.prefix)\" and a name, of at most \(Limits.idBytesMax) bytes without NUL")
        }
        return name
    }
}

extension OperationName {
    /// Whether it is made as somebody: what is seen, and what is changed of what is seen. All else is done by right of a role.
    package var hasCaller: Bool {
        switch self {
        case .get, .read, .search, .count, .list, .facet, .nodes, .prepareFilter, .patch, .delete: true
        case .hello, .ping, .serverInfo, .serverStats, .flush, .optimize, .jobs, .createSnapshot, .listSnapshots, .dropSnapshot, .verifySnapshot,
            .exportSnapshot, .createCollection, .listCollections, .describeCollection, .dropCollection, .upsert, .dropFilter, .auditQuery,
            .putGroup, .addMembers, .removeMembers, .dropGroup, .getGroup, .listGroups, .putAccess, .grantAccess, .denyAccess, .revokeAccess, .dropAccess, .getAccess, .listAccess, .explainAccess, .accessReaders, .putAgent, .dropAgent, .getAgent, .listAgents, .principalGroups:
            false
        }
    }
}
