// Column files that nothing happened to: what was written is read, from any place, by any number of threads.
import Memory
import Storage
import Synchronization
import Testing
import TestSupport

@Suite struct ColumnFileTests {
    /// Written, opened, verified and read: equal to what it was made of.
    @discardableResult
    private static func roundTrip(_ columns: [TestColumn], pieceBytes: Int = .max, _ comment: Comment? = nil) throws -> ColumnFile {
        let disk = FaultyDisk()
        let reference = try ColumnHarness.write(columns, on: disk, pieceBytes: pieceBytes)
        #expect(disk[ColumnHarness.name]?.count == Int(reference.byteCount), comment)
        let file = try ColumnHarness.open(reference, on: disk)
        #expect(try ColumnHarness.read(file) == columns, comment)
        try file.verify()
        return file
    }

    @Test func `a file without columns, and columns without anything, are files like others`() throws {
        try Self.roundTrip([])
        try Self.roundTrip([.plain(elementBytes: 4, [])])
        try Self.roundTrip([.packed([])])
        try Self.roundTrip([.packed([]), .plain(elementBytes: 1, []), .packed([[]]), .plain(elementBytes: 3, [1, 2, 3])])
    }

    @Test func `plain columns of every length around a block are read as written, in whatever pieces`() throws {
        let seed = TestSeed(31)
        var random = seed.random
        for byteCount in [1, 63, 64, 65, 65_535, 65_536, 65_537, 131_072, 200_001, 2_100_000] {
            let bytes = ColumnHarness.noise(byteCount, &random)
            let columns = [TestColumn.plain(elementBytes: 1, bytes), .plain(elementBytes: byteCount, bytes)]
            for pieceBytes in [7001, 65_536, .max] { try Self.roundTrip(columns, pieceBytes: pieceBytes, "\(byteCount), \(seed)") }
        }
    }

    @Test func `items of every size from none to the largest are read as written`() throws {
        let seed = TestSeed(32)
        var random = seed.random
        let largest = 4 << 20
        let sizes = [[0], [1], [0, 0, 0], [16_379, 1, 0], [16_380], [16_381], [16_000, 376, 0, 1], [largest, 3, largest]]
        for sizes in sizes + [Array(repeating: 0, count: 9000)] {
            for isNoise in [true, false] {
                let items = sizes.map { isNoise ? ColumnHarness.noise($0, &random) : ColumnHarness.prose($0, &random) }
                try Self.roundTrip([.packed(items)], "\(sizes.prefix(4)), \(seed)")
            }
        }
    }

    @Test func `random files are read as written`() throws {
        let seed = TestSeed(33)
        var random = seed.random
        for _ in 0..<40 {
            let columns = (0..<Int.random(in: 0...5, using: &random)).map { _ -> TestColumn in
                if Bool.random(using: &random) {
                    let elementBytes = Int.random(in: 1...20, using: &random)
                    let byteCount = elementBytes * Int.random(in: 0...9000, using: &random)
                    return .plain(elementBytes: elementBytes, ColumnHarness.noise(byteCount, &random))
                }
                return .packed((0..<Int.random(in: 0...200, using: &random)).map { _ in
                    ColumnHarness.prose(Int.random(in: 0...(random.oneIn(20) ? 40_000 : 400), using: &random), &random)
                })
            }
            try Self.roundTrip(columns, pieceBytes: Int.random(in: 1000...70_000, using: &random), "\(seed)")
        }
    }

    @Test func `elements are read as values, one or several to an element, from where they are asked for`() throws {
        let disk = FaultyDisk()
        let writer = try ColumnFileWriter(disk: disk, kind: .catalog, number: 7, databaseID: 3)
        let numbers = (0..<50_000).map { UInt32($0) * 3 }
        let floats = (0..<30_000).map { Float($0) }
        writer.beginColumn(1, elementBytes: 1)
        try writer.append([9].rawSpan)
        writer.endColumn()
        writer.beginColumn(2, elementBytes: 4)
        try writer.append(elements: numbers.span)
        writer.endColumn()
        writer.beginColumn(900, elementBytes: 12)
        try writer.append(elements: floats.span)
        writer.endColumn()
        let reference = try writer.finish()
        #expect(writer.bytesWritten == Int(reference.byteCount))
        let file = try ColumnFile(disk: disk, kind: .catalog, reference: reference, databaseID: 3)
        #expect(file.name == "catalog-0000000000000007")
        let column = try #require(file.column(2))
        let rows = try #require(file.column(900))
        #expect(column.count == 50_000 && rows.count == 10_000)
        #expect(Array(copying: try column.elements(as: UInt32.self)) == numbers)
        for range in [0..<0, 0..<1, 16_383..<16_385, 49_999..<50_000, 50_000..<50_000, 3..<40_000] {
            #expect(Array(copying: try column.elements(range, as: UInt32.self)) == Array(numbers[range]))
        }
        for range in [0..<1, 5461..<5462, 9_999..<10_000] {
            #expect(Array(copying: try rows.elements(range, as: Float.self)) == Array(floats[3 * range.lowerBound..<3 * range.upperBound]))
        }
        let isAligned = unsafe try column.bytes(0..<4).withUnsafeBytes { Int(bitPattern: $0.baseAddress) % 64 == 0 }
        #expect(isAligned)
        #expect(file.column(0) == nil && file.packed(2) == nil && file.packed(0) == nil)
    }

    @Test func `a dictionary is kept where it pays for itself, and only there`() throws {
        let seed = TestSeed(34)
        var random = seed.random
        func column(_ byteCount: Int, isNoise: Bool) -> TestColumn {
            .packed((0..<byteCount / 400).map { _ in isNoise ? ColumnHarness.noise(400, &random) : ColumnHarness.prose(400, &random) })
        }
        let columns = [
            column(20_000, isNoise: false), column(1 << 20, isNoise: false), column(1 << 20, isNoise: true), column(9 << 20, isNoise: false),
        ]
        let file = try Self.roundTrip(columns, "\(seed)")
        let (few, many, noise, most) = (file.columns[0], file.columns[1], file.columns[2], file.columns[3])
        #expect(few.dictionaryBytes == 0 && few.storedBytes < few.rawBytes)
        #expect(many.dictionaryBytes > 0 && many.dictionaryBytes < many.rawBytes / 100)
        #expect(noise.dictionaryBytes == 0 && noise.storedBytes == noise.rawBytes + 4 * noise.count, "kept as it is")
        #expect(most.dictionaryBytes > 1 << 15 && most.dictionaryBytes <= 1 << 16)
    }

    @Test func `a file says what it holds`() throws {
        let file = try Self.roundTrip([.plain(elementBytes: 2, [1, 2, 3, 4]), .packed([[1], [2, 2], []])])
        #expect(file.columns.map(\.id) == [0, 1])
        #expect(file.columns.map(\.shape) == [.plain, .packed])
        #expect(file.columns.map(\.elementBytes) == [2, 0])
        #expect(file.columns.map(\.count) == [2, 3])
        #expect(file.columns.map(\.storedBytes) == [4, 15], "three items end somewhere, and have three bytes")
        #expect(file.columns.map(\.rawBytes) == [4, 3])
    }

    @Test func `one reader serves any column of any file in any order`() throws {
        let seed = TestSeed(35)
        var random = seed.random
        var columns: [(column: PackedColumn, items: [[UInt8]])] = []
        for _ in 0..<3 {
            let items = (0..<2).map { _ in (0..<700).map { _ in ColumnHarness.prose(Int.random(in: 0...300, using: &random), &random) } }
            let file = try Self.roundTrip(items.map { .packed($0) }, "\(seed)")
            for id in 0..<2 { columns.append((try #require(file.packed(UInt32(id))), items[id])) }
        }
        var reader = BlockReader()
        for _ in 0..<3000 {
            let (column, items) = columns[Int.random(in: 0..<columns.count, using: &random)]
            let index = Int.random(in: 0..<items.count, using: &random)
            let found = try ColumnHarness.item(index, of: column, with: &reader)
            #expect(found == items[index], "\(seed)")
        }
    }

    @Test func `threads that touch the same file for the first time all read it as written`() throws {
        let seed = TestSeed(36)
        var random = seed.random
        let bytes = ColumnHarness.noise(500_000, &random)
        let items = (0..<2000).map { _ in ColumnHarness.prose(100, &random) }
        let disk = FaultyDisk()
        let reference = try ColumnHarness.write([.plain(elementBytes: 1, bytes), .packed(items)], on: disk)
        let file = try ColumnHarness.open(reference, on: disk)
        let wrong = Atomic(0)
        Threads.run(4) { thread in
            do throws(Corruption) {
                let read = try ColumnHarness.read(file)
                if read != [.plain(elementBytes: 1, bytes), .packed(items)] { wrong.add(1, ordering: .relaxed) }
            } catch { wrong.add(1, ordering: .relaxed) }
        }
        #expect(wrong.load(ordering: .relaxed) == 0)
    }

    @Test func `a file on a real disk is mapped, and can be read when its name is gone`() throws {
        try TemporaryDirectory.with { path in
            let disk = try FileSystemDisk(path: path)
            let columns = [TestColumn.packed([[1, 2, 3]]), .plain(elementBytes: 8, [UInt8](repeating: 7, count: 80_000))]
            let reference = try ColumnHarness.write(columns, on: disk)
            #expect(throws: DiskError.self) { try ColumnHarness.write(columns, on: disk) }
            let file = try ColumnHarness.open(reference, on: disk)
            try disk.remove(file.name)
            #expect(try ColumnHarness.read(file) == columns)
            try file.verify()
        }
    }

    @Test func `names tell kind and number, and no other name does`() {
        for number in [0, 1, 0x2A, 1 << 40] as [UInt64] {
            for kind in FileKind.allCases {
                let name = kind.name(number)
                for other in FileKind.allCases { #expect(other.number(name) == (kind == other ? number : nil)) }
            }
        }
        let others = [
            "", "segment-2a", "segment-000000000000002A", "segment-00000000000000002a", "segment-+00000000000002a", "Segment-000000000000002a",
        ]
        for name in others {
            #expect(FileKind.segment.number(name) == nil, "\(name)")
        }
    }
}
