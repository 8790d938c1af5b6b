// What one caller may know of whatever each access object guards.
import Memory

/// Grades by access object, worked out once for a caller and a version of the directory.
final class CallerGrades: Sendable {
    /// By number of the object, and behind those known one for all others; then what `Bitmap.fill` asks for.
    private let table: CellBuffer<UInt8>
    private var knownCount: Int { table.count - 1 - Bitmap.gradesPadding }
    /// What a document has to be to the caller to be found: agents find what they may derive from, people what they may read.
    let need: Grade
    /// The agent's; nil where there is no agent, or it may look at everything.
    let scope: Filter?

    /// - Parameters:
    ///   - table: of `Self.table`.
    ///   - outside: of objects that are not known, and so of what no object guards where none is.
    private init(table: CellBuffer<UInt8>, outside: Grade, need: Grade, scope: Filter?) {
        (self.table, self.need, self.scope) = (table, need, scope)
        table.cells[knownCount] = outside.rawValue
    }

    /// Room for the grades of so many objects, `none` for now.
    fileprivate static func table(ofObjects count: Int) -> CellBuffer<UInt8> { CellBuffer(count: count + 1 + Bitmap.gradesPadding) }

    /// Of a collection where nobody is asked for rights: what the agent may know at most.
    static func open(_ caller: Caller, _ directory: Directory) throws(EngineError) -> CallerGrades {
        let agent = try directory.agentLimits(of: caller)
        return CallerGrades(table: table(ofObjects: 0), outside: agent?.grade ?? .read, need: agent == nil ? .read : .derive, scope: agent?.scope)
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
        Grade(rawValue: table.cells[min(Int(number), knownCount)])!  // The table holds grades alone.
    }

    /// `none` for a node that is not there.
    func grade(of found: Guard) -> Grade { found == .absent ? .none : grade(ofAccess: found.access) }

    /// What a chunk with an object of its own is: that can only narrow what its document is.
    func grade(of found: Guard, chunk own: UInt32) -> Grade {
        own == 0 ? grade(of: found) : min(grade(of: found), grade(ofAccess: own))
    }

    /// Whether these rights are the same as others, for every object that one of them knows: to the other it is as all others.
    /// Scopes are not compared.
    func hasSameTable(as other: CallerGrades) -> Bool {
        guard need == other.need else { return false }
        return (0..<max(knownCount, other.knownCount) + 1).allSatisfy { grade(ofAccess: UInt32($0)) == other.grade(ofAccess: UInt32($0)) }
    }

    /// The objects by which something may be known, and how much.
    func forEachGrade(_ body: (_ access: UInt32, _ grade: Grade) -> Void) {
        for number in 0..<UInt32(knownCount) where grade(ofAccess: number) != .none { body(number, grade(ofAccess: number)) }
    }

    /// Tells grades from others by what they let know, under the names of objects: what nobody may know of has no part in it.
    func digest(_ directory: Directory) -> UInt64 {
        var sum: UInt64 = UInt64(need.rawValue) | UInt64(table.cells[knownCount]) << 8
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
        // The state before may as well be a later one, where an older snapshot is read.
        var documents = earlier.map { Bitmap($0.documents, count: guards.count) } ?? Bitmap(count: guards.count)
        let stamps = (0..<guards.pageCount).map { guards.pageStamp($0) }
        let firstPartial = known == guards.count ? guards.pageCount : min(known, guards.count) / guards.pageCapacity
        for number in 0..<guards.pageCount {
            if let earlier, number < firstPartial, earlier.stamps[number] == stamps[number] { continue }
            documents.fill(
                from: number * guards.pageCapacity, guards.page(number), kind: Guard.there, grades: table.cells.readOnly,
                grades.lowerBound.rawValue...grades.upperBound.rawValue)
        }
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

    private static let denied: UInt8 = 4
    /// What an object inherits has not been added to what it says itself.
    private static let unsettled: UInt8 = 8

    /// By object: the best grant to a holder in it or in what it inherits; none where one of those denies, or is not there, since what it
    /// said is not known. Reads columns page by page, in their order: 1 ms for 100,000 objects of three entries each.
    fileprivate func grades(holders: Bitmap, denied: Bitmap, atMost: Grade) -> CellBuffer<UInt8> {
        let table = CallerGrades.table(ofObjects: Int(accessMax) + 1)
        let cells = table.cells
        entries.forEachRun { list, numbers in
            var best = cells[list + 1]
            for index in numbers.indices {
                let (principal, grade) = (Int(numbers[index] >> 2), UInt8(numbers[index] & 3))
                let said = grade == 0 ? (denied[principal] ? Self.denied : 0) : (holders[principal] ? grade : 0)
                best = max(best, said)
            }
            cells[list + 1] = best
        }
        var heirs: [UInt32] = []
        forEachAccess { object, row in
            if !row.has(AccessRow.Flag.isThere) {
                cells[Int(object)] = Self.denied
            } else if row.inherits != 0 {
                cells[Int(object)] |= Self.unsettled
                heirs.append(object)
            }
        }
        var path: [UInt32] = []
        for heir in heirs {
            var place = heir
            while cells[Int(place)] & Self.unsettled != 0 {
                path.append(place)
                place = row(ofAccess: place).inherits
            }
            var above = cells[Int(place)]
            while let object = path.popLast() {
                above = max(above, cells[Int(object)] & ~Self.unsettled)
                cells[Int(object)] = above
            }
        }
        for number in 0..<cells.count { cells[number] = cells[number] == Self.denied ? 0 : min(cells[number], atMost.rawValue) }
        return table
    }
}
