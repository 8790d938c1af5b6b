// Writes a column file from front to back; the header, which makes it one, comes last.
import Memory

/// Writes one new column file. One owner, one thread.
///
/// Columns are written one after the other, each begun, appended to and ended; `finish` makes the file whole. Until then
/// it does not open, whatever of it reached the device. After an error it never will: it can only be removed.
package final class ColumnFileWriter {
    package let name: String
    private let kind: ColumnFileKind
    private let number: UInt64
    private let databaseID: UInt64
    private let output: ColumnOutput
    private var plain: PlainColumnWriter?
    private var packed: PackedColumnWriter?
    private var finished: [FinishedColumn] = []

    /// Creates the file, which must not exist.
    package init(disk: any Disk, kind: ColumnFileKind, number: UInt64, databaseID: UInt64) throws(DiskError) {
        name = kind.fileName(number)
        self.kind = kind
        self.number = number
        self.databaseID = databaseID
        output = ColumnOutput(try disk.create(name))
    }

    /// Bytes of the file so far, those still buffered included; what a packed column samples first comes late.
    package var bytesWritten: Int { output.offset }

    // MARK: Plain columns

    /// Begins a column of elements that are `elementBytes` long and are read in place. No id comes twice in a file.
    package func beginColumn(_ id: UInt32, elementBytes: Int) {
        precondition(elementBytes > 0 && elementBytes <= UInt32.max, "an element has bytes")
        checkBegin(id)
        output.align()
        plain = PlainColumnWriter(id: id, elementBytes: elementBytes)
    }

    /// Appends any number of bytes to the plain column, not necessarily whole elements.
    package func append(_ bytes: RawSpan) throws(DiskError) {
        precondition(plain != nil, "bytes are appended to a plain column")
        plain?.cover(bytes)
        try output.write(bytes)
    }

    /// Appends elements as they lie in memory. `T` has no padding.
    package func append<T: BitwiseCopyable>(elements: Span<T>) throws(DiskError) {
        // Sound: elements without padding are initialised bytes.
        try append(unsafe elements.bytes)
    }

    /// The column must end with a whole element.
    package func endColumn() {
        guard let column = plain.take() else { preconditionFailure("a plain column was begun") }
        finished.append(column.finish())
    }

    // MARK: Packed columns

    /// Begins a column of byte strings, compressed in blocks. Up to 8 MiB of it are held in memory at first.
    package func beginPackedColumn(_ id: UInt32, level: Int = 3) {
        checkBegin(id)
        output.align()
        packed = PackedColumnWriter(id: id, level: level)
    }

    /// Appends one item of at most 4 MiB.
    package func appendItem(_ bytes: RawSpan) throws(DiskError) {
        precondition(packed != nil, "items are appended to a packed column")
        try packed?.append(bytes, to: output)
    }

    package func endPackedColumn() throws(DiskError) {
        guard let column = packed.take() else { preconditionFailure("a packed column was begun") }
        finished.append(try column.finish(to: output))
    }

    private func checkBegin(_ id: UInt32) {
        precondition(plain == nil && packed == nil, "one column is written at a time")
        precondition(!finished.contains { $0.entry.id == id }, "a column id comes once in a file")
    }

    // MARK: The end

    /// Writes what makes the file whole and syncs it. The caller syncs the directory.
    package func finish() throws(DiskError) -> FileReference {
        precondition(plain == nil && packed == nil, "every column was ended")
        for column in finished {
            try writePart(column.table.bytes)
            try writePart(column.dictionary.rawBytes)
        }
        var directory = ByteWriter()
        for column in finished { column.entry.write(to: &directory) }
        output.align()
        let header = ColumnFileHeader(
            kind: kind.rawValue, databaseID: databaseID, fileNumber: number, fileBytes: UInt64(output.offset + directory.count),
            directoryOffset: UInt64(output.offset), directoryBytes: UInt32(directory.count),
            directoryChecksum: Checksum.of(directory.bytes))
        try output.write(directory.bytes)
        return FileReference(number: number, byteCount: header.fileBytes, checksum: try output.finish(with: header))
    }

    private func writePart(_ bytes: RawSpan) throws(DiskError) {
        output.align()
        try output.write(bytes)
    }
}

/// A column whose data are written, and what has still to be written about it.
struct FinishedColumn {
    var entry: ColumnEntry
    var table: ByteWriter
    var dictionary: [UInt8] = []
}

/// The sequential end of a file: bytes are gathered and written a mebibyte at a time.
final class ColumnOutput {
    private let file: any DiskFile
    private var buffer = ByteWriter(capacity: ColumnOutput.bufferBytes)
    /// Where the next byte goes.
    private(set) var offset = ColumnFormat.headerBytes
    /// Thrown again by everything afterwards: a file with a hole must never be called whole, and a sync is not retried.
    private var failure: DiskError?

    private static let bufferBytes = 1 << 20

    init(_ file: any DiskFile) { self.file = file }

    /// Zeros up to where a part may begin.
    func align() {
        while offset < ColumnFormat.aligned(offset) {
            buffer.write(UInt8(0))
            offset += 1
        }
    }

    func write(_ bytes: RawSpan) throws(DiskError) {
        var rest = bytes
        while rest.byteCount > 0 {
            let count = min(rest.byteCount, max(1, ColumnOutput.bufferBytes - buffer.count))
            buffer.write(rest.extracting(first: count))
            offset += count
            rest = rest.extracting(droppingFirst: count)
            if buffer.count >= ColumnOutput.bufferBytes { try flush() }
        }
    }

    private func flush() throws(DiskError) {
        if let failure { throw failure }
        guard buffer.count > 0 else { return }
        do { try file.write(buffer.bytes, at: offset - buffer.count) } catch { throw failed(error) }
        buffer.removeAll()
    }

    /// Makes the file whole: the header is written when everything behind it is on the device. Returns its checksum.
    func finish(with header: ColumnFileHeader) throws(DiskError) -> UInt32 {
        try flush()
        let (encoded, checksum) = header.encoded()
        do {
            try file.sync()
            try file.write(encoded.bytes, at: 0)
            try file.sync()
        } catch { throw failed(error) }
        return checksum
    }

    private func failed(_ error: DiskError) -> DiskError {
        failure = error
        return error
    }
}
