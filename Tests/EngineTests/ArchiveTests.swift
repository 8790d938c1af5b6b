// Databases carried out through an archive and back in: whole, in increments, damaged, and to places where they must not go.
@testable import Engine
import Memory
@testable import Storage
import Testing
import TestSupport

@Suite struct ArchiveTests {
    @Test(arguments: 0..<6 as Range<UInt64>)
    func `a restored database is what the snapshot was, and goes on from there`(number: UInt64) throws {
        let seed = TestSeed(81)
        var lived = try LivedDatabase(seed: seed.value &+ number)
        for name in ["first", "second"] {
            try lived.live(Int(5 + 12 * number))
            try lived.remember(name)
        }
        try lived.live(10)
        for (name, memory) in lived.memories {
            let harness = try RestoreHarness()
            let restored = try harness.restore(try lived.archive(name))
            #expect(restored.snapshot == name && restored.sequence == memory.sequence && restored.createdMilliseconds == 1_790_850_600_250)
            #expect(try harness.difference(from: memory) == nil, "\(name), \(seed)")
            // It takes writes like any other, and finds them again.
            var model = memory
            let write = Write.createCollection(.everything(name: "after"))
            do {
                let database = try TestDatabase.open(try FileSystemDisk(path: harness.target), seed: 10)
                #expect(try database.write(write) == model.apply(write))
                try database.checkpoint()
                try database.close()
            }
            #expect(try harness.difference(from: model) == nil, "\(name), \(seed)")
        }
    }

    @Test func `an empty database is one`() throws {
        var lived = try LivedDatabase(seed: 1)
        try lived.remember("nothing")
        let harness = try RestoreHarness()
        #expect(try harness.restore(try lived.archive("nothing")).sequence == 0)
        #expect(try harness.difference(from: Model()) == nil)
    }

    @Test(arguments: 0..<4 as Range<UInt64>)
    func `increments make a whole with the archives that they go on from, in any order`(number: UInt64) throws {
        let seed = TestSeed(82)
        var lived = try LivedDatabase(seed: seed.value &+ number)
        var archives: [[UInt8]] = []
        for index in 0..<4 {
            try lived.live(30)
            // So that there are files to share.
            try lived.database.checkpoint()
            try lived.live(5)
            try lived.remember("s\(index)")
            archives.append(try lived.archive("s\(index)", since: index == 0 ? nil : "s\(index - 1)"))
        }
        var random = seed.random
        for index in archives.indices {
            let harness = try RestoreHarness()
            let bases = archives.indices.filter { $0 != index }.shuffled(using: &random).map { archives[$0] }
            _ = try harness.restore(archives[index], bases: bases)
            #expect(try harness.difference(from: try #require(lived.memories["s\(index)"])) == nil, "\(seed)")
        }
    }

    @Test func `an increment without what it goes on from is refused, and so is one with another database's`() throws {
        var lived = try LivedDatabase(seed: 7)
        try lived.live(40)
        try lived.database.checkpoint()
        try lived.remember("a")
        try lived.live(3)
        try lived.remember("b")
        let (whole, increment) = (try lived.archive("a"), try lived.archive("b", since: "a"))
        #expect(increment.count < whole.count)

        var other = try LivedDatabase(seed: 8)
        try other.live(40)
        try other.remember("a")
        let harness = try RestoreHarness()
        for bases in [[], [increment], [try other.archive("a")]] {
            #expect(throws: ArchiveError.self) { try harness.restore(increment, bases: bases) }
            #expect(try harness.names() == [])
        }
        _ = try harness.restore(increment, bases: [increment, whole])
        #expect(try harness.difference(from: try #require(lived.memories["b"])) == nil)
    }

    @Test func `pieces asked for anywhere, and again, are of one archive`() throws {
        let seed = TestSeed(83)
        var lived = try LivedDatabase(seed: seed.value)
        try lived.live(40)
        try lived.remember("s")
        let snapshot = try lived.database.manifestSnapshot("s")
        func archive() -> SnapshotArchive {
            SnapshotArchive(snapshot, since: nil, databaseID: lived.database.store.databaseID, disk: lived.disk)
        }
        let whole = try archive().read(offset: 0, count: .max)
        #expect(whole.count == archive().byteCount)
        // What happens to the database meanwhile is none of its concern.
        try lived.live(20)
        try lived.database.optimize()
        var random = seed.random
        for _ in 0..<200 {
            let offset = Int.random(in: 0...whole.count, using: &random)
            let count = random.oneIn(2) ? Int.random(in: 0...300, using: &random) : Int.random(in: 0...whole.count, using: &random)
            #expect(try archive().read(offset: offset, count: count) == Array(whole[offset..<min(offset + count, whole.count)]), "\(seed)")
        }
    }

    @Test func `an export is told in pieces until there is no next, and a snapshot that is gone ends it`() throws {
        var lived = try LivedDatabase(seed: 3)
        try lived.live(30)
        try lived.remember("s")
        let piece = try lived.database.exportSnapshot(name: "s", since: nil, offset: 0)
        #expect(piece.next == nil && piece.total > piece.frame.count)
        let harness = try RestoreHarness()
        _ = try harness.restore(piece.frame)
        #expect(try harness.difference(from: lived.model) == nil)

        func refusal(_ name: String, _ since: String?, _ offset: Int) -> EngineError? {
            do throws(EngineError) {
                _ = try lived.database.exportSnapshot(name: name, since: since, offset: offset)
                return nil
            } catch { return error }
        }
        for offset in [-1, piece.total, Int.max] { #expect(refusal("s", nil, offset)?.field == "offset") }
        #expect(refusal("t", nil, 0)?.code == .unknownSnapshot)
        #expect(refusal("s", "t", 0)?.field == "since")
        try lived.database.dropSnapshot("s")
        #expect(refusal("s", nil, 0)?.code == .unknownSnapshot)
    }

    // MARK: Damage

    private static func smallArchive() throws -> (bytes: [UInt8], model: Model) {
        var lived = try LivedDatabase(seed: 5)
        try lived.live(12)
        try lived.database.checkpoint()
        try lived.live(4)
        try lived.remember("s")
        return (try lived.archive("s", pieceBytesMax: 20_000), lived.model)
    }

    @Test func `an archive cut short anywhere is refused, and the target is left alone`() throws {
        let (archive, _) = try Self.smallArchive()
        let harness = try RestoreHarness()
        for count in stride(from: 0, to: archive.count, by: archive.count / 150 + 1) {
            #expect(throws: ArchiveError.self, "\(count) of \(archive.count)") { try harness.restore(Array(archive.prefix(count))) }
            #expect(try harness.names() == [], "\(count)")
        }
        #expect(throws: ArchiveError.self) { try harness.restore(Array(archive.dropLast())) }
        #expect(throws: ArchiveError.self) { try harness.restore(archive + CompressedFrame.of([UInt8](repeating: 0, count: 1).rawSpan)) }
        #expect(throws: ArchiveError.self) { try harness.restore(archive + [0]) }
        #expect(try harness.names() == [])
        _ = try harness.restore(archive)
    }

    @Test func `an archive with a flipped bit is refused, or makes the same database all the same`() throws {
        let seed = TestSeed(84)
        let (archive, model) = try Self.smallArchive()
        var random = seed.random
        var harmless = 0
        for index in stride(from: 0, to: archive.count, by: archive.count / 150 + 1) {
            var damaged = archive
            damaged[index] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            let harness = try RestoreHarness()
            if try harness.isRefused(damaged) {
                #expect(try harness.names() == [], "byte \(index), \(seed)")
            } else {
                harmless += 1
                #expect(try harness.difference(from: model) == nil, "byte \(index), \(seed)")
            }
        }
        // A frame's header has a bit that readers ignore.
        #expect(harmless <= 5, "\(seed)")
    }

    @Test func `a flipped bit behind sound frames is refused, or makes the same database all the same`() throws {
        let seed = TestSeed(85)
        var lived = try LivedDatabase(seed: 5)
        try lived.live(12)
        try lived.database.checkpoint()
        try lived.live(4)
        try lived.remember("s")
        let archive = SnapshotArchive(
            try lived.database.manifestSnapshot("s"), since: nil, databaseID: lived.database.store.databaseID, disk: lived.disk)
        let plain = try archive.read(offset: 0, count: .max)
        var random = seed.random
        for index in stride(from: 0, to: plain.count, by: plain.count / 150 + 1) {
            var damaged = plain
            damaged[index] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            let harness = try RestoreHarness()
            if try harness.isRefused(CompressedFrame.of(damaged.rawSpan)) {
                #expect(try harness.names() == [], "byte \(index), \(seed)")
            } else {
                #expect(try harness.difference(from: lived.model) == nil, "byte \(index), \(seed)")
            }
        }
    }

    @Test func `names that lead out of the directory, or are no database's, are refused before anything is written`() throws {
        let manifest = ArchiveEntry(name: FileKind.manifest.name(1), byteCount: 0, checksum: 0, place: .here)
        func archive(_ entries: [ArchiveEntry]) -> [UInt8] {
            CompressedFrame.of(ArchiveHeader(databaseID: 1, snapshot: "s", createdMilliseconds: 0, sequence: 0, entries: entries).encoded().rawSpan)
        }
        let harness = try RestoreHarness()
        let names = [
            "../x", "/etc/passwd", "..", ".", "", "log-0", "log-000000000000000G", "log-00000000000000001", "LOG-0000000000000001", "reserve",
            "segment-../../../../x", "segment-0000000000000001/", "log-000000000000000\u{0}", "ｌog-0000000000000001", "log-+00000000000001",
        ]
        for name in names {
            let hostile = ArchiveEntry(name: name, byteCount: 0, checksum: 0, place: .here)
            for entries in [[manifest, hostile], [hostile]] {
                do throws(ArchiveError) {
                    _ = try harness.restore(archive(entries))
                    Issue.record("took \(name)")
                } catch {
                    guard case .corruption = error else { Issue.record("\(name): \(error)"); continue }
                }
            }
        }
        let log = ArchiveEntry(name: FileKind.log.name(1), byteCount: 0, checksum: 0, place: .here)
        let elsewhere = ArchiveEntry(name: FileKind.log.name(1), byteCount: 0, checksum: 0, place: .earlier)
        let endless = ArchiveEntry(name: FileKind.log.name(1), byteCount: .max, checksum: 0, place: .earlier)
        for entries in [[], [log], [manifest, manifest], [log, manifest], [manifest, log, log], [manifest, elsewhere], [manifest, endless]] {
            #expect(throws: ArchiveError.self) { try harness.restore(archive(entries)) }
        }
        #expect(try harness.names() == [])
    }

    // MARK: Targets

    @Test func `a target with something in it is refused and left as it is, an empty one is taken`() throws {
        let (archive, model) = try Self.smallArchive()
        let harness = try RestoreHarness()
        let target = try FileSystemDisk(path: harness.target)
        _ = try harness.restore(archive)
        let names = try FileSystemDisk(reading: harness.target).list()
        #expect(throws: ArchiveError.self) { try harness.restore(archive) }
        #expect(try FileSystemDisk(reading: harness.target).list() == names)
        #expect(try harness.names() == ["restored"])
        #expect(try harness.difference(from: model) == nil)
        withExtendedLifetime(target) {}
    }

    @Test func `a target that is a file, or whose staging is there, or that has no name, is refused`() throws {
        let (archive, _) = try Self.smallArchive()
        let harness = try RestoreHarness()
        let parent = try FileSystemDisk(path: harness.directory.path)
        let file = try parent.create("file")
        try file.write([UInt8](repeating: 7, count: 3).rawSpan, at: 0)
        _ = try FileSystemDisk(path: harness.directory.file("busy.restoring")).create("mine")
        for target in ["file", "busy", ".", "..", "", "absent/target"] {
            #expect(throws: ArchiveError.self, "\(target)") { try RestoreHarness.restore(archive, to: harness.directory.file(target)) }
        }
        #expect(try harness.names() == ["busy.restoring", "file"])
        #expect(try file.size() == 3)
        #expect(try FileSystemDisk(reading: harness.directory.file("busy.restoring")).list() == ["mine"])
        _ = try RestoreHarness.restore(archive, to: harness.directory.file("slash//"))
        #expect(try harness.names() == ["busy.restoring", "file", "slash"])
    }

    @Test(.enabled(if: SmallFileSystem.isPossible, "mounting a tmpfs takes root"))
    func `a disk that is full while restoring leaves nothing behind, and space alone cures it`() throws {
        var lived = try LivedDatabase(seed: 6)
        try lived.live(40)
        var random = SeededRandom(seed: 6)
        // Noise, which is as large in the archive as on disk.
        _ = try lived.database.write(.createCollection(.everything(name: "large")))
        for round in 0..<8 {
            var documents = UpsertInput([], into: "large")
            for number in 0..<100 {
                var document = DocumentInput("\(round)-\(number)")
                document.title = String((0..<4000).map { _ in Character(Unicode.Scalar(UInt8.random(in: 33...126, using: &random))) })
                documents.documents.append(document)
            }
            _ = try lived.database.write(.upsert(documents))
        }
        try lived.remember("s")
        let archive = try lived.archive("s", pieceBytesMax: 1 << 20)
        let disk = try SmallFileSystem(megabytes: 8)
        try disk.fill("ballast", megabytes: 6)
        for _ in 0..<2 {
            do throws(ArchiveError) {
                _ = try RestoreHarness.restore(archive, to: disk.file("db"))
                Issue.record("3 MB fit into 2")
            } catch {
                guard case .disk(let reason) = error, reason.isFull else { Issue.record("\(error)"); return }
            }
            #expect(try FileSystemDisk(reading: disk.path).list() == ["ballast"])
        }
        try disk.free("ballast")
        #expect(try RestoreHarness.restore(archive, to: disk.file("db")).report.documents >= 800)
    }
}
