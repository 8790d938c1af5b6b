// What is just within the limits works; `ValidationTests` says what is just beyond.
@testable import Engine
import Index
import Storage
import Testing
import TestSupport

@Suite struct LimitTests {
    private static func text(_ byteCount: Int) -> String { String(repeating: "x", count: byteCount) }

    /// Does the writes, and compares with the model now and after a restart.
    private static func expectAccepted(_ writes: [Write]) throws {
        let disk = FaultyDisk()
        let database = try TestDatabase.open(disk, sizes: TestDatabase.largeFiles)
        var model = Model()
        for write in writes { #expect(try database.write(write) == model.apply(write)) }
        #expect(try model.difference(from: database.snapshot()) == nil)
        #expect(try model.difference(from: TestDatabase.open(disk.afterCrash(.clean)).snapshot()) == nil)
    }

    @Test func `a document as large as documents may be`() throws {
        var document = DocumentInput(Self.text(512), parent: Self.text(511) + "p")
        document.title = Self.text(4096)
        document.url = Self.text(8192)
        document.mime = Self.text(128)
        document.time = .integer(-1)
        document.fields = [("k", .string(Self.text(4096))), ("ks", .strings((0..<1024).map { "keyword \($0)" })), ("f", .number(.greatestFiniteMagnitude))]
        var chunk = ChunkInput()
        chunk.text = Self.text(4 << 20)
        chunk.heading = Self.text(4096)
        document.chunks = [chunk]
        try Self.expectAccepted([.createCollection(.everything()), .put(document)])
    }

    @Test func `a document of ten thousand chunks, and as many documents in a batch`() throws {
        var document = DocumentInput("many")
        document.chunks = [ChunkInput](repeating: ChunkInput(), count: Limits.chunksPerDocumentMax)
        try Self.expectAccepted([
            .createCollection(.everything()), .put(document), .upsert(UpsertInput((0..<Limits.batchMax).map { DocumentInput("d\($0)") })),
        ])
    }

    @Test func `a collection of as many spaces and fields, with as long names, as there may be`() throws {
        let schema = CollectionSchema(
            name: Self.text(128),
            spaces: (10..<10 + Limits.spacesMax).map { SpaceSchema(name: Self.text(126) + "\($0)", dimension: $0 == 10 ? Limits.dimensionMax : 1, metric: .dot) },
            fields: (100..<100 + Limits.fieldsMax).map { FieldSchema(name: Self.text(125) + "\($0)", type: FieldType.allCases[$0 % FieldType.allCases.count]) })
        var input = UpsertInput("a", vectors: schema.spaces.map { ($0.name, [Float](repeating: 1, count: $0.dimension)) }, into: schema.name)
        input.documents[0].fields = schema.fields.filter { $0.type == .int }.map { ($0.name, .integer(.min)) }
        try Self.expectAccepted([.createCollection(schema), .upsert(input)])
    }

    @Test func `sixty-four levels, and not one more`() throws {
        // n0 at the root, n63 on the deepest level.
        let chain = (0..<64).map { DocumentInput("n\($0)", parent: $0 == 0 ? nil : "n\($0 - 1)") }
        try Self.expectAccepted([.createCollection(.everything()), .upsert(UpsertInput(chain.shuffled()))])
        let database = try TestDatabase.open(FaultyDisk())
        _ = try database.write(.createCollection(.everything()))
        _ = try database.write(.upsert(UpsertInput(chain)))
        let error = #expect(throws: EngineError.self) { _ = try database.write(.put(DocumentInput("n64", parent: "n63"))) }
        #expect(error.map { Refusal($0) } == Refusal(.limitExceeded, "documents[0].parent"))
        #expect(try database.snapshot().collection("c").count(filter: nil, under: ["n60"]).documents == 4)
    }

    @Test func `the longest vectors still compare, and the shortest by their direction`() throws {
        let database = try TestDatabase.open(FaultyDisk())
        _ = try database.write(.createCollection(.everything()))
        let long: [Float] = [0x1p61, 0x1p61, 0x1p61]
        _ = try database.write(.upsert(UpsertInput("far", vectors: [("long", long.map { -$0 }), (nil, [0, 1e-18])])))
        _ = try database.write(.upsert(UpsertInput("near", vectors: [("long", long), (nil, [1e18, 0])])))
        let collection = try database.snapshot().collection("c")
        for count in [1, 5] {
            var input = SearchInput(long)
            input.space = "long"
            input.vectors = [Range<Int>](repeating: 0..<3, count: count)
            for hits in try collection.search(input).hits {
                #expect(hits.map { Text(bytes: Array(copying: collection.document(of: $0).id)).string } == ["near", "far"])
                #expect(hits.allSatisfy { $0.score.isFinite })
                #expect(hits[0].score == 0)
            }
        }
        let hits = try collection.search(SearchInput([0, 1])).hits[0]
        #expect(hits.map(\.score) == [1, 0])
    }

    @Test func `k and the number of searches up to their limits`() throws {
        let database = try TestDatabase.open(FaultyDisk(), sizes: TestDatabase.largeFiles)
        let schema = CollectionSchema(name: "c", spaces: [SpaceSchema(dimension: 1, metric: .l2)], fields: [])
        _ = try database.write(.createCollection(schema))
        var input = UpsertInput(collection: "c")
        for number in 0..<1100 {
            var document = DocumentInput("d\(number)")
            document.chunks = [ChunkInput()]
            document.chunks[0].vectors = [VectorInput(space: nil, floats: number..<number + 1)]
            input.documents.append(document)
            input.floats.append(Float(number))
        }
        _ = try database.write(.upsert(input))
        let collection = try database.snapshot().collection("c")
        let found = try collection.search(SearchInput([0], k: Limits.kMax)).hits[0]
        #expect(found.map(\.score) == (0..<Limits.kMax).map { -Float($0) })
        var many = SearchInput([0], k: 1)
        many.floats = (0..<Limits.searchesMax).map { Float($0) }
        many.vectors = (0..<Limits.searchesMax).map { $0..<$0 + 1 }
        let each = try collection.search(many)
        #expect(try each.hits.map { try collection.document(of: $0[0]).chunk(0).vector(space: 0, dimension: 1)?[0] } == many.floats.map { $0 })
        #expect(each.plan.visited == 1100 * Limits.searchesMax)
    }

    @Test func `as many collections as there may be, and not one more`() throws {
        let database = try TestDatabase.open(FaultyDisk(), sizes: TestDatabase.largeFiles)
        let fields = [FieldSchema(name: "i", type: .int)]
        for number in 0..<Limits.collectionsMax {
            let schema = CollectionSchema(name: "c\(number)", spaces: [], fields: fields)
            database.enqueue(.createCollection(schema)) { answer in
                if case .failure(let error) = answer { Issue.record("\(error)") }
            }
        }
        database.commit()
        #expect(database.snapshot().collectionNames.count == Limits.collectionsMax)
        let one = Write.createCollection(CollectionSchema(name: "more", spaces: [], fields: fields))
        let error = #expect(throws: EngineError.self) { _ = try database.write(one) }
        #expect(error.map { Refusal($0) } == Refusal(.limitExceeded, "name"))
        _ = try database.write(.dropCollection(name: "c77"))
        _ = try database.write(one)
    }

    @Test func `an empty collection costs little memory`() throws {
        let database = try TestDatabase.open(FaultyDisk())
        _ = try database.write(.createCollection(.everything()))
        #expect(try database.snapshot().collection("c").overview.byteCount < 100_000)
    }
}
