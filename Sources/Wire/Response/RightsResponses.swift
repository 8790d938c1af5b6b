// Answers about users, groups, agents and access objects.
package import Engine

extension ResponseWriter {
    package mutating func group(_ id: RequestID, sequence: UInt64, _ group: GroupView) throws(WireError) {
        begin(id, sequence: sequence)
        json.key("group")
        json.string(group.name)
        strings("members", group.members)
        strings("groups", group.groups)
        try checkSize()
        end()
    }

    package mutating func access(_ id: RequestID, sequence: UInt64, _ access: AccessView) {
        begin(id, sequence: sequence)
        members(of: access)
        end()
    }

    package mutating func agent(_ id: RequestID, sequence: UInt64, _ agent: AgentView) {
        begin(id, sequence: sequence)
        json.key("agent")
        json.string(agent.name)
        json.key("grade")
        json.string(agent.grade.name)
        if let scope = agent.scope {
            json.key("scope")
            json.filter(scope)
        }
        strings("groups", agent.groups)
        end()
    }

    package mutating func principal(_ id: RequestID, sequence: UInt64, name: String, groups: [String]) {
        begin(id, sequence: sequence)
        json.key("principal")
        json.string(name)
        strings("groups", groups)
        end()
    }

    /// A page of names; `next` is what to give as `after`, null behind the last.
    package mutating func names(_ id: RequestID, sequence: UInt64, areGroups: Bool, _ names: [String], isEnd: Bool) {
        begin(id, sequence: sequence)
        strings(areGroups ? "groups" : "agents", names)
        next(isEnd ? nil : names.last)
        end()
    }

    package mutating func accessObjects(_ id: RequestID, sequence: UInt64, _ objects: [AccessView], isEnd: Bool) throws(WireError) {
        begin(id, sequence: sequence)
        json.key("objects")
        json.beginArray()
        for object in objects {
            json.beginObject()
            members(of: object)
            json.endObject()
            try checkSize()
        }
        json.endArray()
        next(isEnd ? nil : objects.last?.name)
        end()
    }

    package mutating func readers(_ id: RequestID, sequence: UInt64, everybody: Grade, _ users: [(name: String, grade: Grade)], isEnd: Bool) {
        begin(id, sequence: sequence)
        json.key("public")
        json.string(everybody.name)
        json.key("users")
        json.beginArray()
        for user in users {
            json.beginObject()
            json.key("user")
            json.string(user.name)
            json.key("grade")
            json.string(user.grade.name)
            json.endObject()
        }
        json.endArray()
        next(isEnd ? nil : users.last?.name)
        end()
    }

    package mutating func explanation(_ id: RequestID, sequence: UInt64, _ explanation: AccessExplanation) {
        begin(id, sequence: sequence)
        json.key("grade")
        json.string(explanation.grade.name)
        json.key("reason")
        json.string(explanation.reason)
        json.key("nodes")
        json.beginArray()
        for node in explanation.nodes {
            json.beginObject()
            json.key("id")
            json.string(node.id)
            json.key("access")
            if let access = node.access { json.string(access) } else { json.null() }
            json.endObject()
        }
        json.endArray()
        json.key("objects")
        self.objects(explanation.objects)
        if !explanation.chunkObjects.isEmpty {
            json.key("chunk_objects")
            self.objects(explanation.chunkObjects)
        }
        json.key("granted")
        json.string(explanation.granted.name)
        if let agent = explanation.agent {
            json.key("agent")
            json.beginObject()
            json.key("agent")
            json.string(agent.name)
            json.key("grade")
            json.string(agent.grade.name)
            json.key("in_scope")
            json.bool(agent.isInScope)
            json.endObject()
        }
        end()
    }

    private mutating func objects(_ objects: [AccessExplanation.Object]) {
        json.beginArray()
        for object in objects {
            json.beginObject()
            json.key("access")
            json.string(object.name)
            json.key("exists")
            json.bool(object.isThere)
            json.key("matches")
            json.beginArray()
            for match in object.matches {
                json.beginObject()
                json.key("principal")
                json.string(match.principal)
                json.key("grade")
                json.string(match.grade == .none ? "denied" : match.grade.name)
                strings("via", match.via)
                json.endObject()
            }
            json.endArray()
            json.endObject()
        }
        json.endArray()
    }

    private mutating func members(of access: AccessView) {
        json.key("access")
        json.string(access.name)
        json.key("grants")
        json.beginArray()
        for grant in access.grants {
            json.beginObject()
            json.key("principal")
            json.string(grant.principal)
            json.key("grade")
            json.string(grant.grade.name)
            json.endObject()
        }
        json.endArray()
        strings("denials", access.denials)
        if let inherits = access.inherits {
            json.key("inherits")
            json.string(inherits)
        }
        if let contact = access.contact {
            json.key("contact")
            json.string(contact)
        }
    }

    /// Documents that may be known to exist, and no more.
    mutating func known(_ nodes: [KnownNode]) {
        json.key("exists")
        json.beginArray()
        for node in nodes {
            json.beginObject()
            json.key("document")
            json.string(node.id)
            receipt.tellKnown(node.id)
            if let title = node.title {
                json.key("title")
                json.string(title)
            }
            if let contact = node.contact {
                json.key("ask")
                json.string(contact)
            }
            json.endObject()
        }
        json.endArray()
    }

    private mutating func next(_ name: String?) {
        json.key("next")
        if let name { json.string(name) } else { json.null() }
    }

    private mutating func strings(_ key: StaticString, _ strings: [String]) {
        json.key(key)
        json.beginArray()
        for string in strings { json.string(string) }
        json.endArray()
    }
}

extension JSONWriter {
    /// A filter as requests give it.
    mutating func filter(_ filter: Filter) {
        beginObject()
        switch filter {
        case .all(let parts): list("$and", parts)
        case .any(let parts): list("$or", parts)
        case .not(let part):
            key("$not")
            self.filter(part)
        case .under(let ids):
            key("$under")
            beginArray()
            for id in ids { string(id) }
            endArray()
        case .field(let name, let condition):
            key(named: name)
            self.condition(condition)
        }
        endObject()
    }

    private mutating func list(_ name: StaticString, _ parts: [Filter]) {
        key(name)
        beginArray()
        for part in parts { filter(part) }
        endArray()
    }

    private mutating func condition(_ condition: Filter.Condition) {
        beginObject()
        switch condition {
        case .isIn(let values): self.values("$in", values)
        case .containsAll(let values): self.values("$all", values)
        case .range(let lower, let upper):
            if let lower { bound(lower.isInclusive ? "$gte" : "$gt", lower) }
            if let upper { bound(upper.isInclusive ? "$lte" : "$lt", upper) }
        case .prefix(let text):
            key("$prefix")
            string(text)
        case .match(let text):
            key("$match")
            string(text)
        case .exists:
            key("$exists")
            bool(true)
        }
        endObject()
    }

    private mutating func values(_ name: StaticString, _ values: [InputValue]) {
        key(name)
        beginArray()
        for value in values { self.value(value) }
        endArray()
    }

    private mutating func bound(_ name: StaticString, _ bound: Filter.Bound) {
        key(name)
        value(bound.value)
    }
}
