// From a file's first bytes to the place of every column, with nothing left over and nothing overlapping.
import Memory

/// What a column file holds and where, checked against the file's length.
struct ColumnDirectory: Equatable {
    var columns: [ColumnPlace] = []
    /// The zeros between the parts, fewer than 64 each.
    var padding: [Range<Int>] = []

    /// Reads header and directory. O(columns).
    init(of file: RawSpan, kind: ColumnFileKind, reference: FileReference, databaseID: UInt64) throws(Corruption) {
        guard UInt64(file.byteCount) == reference.byteCount else {
            throw Corruption(offset: file.byteCount, expected: "a file of \(reference.byteCount) bytes")
        }
        guard file.byteCount >= ColumnFormat.headerBytes else { throw Corruption(offset: file.byteCount, expected: "a file header") }
        let (header, checksum) = try ColumnFileHeader.decode(file.extracting(first: ColumnFormat.headerBytes))
        guard header.kind == kind.rawValue else { throw Corruption(offset: 12, expected: "a \(kind), found kind \(header.kind)") }
        guard header.databaseID == databaseID else { throw Corruption(offset: 16, expected: "a file of this database") }
        guard header.fileNumber == reference.number else { throw Corruption(offset: 24, expected: "file number \(reference.number)") }
        guard header.fileBytes == reference.byteCount else { throw Corruption(offset: 32, expected: "the file's length") }
        guard checksum == reference.checksum else { throw Corruption(offset: 60, expected: "the file that the manifest names") }
        let span = try Self.directory(header, fileBytes: file.byteCount)
        let bytes = file.extracting(span)
        guard Checksum.of(bytes) == header.directoryChecksum else {
            throw Corruption(offset: span.lowerBound, expected: "the directory's checksum")
        }
        do { try readEntries(bytes) } catch { throw error.located(in: error.file, base: span.lowerBound) }
        try place(before: span.lowerBound)
    }

    /// The directory ends the file.
    private static func directory(_ header: ColumnFileHeader, fileBytes: Int) throws(Corruption) -> Range<Int> {
        let start = fileBytes - Int(header.directoryBytes)
        guard start >= ColumnFormat.headerBytes, header.directoryOffset == UInt64(start) else {
            throw Corruption(offset: 40, expected: "a directory that ends the file")
        }
        return start..<fileBytes
    }

    private mutating func readEntries(_ bytes: RawSpan) throws(Corruption) {
        var reader = ByteReader(bytes)
        var ids: Set<UInt32> = []
        while reader.remaining > 0 {
            let start = reader.offset
            let entry = try ColumnEntry.decode(&reader)
            guard ids.insert(entry.id).inserted else { throw Corruption(offset: start, expected: "a column id once") }
            columns.append(ColumnPlace(entry: entry))
        }
    }

    /// Lays the parts out one behind the other: the columns, then their tables and dictionaries.
    private mutating func place(before end: Int) throws(Corruption) {
        var offset = ColumnFormat.headerBytes
        for index in columns.indices {
            columns[index].data = try take(columns[index].entry.storedBytes, at: &offset, before: end)
        }
        for index in columns.indices {
            columns[index].table = try take(columns[index].entry.tableBytes, at: &offset, before: end)
            columns[index].dictionary = try take(columns[index].entry.dictionaryBytes, at: &offset, before: end)
        }
        guard try take(0, at: &offset, before: end).lowerBound == end else {
            throw Corruption(offset: offset, expected: "the directory behind the last part")
        }
    }

    private mutating func take(_ byteCount: Int, at offset: inout Int, before end: Int) throws(Corruption) -> Range<Int> {
        let start = ColumnFormat.aligned(offset)
        guard start <= end, byteCount <= end - start else {
            throw Corruption(offset: offset, expected: "\(byteCount) bytes before the directory at \(end)")
        }
        if offset < start { padding.append(offset..<start) }
        offset = start + byteCount
        return start..<offset
    }
}
