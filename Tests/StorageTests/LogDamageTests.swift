// Logs whose bytes were changed behind their back: every truncation, every flipped bit, lost and moved parts.
import Memory
import Storage
import Testing
import TestSupport

@Suite struct LogDamageTests {
    /// Groups of one, three and two records; the last record ends off the alignment.
    private static let groups: [[LogEntry]] = [
        [LogHarness.entry(1, 5)], [LogHarness.entry(2, 8), LogHarness.entry(3, 0), LogHarness.entry(4, 9)],
        [LogHarness.entry(5, 12), LogHarness.entry(6, 3)],
    ]
    private static let records = LogHarness.records(of: groups.map { .append($0) })
    private static let firstName = "log-0000000000000001"

    /// The layout from its description: a header of 64 bytes, then 32 bytes before each payload, each record aligned to 8.
    private static let extents: [(start: Int, end: Int, next: Int)] = {
        var start = 64
        return records.map { record in
            let end = start + 32 + record.payload.count
            defer { start = (end + 7) / 8 * 8 }
            return (start, end, (end + 7) / 8 * 8)
        }
    }()
    private static let markStart = extents.last!.next  // There are records.

    /// The one file of a log of these groups, closed: it ends with the mark of the last group.
    private static func closedFile() throws -> [UInt8] {
        let disk = FaultyDisk()
        _ = try LogHarness.run(groups.map { .append($0) }, on: disk, sizes: LogHarness.oneFile)
        let bytes = try #require(disk[firstName])
        #expect(bytes.count == markStart + 32)
        return bytes
    }

    /// The same file as a power cut leaves it: the last mark was not synced.
    private static func cutFile() throws -> [UInt8] {
        let disk = FaultyDisk()
        let (log, _) = try LogHarness.open(disk)
        for group in groups { _ = try log.append(group) }
        let bytes = try #require(disk.afterCrash(.clean)[firstName])
        try #require(bytes.count >= markStart + 32 && bytes[markStart..<markStart + 32].allSatisfy { $0 == 0 })
        return bytes
    }

    private enum Found: Equatable {
        case records([LoggedRecord])
        case refused(Corruption)

        var refusal: Corruption? { if case .refused(let corruption) = self { corruption } else { nil } }
    }

    /// Opens these files, all of them named by the manifest, or those of `named`.
    private static func open(_ files: [String: [UInt8]], naming named: [String]? = nil) throws -> Found {
        let disk = FaultyDisk()
        for (name, bytes) in files { disk[name] = bytes }
        let manifest = manifest(naming: named ?? files.keys.sorted())
        disk[manifest.name] = manifest.bytes
        do throws(LogError) {
            let (log, records) = try LogHarness.open(disk)
            // Whatever was found can be built upon.
            _ = try log.append([LogHarness.entry(99, 4)])
            let again = try LogHarness.open(disk).records
            #expect(Array(again.dropLast()) == records)
            #expect(again.last?.type == 99)
            return .records(records)
        } catch {
            guard case .corruption(let corruption) = error else { throw error }
            for (name, bytes) in files { #expect(disk[name] == bytes, "a refusal changes nothing") }
            return .refused(corruption)
        }
    }

    /// The manifest of the database that every harness with the first seed makes.
    private static func manifest(naming names: [String], covering covered: UInt64 = 0) -> (name: String, bytes: [UInt8]) {
        var random = SeededRandom(seed: 1)
        let contents = ManifestContents(
            databaseID: random.next(), version: ManifestVersion(coveredSequence: covered), logFiles: names.compactMap { FileKind.log.number($0) })
        return Manifest.encode(contents, salt: 5)
    }

    // MARK: Numbers at their ends

    /// The file with a record's durable sequence changed and its checksum made right, by the format's description.
    private static func file(withDurableSequence durable: UInt64, ofRecord index: Int) throws -> [UInt8] {
        var bytes = try closedFile()
        let start = extents[index].start
        for byte in 0..<8 { bytes[start + 16 + byte] = UInt8(truncatingIfNeeded: durable >> (8 * byte)) }
        var checksum = Checksum()
        checksum.update(Array(bytes[40..<48]).rawSpan)
        checksum.update(Array(bytes[start..<start + 28]).rawSpan)
        checksum.update(Array(bytes[start + 32..<extents[index].end]).rawSpan)
        for byte in 0..<4 { bytes[start + 28 + byte] = UInt8(truncatingIfNeeded: checksum.value >> (8 * byte)) }
        return bytes
    }

    @Test func `a record that calls itself durable is none, however large the number`() throws {
        // Found by fuzzing: one more than the largest number ended the process.
        let last = Self.records.count - 1
        #expect(try Self.open([Self.firstName: Self.file(withDurableSequence: 4, ofRecord: last)]) == .records(Self.records), "as it was")
        for durable in [Self.records[last].sequence, .max - 1, .max] {
            let refusal = try Self.open([Self.firstName: Self.file(withDurableSequence: durable, ofRecord: last)]).refusal
            #expect(refusal?.offset == Self.extents[last].start + 16, "\(durable): \(String(describing: refusal))")
        }
    }

    // MARK: One file

    @Test func `a file cut at any byte has the whole records before the cut`() throws {
        let bytes = try Self.closedFile()
        for cut in 0...bytes.count {
            let whole = Self.extents.prefix { $0.end <= cut }.count
            let found = try Self.open([Self.firstName: Array(bytes.prefix(cut))])
            // Named means that its header was on the device.
            if cut < 64 {
                #expect(found.refusal?.file == Self.firstName, "cut to \(cut)")
                continue
            }
            #expect(found == .records(Array(Self.records.prefix(whole))), "cut to \(cut)")
        }
    }

    /// What may be found once the byte at `offset` was changed: anything but the altered and the reordered.
    private static func mayBeFound(_ found: Found, flippedAt offset: Int, isMarked: Bool) -> Bool {
        guard let damaged = extents.firstIndex(where: { $0.start <= offset && offset < $0.end }) else {
            // The file's header is needed; padding, mark and zeros are not.
            return offset < 64 ? found.refusal != nil : found == .records(records)
        }
        // A later group, or the mark, says that this record was on the device.
        let lastGroup = records.count - groups.last!.count  // There are groups.
        if isMarked || damaged < lastGroup { return found.refusal?.file == firstName }
        return found == .records(Array(records.prefix(damaged)))
    }

    @Test(arguments: [true, false])
    func `any flipped bit is refused, or costs only a tail that nothing proves, or nothing`(isMarked: Bool) throws {
        let bytes = isMarked ? try Self.closedFile() : try Self.cutFile()
        for offset in bytes.indices {
            for mask in [1, 2, 4, 8, 16, 32, 64, 128, 0xFF] as [UInt8] {
                var flipped = bytes
                flipped[offset] ^= mask
                let found = try Self.open([Self.firstName: flipped])
                #expect(Self.mayBeFound(found, flippedAt: offset, isMarked: isMarked), "byte \(offset) ^ \(mask): \(found)")
                if let refusal = found.refusal { #expect(abs(refusal.offset - offset) <= 128, "byte \(offset): \(refusal)") }
            }
        }
    }

    @Test func `a stretch of zeros or garbage over acknowledged records is refused as long as a proof stands behind`() throws {
        let seed = TestSeed(12)
        var random = seed.random
        let bytes = try Self.closedFile()
        for _ in 0..<1500 {
            let start = Int.random(in: 64..<Self.markStart, using: &random)
            let end = Int.random(in: start + 1...Self.markStart, using: &random)
            let isZeros = Bool.random(using: &random)
            var damaged = bytes
            for offset in start..<end { damaged[offset] = isZeros ? 0 : UInt8.random(in: 0...255, using: &random) }
            let isHarmless = Self.extents.allSatisfy { damaged[$0.start..<$0.end] == bytes[$0.start..<$0.end] }
            let found = try Self.open([Self.firstName: damaged])
            #expect(isHarmless ? found == .records(Self.records) : found.refusal != nil, "\(start)..<\(end), \(seed)")
        }
    }

    @Test func `garbage anywhere never alters a record and never traps`() throws {
        let seed = TestSeed(13)
        var random = seed.random
        let bytes = try Self.closedFile()
        for _ in 0..<1500 {
            var damaged = bytes
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                let start = Int.random(in: 0..<bytes.count, using: &random)
                for offset in start..<min(bytes.count, start + Int.random(in: 1...40, using: &random)) {
                    damaged[offset] = UInt8.random(in: 0...255, using: &random)
                }
            }
            if random.oneIn(4) { damaged.removeLast(Int.random(in: 0..<damaged.count, using: &random)) }
            if case .records(let found) = try Self.open([Self.firstName: damaged]) {
                #expect(found == Array(Self.records.prefix(found.count)), "\(seed)")
            }
        }
    }

    @Test func `a write that the device lost is noticed, though the mark before it is in its place`() throws {
        let disk = FaultyDisk()
        let (log, _) = try LogHarness.open(disk)
        _ = try log.append(Self.groups[0])
        let before = try #require(disk[Self.firstName])
        _ = try log.append(Self.groups[1])
        _ = try log.append(Self.groups[2])
        let after = try #require(disk[Self.firstName])
        // The second group's first record begins where the mark of the first stood.
        let lost = Self.extents[1].start..<Self.extents[1].start + 32
        let damaged = Array(after[..<lost.lowerBound] + before[lost] + after[lost.upperBound...])
        #expect(try Self.open([Self.firstName: damaged]).refusal?.file == Self.firstName)
    }

    @Test func `records moved, repeated or left out are refused`() throws {
        let bytes = try Self.closedFile()
        let parts = Self.extents.map { Array(bytes[$0.start..<$0.next]) }
        let header = Array(bytes[..<64])
        let mark = Array(bytes[Self.markStart...])
        for first in parts.indices {
            let without = parts.indices.filter { $0 != first }.flatMap { parts[$0] }
            #expect(try Self.open([Self.firstName: header + without + mark]).refusal != nil, "without \(first)")
            let repeated = parts[...first].flatMap { $0 } + parts[first...].flatMap { $0 }
            let found = try Self.open([Self.firstName: header + repeated + mark])
            // The last one's double stands behind all that was acknowledged: a tail like any other.
            #expect(first == parts.count - 1 ? found == .records(Self.records) : found.refusal != nil, "\(first) twice")
            for second in first + 1..<parts.count {
                var order = Array(parts.indices)
                order.swapAt(first, second)
                let swapped = order.flatMap { parts[$0] }
                #expect(try Self.open([Self.firstName: header + swapped + mark]).refusal != nil, "\(first) and \(second) swapped")
            }
        }
    }

    @Test func `a record whole in itself that does not follow the one before is refused`() throws {
        let bytes = try Self.closedFile()
        let last = try #require(Self.extents.last)
        // Offsets within a record's header: the sequence, and the checksum of the record before.
        for field in [8..<16, 24..<28] {
            var forged = bytes
            forged[last.start + field.lowerBound] ^= 1
            // The checksum covers the file's salt, the header up to itself, and the payload.
            let covered = forged[40..<48] + forged[last.start..<last.start + 28] + forged[last.start + 32..<last.end]
            let checksum = Checksum.of(Array(covered).rawSpan)
            for byte in 0..<4 { forged[last.start + 28 + byte] = UInt8(truncatingIfNeeded: checksum >> UInt32(8 * byte)) }
            let refusal = try Self.open([Self.firstName: forged]).refusal
            #expect(refusal?.offset == last.start + field.lowerBound)
        }
    }

    // MARK: Many files

    /// A log of several files, and how many records the files before each hold.
    private static func manyFiles() throws -> (files: [(name: String, bytes: [UInt8])], records: [LoggedRecord]) {
        let disk = FaultyDisk()
        let known = try LogHarness.run(LogHarness.workload, on: disk, sizes: LogHarness.smallFiles)
        let files = try LogHarness.logNames(disk).map { ($0, try #require(disk[$0])) }
        #expect(files.count >= 4)
        return (files, known.acknowledged)
    }

    private static func open(_ files: [(name: String, bytes: [UInt8])], naming named: [String]? = nil) throws -> Found {
        try open(Dictionary(uniqueKeysWithValues: files.map { ($0.name, $0.bytes) }), naming: named)
    }

    @Test func `any flipped byte in a file with files behind it is refused, or harms nothing`() throws {
        let (files, records) = try Self.manyFiles()
        for at in files.indices.dropLast() {
            for offset in files[at].bytes.indices {
                var damaged = files
                damaged[at].bytes[offset] ^= 0x41
                switch try Self.open(damaged) {
                case .refused(let corruption): #expect(corruption.file == files[at].name, "byte \(offset)")
                case .records(let found): #expect(found == records, "byte \(offset) of \(files[at].name)")
                }
            }
        }
    }

    @Test func `a file with files behind it, cut at any byte, is refused unless only its mark is gone`() throws {
        let (files, records) = try Self.manyFiles()
        for at in files.indices.dropLast() {
            for cut in files[at].bytes.indices {
                var damaged = files
                damaged[at].bytes.removeLast(files[at].bytes.count - cut)
                switch try Self.open(damaged) {
                case .refused(let corruption): #expect(corruption.file == files[at].name, "cut to \(cut)")
                case .records(let found): #expect(found == records, "\(files[at].name) cut to \(cut)")
                }
                if cut < files[at].bytes.count - 40 { #expect(try Self.open(damaged).refusal != nil) }
            }
        }
    }

    @Test func `a missing file that the manifest names is refused, whichever it is`() throws {
        let (files, _) = try Self.manyFiles()
        for at in files.indices {
            var damaged = files
            damaged.remove(at: at)
            #expect(try Self.open(damaged, naming: files.map(\.name)).refusal?.file == files[at].name, "without \(files[at].name)")
        }
    }

    @Test func `a manifest that passes over a file is refused, unless it was the last or what it held is covered`() throws {
        let (files, records) = try Self.manyFiles()
        for at in files.indices {
            let named = files.map(\.name).filter { $0 != files[at].name }
            let found = try Self.open(files, naming: named)
            if at < files.count - 1 { #expect(found.refusal != nil, "without \(files[at].name)") }
            if case .records(let found) = found { #expect(found == Array(records.prefix(found.count))) }
        }
    }

    @Test func `files that the manifest does not name are not read, whatever they hold`() throws {
        let (files, records) = try Self.manyFiles()
        var damaged = files
        damaged.append(("log-00000000000000f0", [1, 2, 3]))
        damaged.append(("log-00000000000000f1", files[0].bytes))
        let disk = FaultyDisk()
        for (name, bytes) in damaged { disk[name] = bytes }
        let manifest = Self.manifest(naming: files.map(\.name))
        disk[manifest.name] = manifest.bytes
        var random = SeededRandom(seed: 1)
        var found: [LoggedRecord] = []
        var started: [UInt64] = []
        let log = try Log(
            disk: disk, files: files.compactMap { FileKind.log.number($0.name) }, after: 0, databaseID: random.next(), randomness: { 3 },
            willStart: { (number) throws(LogError) in started.append(number) }
        ) { (type, sequence, payload) throws(Corruption) in
            found.append(LoggedRecord(sequence: sequence, type: type, payload: Array(copying: payload)))
        }
        #expect(found == records)
        // They are left alone, and a new file's name is not one of theirs.
        _ = try log.append([LogHarness.entry(1, 1)])
        #expect(started == [0xF2])
        for (name, bytes) in damaged { #expect(disk[name] == bytes) }
    }

    @Test func `a file without a valid header is refused wherever it stands, as long as it is named`() throws {
        let (files, _) = try Self.manyFiles()
        let header = files[0].bytes.prefix(64)
        let headless: [[UInt8]] = [[], Array(header.prefix(30)), [UInt8](repeating: 0, count: 64), header.prefix(40) + [UInt8](repeating: 0, count: 500)]
        for at in files.indices {
            for bytes in headless {
                var damaged = files
                damaged[at].bytes = bytes
                #expect(try Self.open(damaged).refusal?.file == files[at].name)
            }
        }
    }

    @Test func `a file of the first version is refused by its version`() throws {
        var old = try Self.closedFile()
        old[8] = 1
        let checksum = Checksum.of(Array(old[..<60]).rawSpan)
        for byte in 0..<4 { old[60 + byte] = UInt8(truncatingIfNeeded: checksum >> (8 * byte)) }
        let refusal = try Self.open([Self.firstName: old]).refusal
        #expect(refusal?.offset == 8)
        #expect(refusal?.expected == "log version 2, found 1")
    }

    @Test func `what a checkpoint covers is verified and not applied, and must be there`() throws {
        let bytes = try Self.closedFile()
        let disk = FaultyDisk()
        disk[Self.firstName] = bytes
        for covered in 0...Self.records.count {
            let manifest = Self.manifest(naming: [Self.firstName], covering: UInt64(covered))
            disk[manifest.name] = manifest.bytes
            let opened = try LogHarness.openDatabase(disk.afterRestart())
            #expect(opened.records == Array(Self.records.dropFirst(covered)))
            #expect(opened.log.nextSequence == UInt64(Self.records.count) + 1)
            #expect(opened.log.bytesAppended == Self.extents.dropFirst(covered).reduce(0) { $0 + UInt64($1.next - $1.start) })
            // Damage to what is covered shows as well; without the mark, that it is covered is what proves it was there.
            for at in 0..<covered {
                disk[Self.firstName] = Array(bytes[..<Self.extents[at].start]) + [UInt8](repeating: 0, count: 100)
                #expect(throws: LogError.self) { _ = try LogHarness.open(disk.afterRestart()) }
                disk[Self.firstName] = bytes
            }
        }
        for (covered, isAllowed) in [(Self.records.count + 1, false), (0, true)] {
            let manifest = Self.manifest(naming: [Self.firstName], covering: UInt64(covered))
            disk[manifest.name] = manifest.bytes
            if isAllowed { _ = try LogHarness.open(disk.afterRestart()) } else {
                #expect(throws: LogError.self) { _ = try LogHarness.open(disk.afterRestart()) }
            }
        }
    }

    @Test func `a first file that begins behind what is covered is refused, and one that begins right there is not`() throws {
        let (files, records) = try Self.manyFiles()
        let disk = FaultyDisk()
        for (name, bytes) in files { disk[name] = bytes }
        for at in files.indices {
            // The header tells the first sequence at byte 32.
            let first = files[at].bytes[32..<40].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            for covered in 0...UInt64(records.count) {
                let manifest = Self.manifest(naming: files[at...].map(\.name), covering: covered)
                disk[manifest.name] = manifest.bytes
                do throws(LogError) {
                    let opened = try LogHarness.openDatabase(disk.afterRestart())
                    #expect(covered + 1 >= first)
                    #expect(opened.records == Array(records.dropFirst(Int(covered))))
                } catch { #expect(covered + 1 < first, "\(error)") }
            }
        }
    }

    @Test func `files under each other's names are refused`() throws {
        let (files, _) = try Self.manyFiles()
        for first in files.indices {
            for second in files.indices where first != second {
                var damaged = files
                damaged[first].bytes = files[second].bytes
                #expect(try Self.open(damaged).refusal != nil, "\(files[second].name) as \(files[first].name)")
            }
        }
    }

    @Test func `a file of another database is refused`() throws {
        let (files, _) = try Self.manyFiles()
        let disk = FaultyDisk()
        _ = try LogHarness.run(LogHarness.workload, on: disk, sizes: LogHarness.smallFiles, seed: 77)
        for at in files.indices {
            var damaged = files
            damaged[at].bytes = try #require(disk[files[at].name])
            let refusal = try Self.open(damaged).refusal
            #expect(refusal != nil, "\(files[at].name)")
        }
    }

    @Test func `an error of whoever applies a record says where in the file the record stands`() throws {
        let disk = FaultyDisk()
        disk[Self.firstName] = try Self.closedFile()
        var random = SeededRandom(seed: 1)
        let databaseID = random.next()
        let error = #expect(throws: LogError.self) {
            _ = try Log(
                disk: disk, files: [1], after: 0, databaseID: databaseID, randomness: { 1 }, willStart: { (_) throws(LogError) in }
            ) { (type, _, _) throws(Corruption) in
                if type == 4 { throw Corruption(offset: 2, expected: "something else") }
            }
        }
        guard case .corruption(let corruption) = error else {
            Issue.record("expected corruption, got \(error as Any)")
            return
        }
        #expect(corruption.file == Self.firstName)
        #expect(corruption.offset == Self.extents[3].start + 32 + 2)
        #expect(corruption.expected.contains("sequence 4"))
    }
}
