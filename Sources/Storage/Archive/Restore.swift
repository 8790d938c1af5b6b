// From archives to a database: written beside the place where it is to be, checked there, and only then given its name.
import Memory

/// What a restored database is.
package struct RestoredDatabase: Equatable, Sendable {
    package var databaseID: UInt64
    /// The snapshot that it is, and when that was taken, in Unix milliseconds.
    package var snapshot: String
    package var createdMilliseconds: Int64
    package var sequence: UInt64
    package var report: VerificationReport
}

/// Makes a database of an archive, and of the archives that it goes on from.
package struct Restore {
    private let staging: StagingDirectory
    private let header: ArchiveHeader
    /// Files that are in none of the archives read so far.
    private var missing: [String: ArchiveEntry] = [:]

    /// Makes the directory `target`, which is not there or empty, the database that `archive` is of. Any failure leaves it as it
    /// was. Memory: a few megabytes besides what `verify` takes.
    ///
    /// - Parameter bases: The archives that hold what `archive` leaves to earlier ones, in any order; each is read once at most.
    /// - Parameter verify: Reads a whole database again, as `Verification` does and whatever else is known about its contents.
    /// - Parameter settle: Says whether the database that was verified is wanted, and may change it; it gets its name after that.
    package static func run(
        _ archive: any DiskFile, bases: [any DiskFile] = [], to target: String, verify: (any Disk) throws(DiskError) -> VerificationReport,
        settle: (RestoredDatabase, any Disk) throws(ArchiveError) -> Void = { (_, _) throws(ArchiveError) in }
    ) throws(ArchiveError) -> RestoredDatabase {
        let reader = try ArchiveReader(archive)
        let staging = try onDisk { () throws(DiskError) in try StagingDirectory(for: target) }
        var restore = Restore(staging: staging, header: reader.header)
        do throws(ArchiveError) {
            return try restore.run(reader, bases, verify, settle)
        } catch {
            do throws(DiskError) { try staging.remove() } catch let remains {
                throw .refused("\(error); and what was restored so far could not be removed: \(remains)")
            }
            throw error
        }
    }

    private init(staging: StagingDirectory, header: ArchiveHeader) {
        self.staging = staging
        self.header = header
        for entry in header.entries { missing[entry.name] = entry }
    }

    private mutating func run(
        _ reader: ArchiveReader, _ bases: [any DiskFile], _ verify: (any Disk) throws(DiskError) -> VerificationReport,
        _ settle: (RestoredDatabase, any Disk) throws(ArchiveError) -> Void
    ) throws(ArchiveError) -> RestoredDatabase {
        try take(reader)
        for base in bases where !missing.isEmpty { try takeMissing(from: ArchiveReader(base)) }
        if let first = missing.keys.min() {
            throw .refused("\(reader.name) leaves \(missing.count) files to archives of earlier snapshots, and they are in none that was given: \(first), for one")
        }
        try Self.onDisk { () throws(DiskError) in try staging.disk.syncDirectory() }
        let report = try Self.onDisk { () throws(DiskError) in try verify(staging.disk) }
        // A torn tail would be a lost record, and a file that nothing names would not be the archive's database.
        guard report.isSound, report.notes.isEmpty else { throw .unsound(report) }
        guard report.databaseID == header.databaseID, report.sequence == header.sequence else {
            throw .refused("\(reader.name) is of database \(header.databaseID) at sequence \(header.sequence), but holds \(report.databaseID) at \(report.sequence)")
        }
        let restored = RestoredDatabase(
            databaseID: header.databaseID, snapshot: header.snapshot, createdMilliseconds: header.createdMilliseconds,
            sequence: header.sequence, report: report)
        try settle(restored, staging.disk)
        try Self.onDisk { () throws(DiskError) in try staging.takePlace() }
        return restored
    }

    private mutating func take(_ reader: ArchiveReader) throws(ArchiveError) {
        try reader.forEachFile { (entry, pieces) throws(ArchiveError) in
            try write(entry, pieces)
            missing[entry.name] = nil
        }
    }

    private mutating func takeMissing(from base: ArchiveReader) throws(ArchiveError) {
        guard base.header.databaseID == header.databaseID else {
            throw .refused("\(base.name) is of database \(base.header.databaseID), not of \(header.databaseID)")
        }
        try base.forEachFile { (entry, pieces) throws(ArchiveError) in
            guard let wanted = missing[entry.name], wanted.checksum == entry.checksum, wanted.byteCount == entry.byteCount else { return }
            try write(entry, pieces)
            missing[entry.name] = nil
        }
    }

    private func write(
        _ entry: ArchiveEntry, _ pieces: (_ piece: (RawSpan) throws(ArchiveError) -> Void) throws(ArchiveError) -> Void
    ) throws(ArchiveError) {
        let file = try Self.onDisk { () throws(DiskError) in try staging.disk.create(entry.name) }
        var offset = 0
        try pieces { (piece) throws(ArchiveError) in
            try Self.onDisk { () throws(DiskError) in try file.write(piece, at: offset) }
            offset += piece.byteCount
        }
        try Self.onDisk { () throws(DiskError) in try file.sync() }
    }

    private static func onDisk<T>(_ body: () throws(DiskError) -> T) throws(ArchiveError) -> T {
        do { return try body() } catch { throw .disk(error) }
    }
}
