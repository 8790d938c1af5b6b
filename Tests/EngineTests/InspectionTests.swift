// What inspection tells of a directory, and that it can be asked while others write.
@testable import Engine
import Memory
@testable import Storage
import Synchronization
import Testing
import TestSupport

@Suite struct InspectionTests {
    @Test func `an inspection tells files, columns, collections and snapshots as the manifest has them, and changes nothing`() throws {
        var lived = try LivedDatabase(seed: 19)
        try lived.live(40)
        try lived.database.checkpoint()
        let covered = lived.model
        try lived.remember("s")
        try lived.live(3)
        lived.disk["stranger"] = [1]
        lived.disk.plan(nil)
        let found = try #require(try Database.inspect(lived.disk))
        #expect(Set(lived.disk.calls).isDisjoint(with: [.create, .remove, .write, .sync, .truncate, .syncDirectory, .lock]))
        #expect(found.coveredSequence == covered.sequence)
        #expect(found.logFiles.compactMap { $0.records?.upperBound }.last == lived.model.sequence + 1)
        #expect(found.collections.map(\.schema.name).sorted() == covered.collections.keys.sorted())
        for collection in found.collections {
            let expected = try #require(covered.collections[collection.schema.name])
            #expect(collection.documents == expected.documentCount && collection.folders == expected.folderCount)
            #expect(collection.files.allSatisfy { $0.damage == nil && !$0.columns.isEmpty && !$0.columns.contains { $0.name.contains("column ") } })
            #expect(collection.files.reduce(0) { $0 + $1.rows } >= expected.chunkCount)
        }
        #expect(found.snapshots == lived.database.snapshots)
        #expect(found.unnamed.contains("stranger"))
        #expect(try Database.inspect(lived.disk) == found)
        #expect(try Database.inspect(FaultyDisk()) == nil)
    }

    @Test func `damage is told and hides nothing else`() throws {
        var lived = try LivedDatabase(seed: 18)
        try lived.live(40)
        try lived.database.checkpoint()
        let whole = try #require(try Database.inspect(lived.disk))
        for name in lived.disk.names where name.hasPrefix("segment") || name.hasPrefix("catalog") {
            let bytes = try #require(lived.disk[name])
            var damaged = bytes
            damaged[17] ^= 1
            lived.disk[name] = damaged
            let found = try #require(try Database.inspect(lived.disk))
            #expect((found.directory + found.collections.flatMap(\.files)).filter { $0.damage != nil }.map(\.name) == [name])
            #expect(found.collections.map(\.schema) == whole.collections.map(\.schema))
            lived.disk[name] = bytes
        }
    }

    @Test func `a directory can be inspected while it is written to, checkpointed and compacted`() throws {
        try TemporaryDirectory.with { path in
            let database = try TestDatabase.open(try FileSystemDisk(path: path))
            _ = try database.write(.createCollection(.everything()))
            let life = SharedLife()
            Threads.run(2) { thread in
                do {
                    if thread == 0 {
                        defer { life.isOver.store(true, ordering: .relaxed) }
                        for number in 0..<60 {
                            _ = try database.write(.upsert(UpsertInput("d\(number % 7)", vectors: [(nil, [1, Float(number)])])))
                            if number % 4 == 3 { try database.optimize() }
                        }
                    } else {
                        try Self.inspectUntil(life, path)
                    }
                } catch { Issue.record("thread \(thread): \(error)") }
            }
            try database.close()
        }
    }

    /// What another thread ends.
    private final class SharedLife: Sendable {
        let isOver = Atomic(false)
    }

    private static func inspectUntil(_ life: borrowing SharedLife, _ path: String) throws {
        var last: UInt64 = 0
        while !life.isOver.load(ordering: .relaxed) {
            let found = try #require(try Database.inspect(try FileSystemDisk(reading: path)))
            #expect(found.coveredSequence >= last, "checkpoints go forward")
            last = found.coveredSequence
        }
    }
}
