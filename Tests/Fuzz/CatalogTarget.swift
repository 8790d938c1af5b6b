// Databases whose files say anything under checksums that fit: they open or are refused, and what opens can be used.
@testable import Engine
import Memory
@testable import Storage
import TestSupport
@testable import Wire

extension FuzzTarget {
    /// An input is a list of changes to the columns of a database's catalog and segment files, and to what its manifest says
    /// (`ForgedDatabase`).
    static let catalog = FuzzTarget(name: "catalog", seeds: { ForgedDatabase.seeds }) { input in
        let disk = ForgedDatabase(input).write()
        guard let database = open(disk) else { return }
        CatalogUse.readAll(database)
        CatalogUse.writeSome(to: database)
        CatalogUse.readAll(database)
        CatalogUse.maintain(database)
        CatalogUse.readAll(database)
        guard let again = open(disk.afterRestart()) else { return }
        CatalogUse.readAll(again)
    }

    private static func open(_ disk: FaultyDisk) -> Database? {
        do throws(LogError) { return try RequestScript.database(disk) } catch {
            guard case .corruption = error else { violated("only corruption keeps a database from opening on a disk that works: \(error)") }
            return nil
        }
    }
}

/// Everything that a database may be asked, on one that may be damaged.
private enum CatalogUse {
    /// Whatever there is, and requests of the kinds that read.
    static func readAll(_ database: Database) {
        let snapshot = database.snapshot()
        for name in snapshot.collectionNames {
            let collection: CollectionSnapshot
            do throws(EngineError) { collection = try snapshot.collection(name, for: Caller(user: "user:ana")) } catch { violated("a collection that is named is there: \(error)") }
            for answer in CollectionAnswers.all(collection) { RequestScript.checkAnswer(answer) }
        }
        RequestScript.run(reads, on: database)
    }

    static func writeSome(to database: Database) { RequestScript.run(writes, on: database) }

    /// Files that turn out to be damaged are left as they are; nothing else may go wrong.
    static func maintain(_ database: Database) {
        do throws(EngineError) {
            try database.checkpoint()
            try database.optimize()
        } catch { guard error.code == .dataDamaged else { violated("only damage keeps a checkpoint from being made: \(error)") } }
    }

    private static let reads: [[UInt8]] = [
        #"{"id":1,"op":"read","collection":"kb","document":"d"}"#,
        #"{"id":1,"op":"search","collection":"kb","vector":[1,2,3,4],"k":5,"filter":{"$or":[{"team":"cs"},{"tags":"x"},{"year":{"$gt":0}}]},"under":["f"],"with":["text","vector"]}"#,
        #"{"id":1,"op":"count","collection":"kb","filter":{"$not":{"weight":{"$lt":1}}},"under":["f"]}"#,
        #"{"id":1,"op":"collection.describe","name":"kb"}"#, #"{"id":1,"op":"collection.list"}"#,
        #"{"id":1,"op":"server.stats"}"#,
    ].map { Array($0.utf8) }

    private static let writes: [[UInt8]] = [
        #"{"id":1,"op":"patch","collection":"kb","ids":["d","f"],"title":"T2","url":null,"set":{"team":"hr"},"unset":["year"]}"#,
        #"{"id":1,"op":"patch","collection":"kb","ids":["d"],"parent":"g"}"#,
        #"{"id":1,"op":"upsert","collection":"kb","documents":[{"id":"d","parent":"e","chunks":[{"text":"new","vector":[1,2,3,4]}]}]}"#,
        #"{"id":1,"op":"upsert","collection":"kb","documents":[{"id":"n","parent":"f","chunks":[{"text":"one","vector":[4,3,2,1]}]},{"id":"f","kind":"folder","parent":"n2"}]}"#,
        #"{"id":1,"op":"delete","collection":"kb","ids":["a"]}"#, #"{"id":1,"op":"delete","collection":"kb","under":"g"}"#,
        #"{"id":1,"op":"upsert","collection":"kb","records":[{"id":"a","vector":[0,0,0,1],"fields":{"tags":["x","z"]}}]}"#,
        #"{"id":1,"op":"collection.create","name":"second","dim":2,"metric":"dot"}"#,
    ].map { Array($0.utf8) }
}

/// A database with a catalog in two files and two segments, and changes to it.
private struct ForgedDatabase {
    private var choices: Choices
    private var contents = Self.original.contents
    private var files = Self.original.files
    private static let changesMax = 8
    private static let collection: UInt32 = 1

    private struct File {
        var kind: ColumnFileKind
        var number: UInt64
        var columns: [(id: UInt32, column: Column)]
    }

    private enum Column {
        case plain(elementBytes: Int, [UInt8])
        case packed([[UInt8]])
    }

    private enum Change: UInt8, CaseIterable {
        case bytes, number, shorten, lengthen, remove, elementBytes, move, segment, state, schema, fileNumbers
    }

    init(_ input: [UInt8]) { choices = Choices(input) }

    /// Each kind of change, and nothing changed.
    static var seeds: [[UInt8]] {
        var seeds: [[UInt8]] = [[]]
        for change in Change.allCases {
            for place in 0..<12 as Range<UInt8> { seeds.append([change.rawValue, place % 4, place, 5 * place, 0, place, 0, 1, 2, 3, 4, 5, 6, 7, 8]) }
        }
        return seeds
    }

    /// The database's disk.
    consuming func write() -> FaultyDisk {
        var changes = 0
        while !choices.isEmpty, changes < Self.changesMax, let change = Change(rawValue: choices.byte() % UInt8(Change.allCases.count)) {
            make(change)
            changes += 1
        }
        let disk = FaultyDisk()
        do throws(DiskError) {
            for file in files { rename(file, to: try Self.write(file, contents.databaseID, to: disk)) }
        } catch { violated("a disk in memory works: \(error)") }
        let (name, bytes) = Manifest.encode(contents, salt: 3)
        disk[name] = bytes
        return disk
    }

    // MARK: Changing

    private mutating func make(_ change: Change) {
        switch change {
        case .segment: changeSegment()
        case .state:
            let state = Self.encoded(strange(64))
            contents.version.collections[Self.collection]?.state = state
        case .schema: changeByte(\.schema)
        case .fileNumbers:
            let (file, collection) = (contents.nextFileNumber, UInt64(contents.version.nextCollectionNumber))
            contents.nextFileNumber = strange(file)
            contents.version.nextCollectionNumber = UInt32(truncatingIfNeeded: strange(collection))
        case .bytes, .number, .shorten, .lengthen, .remove, .elementBytes, .move: changeColumn(change)
        }
    }

    private mutating func changeSegment() {
        guard var collection = contents.version.collections[Self.collection], !collection.segments.isEmpty else { return }
        let index = Int(choices.byte()) % collection.segments.count
        switch choices.byte() % 5 {
        case 0: collection.segments[index].firstChunk = strange(collection.segments[index].firstChunk)
        case 1: collection.segments[index].endChunk = strange(collection.segments[index].endChunk)
        case 2: collection.segments[index].rowCount = UInt32(truncatingIfNeeded: strange(UInt64(collection.segments[index].rowCount)))
        case 3: collection.segments.remove(at: index)
        default: collection.segments.reverse()
        }
        contents.version.collections[Self.collection] = collection
    }

    private mutating func changeByte(_ part: WritableKeyPath<ManifestCollection, [UInt8]>) {
        guard var collection = contents.version.collections[Self.collection] else { return }
        let index = choices.word() % collection[keyPath: part].count
        collection[keyPath: part][index] = choices.byte()
        contents.version.collections[Self.collection] = collection
    }

    private mutating func changeColumn(_ change: Change) {
        let file = Int(choices.byte()) % files.count
        guard !files[file].columns.isEmpty else { return }
        let index = Int(choices.byte()) % files[file].columns.count
        if change == .remove {
            files[file].columns.remove(at: index)
            return
        }
        switch files[file].columns[index].column {
        case .plain(let elementBytes, let bytes):
            let isResized = change == .elementBytes
            let changed = Self.whole(changing(bytes, change, elementBytes), isResized ? max(1, Int(choices.byte()) % 96) : elementBytes)
            files[file].columns[index].column = .plain(elementBytes: changed.elementBytes, changed.bytes)
        case .packed(var items):
            guard !items.isEmpty else { return }
            let item = Int(choices.byte()) % items.count
            if change == .shorten { items.remove(at: item) } else { items[item] = changing(items[item], change, 1) }
            files[file].columns[index].column = .packed(items)
        }
    }

    private mutating func changing(_ bytes: [UInt8], _ change: Change, _ elementBytes: Int) -> [UInt8] {
        var bytes = bytes
        switch change {
        case .bytes:
            let new = choices.bytes(Int(choices.byte() % 16))
            let start = choices.word() % max(1, bytes.count)
            for (index, byte) in new.enumerated() where start + index < bytes.count { bytes[start + index] = byte }
        case .number:
            let width = choices.byte() % 2 == 0 ? 4 : min(8, elementBytes)
            guard bytes.count >= 8 else { break }
            let start = (choices.word() * 4) % (bytes.count - 7)
            let old = (0..<width).reduce(0 as UInt64) { $0 | UInt64(bytes[start + $1]) << UInt64(8 * $1) }
            let new = strange(old)
            for index in 0..<width { bytes[start + index] = UInt8(truncatingIfNeeded: new >> UInt64(8 * index)) }
        case .shorten: bytes.removeLast(min(bytes.count, choices.word()))
        case .lengthen: bytes += choices.bytes(Int(choices.byte()))
        case .move:
            let (from, to, count) = (choices.word() % max(1, bytes.count), choices.word() % max(1, bytes.count), Int(choices.byte()))
            for index in 0..<count where max(from, to) + index < bytes.count { bytes[to + index] = bytes[from + index] }
        case .remove, .elementBytes, .segment, .state, .schema, .fileNumbers: break
        }
        return bytes
    }

    private static func whole(_ bytes: [UInt8], _ elementBytes: Int) -> (elementBytes: Int, bytes: [UInt8]) {
        (elementBytes, Array(bytes.prefix(bytes.count / elementBytes * elementBytes)))
    }

    private mutating func strange(_ number: UInt64) -> UInt64 {
        switch choices.byte() % 16 {
        case 0: 0
        case 1: .max
        case 2: UInt64(UInt32.max)
        case 3: 1 << 60
        case 4: 1 << 62
        case 5: 1 << 31
        case 6: UInt64(UInt32.max) << 32
        case let near: number &+ UInt64(near) &- 11
        }
    }

    private static func encoded(_ number: UInt64) -> [UInt8] {
        var writer = ByteWriter()
        writer.write(number)
        return writer.finish()
    }

    // MARK: Files

    private static func write(_ file: File, _ databaseID: UInt64, to disk: FaultyDisk) throws(DiskError) -> FileReference {
        let writer = try ColumnFileWriter(disk: disk, kind: file.kind, number: file.number, databaseID: databaseID)
        for (id, column) in file.columns {
            switch column {
            case .plain(let elementBytes, let bytes):
                writer.beginColumn(id, elementBytes: elementBytes)
                try writer.append(bytes.rawSpan)
                writer.endColumn()
            case .packed(let items):
                writer.beginPackedColumn(id)
                for item in items { try writer.appendItem(item.rawSpan) }
                try writer.endPackedColumn()
            }
        }
        let reference = try writer.finish()
        try disk.syncDirectory()
        return reference
    }

    private mutating func rename(_ file: File, to reference: FileReference) {
        guard var collection = contents.version.collections[Self.collection] else { return }
        for index in collection.catalog.indices where collection.catalog[index].number == file.number { collection.catalog[index] = reference }
        for index in collection.segments.indices where collection.segments[index].file.number == file.number { collection.segments[index].file = reference }
        contents.version.collections[Self.collection] = collection
    }

    private static let original: (contents: ManifestContents, files: [File]) = {
        let disk = FaultyDisk()
        do {
            let database = try RequestScript.database(disk)
            let lines = RequestScript.lines.map { Array($0.utf8) }
            RequestScript.run(Array(lines.prefix(4)), on: database)
            try database.checkpoint()
            // Takes one document out and another in again: two segments, and a catalog in two files.
            RequestScript.run(Array(lines[10...11]), on: database)
            try database.checkpoint()
            try database.close()
            guard var contents = try Manifest.load(disk), let collection = contents.version.collections[collection] else {
                violated("a database has a manifest, and that the collection")
            }
            contents.logFiles = []
            var files: [File] = []
            for reference in collection.catalog { files.append(try read(.catalog, reference, contents.databaseID, disk)) }
            for segment in collection.segments { files.append(try read(.segment, segment.file, contents.databaseID, disk)) }
            return (contents, files)
        } catch { violated("a database on a disk that works opens: \(error)") }
    }()

    private static func read(_ kind: ColumnFileKind, _ reference: FileReference, _ databaseID: UInt64, _ disk: FaultyDisk) throws -> File {
        let file = try ColumnFile(disk: disk, kind: kind, reference: reference, databaseID: databaseID)
        var reader = BlockReader()
        let columns = try file.columns.map { summary in
            if let column = file.column(summary.id) {
                return (summary.id, Column.plain(elementBytes: column.elementBytes, Array(copying: try column.bytes(0..<column.byteCount))))
            }
            guard let column = file.packed(summary.id) else { violated("a column is plain or packed") }
            var items: [[UInt8]] = []
            for index in 0..<column.count { items.append(Array(copying: try column.read(index, with: &reader))) }
            return (summary.id, Column.packed(items))
        }
        return File(kind: kind, number: reference.number, columns: columns)
    }
}
