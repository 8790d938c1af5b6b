// The tree as its readers walk it: what lies under a node, in an order, page by page.
import Memory

/// What of the tree is to be told.
package struct TreeInput: Sendable {
    /// Whose children; the root's where it is nil.
    package var parent: String?
    /// Only those whose title, or id where they have none, begins with these bytes.
    package var titlePrefix: String?
    /// Only folders, or only documents.
    package var areFolders: Bool?
    /// As the page before gave it.
    package var cursor: [UInt8]?
    package var limit = 100

    package init() {}
}

/// A page of nodes.
package struct TreePage: Sendable {
    fileprivate let numbers: [Int]
    /// How many there are on all pages.
    package let total: Int
    /// Where the next page begins; nil where there is none.
    package let cursor: [UInt8]?
}

extension CollectionSnapshot {
    /// The nodes right under one, or at the root: folders first, then by title, or by id where they have none, then by id, in the order of
    /// bytes. nil where the parent is not there. O(children + page x log page), and O(nodes) for the first of a collection's.
    package func tree(_ input: TreeInput, seal: CursorSeal) throws(EngineError) -> TreePage? {
        guard (1...Limits.listMax).contains(input.limit) else {
            throw EngineError(.invalidValue, "limit must be 1 to \(Limits.listMax), got \(input.limit)", field: "limit")
        }
        var parent: Int?
        if let id = input.parent {
            guard let found = find(id) else { return nil }
            parent = found
        }
        let question = question(input)
        let start = try input.cursor.map { sealed throws(EngineError) in
            TreePlace(try Cursor(sealed, seal, question: question, view: viewDigest))
        }
        let documents = state.documents
        var page = BoundedSelection<Int>(limit: input.limit + 1) { documents.comesBefore($0, $1) }
        let prefix = input.titlePrefix.map { Array($0.utf8) }
        var total = 0
        for child in children(of: parent) {
            if let areFolders = input.areFolders, (documents.rows[child].isFolder != 0) != areFolders { continue }
            if let prefix, !documents.name(child).starts(with: prefix) { continue }
            total += 1
            if let start, !documents.comesAfter(start, child) { continue }
            page.offer(child)
        }
        let numbers = page.sorted()
        let last = numbers.count > input.limit ? numbers[input.limit - 1] : nil
        return TreePage(numbers: Array(numbers.prefix(input.limit)), total: total, cursor: last.map { last in
            Cursor(question: question, view: viewDigest, value: documents.encode(last), id: Cursor.copy(documents.ids.bytes(UInt32(last)))).sealed(with: seal)
        })
    }

    /// The nodes of a page.
    package func nodes(of page: TreePage) -> [NodeView] { page.numbers.map { NodeView(collection: self, number: $0) } }

    private func question(_ input: TreeInput) -> UInt64 {
        var writer = ByteWriter()
        writer.writeString("nodes")
        writer.write(state.number)
        writer.writeString(input.parent.map { "/" + $0 } ?? "")
        writer.writeString(input.titlePrefix ?? "")
        writer.write(UInt8(input.areFolders.map { $0 ? 1 : 2 } ?? 0))
        return ContentDigest(of: writer.bytes).high
    }
}

extension NodeView {
    /// The nodes above it, the root's child first, as far up as they may be named; itself is not among them.
    package var path: [NodeView] {
        var path: [NodeView] = []
        var place = parentNumber
        // What may not be named ends the path, as the root does: what is above it is not told either.
        while let number = place, collection.shows(number), path.count < Limits.treeDepthMax {
            let node = NodeView(collection: collection, number: number)
            path.append(node)
            place = node.parentNumber
        }
        return path.reversed()
    }

    /// The nodes right under it.
    package var childCount: Int { collection.childCount(of: number) }
}

/// Where a page of the tree ended.
private struct TreePlace {
    let isFolder: Bool
    let name: [UInt8]
    let id: [UInt8]

    init(_ cursor: Cursor) {
        isFolder = cursor.value.first == 1
        name = Array(cursor.value.dropFirst())
        id = cursor.id
    }
}

extension DocumentTable {
    /// What a node is listed under: its title, or its id where it has none.
    @_lifetime(borrow self)
    fileprivate func name(_ node: Int) -> RawSpan {
        let row = rows[node]
        return row.has(DocumentRow.Present.title) ? texts.bytes(row.title) : ids.bytes(UInt32(node))
    }

    fileprivate func comesBefore(_ one: Int, _ other: Int) -> Bool {
        let (first, second) = (rows[one].isFolder != 0, rows[other].isFolder != 0)
        if first != second { return first }
        let order = name(one).order(to: name(other))
        return order != 0 ? order < 0 : ids.bytes(UInt32(one)).order(to: ids.bytes(UInt32(other))) < 0
    }

    /// Whether a node comes after a place.
    fileprivate func comesAfter(_ place: TreePlace, _ node: Int) -> Bool {
        let isFolder = rows[node].isFolder != 0
        if place.isFolder != isFolder { return place.isFolder }
        // Sound: bytes have no invalid pattern.
        let order = name(node).order(to: unsafe place.name.span.bytes)
        return order != 0 ? order > 0 : ids.bytes(UInt32(node)).order(to: unsafe place.id.span.bytes) > 0
    }

    fileprivate func encode(_ node: Int) -> [UInt8] { [rows[node].isFolder != 0 ? 1 : 2] + Cursor.copy(name(node)) }
}
