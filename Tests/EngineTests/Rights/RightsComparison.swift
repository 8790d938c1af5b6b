// A database's rights held against the model's: every caller, every node, every chunk.
@testable import Engine
import TestSupport

extension Model {
    /// Callers that differ in every way that matters.
    private static let callers: [Caller] =
        RandomRights.users.map { Caller(user: $0) } + [Caller(user: "user:stranger")] + RandomRights.agents.map { Caller(user: nil, agent: $0) }
        + RandomRights.users.flatMap { user in RandomRights.agents.map { Caller(user: user, agent: $0) } }

    private static let fewCallers = [
        Caller(user: RandomRights.users[0]), Caller(user: RandomRights.users[1], agent: RandomRights.agents[0]), Caller(user: nil, agent: RandomRights.agents[1]),
    ]

    /// How many times `rightsDifference` asks whether somebody may know something of a document.
    var decisionCount: Int { collections.values.reduce(0) { $0 + $1.everSeen.count } * Self.callers.count }

    /// The first thing in which a snapshot's directory, or what it lets somebody know, differs; nil where nothing does.
    ///
    /// - Parameter few: a person, an agent for one, and an agent by itself: for comparisons of which there are tens of thousands.
    func rightsDifference(from snapshot: DatabaseSnapshot, few: Bool = false) throws(EngineError) -> String? {
        if let difference = directory.difference(from: snapshot) { return difference }
        for (name, collection) in collections {
            for caller in few ? Self.fewCallers : Self.callers {
                if let difference = try rightsDifference(from: snapshot, collection, name, caller) { return "\(caller) in \(name): \(difference)" }
            }
        }
        return nil
    }

    func rightsDifference(from snapshot: DatabaseSnapshot, _ collection: ModelCollection, _ name: String, _ caller: Caller) throws(EngineError) -> String? {
        guard let rights = ModelRights(directory, collection, caller) else {
            guard case .failure(let error) = Result(catching: { () throws(EngineError) in try snapshot.collection(name, for: caller) }) else {
                return "an agent that is not there is served"
            }
            return error.code == .unknownAgent ? nil : "an agent that is not there is answered \(error)"
        }
        let found = try snapshot.collection(name, for: caller)
        let (visible, known) = (rights.visible, rights.known)
        for id in collection.everSeen {
            let node = if let view = found.node(id.string) { try ModelNode(view, schema: collection.schema, snapshot.directory) } else { nil as ModelNode? }
            if node != visible.nodes[id]?.shown { return "node \(id) is \(String(describing: node)), expected \(String(describing: visible.nodes[id]))" }
            if (found.knownNode(id.string) != nil) != known.contains(id) { return "node \(id) is known: \(!known.contains(id))" }
            if let view = found.node(id.string), view.grade != rights.grade(collection.nodes[id]!) { return "node \(id) is \(view.grade)" }  // It is shown.
        }
        return nil
    }
}

extension ModelNode {
    /// As a reader is shown it: vectors are for those who may read.
    fileprivate var shown: ModelNode {
        var node = self
        node.chunks = chunks.map { chunk in
            var chunk = chunk
            if !chunk.areVectorsShown { chunk.vectors = [:] }
            chunk.areVectorsShown = true
            return chunk
        }
        return node
    }
}

extension ModelDirectory {
    fileprivate func difference(from snapshot: DatabaseSnapshot) -> String? {
        for name in RandomRights.groups {
            let found = Result { () throws(EngineError) in try snapshot.group(name) }
            switch (groups[Text(name)], found) {
            case (nil, .failure): continue
            case (let members?, .success(let view)) where members == Set(view.members.map { Text($0) }) && members.count == view.members.count: continue
            default: return "\(name) is \(found), expected \(String(describing: groups[Text(name)]))"
            }
        }
        for name in RandomRights.objects {
            let found = Result { () throws(EngineError) in try snapshot.access(name) }
            switch (objects[Text(name)], found) {
            case (nil, .failure): continue
            case (let object?, .success(let view)) where object == ModelAccess(view): continue
            default: return "access \(name) is \(found), expected \(String(describing: objects[Text(name)]))"
            }
        }
        return nil
    }
}

extension ModelAccess {
    fileprivate init(_ view: AccessView) {
        inherits = view.inherits.map { Text($0) }
        contact = view.contact.map { Text($0) }
        for grant in view.grants { entries[Text(grant.principal)] = grant.grade }
        for principal in view.denials { entries[Text(principal)] = Grade.none }
    }
}
