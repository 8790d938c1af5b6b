// The tree, downwards: what lies under a node, and what lies above it.
@testable import Engine
import Testing
import TestSupport

@Suite struct TreeTests {
    @Test func `pages of children put together are the children, folders first, by title and id`() throws {
        var witness = try ReadWitness(seed: 80)
        for round in 0..<300 {
            for _ in 0..<3 { try witness.writeAtRandom() }
            let (collection, expected) = (try witness.collection, witness.expected)
            for parent in expected.nodes.keys.sorted(by: { $0.bytes.lexicographicallyPrecedes($1.bytes) }).map(Optional.some) + [nil] {
                var input = TreeInput()
                input.parent = parent?.string
                input.limit = Int.random(in: 1...3, using: &witness.random)
                input.areFolders = witness.random.oneIn(3) ? witness.random.oneIn(2) : nil
                input.titlePrefix = witness.random.oneIn(4) ? ["", "a", "s", "\u{E9}", "fold"].randomElement(using: &witness.random) : nil
                let children = expected.children(of: parent, input)
                var found: [Text] = []
                repeat {
                    let page = try #require(try collection.tree(input, seal: witness.database.cursorSeal))
                    #expect(page.total == children.count, "round \(round), \(witness.seed)")
                    found += collection.nodes(of: page).map(\.text)
                    input.cursor = page.cursor
                } while input.cursor != nil
                #expect(found == children.map(\.id), "round \(round), under \(String(describing: parent)), \(witness.seed)")
            }
            for node in expected.nodes.values {
                let view = try #require(collection.node(node.id.string))
                #expect(view.childCount == expected.nodes.values.count { $0.parent == node.id }, "round \(round), \(witness.seed)")
                let above = Array(sequence(first: node.id) { expected.nodes[$0]?.parent }.dropFirst().reversed())
                #expect(view.path.map(\.text) == above, "round \(round), \(witness.seed)")
            }
        }
    }

    @Test func `children are told from every state, in whatever order these are asked`() throws {
        var witness = try ReadWitness(seed: 81)
        var states: [(collection: CollectionSnapshot, expected: ModelCollection)] = []
        for round in 0..<300 {
            try witness.writeAtRandom()
            states.append((try witness.collection, witness.expected))
            let (collection, expected) = states[witness.random.oneIn(2) ? round : Int.random(in: 0...round, using: &witness.random)]
            for id in expected.nodes.keys {
                let number = try #require(collection.find(id.string))
                let children = Set(collection.children(of: number).map { Text(collection.state.documents.id($0)) })
                #expect(children == Set(expected.nodes.values.filter { $0.parent == id }.map(\.id)), "round \(round), \(witness.seed)")
            }
        }
    }

    @Test func `under what is not there there is no page`() throws {
        let witness = try ReadWitness(seed: 82)
        var input = TreeInput()
        input.parent = "nobody"
        #expect(try witness.collection.tree(input, seal: witness.database.cursorSeal) == nil)
    }
}

extension ModelCollection {
    fileprivate func children(of parent: Text?, _ input: TreeInput) -> [ModelNode] {
        nodes.values.filter { node in
            node.parent == parent && input.areFolders ?? node.isFolder == node.isFolder
                && (node.title ?? node.id).bytes.starts(with: (input.titlePrefix ?? "").utf8)
        }.sorted { one, other in
            if one.isFolder != other.isFolder { return one.isFolder }
            let (first, second) = ((one.title ?? one.id).bytes, (other.title ?? other.id).bytes)
            return first == second ? one.id.bytes.lexicographicallyPrecedes(other.id.bytes) : first.lexicographicallyPrecedes(second)
        }
    }
}
