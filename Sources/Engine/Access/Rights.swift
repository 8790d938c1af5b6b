// A caller's rights in one collection at one sequence: resolved before anything is compared, into a bitmap of documents.
import Memory
import Synchronization

/// What a caller may find. Made by `RightsCache`; a collection that asks for rights is read through one of these or not at all.
final class Rights: Sendable {
    let grades: CallerGrades
    /// The documents that may be found: of the grade that is needed, and in the agent's scope.
    let documents: Bitmap
    /// Whether that is every document with every chunk, so that nothing has to be asked of rows.
    let isWhole: Bool
    /// Tells these rights from all others, those of the same caller at another time included.
    let stamp: UInt64
    private let guards: PagedColumn<UInt32>
    /// By which they were worked out.
    let directory: Directory
    /// The nodes in the agent's scope; nil where it has none.
    private let scoped: Bitmap?
    private let knownOnly = AtomicLazyReference<BitmapBox>()
    private static let lastStamp = Atomic<UInt64>(0)

    fileprivate init(_ grades: CallerGrades, _ placed: GuardedDocuments, scoped: Bitmap?, _ state: CollectionState, _ directory: Directory) {
        self.grades = grades
        self.directory = directory
        var documents = placed.documents
        if let scoped { documents.formIntersection(scoped) }
        self.documents = documents
        guards = state.documents.guards
        self.scoped = scoped
        isWhole = !state.hasChunkAccess && documents.population == state.documents.liveCount - state.documents.folderCount
        stamp = Self.lastStamp.wrappingAdd(1, ordering: .relaxed).newValue
    }

    private final class BitmapBox: Sendable {
        let bitmap: Bitmap
        init(_ bitmap: Bitmap) { self.bitmap = bitmap }
    }

    /// The grades at which a document may be known to exist, and no more. There are none for what may be found.
    var knownGrades: ClosedRange<Grade> { .exists ... (grades.need == .read ? .derive : .exists) }

    /// The documents that may be known to exist, and no more. O(documents), the first time.
    var knownDocuments: Bitmap {
        if let known = knownOnly.load() { return known.bitmap }
        var documents = grades.documents(knownGrades, in: guards).documents
        if let scoped { documents.formIntersection(scoped) }
        return knownOnly.storeIfNil(BitmapBox(documents)).bitmap
    }

    private let knownDigest = Mutex<UInt64?>(nil)

    /// Tells these rights from others: by what they reach, under its name, and nothing else. O(objects), the first time.
    var digest: UInt64 {
        knownDigest.withLock { known in
            if let known { return known }
            let made = grades.digest(directory)
            known = made
            return made
        }
    }

    /// Whether a node lies in the agent's scope.
    func isInScope(_ node: Int) -> Bool { scoped?[node] ?? true }
}

/// Resolved rights, kept for as long as they are true. What has changed since is all that is worked out anew: grades when the directory
/// has, documents page by page where guards have.
final class RightsCache: Sendable {
    private struct Key: Hashable {
        var caller: Caller
        var isEnforced: Bool
    }

    private final class Entry: Sendable {
        let version: UInt64
        let grades: CallerGrades
        /// By collection.
        let placed = Mutex<[UInt32: GuardedDocuments]>([:])

        init(version: UInt64, grades: CallerGrades) {
            self.version = version
            self.grades = grades
        }
    }

    private struct Entries {
        var known: [Key: Entry] = [:]
        /// Oldest first.
        var order: [Key] = []
    }

    private let entries = Mutex(Entries())
    /// Callers remembered. A caller's grades take a byte for each access object, its bitmaps a bit for each document.
    private static let callersMax = 1024

    /// The rights of a caller in a collection, at the sequence of both.
    func rights(of caller: Caller, in collection: CollectionCore, _ directory: Directory) throws(EngineError) -> Rights {
        let entry = try entry(Key(caller: caller, isEnforced: collection.state.schema.access == .enforced), directory)
        let (grades, state) = (entry.grades, collection.state)
        let scoped = try grades.scope.map { scope throws(EngineError) in try collection.nodes(inScope: scope, of: caller) }
        let earlier = entry.placed.withLock { $0[state.number] }
        let placed = grades.documents(grades.need ... .read, in: state.documents.guards, since: earlier)
        entry.placed.withLock { $0[state.number] = placed }
        return Rights(grades, placed, scoped: scoped, state, directory)
    }

    private func entry(_ key: Key, _ directory: Directory) throws(EngineError) -> Entry {
        let known = entries.withLock { $0.known[key] }
        if let known, known.version == directory.version { return known }
        var made = Entry(
            version: directory.version, grades: try key.isEnforced ? .enforced(key.caller, directory) : .open(key.caller, directory))
        // Most changes are of somebody else's rights.
        if let known, known.grades.hasSameTable(as: made.grades) {
            let placed = known.placed.withLock { $0 }
            made = Entry(version: directory.version, grades: made.grades)
            made.placed.withLock { $0 = placed }
        }
        let entry = made
        entries.withLock { entries in
            if entries.known.updateValue(entry, forKey: key) == nil { entries.order.append(key) }
            if entries.order.count > Self.callersMax { entries.known[entries.order.removeFirst()] = nil }
        }
        return entry
    }
}

extension CollectionState {
    /// Whether there are chunks with an access object of their own.
    var hasChunkAccess: Bool { head.access.count > 0 || sealed.contains { $0.hasAccess } }

    /// The nodes in an agent's scope. A scope that this collection cannot tell anything by leaves nothing to see, and is said to.
    func nodes(inScope scope: Filter, of caller: Caller) throws(EngineError) -> Bitmap {
        Evaluation(try program(ofScope: scope, of: caller)).documents(of: self) { documents.find($0) }
    }

    func program(ofScope scope: Filter, of caller: Caller) throws(EngineError) -> FilterProgram {
        do {
            try scope.checkLimits()
            return try FilterProgram(scope, schema: schema, withFolders: true)
        } catch {
            throw EngineError(error.code, "the scope of \(caller.agent ?? "the agent") cannot be held against this collection: \(error.message)", field: "as.agent")
        }
    }
}

extension Directory {
    /// The grades of a caller in a collection, worked out at once: for the writer, who has no cache.
    func grades(of caller: Caller, in state: CollectionState) throws(EngineError) -> CallerGrades {
        try state.schema.access == .enforced ? .enforced(caller, self) : .open(caller, self)
    }
}
