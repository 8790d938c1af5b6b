// Lists: the order that is asked for, page by page, whatever is written between two of them.
@testable import Engine
import Testing
import TestSupport

@Suite struct ListTests {
    private static let orders = ["time", "title", "id", "k", "i", "f", "b", "t"]

    /// All pages, one behind the other.
    private func pages(_ input: ListInput, of collection: CollectionSnapshot, _ seal: CursorSeal) throws -> [Text] {
        var (input, all): (ListInput, [Text]) = (input, [])
        while true {
            let page = try collection.list(input, seal: seal)
            let nodes = collection.nodes(of: page)
            #expect(nodes.count == input.limit || page.cursor == nil)
            all += nodes.map(\.text)
            guard let cursor = page.cursor else { return all }
            input.cursor = cursor
        }
    }

    @Test func `pages put together are the documents that match, in their order`() throws {
        var witness = try ReadWitness(seed: 75)
        for round in 0..<200 {
            for _ in 0..<5 { try witness.writeAtRandom() }
            let (collection, expected) = (try witness.collection, witness.expected)
            for _ in 0..<4 {
                var input = ListInput()
                if !witness.random.oneIn(3) { input.filter = RandomInput.filter(expected.schema, depth: 1, using: &witness.random) }
                if witness.random.oneIn(4) { input.under = RandomInput.ids(using: &witness.random) }
                input.orderBy = witness.random.oneIn(6) ? nil : Self.orders.randomElement(using: &witness.random)
                input.isDescending = witness.random.oneIn(3) ? nil : witness.random.oneIn(2)
                input.limit = Int.random(in: 1...4, using: &witness.random)
                let found = try pages(input, of: collection, witness.database.cursorSeal)
                #expect(found == expected.listed(input).map(\.id), "round \(round), by \(input.orderBy ?? "nothing"), \(String(describing: input.isDescending)), \(witness.seed)")
            }
        }
    }

    @Test func `documents that stay as they are come once and in order, whatever is written between two pages`() throws {
        let database = try TestDatabase.open(FaultyDisk(), sizes: TestDatabase.largeFiles)
        let seed = TestSeed(76)
        var random = seed.random
        _ = try database.write(.createCollection(.everything()))
        func put(_ numbers: [Int], _ value: (Int) -> Int64) throws {
            _ = try database.write(.upsert(UpsertInput(numbers.map { DocumentInput("d\($0)", fields: [("i", .integer(value($0)))]) })))
        }
        try put(Array(0..<300)) { Int64($0 % 10) }
        for descending in [false, true] {
            var input = ListInput()
            (input.orderBy, input.isDescending, input.limit) = ("i", descending, 7)
            var seen: [Int] = []
            while true {
                let collection = try database.snapshot().collection("c")
                let page = try collection.list(input, seal: database.cursorSeal)
                seen += collection.nodes(of: page).compactMap { Int($0.text.string.dropFirst()) }
                guard let cursor = page.cursor else { break }
                input.cursor = cursor
                // Odd numbers go, come again and change; the one that the page ended with among them.
                let odd = (0..<8).map { _ in Int.random(in: 0..<150, using: &random) * 2 + 1 } + (seen.last.map { $0 % 2 == 1 ? [$0] : [] } ?? [])
                _ = try database.write(.delete(DeleteInput(collection: "c", ids: odd.map { "d\($0)" })))
                try put(Array(Set(odd.prefix(4))).sorted()) { _ in Int64.random(in: 0..<10, using: &random) }
            }
            let expected = (0..<150).map { $0 * 2 }.sorted { ($0 % 10, $0) < ($1 % 10, $1) }
            #expect(seen.filter { $0 % 2 == 0 } == (descending ? expected.reversed() : expected), "\(seed)")
        }
    }

    @Test func `a cursor goes on with its own question alone, also in a process that comes later`() throws {
        let disk = FaultyDisk()
        let database = try TestDatabase.open(disk, sizes: TestDatabase.largeFiles)
        for name in ["c", "other"] {
            _ = try database.write(.createCollection(.everything(name: name)))
            _ = try database.write(.upsert(UpsertInput((0..<5).map { DocumentInput("d\($0)", fields: [("k", .string("red"))]) }, into: name)))
        }
        var input = ListInput()
        input.limit = 2
        input.cursor = try database.snapshot().collection("c").list(input, seal: database.cursorSeal).cursor
        #expect(input.cursor != nil)
        func refusal(_ input: ListInput, of name: String = "c", _ database: Database) -> EngineError.Code? {
            do throws(EngineError) {
                _ = try database.snapshot().collection(name).list(input, seal: database.cursorSeal)
                return nil
            } catch { return error.code }
        }
        #expect(refusal(input, database) == nil && refusal(input, of: "other", database) == .cursorEnded)
        var changed = input
        changed.orderBy = "id"
        #expect(refusal(changed, database) == .cursorEnded)
        changed = input
        changed.filter = .field("k", .isIn([.string("red")]))
        #expect(refusal(changed, database) == .cursorEnded)
        changed = input
        changed.isDescending = false
        #expect(refusal(changed, database) == .cursorEnded)
        // Not one bit of it can be another.
        for place in input.cursor!.indices {  // Given above.
            changed = input
            changed.cursor![place] ^= 1 << UInt8(place % 8)  // As above.
            #expect(refusal(changed, database) == .invalidValue)
        }
        try database.close()
        disk.unlock()
        #expect(refusal(input, try TestDatabase.open(disk, sizes: TestDatabase.largeFiles)) == nil)
    }

    @Test func `an order that there is not is refused`() throws {
        let witness = try ReadWitness(seed: 77)
        for (name, code) in [("ks", EngineError.Code.invalidValue), ("nowhere", .undeclaredField), ("mime", .undeclaredField)] {
            var input = ListInput()
            input.orderBy = name
            let error = #expect(throws: EngineError.self) { try witness.collection.list(input, seal: witness.database.cursorSeal) }
            #expect(error?.code == code && error?.field == "order_by")
        }
    }
}

extension ModelCollection {
    /// Everything, sorted.
    fileprivate func listed(_ input: ListInput) -> [ModelNode] {
        let isDescending = input.isDescending ?? (input.orderBy == nil)
        func comesFirst(_ one: ModelNode, _ other: ModelNode) -> Bool {
            let (first, second) = (value(of: one, input.orderBy ?? "time"), value(of: other, input.orderBy ?? "time"))
            if first == nil || second == nil, (first == nil) != (second == nil) { return first != nil }
            if let first, let second, let isLess = first.isLess(than: second) { return isLess != isDescending }
            return (arrivals[one.id]! < arrivals[other.id]!) != isDescending  // They have arrived.
        }
        return matching(input.filter, under: input.under).sorted(by: comesFirst)
    }

    private func value(of node: ModelNode, _ order: String) -> ModelValue? {
        switch order {
        case "time": node.time.map { .int($0) }
        case "title": node.title.map { .keyword($0) }
        case "id": .keyword(node.id)
        default: node.fields[order]
        }
    }
}

extension ModelValue {
    /// nil where both are alike.
    fileprivate func isLess(than other: ModelValue) -> Bool? {
        switch (self, other) {
        case (.keyword(let a), .keyword(let b)): a == b ? nil : a.bytes.lexicographicallyPrecedes(b.bytes)
        case (.int(let a), .int(let b)): a == b ? nil : a < b
        case (.float(let a), .float(let b)): Double(bitPattern: a) == Double(bitPattern: b) ? nil : Double(bitPattern: a) < Double(bitPattern: b)
        case (.bool(let a), .bool(let b)): a == b ? nil : b
        default: preconditionFailure("a field has values of one type")
        }
    }
}
