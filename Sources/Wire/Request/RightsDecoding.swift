// Requests about users, groups, agents and access objects.
package import Engine

/// What is asked of the directory.
package enum DirectoryQuestion: Sendable {
    case group(String)
    case groups(PageInput)
    case access(String)
    case accessObjects(PageInput)
    case agent(String)
    case agents(PageInput)
    /// Which groups somebody is in.
    case principal(String)
    case explain(ExplainInput)
    case readers(ReadersInput)
}

/// A page of names, in the order in which they came.
package struct PageInput: Sendable {
    package var after: String?
    package var limit = 100
}

/// Who may know something of a document.
package struct ReadersInput: Sendable {
    package var collection = ""
    package var document = ""
    package var page = PageInput()
}

extension DirectoryQuestion {
    package var name: OperationName {
        switch self {
        case .group: .getGroup
        case .groups: .listGroups
        case .access: .getAccess
        case .accessObjects: .listAccess
        case .agent: .getAgent
        case .agents: .listAgents
        case .principal: .principalGroups
        case .explain: .explainAccess
        case .readers: .accessReaders
        }
    }

    /// The collection that it is about, where it is about one.
    package var collection: String? {
        switch self {
        case .explain(let input): input.collection
        case .readers(let input): input.collection
        case .group, .groups, .access, .accessObjects, .agent, .agents, .principal: nil
        }
    }
}

extension DirectoryChange {
    package var name: OperationName {
        switch self {
        case .putGroup: .putGroup
        case .addMembers: .addMembers
        case .removeMembers: .removeMembers
        case .dropGroup: .dropGroup
        case .putAccess: .putAccess
        case .grant(_, _, let grade): grade == .none ? .denyAccess : .grantAccess
        case .revoke: .revokeAccess
        case .dropAccess: .dropAccess
        case .putAgent: .putAgent
        case .dropAgent: .dropAgent
        }
    }
}

extension RequestDecoder {
    static func groupMembers(_ root: borrowing JSONValue, _ op: String, _ change: (String, [String]) -> DirectoryChange) throws(WireError) -> Operation {
        var (group, names): (String, [String]?) = ("", nil)
        try members(root, op) { (key, value) throws(WireError) in
            switch key {
            case "group": group = try value.decodeString(key)
            case "members": names = try value.decodeStrings(key, max: Limits.groupMembersMax)
            default: return false
            }
            return true
        }
        try present(group, "group", op)
        guard let names else { throw .missing("members", op) }
        return .changeDirectory(change(group, names))
    }

    /// An operation whose one member is a name.
    static func named(_ root: borrowing JSONValue, _ op: String, _ field: String, _ make: (String) -> Operation) throws(WireError) -> Operation {
        var name = ""
        try members(root, op) { (key, value) throws(WireError) in
            guard key == field else { return false }
            name = try value.decodeString(key)
            return true
        }
        try present(name, field, op)
        return make(name)
    }

    static func page(_ root: borrowing JSONValue, _ op: String, _ make: (PageInput) -> DirectoryQuestion) throws(WireError) -> Operation {
        var page = PageInput()
        try members(root, op) { (key, value) throws(WireError) in try pageMember(key, value, &page) }
        return .askDirectory(make(page))
    }

    private static func pageMember(_ key: String, _ value: borrowing JSONValue, _ page: inout PageInput) throws(WireError) -> Bool {
        switch key {
        case "after": page.after = try value.decodeString(key)
        case "limit": page.limit = try value.decodeInt(key, in: 1...WireLimits.directoryPageMax)
        default: return false
        }
        return true
    }

    static func putAccess(_ root: borrowing JSONValue) throws(WireError) -> Operation {
        var input = AccessInput(name: "")
        try members(root, "access.put") { (key, value) throws(WireError) in
            switch key {
            case "access": input.name = try value.decodeString(key)
            case "grants": input.grants = try grants(value)
            case "denials": input.denials = try value.decodeStrings(key, max: Limits.accessEntriesMax)
            case "inherits": input.inherits = try value.decodeString(key)
            case "contact": input.contact = try value.decodeString(key)
            default: return false
            }
            return true
        }
        try present(input.name, "access", "access.put")
        return .changeDirectory(.putAccess(input))
    }

    private static func grants(_ value: borrowing JSONValue) throws(WireError) -> [(principal: String, grade: Grade)] {
        guard var elements = value.elements else { throw .invalid("grants", "an array of {\"principal\":…,\"grade\":…}") }
        var grants: [(principal: String, grade: Grade)] = []
        while let element = elements.next() {
            let place = "grants[\(grants.count)]"
            guard grants.count < Limits.accessEntriesMax else { throw .tooManyElements(Limits.accessEntriesMax, "grants") }
            var (principal, grade): (String?, Grade?) = (nil, nil)
            try element.forEachMember(place) { (key, value) throws(WireError) in
                switch key {
                case "principal": principal = try value.decodeString("\(place).principal")
                case "grade": grade = try value.decodeGrade("\(place).grade")
                default: throw .unknown(key, in: "a grant", path: "\(place).\(key)")
                }
            }
            guard let principal else { throw .missing("\(place).principal", "a grant") }
            guard let grade else { throw .missing("\(place).grade", "a grant") }
            grants.append((principal, grade))
        }
        return grants
    }

    /// `access.grant`, `access.deny` and `access.revoke`: one principal in one object.
    static func entry(_ root: borrowing JSONValue, _ op: String, hasGrade: Bool, _ change: (String, String, Grade) -> DirectoryChange) throws(WireError) -> Operation {
        var (access, principal) = ("", "")
        var grade: Grade?
        try members(root, op) { (key, value) throws(WireError) in
            switch key {
            case "access": access = try value.decodeString(key)
            case "principal": principal = try value.decodeString(key)
            case "grade" where hasGrade: grade = try value.decodeGrade(key)
            default: return false
            }
            return true
        }
        try present(access, "access", op)
        try present(principal, "principal", op)
        guard !hasGrade || grade != nil else { throw .missing("grade", op) }
        return .changeDirectory(change(access, principal, grade ?? .none))
    }

    static func putAgent(_ root: borrowing JSONValue) throws(WireError) -> Operation {
        var input = AgentInput(name: "", grade: .none)
        try members(root, "agent.put") { (key, value) throws(WireError) in
            switch key {
            case "agent": input.name = try value.decodeString(key)
            case "grade": input.grade = try value.decodeGrade(key)
            case "scope": input.scope = try FilterDecoder.decode(value, field: key)
            default: return false
            }
            return true
        }
        try present(input.name, "agent", "agent.put")
        guard input.grade != .none else { throw .missing("grade", "agent.put") }
        return .changeDirectory(.putAgent(input))
    }

    static func explain(_ root: borrowing JSONValue) throws(WireError) -> Operation {
        var input = ExplainInput()
        try members(root, "access.explain") { (key, value) throws(WireError) in
            switch key {
            case "collection": input.collection = try value.decodeString(key)
            case "document": input.document = try value.decodeString(key)
            case "chunk": input.chunk = try value.decodeInt(key, in: 0...Limits.chunksPerDocumentMax)
            case "user": input.caller.user = try value.decodeString(key)
            case "agent": input.caller.agent = try value.decodeString(key)
            default: return false
            }
            return true
        }
        try present(input.collection, "collection", "access.explain")
        try present(input.document, "document", "access.explain")
        guard input.caller.user != nil || input.caller.agent != nil else { throw .missing("user", "access.explain") }
        return .askDirectory(.explain(input))
    }

    static func readers(_ root: borrowing JSONValue) throws(WireError) -> Operation {
        var input = ReadersInput()
        try members(root, "access.readers") { (key, value) throws(WireError) in
            switch key {
            case "collection": input.collection = try value.decodeString(key)
            case "document": input.document = try value.decodeString(key)
            default: return try pageMember(key, value, &input.page)
            }
            return true
        }
        try present(input.collection, "collection", "access.readers")
        try present(input.document, "document", "access.readers")
        return .askDirectory(.readers(input))
    }
}

extension JSONValue {
    /// A grade by its name, `none` excepted.
    fileprivate func decodeGrade(_ field: String) throws(WireError) -> Grade {
        guard let grade = string.flatMap(Grade.init(name:)), grade != .none else { throw .invalid(field, "exists, derive or read") }
        return grade
    }
}
