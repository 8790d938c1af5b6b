// The manifest when nothing goes wrong, and what it makes of bytes that were changed behind its back.
import Memory
import Storage
import Testing
import TestSupport

@Suite struct ManifestTests {
    private static let firstName = "manifest-0000000000000001"

    /// A manifest of these edits in one file, and what it says after each number of them.
    private static func oneFile(_ edits: [ManifestEdit] = ManifestHarness.edits) throws -> (bytes: [UInt8], states: [ManifestContents]) {
        let disk = FaultyDisk()
        let manifest = try ManifestHarness.open(disk)
        var states = [manifest.contents]
        for edit in edits {
            try manifest.append(edit)
            states.append(manifest.contents)
        }
        #expect(disk.names == [firstName])
        return (try #require(disk[firstName]), states)
    }

    /// Where each record begins and ends, from the description: a header of 64 bytes, then 32 bytes before each payload.
    private static func extents(_ bytes: [UInt8], count: Int) -> [(start: Int, end: Int, next: Int)] {
        var start = 64
        return (0..<count).map { _ in
            let payload = Int(bytes[start]) | Int(bytes[start + 1]) << 8 | Int(bytes[start + 2]) << 16
            let end = start + 32 + payload
            defer { start = (end + 7) / 8 * 8 }
            return (start, end, (end + 7) / 8 * 8)
        }
    }

    private enum Found: Equatable {
        case contents(ManifestContents)
        case fresh
        case refused(Corruption)
    }

    private static func open(_ files: [String: [UInt8]]) throws -> Found {
        let disk = FaultyDisk()
        for (name, bytes) in files { disk[name] = bytes }
        do throws(LogError) {
            let loaded = try Manifest.load(disk)
            #expect(disk.calls.allSatisfy { [.list, .open, .size, .read].contains($0) })
            let manifest = try ManifestHarness.open(disk, seed: 50)
            guard let loaded else {
                #expect(ManifestHarness.isFresh(manifest.contents))
                return .fresh
            }
            #expect(manifest.contents == loaded)
            let edit = ManifestEdit.startLogFile((loaded.logFiles.last ?? 0) + 1)
            try manifest.append(edit)
            #expect(try ManifestHarness.open(disk).contents == ManifestOracle.applying(edit, to: loaded))
            return .contents(loaded)
        } catch {
            guard case .corruption(let corruption) = error else { throw error }
            for (name, bytes) in files { #expect(disk[name] == bytes, "a refusal changes nothing") }
            return .refused(corruption)
        }
    }

    // MARK: Nothing goes wrong

    @Test func `an empty directory becomes a database with an identity that stays`() throws {
        let disk = FaultyDisk()
        #expect(try Manifest.load(disk) == nil)
        let first = try ManifestHarness.open(disk, seed: 1)
        #expect(ManifestHarness.isFresh(first.contents))
        #expect(disk.names == [Self.firstName])
        #expect(try Manifest.load(disk) == first.contents)
        #expect(try ManifestHarness.open(disk, seed: 2).contents == first.contents)
        #expect(try ManifestHarness.open(FaultyDisk(), seed: 2).contents.databaseID != first.contents.databaseID)
    }

    @Test func `edits come back after every open, however often files are rewritten`() throws {
        for sizes in [ManifestHarness.smallFiles, ManifestHarness.oneFile, ManifestFileSizes()] {
            let known = try ManifestHarness.run(ManifestHarness.workload, on: FaultyDisk(), sizes: sizes)
            #expect(known.contents == (try Self.oneFile().states.last))
        }
    }

    @Test func `random edits come back, and the file stays within bounds`() throws {
        let seed = TestSeed(31)
        var random = seed.random
        let disk = FaultyDisk()
        var manifest = try ManifestHarness.open(disk, ManifestFileSizes(editBytesMax: 2000, zeroedStep: 256))
        var known = ManifestKnowledge(contents: manifest.contents)
        // The contents that the file began with, or later ones: the longest.
        var file = (name: "", longest: 0)
        var last = Self.length(manifest.contents)
        for round in 0..<300 {
            if random.oneIn(20) {
                manifest = try ManifestHarness.open(disk, ManifestFileSizes(editBytesMax: 2000, zeroedStep: 256), seed: UInt64(round))
                #expect(manifest.contents == known.contents, "\(seed)")
            }
            try ManifestHarness.append(Self.randomEdit(of: manifest.contents, using: &random), to: manifest, &known)
            let names = disk.names
            #expect(names.count == 1)
            let length = Self.length(manifest.contents)
            file = (names[0], max(length, names[0] == file.name ? file.longest : last))
            last = length
            #expect(try #require(disk[names[0]]).count < 2000 + 4 * file.longest + 4000, "\(seed)")
        }
    }

    private static func length(_ contents: ManifestContents) -> Int { Manifest.encode(contents, salt: 1).bytes.count }

    private static func randomEdit(of contents: ManifestContents, using random: inout SeededRandom) -> ManifestEdit {
        let version = contents.version
        let file = contents.nextFileNumber
        let numbers = version.collections.keys.sorted()
        switch Int.random(in: 0..<8, using: &random) {
        case 0: return .startLogFile(file + UInt64.random(in: 0...2, using: &random))
        case 1:
            let segments = (0..<UInt64.random(in: 0...3, using: &random)).map {
                ManifestHarness.segment(file + $0, $0 * 10..<$0 * 10 + 10, indexes: random.oneIn(2) ? [UInt16($0): file + $0] : [:])
            }
            let changed = ManifestHarness.collection(UInt32.random(in: 1...6, using: &random), catalog: [file + 7], segments: segments)
            let dropped = numbers.filter { $0 != changed.number }.prefix(random.oneIn(3) ? 1 : 0)
            return .checkpoint(
                coveredSequence: version.coveredSequence + UInt64.random(in: 0...50, using: &random), nextCollectionNumber: max(7, version.nextCollectionNumber),
                changed: [changed], dropped: Array(dropped), logFiles: contents.logFiles.suffix(2))
        case 2, 3:
            guard let number = numbers.randomElement(using: &random), let collection = version.collections[number] else { return .startLogFile(file) }
            return .replaceSegments(
                collection: number, removed: collection.segments.map(\.file.number), added: [ManifestHarness.segment(file, 0..<100)])
        case 4 where contents.snapshots.count < 5:
            return .addSnapshot(ManifestSnapshot(
                name: "snapshot \(file)-\(random.next())", createdMilliseconds: 1, sequence: version.coveredSequence + 3, version: version,
                log: contents.logFiles.map { LogFileExtent(number: $0, byteCount: 100 + $0) }))
        case 5, 6:
            let segments = version.collections.values.flatMap { collection in collection.segments.map { (collection.number, $0) } }
            guard let (number, segment) = segments.min(by: { $0.1.file.number < $1.1.file.number }) else { return .startLogFile(file) }
            let (space, isThere) = (UInt16.random(in: 0..<3, using: &random), random.oneIn(2))
            let isKnown = segment.indexes.contains { $0.space == space }
            return .setIndex(
                collection: number, segment: segment.file.number, space: space, file: isKnown && isThere ? nil : ManifestHarness.file(file))
        default: return contents.snapshots.randomElement(using: &random).map { .dropSnapshot(name: $0.name) } ?? .startLogFile(file)
        }
    }

    @Test func `an edit takes a sync, and its proof another`() throws {
        let disk = FaultyDisk()
        let manifest = try ManifestHarness.open(disk)
        disk.plan(nil)
        try manifest.append(.startLogFile(1))
        #expect(disk.calls.filter { $0 != .write } == [.sync, .sync])
    }

    @Test func `a file that grew beyond its bound gives way to one with the whole contents`() throws {
        let disk = FaultyDisk()
        let manifest = try ManifestHarness.open(disk, ManifestFileSizes(editBytesMax: 1000, zeroedStep: 64))
        // Each of these edits takes 40 bytes: the 26th brings them above 1,000, and the 27th finds them so.
        for number in 1...26 as ClosedRange<UInt64> { try manifest.append(.startLogFile(number)) }
        #expect(disk.names == [Self.firstName])
        try manifest.append(.startLogFile(27))
        #expect(disk.names == ["manifest-0000000000000002"])
        #expect(try Manifest.load(disk)?.logFiles == Array(1...27))
    }

    @Test func `all files that anything needs are named, and no others`() throws {
        let contents = try #require(try Self.oneFile().states.dropFirst(11).first)
        #expect(contents.namedFiles() == [
            "log-0000000000000006", "log-0000000000000009", "segment-0000000000000008",
            // The snapshot's.
            "log-0000000000000001", "catalog-0000000000000003", "segment-0000000000000002", "segment-0000000000000004",
            "index-0000000000000007",
        ])
        let before = try #require(try Self.oneFile().states.dropFirst(10).first)
        #expect(before.namedFiles().contains("index-000000000000000b") && !before.namedFiles().contains("index-000000000000000a"))
        let last = try #require(try Self.oneFile().states.last)
        #expect(last.namedFiles() == [])
        // No number is ever given twice.
        #expect(last.nextFileNumber == 12)
    }

    @Test func `a manifest made for an archive opens as it was meant`() throws {
        for contents in try Self.oneFile().states {
            let file = Manifest.encode(contents, number: 0xAB, salt: 99)
            #expect(file.name == "manifest-00000000000000ab")
            #expect(try Self.open([file.name: file.bytes]) == .contents(contents))
        }
    }

    @Test func `the bytes are those of the format's page`() throws {
        func u64(_ value: UInt64) -> [UInt8] { (0..<8).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) } }
        let u32 = Self.littleEndian
        let collection = ManifestCollection(
            number: 2, schema: [0xA, 0xB], state: [0xC], catalog: [FileReference(number: 9, byteCount: 10, checksum: 11)],
            segments: [ManifestSegment(file: FileReference(number: 12, byteCount: 13, checksum: 14), firstChunk: 15, endChunk: 20, rowCount: 4,
                indexes: [ManifestIndex(space: 3, file: FileReference(number: 21, byteCount: 22, checksum: 23))])])
        let collectionBytes =
            u32(2) + u32(2) + [0xA, 0xB] + u32(1) + [0xC] + u32(1) + u64(9) + u64(10) + u32(11)
            + u32(1) + u64(12) + u64(13) + u32(14) + u64(15) + u64(20) + u32(4) + u32(1) + [3, 0] + u64(21) + u64(22) + u32(23)
        let version = ManifestVersion(coveredSequence: 5, nextCollectionNumber: 3, collections: [2: collection])
        let versionBytes = u64(5) + u32(3) + u32(1) + collectionBytes
        let snapshot = ManifestSnapshot(
            name: "ab", createdMilliseconds: 8, sequence: 6, version: version, log: [LogFileExtent(number: 30, byteCount: 64)])
        let snapshotBytes = u32(2) + [0x61, 0x62] + u64(8) + u64(6) + versionBytes + u32(1) + u64(30) + u64(64)
        let payloads: [[UInt8]] = [
            u64(7) + u64(32) + versionBytes + u32(2) + u64(30) + u64(31) + u32(0),
            u64(6) + u32(4) + u32(1) + collectionBytes + u32(0) + u32(1) + u64(31),
            u32(2) + u32(1) + u64(12) + u32(0), u64(40), snapshotBytes, u32(2) + [0x61, 0x62],
            u32(2) + u64(12) + [4, 0] + u32(1) + u64(24) + u64(25) + u32(26), u32(2) + u64(12) + [3, 0] + u32(0),
        ]
        let disk = FaultyDisk()
        let file = Manifest.encode(ManifestContents(databaseID: 7, version: version, logFiles: [30, 31]), salt: 1)
        disk[file.name] = file.bytes
        let manifest = try ManifestHarness.open(disk)
        // The first edit brings a new file, of the same contents.
        for edit in [
            .addSnapshot(snapshot),
            .checkpoint(coveredSequence: 6, nextCollectionNumber: 4, changed: [collection], dropped: [], logFiles: [31]),
            .setIndex(collection: 2, segment: 12, space: 4, file: FileReference(number: 24, byteCount: 25, checksum: 26)),
            .setIndex(collection: 2, segment: 12, space: 3, file: nil),
            .replaceSegments(collection: 2, removed: [12], added: []), .startLogFile(40), .dropSnapshot(name: "ab"),
        ] as [ManifestEdit] { try manifest.append(edit) }
        let bytes = try #require(disk[disk.names[0]])
        #expect(Array(bytes[..<12]) == Array("NTAILMAN".utf8) + u32(2))
        var at = 64
        for (sequence, which) in zip(2...9 as ClosedRange<UInt64>, [1, 5, 2, 7, 8, 3, 4, 6]) {
            let (payload, type) = (payloads[which - 1], UInt8(min(which, 7)))
            #expect(Array(bytes[at..<at + 24]) == u32(UInt32(payload.count)) + [type, 0, 0, 0] + u64(sequence) + u64(sequence - 1))
            #expect(Array(bytes[at + 32..<at + 32 + payload.count]) == payload, "type \(type)")
            at += (32 + payload.count + 7) / 8 * 8
        }
        #expect(Array(bytes[at..<at + 24]) == u32(0) + [255, 0, 0, 0] + u64(9) + u64(9))
    }

    @Test func `a file of version 1, whose segments have no indexes, is read and goes on in version 2`() throws {
        func u64(_ value: UInt64) -> [UInt8] { (0..<8).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) } }
        let u32 = Self.littleEndian
        let (first, second) = (ManifestHarness.segment(12, 15..<25), ManifestHarness.segment(13, 25..<29))
        let collection = ManifestCollection(number: 2, schema: [], state: [], catalog: [], segments: [first, second])
        func bytes(_ segment: ManifestSegment) -> [UInt8] {
            u64(segment.file.number) + u64(segment.file.byteCount) + u32(segment.file.checksum) + u64(segment.firstChunk) + u64(segment.endChunk)
                + u32(segment.rowCount)
        }
        let payload = u64(7) + u64(14) + u64(5) + u32(3) + u32(1) + u32(2) + u32(0) + u32(0) + u32(0) + u32(2) + bytes(first) + bytes(second) + u32(0) + u32(0)
        var file = Self.forged(payload, type: 1, behind: nil)
        file[8] = 1
        file.replaceSubrange(60..<64, with: u32(Checksum.of(Array(file[..<60]).rawSpan)))
        let contents = ManifestContents(
            databaseID: 7, version: ManifestVersion(coveredSequence: 5, nextCollectionNumber: 3, collections: [2: collection]), nextFileNumber: 14)
        #expect(try Self.open([Self.firstName: file]) == .contents(contents))
        let disk = FaultyDisk()
        disk[Self.firstName] = file
        try ManifestHarness.open(disk).append(.setIndex(collection: 2, segment: 13, space: 0, file: ManifestHarness.file(14)))
        #expect(disk.names == ["manifest-0000000000000002"] && disk[disk.names[0]]?[8] == 2)
        #expect(try Manifest.load(disk)?.version.collections[2]?.segments == [first, ManifestHarness.segment(13, 25..<29, indexes: [0: 14])])
        // What neither version is, nobody reads.
        for version in [0, 3] as [UInt8] {
            file[8] = version
            file.replaceSubrange(60..<64, with: u32(Checksum.of(Array(file[..<60]).rawSpan)))
            guard case .refused(let corruption) = try Self.open([Self.firstName: file]) else {
                Issue.record("version \(version) was read")
                return
            }
            #expect(corruption.expected == "manifest version 2, found \(version)")
        }
    }

    @Test func `an index goes with its segment, and stays as long as a snapshot has it`() throws {
        let disk = FaultyDisk()
        let manifest = try ManifestHarness.open(disk)
        for edit in ManifestHarness.edits.prefix(2) { try manifest.append(edit) }
        #expect(manifest.contents.namedFiles().contains("index-0000000000000007"))
        try manifest.append(.setIndex(collection: 1, segment: 4, space: 1, file: ManifestHarness.file(20)))
        #expect(!manifest.contents.namedFiles().contains("index-0000000000000007"), "it gave way to a later one")
        var snapshot = ManifestHarness.snapshot
        snapshot.version = manifest.contents.version
        try manifest.append(.addSnapshot(snapshot))
        try manifest.append(.replaceSegments(collection: 1, removed: [4], added: [ManifestHarness.segment(21, 10..<12)]))
        #expect(manifest.contents.version.collections[1]?.segments.flatMap(\.indexes) == [])
        #expect(manifest.contents.namedFiles().contains("index-0000000000000014"))
        try manifest.append(.dropSnapshot(name: snapshot.name))
        #expect(manifest.contents.namedFiles() == [
            "log-0000000000000001", "catalog-0000000000000003", "segment-0000000000000002", "segment-0000000000000015",
        ])
    }

    // MARK: What makes no sense

    @Test func `edits that make no sense are refused, each for its reason`() throws {
        let disk = FaultyDisk()
        let manifest = try ManifestHarness.open(disk)
        for edit in ManifestHarness.edits.prefix(4) { try manifest.append(edit) }
        let contents = manifest.contents
        func checkpoint(
            _ covered: UInt64 = 10, next: UInt32 = 3, changed: [ManifestCollection] = [], dropped: [UInt32] = [], logFiles: [UInt64] = [5]
        ) -> ManifestEdit {
            .checkpoint(coveredSequence: covered, nextCollectionNumber: next, changed: changed, dropped: dropped, logFiles: logFiles)
        }
        var unnamed = ManifestHarness.snapshot
        unnamed.name = "later"
        var early = unnamed, nameless = unnamed, long = unnamed
        unnamed.log.append(LogFileExtent(number: 77, byteCount: 1))
        early.sequence = 9
        nameless.name = ""
        long.name = String(repeating: "n", count: 256)
        var tooManyRows = ManifestHarness.segment(9, 0..<10)
        tooManyRows.rowCount = 11
        var backwards = tooManyRows
        (backwards.firstChunk, backwards.rowCount) = (11, 0)
        var fat = ManifestHarness.collection(1)
        fat.schema = [UInt8](repeating: 0, count: ManifestLimits.collectionBlobBytesMax + 1)
        var endless = ManifestHarness.collection(2, catalog: [8], segments: [ManifestHarness.segment(9, 0..<1)])
        endless.catalog[0].byteCount = ManifestLimits.fileBytesMax + 1
        var unsorted = ManifestHarness.segment(9, 12..<20, indexes: [0: 30, 1: 31])
        unsorted.indexes.reverse()
        var repeated = unsorted
        repeated.indexes[1].space = repeated.indexes[0].space
        let crowded = ManifestHarness.segment(9, 12..<20, indexes: Dictionary(uniqueKeysWithValues: (0...16).map { ($0, UInt64($0) + 30) }))
        func index(_ file: FileReference?, collection: UInt32 = 1, segment: UInt64 = 2, space: UInt16 = 0) -> ManifestEdit {
            .setIndex(collection: collection, segment: segment, space: space, file: file)
        }
        let refused: [(ManifestEdit, String)] = [
            (index(ManifestHarness.file(9), collection: 9), "segment 2 in collection 9"),
            (index(ManifestHarness.file(9), segment: 3), "segment 3 in collection 1"), (index(nil), "index of space 0 to remove"),
            (index(nil, segment: 4, space: 2), "index of space 2 to remove"), (index(ManifestHarness.file(7)), "index file 7 once"),
            (index(ManifestHarness.file(.max)), "others"),
            (index(FileReference(number: 9, byteCount: ManifestLimits.fileBytesMax + 1, checksum: 0)), "a length that files have"),
            (.replaceSegments(collection: 1, removed: [], added: [unsorted]), "rising"),
            (.replaceSegments(collection: 1, removed: [], added: [repeated]), "rising"),
            (.replaceSegments(collection: 1, removed: [], added: [crowded]), "at most 16 indexes"),
            (checkpoint(changed: [endless]), "a length that files have"),
            (checkpoint(9), "10 or later"), (checkpoint(next: 2), "at least 3"), (checkpoint(.max), "others after it"),
            (checkpoint(logFiles: [6]), "names"), (checkpoint(logFiles: [5, 1]), "rising"), (checkpoint(dropped: [3]), "collection 3 to drop"),
            (checkpoint(dropped: [1, 1]), "collection 1 to drop"), (checkpoint(changed: [ManifestHarness.collection(3)]), "below 3"),
            (checkpoint(changed: [ManifestHarness.collection(1), ManifestHarness.collection(1)]), "once"), (checkpoint(changed: [fat]), "bytes of schema"),
            (checkpoint(changed: [ManifestHarness.collection(2, segments: [ManifestHarness.segment(2, 0..<1)])]), "segment file 2 once"),
            (checkpoint(changed: [ManifestHarness.collection(2, catalog: [8, 8])]), "catalog file 8 once"),
            (checkpoint(changed: [ManifestHarness.collection(2, catalog: [.max])]), "others"),
            (.startLogFile(5), "after 5"), (.startLogFile(.max), "others"),
            (.replaceSegments(collection: 9, removed: [], added: []), "collection 9"),
            (.replaceSegments(collection: 1, removed: [3], added: []), "segment 3 in collection 1"),
            (.replaceSegments(collection: 1, removed: [2, 2], added: []), "segment 2 in collection 1"),
            (.replaceSegments(collection: 1, removed: [], added: [tooManyRows]), "rows"),
            (.replaceSegments(collection: 1, removed: [], added: [backwards]), "rows"),
            (.addSnapshot(ManifestHarness.snapshot), "a name that no snapshot has"), (.addSnapshot(unnamed), "files that count"),
            (.addSnapshot(early), "10 or later"), (.addSnapshot(nameless), "bytes"), (.addSnapshot(long), "bytes"),
            (.dropSnapshot(name: "never"), "the name of a snapshot"),
        ]
        for (edit, reason) in refused {
            let refusal = manifest.refusal(of: edit)
            #expect(refusal?.expected.contains(reason) == true, "\(edit): \(refusal as Any)")
        }
        #expect(manifest.contents == contents)
    }

    @Test func `numbers are found to have others after them, whatever is made of the database`() throws {
        #expect(FileKind.log.number(FileKind.log.name(FileKind.foundEnd - 1)) == FileKind.foundEnd - 1)
        #expect(FileKind.log.number(FileKind.log.name(FileKind.foundEnd)) == nil)
        for (next, isFound) in [(FileKind.foundEnd - 9, true), (FileKind.foundEnd, false), (FileKind.numberEnd, false)] {
            let file = Manifest.encode(ManifestContents(databaseID: 7, nextFileNumber: next), salt: 1)
            let disk = FaultyDisk()
            disk[file.name] = file.bytes
            do throws(LogError) {
                let manifest = try ManifestHarness.open(disk)
                #expect(isFound)
                for number in next..<next + 3 { try manifest.append(.startLogFile(number)) }
                #expect(try ManifestHarness.open(disk.afterRestart()).contents == manifest.contents)
            } catch {
                guard case .corruption(let corruption) = error else { throw error }
                #expect(!isFound && corruption.expected.contains("others after it"), "\(corruption)")
            }
        }
    }

    @Test func `an edit that makes no sense is not written`() async {
        await #expect(processExitsWith: .failure) {
            try ManifestHarness.open(FaultyDisk()).append(.dropSnapshot(name: "never"))
        }
    }

    // MARK: Damage

    @Test func `any flipped bit of what was acknowledged is refused, also after the power was cut`() throws {
        let disk = FaultyDisk()
        let manifest = try ManifestHarness.open(disk)
        for edit in ManifestHarness.edits { try manifest.append(edit) }
        for bytes in [try #require(disk[Self.firstName]), try #require(disk.afterCrash(.clean)[Self.firstName])] {
            let extents = Self.extents(bytes, count: ManifestHarness.edits.count + 1)
            for offset in bytes.indices {
                for mask in [1, 16, 0xFF] as [UInt8] {
                    var flipped = bytes
                    flipped[offset] ^= mask
                    let found = try Self.open([Self.firstName: flipped])
                    let isRecord = extents.contains { $0.start <= offset && offset < $0.end }
                    if isRecord || offset < 64 {
                        guard case .refused(let corruption) = found, corruption.file == Self.firstName else {
                            Issue.record("byte \(offset) ^ \(mask): \(found)")
                            return
                        }
                    } else {
                        // Padding, the proof behind the last edit, zeros ahead.
                        #expect(found == .contents(manifest.contents), "byte \(offset) ^ \(mask)")
                    }
                }
            }
        }
    }

    @Test func `a file cut at any byte says what its whole records say`() throws {
        let (bytes, states) = try Self.oneFile()
        let extents = Self.extents(bytes, count: states.count)
        for cut in bytes.indices {
            let whole = extents.prefix { $0.end <= cut }.count
            let found = try Self.open([Self.firstName: Array(bytes[..<cut])])
            // Before the first ends nothing says that it had been on the device, and there is nothing else that could be lost.
            #expect(found == (whole == 0 ? .fresh : .contents(states[whole - 1])), "cut to \(cut)")
        }
    }

    @Test func `garbage never traps, and what is found is a state that was`() throws {
        let seed = TestSeed(32)
        var random = seed.random
        let (bytes, states) = try Self.oneFile()
        for _ in 0..<1500 {
            var damaged = bytes
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                let start = Int.random(in: 0..<bytes.count, using: &random)
                for offset in start..<min(bytes.count, start + Int.random(in: 1...40, using: &random)) {
                    damaged[offset] = random.oneIn(2) ? 0 : UInt8.random(in: 0...255, using: &random)
                }
            }
            if random.oneIn(4) { damaged.removeLast(Int.random(in: 0..<damaged.count, using: &random)) }
            if case .contents(let found) = try Self.open([Self.firstName: damaged]) { #expect(states.contains(found), "\(seed)") }
        }
    }

    /// A manifest with this payload as its first or second record, whole as far as checksums go.
    private static func forged(_ payload: [UInt8], type: UInt8, behind first: ManifestContents?) -> [UInt8] {
        var bytes = Manifest.encode(first ?? ManifestContents(databaseID: 7), salt: 5).bytes
        // The mark goes; without contents so does their record.
        bytes.removeLast(first == nil ? bytes.count - 64 : 32)
        let previous: [UInt8] = first == nil ? [0, 0, 0, 0] : Array(bytes[92..<96])
        let sequence: UInt8 = first == nil ? 1 : 2
        let header = Self.littleEndian(UInt32(payload.count)) + [type, 0, 0, 0, sequence, 0, 0, 0, 0, 0, 0, 0, sequence - 1, 0, 0, 0, 0, 0, 0, 0] + previous
        let salt: [UInt8] = [5, 0, 0, 0, 0, 0, 0, 0]
        bytes += header + Self.littleEndian(Checksum.of((salt + header + payload).rawSpan)) + payload
        return bytes
    }

    private static func littleEndian(_ value: UInt32) -> [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) } }

    @Test func `payloads that make no sense are refused though their checksums hold, and so are all shorter ones`() throws {
        let (bytes, states) = try Self.oneFile()
        let extents = Self.extents(bytes, count: states.count)
        for (index, extent) in extents.enumerated() {
            let payload = Array(bytes[extent.start + 32..<extent.end])
            let type = bytes[extent.start + 4]
            let before = index == 0 ? nil : states[index - 1]
            for count in 0..<payload.count {
                let found = try Self.open([Self.firstName: Self.forged(Array(payload[..<count]), type: type, behind: before)])
                guard case .refused = found else { Issue.record("record \(index) cut to \(count): \(found)"); return }
            }
            for (longer, type) in [(payload + [0], type), (payload, 0x77)] {
                guard case .refused = try Self.open([Self.firstName: Self.forged(longer, type: type, behind: before)]) else {
                    Issue.record("record \(index) of type \(type)")
                    return
                }
            }
            // Any count that is a lie is refused before anything is allocated by it.
            for offset in payload.indices {
                var changed = payload
                changed[offset] = 0xFF
                _ = try Self.open([Self.firstName: Self.forged(changed, type: type, behind: before)])
            }
            // The same without a change is what it was, but for the id of another database in the whole contents.
            if let before { #expect(try Self.open([Self.firstName: Self.forged(payload, type: type, behind: before)]) == .contents(states[index])) }
        }
    }

    // MARK: Which file counts

    @Test func `files of a database without a manifest are refused, and others are nobody's business`() throws {
        for kind in [FileKind.log, .segment, .catalog, .index] {
            let name = kind.name(7)
            guard case .refused(let corruption) = try Self.open([name: [1]]) else {
                Issue.record("\(name) was passed over")
                return
            }
            #expect(corruption.file == name && corruption.expected.contains("manifest"))
            // Nor does one help that was never finished.
            guard case .refused = try Self.open([name: [1], Self.firstName: [1, 2]]) else {
                Issue.record("\(name) was passed over")
                return
            }
        }
        #expect(try Self.open(["reserve": [0], "notes": [1], "log-1": [2]]) == .fresh)
    }

    @Test func `of two manifests the newer whole one counts, and one that was never finished does not`() throws {
        let states = try Self.oneFile().states
        let old = Manifest.encode(states[3], number: 4, salt: 1)
        let new = Manifest.encode(states[4], number: 0x1F, salt: 2)
        let both = FaultyDisk()
        both[old.name] = old.bytes
        both[new.name] = new.bytes
        #expect(try ManifestHarness.open(both).contents == states[4])
        #expect(both.names == [new.name])
        #expect(both.afterCrash(.clean).names == [new.name], "what counts no longer is gone for good")
        // Being created: without a whole first record, and without a proof that there was one.
        let record = try #require(new.bytes.dropLast(32).lastIndex { $0 != 0 })
        for cut in (0...64).map({ $0 }) + Array(stride(from: 65, through: record, by: 3)) {
            for zeros in [0, 100] {
                let disk = FaultyDisk()
                disk[old.name] = old.bytes
                disk[new.name] = Array(new.bytes[..<cut]) + [UInt8](repeating: 0, count: zeros)
                #expect(try ManifestHarness.open(disk).contents == states[3], "cut to \(cut), \(zeros) zeros")
                #expect(disk.names == [old.name])
            }
        }
    }

    @Test func `a newer manifest that had been whole and is damaged is refused, not passed over`() throws {
        let states = try Self.oneFile().states
        let old = Manifest.encode(states[3], number: 4, salt: 1)
        let new = Manifest.encode(states[4], number: 5, salt: 2)
        // The proof behind the record ends the file; the last record's padding may be anything.
        let payload = Int(new.bytes[64]) | Int(new.bytes[65]) << 8
        for offset in 0..<(96 + payload) {
            var damaged = new.bytes
            damaged[offset] ^= 0x10
            guard case .refused(let corruption) = try Self.open([old.name: old.bytes, new.name: damaged]) else {
                Issue.record("byte \(offset)")
                return
            }
            #expect(corruption.file == new.name)
        }
    }

    @Test func `a manifest under another's name is refused`() throws {
        let file = Manifest.encode(ManifestContents(databaseID: 3), number: 2, salt: 1)
        guard case .refused(let corruption) = try Self.open(["manifest-0000000000000003": file.bytes]) else {
            Issue.record("it was taken")
            return
        }
        #expect(corruption.offset == 24)
    }
}
