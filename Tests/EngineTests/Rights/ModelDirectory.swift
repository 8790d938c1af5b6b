// Who may know what, said as plainly as possible: sets, recursion, and one question at a time.
@testable import Engine

struct ModelAccess: Equatable {
    /// By principal; `none` denies.
    var entries: [Text: Grade] = [:]
    var inherits: Text?
    var contact: Text?
}

struct ModelAgent {
    var scope: Filter?
    var grade: Grade
}

/// Users, groups, agents and access objects.
struct ModelDirectory {
    var groups: [Text: Set<Text>] = [:]
    var objects: [Text: ModelAccess] = [:]
    var agents: [Text: ModelAgent] = [:]

    // MARK: Changing

    /// False where there is nothing to do.
    mutating func apply(_ change: DirectoryChange) throws(Refusal) -> Bool {
        switch change {
        case .putGroup(let name, let members):
            try checkNoCircle(members, in: Text(name))
            groups[Text(name)] = Set(members.map { Text($0) })
        case .addMembers(let name, let members):
            try checkNoCircle(members, in: Text(name))
            groups[Text(name), default: []].formUnion(members.map { Text($0) })
        case .removeMembers(let name, let members):
            guard let group = groups[Text(name)] else { throw Refusal(.notFound, "group") }
            let left = group.subtracting(members.map { Text($0) })
            if left == group { return false }
            groups[Text(name)] = left
        case .dropGroup(let name):
            guard groups.removeValue(forKey: Text(name)) != nil else { throw Refusal(.notFound, "group") }
            for group in groups.keys { groups[group]?.remove(Text(name)) }
        case .putAccess(let input):
            try checkInheritance(input)
            var object = ModelAccess(inherits: input.inherits.map { Text($0) }, contact: input.contact.map { Text($0) })
            for grant in input.grants { object.entries[Text(grant.principal)] = grant.grade }
            for principal in input.denials { object.entries[Text(principal)] = Grade.none }
            objects[Text(input.name)] = object
        case .grant(let access, let principal, let grade):
            guard let object = objects[Text(access)] else { throw Refusal(.notFound, "access") }
            if object.entries[Text(principal)] == grade { return false }
            objects[Text(access)]?.entries[Text(principal)] = grade
        case .revoke(let access, let principal):
            guard let object = objects[Text(access)] else { throw Refusal(.notFound, "access") }
            if object.entries[Text(principal)] == nil { return false }
            objects[Text(access)]?.entries[Text(principal)] = nil
        case .dropAccess(let access):
            guard objects.removeValue(forKey: Text(access)) != nil else { throw Refusal(.notFound, "access") }
        case .putAgent(let input): agents[Text(input.name)] = ModelAgent(scope: input.scope, grade: input.grade)
        case .dropAgent(let agent):
            guard agents.removeValue(forKey: Text(agent)) != nil else { throw Refusal(.notFound, "agent") }
        }
        return true
    }

    private func checkNoCircle(_ members: [String], in group: Text) throws(Refusal) {
        for (index, member) in members.enumerated() where Text(member) == group || all(in: Text(member)).contains(group) {
            throw Refusal(.invalidValue, "members[\(index)]")
        }
    }

    /// Everybody and everything in a group, however deep.
    private func all(in group: Text) -> Set<Text> {
        (groups[group] ?? []).reduce(into: groups[group] ?? []) { $0.formUnion(all(in: $1)) }
    }

    private func checkInheritance(_ input: AccessInput) throws(Refusal) {
        var place = input.inherits.map { Text($0) }
        while let name = place {
            if name == Text(input.name) { throw Refusal(.invalidValue, "inherits") }
            place = objects[name]?.inherits
        }
    }

    // MARK: Asking

    /// The principal and every group that it is in.
    func principals(of name: Text) -> Set<Text> {
        groups.filter { $0.value.contains(name) }.reduce(into: [name]) { $0.formUnion(principals(of: $1.key)) }
    }

    /// What an access object says: the best grant among the holders' in it and in what it inherits; nothing where one of these denies, or is
    /// not there.
    func grade(_ object: Text, holders: Set<Text>, denied: Set<Text>) -> Grade {
        var best = Grade.none
        var place: Text? = object
        while let name = place {
            guard let access = objects[name] else { return .none }
            for (principal, grade) in access.entries {
                if grade == .none, denied.contains(principal) { return .none }
                if holders.contains(principal) { best = max(best, grade) }
            }
            place = access.inherits
        }
        return best
    }
}

/// A caller's rights in a collection, one node and one chunk at a time.
struct ModelRights {
    let directory: ModelDirectory
    let collection: ModelCollection
    let caller: Caller

    var need: Grade { caller.agent == nil ? .read : .derive }

    /// nil for a caller that is refused: its agent is not there.
    init?(_ directory: ModelDirectory, _ collection: ModelCollection, _ caller: Caller) {
        if let agent = caller.agent, directory.agents[Text(agent)] == nil { return nil }
        (self.directory, self.collection, self.caller) = (directory, collection, caller)
    }

    func grade(_ node: ModelNode, chunk: ModelChunk? = nil) -> Grade {
        let agent = caller.agent.flatMap { directory.agents[Text($0)] }
        if let scope = agent?.scope, !collection.matches(node, scope) { return .none }
        var grade = Grade.read
        if collection.schema.access == .enforced {
            grade = nearest(node).map(said) ?? .none
            if let own = chunk?.access { grade = min(grade, said(own)) }
        }
        return min(grade, agent?.grade ?? .read)
    }

    private func said(_ object: Text) -> Grade {
        let everybody = Text("public")
        let user = caller.user.map { directory.principals(of: Text($0)) } ?? []
        let agent = caller.agent.map { directory.principals(of: Text($0)) } ?? []
        return directory.grade(object, holders: (caller.user == nil ? agent : user).union([everybody]), denied: user.union(agent).union([everybody]))
    }

    private func nearest(_ node: ModelNode) -> Text? {
        var place: ModelNode? = node
        while let node = place {
            if let access = node.access { return access }
            place = node.parent.flatMap { collection.nodes[$0] }
        }
        return collection.schema.defaultAccess.map { Text($0) }
    }

    /// The collection as if nothing were there that the caller may not find.
    var visible: ModelCollection {
        var visible = collection
        visible.paths = collection.nodes.mapValues(\.parent)
        for (id, node) in collection.nodes {
            guard grade(node) >= need else {
                visible.nodes[id] = nil
                continue
            }
            visible.nodes[id]?.chunks = node.chunks.filter { grade(node, chunk: $0) >= need }.map { chunk in
                var chunk = chunk
                // Vectors are for readers.
                chunk.areVectorsShown = grade(node, chunk: chunk) == .read
                return chunk
            }
            if let parent = node.parent, let above = collection.nodes[parent], grade(above) < need { visible.nodes[id]?.parent = nil }
        }
        return visible
    }

    /// Nodes of which the caller may know that they exist, and no more.
    var known: Set<Text> {
        Set(collection.nodes.values.filter { (.exists..<need).contains(grade($0)) }.map(\.id))
    }
}
