// Who lies under whom, downwards: rows name parents only, and to look for children among a million of them takes 10 ms.
import Memory
import Synchronization

/// The children of every node, kept by the reads of a collection for the next one. Made when it is first asked for, O(nodes), and brought
/// from any state to any other by looking at the pages of rows that differ; 16 bytes a node.
final class TreeIndex: Sendable {
    private let links = Mutex(TreeLinks())

    /// Lends the tree as of a state. Whoever else asks waits: what is done with it is short, or walks what is to be walked anyway.
    func withLinks<T: Sendable>(of documents: DocumentTable, _ body: (borrowing TreeLinks) -> T) -> T {
        links.withLock { links in
            links.update(to: documents)
            return body(links)
        }
    }
}

/// The tree as lists of siblings, by node number.
struct TreeLinks: Sendable {
    /// The number of the parent plus one, 0 at the root; `absent` for who is not there.
    private var parents: [UInt32] = []
    /// By the parent's number plus one, its first child plus one; the root's come first. 0 where there is none.
    private var first: [UInt32] = [0]
    private var next: [UInt32] = []
    private var previous: [UInt32] = []
    /// By page, of rows and of versions.
    private var stamps: [PageStamps] = []
    /// Nodes that have come, gone or moved, in this order, and how many before these are forgotten.
    private var changes: [UInt32] = []
    private var forgotten = 0

    private static let absent = UInt32.max
    /// Beyond so many it is faster to walk the tree again.
    private static let changesMax = 1 << 16

    private struct PageStamps: Equatable {
        var rows: UInt64
        var versions: UInt64
        var count: Int
    }

    /// How many changes there were; a later state of the index knows which came since.
    var changeCount: Int { forgotten + changes.count }

    /// The nodes that have come, gone or moved since there were so many changes; nil where that is not known any more.
    func changes(since count: Int) -> ArraySlice<UInt32>? {
        count >= forgotten ? changes[(count - forgotten)...] : nil
    }

    /// The number of a node's parent; nil at the root, and for who is not there.
    func parent(of node: Int) -> Int? {
        let parent = parents[node]
        return parent == 0 || parent == Self.absent ? nil : Int(parent) - 1
    }

    func isThere(_ node: Int) -> Bool { node < parents.count && parents[node] != Self.absent }

    /// Calls `body` for each child of a node, or of the root where it is nil, in no order that means anything.
    func forEachChild(of node: Int?, _ body: (Int) -> Void) {
        var child = first[node.map { $0 + 1 } ?? 0]
        while child != 0 {
            body(Int(child) - 1)
            child = next[Int(child) - 1]
        }
    }

    // MARK: Changes

    fileprivate mutating func update(to documents: borrowing DocumentTable) {
        let count = documents.count
        grow(to: count)
        for page in 0..<documents.rows.pageCount {
            let (rows, versions) = (documents.rows.page(page), documents.versions.page(page))
            let found = PageStamps(rows: documents.rows.pageStamp(page), versions: documents.versions.pageStamp(page), count: rows.count)
            if page < stamps.count, stamps[page] == found { continue }
            if page < stamps.count { stamps[page] = found } else { stamps.append(found) }
            let start = page * documents.rows.pageCapacity
            for place in rows.indices { put(start + place, under: versions[place] == 0 ? Self.absent : rows[place].parentPlusOne) }
        }
        // An older state does not have the last ones yet.
        for node in count..<max(count, parents.count) { put(node, under: Self.absent) }
        stamps.removeLast(stamps.count - documents.rows.pageCount)
        if changes.count > Self.changesMax {
            forgotten += changes.count
            changes = []
        }
    }

    private mutating func grow(to count: Int) {
        guard count > parents.count else { return }
        let more = count - parents.count
        parents.append(contentsOf: repeatElement(Self.absent, count: more))
        first.append(contentsOf: repeatElement(0, count: more))
        next.append(contentsOf: repeatElement(0, count: more))
        previous.append(contentsOf: repeatElement(0, count: more))
    }

    private mutating func put(_ node: Int, under parent: UInt32) {
        guard parents[node] != parent else { return }
        if parents[node] != Self.absent { unlink(node) }
        parents[node] = parent
        if parent != Self.absent { link(node, under: Int(parent)) }
        changes.append(UInt32(node))
    }

    private mutating func link(_ node: Int, under list: Int) {
        let head = first[list]
        next[node] = head
        previous[node] = 0
        if head != 0 { previous[Int(head) - 1] = UInt32(node) + 1 }
        first[list] = UInt32(node) + 1
    }

    private mutating func unlink(_ node: Int) {
        let (before, after) = (previous[node], next[node])
        if before == 0 { first[Int(parents[node])] = after } else { next[Int(before) - 1] = after }
        if after != 0 { previous[Int(after) - 1] = before }
    }
}
