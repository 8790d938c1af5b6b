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
        var moves: [Move] = []
        var movers: [Int: Int] = [:]
        for (index, placement) in placements.enumerated() {
            let level = placement.parent == nil ? 1 : try checkedLevel(of: placement.id, field: "\(listName)[\(index)].parent")
            guard let node = state.documents.find(placement.id) else { continue }
            moves.append(Move(node: node, level: level))
            movers[node] = index
        }
        guard let node = state.documents.overburdened(by: moves), let index = movers[node] else { return }
        throw EngineError.tooDeep(under: placements[index].id, field: "\(listName)[\(index)].parent")
    }

    /// The level that a document will lie on: 1 at the root.
    private func checkedLevel(of id: String, field: String) throws(EngineError) -> Int {
        var node = id
        for level in 1...Limits.treeDepthMax {
            guard let parent = parent(of: node) else { return level }
            guard !parent.isExactly(id) else { throw EngineError.circle(id, field: field) }
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
    /// Refuses to put nodes under `parent` where a circle would close, or they or what lies under them would come to lie
    /// too deep.
    func check(moving nodes: Bitmap, under parent: String) throws(EngineError) {
        // A parent that is not there becomes a folder at the root.
        var level = 2
        if let number = documents.find(parent) {
            level = 1 + documents.level(of: number)
            var place: Int? = number
            while let node = place {
                guard !nodes[node] else { throw EngineError.circle(documents.id(node), field: "parent") }
                place = documents.rows[node].parent
            }
        }
        guard level <= Limits.treeDepthMax else {
            throw EngineError(.limitExceeded, "what is under \"\(parent)\" would lie deeper than \(Limits.treeDepthMax) levels", field: "parent")
        }
        var moves: [Move] = []
        nodes.forEach { moves.append(Move(node: $0, level: level)) }
        if let node = documents.overburdened(by: moves) { throw EngineError.tooDeep(under: documents.id(node), field: "parent") }
    }

    /// Refuses a delete that would leave a node without its parent.
    func checkNoChildIsLeft(_ doomed: Bitmap, field: String) throws(EngineError) {
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

extension EngineError {
    fileprivate static func circle(_ id: String, field: String) -> EngineError {
        EngineError(.invalidValue, "\"\(id)\" would lie under itself", field: field)
    }

    fileprivate static func tooDeep(under id: String, field: String) -> EngineError {
        EngineError(.limitExceeded, "what is under \"\(id)\" would lie deeper than \(Limits.treeDepthMax) levels", field: field)
    }
}
