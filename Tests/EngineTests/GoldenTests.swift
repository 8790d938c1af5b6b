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
        init(_ database: Database? = nil) throws {
            self.database = database
            try write(.createCollection(.everything(name: "everything")))
            try write(.createCollection(CollectionSchema(name: "gone", spaces: [SpaceSchema(dimension: 1, metric: .dot)], fields: [])))
            try write(.createCollection(CollectionSchema(name: "notes", spaces: [SpaceSchema(dimension: 20, metric: .cosine)], fields: [])))
            for part in 0..<3 { try write(Self.notes(part * 1000..<part * 1000 + 1000)) }
            try write(Self.document("handbook", isFolder: true))
            try write(Self.document("rota", parent: "handbook", chunks: 3))
            try database?.checkpoint()
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
    private static let formats = ["2"]

    @Test(arguments: formats)
    func `the database of a format is opened, whole, and holds what it held`(format: String) throws {
        let frozen = try Self.read("Tests/Golden/format-\(format)/database")
        let report = try Database.verify(frozen.afterRestart())
        #expect(report.problems.isEmpty, "\(report.problems)")
        let script = try Script()
        let database = try TestDatabase.open(frozen.afterRestart())
        #expect(try script.model.difference(from: database.snapshot()) == nil)
        #expect(database.snapshots.map(\.name) == ["half-way"] && database.snapshots[0].sequence == script.atSnapshot.sequence)
        let half = try TestDatabase.open(Witness.extract(try database.manifestSnapshot("half-way"), database.store.databaseID, from: frozen))
        #expect(try script.atSnapshot.difference(from: half.snapshot()) == nil)
        // And it goes on.
        _ = try database.write(.put(DocumentInput("new"), into: "notes"))
        try database.optimize()
        #expect(try database.snapshot().collection("notes").documentCount == script.model.collections["notes"]!.nodes.count + 1)  // It is in the script.
    }

    /// Only with `NEEDLETAIL_NEW_GOLDEN=1`, when a format is new.
    @Test(.enabled(if: TestCycles("NEEDLETAIL_NEW_GOLDEN", otherwise: 0).count == 1, "writes a new golden database"))
    func `a golden database is written`() throws {
        var sizes = DatabaseSizes()
        sizes.reserveBytes = 1
        let random = SharedRandom(seed: 2)
        let database = try Database(disk: FileSystemDisk(path: "Tests/Golden/format-\(Self.formats.last!)/database"), sizes: sizes, randomness: { random.next() })  // There is one.
        _ = try Script(database)
        try database.close()
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
