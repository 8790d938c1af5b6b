// Column files that nothing happened to: what was written is read, from any place, by any number of threads.
import Memory
import Storage
import Testing
import TestSupport

@Suite struct ColumnFileTests {
    /// Written, opened, verified and read: equal to what it was made of.
    private static func roundTrip(_ columns: [TestColumn], pieceBytes: Int = .max, _ comment: Comment? = nil) throws {
        let disk = FaultyDisk()
        let reference = try ColumnHarness.write(columns, on: disk, pieceBytes: pieceBytes)
        #expect(disk[ColumnHarness.name]?.count == Int(reference.byteCount), comment)
        let file = try ColumnHarness.open(reference, on: disk)
        #expect(try ColumnHarness.read(file) == columns, comment)
        try file.verify()
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
        for byteCount in [1, 63, 64, 65, 65_535, 65_536, 65_537, 131_072, 200_001] {
            let bytes = ColumnHarness.noise(byteCount, &random)
            for pieceBytes in [7001, 65_536, .max] {
                try Self.roundTrip([.plain(elementBytes: 1, bytes), .plain(elementBytes: byteCount, bytes)], pieceBytes: pieceBytes, "\(byteCount), \(seed)")
            }
        }
    }

    @Test func `items of every size from none to the largest are read as written`() throws {
        let seed = TestSeed(32)
        var random = seed.random
        for sizes in [[0], [1], [0, 0, 0], [16_379, 1, 0], [16_380], [16_381], [16_000, 376, 0, 1], [4 << 20, 3, 4 << 20], Array(repeating: 0, count: 9000)] {
            for isNoise in [true, false] {
                let items = sizes.map { isNoise ? ColumnHarness.noise($0, &random) : ColumnHarness.prose($0, &random) }
                try Self.roundTrip([.packed(items)], "\(sizes.prefix(4)), \(seed)")
            }
        }
    }
}
