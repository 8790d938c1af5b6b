// Databases on disks in memory, and short ways to say the commonest writes.
import Engine
import Index
import Memory
import Storage
import TestSupport

enum TestDatabase {
    /// Log files so short that a history fills many.
    static let smallFiles = LogFileSizes(target: 600, zeroedStep: 128)

    /// One file for everything in a test.
    static let largeFiles = LogFileSizes(target: 1 << 30, zeroedStep: 1 << 14)

    static func open(
        _ disk: any Disk, sizes: LogFileSizes = smallFiles, durability: Durability = .write, seed: UInt64 = 1
    ) throws(LogError) -> Database {
        let random = SharedRandom(seed: seed)
        var small = DatabaseSizes()
        small.log = sizes
        small.manifest = ManifestFileSizes(editBytesMax: 2000, zeroedStep: 64)
        small.reserveBytes = 2048
        small.checkpointBytes = 1500
        small.indexedRowsMin = 1
        return try Database(disk: disk, sizes: small, durability: durability, randomness: { random.next() })
    }
}

extension TestDatabase {
    /// Puts a record behind what the log of a database holds, with no engine to judge it.
    static func append(_ entry: LogEntry, to disk: any Disk) throws(LogError) {
        let manifest = try Manifest(disk: disk, randomness: { 2 })
        let contents = manifest.contents
        let log = try Log(
            disk: disk, files: contents.logFiles, after: contents.version.coveredSequence, databaseID: contents.databaseID, randomness: { 2 },
            willStart: { (number) throws(LogError) in try manifest.append(.startLogFile(number)) },
            apply: { (_, _, _) throws(Corruption) in })
        _ = try log.append([entry])
        try log.close()
    }
}

extension CollectionSchema {
    /// Two spaces, one of them the default, and a field of every type.
    static func everything(name: String = "c") -> CollectionSchema {
        CollectionSchema(
            name: name, spaces: [SpaceSchema(dimension: 2, metric: .cosine), SpaceSchema(name: "long", dimension: 3, metric: .l2)],
            fields: [
                FieldSchema(name: "k", type: .keyword), FieldSchema(name: "ks", type: .keywords), FieldSchema(name: "i", type: .int),
                FieldSchema(name: "f", type: .float), FieldSchema(name: "b", type: .bool), FieldSchema(name: "t", type: .time),
            ])
    }
}

extension DocumentInput {
    init(_ id: String, parent: String? = nil, isFolder: Bool = false, ifVersion: UInt64? = nil, fields: [(String, InputValue)] = []) {
        self.init(id: id)
        self.parent = parent
        self.isFolder = isFolder
        self.ifVersion = ifVersion
        self.fields = fields.map { (name: $0.0, value: $0.1) }
    }
}

extension UpsertInput {
    init(_ documents: [DocumentInput], into collection: String = "c") {
        self.init(collection: collection)
        self.documents = documents
    }

    /// One document with one chunk for each of these, which name a space or mean the default.
    init(_ id: String, vectors: [(space: String?, numbers: [Float])], into collection: String = "c") {
        self.init([DocumentInput(id)], into: collection)
        var chunk = ChunkInput()
        for (space, numbers) in vectors {
            chunk.vectors.append(VectorInput(space: space, floats: floats.count..<floats.count + numbers.count))
            floats += numbers
        }
        documents[0].chunks = [chunk]
    }
}

extension Write {
    static func put(_ documents: DocumentInput..., into collection: String = "c") -> Write { .upsert(UpsertInput(documents, into: collection)) }
}

extension SearchInput {
    init(_ vectors: [Float]..., k: Int = 10) {
        self.init()
        self.k = k
        for vector in vectors {
            self.vectors.append(floats.count..<floats.count + vector.count)
            floats += vector
        }
    }
}
