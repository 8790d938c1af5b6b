// What tests of archives share: databases with a past, their archives, and directories to restore into.
@testable import Engine
import Memory
@testable import Storage
import Testing
import TestSupport

/// A database in memory that has been written to, checkpointed and compacted at random, with the model of each of its snapshots.
struct LivedDatabase {
    let disk = FaultyDisk()
    let database: Database
    private(set) var model = Model()
    private(set) var memories: [String: Model] = [:]
    private var random: SeededRandom

    init(seed: UInt64) throws {
        random = SeededRandom(seed: seed)
        database = try TestDatabase.open(disk, seed: seed)
    }

    /// Writes until `count` of them have changed something; now and then maintenance.
    mutating func live(_ count: Int) throws {
        let end = model.sequence + UInt64(count)
        while model.sequence < end {
            let write = RandomInput.write(on: model, using: &random)
            do throws(Refusal) { _ = try model.apply(write) } catch { continue }
            _ = try database.write(write)
            if random.oneIn(12) { try database.checkpoint() }
            if random.oneIn(25) { try database.optimize() }
        }
    }

    mutating func remember(_ name: String) throws {
        _ = try database.createSnapshot(name, nowMilliseconds: 1_790_850_600_250)
        memories[name] = model
    }

    /// An archive in frames of random lengths.
    mutating func archive(_ name: String, since: String? = nil, pieceBytesMax: Int = 3000) throws -> [UInt8] {
        let archive = SnapshotArchive(
            try database.manifestSnapshot(name), since: try since.map { try database.manifestSnapshot($0) },
            databaseID: database.store.databaseID, disk: disk)
        var bytes: [UInt8] = []
        var offset = 0
        while offset < archive.byteCount {
            let count = Int.random(in: 1...pieceBytesMax, using: &random)
            bytes += try archive.frame(offset: offset, count: count)
            offset = min(offset + count, archive.byteCount)
        }
        return bytes
    }
}

/// Restores archives that are bytes into directories that are real.
struct RestoreHarness {
    let directory: TemporaryDirectory
    var target: String { directory.file("restored") }

    init() throws { directory = try TemporaryDirectory() }

    func restore(_ archive: [UInt8], bases: [[UInt8]] = []) throws(ArchiveError) -> RestoredDatabase {
        try Self.restore(archive, bases: bases, to: target)
    }

    /// Whether it was found to be damaged; anything else that goes wrong is thrown.
    func isRefused(_ archive: [UInt8]) throws -> Bool {
        do throws(ArchiveError) {
            _ = try restore(archive)
            return false
        } catch {
            if case .disk = error { throw error }
            return true
        }
    }

    static func restore(
        _ archive: [UInt8], bases: [[UInt8]] = [], to target: String, rights: RestoredRights = .ofSnapshot(named: nil)
    ) throws(ArchiveError) -> RestoredDatabase {
        let disk = FaultyDisk()
        disk["archive"] = archive
        for (index, base) in bases.enumerated() { disk["base-\(index)"] = base }
        let files: [any DiskFile]
        do { files = try disk.names.map { name throws(DiskError) in try disk.open(name) } } catch { throw .disk(error) }
        // "archive" sorts before "base-0".
        return try Database.restore(files[0], bases: Array(files.dropFirst()), to: target, rights: rights)
    }

    /// The names in the directory around the target.
    func names() throws -> [String] { try FileSystemDisk(reading: directory.path).list() }

    /// The first thing in which the restored database differs from the model.
    func difference(from model: Model) throws -> String? {
        let database = try TestDatabase.open(try FileSystemDisk(path: target), seed: 9)
        defer { do { try database.close() } catch { Issue.record("\(error)") } }
        return try model.difference(from: database.snapshot())
    }
}
