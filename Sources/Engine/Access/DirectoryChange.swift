// Changes of the directory: as callers say them, and as the log keeps them.
import Memory

/// A named list of grants.
package struct AccessInput: Sendable {
    package var name: String
    package var grants: [(principal: String, grade: Grade)] = []
    package var denials: [String] = []
    /// The object whose grants and denials hold here too.
    package var inherits: String?
    /// Whom to ask, for those who may know that something exists and no more.
    package var contact: String?

    package init(name: String) { self.name = name }
}

/// An agent: what it may look at, and how much it may know of it at most.
package struct AgentInput: Sendable {
    package var name: String
    /// nil: everything.
    package var scope: Filter?
    package var grade: Grade

    package init(name: String, scope: Filter? = nil, grade: Grade) {
        self.name = name
        self.scope = scope
        self.grade = grade
    }
}

/// One change of who may know what. Each is one record of the log, in force for every read that begins after its answer.
package enum DirectoryChange: Sendable {
    /// The group has these members and no others.
    case putGroup(String, members: [String])
    /// A group that is not there comes to be.
    case addMembers(group: String, [String])
    case removeMembers(group: String, [String])
    /// The group loses its members and its own memberships. Grants that name it mean nobody, until there is one of that name again.
    case dropGroup(String)
    /// In the place of what the object said before.
    case putAccess(AccessInput)
    /// One principal's grade in an object that is there; `none` denies.
    case grant(access: String, principal: String, Grade)
    /// Takes out what the object says of a principal, be it a grant or a denial.
    case revoke(access: String, principal: String)
    /// What refers to it is nobody's, until there is one of that name again.
    case dropAccess(String)
    case putAgent(AgentInput)
    case dropAgent(String)
}

// MARK: Judging

extension DirectoryChange {
    /// All that can be judged without the directory: names, limits, repetitions.
    func check() throws(EngineError) {
        switch self {
        case .putGroup(let group, let members), .addMembers(let group, let members), .removeMembers(let group, let members):
            try PrincipalKind.check(group, isOneOf: [.group], field: "group")
            try Self.checkPrincipals(members, "members", max: Limits.groupMembersMax)
        case .dropGroup(let group): try PrincipalKind.check(group, isOneOf: [.group], field: "group")
        case .putAccess(let input): try Self.check(input)
        case .grant(let access, let principal, _), .revoke(let access, let principal):
            try PrincipalKind.checkBytes(access, field: "access")
            try PrincipalKind.check(principal, isOneOf: PrincipalKind.allCases, orPublic: true, field: "principal")
        case .dropAccess(let access): try PrincipalKind.checkBytes(access, field: "access")
        case .putAgent(let input):
            try PrincipalKind.check(input.name, isOneOf: [.agent], field: "agent")
            guard input.grade != .none else { throw EngineError(.invalidValue, "an agent without a grade sees nothing: drop it instead", field: "grade") }
            do throws(EngineError) { try input.scope?.checkLimits() } catch { throw EngineError(error.code, error.message, field: "scope") }
        case .dropAgent(let agent): try PrincipalKind.check(agent, isOneOf: [.agent], field: "agent")
        }
    }

    private static func check(_ input: AccessInput) throws(EngineError) {
        try PrincipalKind.checkBytes(input.name, field: "access")
        guard input.grants.count + input.denials.count <= Limits.accessEntriesMax else {
            throw EngineError(.limitExceeded, "at most \(Limits.accessEntriesMax) grants and denials: put principals into groups", field: "grants")
        }
        var named: Set<ExactText> = []
        for (index, grant) in input.grants.enumerated() {
            let place = "grants[\(index)]"
            try PrincipalKind.check(grant.principal, isOneOf: PrincipalKind.allCases, orPublic: true, field: "\(place).principal")
            guard grant.grade != .none else { throw EngineError(.invalidValue, "must be exists, derive or read; denials have a list of their own", field: "\(place).grade") }
            guard named.insert(ExactText(grant.principal)).inserted else { throw EngineError(.invalidValue, "\"\(grant.principal)\" is named before", field: place) }
        }
        for (index, principal) in input.denials.enumerated() {
            try PrincipalKind.check(principal, isOneOf: PrincipalKind.allCases, orPublic: true, field: "denials[\(index)]")
            guard named.insert(ExactText(principal)).inserted else { throw EngineError(.invalidValue, "\"\(principal)\" is named before", field: "denials[\(index)]") }
        }
        if let inherits = input.inherits { try PrincipalKind.checkBytes(inherits, field: "inherits") }
        if let contact = input.contact, contact.utf8.count > Limits.titleBytesMax {
            throw EngineError(.limitExceeded, "at most \(Limits.titleBytesMax) bytes, got \(contact.utf8.count)", field: "contact")
        }
    }

    private static func checkPrincipals(_ names: [String], _ field: String, max: Int) throws(EngineError) {
        guard names.count <= max else { throw EngineError(.limitExceeded, "at most \(max) at once", field: field) }
        for (index, name) in names.enumerated() { try PrincipalKind.check(name, isOneOf: PrincipalKind.allCases, field: "\(field)[\(index)]") }
    }
}

extension Directory {
    /// Judges a change against what is there: false where it would change nothing.
    func judge(_ change: DirectoryChange) throws(EngineError) -> Bool {
        switch change {
        case .putGroup(let group, let members):
            try checkNoCircle(members, in: group)
            try checkRoom(for: members.count + 1)
            return true
        case .addMembers(let group, let members):
            try checkNoCircle(members, in: group)
            try checkRoom(for: members.count + 1)
            return true
        case .removeMembers(let group, let members):
            guard let number = principal(group), isGroup(number) else { throw EngineError.unknown("group", group) }
            return members.contains { name in principal(name).map { member in groups(of: member).contains(number) } ?? false }
        case .dropGroup(let group):
            guard let number = principal(group), isGroup(number) else { throw EngineError.unknown("group", group) }
            return true
        case .putAccess(let input):
            try checkInheritance(of: input)
            try checkRoom(for: input.grants.count + input.denials.count)
            return true
        case .grant(let access, let principal, let grade):
            let entries = try knownEntries(access)
            try checkRoom(for: 1)
            guard entries.count < Limits.accessEntriesMax else {
                throw EngineError(.limitExceeded, "at most \(Limits.accessEntriesMax) grants and denials: put principals into groups", field: "access")
            }
            return !(self.principal(principal).map { entries.contains(AccessEntry(principal: $0, grade: grade)) } ?? false)
        case .revoke(let access, let principal):
            let entries = try knownEntries(access)
            return self.principal(principal).map { number in entries.contains { $0.principal == number } } ?? false
        case .dropAccess(let access):
            _ = try knownEntries(access)
            return true
        case .putAgent:
            try checkRoom(for: 1)
            return true
        case .dropAgent(let agent):
            guard self.agent(agent) != nil else { throw EngineError.unknown("agent", agent) }
            return true
        }
    }

    private func knownEntries(_ access: String) throws(EngineError) -> [AccessEntry] {
        guard let number = self.access(access), isThere(access: number) else { throw EngineError.unknown("access", access) }
        return entries(of: number)
    }

    private func checkRoom(for more: Int) throws(EngineError) {
        guard Int(principalMax) + more <= Limits.principalsMax, Int(accessMax) + 2 <= Limits.accessObjectsMax else {
            throw EngineError(.limitExceeded, "at most \(Limits.principalsMax) principals and \(Limits.accessObjectsMax) access objects were ever named in a database")
        }
    }

    /// Groups nest and lie in no circle: none of the new members is what the group is in.
    private func checkNoCircle(_ members: [String], in group: String) throws(EngineError) {
        let above = principal(group).map { closure(of: [$0]) }
        for (index, member) in members.enumerated() where member.utf8.starts(with: PrincipalKind.group.prefix.utf8) {
            let isAbove = principal(member).map { number in above?[Int(number)] ?? false } ?? false
            guard !isAbove, !member.isExactly(group) else {
                throw EngineError(.invalidValue, "\"\(member)\" would be a member of itself", field: "members[\(index)]")
            }
        }
    }

    private func checkInheritance(of input: AccessInput) throws(EngineError) {
        guard let inherits = input.inherits else { return }
        guard !inherits.isExactly(input.name) else { throw EngineError(.invalidValue, "\"\(inherits)\" would inherit from itself", field: "inherits") }
        guard var place = access(inherits) else { return }
        let own = access(input.name)
        var depth = 2 + (own.map(heirsDepth) ?? 0)
        while place != 0 {
            guard place != own else { throw EngineError(.invalidValue, "\"\(input.name)\" would inherit from itself", field: "inherits") }
            guard depth <= Limits.accessDepthMax else {
                throw EngineError(.limitExceeded, "at most \(Limits.accessDepthMax) objects inherit one behind the other", field: "inherits")
            }
            depth += 1
            place = row(ofAccess: place).inherits
        }
    }

    /// How many objects inherit one behind the other, down from this one. O(objects) each.
    private func heirsDepth(_ access: UInt32) -> Int {
        var depth = 0
        var above = Bitmap(count: Int(accessMax) + 1)
        above[Int(access)] = true
        while let heirs = heirs(of: above) { (depth, above) = (depth + 1, heirs) }
        return depth
    }

    /// Those that inherit from one of these themselves; nil where there are none. It ends, as there are no circles.
    private func heirs(of above: Bitmap) -> Bitmap? {
        var heirs = Bitmap(count: above.count)
        var found = false
        forEachAccess { object, row in
            guard row.inherits != 0, above[Int(row.inherits)] else { return }
            heirs[Int(object)] = true
            found = true
        }
        return found ? heirs : nil
    }
}

extension EngineError {
    static func unknown(_ kind: String, _ name: String) -> EngineError {
        EngineError(.notFound, "there is no \(kind) \"\(name)\"", field: kind)
    }
}

// MARK: Records

// Layout, behind the number 0 that stands for the directory where other records have their collection's (str = u32 length + UTF-8):
//
//   u8 kind
//   1 putGroup, 2 addMembers, 3 removeMembers: str group | u32 n, n x str
//   4 dropGroup, 8 dropAccess, 10 dropAgent:   str name
//   5 putAccess:  str name | u32 n, n x (str principal, u8 grade; 0 denies) | u8 parts (1 inherits, 2 contact) | [str] [str]
//   6 grant:      str access | str principal | u8 grade (0 denies)
//   7 revoke:     str access | str principal
//   9 putAgent:   str name | u8 grade | u8 has a scope | [blob: filter]

extension DirectoryChange {
    /// The number in the place of a collection's.
    static let collectionNumber: UInt32 = 0

    func record() -> [UInt8] {
        var writer = ByteWriter()
        writer.write(Self.collectionNumber)
        switch self {
        case .putGroup(let group, let members): writer.write(1, group, members)
        case .addMembers(let group, let members): writer.write(2, group, members)
        case .removeMembers(let group, let members): writer.write(3, group, members)
        case .dropGroup(let group): writer.write(4, group)
        case .putAccess(let input):
            writer.write(5, input.name)
            writer.write(UInt32(input.grants.count + input.denials.count))
            for grant in input.grants { writer.write(grant.principal, grant.grade) }
            for principal in input.denials { writer.write(principal, .none) }
            writer.write(UInt8((input.inherits == nil ? 0 : 1) | (input.contact == nil ? 0 : 2)))
            if let inherits = input.inherits { writer.writeString(inherits) }
            if let contact = input.contact { writer.writeString(contact) }
        case .grant(let access, let principal, let grade):
            writer.write(6, access)
            writer.write(principal, grade)
        case .revoke(let access, let principal):
            writer.write(7, access)
            writer.writeString(principal)
        case .dropAccess(let access): writer.write(8, access)
        case .putAgent(let input):
            writer.write(9, input.name)
            writer.write(input.grade.rawValue)
            writer.write(UInt8(input.scope == nil ? 0 : 1))
            if let scope = input.scope {
                var filter = ByteWriter()
                scope.encode(to: &filter)
                writer.writeBlob(filter.bytes)
            }
        case .dropAgent(let agent): writer.write(10, agent)
        }
        return writer.finish()
    }

    /// `reader` stands behind the collection's number.
    init(decoding reader: inout ByteReader) throws(Corruption) {
        let kind = try reader.read(UInt8.self)
        let name = try reader.readString()
        switch kind {
        case 1: self = .putGroup(name, members: try reader.readStrings())
        case 2: self = .addMembers(group: name, try reader.readStrings())
        case 3: self = .removeMembers(group: name, try reader.readStrings())
        case 4: self = .dropGroup(name)
        case 5:
            var input = AccessInput(name: name)
            for _ in 0..<(try reader.read(UInt32.self)) {
                let principal = try reader.readString()
                let grade = try reader.readGrade()
                if grade == .none { input.denials.append(principal) } else { input.grants.append((principal, grade)) }
            }
            let parts = try reader.read(UInt8.self)
            guard parts & ~3 == 0 else { throw Corruption(offset: reader.offset - 1, expected: "known parts of an access object") }
            if parts & 1 != 0 { input.inherits = try reader.readString() }
            if parts & 2 != 0 { input.contact = try reader.readString() }
            self = .putAccess(input)
        case 6:
            let principal = try reader.readString()
            self = .grant(access: name, principal: principal, try reader.readGrade())
        case 7: self = .revoke(access: name, principal: try reader.readString())
        case 8: self = .dropAccess(name)
        case 9:
            var input = AgentInput(name: name, grade: try reader.readGrade())
            if try reader.read(UInt8.self) != 0 { input.scope = try Filter(decoding: try reader.readBlob()) }
            self = .putAgent(input)
        case 10: self = .dropAgent(name)
        default: throw Corruption(offset: 4, expected: "a known change of the directory, found \(kind)")
        }
    }
}

extension ByteWriter {
    fileprivate mutating func write(_ kind: UInt8, _ name: String, _ names: [String]? = nil) {
        write(kind)
        writeString(name)
        guard let names else { return }
        write(UInt32(names.count))
        for name in names { writeString(name) }
    }

    fileprivate mutating func write(_ principal: String, _ grade: Grade) {
        writeString(principal)
        write(grade.rawValue)
    }
}

extension ByteReader {
    @_lifetime(self: copy self)
    fileprivate mutating func readStrings() throws(Corruption) -> [String] {
        var strings: [String] = []
        for _ in 0..<(try read(UInt32.self)) { strings.append(try readString()) }
        return strings
    }

    @_lifetime(self: copy self)
    fileprivate mutating func readGrade() throws(Corruption) -> Grade {
        guard let grade = Grade(rawValue: try read()) else { throw Corruption(offset: offset - 1, expected: "a grade") }
        return grade
    }
}
