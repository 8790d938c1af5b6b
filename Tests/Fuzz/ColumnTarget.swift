// Column files of any shape under checksums that fit: they open or are refused, and reading them twice gives the same twice.
import Memory
@testable import Storage
import TestSupport

extension FuzzTarget {
    /// An input describes columns, part by part, and what is wrong with the numbers that describe them (`ColumnScript`).
    static let columns = FuzzTarget(name: "columns", seeds: { ColumnScript.seeds }) { input in
        var script = ColumnScript(input)
        let disk = FaultyDisk()
        let reference = script.write(to: disk)
        guard let file = open(disk, reference), let again = open(disk, reference) else { return }
        guard file.columns == again.columns else { violated("a directory is read the same way every time") }
        let isWhole = isVerified(file)
        for summary in file.columns {
            let first = reading(summary, of: file, inReverse: false)
            guard first == reading(summary, of: again, inReverse: true), first == reading(summary, of: file, inReverse: false) else {
                violated("what is read is the same every time")
            }
            if isWhole, first.contains(nil) { violated("what was verified can be read") }
        }
        guard isVerified(file) == isWhole, isVerified(again) == isWhole else { violated("verifying finds the same every time") }
    }

    private static func open(_ disk: FaultyDisk, _ reference: FileReference) -> ColumnFile? {
        do throws(ColumnFileError) {
            return try ColumnFile(disk: disk, kind: .segment, reference: reference, databaseID: ColumnScript.databaseID)
        } catch {
            guard case .corruption = error else { violated("only corruption keeps a file from opening on a disk that works: \(error)") }
            return nil
        }
    }

    private static func isVerified(_ file: ColumnFile) -> Bool {
        do throws(Corruption) {
            try file.verify()
            return true
        } catch { return false }
    }

    /// Of a column's pieces the bytes, or nil where they are damaged. At most the first and the last hundred.
    private static func reading(_ summary: ColumnSummary, of file: ColumnFile, inReverse: Bool) -> [[UInt8]?] {
        var pieces: [[UInt8]?] = []
        var reader = BlockReader()
        for index in inReverse ? places(summary.count).reversed() : places(summary.count) {
            do throws(Corruption) {
                if let column = file.column(summary.id) {
                    pieces.append(Array(copying: try column.elements(index..<index + 1, as: UInt8.self)))
                } else if let column = file.packed(summary.id) {
                    pieces.append(Array(copying: try column.read(index, with: &reader)))
                }
            } catch { pieces.append(nil) }
        }
        return inReverse ? pieces.reversed() : pieces
    }

    private static func places(_ count: Int) -> [Int] { Array(0..<min(count, 100)) + Array(max(100, count - 100)..<max(100, count)) }
}

/// A column file as an input describes it.
private struct ColumnScript {
    static let databaseID: UInt64 = 5
    private var choices: Choices
    private var bytes = [UInt8](repeating: 0, count: ColumnFormat.headerBytes)
    private static let columnsMax = 6

    /// A column's entry as it goes into the directory, its table and its dictionary.
    private struct Column {
        var entry: [UInt64]
        var table: [UInt8]
        var dictionary: [UInt8]
    }

    init(_ input: [UInt8]) { choices = Choices(input) }

    /// Plain columns; blocks stored as they are and compressed; a dictionary; wrong numbers in table, entry and header.
    static let seeds: [[UInt8]] = [
        [2, 0, 1, 4, 8, 0, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 2, 1, 3, 0, 1, 2, 3, 0, 0],
        [1, 1, 5, 2, 2, 0, 3, 0, 65, 66, 67, 1, 0, 0, 3, 40, 90, 0, 1, 0, 0, 0, 0],
        [1, 1, 5, 1, 8, 200, 0, 0, 1, 0, 30, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 0, 0],
        [2, 0, 1, 1, 200, 1, 7, 7, 1, 3, 1, 1, 6, 1, 3, 4, 0, 1, 1, 2, 5, 0, 1, 4, 2],
    ]

    mutating func write(to disk: FaultyDisk) -> FileReference {
        var columns: [Column] = []
        for _ in 0..<Int(choices.byte()) % Self.columnsMax { columns.append(choices.byte() % 2 == 0 ? plain() : packed()) }
        for index in columns.indices {
            append(columns[index].table)
            append(columns[index].dictionary)
        }
        align()
        let reference = finish(columns)
        disk[ColumnFileKind.segment.fileName(reference.number)] = bytes
        return reference
    }

    private mutating func align() { bytes += [UInt8](repeating: choices.byte() == 255 ? 1 : 0, count: ColumnFormat.aligned(bytes.count) - bytes.count) }

    private mutating func append(_ part: [UInt8]) {
        align()
        bytes += part
    }

    // MARK: Columns

    private mutating func plain() -> Column {
        let id = choices.byte() % 8
        let elementBytes = max(1, Int(choices.byte()))
        var data = choices.bytes(choices.word() % 512)
        // Some are so long that they have more than one block.
        if choices.byte() % 16 == 1 { data = Array(repeatElement(data, count: 1 + 70_000 / max(1, data.count)).joined()) }
        data.removeLast(data.count % elementBytes)
        append(data)
        var table = ByteWriter()
        for start in stride(from: 0, to: data.count, by: ColumnFormat.plainBlockBytes) {
            table.write(Checksum.of(data.rawSpan.extracting(start..<min(start + ColumnFormat.plainBlockBytes, data.count))))
        }
        return Column(
            entry: [UInt64(id), 1, UInt64(elementBytes), UInt64(table.count / 4), UInt64(data.count / elementBytes), UInt64(data.count), UInt64(data.count)],
            table: changed(table.finish()), dictionary: [])
    }

    private mutating func packed() -> Column {
        let id = choices.byte() % 8
        var stored: [UInt8] = []
        var (items, rawBytes) = (0, 0)
        var table = ByteWriter()
        let dictionary = choices.byte() % 8 == 1 ? choices.bytes(choices.word() % 1024) : []
        for _ in 0..<Int(choices.byte()) % 6 {
            let (count, raw) = block()
            let block = choices.byte() % 2 == 0 ? raw : compressed(raw, dictionary)
            PackedBlock(
                offset: UInt64(stored.count), firstItem: UInt32(items), storedBytes: UInt32(block.count), rawBytes: UInt32(raw.count),
                checksum: Checksum.of(block.rawSpan)
            ).write(to: &table)
            stored += block
            items += count
            rawBytes += raw.count - 4 * count
        }
        append(stored)
        return Column(
            entry: [UInt64(id), 2, 0, UInt64(table.count / 24), UInt64(items), UInt64(stored.count), UInt64(max(0, rawBytes))],
            table: changed(table.finish()), dictionary: dictionary)
    }

    /// Ends of items, right or not, and the items' bytes.
    private mutating func block() -> (items: Int, raw: [UInt8]) {
        let count = 1 + Int(choices.byte()) % 8
        var ends = ByteWriter()
        var end: UInt32 = 0
        for _ in 0..<count {
            let step = choices.byte()
            if step == 255 { ends.write(UInt32(choices.word()) << 16 | UInt32(choices.word())) } else {
                end += UInt32(step)
                ends.write(end)
            }
        }
        var content = choices.bytes(Int(end))
        content += [UInt8](repeating: 32, count: choices.byte() % 8 == 7 ? Int(choices.byte()) : Int(end) - content.count)
        return (count, ends.finish() + content)
    }

    private func compressed(_ raw: [UInt8], _ dictionary: [UInt8]) -> [UInt8] {
        var target = AlignedBuffer(byteCount: 1 << 12)
        guard let count = Compressor(level: 1, dictionary: dictionary.rawSpan).compress(raw.rawSpan, into: &target) else { return raw }
        return Array(copying: target.bytes.extracting(first: count))
    }

    /// A table as it should be, or with one byte changed: under a checksum that fits.
    private mutating func changed(_ table: [UInt8]) -> [UInt8] {
        guard choices.byte() % 4 == 1, !table.isEmpty else { return table }
        var table = table
        table[choices.word() % table.count] = choices.byte()
        return table
    }

    // MARK: Directory and header

    private mutating func finish(_ columns: [Column]) -> FileReference {
        var directory = ByteWriter()
        for column in columns { write(column, to: &directory) }
        if choices.byte() % 8 == 7 { directory.write(choices.byte()) }
        let header = ColumnFileHeader(
            kind: 1, databaseID: Self.databaseID, fileNumber: 1, fileBytes: UInt64(bytes.count + directory.count), directoryOffset: UInt64(bytes.count),
            directoryBytes: UInt32(directory.count), directoryChecksum: Checksum.of(directory.bytes))
        bytes += Array(copying: directory.bytes)
        let (encoded, checksum) = header.encoded()
        bytes.replaceSubrange(0..<ColumnFormat.headerBytes, with: Array(copying: encoded.bytes))
        return FileReference(number: 1, byteCount: UInt64(bytes.count), checksum: checksum)
    }

    /// The entry as it should be, or with one number changed.
    private mutating func write(_ column: Column, to directory: inout ByteWriter) {
        var numbers = column.entry + [
            UInt64(Checksum.of(column.table.rawSpan)), UInt64(column.dictionary.count),
            column.dictionary.isEmpty ? 0 : UInt64(Checksum.of(column.dictionary.rawSpan)), 0,
        ]
        if choices.byte() % 4 == 1 {
            let index = Int(choices.byte()) % numbers.count
            numbers[index] = strange(numbers[index])
        }
        let wide: Set<Int> = [4, 5, 6]
        for (index, number) in numbers.enumerated() {
            if wide.contains(index) { directory.write(number) } else { directory.write(UInt32(truncatingIfNeeded: number)) }
        }
    }

    private mutating func strange(_ number: UInt64) -> UInt64 {
        switch choices.byte() % 8 {
        case 0: 0
        case 1: .max
        case 2: UInt64(UInt32.max)
        case 3: 1 << 48
        case let near: number &+ UInt64(near) &- 6
        }
    }
}
