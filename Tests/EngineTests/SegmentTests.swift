// Heads become segments, segments become one, catalogs grow in chains of files: nobody sees a difference.
@testable import Engine
import Index
import Memory
import Storage
import Synchronization
import Testing
import TestSupport

@Suite struct SegmentTests {
    /// A database and its model, written to alike.
    private struct Pair {
        var disk = FaultyDisk()
        var database: Database
        var model = Model()

        init() throws {
            database = try TestDatabase.open(disk, sizes: TestDatabase.largeFiles)
            try write(.createCollection(.everything()))
        }

        mutating func write(_ write: Write) throws { #expect(try database.write(write) == model.apply(write)) }

        mutating func put(_ numbers: some Sequence<Int>, salt: Int = 0) throws {
            var input = UpsertInput(collection: "c")
            for number in numbers { input.add(number, salt) }
            try write(.upsert(input))
        }

        mutating func reopen() throws {
            disk = disk.afterRestart()
            database = try TestDatabase.open(disk, sizes: TestDatabase.largeFiles)
        }

        func check(_ comment: String = "") throws { #expect(try model.difference(from: database.snapshot()) == nil, "\(comment)") }
        var parts: [ChunkPart] { get throws { try database.snapshot().collection("c").state.sealed } }
        var catalogFiles: [FileReference] { database.store.contents.version.collections[1]?.catalog ?? [] }
    }

    @Test func `a row of the catalog lies in a file as its page says`() {
        #expect(MemoryLayout<DocumentRow>.size == 88 && MemoryLayout<DocumentRow>.stride == 88)
        let offsets = [
            MemoryLayout<DocumentRow>.offset(of: \.digest), MemoryLayout<DocumentRow>.offset(of: \.time), MemoryLayout<DocumentRow>.offset(of: \.firstChunk),
            MemoryLayout<DocumentRow>.offset(of: \.chunkCount), MemoryLayout<DocumentRow>.offset(of: \.lastVersion),
            MemoryLayout<DocumentRow>.offset(of: \.parentPlusOne), MemoryLayout<DocumentRow>.offset(of: \.childCount),
            MemoryLayout<DocumentRow>.offset(of: \.title), MemoryLayout<DocumentRow>.offset(of: \.url), MemoryLayout<DocumentRow>.offset(of: \.mime),
            MemoryLayout<DocumentRow>.offset(of: \.isFolder), MemoryLayout<DocumentRow>.offset(of: \.present), MemoryLayout<DocumentRow>.offset(of: \.reserved),
        ]
        #expect(offsets == [0, 16, 24, 32, 36, 40, 44, 48, 60, 72, 84, 85, 86])
        #expect(MemoryLayout<ByteRange>.size == 12)
    }

    @Test func `what is in segments, in heads waiting to become one, and in the head is one collection`() throws {
        var pair = try Pair()
        for part in 0..<4 {
            try pair.put(part * 7..<part * 7 + 10, salt: part)
            try pair.database.checkpoint()
            try pair.check("part \(part)")
        }
        try pair.put(30..<35)
        #expect(try pair.parts.count == 4 && pair.parts.allSatisfy { $0.segment != nil })
        try pair.check()
        var input = SearchInput([1, 2], k: 100)
        #expect(try pair.database.snapshot().collection("c").search(input).hits[0].count == pair.model.collections["c"]!.nodes.count)  // It is there.
        input.filter = .field("i", .isIn([.integer(12)]))
        #expect(try pair.database.snapshot().collection("c").search(input).hits[0].count == 1)
        try pair.reopen()
        try pair.check("opened again")
    }

    @Test func `after a checkpoint there is nothing to replay, and the files of the log are gone`() throws {
        var pair = try Pair()
        try pair.put(0..<50)
        #expect(pair.database.statistics.uncoveredLogBytes > 0)
        try pair.database.checkpoint()
        #expect(pair.database.statistics.uncoveredLogBytes == 0)
        #expect(pair.disk.names.allSatisfy { FileKind.log.number($0) == nil }, "\(pair.disk.names)")
        try pair.reopen()
        #expect(pair.database.statistics.uncoveredLogBytes == 0 && pair.database.coveredSequence == 2)
        try pair.check()
        try pair.put(50..<60)
        try pair.reopen()
        try pair.check("with a log again")
    }

    @Test func `compaction keeps what is in force and nothing else, and old snapshots read what they read`() throws {
        var pair = try Pair()
        for part in 0..<5 {
            try pair.put(0..<20, salt: part)
            try pair.put(part * 100..<part * 100 + 5)
            try pair.database.checkpoint()
        }
        try pair.write(.delete(DeleteInput(collection: "c", ids: ["d1", "d201"])))
        let (before, model) = (pair.database.snapshot(), pair.model)
        try pair.database.optimize()
        try pair.check()
        let parts = try pair.parts
        #expect(parts.count == 1 && parts[0].rowCount == parts[0].liveCount)
        #expect(try model.difference(from: before) == nil)
        #expect(pair.disk.names.count { FileKind.segment.number($0) != nil } == 1, "files that count no more are gone: \(pair.disk.names)")
        try pair.reopen()
        try pair.check("opened again")
        #expect(try model.difference(from: before) == nil, "its files are gone, and still read")
    }

    @Test func `writes while a segment is written are neither lost nor doubled`() throws {
        var pair = try Pair()
        try pair.put(0..<30)
        try pair.database.checkpoint()
        try pair.put(10..<40, salt: 1)
        // Steps are a megabyte apart; so little data takes none, so the write comes between freezing and installing.
        let frozen = try pair.database.queue.freeze()
        try pair.put(20..<50, salt: 2)
        #expect(frozen.sequence + 1 == pair.model.sequence)
        try pair.database.checkpoint()
        try pair.check()
        try pair.database.optimize()
        try pair.check("joined")
        try pair.reopen()
        try pair.check("opened again")
    }

    @Test func `a large catalog is written down in pages that changed, in a chain that stays short`() throws {
        var pair = try Pair()
        try pair.put(0..<5000)
        try pair.database.checkpoint()
        let whole = pair.catalogFiles
        #expect(whole.count == 1)
        var longest = 0
        for round in 0..<24 {
            try pair.put([round * 200, 4999 - round], salt: round + 1)
            if round % 5 == 0 { try pair.write(.delete(DeleteInput(collection: "c", ids: ["d\(round + 1)"]))) }
            try pair.database.checkpoint()
            let files = pair.catalogFiles
            longest = max(longest, files.count)
            if files.count > 1 {
                #expect(files.dropFirst().reduce(0) { $0 + $1.byteCount } < files[0].byteCount)
            }
            if round % 6 == 5 {
                try pair.reopen()
                try pair.check("round \(round)")
            }
        }
        #expect(longest > 2 && longest <= Limits.catalogFilesMax, "\(longest)")
        try pair.check()
    }

    @Test func `a collection whose every chunk is gone keeps no segment`() throws {
        var pair = try Pair()
        try pair.put(0..<20)
        try pair.database.checkpoint()
        try pair.write(.delete(DeleteInput(collection: "c", ids: (0..<20).map { "d\($0)" })))
        while try pair.database.maintain() {}
        #expect(try pair.parts.isEmpty)
        #expect(pair.disk.names.allSatisfy { FileKind.segment.number($0) == nil })
        try pair.check()
        try pair.put(0..<3)
        try pair.reopen()
        try pair.check("opened again")
    }

    @Test func `an empty collection takes less than 100 kB of memory and of disk`() throws {
        let disk = FaultyDisk()
        let database = try TestDatabase.open(disk, sizes: TestDatabase.largeFiles)
        _ = try database.write(.createCollection(.everything()))
        #expect(try database.snapshot().collection("c").overview.byteCount < 100_000)
        try database.checkpoint()
        #expect(disk.names.filter { $0 != Reserve.name }.reduce(0) { $0 + (disk[$1]?.count ?? 0) } < 100_000)
    }

    @Test func `a compaction tells how far it has come`() throws {
        let database = try TestDatabase.open(FaultyDisk(), sizes: TestDatabase.largeFiles)
        _ = try database.write(.createCollection(CollectionSchema(name: "wide", spaces: [SpaceSchema(dimension: 1024, metric: .l2)], fields: [])))
        for part in 0..<2 {
            for number in 0..<500 {
                _ = try database.write(.upsert(UpsertInput("\(part) \(number)", vectors: [(nil, [Float](repeating: Float(number), count: 1024))], into: "wide")))
            }
            try database.checkpoint()
        }
        let seen = Mutex([Job]())
        try database.optimize(nil, Pace { _ throws(EngineError) in
            for job in database.jobs.underWay { seen.withLock { $0.append(job) } }
        })
        let jobs = seen.withLock { $0 }
        #expect(jobs.count >= 2 && jobs.allSatisfy { $0.kind == .compaction && $0.collection == "wide" && $0.done > 0 && $0.done <= $0.total })
        #expect(zip(jobs, jobs.dropFirst()).allSatisfy { $0.done < $1.done })
        #expect(database.jobs.underWay.isEmpty)
    }

    // MARK: The plan

    private static func part(_ bytes: Int, live: Int = 100, readable: Bool = true) -> PartSize {
        PartSize(byteCount: bytes, rowCount: 100, liveCount: live, isReadable: readable)
    }

    @Test func `eight neighbours of one size are made one, and larger ones before them are let be`() {
        let small = 1 << 20
        #expect(CompactionPlan.next(Array(repeating: Self.part(small), count: 7)) == nil)
        #expect(CompactionPlan.next(Array(repeating: Self.part(small), count: 8)) == 0..<8)
        #expect(CompactionPlan.next([Self.part(64 * small)] + Array(repeating: Self.part(small), count: 8)) == 1..<9)
        #expect(CompactionPlan.next(Array(repeating: Self.part(8 * small), count: 7) + [Self.part(small)]) == nil)
        #expect(CompactionPlan.next(Array(repeating: Self.part(8 * small), count: 7) + [Self.part(small), Self.part(8 * small)]) == 0..<9)
    }

    @Test func `a segment without a live row goes first, then one that is half dead`() {
        let parts = [Self.part(1 << 20), Self.part(1 << 20, live: 49), Self.part(1 << 20, live: 0)]
        #expect(CompactionPlan.next(parts) == 2..<3)
        #expect(CompactionPlan.next(Array(parts.prefix(2))) == 1..<2)
        #expect(CompactionPlan.next([Self.part(1 << 20, live: 50)]) == nil)
    }

    @Test func `what cannot be read is left where it is, and nothing is joined across it`() {
        let unreadable = Self.part(1 << 20, live: 10, readable: false)
        #expect(CompactionPlan.next([unreadable]) == nil)
        #expect(CompactionPlan.next([Self.part(1 << 20), Self.part(1 << 20, live: 0, readable: false)]) == 1..<2, "but it goes once nothing in it is in force")
        let parts = Array(repeating: Self.part(1 << 20), count: 4) + [unreadable] + Array(repeating: Self.part(1 << 20), count: 4)
        #expect(CompactionPlan.next(parts) == nil)
        #expect(CompactionPlan.optimal(parts) == 0..<4)
    }

    @Test func `no segment is made larger than the largest`() {
        let large = Self.part(CompactionPlan.segmentBytesMax / 3)
        #expect(CompactionPlan.optimal(Array(repeating: large, count: 5)) == 0..<3)
        #expect(CompactionPlan.next(Array(repeating: large, count: 8)) == nil)
        #expect(CompactionPlan.optimal([Self.part(CompactionPlan.segmentBytesMax)]) == nil)
    }

    @Test func `segments are not joined over more chunk numbers than a segment can count`() {
        func parts(_ chunks: Range<Int>...) -> [PartSize] {
            chunks.map { PartSize(byteCount: 1 << 20, rowCount: 100, liveCount: 100, isReadable: true, chunks: $0) }
        }
        #expect(CompactionPlan.optimal(parts(0..<100, 1 << 32 - 101..<1 << 32 - 1)) == 0..<2)
        #expect(CompactionPlan.optimal(parts(0..<100, 1 << 32 - 100..<1 << 32)) == nil)
        let near = (1...7).map { $0 * 100..<$0 * 100 + 100 }.flatMap { parts($0) }
        #expect(CompactionPlan.next(parts(0..<100) + near) == 0..<8)
        #expect(CompactionPlan.next(near + parts(1 << 33..<1 << 33 + 100)) == nil)
    }

    @Test func `a plan comes to an end`() {
        var random = TestSeed(81).random
        for _ in 0..<200 {
            var parts = (0..<Int.random(in: 1...40, using: &random)).map { _ in
                Self.part(1 << Int.random(in: 10...32, using: &random), live: Int.random(in: 0...100, using: &random), readable: !random.oneIn(10))
            }
            var steps = 0
            while let range = random.oneIn(2) ? CompactionPlan.next(parts) : CompactionPlan.optimal(parts), steps < 100 {
                let bytes = parts[range].reduce(0) { $0 + $1.liveBytes }
                #expect(bytes <= CompactionPlan.segmentBytesMax || range.count == 1)
                parts.replaceSubrange(range, with: bytes == 0 ? [] : [Self.part(bytes)])
                steps += 1
            }
            #expect(steps < 100)
        }
    }
}

extension UpsertInput {
    /// A document with a text, a heading, two vectors and some fields, all told by its number and a salt.
    fileprivate mutating func add(_ number: Int, _ salt: Int) {
        var document = DocumentInput("d\(number)")
        document.title = "title \(number) \(salt)"
        document.fields = [(name: "i", value: .integer(Int64(number))), (name: "k", value: .string("k\(number % 7)")), (name: "ks", value: .strings(["x\(salt)", "y"]))]
        var chunk = ChunkInput()
        chunk.text = "text of \(number), \(salt)"
        if number % 3 == 0 { chunk.heading = "heading \(number)" }
        for (space, dimension) in [(nil, 2), ("long", 3)] as [(String?, Int)] where number % 5 != 4 || space == nil {
            chunk.vectors.append(VectorInput(space: space, floats: floats.count..<floats.count + dimension))
            floats += (0..<dimension).map { Float(number + $0 + 1) }
        }
        document.chunks = [chunk]
        documents.append(document)
    }
}
