// Puts changes of the directory into force: live and on replay alike.
import Memory

extension Directory {
    /// Deterministic. What `judge` let pass always fits; a record that could not have passed is refused.
    mutating func apply(_ change: DirectoryChange) throws(Corruption) {
        do throws(EngineError) {
            try change.check()
            _ = try judge(change)
        } catch { throw Corruption(offset: 0, expected: "a change of the directory that is allowed: \(error.message)") }
        switch change {
        case .putGroup(let name, let members): put(group: name, members)
        case .addMembers(let name, let members):
            let group = makeGroup(name)
            for member in members { add(intern(principal: member), to: group) }
        case .removeMembers(let name, let members):
            let group = intern(principal: name)
            for member in members { if let number = principal(member) { remove(number, from: group) } }
        case .dropGroup(let name): drop(group: intern(principal: name))
        case .putAccess(let input): put(input)
        case .grant(let access, let principal, let grade):
            let object = intern(access: access)
            let entry = AccessEntry(principal: intern(principal: principal), grade: grade)
            var entries = entries(of: object)
            if let place = entries.firstIndex(where: { $0.principal == entry.principal }) { entries[place] = entry } else { entries.append(entry) }
            set(entries: entries, of: object)
        case .revoke(let access, let principal):
            guard let number = self.principal(principal) else { return }
            let object = intern(access: access)
            set(entries: entries(of: object).filter { $0.principal != number }, of: object)
        case .dropAccess(let access):
            let object = intern(access: access)
            set(access: object, to: AccessRow())
            set(entries: [], of: object)
        case .putAgent(let input): put(input)
        case .dropAgent(let name):
            let number = intern(principal: name)
            var row = row(ofPrincipal: number)
            row.flags &= ~(PrincipalRow.Flag.isAgent | PrincipalRow.Flag.hasScope)
            (row.grade, row.scope) = (0, ByteRange())
            set(principal: number, to: row)
        }
    }

    // MARK: Groups

    private mutating func makeGroup(_ name: String) -> UInt32 {
        let number = intern(principal: name)
        var row = row(ofPrincipal: number)
        if !row.has(PrincipalRow.Flag.isGroup) {
            row.flags |= PrincipalRow.Flag.isGroup
            set(principal: number, to: row)
        }
        return number
    }

    private mutating func put(group name: String, _ members: [String]) {
        // What was no group had no members, and all who are there need not be asked.
        let earlier = principal(name).map { isGroup($0) ? self.members(of: $0) : [] } ?? []
        let group = makeGroup(name)
        let wanted = members.map { intern(principal: $0) }
        var isWanted = Bitmap(count: Int(principalMax) + 1)
        for number in wanted { isWanted[Int(number)] = true }
        for member in earlier where !isWanted[Int(member)] { remove(member, from: group) }
        for number in wanted { add(number, to: group) }
    }

    private mutating func add(_ member: UInt32, to group: UInt32) {
        let groups = groups(of: member)
        if !groups.contains(group) { set(groups: groups + [group], of: member) }
    }

    private mutating func remove(_ member: UInt32, from group: UInt32) {
        let groups = groups(of: member)
        if groups.contains(group) { set(groups: groups.filter { $0 != group }, of: member) }
    }

    /// Its memberships go too: one made anew under the name is another group, and is in none.
    private mutating func drop(group: UInt32) {
        for member in members(of: group) { remove(member, from: group) }
        set(groups: [], of: group)
        var row = row(ofPrincipal: group)
        row.flags &= ~PrincipalRow.Flag.isGroup
        set(principal: group, to: row)
    }

    // MARK: Access objects and agents

    private mutating func put(_ input: AccessInput) {
        let object = intern(access: input.name)
        var row = AccessRow()
        row.flags = AccessRow.Flag.isThere
        if let inherits = input.inherits { row.inherits = intern(access: inherits) }
        if let contact = input.contact {
            row.flags |= AccessRow.Flag.hasContact
            // Sound: bytes have no invalid pattern.
            row.contact = append(text: unsafe Array(contact.utf8).span.bytes)
        }
        set(access: object, to: row)
        let grants = input.grants.map { AccessEntry(principal: intern(principal: $0.principal), grade: $0.grade) }
        set(entries: grants + input.denials.map { AccessEntry(principal: intern(principal: $0), grade: .none) }, of: object)
    }

    private mutating func put(_ input: AgentInput) {
        let number = intern(principal: input.name)
        var row = row(ofPrincipal: number)
        row.flags |= PrincipalRow.Flag.isAgent
        row.flags &= ~PrincipalRow.Flag.hasScope
        (row.grade, row.scope) = (UInt32(input.grade.rawValue), ByteRange())
        if let scope = input.scope {
            row.flags |= PrincipalRow.Flag.hasScope
            var filter = ByteWriter()
            scope.encode(to: &filter)
            row.scope = append(text: filter.bytes)
        }
        set(principal: number, to: row)
    }
}
