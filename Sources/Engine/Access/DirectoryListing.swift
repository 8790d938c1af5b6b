// What the directory holds, shown to those who look after it.
import Memory

package struct GroupView: Sendable {
    package var name: String
    package var members: [String]
    /// That it is a member of itself, directly.
    package var groups: [String]
}

package struct AccessView: Sendable {
    package var name: String
    package var grants: [(principal: String, grade: Grade)]
    package var denials: [String]
    package var inherits: String?
    package var contact: String?
}

package struct AgentView: Sendable {
    package var name: String
    package var grade: Grade
    package var scope: Filter?
    package var groups: [String]
}

extension DatabaseSnapshot {
    /// O(principals).
    package func group(_ name: String) throws(EngineError) -> GroupView {
        guard let number = directory.principal(name), directory.isGroup(number) else { throw EngineError.unknown("group", name) }
        return GroupView(
            name: name, members: directory.members(of: number).map(directory.principalName), groups: directory.groups(of: number).map(directory.principalName))
    }

    /// The groups of a principal, those first that it is in itself. Nobody has none.
    package func groups(of name: String) -> [String] {
        guard let number = directory.principal(name), number != Directory.publicNumber else { return [] }
        var groups: [String] = []
        directory.closure(of: [number]).forEach { if $0 != Int(number) { groups.append(directory.principalName(UInt32($0))) } }
        return groups
    }

    package func access(_ name: String) throws(EngineError) -> AccessView {
        guard let number = directory.access(name), directory.isThere(access: number) else { throw EngineError.unknown("access", name) }
        return view(ofAccess: number)
    }

    package func agent(_ name: String) throws(EngineError) -> AgentView {
        guard let number = directory.agent(name) else { throw EngineError.unknown("agent", name) }
        let row = directory.row(ofPrincipal: number)
        return AgentView(
            name: name, grade: Grade(rawValue: UInt8(row.grade))!, scope: directory.scope(ofAgent: number),  // Checked when it came in.
            groups: directory.groups(of: number).map(directory.principalName))
    }

    private func view(ofAccess number: UInt32) -> AccessView {
        let (row, entries) = (directory.row(ofAccess: number), directory.entries(of: number))
        return AccessView(
            name: directory.accessName(number),
            grants: entries.filter { $0.grade != .none }.map { (directory.principalName($0.principal), $0.grade) },
            denials: entries.filter { $0.grade == .none }.map { directory.principalName($0.principal) },
            inherits: row.inherits == 0 ? nil : directory.accessName(row.inherits),
            contact: row.has(AccessRow.Flag.hasContact) ? directory.texts.string(row.contact) : nil)
    }

    /// Access objects in the order in which they were first named, behind `after`; whether these are the last. O(objects passed).
    package func accessObjects(after: String?, limit: Int) throws(EngineError) -> (objects: [AccessView], isEnd: Bool) {
        var first: UInt32 = 1
        if let after {
            guard let number = directory.access(after) else { throw EngineError.unknown("access", after) }
            first = number + 1
        }
        var objects: [AccessView] = []
        for number in first..<max(first, directory.accessMax + 1) where directory.isThere(access: number) {
            if objects.count == limit { return (objects, false) }
            objects.append(view(ofAccess: number))
        }
        return (objects, true)
    }

    /// Groups or agents in the order in which they were first named, behind `after`; whether these are the last. O(principals passed).
    package func principals(_ kind: PrincipalKind, after: String?, limit: Int) throws(EngineError) -> (names: [String], isEnd: Bool) {
        var first: UInt32 = 1
        if let after {
            guard let number = directory.principal(after) else { throw EngineError.unknown(kind.rawValue, after) }
            first = number + 1
        }
        var names: [String] = []
        for number in first..<max(first, directory.principalMax + 1) {
            let row = directory.row(ofPrincipal: number)
            let isOne =
                switch kind {
                case .group: row.has(PrincipalRow.Flag.isGroup)
                case .agent: row.has(PrincipalRow.Flag.isAgent)
                case .user: directory.principalName(number).utf8.starts(with: PrincipalKind.user.prefix.utf8)
                }
            guard isOne else { continue }
            if names.count == limit { return (names, false) }
            names.append(directory.principalName(number))
        }
        return (names, true)
    }
}
