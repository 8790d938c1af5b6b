// The nodes of a collection: who is there, in which version, under whom.
import Memory

/// What is known of a node besides its id and its declared fields. Texts lie in the table's arena.
///
/// Catalog files hold it as it lies in memory: 88 bytes, little-endian, no gaps (asserted by a test).
struct DocumentRow: BitwiseCopyable, Sendable {
    /// Of the content last stored; zero where a change of parts has made the content another (see `ContentDigest`).
    var digest = ContentDigest()
    /// Unix milliseconds.
    var time: Int64 = 0
    var firstChunk: UInt64 = 0
    var chunkCount: UInt32 = 0
    /// The version last given out, kept when the node is deleted: a version is never used twice, so rows of a
    /// deleted document cannot come alive with its successor.
    var lastVersion: UInt32 = 0
    /// Number of the parent plus one; 0 at the root.
    var parentPlusOne: UInt32 = 0
    var childCount: UInt32 = 0
    var title = ByteRange()
    var url = ByteRange()
    var mime = ByteRange()
    var isFolder: UInt8 = 0
    /// Which of the optional texts are there (see `Present`): an empty title is not an absent one.
    var present: UInt8 = 0
    var reserved: UInt16 = 0

    enum Present {
        static let title: UInt8 = 1, url: UInt8 = 2, mime: UInt8 = 4, time: UInt8 = 8
    }

    func has(_ part: UInt8) -> Bool { present & part != 0 }
    var parent: Int? { parentPlusOne == 0 ? nil : Int(parentPlusOne) - 1 }
}

/// Numbers, versions and attributes of nodes. A node's number is given once and for ever.
struct DocumentTable: Sendable {
    private(set) var ids = InternTable()
    /// The version in force; 0 where there is no such node (any more). A chunk row lives iff its version is this.
    private(set) var versions = PagedColumn<UInt32>()
    private(set) var rows = PagedColumn<DocumentRow>()
    /// The access object that a node has of its own, by number; 0, or beyond the end, where it has none.
    private(set) var access = PagedColumn<UInt32>()
    /// What each node is, and by which access object it is guarded: see `Guard`. Worked out from the rest, in no file.
    private(set) var guards = PagedColumn<UInt32>()
    /// The object that guards nodes where no other does, up to the root; 0 for none.
    private var defaultAccess: UInt32 = 0
    /// Nodes whose guard has changed while others lie under them.
    private var unsettled: [Int] = []
    /// Titles, addresses and kinds.
    var texts = ByteArena()
    /// How many nodes are there now, and how many of them are folders.
    private(set) var liveCount = 0
    private(set) var folderCount = 0

    var count: Int { versions.count }

    init() {}

    /// A table as it was stored; refuses what points outside it. O(nodes).
    init(
        ids: InternTable, versions: PagedColumn<UInt32>, rows: PagedColumn<DocumentRow>, texts: ByteArena, access: PagedColumn<UInt32>
    ) throws(Corruption) {
        guard ids.count == versions.count, rows.count == versions.count, access.count <= versions.count else {
            throw Corruption(offset: 0, expected: "\(ids.count) nodes, found \(versions.count) versions and \(rows.count) rows")
        }
        (self.ids, self.versions, self.rows, self.texts, self.access) = (ids, versions, rows, texts, access)
        for page in 0..<rows.pageCount {
            let (rows, versions) = (rows.page(page), versions.page(page))
            for place in rows.indices {
                let (row, version, number) = (rows[place], versions[place], page * self.rows.pageCapacity + place)
                guard Int(row.parentPlusOne) <= ids.count, texts.contains(row.title), texts.contains(row.url), texts.contains(row.mime),
                    row.firstChunk <= Self.chunksMax, version == 0 || version == row.lastVersion,
                    row.lastVersion <= Self.foundVersionMax, ids.bytes(UInt32(number)).isValidUTF8
                else { throw Corruption(offset: number, expected: "a row that fits its table") }
                if version != 0 { count(row, by: 1) }
            }
        }
        try checkTree()
        placeAll()
    }

    /// The nodes that are there, by page: reading them one by one would count references for each.
    func forEachLive(_ body: (_ number: Int, _ row: DocumentRow) -> Void) {
        for page in 0..<rows.pageCount {
            let (rows, live) = (rows.page(page), versions.page(page))
            for place in rows.indices where live[place] != 0 { body(page * self.rows.pageCapacity + place, rows[place]) }
        }
    }

    /// Each node that is there lies under one that is there, or at the root; nodes know how many lie under them; and who walks
    /// up comes to an end. O(nodes), and for those under others each path is walked once.
    private func checkTree() throws(Corruption) {
        var children: [Int: UInt32] = [:]
        var parents: [Int] = []
        var nested: [Int] = []
        forEachLive { number, row in
            if row.childCount > 0 { parents.append(number) }
            guard let parent = row.parent else { return }
            children[parent, default: 0] += 1
            nested.append(number)
        }
        guard children.count == parents.count else { throw Corruption(offset: 0, expected: "\(children.count) nodes with others under them, found \(parents.count)") }
        for parent in parents where rows[parent].childCount != children[parent] {
            throw Corruption(offset: parent, expected: "\(children[parent] ?? 0) nodes under this one, found \(rows[parent].childCount)")
        }
        for parent in children.keys where !isLive(parent) { throw Corruption(offset: parent, expected: "a node that is there, over others") }
        try checkPaths(from: nested)
    }

    private func checkPaths(from nested: [Int]) throws(Corruption) {
        var leadsToRoot = Bitmap(count: count)
        for start in nested {
            var path: [Int] = []
            var place: Int? = start
            while let node = place, !leadsToRoot[node] {
                guard path.count < count else { throw Corruption(offset: start, expected: "a path that ends at the root") }
                path.append(node)
                place = rows[node].parent
            }
            for node in path { leadsToRoot[node] = true }
        }
    }

    /// Versions that are found have others after them.
    private static let foundVersionMax = UInt32.max - 1 << 16

    /// Chunk numbers stay below this, which a million new chunks a second reach in 35,000 years.
    static let chunksMax: UInt64 = 1 << 60

    /// The number of a node that is there.
    func find(_ id: RawSpan) -> Int? {
        guard let number = ids.find(id), Int(number) < count, versions[Int(number)] != 0 else { return nil }
        return Int(number)
    }

    func find(_ id: String) -> Int? {
        // Sound: bytes have no invalid pattern.
        find(unsafe Array(id.utf8).span.bytes)
    }

    func isLive(_ number: Int) -> Bool { versions[number] != 0 }
    func id(_ number: Int) -> String { ids.string(UInt32(number)) }

    /// Asks for the memory of a node's row and of where its id lies.
    func prefetch(_ number: UInt32) {
        rows.prefetch(Int(number))
        ids.prefetchPlace(of: number)
    }

    /// The number of `id`, which gets one if it never had; `isNew` says that columns beside this one must follow.
    mutating func number(_ id: RawSpan) -> (number: Int, isNew: Bool) {
        let (number, isNew) = ids.intern(id)
        if isNew {
            versions.append(0)
            rows.append(DocumentRow())
            guards.append(0)
        }
        return (Int(number), isNew)
    }

    /// Puts a node's new state in force, in one step for readers.
    mutating func replace(_ number: Int, with row: DocumentRow) {
        let old = rows[number]
        let wasLive = versions[number] != 0
        adjustChildren(from: wasLive ? old.parent : nil, to: row.parent)
        if wasLive { count(old, by: -1) }
        count(row, by: 1)
        var row = row
        // Its children are counted as they come and go; a caller's copy may be older than the last of them.
        row.childCount = rows[number].childCount
        rows.set(number, to: row)
        versions.set(number, to: row.lastVersion)
        place(number)
    }

    mutating func remove(_ number: Int) {
        precondition(versions[number] != 0, "only a node that is there can be removed")
        var row = rows[number]
        adjustChildren(from: row.parent, to: nil)
        count(row, by: -1)
        row = rows[number]
        row.parentPlusOne = 0
        row.chunkCount = 0
        rows.set(number, to: row)
        versions.set(number, to: 0)
        // Whoever comes by this id later is another, with rights of its own.
        setAccess(number, to: 0)
        setGuard(number, to: .absent)
    }

    private mutating func count(_ row: DocumentRow, by change: Int) {
        liveCount += change
        if row.isFolder != 0 { folderCount += change }
    }

    private mutating func adjustChildren(from old: Int?, to new: Int?) {
        guard old != new else { return }
        if let old {
            var row = rows[old]
            row.childCount -= 1
            rows.set(old, to: row)
        }
        if let new {
            var row = rows[new]
            row.childCount += 1
            rows.set(new, to: row)
        }
    }

    /// The nodes that are `roots` or lie under one of them. O(nodes) amortised: each path is walked once.
    func subtree(of roots: [Int]) -> Bitmap {
        var inside = Bitmap(count: count)
        var decided = Bitmap(count: count)
        for root in roots {
            inside[root] = true
            decided[root] = true
        }
        var path: [Int] = []
        for start in 0..<count where isLive(start) {
            var node = start
            path.removeAll(keepingCapacity: true)
            var answer = false
            while true {
                if decided[node] {
                    answer = inside[node]
                    break
                }
                path.append(node)
                decided[node] = true  // Also ends the walk should the tree ever hold a cycle.
                guard let parent = rows[node].parent else { break }
                node = parent
            }
            if answer { for node in path { inside[node] = true } }
        }
        return inside
    }

    var byteCount: Int { ids.byteCount + versions.byteCount + rows.byteCount + texts.byteCount + access.byteCount + guards.byteCount }
}

// MARK: Access objects

/// What a node is and which access object guards it, in 32 bits: rights are resolved by walking these, and nothing else.
struct Guard: Equatable {
    let cell: UInt32

    static let absent = Guard(cell: 0)
    static let there: UInt32 = 1, folder: UInt32 = 2
    /// The bits that tell a document from all else.
    static let kindMask: UInt32 = 3
    static let accessShift: UInt32 = 2

    init(cell: UInt32) { self.cell = cell }
    init(access: UInt32, isFolder: Bool) { cell = access << Self.accessShift | (isFolder ? Self.folder : 0) | Self.there }

    var isDocument: Bool { cell & Self.kindMask == Self.there }
    /// The number of the nearest object, the node's own or one up the tree; 0 for none.
    var access: UInt32 { cell >> Self.accessShift }
}

extension DocumentTable {
    /// The object that a node has of its own; 0 for none.
    func ownAccess(_ number: Int) -> UInt32 { number < access.count ? access[number] : 0 }

    func guardMark(_ number: Int) -> Guard { Guard(cell: guards[number]) }

    /// Gives a node an object of its own, or none with 0. In force with the `replace` that follows.
    mutating func setAccess(_ number: Int, to object: UInt32) {
        guard ownAccess(number) != object else { return }
        while access.count <= number { access.append(0) }
        access.set(number, to: object)
    }

    /// Says what guards nodes that nothing else does. O(nodes).
    mutating func setDefaultAccess(_ object: UInt32) {
        guard object != defaultAccess else { return }
        defaultAccess = object
        placeAll()
    }

    /// Where a node is guarded from another object than before, so is what lies under it: that is told by `settle`.
    private mutating func place(_ number: Int) {
        let old = guardMark(number)
        let new = Guard(access: guardingAccess(number), isFolder: rows[number].isFolder != 0)
        setGuard(number, to: new)
        if old.access != new.access, rows[number].childCount > 0 { unsettled.append(number) }
    }

    private func guardingAccess(_ number: Int) -> UInt32 {
        let own = ownAccess(number)
        if own != 0 { return own }
        return rows[number].parent.map { guardMark($0).access } ?? defaultAccess
    }

    private mutating func setGuard(_ number: Int, to mark: Guard) {
        if guards[number] != mark.cell { guards.set(number, to: mark.cell) }
    }

    /// Ends a record: what lies under nodes that are guarded otherwise now is guarded otherwise too. O(nodes) where there are such.
    mutating func settle() {
        guard !unsettled.isEmpty else { return }
        let affected = subtree(of: unsettled)
        unsettled = []
        affected.forEach { number in if isLive(number) { setGuard(number, to: Guard(access: walkedAccess(number), isFolder: rows[number].isFolder != 0)) } }
    }

    /// The nearest object up the tree, whatever guards say.
    private func walkedAccess(_ number: Int) -> UInt32 {
        var place = number
        for _ in 0...Limits.treeDepthMax {
            let own = ownAccess(place)
            if own != 0 { return own }
            guard let parent = rows[place].parent else { return defaultAccess }
            place = parent
        }
        preconditionFailure("a tree is at most \(Limits.treeDepthMax) levels deep")
    }

    private mutating func placeAll() {
        while guards.count < count { guards.append(0) }
        for number in 0..<count where isLive(number) {
            setGuard(number, to: Guard(access: walkedAccess(number), isFolder: rows[number].isFolder != 0))
        }
    }
}
