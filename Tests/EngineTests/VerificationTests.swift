// Verification finds what is damaged, says where, and touches nothing.
@testable import Engine
import Memory
@testable import Storage
import Testing
import TestSupport

@Suite struct VerificationTests {
    /// A small database with something of everything: catalogs, segments, log, snapshots of different ages.
    private static func lived(_ seed: UInt64, closing: Bool = true) throws -> LivedDatabase {
        var lived = try LivedDatabase(seed: seed)
        try lived.live(12)
        try lived.remember("old")
        try lived.database.checkpoint()
        try lived.live(8)
        try lived.remember("new")
        try lived.live(4)
        if closing { try lived.database.close() }
        return lived
    }

    /// Every file's bytes.
    private static func bytes(_ disk: FaultyDisk) -> [String: [UInt8]] {
        Dictionary(uniqueKeysWithValues: disk.names.map { ($0, disk[$0]!) })  // Each of the names is there.
    }

    @Test(arguments: 0..<8 as Range<UInt64>)
    func `a sound database is, and verifying changes nothing, whether it was closed or killed`(number: UInt64) throws {
        let seed = TestSeed(91)
        for closing in [true, false] {
            let lived = try Self.lived(seed.value &+ number, closing: closing)
            let disk = lived.disk.afterRestart()
            let before = Self.bytes(disk)
            disk.plan(nil)
            let report = try Database.verify(disk)
            #expect(report.problems == [], "\(seed)")
            // A log that a checkpoint has made needless stays until the next one begins.
            #expect(report.notes.allSatisfy { $0.hasPrefix("log-") && $0.hasSuffix("it does not count") }, "\(seed): \(report.notes)")
            #expect(report.sequence == lived.model.sequence && report.files > 3 && report.records > 0)
            #expect(report.documents == lived.model.collections.values.reduce(0) { $0 + $1.documentCount + $1.folderCount })
            #expect(report.chunks == lived.model.collections.values.reduce(0) { $0 + $1.chunkCount })
            #expect(Set(disk.calls).isDisjoint(with: [.create, .remove, .write, .sync, .truncate, .syncDirectory]))
            #expect(Self.bytes(disk) == before)
        }
    }

    @Test func `a directory that a process holds, or that is no database, is said to be so`() throws {
        let lived = try Self.lived(1, closing: false)
        #expect(throws: DiskError.self) { try Database.verify(lived.disk) }
        #expect(try Database.verify(FaultyDisk()).problems.count == 1)
        try TemporaryDirectory.with { path in
            let held = try TestDatabase.open(try FileSystemDisk(path: path))
            _ = try held.write(.createCollection(.everything()))
            #expect(throws: DiskError.self) { try Database.verify(try FileSystemDisk(reading: path)) }
            try held.close()
        }
        #expect(throws: DiskError.self) { try FileSystemDisk(reading: "/nowhere/at/all") }
    }

    @Test func `what a crash left is a note`() throws {
        let seed = TestSeed(92)
        var random = seed.random
        var torn = 0
        for number in 0..<20 as Range<UInt64> {
            let lived = try Self.lived(seed.value &+ number, closing: false)
            let disk = FaultyDisk()
            for (name, bytes) in Self.bytes(lived.disk) { disk[name] = bytes }
            // A group that was on its way: half of it is there, over the durability mark.
            guard let last = try FoundManifest(in: disk)?.contents.logFiles.last else { continue }
            let name = FileKind.log.name(last)
            var bytes = try #require(disk[name])
            let end = try #require(bytes.lastIndex { $0 != 0 }) + 1
            let start = (end + 7) / 8 * 8 - 32
            bytes = Array(bytes.prefix(start)) + (0..<Int.random(in: 32...100, using: &random)).map { _ in UInt8.random(in: 1...255, using: &random) }
            disk[name] = bytes
            disk["segment-00000000000fffff"] = [1, 2, 3]
            let report = try Database.verify(disk)
            #expect(report.problems == [], "\(seed)")
            #expect(report.sequence == lived.model.sequence)
            #expect(report.notes.contains { $0.hasPrefix("segment-00000000000fffff") })
            torn += report.notes.count { $0.contains("a torn tail from byte") }
        }
        #expect(torn >= 10)
    }

    @Test(arguments: 0..<2 as Range<UInt64>)
    func `every flipped bit of every file is found, or the database is the same with it`(number: UInt64) throws {
        let seed = TestSeed(93)
        let lived = try Self.lived(seed.value &+ number)
        let sound = Self.bytes(lived.disk)
        var random = seed.random
        var found = 0
        for (name, bytes) in sound.sorted(by: { $0.key < $1.key }) where name != Reserve.name {
            // About 80 places a file, and every one of its first bytes.
            let places = Array(0..<min(bytes.count, 64)) + Array(stride(from: 64, to: bytes.count, by: max(1, bytes.count / 80)))
            for place in places {
                let disk = FaultyDisk()
                for (other, bytes) in sound { disk[other] = bytes }
                var damaged = bytes
                damaged[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
                disk[name] = damaged
                let report = try Database.verify(disk)
                let comment: Comment = "\(name), byte \(place) of \(bytes.count), \(seed)"
                if report.isSound {
                    let database = try TestDatabase.open(disk.afterRestart())
                    #expect(try lived.model.difference(from: database.snapshot()) == nil, comment)
                    for snapshot in lived.memories.keys { try Self.expectWhole(snapshot, of: lived, on: disk, comment) }
                } else {
                    found += 1
                    #expect(report.problems.contains { $0.file == name }, comment)
                }
            }
        }
        #expect(found > 200, "most bytes matter: \(seed)")
    }

    /// A snapshot's archive still makes what the snapshot was.
    private static func expectWhole(_ name: String, of lived: LivedDatabase, on disk: FaultyDisk, _ comment: Comment) throws {
        let frame = try TestDatabase.open(disk.afterRestart()).exportSnapshot(name: name, since: nil, offset: 0).frame
        if try frame == TestDatabase.open(lived.disk.afterRestart()).exportSnapshot(name: name, since: nil, offset: 0).frame { return }
        let harness = try RestoreHarness()
        _ = try harness.restore(frame)
        #expect(try harness.difference(from: try #require(lived.memories[name])) == nil, comment)
    }

    @Test func `a file that is missing, short or long is found`() throws {
        let lived = try Self.lived(4)
        let sound = Self.bytes(lived.disk)
        for (name, bytes) in sound where name != Reserve.name {
            for change in [nil, [], Array(bytes.dropLast(40)), Array(bytes.prefix(10)), bytes + [0]] as [[UInt8]?] {
                let disk = FaultyDisk()
                for (other, bytes) in sound { disk[other] = bytes }
                disk[name] = change
                let report = try Database.verify(disk)
                // Nothing but zeros is lost with a log's last byte, or comes with another.
                let isHarmless = !name.hasPrefix("segment") && !name.hasPrefix("catalog") && change.map { $0.count >= bytes.count - 40 } ?? false
                #expect(!report.isSound || isHarmless, "\(name) of \(bytes.count) bytes as \(change?.count ?? -1)")
            }
        }
    }

    @Test func `a segment whose rows are another collection's is found though every checksum holds`() throws {
        let disk = FaultyDisk()
        let database = try TestDatabase.open(disk)
        for name in ["a", "b"] {
            _ = try database.write(.createCollection(.everything(name: name)))
            _ = try database.write(.upsert(UpsertInput(name, vectors: [(nil, [1, 2])], into: name)))
            // Another document number in each.
            if name == "a" {
                _ = try database.write(.delete(DeleteInput(collection: "a", ids: ["a"])))
                _ = try database.write(.upsert(UpsertInput("again", vectors: [(nil, [1, 2])], into: "a")))
                _ = try database.write(.upsert(UpsertInput("more", vectors: [(nil, [1, 2])], into: "a")))
            }
        }
        try database.checkpoint()
        try database.close()
        let (verification, contents) = try Verification.begin(disk.afterRestart())
        #expect(verification.report.isSound)
        var swapped = try #require(contents)
        let numbers = swapped.version.collections.keys.sorted()
        let segments = numbers.map { swapped.version.collections[$0]!.segments }  // The keys are its own.
        try #require(segments.allSatisfy { $0.count == 1 })
        for (number, other) in zip(numbers, segments.reversed()) { swapped.version.collections[number]!.segments = other }
        let (name, bytes) = Manifest.encode(swapped, number: 1 << 40, salt: 5)
        let crossed = disk.afterRestart()
        crossed[name] = bytes
        #expect(try !Database.verify(crossed).isSound)
    }

    @Test func `a snapshot is verified while the database is written to, and its damage is found`() throws {
        var lived = try Self.lived(2, closing: false)
        for name in ["old", "new"] {
            let report = try lived.database.verifySnapshot(name)
            #expect(report.isSound && report.sequence == lived.memories[name]?.sequence)
        }
        try lived.live(10)
        #expect(throws: EngineError.self) { try lived.database.verifySnapshot("none") }
        let files = try lived.database.manifestSnapshot("new").namedFiles()
        for name in files.sorted() {
            let whole = try #require(lived.disk[name])
            var damaged = whole
            damaged[70] ^= 4
            lived.disk[name] = damaged
            #expect(try lived.database.verifySnapshot("new").problems.contains { $0.file == name }, "\(name)")
            lived.disk[name] = whole
        }
        #expect(try lived.database.verifySnapshot("new").isSound)
    }
}
