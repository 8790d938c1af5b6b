// What is known of a plain column while its bytes go by: how many, and a checksum for every 64 KiB.
import Memory

struct PlainColumnWriter {
    private let id: UInt32
    private let elementBytes: Int
    private var byteCount = 0
    private var table = ByteWriter()
    private var checksum = Checksum()

    init(id: UInt32, elementBytes: Int) {
        self.id = id
        self.elementBytes = elementBytes
    }

    /// Takes note of bytes that are written next.
    mutating func cover(_ bytes: RawSpan) {
        var rest = bytes
        while rest.byteCount > 0 {
            let count = min(rest.byteCount, ColumnFormat.plainBlockBytes - byteCount % ColumnFormat.plainBlockBytes)
            checksum.update(rest.extracting(first: count))
            byteCount += count
            rest = rest.extracting(droppingFirst: count)
            if byteCount % ColumnFormat.plainBlockBytes == 0 { endBlock() }
        }
    }

    private mutating func endBlock() {
        table.write(checksum.value)
        checksum = Checksum()
    }

    consuming func finish() -> FinishedColumn {
        precondition(byteCount % elementBytes == 0, "a column ends with a whole element")
        if byteCount % ColumnFormat.plainBlockBytes > 0 { endBlock() }
        let entry = ColumnEntry(
            id: id, shape: .plain, elementBytes: elementBytes, blockCount: ColumnFormat.plainBlocks(byteCount),
            count: byteCount / elementBytes, storedBytes: byteCount, rawBytes: byteCount, tableChecksum: Checksum.of(table.bytes))
        return FinishedColumn(entry: entry, table: table)
    }
}
