// Everything that can be known to be wrong with a database, found out by reading all of it.
package import Memory
package import Storage

/// What reading a snapshot's files again came to.
package struct SnapshotCheck: Sendable {
    /// That the snapshot holds.
    package var sequence: UInt64
    package var files: Int
    package var bytes: Int
    /// Records of its log.
    package var records: Int
    package var problems: [Corruption]

    package var isSound: Bool { problems.isEmpty }
}

extension Database {
    /// Reads a whole directory again that no process holds, and changes nothing in it: every checksum, every catalog, every record
    /// of the log, and whether segments hold the chunks of the documents in force. O(bytes), and the memory of an open database.
    package static func verify(_ disk: any Disk) throws(DiskError) -> VerificationReport {
        try disk.lock()
        var (verification, contents) = try Verification.begin(disk)
        guard let contents else { return verification.report }
        for version in [contents.version] + contents.snapshots.map(\.version) {
            for file in version.columnFiles { verification.check(file) }
        }
        let writer = verification.checkContents(contents.version, disk) { verification, apply in verification.checkLog(of: contents, apply: apply) }
        if let writer { verification.update { $0.count(writer) } }
        for snapshot in contents.snapshots {
            _ = verification.checkContents(snapshot.version, disk) { verification, apply in verification.checkLog(of: snapshot, apply: apply) }
        }
        try verification.noteOthers()
        return verification.report
    }

    /// Reads the files of a snapshot again, while the database is in use: every checksum, and that its log is whole.
    package func verifySnapshot(_ name: String, _ pace: Pace = .unlimited) throws(EngineError) -> SnapshotCheck {
        let snapshot = try manifestSnapshot(name)
        var verification = Verification(store.disk, databaseID: store.databaseID)
        for file in snapshot.version.columnFiles {
            verification.check(file)
            try pace.step(bytes: Int(file.reference.byteCount))
        }
        verification.checkLog(of: snapshot)
        try checkIsKept(snapshot)
        let report = verification.report
        return SnapshotCheck(
            sequence: snapshot.sequence, files: report.files, bytes: report.bytes, records: report.records, problems: report.problems)
    }

    /// The files of a snapshot that was dropped meanwhile are gone, and nothing that was read of them means anything.
    func checkIsKept(_ snapshot: ManifestSnapshot) throws(EngineError) {
        guard store.contents.snapshots.contains(where: { $0 == snapshot }) else { throw EngineError.unknownSnapshot(snapshot.name) }
    }
}

extension Verification {
    /// Opens a version, replays its log, and compares documents and segments; nil where that is not possible. Damage found before
    /// is not found again.
    fileprivate mutating func checkContents(
        _ version: ManifestVersion, _ disk: any Disk, readLog: (inout Verification, LogApply) -> Void
    ) -> Writer? {
        let stored: StoredDatabase
        do throws(LogError) {
            stored = try StoredDatabase(ManifestContents(databaseID: report.databaseID, version: version), disk: disk)
        } catch {
            let damage = Corruption(error, reading: "catalog")
            // The catalog's own checksums have told already, unless it is whole and makes no sense.
            if !report.isDamaged(damage.file) { update { $0.add(damage) } }
            // Its records can still be read, if not applied.
            readLog(&self) { (_, _, _) throws(Corruption) in }
            return nil
        }
        var writer = stored.writer
        let problems = report.problems.count
        readLog(&self) { (type, sequence, payload) throws(Corruption) in _ = try writer.apply(type: type, sequence: sequence, payload: payload) }
        guard report.problems.count == problems else { return nil }
        for state in writer.states { checkSegments(of: state) }
        return writer
    }

    private mutating func checkSegments(of state: CollectionState) {
        let checks = state.sealed.compactMap { part in part.segment.map { SegmentCheck(segment: $0, liveCount: part.liveCount, state: state) } }
        for check in checks where !report.isDamaged(check.file) {
            do throws(EngineError) {
                if let damage = try check.run() { update { $0.add(damage) } }
            } catch {
                let damage = check.segment.corruption ?? Corruption(file: check.file, offset: 0, expected: "a readable segment: \(error)")
                update { $0.add(damage) }
            }
        }
    }
}

/// Whether a segment's rows are those that its collection's documents say.
private struct SegmentCheck {
    let segment: Segment
    /// Chunks of documents in force that lie in it.
    let liveCount: Int
    let state: CollectionState

    var file: String { FileKind.segment.name(segment.record.file.number) }

    /// O(rows). A row that says of itself that it is in force lies where its document has its chunks; and there are as many such
    /// rows as there are such chunks, so that none is missing.
    func run() throws(EngineError) -> Corruption? {
        let documents = try segment.documents(0..<segment.rowCount)
        let versions = try segment.versions(0..<segment.rowCount)
        let table = state.documents
        var live = 0
        var previous = -1
        for row in 0..<segment.rowCount {
            let (document, chunk) = (Int(documents[row]), try segment.chunk(ofRow: row))
            guard document < table.count else { return damage(row, "a document below \(table.count), found \(document)") }
            guard chunk > previous, segment.chunks.contains(chunk) else { return damage(row, "a chunk after \(previous) within \(segment.chunks), found \(chunk)") }
            previous = chunk
            guard table.isLive(document), table.versions[document] == versions[row] else { continue }
            live += 1
            let owner = table.rows[document]
            guard chunk >= owner.firstChunk, chunk < owner.firstChunk + UInt64(owner.chunkCount) else {
                return damage(row, "a chunk of document \(document), which has \(owner.chunkCount) from \(owner.firstChunk) on, found \(chunk)")
            }
        }
        return live == liveCount ? nil : damage(segment.rowCount, "\(liveCount) chunks of documents in force, found \(live)")
    }

    private func damage(_ row: Int, _ expected: String) -> Corruption {
        Corruption(file: file, offset: 0, expected: "at row \(row) of collection \(state.schema.name) \(expected)")
    }
}

extension VerificationReport {
    fileprivate mutating func count(_ writer: Writer) {
        hasRights = hasRights || !writer.directory.isEmpty || writer.states.contains { $0.schema.access == .enforced }
        for state in writer.states {
            documents += state.documents.liveCount
            chunks += state.liveChunkCount
        }
    }
}

extension Writer {
    /// In the order in which they were made.
    fileprivate var states: [CollectionState] { collections.values.sorted { $0.number < $1.number } }
}
