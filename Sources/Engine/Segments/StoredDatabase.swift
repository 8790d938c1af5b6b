// What the files of a database hold, brought together when it is opened.
import Memory
import Storage

/// The state up to the last checkpoint: catalogs read, segments mapped.
struct StoredDatabase {
    let writer: Writer
    /// By collection, as the files have it.
    let catalogs: [UInt32: Catalog]
    /// As the files have it; nil where there are none.
    let directory: Directory?

    /// A damaged catalog is refused: without it nobody knows what is missing. A damaged segment is only not served.
    init(_ contents: ManifestContents, disk: any Disk) throws(LogError) {
        try Self.checkNamed(contents, disk)
        var states: [CollectionState] = []
        var catalogs: [UInt32: Catalog] = [:]
        directory = try contents.version.collections[DirectoryChange.collectionNumber].map { stored throws(LogError) in
            try Self.directory(stored, contents.databaseID, disk)
        }
        for stored in contents.version.collections.values.sorted(by: { $0.number < $1.number }) where stored.number != DirectoryChange.collectionNumber {
            let state = try CollectionState(stored, directory ?? Directory(), contents.databaseID, disk)
            guard !states.contains(where: { $0.schema.name.isExactly(state.schema.name) }) else {
                throw .corruption(Corruption(file: "manifest", offset: 0, expected: "one collection named \(state.schema.name)"))
            }
            catalogs[state.number] = state.catalog
            states.append(state)
        }
        writer = Writer(
            collections: states, directory: directory ?? Directory(), nextNumber: contents.version.nextCollectionNumber, sequence: contents.version.coveredSequence)
        self.catalogs = catalogs
    }
}

extension StoredDatabase {
    private static func directory(_ stored: ManifestCollection, _ databaseID: UInt64, _ disk: any Disk) throws(LogError) -> Directory {
        let files = try stored.catalog.map { reference throws(LogError) in try CollectionState.open(reference, databaseID, disk) }
        guard stored.segments.isEmpty else { throw .corruption(Corruption(file: "manifest", offset: 0, expected: "a directory without segments")) }
        do throws(Corruption) { return try CatalogFile.readDirectory(files) } catch { throw .corruption(error) }
    }

    /// A file was durable before it was named: one that is not there was lost or taken away.
    private static func checkNamed(_ contents: ManifestContents, _ disk: any Disk) throws(LogError) {
        let found: [String]
        do { found = try disk.list() } catch { throw .disk(error) }
        let catalogs = contents.version.collections.values.flatMap(\.catalog).map { FileKind.catalog.name($0.number) }
        if let missing = Set(catalogs).subtracting(found).min() {
            throw .corruption(Corruption(file: missing, offset: 0, expected: "a file, which the manifest names"))
        }
    }
}

extension CollectionState {
    fileprivate init(_ stored: ManifestCollection, _ directory: Directory, _ databaseID: UInt64, _ disk: any Disk) throws(LogError) {
        let files = try stored.catalog.map { reference throws(LogError) in try Self.open(reference, databaseID, disk) }
        var catalog: Catalog
        let (schema, nextChunk): (CollectionSchema, Int)
        do throws(Corruption) {
            (schema, nextChunk) = try Self.decode(stored)
            try Self.check(stored.segments, nextChunk: nextChunk, schema)
            catalog = try CatalogFile.read(files, schema: schema)
            try catalog.check(nextChunk: nextChunk, directory, file: files.last?.name ?? "manifest")
        } catch { throw .corruption(error) }
        if let name = schema.defaultAccess {
            guard let number = directory.access(name) else { throw .corruption(Corruption(file: "manifest", offset: 0, expected: "the access object \(name) in the directory")) }
            catalog.documents.setDefaultAccess(number)
        }
        let sealed = stored.segments.map {
            ChunkPart(
                rows: .segment(Segment($0, schema: schema, documentCount: catalog.documents.count, disk: disk, databaseID: databaseID)), liveCount: 0)
        }
        self.init(number: stored.number, schema: schema, catalog: catalog, sealed: sealed, nextChunk: nextChunk)
    }

    /// Segments rise without touching one another, what they hold can be counted, and their indexes are of spaces that there are.
    private static func check(_ segments: [ManifestSegment], nextChunk: Int, _ schema: CollectionSchema) throws(Corruption) {
        var end: UInt64 = 0
        var rows: UInt64 = 0
        for segment in segments {
            guard segment.firstChunk >= end, segment.endChunk <= UInt64(nextChunk), segment.endChunk - segment.firstChunk <= UInt64(UInt32.max) else {
                throw Corruption(file: "manifest", offset: 0, expected: "a segment between the chunks \(end) and \(nextChunk)")
            }
            if let index = segment.indexes.last, Int(index.space) >= schema.spaces.count {
                throw Corruption(file: "manifest", offset: 0, expected: "an index of one of \(schema.spaces.count) spaces, found \(index.space)")
            }
            end = segment.endChunk
            rows += UInt64(segment.rowCount)
        }
        guard rows <= Self.foundRowsMax else { throw Corruption(file: "manifest", offset: 0, expected: "at most \(Self.foundRowsMax) rows, found \(rows)") }
    }

    /// A search numbers rows with 32 bits, those of the head behind all others.
    private static let foundRowsMax = UInt64(UInt32.max - 1 << 24)

    private static func decode(_ stored: ManifestCollection) throws(Corruption) -> (CollectionSchema, nextChunk: Int) {
        do throws(Corruption) {
            // Sound, both: bytes have no invalid pattern.
            var schemaReader = ByteReader(unsafe stored.schema.span.bytes)
            let schema = try CollectionSchema(decoding: &schemaReader)
            try schemaReader.finish()
            do throws(EngineError) { try schema.validate() } catch { throw Corruption(offset: 0, expected: "a schema that is allowed: \(error.message)") }
            var reader = ByteReader(unsafe stored.state.span.bytes)
            let nextChunk: UInt64 = try reader.read()
            try reader.finish()
            guard nextChunk <= DocumentTable.chunksMax else { throw Corruption(offset: 0, expected: "a chunk number") }
            return (schema, Int(nextChunk))
        } catch { throw error.located(in: "manifest", base: 0) }
    }

    fileprivate static func open(_ reference: FileReference, _ databaseID: UInt64, _ disk: any Disk) throws(LogError) -> ColumnFile {
        do throws(ColumnFileError) {
            return try ColumnFile(disk: disk, kind: .catalog, reference: reference, databaseID: databaseID)
        } catch {
            switch error {
            case .corruption(let corruption): throw .corruption(corruption)
            case .disk(let disk): throw .disk(disk)
            }
        }
    }
}

extension Catalog {
    /// No chunk is one that the log is still to give a number. (Which segment has it is asked after the log: see
    /// `Writer.checkWhole`.)
    fileprivate func check(nextChunk: Int, _ directory: Directory, file: String) throws(Corruption) {
        for page in 0..<documents.access.pageCount {
            let cells = documents.access.page(page)
            for place in cells.indices where cells[place] > directory.accessMax {
                throw Corruption(file: file, offset: 0, expected: "one of \(directory.accessMax) access objects, found \(cells[place])")
            }
        }
        var wrong: Int?
        documents.forEachLive { number, row in
            if row.chunkCount > 0, row.firstChunk + UInt64(row.chunkCount) > UInt64(nextChunk) { wrong = wrong ?? number }
        }
        if let wrong { throw Corruption(file: file, offset: 0, expected: "chunks below \(nextChunk) of document \(wrong)") }
    }
}
