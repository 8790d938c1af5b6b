// Judges whether a batch keeps the tree a tree: no circles, not too deep.
import Memory

/// Where a batch puts a document.
struct Placement: Sendable {
    var id: String
    var parent: String?
}

/// Follows each new parent up through the batch's own assignments first, then through what is stored.
struct TreeCheck {
    private let state: CollectionState
    private let placements: [Placement]
    private let assigned: [ExactText: Placement]

    init(state: CollectionState, placements: [Placement]) {
        self.state = state
        self.placements = placements
        assigned = Dictionary(placements.map { (ExactText($0.id), $0) }) { _, last in last }
    }

    func run(listName: String) throws(EngineError) {
        for (index, placement) in placements.enumerated() where placement.parent != nil {
            try checkPath(from: placement.id, field: "\(listName)[\(index)].parent")
        }
    }

    private func checkPath(from id: String, field: String) throws(EngineError) {
        var node = id
        for _ in 0..<Limits.treeDepthMax {
            guard let parent = parent(of: node) else { return }
            guard !parent.isExactly(id) else {
                throw EngineError(.invalidValue, "\"\(id)\" would lie under itself", field: field)
            }
            node = parent
        }
        throw EngineError(.limitExceeded, "\"\(id)\" would lie deeper than \(Limits.treeDepthMax) levels", field: field)
    }

    private func parent(of id: String) -> String? {
        // The batch's word counts even where it is that the document lies at the root from now on.
        if let placement = assigned[ExactText(id)] { return placement.parent }
        guard let number = state.documents.find(id), let parent = state.documents.rows[number].parent else { return nil }
        return state.documents.id(parent)
    }
}

extension CollectionState {
    /// The nodes a delete means. By ids: exactly these, folders among them. By filter and `under`: the documents
    /// that match; `under` alone takes the folders too.
    func nodes(toDelete input: DeleteInput) throws(EngineError) -> Bitmap {
        var doomed: Bitmap
        if let ids = input.ids {
            guard input.filter == nil, input.under == nil else {
                throw EngineError(.invalidValue, "give ids, or filter and under, not both", field: "ids")
            }
            doomed = Bitmap(count: documents.count)
            for id in ids { if let number = documents.find(id) { doomed[number] = true } }
        } else if let filter = input.filter {
            doomed = try self.documents(matching: filter)
            if let under = input.under { doomed.formIntersection(try subtree(of: under)) }
        } else if let under = input.under {
            doomed = try subtree(of: under)
        } else {
            throw EngineError(.invalidValue, "say what to delete: ids, filter or under", field: "ids")
        }
        try checkNoChildIsLeft(doomed, field: input.ids == nil ? "filter" : "ids")
        return doomed
    }

    /// The nodes at and under `ids`; an id that is not there has nothing under it.
    func subtree(of ids: [String]) throws(EngineError) -> Bitmap {
        var result = documents.subtree(of: ids.compactMap { documents.find($0) })
        // A subtree names deleted nodes too where they were never moved; only those that are there count.
        var live = Bitmap(count: documents.count)
        live.fill { documents.isLive($0) }
        result.formIntersection(live)
        return result
    }

    private func checkNoChildIsLeft(_ doomed: Bitmap, field: String) throws(EngineError) {
        var doomedChildren: [Int: UInt32] = [:]
        doomed.forEach { if let parent = documents.rows[$0].parent { doomedChildren[parent, default: 0] += 1 } }
        var orphaning: Int?
        doomed.forEach { number in
            if documents.rows[number].childCount > doomedChildren[number, default: 0] { orphaning = orphaning ?? number }
        }
        guard let orphaning else { return }
        throw EngineError(
            .invalidValue, "\"\(documents.id(orphaning))\" still has nodes under it: delete with under to take them along", field: field)
    }
}
