// The log's patch record: which nodes, and what of them changes. Judged and written here, applied by `PatchApplier`.
import Memory
import Storage

// Layout (see `UpsertRecord` for what is written alike):
//
//   u32 collection number | u8 named | u8 given | [str parent] [str title] [str url] [str mime] [i64 time] [str access]
//   | u16 n, n x field | u16 n, n x u16 index of a field that loses its value | u32 n, n x u32 node numbers, rising
//
// `named` and `given` are sets of `UpsertRecord.Part`: what the patch speaks of, and what of that has a new value.
// What is named and not given is removed.

enum PatchRecord {
    /// All parts but the kind of node, which no patch changes.
    static let knownParts = UpsertRecord.Part.known & ~UpsertRecord.Part.folder
}

/// A patch as record bytes, with what must be judged when its turn comes.
struct PendingPatch: Sendable {
    let collection: String
    let collectionNumber: UInt32
    let selection: Selection
    let condition: VersionCondition?
    /// The parent that the nodes get, if they get one.
    let parent: String?
    /// Whether it changes rights and nothing else.
    let changesOnlyAccess: Bool
    /// The record up to the nodes, which are known in its turn only.
    let head: ByteWriter

    init(_ input: PatchInput, collection state: CollectionState) throws(EngineError) {
        collection = input.collection
        collectionNumber = state.number
        selection = input.selection
        condition = try Self.condition(input)
        parent = input.parent.value
        changesOnlyAccess = input.changesOnlyAccess
        head = try UpsertEncoder.encode(input, collection: state)
    }

    private static func condition(_ input: PatchInput) throws(EngineError) -> VersionCondition? {
        guard let version = input.ifVersion else { return nil }
        guard let ids = input.selection.ids, ids.count == 1 else {
            throw EngineError(.invalidValue, "goes with ids, and one of them: each node has a version of its own", field: "if_version")
        }
        return VersionCondition(id: ids[0], version: version)
    }
}

/// Values are checked and written as an upsert's are.
extension UpsertEncoder {
    /// A patch's record up to its nodes. Nothing invalid passes.
    fileprivate static func encode(_ input: PatchInput, collection: CollectionState) throws(EngineError) -> ByteWriter {
        var encoder = UpsertEncoder(schema: collection.schema, isPlain: false)
        encoder.writer.write(collection.number)
        try encoder.addAttributes(input)
        try encoder.addFields(input.set, in: "set")
        try encoder.addUnset(input)
        guard encoder.writer.count <= Limits.recordBytesMax else {
            throw EngineError(.limitExceeded, "at most \(Limits.recordBytesMax >> 20) MiB a patch", field: "set")
        }
        return encoder.writer
    }

    private mutating func addAttributes(_ input: PatchInput) throws(EngineError) {
        let (named, given) = parts(of: input)
        guard named != 0 || !input.set.isEmpty || !input.unset.isEmpty else {
            throw EngineError(.invalidValue, "say what to change: set, unset, access, parent, title, url, mime or time", field: "set")
        }
        writer.write(named)
        writer.write(given)
        if let parent = input.parent.value {
            try checkID(parent, field: "parent")
            writer.writeString(parent)
        }
        try write(input.title.value, bytesMax: Limits.titleBytesMax, field: "title")
        try write(input.url.value, bytesMax: Limits.urlBytesMax, field: "url")
        try write(input.mime.value, bytesMax: Limits.nameBytesMax, field: "mime")
        if let time = input.time.value { writer.write(try Self.time(time, field: "time")) }
        if let access = input.access.value {
            try PrincipalKind.checkBytes(access, field: "access")
            writer.writeString(access)
        }
    }

    private func parts(of input: PatchInput) -> (named: UInt8, given: UInt8) {
        var named: UInt8 = 0
        var given: UInt8 = 0
        func add<Value>(_ change: Change<Value>, _ part: UInt8) {
            if change.isNamed { named |= part }
            if change.value != nil { given |= part }
        }
        add(input.parent, UpsertRecord.Part.parent)
        add(input.title, UpsertRecord.Part.title)
        add(input.url, UpsertRecord.Part.url)
        add(input.mime, UpsertRecord.Part.mime)
        add(input.time, UpsertRecord.Part.time)
        add(input.access, UpsertRecord.Part.access)
        return (named, given)
    }

    private mutating func addUnset(_ input: PatchInput) throws(EngineError) {
        var named = Set(input.set.compactMap { schema.fieldIndex($0.name) })
        let countOffset = writer.count
        writer.write(UInt16(0))
        for (place, name) in input.unset.enumerated() {
            guard let index = schema.fieldIndex(name) else { throw Self.undeclared(name, schema, field: "unset[\(place)]") }
            guard named.insert(index).inserted else {
                throw EngineError(.invalidValue, "\"\(name)\" is named before, in set or here", field: "unset[\(place)]")
            }
            writer.write(UInt16(index))
        }
        // Fields are declared and named once here, so the count fits.
        writer.overwrite(at: countOffset, with: UInt16(input.unset.count))
    }
}

extension Writer {
    func preparePatch(_ patch: PendingPatch) throws(EngineError) -> Prepared {
        let state = try collection(patch.collection, number: patch.collectionNumber)
        let nodes = try state.nodes(patch.selection, directory)
        if let condition = patch.condition {
            // One that is not meant, as its caller may not read it, has no version to compare with.
            let number = state.documents.find(condition.id).flatMap { nodes[$0] ? $0 : nil }
            try condition.check(against: number, in: state, field: "if_version")
        }
        guard !nodes.isEmpty else { return .nothing(WriteCounts()) }
        if let parent = patch.parent { try state.check(moving: nodes, under: parent) }
        var record = patch.head
        try patch.selection.write(nodes, to: &record)
        return .record(LogEntry(type: RecordType.patch.rawValue, payload: record.finish()))
    }
}
