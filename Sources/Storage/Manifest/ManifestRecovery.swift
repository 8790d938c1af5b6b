// Opening a manifest: finds the file that counts and reads it, telling a torn tail from damage.
import Memory

/// A manifest as it was found.
struct RecoveredManifest {
    /// The file that counts, and what it says; nil in a directory that has not become a database yet.
    var found: Found?
    /// Manifests that another has taken the place of, or that were never finished.
    var leftovers: [String] = []
    /// The highest number of a manifest that is there.
    var fileNumberMax: UInt64 = 0

    struct Found {
        var name: String
        var contents: ManifestContents
        /// Edits behind the contents that it began with.
        var editCount: Int
        var end: RecordFileEnd
    }
}

/// Reads manifests, and writes nothing.
struct ManifestRecovery {
    let disk: any Disk

    /// The newest whole manifest counts. A newer one that is not whole was being created: it never got an edit. Nor did a
    /// newer whole one with an older beside it, so that it makes no difference which of these a crash leaves.
    func run() throws(LogError) -> RecoveredManifest {
        let names = try onDisk { () throws(DiskError) in try disk.list() }
        let manifests = names.filter { FileKind.manifest.number($0) != nil }
        var recovered = RecoveredManifest()
        recovered.fileNumberMax = manifests.last.flatMap { FileKind.manifest.number($0) } ?? 0
        for name in manifests.reversed() {
            if recovered.found == nil, let found = try read(name) {
                recovered.found = found
            } else {
                recovered.leftovers.append(name)
            }
        }
        if recovered.found == nil { try checkIsFresh(names) }
        return recovered
    }

    /// Without a manifest there must be nothing that one would name: else it was lost, and with it what counts.
    private func checkIsFresh(_ names: [String]) throws(LogError) {
        let orphan = names.first { name in [FileKind.log, .segment, .catalog, .index].contains { $0.number(name) != nil } }
        guard let orphan else { return }
        throw .corruption(Corruption(
            file: orphan, offset: 0, expected: "a manifest beside it that says whether this file counts: there is no whole one"))
    }

    /// What the file says, or nil for one that was never finished.
    private func read(_ name: String) throws(LogError) -> RecoveredManifest.Found? {
        let bytes = try onDisk { () throws(DiskError) in try RecordFileBytes(reading: disk.open(name)) }
        do throws(Corruption) { return try decode(name, bytes.bytes) } catch { throw .corruption(error) }
    }

    private func decode(_ name: String, _ bytes: RawSpan) throws(Corruption) -> RecoveredManifest.Found? {
        let reader: RecordFileReader
        do throws(Corruption) { reader = try RecordFileReader(name: name, bytes: bytes, kind: .manifest) } catch {
            // A header is on the device before anything is written behind it.
            if RecordFormat.isEmpty(bytes) { return nil }
            throw error
        }
        var contents: ManifestContents?
        let end = try reader.replay(bytes) { (record, payload, offset) throws(Corruption) in
            do throws(Corruption) { try Self.apply(record, payload, SegmentLayout(version: reader.version), to: &contents) } catch {
                throw Corruption(
                    file: name, offset: offset + error.offset, expected: "in the record of sequence \(record.sequence): \(error.expected)")
            }
        }
        if let loss = end.loss(in: name) { throw loss }
        guard let contents else { return nil }
        do throws(Corruption) { try contents.checkAsFound() } catch {
            throw Corruption(file: name, offset: end.offset, expected: "before it: \(error.expected)")
        }
        guard contents.databaseID == reader.header.databaseID else {
            throw Corruption(file: name, offset: 16, expected: "database \(contents.databaseID), found \(reader.header.databaseID)")
        }
        // The first record is the whole contents.
        let editCount = Int(end.nextSequence - reader.header.firstSequence) - 1
        return RecoveredManifest.Found(name: name, contents: contents, editCount: editCount, end: end)
    }

    private static func apply(
        _ record: RecordHeader, _ payload: RawSpan, _ layout: SegmentLayout, to contents: inout ManifestContents?
    ) throws(Corruption) {
        guard contents != nil else {
            guard record.type == ManifestRecordType.contents.rawValue else {
                throw Corruption(offset: 0, expected: "the whole contents first, found a record of type \(record.type)")
            }
            contents = try ManifestContents(decoding: payload, layout)
            return
        }
        let edit = try ManifestEdit(decoding: payload, type: record.type, layout)
        try contents?.apply(edit)
    }
}
