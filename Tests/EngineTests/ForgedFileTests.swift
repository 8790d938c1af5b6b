// Files that say what cannot be, under checksums that fit: refused when the database is opened, or quarantined when touched.
@testable import Engine
import Memory
import Storage
import Testing
import TestSupport

@Suite struct ForgedFileTests {
    /// Three nodes: a folder `f` (0), a document `d` (1) under it, and a document `a` (2). One catalog file, one segment.
    private struct Forged {
        var contents: ManifestContents
        private let disk = FaultyDisk()

        init() throws {
            let database = try TestDatabase.open(disk)
            _ = try database.write(.createCollection(.everything()))
            _ = try database.write(.put(DocumentInput("f", isFolder: true)))
            for (id, parent) in [("d", "f"), ("a", nil)] as [(String, String?)] {
                var input = UpsertInput(id, vectors: [(nil, [1, 2]), ("long", [1, 2, 3])])
                input.documents[0].parent = parent
                input.documents[0].fields = [(name: "f", value: .number(0.5))]
                input.documents[0].chunks[0].text = "text of \(id)"
                _ = try database.write(.upsert(input))
            }
            try database.checkpoint()
            try database.close()
            contents = try #require(try Manifest.load(disk))
            contents.logFiles = []
        }

        /// Changes one plain column of the catalog or the segment.
        mutating func change(_ kind: ColumnFileKind, _ column: UInt32, _ change: (inout [UInt8]) -> Void) throws {
            try rewrite(kind) { id, bytes in if id == column { change(&bytes) } } items: { _ in }
        }

        /// Changes what the manifest says of the collection.
        mutating func change(_ change: (inout ManifestCollection) -> Void) throws {
            var collection = try #require(contents.version.collections[1])
            change(&collection)
            contents.version.collections[1] = collection
        }

        mutating func rewrite(
            _ kind: ColumnFileKind, plain: (UInt32, inout [UInt8]) -> Void, items: (inout [[UInt8]]) -> Void
        ) throws {
            var collection = try #require(contents.version.collections[1])
            let reference = kind == .catalog ? collection.catalog[0] : collection.segments[0].file
            let file = try ColumnFile(disk: disk, kind: kind, reference: reference, databaseID: contents.databaseID)
            disk[kind.fileName(reference.number)] = nil
            let writer = try ColumnFileWriter(disk: disk, kind: kind, number: reference.number, databaseID: contents.databaseID)
            for summary in file.columns {
                if let column = file.column(summary.id) {
                    var bytes = Array(copying: try column.bytes(0..<column.byteCount))
                    plain(summary.id, &bytes)
                    writer.beginColumn(summary.id, elementBytes: column.elementBytes)
                    try writer.append(bytes.rawSpan)
                    writer.endColumn()
                } else if let column = file.packed(summary.id) {
                    var reader = BlockReader()
                    var all: [[UInt8]] = []
                    for index in 0..<column.count { all.append(Array(copying: try column.read(index, with: &reader))) }
                    items(&all)
                    writer.beginPackedColumn(summary.id)
                    for item in all { try writer.appendItem(item.rawSpan) }
                    try writer.endPackedColumn()
                }
            }
            let written = try writer.finish()
            if kind == .catalog { collection.catalog[0] = written } else { collection.segments[0].file = written }
            contents.version.collections[1] = collection
        }

        func open() throws(LogError) -> Database {
            for name in disk.names where FileKind.manifest.number(name) != nil { disk[name] = nil }
            let manifest = Manifest.encode(contents, salt: 5)
            let disk = disk.afterRestart()
            disk[manifest.name] = manifest.bytes
            return try TestDatabase.open(disk)
        }

        /// Opens it, which must be refused; returns the file that is named.
        func refusal() -> String? {
            do throws(LogError) { _ = try open() } catch {
                if case .corruption(let corruption) = error { return corruption.file }
            }
            return nil
        }

        var catalogName: String { FileKind.catalog.name(contents.version.collections[1]?.catalog[0].number ?? 0) }
    }

    private static func set<T: FixedWidthInteger & BitwiseCopyable>(_ bytes: inout [UInt8], at offset: Int, to value: T) {
        for index in 0..<T.bitWidth / 8 { bytes[offset + index] = UInt8(truncatingIfNeeded: value >> T(8 * index)) }
    }

    /// The column with the pages of a store.
    private static func pages(_ store: UInt32) -> UInt32 { 2 * store + 1 }

    @Test func `what is forged without a change opens`() throws {
        var forged = try Forged()
        try forged.rewrite(.catalog) { _, _ in } items: { _ in }
        try forged.rewrite(.segment) { _, _ in } items: { _ in }
        let collection = try forged.open().snapshot().collection("c")
        #expect(collection.overview.documentCount == 2 && collection.overview.folderCount == 1)
        #expect(try collection.search(SearchInput([1, 2])).hits[0].count == 2)
        #expect(collection.damage == nil)
    }

    // MARK: Refused

    /// A number in a node's row: the node, where in the row, and what it is to be.
    @Test(arguments: [
        ("a node under itself", 1, 40, 2), ("a node under one of its own", 0, 40, 2), ("a node under one that is not there", 1, 40, 4),
        ("too few children", 0, 44, 0), ("too many children", 2, 44, 1), ("no version after this one", 1, 36, UInt32.max),
        ("chunks that the log will number", 1, 32, 3), ("chunks without end", 2, 32, UInt32.max),
    ] as [(String, Int, Int, UInt32)])
    func `a row that does not fit its table is refused`(what: String, node: Int, offset: Int, value: UInt32) throws {
        var forged = try Forged()
        try forged.change(.catalog, Self.pages(CatalogStore.rows)) { Self.set(&$0, at: 88 * node + offset, to: value) }
        if offset == 36 { try forged.change(.catalog, Self.pages(CatalogStore.versions)) { Self.set(&$0, at: 4 * node, to: value) } }
        #expect(forged.refusal() == forged.catalogName, "\(what)")
    }

    @Test func `two nodes in a circle are refused though each is counted as the other's child`() throws {
        var forged = try Forged()
        try forged.change(.catalog, Self.pages(CatalogStore.rows)) { bytes in
            for node in 0..<2 { Self.set(&bytes, at: 88 * node + 40, to: UInt32(2 - node)) }
            for node in 0..<2 { Self.set(&bytes, at: 88 * node + 44, to: 1 as UInt32) }
        }
        #expect(forged.refusal() == forged.catalogName)
    }

    @Test func `a node under a deleted one is refused`() throws {
        var forged = try Forged()
        try forged.change(.catalog, Self.pages(CatalogStore.versions)) { Self.set(&$0, at: 0, to: 0 as UInt32) }
        #expect(forged.refusal() == forged.catalogName)
    }

    @Test(arguments: [[0x66, 0x66, 0x61], [0x66, 0xFF, 0x61]] as [[UInt8]])
    func `an id twice, or one that is no text, is refused`(ids: [UInt8]) throws {
        var forged = try Forged()
        try forged.change(.catalog, Self.pages(CatalogStore.idStrings)) { $0 = ids }
        #expect(forged.refusal() == forged.catalogName)
    }

    @Test func `a number that no request could have given is refused`() throws {
        var forged = try Forged()
        let field = try #require(CollectionSchema.everything().fieldIndex("f"))
        try forged.change(.catalog, Self.pages(CatalogStore.field(field))) { Self.set(&$0, at: 8, to: Double.nan.bitPattern) }
        #expect(forged.refusal() == forged.catalogName)
    }

    @Test func `segments that overlap, lie where chunks cannot, or have an index of no space, are refused`() throws {
        let changes: [(inout ManifestCollection) -> Void] = [
            { $0.segments.append(ManifestSegment(file: FileReference(number: 90, byteCount: 1, checksum: 0), firstChunk: 1, endChunk: 2, rowCount: 0)) },
            { $0.segments[0].endChunk = 3 }, { $0.segments[0].endChunk = .max },
            { collection in
                collection.state = [0, 0, 0, 0, 0, 0, 0, 0x10]
                collection.segments[0].endChunk = 1 << 33
            },
            { $0.segments.removeAll() }, { $0.segments[0].rowCount = 1 },
            { $0.segments[0].set(ManifestIndex(space: 2, file: FileReference(number: 90, byteCount: 1, checksum: 0))) },
        ]
        for (index, change) in changes.enumerated() {
            var forged = try Forged()
            try forged.change(change)
            forged.contents.nextFileNumber = 91
            #expect(forged.refusal() == "manifest", "\(index)")
        }
    }

    @Test func `a schema that no request could have given is refused`() throws {
        var forged = try Forged()
        // Behind the name's length.
        try forged.change { $0.schema[4] = UInt8(ascii: "?") }
        #expect(forged.refusal() == "manifest")
    }

    @Test func `where no number is left for a collection, none is made`() throws {
        var forged = try Forged()
        forged.contents.version.nextCollectionNumber = .max
        let database = try forged.open()
        #expect { try database.write(.createCollection(.everything(name: "other"))) } throws: { ($0 as? EngineError)?.code == .limitExceeded }
    }

    // MARK: Quarantined

    /// Reads, searches and joins: one of them finds the damage, and none anything worse.
    private static func use(_ database: Database) throws {
        let collection = try database.snapshot().collection("c")
        func attempt(_ body: () throws(EngineError) -> Void) {
            do throws(EngineError) { try body() } catch {
                #expect(error.code == .dataDamaged, "\(error)")
            }
        }
        for id in ["d", "a"] {
            attempt { () throws(EngineError) in
                guard let chunk = try collection.node(id)?.chunk(0) else { return }
                var reader = ChunkReader()
                _ = try chunk.text(with: &reader)
                _ = try chunk.vector(space: 0, dimension: 2)
            }
        }
        attempt { () throws(EngineError) in
            for hit in try collection.search(SearchInput([1, 2])).hits[0] {
                #expect(hit.score.isFinite)
                _ = try collection.chunk(of: hit)
            }
        }
        attempt { () throws(EngineError) in
            _ = try database.write(.delete(DeleteInput(collection: "c", ids: ["a"])))
            try database.optimize()
        }
        #expect(try database.snapshot().collection("c").damage?.segments == 1)
    }

    @Test func `rows of documents that there are not quarantine their segment`() throws {
        var forged = try Forged()
        try forged.change(.segment, SegmentColumn.documents) { Self.set(&$0, at: 4, to: 3 as UInt32) }
        try Self.use(try forged.open())
    }

    @Test func `rows of other versions than those in force quarantine their segment before they are left out`() throws {
        var forged = try Forged()
        try forged.change(.segment, SegmentColumn.versions) { Self.set(&$0, at: 0, to: 9 as UInt32) }
        try Self.use(try forged.open())
    }

    @Test(arguments: [Float.nan, .infinity])
    func `vectors that cannot be compared quarantine their segment`(number: Float) throws {
        var forged = try Forged()
        try forged.change(.segment, SegmentColumn.vectors(0)) { Self.set(&$0, at: 0, to: number.bitPattern) }
        try Self.use(try forged.open())
    }

    @Test func `factors that make scores of no number quarantine their segment`() throws {
        var forged = try Forged()
        try forged.change(.segment, SegmentColumn.factors(0)) { Self.set(&$0, at: 0, to: Float.infinity.bitPattern) }
        try Self.use(try forged.open())
    }

    @Test func `texts that are none quarantine their segment`() throws {
        var forged = try Forged()
        try forged.rewrite(.segment) { _, _ in } items: { $0[0] = [0xFF] }
        try Self.use(try forged.open())
    }
}
