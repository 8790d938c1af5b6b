// What happens to a database in a history besides writing: maintenance, snapshots, processes that end.
@testable import Engine
import Memory
import Storage
import Testing
import TestSupport

/// One thing that a client or a daemon does.
enum Step {
    case write(Write)
    case checkpoint
    case optimize
    /// What the daemon does by itself.
    case maintain
    /// What it does beside that: indexes are checked and built.
    case index
    case createSnapshot(String)
    case dropSnapshot(String)
    /// The process ends well, and another takes over: the log goes on in a new file.
    case reopen
}

/// A database and all that its answers promise.
struct Witness {
    private(set) var disk: FaultyDisk
    private(set) var database: Database
    private(set) var known = Knowledge()
    /// Why the database does not go on writing.
    private(set) var lastFailure = ""

    /// What is known of a database by its answers.
    struct Knowledge {
        var acknowledged = Model()
        /// With the write whose outcome was left open, if there was one.
        var inDoubt: Model?
        var snapshots: [String: Model] = [:]
        /// Snapshots that may or may not be there.
        var snapshotsInDoubt: [String: Model] = [:]
    }

    /// Throws what opening throws.
    init(_ disk: FaultyDisk, seed: UInt64, known: Knowledge = Knowledge()) throws(LogError) {
        self.disk = disk
        self.known = known
        database = try TestDatabase.open(disk, seed: seed)
    }

    /// Whether the database goes on writing. Anything it answers that it must not is an issue.
    mutating func run(_ step: Step, seed: UInt64, _ comment: @autoclosure () -> String) throws -> Bool {
        switch step {
        case .write(let write): return try self.write(write, comment())
        case .checkpoint: return try maintain(comment()) { (database) throws(EngineError) in try database.checkpoint() }
        case .optimize: return try maintain(comment()) { (database) throws(EngineError) in try database.optimize() }
        case .maintain: return try maintain(comment()) { (database) throws(EngineError) in while try database.maintain() {} }
        case .index:
            guard try maintain(comment(), { (database) throws(EngineError) in while try database.maintainIndexes() {} }) else { return false }
            try search(seed: seed, comment())
            return true
        case .createSnapshot(let name): return try createSnapshot(name, comment())
        case .dropSnapshot(let name): return try dropSnapshot(name, comment())
        case .reopen:
            // What closing or opening fails with is a disk's failure: the caller's fault plan says whether it may.
            do throws(LogError) {
                try database.close()
                disk.unlock()
                database = try TestDatabase.open(disk, seed: seed)
                return true
            } catch {
                guard case .corruption = error else {
                    lastFailure = "\(error)"
                    return false
                }
                throw error
            }
        }
    }

    private mutating func write(_ write: Write, _ comment: String) throws -> Bool {
        var next = known.acknowledged
        let expected = Result { () throws(Refusal) in try next.apply(write) }
        switch Result(catching: { () throws(EngineError) in try database.write(write) }) {
        case .success(let outcome):
            guard case .success(outcome) = expected else { throw Broken("\(comment): \(write) came to \(outcome), expected \(expected)") }
            known.acknowledged = next
            return true
        case .failure(let error):
            if case .failure(let refusal) = expected, refusal == Refusal(error) { return true }
            switch error.code {
            case .diskFull: return true
            case .readOnly:
                lastFailure = error.description
                return false
            case .outcomeUnknown:
                lastFailure = error.description
                known.inDoubt = next
                return false
            default: throw Broken("\(comment): \(write) was answered \(error), expected \(expected)")
            }
        }
    }

    /// Maintenance may fail with the disk; it changes nothing that anybody sees, either way.
    private func maintain(_ comment: String, _ body: (Database) throws(EngineError) -> Void) throws -> Bool {
        do throws(EngineError) { try body(database) } catch {
            guard [.diskFull, .diskFailed, .readOnly, .outcomeUnknown].contains(error.code) else { throw Broken("\(comment): \(error)") }
        }
        return try compare(comment)
    }

    /// Whether all can be read; what can be is as it must be.
    private func compare(_ comment: String) throws -> Bool {
        switch Result(catching: { () throws(EngineError) in try known.acknowledged.difference(from: database.snapshot()) }) {
        case .success(nil): return true
        case .success(let difference?): throw Broken("\(comment): \(difference)")
        // A segment that could not be opened is not served, and says so.
        case .failure(let error):
            guard error.code == .dataDamaged, disk.hasFailed else { throw Broken("\(comment): \(error)") }
            return false
        }
    }

    /// What is asked of a database with indexes is answered as it must be, by them or without.
    func search(seed: UInt64, _ comment: String) throws {
        guard database.statistics.indexes > 0 else { return }
        var random = SeededRandom(seed: seed)
        let snapshot = database.snapshot()
        if let difference = try known.acknowledged.difference(from: snapshot, asking: &random) { throw Broken("\(comment): \(difference)") }
    }

    /// The same once every index that was found has been checked, or built again: on a disk that works.
    func searchByIndexes(seed: UInt64, _ comment: String) throws {
        guard database.statistics.indexes > 0 else { return }
        do throws(EngineError) { while try database.maintainIndexes() {} } catch { throw Broken("\(comment): no indexes: \(error)") }
        try search(seed: seed, comment)
    }

    private mutating func createSnapshot(_ name: String, _ comment: String) throws -> Bool {
        switch Result(catching: { () throws(EngineError) in try database.createSnapshot(name, nowMilliseconds: 7) }) {
        case .success(let info):
            guard info.sequence == known.acknowledged.sequence, known.snapshots[name] == nil else { throw Broken("\(comment): \(info)") }
            known.snapshots[name] = known.acknowledged
            known.snapshotsInDoubt[name] = nil
        case .failure(let error):
            if error.code == .snapshotExists, known.snapshots[name] ?? known.snapshotsInDoubt[name] != nil { return true }
            guard [.diskFull, .diskFailed, .readOnly, .outcomeUnknown].contains(error.code) else { throw Broken("\(comment): \(error)") }
            if known.snapshots[name] == nil, known.snapshotsInDoubt[name] == nil { known.snapshotsInDoubt[name] = known.acknowledged }
        }
        return true
    }

    private mutating func dropSnapshot(_ name: String, _ comment: String) throws -> Bool {
        guard let model = known.snapshots[name] else { return true }
        do throws(EngineError) {
            try database.dropSnapshot(name)
            known.snapshots[name] = nil
        } catch {
            guard [.diskFull, .diskFailed, .readOnly, .outcomeUnknown].contains(error.code) else { throw Broken("\(comment): \(error)") }
            // Dropped or not: it may have been the removal of its files that failed.
            known.snapshots[name] = nil
            known.snapshotsInDoubt[name] = model
        }
        return true
    }

    /// Opens what is left of the disk and holds it against what is known; then writes, and opens once more.
    static func check(_ disk: FaultyDisk, _ known: Knowledge, seed: UInt64, _ comment: @autoclosure () -> String) throws {
        let witness: Witness
        do throws(LogError) { witness = try Witness(disk, seed: seed, known: known) } catch { throw Broken("\(comment()): does not open: \(error)") }
        var settled = witness
        try settled.settle(comment())
        try settled.checkSnapshots(comment())
        try settled.searchByIndexes(seed: seed, comment())
        try settled.goOn(comment())
        let again = disk.afterCrash(.clean)
        do {
            let database = try TestDatabase.open(again, seed: seed &+ 1)
            if let difference = try settled.known.acknowledged.difference(from: database.snapshot()) { throw Broken("\(comment()), again: \(difference)") }
        } catch { throw Broken("\(comment()): does not open again: \(error)") }
    }

    /// Takes what a reopened database shows for the truth, if it is one of the two.
    mutating func settle(_ comment: String) throws {
        let snapshot = database.snapshot()
        if let difference = try known.acknowledged.difference(from: snapshot) {
            guard let inDoubt = known.inDoubt, try inDoubt.difference(from: snapshot) == nil else { throw Broken("\(comment): \(difference)") }
            known.acknowledged = inDoubt
        }
        known.inDoubt = nil
    }

    /// Every snapshot that must be there is, and holds what it held: taken out of the directory, it opens as a database.
    mutating func checkSnapshots(_ comment: String) throws {
        let found = Set(database.snapshots.map(\.name))
        for (name, model) in known.snapshotsInDoubt where found.contains(name) { known.snapshots[name] = model }
        known.snapshotsInDoubt = [:]
        guard found == Set(known.snapshots.keys) else { throw Broken("\(comment): snapshots \(found), expected \(known.snapshots.keys)") }
        for (name, model) in known.snapshots {
            let opened = try TestDatabase.open(Self.extract(try database.manifestSnapshot(name), database.store.databaseID, from: disk), seed: 9)
            if let difference = try model.difference(from: opened.snapshot()) { throw Broken("\(comment): in snapshot \(name): \(difference)") }
        }
    }

    static func extract(_ snapshot: ManifestSnapshot, _ databaseID: UInt64, from disk: FaultyDisk) -> FaultyDisk {
        let copy = FaultyDisk()
        for name in snapshot.namedFiles() { copy[name] = disk[name] }
        for log in snapshot.log {
            let name = FileKind.log.name(log.number)
            copy[name] = disk[name].map { Array($0.prefix(Int(log.byteCount))) }
        }
        let contents = ManifestContents(databaseID: databaseID, version: snapshot.version, logFiles: snapshot.log.map(\.number))
        let manifest = Manifest.encode(contents, salt: 1)
        copy[manifest.name] = manifest.bytes
        return copy
    }

    private mutating func goOn(_ comment: String) throws {
        let more = Write.createCollection(.everything(name: "after-\(known.acknowledged.sequence)"))
        guard try write(more, comment), known.acknowledged.collections[more.collectionName ?? ""] != nil else {
            throw Broken("\(comment): does not go on writing")
        }
    }
}

extension Write {
    var collectionName: String? { if case .createCollection(let schema) = self { schema.name } else { nil } }
}

/// A promise that was not kept.
struct Broken: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}
