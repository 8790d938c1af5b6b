// How deep nodes lie, and how deep those would that hang on moved ones.
import Memory

/// A node that changes its place, and the level it will lie on: 1 at the root.
struct Move: Sendable {
    var node: Int
    var level: Int
}

extension DocumentTable {
    /// The level that a node lies on: 1 at the root.
    func level(of node: Int) -> Int {
        var level = 1
        var place = node
        while let parent = rows[place].parent {
            level += 1
            place = parent
        }
        return level
    }

    /// One of the moved nodes that would take something under it below the deepest level; nil if none would. `moves` has all
    /// that are moved, each to a level that is not too deep. O(nodes), each path walked once, where one that has children
    /// sinks; O(moves) where none does, as when a tree is loaded again.
    func overburdened(by moves: [Move]) -> Int? {
        guard moves.contains(where: { rows[$0.node].childCount > 0 && sinks($0) }) else { return nil }
        var levels = [UInt8](repeating: Self.unknown, count: count)
        for move in moves { levels[move.node] = UInt8(move.level) }
        var path: [Int] = []
        for start in 0..<count where isLive(start) {
            var place = start
            while levels[place] == Self.unknown, let parent = rows[place].parent {
                path.append(place)
                place = parent
            }
            // A root that does not move.
            if levels[place] == Self.unknown { levels[place] = Self.unaffected }
            while let node = path.popLast() {
                let above = levels[place]
                guard above != Limits.treeDepthMax else { return mover(of: node, moves) }
                levels[node] = above == Self.unaffected ? above : above + 1
                place = node
            }
        }
        return nil
    }

    private static let unknown: UInt8 = 0
    /// Lies under nothing that moves.
    private static let unaffected = UInt8.max

    private func sinks(_ move: Move) -> Bool { move.level > level(of: move.node) }

    /// The moved node that takes this one along.
    private func mover(of node: Int, _ moves: [Move]) -> Int? {
        sequence(first: node) { rows[$0].parent }.first { place in moves.contains { $0.node == place } }
    }
}
