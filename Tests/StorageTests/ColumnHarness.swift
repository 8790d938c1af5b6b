// What tests of column files share: files described as plain values, written, read back, and compared.
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
    static func write(
        _ columns: [TestColumn], on disk: any Disk, kind: ColumnFileKind = .segment, number: UInt64 = number,
        databaseID: UInt64 = databaseID, pieceBytes: Int = .max
    ) throws(DiskError) -> FileReference {
        let writer = try ColumnFileWriter(disk: disk, kind: kind, number: number, databaseID: databaseID)
        for (id, column) in columns.enumerated() {
            switch column {
            case .plain(let elementBytes, let bytes):
                writer.beginColumn(UInt32(id), elementBytes: elementBytes)
                var rest = bytes[...]
                while !rest.isEmpty {
                    try writer.append(Array(rest.prefix(pieceBytes)).rawSpan)
                    rest = rest.dropFirst(pieceBytes)
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
                var reader = BlockReader()
                var items: [[UInt8]] = []
                for index in 0..<column.count { items.append(Array(copying: try column.read(index, with: &reader))) }
                columns.append(.packed(items))
            }
        }
        return columns
    }

    /// Text-like bytes: words of a small vocabulary, which a dictionary is good for.
    static func prose(_ byteCount: Int, _ random: inout SeededRandom) -> [UInt8] {
        var bytes: [UInt8] = []
        while bytes.count < byteCount {
            let word = Int.random(in: 0..<vocabulary.count, using: &random) * Int.random(in: 0..<vocabulary.count, using: &random)
            bytes += vocabulary[word / vocabulary.count] + [UInt8(ascii: " ")]
        }
        return Array(bytes.prefix(byteCount))
    }

    static func noise(_ byteCount: Int, _ random: inout SeededRandom) -> [UInt8] {
        (0..<byteCount).map { _ in UInt8.random(in: 0...255, using: &random) }
    }

    private static let vocabulary: [[UInt8]] = {
        var random = SeededRandom(seed: 99)
        return (0..<2000).map { _ in (0..<Int.random(in: 3...10, using: &random)).map { _ in UInt8.random(in: 97...122, using: &random) } }
    }()
}
