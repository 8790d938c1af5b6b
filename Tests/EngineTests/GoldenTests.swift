// Databases as earlier versions wrote them, kept for ever: every later version opens them and finds what they hold.
@testable import Engine
import Index
import Memory
import Storage
import Testing
import TestSupport

/// Each format has a directory in `Tests/Golden`. Never changed, only joined by others: a format that has been released is read.
@Suite struct GoldenTests {
    /// What was done to the database of a format, step by step; the snapshot shows what it was half way.
    private struct Script {
        private(set) var model = Model()
        private(set) var atSnapshot = Model()
        private let database: Database?

        /// Without a database the model alone lives through it.
        init(_ format: Format, _ database: Database? = nil) throws {
            self.database = database
            try write(.createCollection(.everything(name: "everything")))
            try write(.createCollection(CollectionSchema(name: "gone", spaces: [SpaceSchema(dimension: 1, metric: .dot)], fields: [])))
            let notes = SpaceSchema(dimension: 20, metric: .cosine, index: format.hasIndexes ? .flat : .auto)
            try write(.createCollection(CollectionSchema(name: "notes", spaces: [notes], fields: [])))
            for part in 0..<3 { try write(Self.notes(part * 1000..<part * 1000 + 1000)) }
            try write(Self.document("handbook", isFolder: true))
            try write(Self.document("rota", parent: "handbook", chunks: 3))
            if format.hasIndexes {
                try write(.createCollection(Indexed.schema))
                try write(Indexed.points(0..<Indexed.count))
            }
            try database?.checkpoint()
            if format.hasIndexes {
                while try database?.maintainIndexes() ?? false {}
                try write(.delete(DeleteInput(collection: "indexed", ids: Indexed.deleted.map { "p\($0)" })))
            }
            try write(Self.notes([7, 8, 2999], salt: 1))
            try write(Self.document("leave", parent: "handbook", chunks: 2))
            try write(.delete(DeleteInput(collection: "notes", ids: ["n1", "n2"])))
            try database?.checkpoint()
            try write(Self.document("rota", parent: "policies", chunks: 1))
            _ = try database?.createSnapshot("half-way", nowMilliseconds: 1_790_850_600_250)
            atSnapshot = model
            var patch = PatchInput(collection: "everything")
            patch.selection = Selection(ids: ["leave"])
            patch.title = .set("Parental leave")
            patch.set = [("f", .number(0.5))]
            patch.unset = ["b"]
            try write(.patch(patch))
            try write(.dropCollection(name: "gone"))
            try write(Self.notes(3000..<3010))
            if format.hasIndexes { try write(Indexed.points(Indexed.replaced, salt: 1)) }
        }

        private mutating func write(_ write: Write) throws {
            let expected = try model.apply(write)
            if let database { #expect(try database.write(write) == expected) }
        }

        private static func notes(_ numbers: some Sequence<Int>, salt: Int = 0) -> Write {
            var input = UpsertInput(collection: "notes", listName: "records")
            for number in numbers {
                var document = DocumentInput("n\(number)")
                var chunk = ChunkInput()
                if number % 10 == 0 { chunk.text = "Note \(number), written \(salt) times before." }
                if number % 100 != 1 {
                    chunk.vectors = [VectorInput(space: nil, floats: input.floats.count..<input.floats.count + 20)]
                    input.floats += (0..<20).map { Float((number * 31 + $0 * 7 + salt) % 101) - 50 }
                }
                document.chunks = [chunk]
                input.documents.append(document)
            }
            return .upsert(input)
        }

        private static func document(_ id: String, parent: String? = nil, isFolder: Bool = false, chunks: Int = 0) -> Write {
            var input = UpsertInput([DocumentInput(id, parent: parent, isFolder: isFolder)], into: "everything")
            input.documents[0].title = "Über \(id)"
            input.documents[0].url = "https://example.com/\(id)"
            input.documents[0].mime = "text/markdown"
            input.documents[0].time = .string("2026-10-01T12:30:00.250+02:00")
            input.documents[0].fields = [
                (name: "k", value: .string("team")), (name: "ks", value: .strings(["a", "ü"])), (name: "i", value: .integer(-3)), (name: "f", value: .number(2.5)),
                (name: "b", value: .bool(true)), (name: "t", value: .string("1970-01-01T00:00:00Z")),
            ]
            for ordinal in 0..<chunks {
                var chunk = ChunkInput()
                chunk.text = ordinal == 1 ? "" : "Passage \(ordinal) of \(id)."
                chunk.heading = ordinal == 0 ? "\(id) › first" : nil
                for (space, dimension) in [(nil, 2), ("long", 3)] as [(String?, Int)] where ordinal < 2 || space == nil {
                    chunk.vectors.append(VectorInput(space: space, floats: input.floats.count..<input.floats.count + dimension))
                    input.floats += (0..<dimension).map { Float(ordinal + $0 + 1) / 4 }
                }
                input.documents[0].chunks.append(chunk)
            }
            return .upsert(input)
        }
    }

    /// The newest format is the one written now.
    enum Format: String, CaseIterable, CustomStringConvertible {
        case two = "2", three = "3"

        var description: String { rawValue }
        var hasIndexes: Bool { self != .two }
        var directory: String { "Tests/Golden/format-\(rawValue)/database" }
    }

    /// A collection whose segment has an index for each of its spaces, one of them with lines, and some rows out of force since.
    private enum Indexed {
        static let count = 300
        static let deleted = 10..<20
        static let replaced = 20..<30
        static let schema = CollectionSchema(
            name: "indexed",
            spaces: [
                SpaceSchema(name: "lines", dimension: 192, metric: .cosine, quantization: .line), SpaceSchema(name: "bytes", dimension: 12, metric: .l2),
                SpaceSchema(name: "products", dimension: 6, metric: .dot, index: .ivf),
            ], fields: [])

        static func points(_ numbers: Range<Int>, salt: Int = 0) -> Write {
            var input = UpsertInput(collection: "indexed", listName: "records")
            for number in numbers {
                var (document, chunk) = (DocumentInput("p\(number)"), ChunkInput())
                for space in schema.spaces {
                    let vector = vector(number, space, salt: salt)
                    chunk.vectors.append(VectorInput(space: space.name, floats: input.floats.count..<input.floats.count + vector.count))
                    input.floats += vector
                }
                document.chunks = [chunk]
                input.documents.append(document)
            }
            return .upsert(input)
        }

        static func vector(_ number: Int, _ space: SpaceSchema, salt: Int = 0) -> [Float] {
            var random = SeededRandom(seed: UInt64(number + 1000 * salt))
            return (0..<space.dimension).map { _ in Float(Int.random(in: -100...100, using: &random)) }
        }
    }

    @Test(arguments: Format.allCases)
    func `the database of a format is opened, whole, and holds what it held`(format: Format) throws {
        let frozen = try Self.read(format.directory)
        let report = try Database.verify(frozen.afterRestart())
        #expect(report.problems.isEmpty, "\(report.problems)")
        let script = try Script(format)
        let database = try TestDatabase.open(frozen.afterRestart())
        #expect(try script.model.difference(from: database.snapshot()) == nil)
        #expect(database.snapshots.map(\.name) == ["half-way"] && database.snapshots[0].sequence == script.atSnapshot.sequence)
        let half = try TestDatabase.open(Witness.extract(try database.manifestSnapshot("half-way"), database.store.databaseID, from: frozen))
        #expect(try script.atSnapshot.difference(from: half.snapshot()) == nil)
        // And it goes on.
        _ = try database.write(.put(DocumentInput("new"), into: "notes"))
        try database.optimize()
        #expect(try database.snapshot().collection("notes").overview.documentCount == script.model.collections["notes"]!.nodes.count + 1)  // It is in the script.
    }

    @Test(arguments: Format.allCases.filter(\.hasIndexes))
    func `the indexes of a format are taken for whole, and searched by`(format: Format) throws {
        let database = try TestDatabase.open(try Self.read(format.directory))
        let files = Self.indexes(of: database)
        #expect(files.count == Indexed.schema.spaces.count)
        while try database.maintainIndexes() {}
        #expect(Self.indexes(of: database) == files, "none was built again")
        let (collection, model) = (try database.snapshot().collection("indexed"), try Script(format).model.collections["indexed"]!)  // It is in the script.
        for (place, space) in Indexed.schema.spaces.enumerated() {
            var found = 0
            for number in 40..<80 {
                var input = SearchInput(Indexed.vector(number, space))
                (input.space, input.effort) = (space.name, .width(60))
                let result = try collection.search(input)
                #expect(!result.plan.isExact && result.plan.kind == (space.index == .ivf ? .lists : .graph))
                let nearest = model.search(space: place, query: input.floats, k: 10, filter: nil, under: nil, minScore: nil).map(\.id)
                let ids = result.hits[0].map { Text(bytes: Array(copying: collection.document(of: $0).id)) }
                #expect(ids.count == 10 && Set(ids).count == 10 && ids.allSatisfy { model.nodes[$0] != nil })
                found += Set(ids).intersection(nearest).count
            }
            #expect(found >= 370, "\(space.name): of 400 the nearest \(found)")
        }
    }

    private static func indexes(of database: Database) -> [FileReference] {
        let collections = database.snapshot().allCollections.filter { $0.schema.name == "indexed" }
        return collections.flatMap { $0.state.sealed }.flatMap { $0.segment?.record.indexes ?? [] }.map(\.file)
    }

    /// Only with `NEEDLETAIL_NEW_GOLDEN=1`, when a format is new: see `tools/golden`.
    @Test(.enabled(if: TestCycles("NEEDLETAIL_NEW_GOLDEN", otherwise: 0).count == 1, "writes a new golden database"))
    func `a golden database is written`() throws {
        var sizes = DatabaseSizes()
        sizes.reserveBytes = 1
        sizes.indexedRowsMin = Indexed.count
        let (random, format) = (SharedRandom(seed: 2), Format.allCases.last!)  // There is one.
        let disk = try FileSystemDisk(path: format.directory)
        let database = try Database(disk: disk, sizes: sizes, randomness: { random.next() })
        _ = try Script(format, database)
        try database.close()
        // Space, and nothing else.
        try disk.remove(Reserve.name)
    }

    /// The files of a directory, relative to the package, in a disk that can be written to.
    private static func read(_ path: String) throws -> FaultyDisk {
        let directory = try FileSystemDisk(path: path)
        let disk = FaultyDisk()
        for name in try directory.list() {
            let bytes = try directory.open(name).map()
            disk[name] = Array(copying: bytes.bytes)
        }
        return disk
    }
}
