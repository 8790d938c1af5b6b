// Files of indexes: they come after their segments, go with them, and no work that goes on meanwhile loses one.
@testable import Engine
import Index
import Memory
import Storage
import Testing
import TestSupport

extension Database {
    /// Gives a segment an index of a few bytes, as background work would; nil where the segment has gone.
    fileprivate func addIndex(to segment: UInt64, space: UInt16 = 0, collection: UInt32 = 1) throws(EngineError) -> FileReference? {
        let files = OutputFiles(store, .unlimited)
        defer { files.end() }
        let output = try files.begin(.index)
        try output.column(0, elementBytes: 2) { (output) throws(EngineError) in try output.append(space) }
        let file = try output.finish()
        guard try store.installIndex(collection: collection, segment: segment, space: space, file: file) else { return nil }
        queue.install(InstalledIndex(collection: collection, segment: segment, index: SegmentIndex(ManifestIndex(space: space, file: file))))
        return file
    }

    fileprivate var namedSegments: [ManifestSegment] { store.contents.version.collections[1]?.segments ?? [] }

    /// As searches see them.
    fileprivate var usedSegments: [ManifestSegment] {
        get throws { try snapshot().collection("c").state.sealed.compactMap { $0.segment?.record } }
    }
}

extension FaultyDisk {
    fileprivate var indexNumbers: [UInt64] { names.compactMap { FileKind.index.number($0) } }
}

@Suite struct IndexFileTests {
    private let disk = FaultyDisk()
    private let database: Database

    init() throws {
        database = try TestDatabase.open(disk, sizes: TestDatabase.largeFiles)
        _ = try database.write(.createCollection(.everything()))
        try putSegment(0..<20)
    }

    private func put(_ numbers: Range<Int>) throws {
        for number in numbers { _ = try database.write(.upsert(UpsertInput("d\(number)", vectors: [(nil, [Float(number), 1])]))) }
    }

    private func putSegment(_ numbers: Range<Int>) throws {
        try put(numbers)
        try database.checkpoint()
    }

    @Test func `indexes are named within their segments, and found again by the next open`() throws {
        try putSegment(20..<30)
        let segments = database.namedSegments
        try #require(segments.count == 2)
        let long = try #require(try database.addIndex(to: segments[1].file.number, space: 1))
        let short = try #require(try database.addIndex(to: segments[1].file.number, space: 0))
        #expect(database.namedSegments.map(\.indexes) == [[], [ManifestIndex(space: 0, file: short), ManifestIndex(space: 1, file: long)]])
        #expect(try database.usedSegments == database.namedSegments)
        let later = try #require(try database.addIndex(to: segments[1].file.number, space: 0))
        #expect(database.namedSegments[1].indexes == [ManifestIndex(space: 0, file: later), ManifestIndex(space: 1, file: long)])
        database.maintenance.sweepWhenIdle()
        #expect(disk.indexNumbers == [long.number, later.number].sorted())
        #expect(database.statistics.indexes == 2 && database.statistics.indexBytes == long.byteCount + later.byteCount)
        let found = try #require(try Database.inspect(disk)?.collections[0].files.filter { $0.indexed != nil })
        #expect(found.map(\.name) == [FileKind.index.name(later.number), FileKind.index.name(long.number)])
        #expect(found.map(\.indexed?.space) == ["default", "long"] && found.allSatisfy { $0.damage == nil })
        let again = try TestDatabase.open(disk.afterRestart())
        #expect(try again.usedSegments == database.namedSegments)
        // The number is not given again, though its file has gone.
        #expect(again.store.beginFile() > later.number)
    }

    @Test func `an index of a segment that has gone is not named, and its file goes`() throws {
        let gone = database.namedSegments[0].file.number
        try putSegment(20..<30)
        try database.optimize()
        let before = database.store.contents
        #expect(try database.addIndex(to: gone) == nil)
        #expect(try database.addIndex(to: database.namedSegments[0].file.number, collection: 9) == nil)
        #expect(database.store.contents == before)
        database.maintenance.sweepWhenIdle()
        #expect(disk.indexNumbers.isEmpty)
        // Named before the segment went, and installed after: what is in force has no place for it.
        let index = SegmentIndex(ManifestIndex(space: 0, file: FileReference(number: 99, byteCount: 1, checksum: 1)))
        database.queue.install(InstalledIndex(collection: 1, segment: gone, index: index))
        database.queue.install(InstalledIndex(collection: 9, segment: gone, index: index))
        #expect(try database.usedSegments == database.namedSegments)
    }

    @Test func `an index goes with its segment, unless a snapshot has it`() throws {
        let first = try #require(try database.addIndex(to: database.namedSegments[0].file.number))
        _ = try database.createSnapshot("s", nowMilliseconds: 1)
        #expect(database.snapshots[0].fileCount == 3, "a catalog, a segment, an index")
        try putSegment(20..<30)
        try database.optimize()
        #expect(database.namedSegments.map(\.indexes) == [[]])
        #expect(disk.indexNumbers == [first.number])
        #expect(try database.verifySnapshot("s").isSound)
        let archive = SnapshotArchive(
            try database.manifestSnapshot("s"), since: nil, databaseID: database.store.databaseID, disk: disk)
        let harness = try RestoreHarness()
        _ = try harness.restore(try archive.frame(offset: 0, count: archive.byteCount))
        #expect(try FileSystemDisk(reading: harness.target).list().contains(FileKind.index.name(first.number)))
        try database.dropSnapshot("s")
        #expect(disk.indexNumbers.isEmpty)
    }

    @Test func `an incremental archive leaves an index to the one before`() throws {
        let first = try #require(try database.addIndex(to: database.namedSegments[0].file.number))
        _ = try database.createSnapshot("one", nowMilliseconds: 1)
        try putSegment(20..<30)
        let second = try #require(try database.addIndex(to: database.namedSegments[1].file.number))
        _ = try database.createSnapshot("two", nowMilliseconds: 2)
        func archive(_ name: String, since: String? = nil) throws -> [UInt8] {
            let archive = SnapshotArchive(
                try database.manifestSnapshot(name), since: try since.map { try database.manifestSnapshot($0) },
                databaseID: database.store.databaseID, disk: disk)
            return try archive.frame(offset: 0, count: archive.byteCount)
        }
        let harness = try RestoreHarness()
        #expect(throws: ArchiveError.self) { try harness.restore(try archive("two", since: "one")) }
        _ = try harness.restore(try archive("two", since: "one"), bases: [try archive("one")])
        let names = try FileSystemDisk(reading: harness.target).list()
        #expect(names.compactMap { FileKind.index.number($0) } == [first.number, second.number])
    }

    @Test func `no sweep takes a file that is being written, nor one that has just been named`() throws {
        let files = OutputFiles(database.store, .unlimited)
        let output = try files.begin(.index)
        let begun = disk.indexNumbers
        #expect(begun.count == 1)
        try putSegment(20..<30)
        try database.optimize()
        database.maintenance.sweepWhenIdle()
        #expect(disk.indexNumbers == begun)
        try output.column(0, elementBytes: 2) { (output) throws(EngineError) in try output.append(UInt16(7)) }
        let file = try output.finish()
        database.maintenance.sweepWhenIdle()
        #expect(disk.indexNumbers == begun)
        #expect(try database.store.installIndex(collection: 1, segment: database.namedSegments[0].file.number, space: 0, file: file))
        files.end()
        database.maintenance.sweepWhenIdle()
        #expect(disk.indexNumbers == begun)
        // One that came to nothing goes with the next sweep, and not before it has ended.
        let other = OutputFiles(database.store, .unlimited)
        _ = try other.begin(.index)
        database.maintenance.sweepWhenIdle()
        #expect(disk.indexNumbers.count == 2)
        other.end()
        database.maintenance.sweepWhenIdle()
        #expect(disk.indexNumbers == begun)
        // And one that a crash left goes when the database is next opened.
        let abandoned = OutputFiles(database.store, .unlimited)
        _ = try abandoned.begin(.index)
        let restarted = disk.afterRestart()
        #expect(restarted.indexNumbers.count == 2)
        _ = try TestDatabase.open(restarted)
        #expect(restarted.indexNumbers == begun)
        abandoned.end()
    }

    @Test func `an index installed while a checkpoint is at work stays`() throws {
        let segment = database.namedSegments[0].file.number
        // Long enough for its segment to be written in more steps than one.
        for part in 0..<8 {
            var input = UpsertInput(collection: "c")
            for number in 0..<20 {
                var document = DocumentInput("long \(part) \(number)")
                var chunk = ChunkInput()
                var random = SeededRandom(seed: UInt64(part * 100 + number))
                chunk.text = String((0..<20_000).map { _ in Character(Unicode.Scalar(UInt8.random(in: 33...126, using: &random))) })
                document.chunks = [chunk]
                input.documents.append(document)
            }
            _ = try database.write(.upsert(input))
        }
        let installed = SharedFile()
        let database = database
        try database.checkpoint(Pace { _ throws(EngineError) in
            if installed.file == nil { installed.file = try database.addIndex(to: segment) }
        })
        let file = try #require(installed.file, "the checkpoint took a step")
        #expect(database.namedSegments.map(\.indexes) == [[ManifestIndex(space: 0, file: file)], []])
        #expect(try database.usedSegments == database.namedSegments)
        #expect(disk.indexNumbers == [file.number])
        let again = try TestDatabase.open(disk.afterRestart())
        #expect(try again.usedSegments == database.namedSegments)
    }

    @Test func `a damaged or missing index is told by verification and keeps nobody from searching`() throws {
        let file = try #require(try database.addIndex(to: database.namedSegments[0].file.number))
        let expected = try database.snapshot().collection("c").search(SearchInput([1, 2])).hits[0].map(\.score)
        try database.close()
        let name = FileKind.index.name(file.number)
        #expect(try Database.verify(disk.afterRestart()).isSound)
        for isMissing in [false, true] {
            let damaged = disk.afterRestart()
            damaged[name] = isMissing ? nil : damaged[name].map { $0.map { $0 ^ 1 } }
            #expect(try Database.verify(damaged.afterRestart()).problems.map(\.file) == [name])
            let opened = try TestDatabase.open(damaged)
            #expect(try opened.snapshot().collection("c").search(SearchInput([1, 2])).hits[0].map(\.score) == expected)
            #expect(try opened.snapshot().collection("c").damage == nil)
        }
    }

    /// A row without a vector has no score to be told from damage of its segment by, and one that is missing is never found. A device
    /// that lost a deletion and kept the index built after it leaves such an index.
    @Test func `an index of the wrong rows is refused, and another is built`() throws {
        _ = try database.write(.upsert(UpsertInput("bare", vectors: [])))
        try putSegment(20..<30)
        let files = OutputFiles(database.store, .unlimited)
        let segment = try #require(try database.snapshot().collection("c").state.sealed[1].segment)
        try segment.touchAll(space: 0)
        for (rows, isWhole) in [(1..<11, true), (1..<10, false), (2..<11, false), (0..<11, false)] {
            let built = try #require(IndexBuilder(segment.vectors[0].rows, rows: rows.map { UInt32($0) }, settings: IndexSettings()).build())
            let file = try SegmentIndex.write(built, to: try files.begin(.index))
            #expect(try database.store.installIndex(collection: 1, segment: segment.fileNumber, space: 0, file: file))
            let again = try TestDatabase.open(disk.afterRestart())
            while try again.maintainIndexes() {}
            #expect((again.namedSegments[1].indexes == [ManifestIndex(space: 0, file: file)]) == isWhole, "\(rows)")
            var input = SearchInput([25, 1], k: 30)
            input.filter = .not(.field("i", .exists))
            let collection = try again.snapshot().collection("c")
            #expect(try collection.search(input).hits[0].count == 30 && collection.damage == nil, "\(rows)")
        }
        files.end()
    }

    @Test func `a damaged segment stays quarantined when it gets an index`() throws {
        let before = try #require(try database.snapshot().collection("c").state.sealed[0].segment)
        _ = try database.addIndex(to: before.fileNumber)
        let after = try #require(try database.snapshot().collection("c").state.sealed[0].segment)
        #expect(after.record.indexes.count == 1 && before.record.indexes.isEmpty)
        _ = before.quarantine("no damage, which there is now")
        #expect(after.corruption == before.corruption && after.corruption != nil)
    }
}

/// What a step of background work leaves for its test. One thread at a time.
private final class SharedFile: @unchecked Sendable {
    // Sound: the pace is waited for by the thread that reads this afterwards.
    var file: FileReference?
}
