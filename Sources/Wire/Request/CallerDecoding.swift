// `as`: on whose behalf a request is made, judged by its shape alone.
package import Engine

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
            case "user": caller.user = try value.decodePrincipal(place, Caller.userPrefix)
            case "agent": caller.agent = try value.decodePrincipal(place, Caller.agentPrefix)
            default: throw .unknown(key, in: field, path: place)
            }
        }
        guard caller.user != nil || caller.agent != nil else { throw .missing("\(field).user", "a request as somebody") }
        return caller
    }

    private func decodePrincipal(_ field: String, _ prefix: String) throws(WireError) -> String {
        guard let name = string, Caller.isPrincipal(name, prefix) else {
            throw .invalid(field, "\"\(prefix)\" and a name, of at most \(Limits.idBytesMax) bytes without NUL")
        }
        return name
    }
}

extension Caller {
    package static let userPrefix = "user:"
    package static let agentPrefix = "agent:"

    /// Whether a text can be the name of somebody of this kind. Whether there is such a one is not asked.
    package static func isPrincipal(_ text: String, _ prefix: String) -> Bool {
        let bytes = text.utf8
        return bytes.starts(with: prefix.utf8) && bytes.count > prefix.utf8.count && bytes.count <= Limits.idBytesMax && !bytes.contains(0)
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
