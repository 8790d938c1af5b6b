// What is refused: each thing with its code and the part of the request it is about, and nothing changed by it.
@testable import Engine
import Index
import Storage
import Testing
import TestSupport

@Suite struct ValidationTests {
    /// A collection with a document in a folder, and the model of it.
    private static func make() throws -> (disk: FaultyDisk, database: Database, model: Model) {
        let disk = FaultyDisk()
        let database = try TestDatabase.open(disk)
        var model = Model()
        let twoSpaces = CollectionSchema(name: "nodefault", spaces: ["a", "b"].map { SpaceSchema(name: $0, dimension: 1, metric: .dot) }, fields: [])
        let writes: [Write] = [
            .createCollection(.everything()), .createCollection(twoSpaces),
            .put(DocumentInput("folder", isFolder: true), DocumentInput("doc", parent: "folder", fields: [("i", .integer(1))])),
            .put(DocumentInput("child", parent: "doc")),
        ]
        for write in writes { #expect(try database.write(write) == model.apply(write)) }
        return (disk, database, model)
    }

    /// Each write is refused with its code and field, and leaves memory and disk as they were.
    private static func expectRefused(_ cases: [(write: Write, code: EngineError.Code, field: String?)]) throws {
        let (disk, database, model) = try make()
        let files = disk.names.map { disk[$0] }
        for (number, (write, code, field)) in cases.enumerated() {
            let error = #expect(throws: EngineError.self, "case \(number)") { _ = try database.write(write) }
            #expect(error.map { Refusal($0) } == Refusal(code, field), "case \(number): \(error.map { $0.description } ?? "")")
            #expect(error?.message.isEmpty == false)
        }
        #expect(try model.difference(from: database.snapshot()) == nil)
        let isUntouched = disk.names.map { disk[$0] } == files
        #expect(isUntouched)
    }

    // MARK: Collections

    @Test func `a collection's name is of a few letters and marks`() throws {
        let names = ["", " ", "a b", "a/b", "..\u{0}", "é", "\u{212A}", String(repeating: "x", count: 129)]
        try Self.expectRefused(names.map { (.createCollection(CollectionSchema(name: $0, spaces: [], fields: [FieldSchema(name: "k", type: .int)])), .invalidValue, "name") })
    }

    @Test func `a collection is refused for what it declares`() throws {
        let space = SpaceSchema(dimension: 2, metric: .dot)
        let field = FieldSchema(name: "k", type: .int)
        func schema(_ spaces: [SpaceSchema], _ fields: [FieldSchema]) -> Write {
            .createCollection(CollectionSchema(name: "new", spaces: spaces, fields: fields))
        }
        try Self.expectRefused([
            (schema([], []), .invalidValue, "dim"),
            (schema((0...16).map { SpaceSchema(name: "s\($0)", dimension: 1, metric: .dot) }, []), .limitExceeded, "spaces"),
            (schema([space], (0...128).map { FieldSchema(name: "f\($0)", type: .int) }), .limitExceeded, "fields"),
            (schema([space, space], []), .invalidValue, "spaces"),
            (schema([space], [field, field]), .invalidValue, "fields"),
            (schema([SpaceSchema(name: "a b", dimension: 1, metric: .dot)], []), .invalidValue, "spaces"),
            (schema([SpaceSchema(dimension: 0, metric: .dot)], []), .invalidValue, "dim"),
            (schema([SpaceSchema(dimension: 8193, metric: .dot)], []), .invalidValue, "dim"),
            (schema([space], [FieldSchema(name: "", type: .int)]), .invalidValue, "fields"),
            (schema([space], [FieldSchema(name: "title", type: .keyword)]), .invalidValue, "fields.title"),
            (.createCollection(.everything()), .collectionExists, "name"),
            (.dropCollection(name: "never"), .unknownCollection, "collection"),
            (.put(DocumentInput("a"), into: "never"), .unknownCollection, "collection"),
            (.delete(DeleteInput(collection: "never", ids: ["a"])), .unknownCollection, "collection"),
        ])
    }

    @Test func `a name that only looks like a known one is unknown`() throws {
        // The Kelvin sign is canonically the letter K.
        let disk = FaultyDisk()
        let database = try TestDatabase.open(disk)
        let schema = CollectionSchema(name: "K", spaces: [SpaceSchema(name: "K", dimension: 1, metric: .dot)], fields: [FieldSchema(name: "K", type: .int)])
        _ = try database.write(.createCollection(schema))
        for write in [.dropCollection(name: "\u{212A}"), .put(DocumentInput("a"), into: "\u{212A}")] as [Write] {
            let error = #expect(throws: EngineError.self) { _ = try database.write(write) }
            #expect(error?.code == .unknownCollection)
        }
        let field = #expect(throws: EngineError.self) { _ = try database.write(.put(DocumentInput("a", fields: [("\u{212A}", .integer(1))]), into: "K")) }
        #expect(field?.code == .undeclaredField)
        let space = #expect(throws: EngineError.self) { _ = try database.write(.upsert(UpsertInput("a", vectors: [("\u{212A}", [1])], into: "K"))) }
        #expect(space?.code == .unknownSpace)
    }

    // MARK: Documents

    private static func text(_ byteCount: Int) -> String { String(repeating: "x", count: byteCount) }

    private static func document(_ change: (inout DocumentInput) -> Void) -> Write {
        var document = DocumentInput("new")
        change(&document)
        return .put(document)
    }

    @Test func `ids have 1 to 512 bytes and no NUL, and stand in a batch once`() throws {
        try Self.expectRefused([
            (.put(DocumentInput("")), .invalidValue, "documents[0].id"),
            (.put(DocumentInput("a"), DocumentInput(Self.text(513))), .invalidValue, "documents[1].id"),
            (.put(DocumentInput(String(repeating: "é", count: 257))), .invalidValue, "documents[0].id"),
            (.put(DocumentInput("a\u{0}b")), .invalidValue, "documents[0].id"),
            (.put(DocumentInput("a"), DocumentInput("b"), DocumentInput("a")), .invalidValue, "documents[2].id"),
        ])
    }

    @Test func `a tree has no circles, and every parent an id`() throws {
        try Self.expectRefused([
            (.put(DocumentInput("a", parent: "")), .invalidValue, "documents[0].parent"),
            (.put(DocumentInput("a", parent: Self.text(513))), .invalidValue, "documents[0].parent"),
            (.put(DocumentInput("a", parent: "a")), .invalidValue, "documents[0].parent"),
            (.put(DocumentInput("b"), DocumentInput("folder", parent: "child")), .invalidValue, "documents[1].parent"),
            (.put(DocumentInput("a", parent: "b"), DocumentInput("b", parent: "c"), DocumentInput("c", parent: "a")), .invalidValue, "documents[0].parent"),
        ])
    }

    @Test func `texts have their lengths, in bytes`() throws {
        var records = UpsertInput([DocumentInput("a")])
        records.listName = "records"
        records.documents[0].title = Self.text(4097)
        try Self.expectRefused([
            (Self.document { $0.title = Self.text(4097) }, .limitExceeded, "documents[0].title"),
            (Self.document { $0.title = String(repeating: "é", count: 2049) }, .limitExceeded, "documents[0].title"),
            (Self.document { $0.url = Self.text(8193) }, .limitExceeded, "documents[0].url"),
            (Self.document { $0.mime = Self.text(129) }, .limitExceeded, "documents[0].mime"),
            (Self.document { $0.chunks = [Self.chunk(text: Self.text(4 << 20 + 1))] }, .limitExceeded, "documents[0].chunks[0].text"),
            (Self.document { $0.chunks = [Self.chunk(text: ""), Self.chunk(text: Self.text(4 << 20 + 1))] }, .limitExceeded, "documents[0].chunks[1].text"),
            (Self.document { $0.chunks = [Self.chunk(heading: Self.text(4097))] }, .limitExceeded, "documents[0].chunks[0].heading"),
            (.upsert(records), .limitExceeded, "records[0].title"),
        ])
    }

    private static func chunk(text: String? = nil, heading: String? = nil) -> ChunkInput {
        var chunk = ChunkInput()
        chunk.text = text
        chunk.heading = heading
        return chunk
    }

    @Test func `times are RFC 3339 or milliseconds`() throws {
        let values: [InputValue] = [.string(""), .string("yesterday"), .string("2026-13-01T00:00:00Z"), .number(1), .bool(true), .strings([])]
        try Self.expectRefused(values.map { value in (Self.document { $0.time = value }, .invalidValue, "documents[0].time") })
        try Self.expectRefused(values.map { (.put(DocumentInput("a", fields: [("t", $0)])), .invalidValue, "documents[0].fields.t") })
    }

    @Test func `fields are declared, given once, and of their types`() throws {
        let values: [(String, [InputValue])] = [
            ("k", [.integer(1), .number(1), .bool(true), .strings(["a"])]),
            ("ks", [.integer(1), .number(1), .bool(true)]),
            ("i", [.string("1"), .number(1), .bool(true), .strings([])]),
            ("f", [.string("1"), .bool(true), .strings([]), .number(.nan), .number(.infinity), .number(-.infinity)]),
            ("b", [.string("true"), .integer(1), .number(1), .strings([])]),
        ]
        try Self.expectRefused(values.flatMap { name, values in
            values.map { (.put(DocumentInput("a", fields: [(name, $0)])), .invalidValue, "documents[0].fields.\(name)") }
        })
        try Self.expectRefused([
            (.put(DocumentInput("a", fields: [("nope", .integer(1))])), .undeclaredField, "documents[0].fields.nope"),
            (.put(DocumentInput("a", fields: [("i", .integer(1)), ("b", .bool(true)), ("i", .integer(1))])), .invalidValue, "documents[0].fields.i"),
            (.put(DocumentInput("a", fields: (0..<70_000).map { _ in ("i", .integer(1)) })), .invalidValue, "documents[0].fields.i"),
            (.put(DocumentInput("a", fields: [("k", .string(Self.text(4097)))])), .limitExceeded, "documents[0].fields.k"),
            (.put(DocumentInput("a", fields: [("ks", .strings(["a", Self.text(4097)]))])), .limitExceeded, "documents[0].fields.ks"),
            (.put(DocumentInput("a", fields: [("ks", .strings([String](repeating: "a", count: 1025)))])), .limitExceeded, "documents[0].fields.ks"),
        ])
    }

    @Test func `versions are those that are there`() throws {
        try Self.expectRefused([
            (.put(DocumentInput("new", ifVersion: 1)), .versionConflict, "documents[0].if_version"),
            (.put(DocumentInput("new"), DocumentInput("doc", ifVersion: 0)), .versionConflict, "documents[1].if_version"),
            (.put(DocumentInput("doc", ifVersion: 2)), .versionConflict, "documents[0].if_version"),
            (.put(DocumentInput("doc", ifVersion: .max)), .versionConflict, "documents[0].if_version"),
        ])
    }

    // MARK: Chunks and vectors

    @Test func `vectors have a space, its dimension, and a length that can be compared`() throws {
        func vectors(_ vectors: (String?, [Float])...) -> Write { .upsert(UpsertInput("a", vectors: vectors.map { (space: $0.0, numbers: $0.1) })) }
        try Self.expectRefused([
            (vectors(("nope", [1, 2])), .unknownSpace, "documents[0].chunks[0].vectors.nope"),
            (.upsert(UpsertInput("a", vectors: [(nil, [1])], into: "nodefault")), .unknownSpace, "documents[0].chunks[0].vector"),
            (vectors((nil, [1])), .dimensionMismatch, "documents[0].chunks[0].vector"),
            (vectors((nil, [])), .dimensionMismatch, "documents[0].chunks[0].vector"),
            (vectors(("default", [1, 2, 3])), .dimensionMismatch, "documents[0].chunks[0].vectors.default"),
            (vectors(("long", [1, 2])), .dimensionMismatch, "documents[0].chunks[0].vectors.long"),
            (vectors((nil, [1, .nan])), .invalidValue, "documents[0].chunks[0].vector"),
            (vectors((nil, [1, -.infinity])), .invalidValue, "documents[0].chunks[0].vector"),
            (vectors((nil, [0, 0])), .invalidValue, "documents[0].chunks[0].vector"),
            (vectors((nil, [0, 1e-19])), .invalidValue, "documents[0].chunks[0].vector"),
            (vectors(("long", [0x1p62, 0x1p62, 0x1p62])), .invalidValue, "documents[0].chunks[0].vectors.long"),
            (vectors((nil, [1, 2]), ("default", [1, 2])), .invalidValue, "documents[0].chunks[0].vectors.default"),
            // More than the record's count of them could say.
            (.upsert(UpsertInput("a", vectors: (0..<300).map { (space: "s\($0)", numbers: [1, 2]) })), .unknownSpace, "documents[0].chunks[0].vectors.s0"),
        ])
    }

    @Test func `chunks and documents are counted`() throws {
        try Self.expectRefused([
            (Self.document { $0.isFolder = true; $0.chunks = [ChunkInput()] }, .invalidValue, "documents[0].kind"),
            (Self.document { $0.chunks = [ChunkInput](repeating: ChunkInput(), count: 10_001) }, .limitExceeded, "documents[0].chunks"),
            (.upsert(UpsertInput((0...10_000).map { DocumentInput("d\($0)") })), .limitExceeded, "documents"),
            // Each text is allowed; together they are more than a record of the log holds.
            (.upsert(UpsertInput((0..<17).map { number in
                var document = DocumentInput("d\(number)")
                document.chunks = [Self.chunk(text: Self.text(4 << 20))]
                return document
            })), .limitExceeded, "documents"),
        ])
    }

    // MARK: Deletes and filters

    @Test func `a delete says what, in one way, and leaves no child behind`() throws {
        let isOne = Filter.field("i", .isIn([.integer(1)]))
        try Self.expectRefused([
            (.delete(DeleteInput(collection: "c")), .invalidValue, "ids"),
            (.delete(DeleteInput(collection: "c", ids: [], filter: isOne)), .invalidValue, "ids"),
            (.delete(DeleteInput(collection: "c", ids: ["doc"], under: ["folder"])), .invalidValue, "ids"),
            (.delete(DeleteInput(collection: "c", ids: ["folder"])), .invalidValue, "ids"),
            (.delete(DeleteInput(collection: "c", ids: ["folder", "doc"])), .invalidValue, "ids"),
            (.delete(DeleteInput(collection: "c", filter: isOne)), .invalidValue, "filter"),
        ])
    }

    @Test func `a patch says of what, in one way, and what of it`() throws {
        func patch(_ selection: Selection = Selection(ids: ["doc"]), into collection: String = "c", _ change: (inout PatchInput) -> Void) -> Write {
            var input = PatchInput(collection: collection)
            input.selection = selection
            change(&input)
            return .patch(input)
        }
        let title: (inout PatchInput) -> Void = { $0.title = .set("x") }
        try Self.expectRefused([
            (patch(Selection(), title), .invalidValue, "ids"),
            (patch(Selection(ids: [], filter: .all([])), title), .invalidValue, "ids"),
            (patch(Selection(ids: ["doc"], under: ["folder"]), title), .invalidValue, "ids"),
            (patch(into: "never", title), .unknownCollection, "collection"),
            (patch { _ in }, .invalidValue, "set"),
            (patch { $0.parent = .set("") }, .invalidValue, "parent"),
            (patch { $0.parent = .set(Self.text(513)) }, .invalidValue, "parent"),
            (patch { $0.parent = .set("a\u{0}b") }, .invalidValue, "parent"),
            (patch { $0.parent = .set("child") }, .invalidValue, "parent"),
            (patch { $0.title = .set(Self.text(4097)) }, .limitExceeded, "title"),
            (patch { $0.url = .set(Self.text(8193)) }, .limitExceeded, "url"),
            (patch { $0.mime = .set(Self.text(129)) }, .limitExceeded, "mime"),
            (patch { $0.time = .set(.string("then")) }, .invalidValue, "time"),
            (patch { $0.set = [("i", .integer(1)), ("nope", .integer(1))] }, .undeclaredField, "set.nope"),
            (patch { $0.set = [("title", .string("x"))] }, .undeclaredField, "set.title"),
            (patch { $0.set = [("i", .string("1"))] }, .invalidValue, "set.i"),
            (patch { $0.set = [("i", .integer(1)), ("i", .integer(1))] }, .invalidValue, "set.i"),
            (patch { $0.set = [("k", .string(Self.text(4097)))] }, .limitExceeded, "set.k"),
            (patch { $0.unset = ["i", "nope"] }, .undeclaredField, "unset[1]"),
            (patch { $0.unset = ["i", "k", "i"] }, .invalidValue, "unset[2]"),
            (patch { $0.set = [("i", .integer(1))]; $0.unset = ["i"] }, .invalidValue, "unset[0]"),
            (patch { title(&$0); $0.ifVersion = 2 }, .versionConflict, "if_version"),
            (patch { title(&$0); $0.ifVersion = 0 }, .versionConflict, "if_version"),
            (patch(Selection(ids: ["never"])) { title(&$0); $0.ifVersion = 1 }, .versionConflict, "if_version"),
            (patch(Selection(ids: [])) { title(&$0); $0.ifVersion = 1 }, .invalidValue, "if_version"),
            (patch(Selection(ids: ["doc", "child"])) { title(&$0); $0.ifVersion = 1 }, .invalidValue, "if_version"),
            (patch(Selection(under: ["doc"])) { title(&$0); $0.ifVersion = 1 }, .invalidValue, "if_version"),
            (patch(Selection(filter: .field("nope", .exists)), title), .undeclaredField, "filter.nope"),
        ])
    }

    @Test func `a patch larger than a record is refused`() throws {
        let disk = FaultyDisk()
        let database = try TestDatabase.open(disk)
        _ = try database.write(.createCollection(CollectionSchema(name: "c", spaces: [], fields: (0..<20).map { FieldSchema(name: "f\($0)", type: .keywords) })))
        _ = try database.write(.put(DocumentInput("a")))
        var input = PatchInput(collection: "c")
        input.selection = Selection(ids: ["a"])
        let texts = [String](repeating: Self.text(4096), count: 1024)
        input.set = (0..<20).map { (name: "f\($0)", value: .strings(texts)) }
        let error = #expect(throws: EngineError.self) { _ = try database.write(.patch(input)) }
        #expect(error.map { Refusal($0) } == Refusal(.limitExceeded, "set"))
    }

    private static let badFilters: [(Filter, EngineError.Code, String)] = [
        (.field("nope", .exists), .undeclaredField, "filter.nope"),
        (.not(.field("url", .exists)), .undeclaredField, "filter.url"),
        (.field("k", .isIn([.string("a"), .integer(1)])), .invalidValue, "filter.k"),
        (.field("ks", .isIn([.strings(["a"])])), .invalidValue, "filter.ks"),
        (.field("i", .isIn([.number(1)])), .invalidValue, "filter.i"),
        (.field("f", .isIn([.number(.nan)])), .invalidValue, "filter.f"),
        (.field("f", .range(lower: Filter.Bound(.number(.infinity), isInclusive: true), upper: nil)), .invalidValue, "filter.f"),
        (.field("i", .range(lower: Filter.Bound(.string("a"), isInclusive: true), upper: nil)), .invalidValue, "filter.i"),
        (.field("ks", .range(lower: Filter.Bound(.string("a"), isInclusive: true), upper: nil)), .invalidValue, "filter.ks"),
        (.field("b", .range(lower: nil, upper: Filter.Bound(.bool(true), isInclusive: true))), .invalidValue, "filter.b"),
        (.all([.field("time", .isIn([.string("then")]))]), .invalidValue, "filter.time"),
        (.any([.field("t", .range(lower: Filter.Bound(.bool(true), isInclusive: true), upper: nil))]), .invalidValue, "filter.t"),
        ((0..<16).reduce(.field("i", .exists)) { filter, _ in .not(filter) }, .limitExceeded, "filter"),
        ((0..<16).reduce(.field("i", .exists)) { filter, _ in .all([filter]) }, .limitExceeded, "filter"),
        (.any([Filter](repeating: .field("i", .exists), count: 10_000)), .limitExceeded, "filter"),
        (.field("i", .isIn([InputValue](repeating: .integer(1), count: 10_001))), .limitExceeded, "filter"),
    ]

    @Test func `a filter is refused wherever it is used`() throws {
        try Self.expectRefused(Self.badFilters.map { (.delete(DeleteInput(collection: "c", filter: $0.0)), $0.1, $0.2) })
        let collection = try Self.make().database.snapshot().collection("c")
        for (filter, code, field) in Self.badFilters {
            let counted = #expect(throws: EngineError.self) { _ = try collection.count(filter: filter, under: nil) }
            #expect(counted.map { Refusal($0) } == Refusal(code, field))
            var input = SearchInput([1, 0])
            input.filter = filter
            let searched = #expect(throws: EngineError.self) { _ = try collection.search(input) }
            #expect(searched.map { Refusal($0) } == Refusal(code, field))
        }
    }

    @Test func `the deepest and the longest filter allowed are evaluated`() throws {
        let collection = try Self.make().database.snapshot().collection("c")
        let deep = (0..<15).reduce(Filter.field("i", .exists)) { filter, _ in .not(filter) }
        #expect(try collection.count(filter: deep, under: nil).documents == 1)
        let long = Filter.field("i", .isIn((1...9999).map { .integer($0) }))
        #expect(try collection.count(filter: long, under: nil).documents == 1)
    }

    // MARK: Searches

    @Test func `a search is refused for its space, its vectors and its numbers`() throws {
        let snapshot = try Self.make().database.snapshot()
        func expect(_ input: SearchInput, in collection: String = "c", _ code: EngineError.Code, _ field: String) throws {
            let found = try snapshot.collection(collection)
            let error = #expect(throws: EngineError.self) { _ = try found.search(input) }
            #expect(error.map { Refusal($0) } == Refusal(code, field))
        }
        func inSpace(_ space: String, _ input: SearchInput) -> SearchInput {
            var input = input
            input.space = space
            return input
        }
        try expect(inSpace("nope", SearchInput([1, 0])), .unknownSpace, "space")
        try expect(SearchInput([1]), in: "nodefault", .unknownSpace, "space")
        try expect(SearchInput([1, 0], k: 0), .invalidValue, "k")
        try expect(SearchInput([1, 0], k: -1), .invalidValue, "k")
        try expect(SearchInput([1, 0], k: 1025), .invalidValue, "k")
        try expect(SearchInput(), .invalidValue, "vector")
        try expect(SearchInput([1, 0, 0]), .dimensionMismatch, "vector")
        try expect(SearchInput([1, 0], [1]), .dimensionMismatch, "searches[1].vector")
        try expect(SearchInput([0, 0]), .invalidValue, "vector")
        try expect(SearchInput([1, 0], [1, 0], [.nan, 0]), .invalidValue, "searches[2].vector")
        try expect(inSpace("long", SearchInput([0x1p63, 0, 0])), .invalidValue, "vector")
        var many = SearchInput([1, 0])
        many.vectors = [Range<Int>](repeating: 0..<2, count: 1025)
        try expect(many, .limitExceeded, "searches")
        let error = #expect(throws: EngineError.self) { _ = try snapshot.collection("never") }
        #expect(error.map { Refusal($0) } == Refusal(.unknownCollection, "collection"))
    }

    @Test func `a search whose deadline has passed says so`() throws {
        let collection = try Self.make().database.snapshot().collection("c")
        let error = #expect(throws: EngineError.self) { _ = try collection.search(SearchInput([1, 0]), deadline: Deadline(at: .now)) }
        #expect(error?.code == .deadlineExceeded)
        #expect(error?.retry == .later)
        #expect(try collection.search(SearchInput([1, 0]), deadline: Deadline(at: .now + .seconds(60))).hits.count == 1)
    }
}
