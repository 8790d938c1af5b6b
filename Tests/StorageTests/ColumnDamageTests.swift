// Column files that something happened to: cut, flipped, exchanged or forged. A wrong answer is the only failure.
import Memory
import Storage
import Testing
import TestSupport

@Suite struct ColumnDamageTests {
    /// A small file with every part but a dictionary: columns that leave padding, compressed blocks, and one kept as it is.
    private static let small: [TestColumn] = {
        var random = SeededRandom(seed: 5)
        let text = (0..<300).map { index in Array(repeating: UInt8(index & 7), count: 130 + index % 3) }
        return [
            .plain(elementBytes: 4, (0..<100).map { UInt8($0) }), .packed(text), .plain(elementBytes: 1, [1]),
            .packed((0..<5).map { _ in ColumnHarness.noise(20, &random) }),
        ]
    }()

    /// A large one: several blocks to a column, and a dictionary.
    private static let large: [TestColumn] = {
        var random = SeededRandom(seed: 6)
        return [
            .plain(elementBytes: 1, ColumnHarness.noise(300_000, &random)),
            .packed((0..<3000).map { _ in ColumnHarness.prose(Int.random(in: 0...600, using: &random), &random) }),
        ]
    }()

    private static func written(_ columns: [TestColumn]) throws -> (bytes: [UInt8], reference: FileReference) {
        let disk = FaultyDisk()
        let reference = try ColumnHarness.write(columns, on: disk)
        return (try #require(disk[ColumnHarness.name]), reference)
    }

    private static func disk(_ bytes: [UInt8]) -> FaultyDisk {
        let disk = FaultyDisk()
        disk[ColumnHarness.name] = bytes
        return disk
    }

    /// What comes of a file: refused at once, or what reading it and verifying it say.
    private struct Found {
        var refusal: ColumnFileError?
        var columns: [TestColumn]?
        var readDamage: Corruption?
        var verifyDamage: Corruption?

        /// The finding, wherever it was made.
        var damage: Corruption? {
            if case .corruption(let corruption) = refusal { corruption } else { verifyDamage }
        }
    }

    private static func open(_ bytes: [UInt8], _ reference: FileReference) -> Found {
        var found = Found()
        do throws(ColumnFileError) {
            let file = try ColumnHarness.open(reference, on: disk(bytes))
            do throws(Corruption) { found.columns = try ColumnHarness.read(file) } catch { found.readDamage = error }
            do throws(Corruption) { try file.verify() } catch { found.verifyDamage = error }
        } catch { found.refusal = error }
        return found
    }

    @Test func `a file of any other length does not open`() throws {
        let (bytes, reference) = try Self.written(Self.small)
        for cut in bytes.indices {
            #expect(Self.open(Array(bytes.prefix(cut)), reference).refusal != nil, "cut to \(cut)")
            // Not even where the manifest is wrong in the same way.
            let forged = FileReference(number: reference.number, byteCount: UInt64(cut), checksum: reference.checksum)
            #expect(Self.open(Array(bytes.prefix(cut)), forged).refusal != nil, "cut to \(cut)")
        }
        #expect(Self.open(bytes + [0], reference).refusal != nil)
    }

    @Test func `any flipped byte is found, and none changes an answer`() throws {
        let (bytes, reference) = try Self.written(Self.small)
        #expect(bytes.count < 4000)
        for offset in bytes.indices {
            for mask in [1, 0x80, 0xFF] as [UInt8] {
                var flipped = bytes
                flipped[offset] ^= mask
                let found = Self.open(flipped, reference)
                #expect(found.damage?.file == ColumnHarness.name, "byte \(offset) ^ \(mask)")
                if let columns = found.columns { #expect(columns == Self.small, "byte \(offset) ^ \(mask)") }
            }
        }
    }

    @Test func `any flipped byte of a file with a dictionary is found where it is, and none changes an answer`() throws {
        let seed = TestSeed(41)
        var random = seed.random
        let (bytes, reference) = try Self.written(Self.large)
        let layout = ColumnFileLayout(bytes)
        #expect(!layout.columns[1].dictionary.isEmpty && layout.columns.allSatisfy { $0.blocks.count > 3 })
        let parts = [0..<64, layout.directory] + layout.columns.flatMap { [$0.table, $0.dictionary, $0.data] + $0.blocks.map(\.bytes) }
        for part in parts where !part.isEmpty {
            for offset in [part.lowerBound, part.upperBound - 1] + (0..<4).map({ _ in Int.random(in: part, using: &random) }) {
                var flipped = bytes
                flipped[offset] ^= 1 << UInt8.random(in: 0...7, using: &random)
                let found = Self.open(flipped, reference)
                let damage = try #require(found.damage, "byte \(offset), \(seed)")
                #expect(damage.offset <= max(offset, 60) && offset - damage.offset <= 1 << 16, "byte \(offset): \(damage), \(seed)")
                if let columns = found.columns { #expect(columns == Self.large, "byte \(offset), \(seed)") }
            }
        }
    }

    @Test func `a damaged block of a plain column is refused however it is touched, and the others are read`() throws {
        let (bytes, reference) = try Self.written(Self.large)
        guard case .plain(_, let content) = Self.large[0] else { preconditionFailure("the first column is plain") }
        let blocks = ColumnFileLayout(bytes).columns[0].blocks
        for damaged in blocks.indices {
            var flipped = bytes
            flipped[blocks[damaged].bytes.lowerBound + 1000] ^= 0x10
            let column = try #require(try ColumnHarness.open(reference, on: Self.disk(flipped)).column(0))
            for _ in 0..<2 {
                for block in blocks.indices {
                    let range = block << 16..<min(content.count, (block + 1) << 16)
                    if block == damaged {
                        let corruption = #expect(throws: Corruption.self) { _ = try column.bytes(range.lowerBound..<range.lowerBound + 1).byteCount }
                        #expect(corruption?.file == ColumnHarness.name && corruption?.offset == blocks[block].bytes.lowerBound)
                    } else {
                        let found = Array(copying: try column.bytes(range))
                        #expect(found == Array(content[range]))
                    }
                }
                #expect(throws: Corruption.self) { _ = try column.bytes(0..<content.count).byteCount }
            }
        }
    }

    @Test func `a damaged block of a packed column is refused whenever it is read, and the others are read`() throws {
        let (bytes, reference) = try Self.written(Self.large)
        guard case .packed(let items) = Self.large[1] else { preconditionFailure("the second column is packed") }
        let blocks = ColumnFileLayout(bytes).columns[1].blocks
        for damaged in [0, blocks.count / 2, blocks.count - 1] {
            var flipped = bytes
            flipped[blocks[damaged].bytes.lowerBound + 9] ^= 0x10
            let column = try #require(try ColumnHarness.open(reference, on: Self.disk(flipped)).packed(1))
            var reader = BlockReader()
            var refused: [Int] = []
            for index in items.indices {
                do throws(Corruption) {
                    let found = try ColumnHarness.item(index, of: column, with: &reader)
                    #expect(found == items[index])
                } catch {
                    #expect(error.offset == blocks[damaged].bytes.lowerBound)
                    refused.append(index)
                }
            }
            let (first, last) = (try #require(refused.first), try #require(refused.last))
            #expect(refused == Array(first...last) && refused.count < 2 * items.count / blocks.count)
        }
    }

    @Test func `damage to a dictionary costs its column alone`() throws {
        let (bytes, reference) = try Self.written(Self.large)
        var flipped = bytes
        flipped[ColumnFileLayout(bytes).columns[1].dictionary.lowerBound + 100] ^= 1
        let file = try ColumnHarness.open(reference, on: Self.disk(flipped))
        let (plain, packed) = (try #require(file.column(0)), try #require(file.packed(1)))
        #expect(try plain.bytes(0..<plain.byteCount).byteCount == 300_000)
        #expect(throws: Corruption.self) {
            var reader = BlockReader()
            _ = try ColumnHarness.item(0, of: packed, with: &reader)
        }
    }

    @Test func `a file of another kind, number or database, or another file of the same number, does not open`() throws {
        let (bytes, reference) = try Self.written(Self.small)
        let disk = Self.disk(bytes)
        disk["catalog-000000000000002a"] = bytes
        disk["segment-000000000000002b"] = bytes
        func refusal(_ kind: ColumnFileKind, _ reference: FileReference, _ databaseID: UInt64) -> ColumnFileError? {
            #expect(throws: ColumnFileError.self) { _ = try ColumnFile(disk: disk, kind: kind, reference: reference, databaseID: databaseID) }
        }
        func expectCorruption(_ error: ColumnFileError?, at offset: Int) {
            guard case .corruption(let corruption) = error else {
                Issue.record("expected corruption, got \(error as Any)")
                return
            }
            #expect(corruption.offset == offset)
        }
        expectCorruption(refusal(.catalog, reference, ColumnHarness.databaseID), at: 12)
        expectCorruption(refusal(.segment, reference, 1), at: 16)
        var other = reference
        other.number += 1
        expectCorruption(refusal(.segment, other, ColumnHarness.databaseID), at: 24)
        other = reference
        other.checksum ^= 1
        expectCorruption(refusal(.segment, other, ColumnHarness.databaseID), at: 60)
        other.number = 99
        guard case .disk = refusal(.segment, other, ColumnHarness.databaseID) else {
            Issue.record("a file that is not there is the disk's to report")
            return
        }
    }

    @Test func `forged bytes under checksums that fit never trap, and what is out of bounds is refused`() throws {
        let seed = TestSeed(42)
        var random = seed.random
        let (bytes, _) = try Self.written(Self.small)
        let layout = ColumnFileLayout(bytes)
        let parts = [12..<56, layout.directory, layout.directory] + layout.columns.flatMap { [$0.table, $0.table, $0.data] }
        var refusals = 0
        for _ in 0..<6000 {
            var forged = bytes
            let part = parts[Int.random(in: 0..<parts.count, using: &random)]
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                let offset = Int.random(in: part, using: &random)
                switch Int.random(in: 0..<4, using: &random) {
                case 0: forged[offset] = .random(in: 0...255, using: &random)
                case 1: forged[offset] ^= 1 << UInt8.random(in: 0...7, using: &random)
                case 2: forged[offset] &+= 1
                default: for at in offset..<min(part.upperBound, offset + 8) { forged[at] = random.oneIn(2) ? 0 : 0xFF }
                }
            }
            let reference = layout.seal(&forged)
            let found = Self.open(forged, reference)
            if found.columns != nil { continue }
            refusals += 1
            if found.readDamage != nil { #expect(found.verifyDamage != nil, "\(seed)") }
        }
        #expect(refusals > 2000)
    }

    @Test func `a forged length is refused before it is used`() throws {
        let (bytes, _) = try Self.written(Self.small)
        let layout = ColumnFileLayout(bytes)
        let entry = layout.columns[1].entry.lowerBound
        let block = layout.columns[1].table.lowerBound
        // The entry's counts and lengths, and the block's.
        let ofEntry = [(entry + 12, 4), (entry + 16, 8), (entry + 24, 8), (entry + 32, 8), (entry + 44, 4)]
        let ofBlock = [(block, 8), (block + 8, 4), (block + 12, 4), (block + 16, 4)]
        for (offset, width) in ofEntry + ofBlock {
            for byte in [0x00, 0x7F, 0xFF] as [UInt8] {
                var forged = bytes
                for at in offset..<offset + width { forged[at] = byte }
                guard forged != bytes else { continue }
                let found = Self.open(forged, layout.seal(&forged))
                #expect(found.refusal != nil || (found.readDamage != nil && found.verifyDamage != nil), "\(byte) at \(offset)")
            }
        }
    }
}
