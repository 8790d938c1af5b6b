// What lies in a database's directory, as its files say, for people who look at it: also while a daemon uses it.
import Memory
package import Storage

/// A directory's files as of one manifest. What the log adds to them is told as sequences, not replayed.
package struct DatabaseInspection: Equatable, Sendable {
    package struct LogFile: Equatable, Sendable {
        package var name: String
        package var byteCount: Int
        /// Sequences of its records; empty in a file that has none yet, nil where its header cannot be read.
        package var records: Range<UInt64>?
    }

    package struct Column: Equatable, Sendable {
        package var name: String
        package var count: Int
        package var storedBytes: Int
        package var rawBytes: Int
    }

    /// A catalog, a segment or an index.
    package struct File: Equatable, Sendable {
        package var name: String
        package var byteCount: UInt64
        /// Chunks in a segment; 0 in a catalog.
        package var rows: Int
        package var chunks: Range<UInt64>
        /// What an index is of; nil in others.
        package var indexed: IndexedSpace?
        package var columns: [Column]
        /// Why there are no columns.
        package var damage: String?
    }

    /// A space of a segment.
    package struct IndexedSpace: Equatable, Sendable {
        package var segment: String
        package var space: String
    }

    package struct Collection: Equatable, Sendable {
        package var number: UInt32
        package var schema: CollectionSchema
        /// In force at the covered sequence; nil where the catalog cannot be read.
        package var documents: Int?
        package var folders: Int?
        package var files: [File]
    }

    package var manifest: String
    package var manifestBytes: Int
    package var edits: Int
    package var databaseID: UInt64
    package var nextFileNumber: UInt64
    /// Everything up to it is in catalogs and segments.
    package var coveredSequence: UInt64
    package var logFiles: [LogFile]
    package var collections: [Collection]
    /// Users, groups, agents and access objects: files as a catalog's.
    package var directory: [File] = []
    package var snapshots: [SnapshotInfo]
    /// Files that no manifest names, and others.
    package var unnamed: [String]
}

extension Database {
    /// Looks into a directory, held or not, and changes nothing; nil where there is no database. Files that a daemon removes while it
    /// is being looked at are looked for once more, in what the manifest says by then.
    package static func inspect(_ disk: any Disk) throws(LogError) -> DatabaseInspection? {
        for _ in 0..<4 {
            guard let found = try foundManifest(disk) else { return nil }
            let inspection: DatabaseInspection
            do throws(LogError) { inspection = try DatabaseInspection(found, disk) } catch {
                if case .disk = error, try foundManifest(disk)?.contents != found.contents { continue }
                throw error
            }
            let isOfOneTime = (inspection.collections.flatMap(\.files) + inspection.directory).allSatisfy { $0.damage == nil }
            if isOfOneTime { return inspection }
            if try foundManifest(disk)?.contents == found.contents { return inspection }
        }
        throw .disk(DiskError(operation: "inspect", path: disk.path, errno: 0, reason: "its files change faster than they can be looked at: try again"))
    }

    private static func foundManifest(_ disk: any Disk) throws(LogError) -> FoundManifest? {
        do throws(LogError) { return try FoundManifest(in: disk) } catch {
            // It may have given way to the next between the listing of its name and its opening, or been written to while it was
            // read. What is wrong with it is wrong the second time too.
            return try FoundManifest(in: disk)
        }
    }
}

extension DatabaseInspection {
    fileprivate init(_ found: FoundManifest, _ disk: any Disk) throws(LogError) {
        let contents = found.contents
        manifest = found.name
        manifestBytes = found.byteCount
        edits = found.editCount
        databaseID = contents.databaseID
        nextFileNumber = contents.nextFileNumber
        coveredSequence = contents.version.coveredSequence
        snapshots = contents.snapshots.map(SnapshotInfo.init)
        logFiles = try contents.logFiles.map { number throws(LogError) in
            do throws(DiskError) {
                let summary = try LogFileSummary(number, on: disk)
                return LogFile(name: FileKind.log.name(number), byteCount: summary.byteCount, records: summary.records)
            } catch { throw .disk(error) }
        }
        collections = []
        if let stored = contents.version.collections[DirectoryChange.collectionNumber] {
            directory = stored.catalog.map { reference in File.open(.catalog, reference, contents.databaseID, disk) { "store \($0 / 2)\($0 % 2 == 0 ? " places" : "")" }.0 }
        }
        for stored in contents.version.collections.values.sorted(by: { $0.number < $1.number }) where stored.number != DirectoryChange.collectionNumber {
            do throws(Corruption) { collections.append(try Collection(stored, contents.databaseID, disk)) } catch { throw .corruption(error) }
        }
        let named = contents.namedFiles()
        do { unnamed = try disk.list().filter { !named.contains($0) && $0 != found.name && $0 != Reserve.name } } catch { throw .disk(error) }
    }
}

extension DatabaseInspection.Collection {
    fileprivate init(_ stored: ManifestCollection, _ databaseID: UInt64, _ disk: any Disk) throws(Corruption) {
        number = stored.number
        do throws(Corruption) {
            // Sound: bytes have no invalid pattern.
            var reader = ByteReader(unsafe stored.schema.span.bytes)
            schema = try CollectionSchema(decoding: &reader)
        } catch { throw error.located(in: "manifest", base: 0) }
        let schema = schema
        files = []
        var catalogs: [ColumnFile] = []
        for reference in stored.catalog {
            let (file, opened) = DatabaseInspection.File.open(.catalog, reference, databaseID, disk) { CatalogStore.columnName($0, schema) }
            files.append(file)
            if let opened { catalogs.append(opened) }
        }
        for segment in stored.segments {
            var (file, _) = DatabaseInspection.File.open(.segment, segment.file, databaseID, disk) { SegmentColumn.name($0, schema) }
            file.rows = Int(segment.rowCount)
            file.chunks = segment.firstChunk..<segment.endChunk
            files.append(file)
            for index in segment.indexes { files.append(.open(index, of: file.name, schema, databaseID, disk)) }
        }
        guard catalogs.count == stored.catalog.count else { return }
        do throws(Corruption) {
            let catalog = try CatalogFile.read(catalogs, schema: schema)
            folders = catalog.documents.folderCount
            documents = catalog.documents.liveCount - catalog.documents.folderCount
        } catch {
            if let index = files.firstIndex(where: { $0.name == error.file }) { files[index].damage = "\(error)" }
        }
    }
}

extension DatabaseInspection.File {
    fileprivate static func open(
        _ kind: ColumnFileKind, _ reference: FileReference, _ databaseID: UInt64, _ disk: any Disk, name: (UInt32) -> String
    ) -> (DatabaseInspection.File, ColumnFile?) {
        var file = DatabaseInspection.File(name: kind.fileName(reference.number), byteCount: reference.byteCount, rows: 0, chunks: 0..<0, columns: [])
        do throws(ColumnFileError) {
            let opened = try ColumnFile(disk: disk, kind: kind, reference: reference, databaseID: databaseID)
            file.columns = opened.columns.map {
                DatabaseInspection.Column(name: name($0.id), count: $0.count, storedBytes: $0.storedBytes, rawBytes: $0.rawBytes)
            }
            return (file, opened)
        } catch {
            file.damage = "\(error)"
            return (file, nil)
        }
    }

    fileprivate static func open(
        _ index: ManifestIndex, of segment: String, _ schema: CollectionSchema, _ databaseID: UInt64, _ disk: any Disk
    ) -> DatabaseInspection.File {
        var (file, _) = open(.index, index.file, databaseID, disk) { "column \($0)" }
        let space = Int(index.space) < schema.spaces.count ? schema.spaces[Int(index.space)].name : "\(index.space)"
        file.indexed = DatabaseInspection.IndexedSpace(segment: segment, space: space)
        return file
    }
}

// MARK: What columns are called

extension SegmentColumn {
    fileprivate static func name(_ id: UInt32, _ schema: CollectionSchema) -> String {
        switch id {
        case counts: return "counts"
        case documents: return "documents"
        case versions: return "versions"
        case chunks: return "chunks"
        case parts: return "parts"
        case texts: return "texts"
        case headings: return "headings"
        case access: return "access"
        default: break
        }
        let space = id < 16 ? Int.max : Int(id - 16) / 2
        guard space < schema.spaces.count else { return "column \(id)" }
        return (id % 2 == 0 ? "vectors " : "factors ") + schema.spaces[space].name
    }
}

extension CatalogStore {
    /// The pages of a store, or where in it they go.
    fileprivate static func columnName(_ id: UInt32, _ schema: CollectionSchema) -> String {
        storeName(id / 2, schema) + (id % 2 == 0 ? " places" : "")
    }

    private static func storeName(_ store: UInt32, _ schema: CollectionSchema) -> String {
        switch store {
        case idStrings: return "ids"
        case idRanges: return "id ranges"
        case versions: return "versions"
        case rows: return "rows"
        case texts: return "texts"
        case access: return "access"
        default: break
        }
        let index = store < 8 ? Int.max : Int(store - 8) / 8
        let parts = ["values", "present", "keywords", "keyword ranges", "lists"]
        guard index < schema.fields.count, Int(store % 8) < parts.count else { return "store \(store)" }
        return "field \(schema.fields[index].name) " + parts[Int(store % 8)]
    }
}
