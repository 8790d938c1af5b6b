// Reads a database's files again, every byte that is of use and every checksum, and changes nothing.
package import Memory

/// What reading everything again came to.
package struct VerificationReport: Equatable, Sendable {
    /// Files that were read, and their bytes.
    package var files = 0
    package var bytes = 0
    /// Records of the log, counted again for each snapshot that shares them.
    package var records = 0
    /// Documents in force and their chunks, as whoever knows about documents has counted them.
    package var documents = 0
    package var chunks = 0
    /// Whether somebody's rights are among what it holds.
    package var hasRights = false
    package var databaseID: UInt64 = 0
    /// Of the last record, or that the files cover.
    package var sequence: UInt64 = 0
    /// What is damaged or missing, by file and offset.
    package private(set) var problems: [Corruption] = []
    /// What is not as it would be after a clean end, and does no harm.
    package private(set) var notes: [String] = []

    package init() {}

    package var isSound: Bool { problems.isEmpty }

    /// Each is said once, however many ways lead to it.
    package mutating func add(_ problem: Corruption) {
        if !problems.contains(problem) { problems.append(problem) }
    }

    package mutating func note(_ text: String) {
        if !notes.contains(text) { notes.append(text) }
    }

    /// Whether anything is wrong with a file.
    package func isDamaged(_ file: String) -> Bool { problems.contains { $0.file == file } }
}

/// The steps of a verification, in the order in which they are of use: manifest, column files, logs, the rest of the directory.
/// The directory is this process's alone, or the files that are read are kept by somebody. One owner, one thread.
package struct Verification {
    package private(set) var report = VerificationReport()
    private let disk: any Disk
    private let databaseID: UInt64
    /// Files that were read or that may be there.
    private var known: Set<String> = [Reserve.name, auditName]

    /// A directory beside the files, which is verified by itself.
    package static let auditName = "audit"

    /// For files of a database whose manifest is known.
    package init(_ disk: any Disk, databaseID: UInt64) {
        self.disk = disk
        self.databaseID = databaseID
        report.databaseID = databaseID
    }

    /// Reads the manifest of a whole directory. Without one that is whole there is nothing more to verify: the report says why.
    package static func begin(_ disk: any Disk) throws(DiskError) -> (verification: Verification, contents: ManifestContents?) {
        var failed = Verification(disk, databaseID: 0)
        do throws(LogError) {
            guard let found = try FoundManifest(in: disk) else {
                failed.report.add(Corruption(file: "manifest", offset: 0, expected: "a database: no file of one is in \(disk.path)"))
                return (failed, nil)
            }
            var verification = Verification(disk, databaseID: found.contents.databaseID)
            verification.take(found)
            return (verification, found.contents)
        } catch {
            switch error {
            case .corruption(let corruption): failed.report.add(corruption)
            case .disk(let error), .outcomeUnknown(let error), .stopped(let error): throw error
            }
            return (failed, nil)
        }
    }

    private mutating func take(_ found: FoundManifest) {
        count(found.name, found.byteCount)
        report.sequence = found.contents.version.coveredSequence
        if let tail = found.tail { report.note("\(tail.file): a torn edit at byte \(tail.offset) will be dropped") }
        for name in found.leftovers {
            known.insert(name)
            report.note("\(name): a manifest that does not count and will be removed")
        }
    }

    private mutating func count(_ name: String, _ byteCount: Int) {
        guard known.insert(name).inserted else { return }
        report.files += 1
        report.bytes += byteCount
    }

    /// Reads a column file, unless it was read before.
    package mutating func check(_ file: NamedColumnFile) {
        guard !known.contains(file.name) else { return }
        count(file.name, Int(clamping: file.reference.byteCount))
        do throws(ColumnFileError) {
            let opened = try ColumnFile(disk: disk, kind: file.kind, reference: file.reference, databaseID: databaseID)
            do throws(Corruption) { try opened.verify() } catch { throw .corruption(error) }
        } catch {
            switch error {
            case .corruption(let corruption): report.add(corruption)
            case .disk(let error): report.add(Corruption(file: file.name, offset: 0, expected: "a readable file: \(error)"))
            }
        }
    }

    /// Reads the log of a snapshot, which ends exactly where the snapshot says.
    package mutating func checkLog(of snapshot: ManifestSnapshot, apply: LogApply = { (_, _, _) throws(Corruption) in }) {
        guard let log = read(snapshot.log, after: snapshot.version.coveredSequence, apply) else { return }
        for (extent, file) in zip(snapshot.log, log.files) where file.extent.byteCount != extent.byteCount {
            report.add(Corruption(
                file: FileKind.log.name(extent.number), offset: Int(clamping: file.extent.byteCount),
                expected: "\(extent.byteCount) bytes of records: the snapshot \(snapshot.name) has them"))
        }
        if log.nextSequence != snapshot.sequence + 1 {
            report.add(Corruption(
                file: snapshot.log.last.map { FileKind.log.name($0.number) } ?? "manifest", offset: 0,
                expected: "records up to sequence \(snapshot.sequence) of the snapshot \(snapshot.name), found \(log.nextSequence - 1)"))
        }
    }

    /// Reads the log that goes on from what the files cover. Torn tails are notes: an open drops them.
    package mutating func checkLog(of contents: ManifestContents, apply: LogApply = { (_, _, _) throws(Corruption) in }) {
        let files = contents.logFiles.map { LogFileExtent(number: $0, byteCount: .max) }
        guard let log = read(files, after: contents.version.coveredSequence, apply) else { return }
        report.sequence = log.nextSequence - 1
        for tail in log.tails { report.note("\(tail.file): a torn tail from byte \(tail.offset) on, which nobody was told was stored (\(tail.expected))") }
    }

    private mutating func read(_ files: [LogFileExtent], after covered: UInt64, _ apply: LogApply) -> RecoveredLog? {
        for file in files { countLogFile(file) }
        do throws(LogError) {
            let log = try LogRecovery(disk: disk, databaseID: databaseID, covered: covered).read(files, apply: apply).log
            report.records += log.recordCount
            return log
        } catch {
            report.add(Corruption(error, reading: "log"))
            return nil
        }
    }

    /// One that is missing counts as nothing; reading it says so.
    private mutating func countLogFile(_ file: LogFileExtent) {
        let name = FileKind.log.name(file.number)
        do throws(DiskError) { count(name, min(Int(clamping: file.byteCount), try disk.open(name).size())) } catch { known.insert(name) }
    }

    /// Names what else is in the directory.
    package mutating func noteOthers() throws(DiskError) {
        for name in try disk.list() where !known.contains(name) {
            let isOurs = FileKind.allCases.contains { $0.number(name) != nil }
            report.note(isOurs ? "\(name): not named by the manifest; it does not count" : "\(name): not a file of the database")
        }
    }

    /// For what is found out about the contents.
    package mutating func update(_ body: (inout VerificationReport) -> Void) { body(&report) }
}

extension Corruption {
    /// What kept files from being read, as a finding: bytes that a disk does not give out are as good as damaged.
    package init(_ error: LogError, reading what: String) {
        switch error {
        case .corruption(let corruption): self = corruption
        case .disk(let error), .outcomeUnknown(let error), .stopped(let error):
            self.init(file: what, offset: 0, expected: "readable files: \(error)")
        }
    }
}

/// What becomes of a record that was read.
package typealias LogApply = (_ type: UInt8, _ sequence: UInt64, _ payload: RawSpan) throws(Corruption) -> Void
