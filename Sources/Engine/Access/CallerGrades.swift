// What one caller may know of whatever each access object guards.
import Memory

/// Grades by access object, worked out once for a caller and a version of the directory.
final class CallerGrades: Sendable {
    /// By number of the object; beyond the end `outside`.
    private let table: [UInt8]
    private let outside: Grade
    /// What a document has to be to the caller to be found: agents find what they may derive from, people what they may read.
    let need: Grade
    /// The agent's; nil where there is no agent, or it may look at everything.
    let scope: Filter?

    private init(table: [UInt8], outside: Grade, need: Grade, scope: Filter?) {
        (self.table, self.outside, self.need, self.scope) = (table, outside, need, scope)
    }

    /// Of a collection where nobody is asked for rights: what the agent may know at most.
    static func open(_ caller: Caller, _ directory: Directory) throws(EngineError) -> CallerGrades {
        let agent = try directory.agentLimits(of: caller)
        return CallerGrades(table: [], outside: agent?.grade ?? .read, need: agent == nil ? .read : .derive, scope: agent?.scope)
    }

    /// O(memberships of the caller + objects + their entries).
    static func enforced(_ caller: Caller, _ directory: Directory) throws(EngineError) -> CallerGrades {
        let agent = try directory.agentLimits(of: caller)
        let user = caller.user.flatMap { directory.principal($0) }
        // A person's rights are the person's alone: what an agent was given by its own name is for when it asks for itself.
        let holder = caller.user == nil ? agent?.number : user
        let holders = directory.closure(of: [Directory.publicNumber] + [holder].compactMap { $0 })
        // Denials hold against both.
        let denied = directory.closure(of: [Directory.publicNumber] + [user, agent?.number].compactMap { $0 })
        let table = directory.grades(holders: holders, denied: denied, atMost: agent?.grade ?? .read)
        return CallerGrades(table: table, outside: .none, need: agent == nil ? .read : .derive, scope: agent?.scope)
    }

    @inline(__always)
    func grade(ofAccess number: UInt32) -> Grade {
        Int(number) < table.count ? Grade(rawValue: table[Int(number)])! : outside  // The table holds grades alone.
    }

    /// `none` for a node that is not there.
    func grade(of found: Guard) -> Grade { found == .absent ? .none : grade(ofAccess: found.access) }

    /// What a chunk with an object of its own is: that can only narrow what its document is.
    func grade(of found: Guard, chunk own: UInt32) -> Grade {
        own == 0 ? grade(of: found) : min(grade(of: found), grade(ofAccess: own))
    }

    /// Whether these rights are the same as others, for every object that both know; objects that one of them does not know mean nobody.
    /// Scopes are not compared.
    func hasSameTable(as other: CallerGrades) -> Bool {
        guard need == other.need, outside == other.outside else { return false }
        let (short, long) = table.count < other.table.count ? (table, other.table) : (other.table, table)
        return long[..<short.count].elementsEqual(short) && long[short.count...].allSatisfy { $0 == outside.rawValue }
    }

    /// The objects by which something may be known, and how much.
    func forEachGrade(_ body: (_ access: UInt32, _ grade: Grade) -> Void) {
        for number in table.indices where table[number] != 0 { body(UInt32(number), grade(ofAccess: UInt32(number))) }
    }

    /// Tells grades from others by what they let know, under the names of objects: what nobody may know of has no part in it.
    func digest(_ directory: Directory) -> UInt64 {
        var sum: UInt64 = UInt64(need.rawValue) | UInt64(outside.rawValue) << 8
        forEachGrade { access, grade in
            // In any order: objects are numbered as they came, which is not to be told.
            let name = ContentDigest(of: directory.accessNames.bytes(access - 1))
            sum &+= (name.high ^ UInt64(grade.rawValue)) &* 0x9E37_79B9_7F4A_7C15
        }
        if let scope {
            var writer = ByteWriter()
            scope.encode(to: &writer)
            sum &+= ContentDigest(of: writer.bytes).high
        }
        return sum | 1
    }

    // MARK: Documents

    /// The documents whose grade lies in a range, folders left out; `earlier` is what was found for an earlier state of the guards,
    /// of which only pages that have changed since are looked at. O(documents), or O(pages + documents of changed ones).
    func documents(_ grades: ClosedRange<Grade>, in guards: PagedColumn<UInt32>, since earlier: GuardedDocuments? = nil) -> GuardedDocuments {
        let known = earlier?.documents.count ?? 0
        // Indexed by object without a question: an object beyond the table is as one that is in it.
        let wanted = CellBuffer<UInt8>(count: table.count + 1)
        for number in 0..<table.count { wanted.cells[number] = grades.contains(grade(ofAccess: UInt32(number))) ? 1 : 0 }
        wanted.cells[table.count] = grades.contains(outside) ? 1 : 0
        let (cells, last) = (wanted.cells.readOnly, UInt32(table.count))
        // The state before may as well be a later one, where an older snapshot is read.
        var documents = earlier.map { Bitmap($0.documents, count: guards.count) } ?? Bitmap(count: guards.count)
        let stamps = (0..<guards.pageCount).map { guards.pageStamp($0) }
        let firstPartial = known == guards.count ? guards.pageCount : min(known, guards.count) / guards.pageCapacity
        for number in 0..<guards.pageCount {
            if let earlier, number < firstPartial, earlier.stamps[number] == stamps[number] { continue }
            let page = guards.page(number)
            documents.fill(from: number * guards.pageCapacity, count: page.count) { index in
                let cell = page[index]
                return cell & Guard.kindMask == Guard.there && cells[Int(min(cell >> Guard.accessShift, last))] != 0
            }
        }
        withExtendedLifetime(wanted) {}
        return GuardedDocuments(stamps: stamps, documents: documents)
    }
}

/// Documents found by their guards, and the pages of guards that they were found by.
struct GuardedDocuments: Sendable {
    var stamps: [UInt64]
    var documents: Bitmap
}

/// What bounds an agent.
struct AgentLimits {
    var number: UInt32
    var grade: Grade
    var scope: Filter?
}

extension Directory {
    /// nil where there is no agent. One that nobody knows is an error, not a person: it would see more than it may.
    fileprivate func agentLimits(of caller: Caller) throws(EngineError) -> AgentLimits? {
        guard let name = caller.agent else { return nil }
        guard let number = agent(name) else {
            throw EngineError(.unknownAgent, "there is no agent \"\(name)\": put it with agent.put", field: "as.agent")
        }
        let row = row(ofPrincipal: number)
        guard let grade = Grade(rawValue: UInt8(truncatingIfNeeded: row.grade)) else { preconditionFailure("a directory holds grades alone") }
        return AgentLimits(number: number, grade: grade, scope: scope(ofAgent: number))
    }

    /// The scope of an agent, where it has one.
    func scope(ofAgent number: UInt32) -> Filter? {
        let row = row(ofPrincipal: number)
        guard row.has(PrincipalRow.Flag.hasScope) else { return nil }
        do throws(Corruption) { return try Filter(decoding: texts.bytes(row.scope)) } catch {
            preconditionFailure("scopes are checked when they come in: \(error)")
        }
    }

    /// What an object says by itself: a grade, or `denied`. One that is not there denies: what it said is not known.
    private func ownGrade(_ access: UInt32, holders: Bitmap, denied: Bitmap) -> UInt8 {
        guard isThere(access: access) else { return Self.denied }
        var best: UInt8 = 0
        var isDenied = false
        entries.forEach(Int(access) - 1) { packed in
            let (principal, grade) = (Int(packed >> 2), UInt8(packed & 3))
            if grade == 0 {
                if denied[principal] { isDenied = true }
            } else if grade > best, holders[principal] {
                best = grade
            }
        }
        return isDenied ? Self.denied : best
    }

    private static let denied: UInt8 = 4
    private static let unknown: UInt8 = 5

    /// By object: the best grant to a holder in it or in what it inherits; none where one of those denies.
    fileprivate func grades(holders: Bitmap, denied: Bitmap, atMost: Grade) -> [UInt8] {
        var table = [UInt8](repeating: Self.unknown, count: Int(accessMax) + 1)
        table[0] = 0
        var path: [UInt32] = []
        for start in 1..<accessMax + 1 {
            var place = start
            while table[Int(place)] == Self.unknown {
                path.append(place)
                place = row(ofAccess: place).inherits
            }
            var above = table[Int(place)]
            while let object = path.popLast() {
                above = max(above, ownGrade(object, holders: holders, denied: denied))
                table[Int(object)] = above
            }
        }
        for index in table.indices { table[index] = table[index] == Self.denied ? 0 : min(table[index], atMost.rawValue) }
        return table
    }
}
