// Filters against their plain meaning: a document after the other, a condition after the other.
@testable import Engine
import Memory
import Testing
import TestSupport

@Suite struct FilterTests {
    /// `NEEDLETAIL_FILTERS` asks for more.
    private static let filters = TestCycles("NEEDLETAIL_FILTERS", otherwise: 24_000).count

    @Test func `random filters leave the documents that match, whatever is written between them`() throws {
        var witness = try ReadWitness(seed: 71)
        let prepared = PreparedFilters()
        var kept: [(filter: Filter, handle: String)] = []
        for round in 0..<Self.filters / 80 {
            try witness.writeAtRandom()
            let (collection, expected) = (try witness.collection, witness.expected)
            if round % 5 == 0 {
                let filter = RandomInput.filter(expected.schema, depth: 2, using: &witness.random)
                kept.append((filter, "\(round)"))
                try prepared.prepare(filter, for: collection, handle: "\(round)")
                if kept.count > 40 { try prepared.drop(kept.removeFirst().handle) }
            }
            for _ in 0..<40 {
                let filter = RandomInput.filter(expected.schema, depth: 3, using: &witness.random)
                let under = witness.random.oneIn(4) ? RandomInput.ids(using: &witness.random) : nil
                let found = collection.ids(try collection.documents(filter: filter, under: under))
                #expect(found == Set(expected.matching(filter, under: under).map(\.id)), "\(filter) under \(String(describing: under)), \(witness.seed)")
            }
            // What is kept from state to state.
            for (filter, handle) in kept {
                let found = collection.ids(try collection.documents(filter: nil, under: nil, prepared: prepared.filters([handle], of: collection)))
                #expect(found == Set(expected.matching(filter, under: nil).map(\.id)), "prepared \(filter), \(witness.seed)")
            }
        }
    }

    /// Pages hold 1,024 nodes: of several, some change and others do not.
    @Test func `what is kept of a filter is right for states before and after`() throws {
        let database = try TestDatabase.open(FaultyDisk(), sizes: TestDatabase.largeFiles)
        let seed = TestSeed(72)
        var random = seed.random
        var schema = RandomInput.schemas[0]
        schema.name = "c"
        _ = try database.write(.createCollection(schema))
        func put(_ numbers: [Int]) throws {
            let documents = Set(numbers).sorted().map { number in
                var document = DocumentInput("d\(number)", parent: random.oneIn(3) ? "f\(number % 7)" : nil)
                document.fields = [("i", .integer(Int64.random(in: 0..<5, using: &random))), ("k", .string("k\(Int.random(in: 0..<300, using: &random))"))]
                document.title = random.oneIn(2) ? "title \(number % 10)" : nil
                return document
            }
            _ = try database.write(.upsert(UpsertInput(documents)))
        }
        try put(Array(0..<3000))
        let filters: [Filter] = [
            .field("id", .isIn((0..<2000).map { .string("d\($0 * 3)") })), .field("id", .prefix("d1")), .field("i", .isIn([.integer(3)])),
            .field("k", .prefix("k1")), .under(["f1", "f3", "new"]), .not(.under(["f2"])), .field("parent", .isIn([.string("f4"), .string("new")])),
            .any([.field("title", .match("TITLE 3")), .all([.under(["f5"]), .field("i", .range(lower: Filter.Bound(.integer(2), isInclusive: true), upper: nil))])]),
        ]
        let evaluations = try filters.map { Evaluation(try FilterProgram($0, schema: schema)) }
        var states: [CollectionState] = []
        for round in 0..<60 {
            switch round % 6 {
            case 0: try put((0..<20).map { _ in Int.random(in: 0..<3000, using: &random) })
            case 1: try put((0..<400).map { $0 + 3000 + round * 10 })
            case 2: _ = try database.write(.delete(DeleteInput(collection: "c", ids: (0..<5).map { _ in "d\(Int.random(in: 0..<3000, using: &random))" })))
            case 3:
                // A folder moves with all that is under it, and back.
                var patch = PatchInput(collection: "c")
                patch.selection = Selection(ids: ["f\(Int.random(in: 0..<7, using: &random))"])
                patch.parent = random.oneIn(2) ? .remove : .set("new")
                _ = try database.write(.patch(patch))
            case 4:
                var patch = PatchInput(collection: "c")
                patch.selection = Selection(ids: (0..<5).map { _ in "d\(Int.random(in: 0..<3000, using: &random))" })
                patch.set = [("i", .integer(3))]
                _ = try database.write(.patch(patch))
            default: try database.checkpoint()
            }
            states.append(try database.snapshot().collection("c").state)
            for _ in 0..<3 {
                let state = random.oneIn(2) ? states[states.count - 1] : states.randomElement(using: &random)!  // There is one.
                for (filter, evaluation) in zip(filters, evaluations) {
                    let kept = evaluation.documents(of: state) { state.documents.find($0) }
                    #expect(kept == (try Self.plainly(filter, state)), "round \(round), \(filter), \(seed)")
                }
            }
        }
    }

    /// Nothing is kept, and the tree is walked from the root for each of its nodes.
    private static func plainly(_ filter: Filter, _ state: CollectionState) throws -> Bitmap {
        var copy = CollectionState(number: state.number, schema: state.schema)
        copy.catalog = state.catalog
        return try copy.documents(matching: filter, under: nil) { copy.documents.find($0) }
    }

    @Test(arguments: [
        ("Refund policy, annual plans", "policy REFUND", true), ("Refund policy", "refund pol", false), ("Refund-policy_2026", "2026 policy", true),
        ("Straße", "STRASSE", true), ("e\u{301}te\u{301}", "\u{C9}T\u{C9}", true), ("ete", "\u{E9}t\u{E9}", false), ("ΟΔΟΣ", "οδος", true),
        ("don't", "don t", true), ("退款政策", "款 退", true), ("退款政策", "退政款策", true), ("退款", "退货", false), ("テスト", "テスト", true), ("\u{212A}elvin", "kelvin", true),
        ("naïve", "naive", false), ("x", "x y", false), ("", "x", false), ("١٢٣", "١٢٣", true), ("a\u{301}", "a", false),
    ])
    func `a match finds whole words, in any case and composition`(text: String, words: String, holds: Bool) throws {
        let query = try #require(WordQuery(words))
        #expect(query.holds(Array(text.utf8).rawSpan) == holds)
    }

    @Test(arguments: ["", " ", "—!?", (0...64).map(String.init).joined(separator: " ")])
    func `a match of no word, or of too many, is refused`(words: String) throws {
        let witness = try ReadWitness(seed: 73)
        let collection = try witness.collection
        let error = #expect(throws: EngineError.self) { try collection.count(filter: .field("title", .match(words)), under: nil) }
        #expect(error?.code == .invalidValue && error?.field == "filter.title")
    }

    @Test(arguments: [
        (Filter.field("i", .prefix("1")), "filter.i"), (.field("k", .containsAll([.string("a")])), "filter.k"), (.field("i", .containsAll([.integer(1)])), "filter.i"),
        (.field("ks", .range(lower: Filter.Bound(.string("a"), isInclusive: true), upper: nil)), "filter.ks"), (.field("b", .match("true")), "filter.b"),
        (.field("id", .match("a")), "filter.id"), (.field("id", .isIn([.integer(1)])), "filter.id"), (.field("kind", .isIn([.string("file")])), "filter.kind"),
        (.field("kind", .prefix("f")), "filter.kind"), (.field("parent", .exists), "filter.parent"), (.field("mime", .match("text")), "filter.mime"),
        (.field("time", .prefix("2026")), "filter.time"), (.field("ks", .containsAll([.integer(1)])), "filter.ks"),
        (.field("k", .range(lower: Filter.Bound(.integer(1), isInclusive: true), upper: nil)), "filter.k"),
        (.all([.under((0..<6000).map(String.init)), .under((0..<6000).map(String.init))]), "filter"),
    ])
    func `what a field cannot be asked is refused by its name`(filter: Filter, field: String) throws {
        let collection = try ReadWitness(seed: 74).collection
        let error = #expect(throws: EngineError.self) { try collection.count(filter: filter, under: nil) }
        #expect(error?.field == field)
    }
}
