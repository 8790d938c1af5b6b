// Snapshots restored after rights were withdrawn: never brought back but by name.
@testable import Engine
import Storage
import Testing
import TestSupport

@Suite struct RestoredRightsTests {
    /// Ana may read the folder's documents when the snapshot is taken; afterwards she leaves the group, and a document gets another object.
    private static func lived(_ disk: FaultyDisk) throws -> (archive: [UInt8], database: Database) {
        let database = try TestDatabase.open(disk, seed: 3)
        var (open, closed) = (AccessInput(name: "open"), AccessInput(name: "closed"))
        (open.grants, closed.grants) = ([("group:eng", .read), ("user:bo", .read)], [("user:zoe", .read)])
        var schema = CollectionSchema(name: "kb", spaces: [], fields: [FieldSchema(name: "k", type: .keyword)])
        schema.access = .enforced
        for write: Write in [
            .createCollection(schema), .changeDirectory(.putGroup("group:eng", members: ["user:ana"])), .changeDirectory(.putAccess(open)),
            .changeDirectory(.putAccess(closed)),
        ] { _ = try database.write(write) }
        var folder = DocumentInput("f", isFolder: true)
        folder.access = .set("open")
        _ = try database.write(.put(folder, DocumentInput("moved", parent: "f"), DocumentInput("kept", parent: "f"), DocumentInput("gone", parent: "f"), into: "kb"))
        _ = try database.createSnapshot("monday", nowMilliseconds: 1_790_850_600_250)
        let archive = try archive(of: database)
        _ = try database.write(.changeDirectory(.removeMembers(group: "group:eng", ["user:ana"])))
        var patch = PatchInput(collection: "kb")
        (patch.selection, patch.access) = (Selection(ids: ["moved"]), .set("closed"))
        _ = try database.write(.patch(patch))
        _ = try database.write(.delete(DeleteInput(collection: "kb", ids: ["gone"])))
        return (archive, database)
    }

    private static func archive(of database: Database) throws -> [UInt8] {
        var (bytes, offset): ([UInt8], Int?) = ([], 0)
        while let from = offset {
            let piece = try database.exportSnapshot(name: "monday", since: nil, offset: from)
            bytes += piece.frame
            offset = piece.next
        }
        return bytes
    }

    private static func seen(_ database: Database, by user: String) throws -> [String] {
        let collection = try database.snapshot().collection("kb", for: Caller(user: user))
        return ["f", "moved", "kept", "gone"].filter { collection.node($0) != nil }
    }

    @Test func `a snapshot with rights is not restored unless somebody says whose`() throws {
        let (archive, database) = try Self.lived(FaultyDisk())
        let directory = try TemporaryDirectory()
        for rights in [RestoredRights.unsaid, .ofSnapshot(named: "tuesday")] {
            #expect(throws: ArchiveError.self) { try RestoreHarness.restore(archive, to: directory.file("a"), rights: rights) }
        }
        let restored = try RestoreHarness.restore(archive, to: directory.file("a"), rights: .ofSnapshot(named: "monday"))
        #expect(restored.report.hasRights)
        let again = try TestDatabase.open(try FileSystemDisk(path: directory.file("a")), seed: 4)
        #expect(try Self.seen(again, by: "user:ana") == ["f", "moved", "kept", "gone"])
        try again.close()
        try database.close()
    }

    @Test func `with the rights of a newer database nothing that was withdrawn comes back, and what was deleted does`() throws {
        let disk = FaultyDisk()
        let (archive, database) = try Self.lived(disk)
        try database.close()
        disk.unlock()
        let directory = try TemporaryDirectory()
        _ = try RestoreHarness.restore(archive, to: directory.file("a"), rights: .newer(disk))
        let again = try TestDatabase.open(try FileSystemDisk(path: directory.file("a")), seed: 4)
        #expect(try Self.seen(again, by: "user:ana") == [])
        #expect(try Self.seen(again, by: "user:bo") == ["f", "kept", "gone"])
        #expect(try Self.seen(again, by: "user:zoe") == ["moved"])
        try again.close()
    }
}
