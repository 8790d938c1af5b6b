// Who there is and what they were given: users, groups, agents and access objects of a whole database, in memory.
import Memory

/// A user, a group or an agent. Files hold it as it lies in memory: 20 bytes, little-endian.
struct PrincipalRow: BitwiseCopyable, Sendable {
    var flags: UInt32 = 0
    /// An agent's highest grade.
    var grade: UInt32 = 0
    /// An agent's scope (`Filter.encode`), in the directory's texts.
    var scope = ByteRange()

    enum Flag {
        static let isGroup: UInt32 = 1, isAgent: UInt32 = 2, hasScope: UInt32 = 4
        static let known: UInt32 = 7
    }

    func has(_ flag: UInt32) -> Bool { flags & flag != 0 }
}

/// An access object, its grants apart. Files hold it as it lies in memory: 20 bytes, little-endian.
struct AccessRow: BitwiseCopyable, Sendable {
    var flags: UInt32 = 0
    /// The object that it inherits from; 0 where it does not.
    var inherits: UInt32 = 0
    /// Whom to ask, in the directory's texts.
    var contact = ByteRange()

    enum Flag {
        static let isThere: UInt32 = 1, hasContact: UInt32 = 2
        static let known: UInt32 = 3
    }

    func has(_ flag: UInt32) -> Bool { flags & flag != 0 }
}

/// What an access object says of one principal: a grade, or that it is denied.
struct AccessEntry: Equatable, Sendable {
    var principal: UInt32
    /// `none` denies.
    var grade: Grade

    /// As lists hold it.
    var packed: UInt32 { principal << 2 | UInt32(grade.rawValue) }
    init(principal: UInt32, grade: Grade) {
        self.principal = principal
        self.grade = grade
    }
    init(packed: UInt32) {
        principal = packed >> 2
        grade = Grade(rawValue: UInt8(packed & 3))!  // Two bits, four grades.
    }
}

/// Principals and access objects as a value: copying it is the snapshot (every column shares its pages, see `PagedColumn`).
///
/// Both have numbers that are given once and for ever, from 1 on. Principal 0 is `public`, and access object 0 is that there is none.
/// A name that is only referred to has a number and nothing else: references may come before what they refer to, and mean nobody.
struct Directory: Sendable {
    static let publicName = "public"
    static let publicNumber: UInt32 = 0

    private(set) var principalNames = InternTable()
    private(set) var principals = PagedColumn<PrincipalRow>()
    /// By principal: the groups that it is a member of itself.
    private(set) var memberships = PagedLists()
    private(set) var accessNames = InternTable()
    private(set) var accessRows = PagedColumn<AccessRow>()
    /// By access object: `AccessEntry.packed`, one for each principal that it names.
    private(set) var entries = PagedLists()
    /// Agents' scopes and objects' contacts.
    private(set) var texts = ByteArena()
    /// The sequence of the last change since the database was opened: equal versions, equal rights. Names that were only referred to
    /// since are no change: they mean nobody.
    var version: UInt64 = 0

    init() {}

    /// A directory as it was stored; refuses what points outside it.
    init(
        principalNames: InternTable, principals: PagedColumn<PrincipalRow>, memberships: PagedLists, accessNames: InternTable,
        accessRows: PagedColumn<AccessRow>, entries: PagedLists, texts: ByteArena
    ) throws(Corruption) {
        (self.principalNames, self.principals, self.memberships) = (principalNames, principals, memberships)
        (self.accessNames, self.accessRows, self.entries, self.texts) = (accessNames, accessRows, entries, texts)
        try checkAsFound()
    }

    /// The highest numbers there are.
    var principalMax: UInt32 { UInt32(principalNames.count) }
    var accessMax: UInt32 { UInt32(accessNames.count) }
    var isEmpty: Bool { principalNames.count == 0 && accessNames.count == 0 }

    // MARK: Principals

    func principal(_ name: String) -> UInt32? {
        if name.isExactly(Self.publicName) { return Self.publicNumber }
        // Sound: bytes have no invalid pattern.
        return principalNames.find(unsafe Array(name.utf8).span.bytes).map { $0 + 1 }
    }

    func principalName(_ number: UInt32) -> String { number == Self.publicNumber ? Self.publicName : principalNames.string(number - 1) }

    /// The row of a principal other than `public`.
    func row(ofPrincipal number: UInt32) -> PrincipalRow { principals[Int(number) - 1] }

    func isGroup(_ number: UInt32) -> Bool { number != Self.publicNumber && row(ofPrincipal: number).has(PrincipalRow.Flag.isGroup) }

    /// The agent's number, where it is there.
    func agent(_ name: String) -> UInt32? {
        guard let number = principal(name), number != Self.publicNumber, row(ofPrincipal: number).has(PrincipalRow.Flag.isAgent) else { return nil }
        return number
    }

    func groups(of principal: UInt32) -> [UInt32] { principal == Self.publicNumber ? [] : memberships[Int(principal) - 1] }

    /// The members of a group, rising. O(principals): memberships are kept with the members, which is where rights are resolved from.
    func members(of group: UInt32) -> [UInt32] {
        var members: [UInt32] = []
        memberships.forEachRun { list, groups in
            for index in groups.indices where groups[index] == group { members.append(UInt32(list) + 1) }
        }
        return members
    }

    /// These and every group that one of them is in, however deep; a bit for each principal. O(memberships met).
    func closure(of numbers: [UInt32]) -> Bitmap {
        var reached = Bitmap(count: Int(principalMax) + 1)
        var open: [UInt32] = []
        for number in numbers where !reached[Int(number)] {
            reached[Int(number)] = true
            open.append(number)
        }
        while let number = open.popLast() {
            guard number != Self.publicNumber else { continue }
            memberships.forEach(Int(number) - 1) { group in
                guard !reached[Int(group)] else { return }
                reached[Int(group)] = true
                open.append(group)
            }
        }
        return reached
    }

    // MARK: Access objects

    func access(_ name: String) -> UInt32? {
        // Sound: bytes have no invalid pattern.
        accessNames.find(unsafe Array(name.utf8).span.bytes).map { $0 + 1 }
    }

    func accessName(_ number: UInt32) -> String { accessNames.string(number - 1) }
    func row(ofAccess number: UInt32) -> AccessRow { accessRows[Int(number) - 1] }

    /// All that were ever named, rising, by page: reading them one by one would count references for each.
    @inline(__always)
    func forEachAccess(_ body: (_ number: UInt32, _ row: AccessRow) -> Void) {
        for number in 0..<accessRows.pageCount {
            let (rows, first) = (accessRows.page(number), number * accessRows.pageCapacity + 1)
            for index in rows.indices { body(UInt32(first + index), rows[index]) }
        }
    }

    func isThere(access number: UInt32) -> Bool { row(ofAccess: number).has(AccessRow.Flag.isThere) }
    func entries(of access: UInt32) -> [AccessEntry] { entries[Int(access) - 1].map(AccessEntry.init(packed:)) }

    /// Whom to ask about what an object guards: its own contact, or the nearest of those that it inherits from.
    func contact(of access: UInt32) -> String? {
        var place = access
        for _ in 0...Limits.accessDepthMax where place != 0 {
            let row = row(ofAccess: place)
            guard row.has(AccessRow.Flag.isThere) else { return nil }
            if row.has(AccessRow.Flag.hasContact) { return texts.string(row.contact) }
            place = row.inherits
        }
        return nil
    }

    // MARK: Changing

    /// The number of a principal, which gets one if it never had.
    mutating func intern(principal name: String) -> UInt32 {
        if name.isExactly(Self.publicName) { return Self.publicNumber }
        // Sound: bytes have no invalid pattern.
        let (number, isNew) = principalNames.intern(unsafe Array(name.utf8).span.bytes)
        if isNew {
            principals.append(PrincipalRow())
            memberships.appendEmpty()
        }
        return number + 1
    }

    /// The number of an access object, which gets one if it never had.
    mutating func intern(access name: RawSpan) -> UInt32 {
        let (number, isNew) = accessNames.intern(name)
        precondition(number < 1 << 29, "numbers of access objects lie beside two bits")
        if isNew {
            accessRows.append(AccessRow())
            entries.appendEmpty()
        }
        return number + 1
    }

    mutating func intern(access name: String) -> UInt32 {
        // Sound: bytes have no invalid pattern.
        intern(access: unsafe Array(name.utf8).span.bytes)
    }

    mutating func set(principal number: UInt32, to row: PrincipalRow) { principals.set(Int(number) - 1, to: row) }
    mutating func set(access number: UInt32, to row: AccessRow) { accessRows.set(Int(number) - 1, to: row) }
    mutating func set(groups: [UInt32], of principal: UInt32) { memberships.set(Int(principal) - 1, to: groups) }
    mutating func set(entries new: [AccessEntry], of access: UInt32) { entries.set(Int(access) - 1, to: new.map(\.packed)) }
    mutating func append(text: RawSpan) -> ByteRange { texts.append(text) }

    var byteCount: Int {
        principalNames.byteCount + principals.byteCount + memberships.byteCount + accessNames.byteCount + accessRows.byteCount + entries.byteCount + texts.byteCount
    }
}

// MARK: What was stored

extension Directory {
    /// Everything behind this trusts it. O(principals + memberships + objects + entries).
    private func checkAsFound() throws(Corruption) {
        guard principals.count == principalNames.count, memberships.count == principalNames.count else {
            throw Corruption(offset: 0, expected: "\(principalNames.count) principals, found \(principals.count) rows and \(memberships.count) lists")
        }
        guard accessRows.count == accessNames.count, entries.count == accessNames.count else {
            throw Corruption(offset: 0, expected: "\(accessNames.count) access objects, found \(accessRows.count) rows and \(entries.count) lists")
        }
        for number in 1..<principalMax + 1 { try checkPrincipal(number) }
        for number in 1..<accessMax + 1 { try checkAccess(number) }
        try checkGroupsEnd()
    }

    private func checkPrincipal(_ number: UInt32) throws(Corruption) {
        let row = row(ofPrincipal: number)
        var isSound = principalNames.bytes(number - 1).isValidUTF8 && row.flags & ~PrincipalRow.Flag.known == 0 && row.grade <= 3
        isSound = isSound && texts.contains(row.scope)
        isSound = isSound && !memberships.contains(Int(number) - 1) { $0 == 0 || $0 > principalMax || !isGroup($0) }
        guard isSound else { throw Corruption(offset: Int(number), expected: "a principal that fits its directory") }
        if row.has(PrincipalRow.Flag.hasScope) { _ = try Filter(decoding: texts.bytes(row.scope)) }
    }

    private func checkAccess(_ number: UInt32) throws(Corruption) {
        let row = row(ofAccess: number)
        var isSound = accessNames.bytes(number - 1).isValidUTF8 && row.flags & ~AccessRow.Flag.known == 0 && row.inherits <= accessMax
        isSound = isSound && texts.contains(row.contact)
        isSound = isSound && !entries.contains(Int(number) - 1) { $0 >> 2 > principalMax }
        guard isSound else { throw Corruption(offset: Int(number), expected: "an access object that fits its directory") }
        var (place, steps) = (number, 0)
        while place != 0 {
            steps += 1
            guard steps <= Limits.accessDepthMax else { throw Corruption(offset: Int(number), expected: "at most \(Limits.accessDepthMax) objects one behind the other") }
            place = self.row(ofAccess: place).inherits
            guard place <= accessMax else { throw Corruption(offset: Int(number), expected: "an object to inherit from, found \(place)") }
        }
    }

    /// No group lies in itself: whoever goes from group to group comes to an end. Each is left once all groups it is in were left.
    private func checkGroupsEnd() throws(Corruption) {
        var waiting = [UInt32](repeating: 0, count: Int(principalMax) + 1)
        for number in 1..<principalMax + 1 { memberships.forEach(Int(number) - 1) { waiting[Int($0)] += 1 } }
        var open = (1..<principalMax + 1).filter { waiting[Int($0)] == 0 }
        var left = 0
        while let number = open.popLast() {
            left += 1
            memberships.forEach(Int(number) - 1) { group in
                waiting[Int(group)] -= 1
                if waiting[Int(group)] == 0 { open.append(group) }
            }
        }
        guard left == Int(principalMax) else { throw Corruption(offset: 0, expected: "groups that do not lie in themselves") }
    }
}
