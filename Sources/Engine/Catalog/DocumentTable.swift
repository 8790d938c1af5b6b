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
    /// Titles, addresses and kinds.
    var texts = ByteArena()
    /// How many nodes are there now, and how many of them are folders.
    private(set) var liveCount = 0
    private(set) var folderCount = 0

    var count: Int { versions.count }

    init() {}

    /// A table as it was stored; refuses what points outside it. O(nodes).
    init(ids: InternTable, versions: PagedColumn<UInt32>, rows: PagedColumn<DocumentRow>, texts: ByteArena) throws(Corruption) {
        guard ids.count == versions.count, rows.count == versions.count else {
            throw Corruption(offset: 0, expected: "\(ids.count) nodes, found \(versions.count) versions and \(rows.count) rows")
        }
        (self.ids, self.versions, self.rows, self.texts) = (ids, versions, rows, texts)
        for number in 0..<count {
            let row = rows[number]
            guard Int(row.parentPlusOne) <= count, texts.contains(row.title), texts.contains(row.url), texts.contains(row.mime),
                row.firstChunk <= Self.chunksMax, versions[number] == 0 || versions[number] == row.lastVersion,
                row.lastVersion <= Self.foundVersionMax, ids.bytes(UInt32(number)).isValidUTF8
            else { throw Corruption(offset: number, expected: "a row that fits its table") }
            if isLive(number) { count(row, by: 1) }
        }
        try checkChildren()
        try checkPaths()
    }

    /// Each node that is there lies under one that is there, or at the root, and nodes know how many lie under them.
    private func checkChildren() throws(Corruption) {
        var children = [UInt32](repeating: 0, count: count)
        for number in 0..<count where isLive(number) {
            guard let parent = rows[number].parent else { continue }
            guard isLive(parent) else { throw Corruption(offset: number, expected: "a node under one that is there") }
            children[parent] += 1
        }
        for number in 0..<count where rows[number].childCount != children[number] {
            throw Corruption(offset: number, expected: "\(children[number]) nodes under this one, found \(rows[number].childCount)")
        }
    }

    /// Every path ends at the root: who walks up one comes to an end. O(nodes), each path walked once.
    private func checkPaths() throws(Corruption) {
        var leadsToRoot = Bitmap(count: count)
        for start in 0..<count where isLive(start) {
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

    /// The number of `id`, which gets one if it never had; `isNew` says that columns beside this one must follow.
    mutating func number(_ id: RawSpan) -> (number: Int, isNew: Bool) {
        let (number, isNew) = ids.intern(id)
        if isNew {
            versions.append(0)
            rows.append(DocumentRow())
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

    var byteCount: Int { ids.byteCount + versions.byteCount + rows.byteCount + texts.byteCount }
}
