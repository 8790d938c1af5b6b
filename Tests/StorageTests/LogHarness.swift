// Runs logs against disks, and knows at every moment which records must, may and must not be found again.
import Memory
import Storage
import Testing
import TestSupport

/// A record as replay hands it out.
struct LoggedRecord: Equatable, CustomStringConvertible {
    var sequence: UInt64
    var type: UInt8
    var payload: [UInt8]

    var description: String { "\(sequence):\(type)x\(payload.count)" }
}

/// One thing a process does with its log.
enum LogStep {
    case append([LogEntry])
    case closeAndOpen
    /// All but the last records count as stored elsewhere; rotating first closes the file at hand.
    case checkpoint(behind: UInt64, isRotating: Bool)
}

/// What is known about a log from the answers it gave.
struct LogKnowledge {
    /// Every one of these is found by every open, in this order.
    var acknowledged: [LoggedRecord] = []
    /// The group whose append did not answer with success: of these a prefix may follow.
    var inDoubt: [LoggedRecord] = []

    /// All records of a log: what a checkpoint covered, as it is known, and what the open replayed.
    func completing(_ opened: OpenedLog) -> [LoggedRecord] {
        let covered = Int(opened.manifest.contents.version.coveredSequence)
        #expect(covered <= acknowledged.count)
        return Array(acknowledged.prefix(covered)) + opened.records
    }

    /// Whether an open may find this.
    func allows(_ found: [LoggedRecord]) -> Bool {
        found.count >= acknowledged.count && found.count <= acknowledged.count + inDoubt.count
            && Array((acknowledged + inDoubt).prefix(found.count)) == found
    }
}

/// A log and its manifest, in use.
struct OpenedLog {
    var disk: any Disk
    var manifest: Manifest
    var log: Log
    /// What the open replayed.
    var records: [LoggedRecord]

    func checkpoint(behind: UInt64, isRotating: Bool) throws(LogError) {
        let version = manifest.contents.version
        let last = log.nextSequence - 1
        let covered = max(version.coveredSequence, last - min(last, behind))
        if isRotating { try log.rotate() }
        let needed = log.filesNeeded(after: covered)
        try manifest.append(.checkpoint(
            coveredSequence: covered, nextCollectionNumber: version.nextCollectionNumber, changed: [], dropped: [], logFiles: needed))
        log.retire(keeping: needed)
        #expect(log.files == needed)
        #expect(manifest.contents.logFiles == needed)
        try sweep()
    }

    /// Removes the log files that nothing names.
    func sweep() throws(LogError) {
        let named = manifest.contents.namedFiles()
        do throws(DiskError) {
            let unnamed = try disk.list().filter { FileKind.log.number($0) != nil && !named.contains($0) }
            for name in unnamed { try disk.remove(name) }
            if !unnamed.isEmpty { try disk.syncDirectory() }
        } catch { throw .disk(error) }
    }
}

enum LogHarness {
    /// Files so short that a few records fill one.
    static let smallFiles = LogFileSizes(target: 200, zeroedStep: 96)
    /// One file for everything in a test.
    static let oneFile = LogFileSizes(target: 1 << 20, zeroedStep: 64)

    /// Manifests so short that a few edits fill one.
    static let manifestSizes = ManifestFileSizes(editBytesMax: 160, zeroedStep: 64)

    /// Opens a manifest and the log that it names, and removes what neither needs, the way a database does.
    static func openDatabase(_ disk: any Disk, _ sizes: LogFileSizes = oneFile, seed: UInt64 = 1) throws(LogError) -> OpenedLog {
        var random = SeededRandom(seed: seed)
        let manifest = try Manifest(disk: disk, sizes: manifestSizes) { random.next() }
        var records: [LoggedRecord] = []
        let log = try Log(
            disk: disk, files: manifest.contents.logFiles, after: manifest.contents.version.coveredSequence,
            databaseID: manifest.contents.databaseID, nextFileNumber: manifest.contents.nextFileNumber, sizes: sizes,
            randomness: { random.next() }, willStart: { (number) throws(LogError) in try manifest.append(.startLogFile(number)) }
        ) { (type, sequence, payload) throws(Corruption) in
            records.append(LoggedRecord(sequence: sequence, type: type, payload: Array(copying: payload)))
        }
        let opened = OpenedLog(disk: disk, manifest: manifest, log: log, records: records)
        try opened.sweep()
        return opened
    }

    /// Opens a log and collects what it replays.
    static func open(_ disk: any Disk, _ sizes: LogFileSizes = oneFile, seed: UInt64 = 1) throws(LogError) -> (log: Log, records: [LoggedRecord]) {
        let opened = try openDatabase(disk, sizes, seed: seed)
        return (opened.log, opened.records)
    }

    /// A new log whose files nobody names: for what it does by itself.
    static func openAlone(_ disk: any Disk, _ sizes: LogFileSizes = oneFile) throws(LogError) -> Log {
        var random = SeededRandom(seed: 1)
        return try Log(
            disk: disk, files: [], after: 0, databaseID: 1, sizes: sizes, randomness: { random.next() },
            willStart: { (_) throws(LogError) in }, apply: { (_, _, _) throws(Corruption) in })
    }

    /// The names of the log files that are there.
    static func logNames(_ disk: FaultyDisk) -> [String] { disk.names.filter { FileKind.log.number($0) != nil } }

    /// Runs a process's steps until they are done or its log fails, checking what each open finds. The disk is the
    /// process's to the end; what it comes to is looked at through a crash or a restart.
    static func run(
        _ steps: [LogStep], on disk: FaultyDisk, sizes: LogFileSizes, seed: UInt64 = 1, knowing known: LogKnowledge = LogKnowledge()
    ) throws -> LogKnowledge {
        var known = known
        var seed = seed
        do throws(LogError) {
            var opened = try open(disk, sizes, seed: seed, &known)
            for step in steps {
                switch step {
                case .append(let group): try append(group, to: opened.log, &known)
                case .checkpoint(let behind, let isRotating): try opened.checkpoint(behind: behind, isRotating: isRotating)
                case .closeAndOpen:
                    try opened.log.close()
                    seed += 1
                    opened = try open(disk, sizes, seed: seed, &known)
                }
            }
            try opened.log.close()
        } catch .corruption(let corruption) {
            throw corruption
        } catch .disk, .outcomeUnknown, .stopped {
            // The fault that was planned; the caller knows of it, and `known` of what it left open.
            return known
        }
        return known
    }

    private static func open(_ disk: FaultyDisk, _ sizes: LogFileSizes, seed: UInt64, _ known: inout LogKnowledge) throws(LogError) -> OpenedLog {
        let opened = try openDatabase(disk, sizes, seed: seed)
        let records = known.completing(opened)
        #expect(known.allows(records), "found \(records), knew \(known)")
        // What a process has seen it acts upon: from now on it counts.
        known = LogKnowledge(acknowledged: records)
        #expect(opened.log.nextSequence == UInt64(records.count) + 1)
        return opened
    }

    private static func append(_ group: [LogEntry], to log: Log, _ known: inout LogKnowledge) throws(LogError) {
        let records = group.enumerated().map { LoggedRecord(sequence: log.nextSequence + UInt64($0), type: $1.type, payload: $1.payload) }
        do {
            let first = try log.append(group)
            #expect(first == records[0].sequence)
            known.acknowledged += records
        } catch {
            if case .outcomeUnknown = error { known.inDoubt = records }
            throw error
        }
    }

    /// Opens what a crash left, checks it, appends, opens again, and crashes once more.
    static func check(_ disk: FaultyDisk, knowing known: LogKnowledge, sizes: LogFileSizes, _ comment: @autoclosure () -> String) throws {
        do {
            let steps: [LogStep] = [.append([entry(250, 3)]), .closeAndOpen, .append([entry(251, 9), entry(252, 0)])]
            let after = try run(steps, on: disk, sizes: sizes, seed: 100, knowing: known)
            #expect(after.acknowledged.count >= known.acknowledged.count + 3, "\(comment())")
            let crashed = disk.afterCrash(.clean)
            let records = after.completing(try openDatabase(crashed, sizes, seed: 200))
            #expect(records == after.acknowledged, "\(comment())")
        } catch { Issue.record("\(error), \(comment())") }
    }

    /// A record whose bytes follow from its type.
    static func entry(_ type: UInt8, _ payloadBytes: Int) -> LogEntry {
        LogEntry(type: type, payload: (0..<payloadBytes).map { UInt8(truncatingIfNeeded: Int(type) &+ 7 &* $0) })
    }

    /// Some payload lengths around the alignment, groups of several sizes, and files closed in between.
    static let workload: [LogStep] = [
        .append([entry(1, 5)]), .append([entry(2, 8), entry(3, 0), entry(4, 9)]), .append([entry(5, 40), entry(6, 1)]),
        .closeAndOpen, .append([entry(7, 16)]), .append([entry(8, 70)]), .append([entry(9, 2), entry(10, 3)]), .append([entry(11, 0)]),
    ]

    /// Checkpoints of all and of part, at the beginning and the end of files, and with nothing in between.
    static let checkpointedWorkload: [LogStep] = [
        .checkpoint(behind: 0, isRotating: true), .append([entry(1, 5)]), .append([entry(2, 8), entry(3, 0), entry(4, 9)]),
        .checkpoint(behind: 2, isRotating: false), .append([entry(5, 40), entry(6, 1)]), .append([entry(7, 16)]),
        .checkpoint(behind: 0, isRotating: true), .checkpoint(behind: 0, isRotating: true), .closeAndOpen,
        .append([entry(8, 70)]), .checkpoint(behind: 0, isRotating: false), .append([entry(9, 2), entry(10, 3)]), .append([entry(11, 0)]),
    ]

    static func records(of steps: [LogStep]) -> [LoggedRecord] {
        let entries = steps.flatMap { step in if case .append(let group) = step { group } else { [] as [LogEntry] } }
        return entries.enumerated().map { LoggedRecord(sequence: UInt64($0 + 1), type: $1.type, payload: $1.payload) }
    }
}
