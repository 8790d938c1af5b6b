// Reads a column file where the kernel maps it: opened in the time of its directory, checked where it is touched.
package import Memory

/// Why a column file cannot be opened.
package enum ColumnFileError: Error, Equatable, Sendable, CustomStringConvertible {
    case disk(DiskError)
    case corruption(Corruption)

    package var description: String {
        switch self {
        case .disk(let error): "\(error)"
        case .corruption(let error): "\(error)"
        }
    }
}

/// What there is to say about a column without reading it.
package struct ColumnSummary: Equatable, Sendable {
    package var id: UInt32
    package var shape: ColumnShape
    /// 0 in a packed column.
    package var elementBytes: Int
    /// Elements or items.
    package var count: Int
    /// Bytes in the file, without checksums, block table and dictionary.
    package var storedBytes: Int
    /// Bytes of all elements or items.
    package var rawBytes: Int
    package var dictionaryBytes: Int
}

/// An immutable file of columns, mapped for as long as it or one of its columns is held. Any number of threads.
package final class ColumnFile: Sendable {
    package let name: String
    package let reference: FileReference
    private let kind: ColumnFileKind
    private let databaseID: UInt64
    private let mapped: MappedBytes
    private let directory: ColumnDirectory
    private let plainColumns: [UInt32: PlainColumn]
    private let packedColumns: [UInt32: PackedColumn]

    /// Maps the file and checks that it is the one named, and that every part lies within it. O(columns): no column
    /// is read.
    package init(
        disk: any Disk, kind: ColumnFileKind, reference: FileReference, databaseID: UInt64
    ) throws(ColumnFileError) {
        name = kind.fileName(reference.number)
        self.reference = reference
        self.kind = kind
        self.databaseID = databaseID
        let mapped: MappedBytes
        do { mapped = try disk.open(name).map() } catch { throw .disk(error) }
        self.mapped = mapped
        do {
            directory = try ColumnDirectory(of: mapped.bytes, kind: kind, reference: reference, databaseID: databaseID)
        } catch { throw .corruption(error.located(in: name, base: 0)) }
        var plain: [UInt32: PlainColumn] = [:]
        var packed: [UInt32: PackedColumn] = [:]
        for place in directory.columns {
            let source = ColumnSource(file: name, mapped: mapped, place: place)
            switch place.entry.shape {
            case .plain: plain[place.entry.id] = PlainColumn(source)
            case .packed: packed[place.entry.id] = PackedColumn(source)
            }
        }
        plainColumns = plain
        packedColumns = packed
    }

    package var columns: [ColumnSummary] {
        directory.columns.map { place in
            ColumnSummary(
                id: place.entry.id, shape: place.entry.shape, elementBytes: place.entry.elementBytes, count: place.entry.count,
                storedBytes: place.entry.storedBytes, rawBytes: place.entry.rawBytes, dictionaryBytes: place.entry.dictionaryBytes)
        }
    }

    /// The plain column of that id, or nil where there is none.
    package func column(_ id: UInt32) -> PlainColumn? { plainColumns[id] }

    /// The packed column of that id, or nil where there is none.
    package func packed(_ id: UInt32) -> PackedColumn? { packedColumns[id] }

    /// Reads every byte of the file again, whatever was checked before, and decompresses every block.
    package func verify() throws(Corruption) {
        let mapped = mapped
        do {
            let found = try ColumnDirectory(of: mapped.bytes, kind: kind, reference: reference, databaseID: databaseID)
            for range in found.padding { try mapped.bytes.checkZeros(range) }
        } catch { throw error.located(in: name, base: 0) }
        for place in directory.columns {
            try plainColumns[place.entry.id]?.verify()
            try packedColumns[place.entry.id]?.verify()
        }
    }
}

/// One column's bytes, and where they stand for messages.
struct ColumnSource: Sendable {
    let file: String
    let mapped: MappedBytes
    let place: ColumnPlace

    var entry: ColumnEntry { place.entry }

    /// Bytes of the file that the directory has been checked to hold.
    @_lifetime(borrow self)
    func bytes(_ range: Range<Int>) -> RawSpan {
        let span = mapped.bytes.extracting(range)
        // Sound: self holds the mapping.
        return unsafe _overrideLifetime(span, borrowing: self)
    }

    func check(_ range: Range<Int>, _ checksum: UInt32, _ what: String) throws(Corruption) {
        guard Checksum.of(bytes(range)) == checksum else { throw damage(at: range.lowerBound, "the checksum of \(what)") }
    }

    /// Damage at a byte of the file.
    func damage(at offset: Int, _ expected: String) -> Corruption {
        Corruption(file: file, offset: offset, expected: "\(expected) in column \(entry.id)")
    }
}

extension RawSpan {
    fileprivate func checkZeros(_ range: Range<Int>) throws(Corruption) {
        for offset in range where byte(at: offset) != 0 { throw Corruption(offset: offset, expected: "zeros between the parts") }
    }
}
