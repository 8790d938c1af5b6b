// Snapshots on their way out of a database and into a new one.
import Memory
package import Storage

/// A piece of a snapshot's archive.
package struct SnapshotPiece: Equatable, Sendable {
    /// That the snapshot holds.
    package var sequence: UInt64
    /// One zstd frame: those of all pieces one behind the other are a `.zst` file.
    package var frame: [UInt8]
    /// Where the next piece begins; nil behind the last.
    package var next: Int?
    /// Bytes of the whole archive, uncompressed, which is what offsets count.
    package var total: Int
}

extension Database {
    /// How much of an archive goes into one piece, uncompressed.
    private static let exportBytes = 4 << 20

    /// The piece of a snapshot's archive that begins at `offset`. Nothing is kept between two calls.
    ///
    /// - Parameter since: A snapshot whose archive the caller has: files that it shares are left out.
    package func exportSnapshot(name: String, since earlier: String?, offset: Int) throws(EngineError) -> SnapshotPiece {
        let snapshot = try manifestSnapshot(name)
        let base: ManifestSnapshot?
        do throws(EngineError) {
            base = if let earlier { try manifestSnapshot(earlier) } else { nil }
        } catch { throw EngineError(error.code, error.message, field: "since") }
        let archive = SnapshotArchive(snapshot, since: base, databaseID: store.databaseID, disk: store.disk)
        guard offset >= 0, offset < archive.byteCount else {
            throw EngineError(.invalidValue, "an archive of \(archive.byteCount) bytes has no piece at \(offset)", field: "offset")
        }
        let next = min(offset + Self.exportBytes, archive.byteCount)
        let frame: [UInt8]
        do throws(ArchiveError) { frame = try archive.frame(offset: offset, count: next - offset) } catch {
            try checkIsKept(snapshot)
            throw EngineError(exporting: error)
        }
        return SnapshotPiece(
            sequence: snapshot.sequence, frame: frame, next: next < archive.byteCount ? next : nil, total: archive.byteCount)
    }

    /// Makes `target`, which is not there or an empty directory, the database that `archive` is of, and verifies it before it gets
    /// its name. A failure leaves the target as it was. See `Restore.run`.
    package static func restore(
        _ archive: any DiskFile, bases: [any DiskFile] = [], to target: String, rights: RestoredRights = .unsaid
    ) throws(ArchiveError) -> RestoredDatabase {
        try Restore.run(
            archive, bases: bases, to: target, verify: { (disk) throws(DiskError) in try verify(disk) },
            settle: { (restored, disk) throws(ArchiveError) in try rights.settle(restored, in: disk) })
    }
}

extension EngineError {
    fileprivate init(exporting error: ArchiveError) {
        switch error {
        case .corruption(let corruption): self = .damaged(corruption)
        case .disk, .refused, .unsound: self.init(.diskFailed, "a file of the snapshot cannot be read: \(error)")
        }
    }
}
