// Why somebody may see a document, or not: the path by which it is so, for those who run the database.
import Memory

/// What is to be explained.
package struct ExplainInput: Sendable {
    package var collection = ""
    package var document = ""
    /// Among all chunks of the document; nil asks about the document.
    package var chunk: Int?
    package var caller = Caller(user: nil)

    package init() {}
}

/// How a grade comes about. Tells names of objects and principals, and nothing of what the document holds.
package struct AccessExplanation: Sendable {
    /// What an object says that concerns the caller.
    package struct Match: Sendable {
        package var principal: String
        /// `none` denies.
        package var grade: Grade
        /// From the user or the agent to the principal, each a member of the next.
        package var via: [String]
    }

    package struct Object: Sendable {
        package var name: String
        /// One that is not there denies.
        package var isThere: Bool
        package var matches: [Match]
    }

    package struct Agent: Sendable {
        package var name: String
        package var grade: Grade
        package var isInScope: Bool
    }

    /// The document, then the nodes above it, up to the one whose object guards it.
    package var nodes: [(id: String, access: String?)] = []
    /// That object, then those that it inherits from; empty where there is none.
    package var objects: [Object] = []
    /// The same for the chunk's own object; empty where it has none, or no chunk was asked about.
    package var chunkObjects: [Object] = []
    /// By rights alone, before the agent bounds it.
    package var granted = Grade.none
    package var agent: Agent?
    /// In the end.
    package var grade = Grade.none
    /// In one sentence.
    package var reason = ""
}

extension DatabaseSnapshot {
    /// O(memberships of the caller + entries of the objects met); with a scope O(documents) the first time.
    package func explain(_ input: ExplainInput) throws(EngineError) -> AccessExplanation {
        let state = try state(of: input.collection)
        guard let node = state.documents.find(input.document) else {
            throw EngineError(.notFound, "there is no document \"\(input.document)\"", field: "document")
        }
        let grades = try directory.grades(of: input.caller, in: state)
        let path = directory.paths(of: input.caller)
        var explanation = AccessExplanation()
        explanation.nodes = directory.guardPath(of: node, in: state)
        let guardian = state.documents.guardMark(node).access
        explanation.objects = directory.objects(from: guardian, path)
        let own = try input.chunk.map { ordinal throws(EngineError) in try state.ownAccess(ofChunk: ordinal, of: node) } ?? 0
        explanation.chunkObjects = directory.objects(from: own, path)
        let isEnforced = state.schema.access == .enforced
        explanation.granted = isEnforced ? explanation.objects.grade : .read
        if isEnforced, own != 0 { explanation.granted = min(explanation.granted, explanation.chunkObjects.grade) }
        explanation.grade = grades.grade(of: state.documents.guardMark(node), chunk: own)
        if let name = input.caller.agent, let number = directory.agent(name) {
            let isInScope = try grades.scope.map { scope throws(EngineError) in try state.nodes(inScope: scope, of: input.caller)[node] } ?? true
            if !isInScope { explanation.grade = .none }
            explanation.agent = .init(name: name, grade: Grade(rawValue: UInt8(directory.row(ofPrincipal: number).grade))!, isInScope: isInScope)  // Checked.
        }
        explanation.reason = explanation.sentence(isEnforced: isEnforced)
        return explanation
    }

    /// Users who may know something of a document by their own rights, in the order in which they were first named, behind `after`; and what
    /// everybody may know. O(principals + memberships).
    package func readers(
        of document: String, in collection: String, after: String?, limit: Int
    ) throws(EngineError) -> (everybody: Grade, users: [(name: String, grade: Grade)], isEnd: Bool) {
        let state = try state(of: collection)
        guard let node = state.documents.find(document) else { throw EngineError(.notFound, "there is no document \"\(document)\"", field: "document") }
        guard state.schema.access == .enforced else { return (.read, [], true) }
        var first: UInt32 = 1
        if let after {
            guard let number = directory.principal(after) else { throw EngineError.unknown("user", after) }
            first = number + 1
        }
        let holders = directory.holders(in: state.documents.guardMark(node).access)
        var users: [(String, Grade)] = []
        for number in first..<max(first, directory.principalMax + 1) {
            guard holders[Int(number)] != .none else { continue }
            let name = directory.principalName(number)
            guard name.utf8.starts(with: PrincipalKind.user.prefix.utf8) else { continue }
            if users.count == limit { return (holders[0], users, false) }
            users.append((name, holders[Int(number)]))
        }
        return (holders[0], users, true)
    }
}

extension CollectionState {
    fileprivate func ownAccess(ofChunk ordinal: Int, of node: Int) throws(EngineError) -> UInt32 {
        let row = documents.rows[node]
        guard ordinal < row.chunkCount else { throw EngineError(.notFound, "the document has \(row.chunkCount) chunks", field: "chunk") }
        let snapshot = CollectionSnapshot(self)
        let place = try snapshot.place(ofChunk: Int(row.firstChunk) + ordinal)
        return try snapshot.parts[place.part].ownAccess(place.row)
    }
}

extension Directory {
    /// By principal that the caller is or is in: the one before it on the way there. The caller's own are their own.
    fileprivate func paths(of caller: Caller) -> [UInt32: UInt32] {
        let starts = [caller.user.flatMap { principal($0) }, caller.agent.flatMap { principal($0) }].compactMap { $0 } + [Self.publicNumber]
        var before = Dictionary(starts.map { ($0, $0) }) { first, _ in first }
        var open = starts
        var next = 0
        while next < open.count {
            let number = open[next]
            next += 1
            for group in groups(of: number) where before[group] == nil {
                before[group] = number
                open.append(group)
            }
        }
        return before
    }

    fileprivate func guardPath(of node: Int, in state: CollectionState) -> [(id: String, access: String?)] {
        var nodes: [(id: String, access: String?)] = []
        var place: Int? = node
        while let number = place {
            let own = state.documents.ownAccess(number)
            nodes.append((state.documents.id(number), own == 0 ? nil : accessName(own)))
            place = own == 0 ? state.documents.rows[number].parent : nil
        }
        return nodes
    }

    fileprivate func objects(from access: UInt32, _ path: [UInt32: UInt32]) -> [AccessExplanation.Object] {
        var objects: [AccessExplanation.Object] = []
        var place = access
        while place != 0 {
            let matches = entries(of: place).filter { path[$0.principal] != nil }.map { entry in
                AccessExplanation.Match(principal: principalName(entry.principal), grade: entry.grade, via: via(entry.principal, path))
            }
            objects.append(.init(name: accessName(place), isThere: isThere(access: place), matches: matches))
            place = row(ofAccess: place).inherits
        }
        return objects
    }

    private func via(_ principal: UInt32, _ path: [UInt32: UInt32]) -> [String] {
        var names = [principalName(principal)]
        var place = principal
        while let before = path[place], before != place {
            names.append(principalName(before))
            place = before
        }
        return names.reversed()
    }

    /// By principal, `public` first: the grade that it holds in an object and what that inherits, by itself or as a member.
    fileprivate func holders(in access: UInt32) -> [Grade] {
        let denied: UInt8 = 4
        var own = [UInt8](repeating: 0, count: Int(principalMax) + 1)
        var place = access
        var isBroken = access == 0
        while place != 0 {
            isBroken = isBroken || !isThere(access: place)
            for entry in entries(of: place) { own[Int(entry.principal)] = max(own[Int(entry.principal)], entry.grade == .none ? denied : entry.grade.rawValue) }
            place = row(ofAccess: place).inherits
        }
        guard !isBroken else { return own.map { _ in .none } }
        // Groups lie in no circle, so that each is known once those that it is in are.
        var known = [Bool](repeating: false, count: own.count)
        func resolve(_ number: UInt32) -> UInt8 {
            if known[Int(number)] { return own[Int(number)] }
            var best = max(own[Int(number)], own[0])
            for group in groups(of: number) { best = max(best, resolve(group)) }
            own[Int(number)] = best
            known[Int(number)] = true
            return best
        }
        known[0] = true
        for number in 0...principalMax { _ = resolve(number) }
        return own.map { $0 == denied ? .none : Grade(rawValue: $0)! }  // Grades and `denied` alone.
    }
}

extension [AccessExplanation.Object] {
    fileprivate var grade: Grade {
        guard allSatisfy(\.isThere), !flatMap(\.matches).contains(where: { $0.grade == .none }) else { return .none }
        return flatMap(\.matches).map(\.grade).max() ?? .none
    }
}

extension AccessExplanation {
    fileprivate func sentence(isEnforced: Bool) -> String {
        if let agent, !agent.isInScope { return "outside of the scope of \(agent.name)" }
        if let agent, isEnforced ? granted > agent.grade : true, agent.grade == grade { return "\(agent.name) may know \(grade.name) at most" }
        guard isEnforced else { return "the collection is open" }
        if objects.isEmpty { return "no access object guards it, so it is nobody's" }
        for object in objects + chunkObjects {
            guard object.isThere else { return "\"\(object.name)\" is not there, so nobody may" }
            if let denial = object.matches.first(where: { $0.grade == .none }) { return "\(denial.principal) is denied in \"\(object.name)\"" }
        }
        let isByChunk = !chunkObjects.isEmpty && chunkObjects.grade < objects.grade
        for object in isByChunk ? chunkObjects : objects {
            if let match = object.matches.first(where: { $0.grade == grade }) { return "\(match.principal) has \(grade.name) in \"\(object.name)\"" }
        }
        return isByChunk ? "the chunk's own \"\(chunkObjects[0].name)\" grants nothing to the caller" : "nothing is granted to the caller in \"\(objects[0].name)\""
    }
}
