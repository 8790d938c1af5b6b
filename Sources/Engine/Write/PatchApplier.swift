// Puts a patch record into force: the one path by which attributes change without their document's content.
import Memory

/// Applies patch records to a collection. Deterministic, as `UpsertApplier` is.
struct PatchApplier {
    /// For the parts that the record gives; empty for those that it removes.
    private var values = DocumentRow()
    private var named: UInt8
    private var given: UInt8
    /// The number of the access object, where one is named.
    private var access: UInt32 = 0
    private var fields: [(index: Int, value: FieldValue?)] = []

    /// `reader` stands behind the collection's number.
    static func apply(_ reader: inout ByteReader, to state: inout CollectionState, _ directory: inout Directory) throws(Corruption) -> WriteCounts {
        let patch = try PatchApplier(&reader, &state, &directory)
        var counts = WriteCounts()
        var least = 0
        for _ in 0..<(try reader.read(UInt32.self)) {
            let node = Int(try reader.read(UInt32.self))
            guard node >= least, node < state.documents.count, state.documents.isLive(node) else {
                throw Corruption(offset: reader.offset - 4, expected: "a node that is there, in rising order, found \(node)")
            }
            least = node + 1
            patch.apply(to: node, in: &state)
            counts.patched += 1
        }
        return counts
    }

    // MARK: Reading the changes

    /// Texts go into the arena once, however many nodes have them afterwards.
    private init(_ reader: inout ByteReader, _ state: inout CollectionState, _ directory: inout Directory) throws(Corruption) {
        named = try reader.read()
        given = try reader.read()
        guard named & ~PatchRecord.knownParts == 0, given & ~named == 0 else {
            throw Corruption(offset: reader.offset - 2, expected: "known parts, given only if named")
        }
        if gives(UpsertRecord.Part.parent) { values.parentPlusOne = UInt32(state.parentNumber(try reader.readBlob())) + 1 }
        if gives(UpsertRecord.Part.title) { values.title = state.documents.texts.append(try UpsertApplier.utf8(&reader)) }
        if gives(UpsertRecord.Part.url) { values.url = state.documents.texts.append(try UpsertApplier.utf8(&reader)) }
        if gives(UpsertRecord.Part.mime) { values.mime = state.documents.texts.append(try UpsertApplier.utf8(&reader)) }
        if gives(UpsertRecord.Part.time) { values.time = try reader.read() }
        if gives(UpsertRecord.Part.access) { access = try UpsertApplier.access(&reader, &directory) }
        for _ in 0..<(try reader.read(UInt16.self)) {
            let (index, value) = try UpsertApplier.field(&reader, in: state)
            fields.append((index, value))
        }
        for _ in 0..<(try reader.read(UInt16.self)) {
            let index = Int(try reader.read(UInt16.self))
            guard index < state.fields.count else { throw Corruption(offset: reader.offset - 2, expected: "a declared field's index") }
            fields.append((index, nil))
        }
    }

    private func gives(_ part: UInt8) -> Bool { given & part != 0 }
    private func names(_ part: UInt8) -> Bool { named & part != 0 }

    // MARK: Changing a node

    private func apply(to node: Int, in state: inout CollectionState) {
        for (index, value) in fields { state.fields[index].set(node, to: value) }
        if names(UpsertRecord.Part.access) { state.documents.setAccess(node, to: access) }
        var row = state.documents.rows[node]
        change(&row)
        // What is sent again as it was before the patch is not what is there.
        row.digest = ContentDigest()
        // With the version it has: its chunks live by that.
        state.documents.replace(node, with: row)
    }

    private func change(_ row: inout DocumentRow) {
        if names(UpsertRecord.Part.parent) { row.parentPlusOne = values.parentPlusOne }
        if names(UpsertRecord.Part.title) { row.title = values.title }
        if names(UpsertRecord.Part.url) { row.url = values.url }
        if names(UpsertRecord.Part.mime) { row.mime = values.mime }
        if names(UpsertRecord.Part.time) { row.time = values.time }
        row.present = row.present & ~Self.present(named) | Self.present(given)
    }

    /// The parts as rows mark them.
    private static func present(_ parts: UInt8) -> UInt8 {
        var present: UInt8 = 0
        if parts & UpsertRecord.Part.title != 0 { present |= DocumentRow.Present.title }
        if parts & UpsertRecord.Part.url != 0 { present |= DocumentRow.Present.url }
        if parts & UpsertRecord.Part.mime != 0 { present |= DocumentRow.Present.mime }
        if parts & UpsertRecord.Part.time != 0 { present |= DocumentRow.Present.time }
        return present
    }
}
