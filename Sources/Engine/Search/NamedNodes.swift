// Nodes that a filter names, and what lies under them.
import Memory

/// A list of nodes and what they come to in a state of the tree, brought from one state to another by what has changed between them.
struct NamedNodes: Sendable {
    let ids: [String]
    /// Whether what lies under them is meant too.
    private let isSubtree: Bool
    private let idBytes: Int
    /// The numbers of those that are there and may be named, rising.
    private var numbers: [Int] = []
    private var inside = Bitmap(count: 0)
    /// `TreeLinks.changeCount` as of then; nil at first.
    private var changeCount: Int?

    init(_ ids: [String], isSubtree: Bool) {
        self.ids = ids
        self.isSubtree = isSubtree
        idBytes = ids.reduce(0) { $0 + 24 + $1.utf8.count }
    }

    /// Whether it is one of them.
    func contains(_ node: Int) -> Bool {
        var (low, high) = (0, numbers.count)
        while low < high {
            let middle = (low + high) / 2
            if numbers[middle] < node { low = middle + 1 } else { high = middle }
        }
        return low < numbers.count && numbers[low] == node
    }

    /// Which of 64 nodes, from a multiple of 64 on, are these or lie under them.
    func word(_ index: Int) -> UInt64 { index < inside.wordCount ? inside[word: index] : 0 }

    var byteCount: Int { idBytes + numbers.count * 8 + inside.wordCount * 8 }

    /// Looks the nodes up, and walks down from them: from all where they are other ones than before, and otherwise from where the tree
    /// has changed.
    ///
    /// - Parameter find: the number of a node that may be named.
    mutating func prepare(for state: CollectionState, find: (String) -> Int?) -> FilterProgram.Change {
        let found = ids.compactMap(find).sorted()
        let areSame = changeCount != nil && found == numbers
        numbers = found
        // Where nothing is named that is there, the tree need not be looked at.
        guard isSubtree, !found.isEmpty else {
            inside = Bitmap(count: 0)
            changeCount = 0
            return areSame ? .nothing : .everything
        }
        return state.derived.tree.withLinks(of: state.documents) { links in
            defer { changeCount = links.changeCount }
            if areSame, let known = changeCount, let changes = links.changes(since: known) {
                return follow(changes, links, count: state.documents.count)
            }
            inside = Bitmap(count: state.documents.count)
            for number in numbers where !inside[number] { _ = walk(from: number, isInside: true, links) }
            return .everything
        }
    }

    private mutating func follow(_ changes: ArraySlice<UInt32>, _ links: borrowing TreeLinks, count: Int) -> FilterProgram.Change {
        if inside.count != count { inside = Bitmap(inside, count: count) }
        var pages: Set<Int> = []
        for node in changes where Int(node) < count {
            let isInside = isInside(Int(node), links)
            if isInside != inside[Int(node)] { pages.formUnion(walk(from: Int(node), isInside: isInside, links)) }
        }
        return pages.isEmpty ? .nothing : .pages(pages.sorted())
    }

    private func isInside(_ node: Int, _ links: borrowing TreeLinks) -> Bool {
        guard links.isThere(node) else { return false }
        var place: Int? = node
        while let node = place {
            if contains(node) { return true }
            place = links.parent(of: node)
        }
        return false
    }

    /// Puts a node and all that lies under it inside or outside, down to where another of the named lies. Returns the pages of those.
    private mutating func walk(from start: Int, isInside: Bool, _ links: borrowing TreeLinks) -> Set<Int> {
        var pages: Set<Int> = []
        var stack = [start]
        while let node = stack.popLast() {
            // What lies under another of them is inside already, and stays.
            if !isInside, contains(node) { continue }
            inside[node] = isInside
            pages.insert(node / PageBits.nodeCount)
            links.forEachChild(of: node) { stack.append($0) }
        }
        return pages
    }
}
