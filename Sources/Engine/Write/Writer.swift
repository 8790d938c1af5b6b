// The one writer: its state is the truth, and every record passes through it exactly once.
import Memory
import Storage

/// The database as the writer sees it. Applying a record is deterministic; everything that needs judgement
/// (does the id exist, would the tree close a circle) is judged in `prepare`, before the log.
struct Writer: Sendable {
    private(set) var collections: [UInt32: CollectionState] = [:]
    private(set) var numbers: [String: UInt32] = [:]
    private(set) var nextNumber: UInt32 = 1
    private(set) var sequence: UInt64 = 0
    private(set) var directory = Directory()

    init() {}

    /// What the files of a database hold, at the sequence that they cover.
    init(collections: [CollectionState], directory: Directory, nextNumber: UInt32, sequence: UInt64) {
        self.directory = directory
        self.collections = Dictionary(uniqueKeysWithValues: collections.map { ($0.number, $0) })
        numbers = Dictionary(uniqueKeysWithValues: collections.map { ($0.schema.name, $0.number) })
        self.nextNumber = nextNumber
        self.sequence = sequence
    }

    // MARK: Judging

    /// A change that has been found fit for the log.
    enum Prepared {
        case record(LogEntry)
        /// Nothing to do: answered without a record.
        case nothing(WriteCounts)
    }

    /// Whether judging this change needs every change before it to be in force.
    static func needsState(_ write: PendingChange) -> Bool {
        switch write {
        case .createCollection, .dropCollection, .delete, .patch, .changeDirectory: true
        case .upsert(let upsert): upsert.namesParentsOrVersions
        }
    }

    /// Whether this change ends its group. A document for a collection that is about to go would be logged behind the drop,
    /// where no replay could apply it; and what takes away has a group of its own, for a full disk (`LogGate`).
    static func isNeededInForce(_ change: PendingChange) -> Bool {
        switch change {
        case .createCollection, .dropCollection, .delete, .changeDirectory: true
        case .patch(let patch): patch.changesOnlyAccess
        case .upsert: false
        }
    }

    /// Whether the change goes through on a full disk: what takes away, and what changes rights. Of the latter all do: whether one gives or
    /// takes depends on denials and on who is in which group, and no withdrawal is to fail for having looked like a gift.
    static func isRemoval(_ change: PendingChange) -> Bool {
        switch change {
        case .dropCollection, .delete, .changeDirectory: true
        case .patch(let patch): patch.changesOnlyAccess
        case .createCollection, .upsert: false
        }
    }

    func prepare(_ change: PendingChange) throws(EngineError) -> Prepared {
        switch change {
        case .createCollection(let schema): return try prepareCreate(schema)
        case .dropCollection(let name):
            let state = try collection(name)
            var record = ByteWriter()
            record.write(state.number)
            return .record(LogEntry(type: RecordType.dropCollection.rawValue, payload: record.finish()))
        case .upsert(let upsert): return try prepareUpsert(upsert)
        case .delete(let input): return try prepareDelete(input)
        case .patch(let patch): return try preparePatch(patch)
        case .changeDirectory(let change, let payload):
            guard try directory.judge(change) else { return .nothing(WriteCounts()) }
            return .record(LogEntry(type: RecordType.changeDirectory.rawValue, payload: payload))
        }
    }

    private func prepareCreate(_ schema: CollectionSchema) throws(EngineError) -> Prepared {
        guard numbers[schema.name] == nil else {
            throw EngineError(.collectionExists, "there is a collection \"\(schema.name)\" already", field: "name")
        }
        guard collections.count < Limits.collectionsMax else {
            throw EngineError(.limitExceeded, "at most \(Limits.collectionsMax) collections", field: "name")
        }
        guard nextNumber < .max else { throw EngineError(.limitExceeded, "no number is left for another collection", field: "name") }
        var record = ByteWriter()
        record.write(nextNumber)
        schema.encode(to: &record)
        return .record(LogEntry(type: RecordType.createCollection.rawValue, payload: record.finish()))
    }

    private func prepareUpsert(_ upsert: PendingUpsert) throws(EngineError) -> Prepared {
        let state = try collection(upsert.collection, number: upsert.collectionNumber)
        for (index, condition) in upsert.conditions {
            try condition.check(against: state.documents.find(condition.id), in: state, field: "\(upsert.listName)[\(index)].if_version")
        }
        try TreeCheck(state: state, placements: upsert.placements).run(listName: upsert.listName)
        return .record(LogEntry(type: RecordType.upsert.rawValue, payload: upsert.payload))
    }

    private func prepareDelete(_ input: DeleteInput) throws(EngineError) -> Prepared {
        let state = try collection(input.collection)
        let doomed = try state.nodes(input.selection, directory)
        try state.checkNoChildIsLeft(doomed, field: input.selection.field)
        guard !doomed.isEmpty else { return .nothing(WriteCounts()) }
        var record = ByteWriter()
        record.write(state.number)
        try input.selection.write(doomed, to: &record)
        return .record(LogEntry(type: RecordType.delete.rawValue, payload: record.finish()))
    }

    func collection(_ name: String) throws(EngineError) -> CollectionState {
        guard let number = numbers[name], let state = collections[number], state.schema.name.isExactly(name) else { throw EngineError.unknownCollection(name) }
        return state
    }

    /// The collection that a change was encoded for, against a snapshot's schema: one dropped and made anew since then
    /// is another.
    func collection(_ name: String, number: UInt32) throws(EngineError) -> CollectionState {
        let state = try collection(name)
        guard state.number == number else {
            throw EngineError(.unknownCollection, "the collection \"\(name)\" was dropped while this request was under way", field: "collection")
        }
        return state
    }

    // MARK: Applying

    /// Puts a durable record into force. Throws only if the bytes are not what this version writes.
    mutating func apply(type: UInt8, sequence: UInt64, payload: RawSpan) throws(Corruption) -> WriteCounts {
        var reader = ByteReader(payload)
        guard let type = RecordType(rawValue: type) else { throw Corruption(offset: 0, expected: "a known record type, found \(type)") }
        let number = try reader.read(UInt32.self)
        var counts = WriteCounts()
        switch type {
        case .createCollection: try applyCreate(number, &reader)
        case .dropCollection: try applyDrop(number)
        case .upsert:
            counts = try withCollection(number) { (state, directory) throws(Corruption) in
                try UpsertApplier.apply(&reader, to: &state, &directory)
            }
        case .delete:
            counts = try withCollection(number) { (state, _) throws(Corruption) in try Self.applyDelete(&reader, to: &state) }
        case .patch:
            counts = try withCollection(number) { (state, directory) throws(Corruption) in
                try PatchApplier.apply(&reader, to: &state, &directory)
            }
        case .changeDirectory:
            guard number == DirectoryChange.collectionNumber else { throw Corruption(offset: 0, expected: "the directory's number, found \(number)") }
            try directory.apply(try DirectoryChange(decoding: &reader))
            directory.version = sequence
        }
        try reader.finish()
        self.sequence = sequence
        return counts
    }

    private mutating func applyCreate(_ number: UInt32, _ reader: inout ByteReader) throws(Corruption) {
        guard number == nextNumber, number < .max else { throw Corruption(offset: 0, expected: "collection number \(nextNumber), found \(number)") }
        let schema = try CollectionSchema(decoding: &reader)
        guard numbers[schema.name] == nil else { throw Corruption(offset: 4, expected: "a new collection name") }
        var state = CollectionState(number: number, schema: schema)
        if let name = schema.defaultAccess { state.documents.setDefaultAccess(directory.intern(access: name)) }
        collections[number] = state
        numbers[schema.name] = number
        nextNumber += 1
    }

    private mutating func applyDrop(_ number: UInt32) throws(Corruption) {
        guard let state = collections.removeValue(forKey: number) else { throw Corruption(offset: 0, expected: "a known collection, found \(number)") }
        numbers[state.schema.name] = nil
    }

    private static func applyDelete(_ reader: inout ByteReader, to state: inout CollectionState) throws(Corruption) -> WriteCounts {
        var counts = WriteCounts()
        for _ in 0..<(try reader.read(UInt32.self)) {
            let document = Int(try reader.read(UInt32.self))
            guard document < state.documents.count, state.documents.isLive(document) else {
                throw Corruption(offset: reader.offset - 4, expected: "a node that is there, found \(document)")
            }
            state.remove(document: document)
            counts.deleted += 1
        }
        return counts
    }

    // MARK: Recovery

    /// Refuses a database whose catalogs, segments and log do not belong together. O(documents).
    func checkWhole() throws(Corruption) {
        for (number, state) in collections {
            if let part = state.sealed.first(where: { $0.liveCount > $0.rowCount }) {
                throw Corruption(
                    file: "manifest", offset: 0,
                    expected: "at most \(part.rowCount) of the chunks \(part.chunks) in force in collection \(number), found \(part.liveCount)")
            }
            guard let document = state.documentWithoutChunks() else { continue }
            throw Corruption(file: "manifest", offset: 0, expected: "a segment with the chunks of document \(document) in collection \(number), \(state.schema.name)")
        }
    }

    // MARK: Maintenance

    mutating func sealHeads() {
        for number in collections.keys { collections[number]?.sealHead() }
    }

    /// Puts a segment in the place of the parts it was made of. Deletions meanwhile are counted in the parts' live counts. Nothing
    /// to do where the collection is gone.
    mutating func install(_ replacement: Replacement) {
        guard var state = collections.removeValue(forKey: replacement.collection) else { return }
        state.install(replacement)
        collections[replacement.collection] = state
    }

    mutating func install(_ index: InstalledIndex) { collections[index.collection]?.install(index) }
    mutating func install(_ codes: HeadCodes) { collections[codes.collection]?.install(codes) }

    /// Hands the state out of the dictionary and back, so that no column is copied for having two holders.
    private mutating func withCollection(
        _ number: UInt32, _ body: (inout CollectionState, inout Directory) throws(Corruption) -> WriteCounts
    ) throws(Corruption) -> WriteCounts {
        guard var state = collections.removeValue(forKey: number) else { throw Corruption(offset: 0, expected: "a known collection, found \(number)") }
        let counts = try body(&state, &directory)
        state.documents.settle()
        collections[number] = state
        return counts
    }
}

extension EngineError {
    package static func unknownCollection(_ name: String) -> EngineError {
        EngineError(.unknownCollection, "there is no collection \"\(name)\": create it with collection.create", field: "collection")
    }
}

/// A write that has been checked against the schema and encoded, off the writer's path.
enum PendingChange: Sendable {
    case createCollection(CollectionSchema)
    case dropCollection(name: String)
    case upsert(PendingUpsert)
    case delete(DeleteInput)
    case patch(PendingPatch)
    /// With the bytes of its record.
    case changeDirectory(DirectoryChange, [UInt8])
}

struct VersionCondition: Sendable {
    var id: String
    var version: UInt64

    /// - Parameter number: the node's; nil where there is none, whose version is 0.
    func check(against number: Int?, in state: CollectionState, field: String) throws(EngineError) {
        let found = number.map { UInt64(state.documents.versions[$0]) } ?? 0
        guard found == version else {
            throw EngineError(.versionConflict, "the version is \(found), not \(version): read it again and decide anew", field: field)
        }
    }
}

/// An upsert as record bytes, with what must be judged when its turn comes.
struct PendingUpsert: Sendable {
    let collection: String
    let collectionNumber: UInt32
    let payload: [UInt8]
    let listName: String
    let conditions: [(index: Int, condition: VersionCondition)]
    /// Of every document in order, if any of them names a parent.
    let placements: [Placement]

    var namesParentsOrVersions: Bool { !conditions.isEmpty || !placements.isEmpty }

    init(_ input: UpsertInput, collection state: CollectionState) throws(EngineError) {
        collection = input.collection
        collectionNumber = state.number
        listName = input.listName
        payload = try UpsertEncoder.encode(input, collection: state)
        conditions = input.documents.enumerated().compactMap { index, document in
            document.ifVersion.map { (index, VersionCondition(id: document.id, version: $0)) }
        }
        let namesParents = input.documents.contains { $0.parent != nil }
        placements = namesParents ? input.documents.map { Placement(id: $0.id, parent: $0.parent) } : []
        var ids: Set<ExactText> = []
        for (index, document) in input.documents.enumerated() where !ids.insert(ExactText(document.id)).inserted {
            throw EngineError(.invalidValue, "the id \"\(document.id)\" appears twice in one batch", field: "\(input.listName)[\(index)].id")
        }
    }
}
