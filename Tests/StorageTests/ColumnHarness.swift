// What tests of column files share: files described as plain values, written, read back, and sealed again once forged.
import Memory
import Storage
import Testing
import TestSupport

/// A column as a test thinks of it.
enum TestColumn: Equatable {
    case plain(elementBytes: Int, [UInt8])
    case packed([[UInt8]])
}

enum ColumnHarness {
    static let databaseID: UInt64 = 0xD0_D0_5E_ED
    static let number: UInt64 = 0x2A
    static let name = "segment-000000000000002a"

    /// Writes a file of these columns, which get their position as id.
    @discardableResult
    static func write(_ columns: [TestColumn], on disk: any Disk, pieceBytes: Int = .max) throws(DiskError) -> FileReference {
        let writer = try ColumnFileWriter(disk: disk, kind: .segment, number: number, databaseID: databaseID)
        for (id, column) in columns.enumerated() {
            switch column {
            case .plain(let elementBytes, let bytes):
                writer.beginColumn(UInt32(id), elementBytes: elementBytes)
                var start = 0
                while start < bytes.count {
                    let end = start + min(pieceBytes, bytes.count - start)
                    try writer.append(bytes.rawSpan.extracting(start..<end))
                    start = end
                }
                writer.endColumn()
            case .packed(let items):
                writer.beginPackedColumn(UInt32(id))
                for item in items { try writer.appendItem(item.rawSpan) }
                try writer.endPackedColumn()
            }
        }
        return try writer.finish()
    }

    static func open(_ reference: FileReference, on disk: any Disk) throws(ColumnFileError) -> ColumnFile {
        try ColumnFile(disk: disk, kind: .segment, reference: reference, databaseID: databaseID)
    }

    /// All of a file's columns, read the way the engine does.
    static func read(_ file: ColumnFile) throws(Corruption) -> [TestColumn] {
        var columns: [TestColumn] = []
        for summary in file.columns {
            if let column = file.column(summary.id) {
                columns.append(.plain(elementBytes: column.elementBytes, Array(copying: try column.bytes(0..<column.byteCount))))
            } else if let column = file.packed(summary.id) {
                var items: [[UInt8]] = []
                var reader = BlockReader()
                for index in 0..<column.count { items.append(Array(copying: try column.read(index, with: &reader))) }
                columns.append(.packed(items))
            }
        }
        return columns
    }

    static func item(_ index: Int, of column: PackedColumn, with reader: inout BlockReader) throws(Corruption) -> [UInt8] {
        Array(copying: try column.read(index, with: &reader))
    }

    // MARK: Bytes

    static func noise(_ byteCount: Int, _ random: inout SeededRandom) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(byteCount + 8)
        while bytes.count < byteCount {
            var rest = random.next()
            for _ in 0..<8 {
                bytes.append(UInt8(truncatingIfNeeded: rest))
                rest >>= 8
            }
        }
        return Array(bytes.prefix(byteCount))
    }

    /// Text-like bytes: pieces of 64 KiB of words, for which a dictionary is good.
    static func prose(_ byteCount: Int, _ random: inout SeededRandom) -> [UInt8] {
        var bytes: [UInt8] = []
        while bytes.count < byteCount {
            let start = Int.random(in: 0..<text.count - 100, using: &random)
            bytes += text[start..<start + min(Int.random(in: 20...100, using: &random), byteCount - bytes.count)]
        }
        return bytes
    }

    private static let text: [UInt8] = {
        var random = SeededRandom(seed: 99)
        let words = (0..<1000).map { _ in (0..<Int.random(in: 3...10, using: &random)).map { _ in UInt8.random(in: 97...122, using: &random) } }
        var text: [UInt8] = []
        while text.count < 1 << 16 { text += words[Int.random(in: 0..<words.count, using: &random)] + [32] }
        return text
    }()
}

/// Where the parts of a whole file lie, found by other means than the file's own reader.
struct ColumnFileLayout {
    struct Column {
        var entry: Range<Int>
        var data: Range<Int>
        var table: Range<Int>
        var dictionary: Range<Int>
        /// The stored bytes of each block, and where its checksum stands.
        var blocks: [(bytes: Range<Int>, checksum: Int)]
    }

    var columns: [Column] = []
    var directory: Range<Int>

    init(_ file: [UInt8]) {
        directory = file.integer(40, 8)..<file.count
        var offset = 64
        for entry in stride(from: directory.lowerBound, to: directory.upperBound, by: 56) {
            let data = offset..<offset + file.integer(entry + 24, 8)
            columns.append(Column(entry: entry..<entry + 56, data: data, table: 0..<0, dictionary: 0..<0, blocks: []))
            offset = (data.upperBound + 63) / 64 * 64
        }
        for index in columns.indices {
            let entry = columns[index].entry.lowerBound
            let isPlain = file.integer(entry + 4, 4) == 1
            let blockCount = file.integer(entry + 12, 4)
            let data = columns[index].data
            columns[index].table = offset..<offset + blockCount * (isPlain ? 4 : 24)
            columns[index].blocks = (0..<blockCount).map { block in
                if isPlain { return (data.lowerBound + block << 16..<min(data.upperBound, data.lowerBound + (block + 1) << 16), offset + 4 * block) }
                let start = data.lowerBound + file.integer(offset + 24 * block, 8)
                return (start..<start + file.integer(offset + 24 * block + 12, 4), offset + 24 * block + 20)
            }
            offset = (columns[index].table.upperBound + 63) / 64 * 64
            columns[index].dictionary = offset..<offset + file.integer(entry + 44, 4)
            offset = (columns[index].dictionary.upperBound + 63) / 64 * 64
        }
    }

    /// What a file is called by once its checksums, from the blocks up, were made to fit what is there.
    func seal(_ file: inout [UInt8]) -> FileReference {
        for column in columns {
            for block in column.blocks { file.seal(block.bytes, at: block.checksum) }
            file.seal(column.table, at: column.entry.lowerBound + 40)
            if !column.dictionary.isEmpty { file.seal(column.dictionary, at: column.entry.lowerBound + 48) }
        }
        file.seal(directory, at: 52)
        file.seal(0..<60, at: 60)
        return FileReference(
            number: ColumnHarness.number, byteCount: UInt64(file.count), checksum: UInt32(truncatingIfNeeded: file.integer(60, 4)))
    }
}

extension [UInt8] {
    fileprivate func integer(_ offset: Int, _ width: Int) -> Int {
        (0..<width).reduce(0) { $0 | Int(self[offset + $1]) << (8 * $1) }
    }

    fileprivate mutating func seal(_ range: Range<Int>, at offset: Int) {
        let checksum = Checksum.of(rawSpan.extracting(range))
        for byte in 0..<4 { self[offset + byte] = UInt8(truncatingIfNeeded: checksum >> UInt32(8 * byte)) }
    }
}
