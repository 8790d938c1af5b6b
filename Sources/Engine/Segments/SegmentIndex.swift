// An index file of one segment's space: written from an index in memory, mapped, and used once all of it was found whole.
import Index
import Memory
import Storage
import Synchronization

/// An index as the manifest names it. Derived from its segment: one that is not there, not checked yet or damaged makes
/// searches slower, never wrong, since the segment is then compared vector by vector.
final class SegmentIndex: Sendable {
    let record: ManifestIndex
    private let checked = AtomicLazyReference<VectorIndex>()
    private let measured = AtomicLazyReference<RowEncoder>()
    private let placed = AtomicLazyReference<IndexedRows>()
    private let isRefused = Atomic(false)

    init(_ record: ManifestIndex) { self.record = record }

    /// Higher than that of any index built before.
    var fileNumber: UInt64 { record.file.number }
    /// The index, once `check` has found it whole.
    var index: VectorIndex? { checked.load() }
    /// What encodes further rows as its own are.
    var encoder: RowEncoder? { measured.load() }
    /// Whose the index's rows are: there whenever the index is.
    var rows: IndexedRows? { placed.load() }
    /// Whether it has neither been found whole nor refused yet.
    var isUnchecked: Bool { checked.load() == nil && !isRefused.load(ordering: .acquiring) }
    /// Whether it can never be used: another is to be built in its place.
    var isDamaged: Bool { isRefused.load(ordering: .acquiring) }

    /// Reads all of the file: O(bytes). One that cannot be read, or is not what it should be, is to be refused.
    ///
    /// - Parameter wanted: rows of the segment in force that have a vector: an index without one of them would hide it. A device that
    ///   lost a deletion and kept the index built after it has left such a one.
    func check(of segment: Segment, wanted: [UInt32], _ space: SpaceSchema, disk: any Disk, databaseID: UInt64) throws(ColumnFileError) {
        let file = try ColumnFile(disk: disk, kind: .index, reference: record.file, databaseID: databaseID)
        do throws(Corruption) {
            let index = try open(file, segment, wanted, space)
            _ = measured.storeIfNil(RowEncoder(index))
            _ = placed.storeIfNil(IndexedRows(index, segment.vectors[Int(record.space)], documentCount: segment.documentCount))
            _ = checked.storeIfNil(index)
        } catch { throw .corruption(error) }
    }

    /// Another is to be built in its place.
    func refuse() { isRefused.store(true, ordering: .releasing) }

    private func open(_ file: ColumnFile, _ segment: Segment, _ wanted: [UInt32], _ space: SpaceSchema) throws(Corruption) -> VectorIndex {
        try file.verify()
        // Sound: the index holds the file.
        let columns = try IndexColumns(
            stored: { id in unsafe file.column(id.rawValue)?.lentElements() ?? Cells(start: nil, count: 0) },
            rowCount: segment.rowCount, dimension: space.dimension, metric: space.metric, file: file.name)
        var indexed = Bitmap(count: segment.rowCount)
        for position in 0..<columns.rows.count { indexed[Int(columns.rows[position])] = true }
        let vectors = segment.vectors[Int(record.space)].rows
        guard wanted.allSatisfy({ indexed[Int($0)] }) else { throw Corruption(file: file.name, offset: 0, expected: "all rows in force that have a vector") }
        indexed.filter { vectors.hasNoVector($0) }
        guard indexed.isEmpty else { throw Corruption(file: file.name, offset: 0, expected: "no row without a vector") }
        let (resident, buffers) = columns.resident(codesMax: Self.residentCodesMax)
        return VectorIndex(resident, metric: space.metric, owner: buffers + [file])
    }

    /// Bytes of codes up to which an index has them in memory of its own: an eighth of the machine's.
    private static let residentCodesMax = PhysicalMemory.byteCount / 8

    static func write(_ index: BuiltIndex, to output: SegmentOutput) throws(EngineError) -> FileReference {
        let columns = index.columns
        for id in IndexColumn.allCases {
            let bytes = columns.bytes(of: id)
            guard bytes.count > 0 else { continue }
            try output.column(id.rawValue, elementBytes: id.elementBytes) { (output) throws(EngineError) in
                for first in stride(from: 0, to: bytes.count, by: Pace.stepBytes) {
                    // Sound: bytes are their own representation.
                    try output.append(unsafe bytes.part(first..<min(bytes.count, first + Pace.stepBytes)).span.bytes)
                }
            }
        }
        return try output.finish()
    }
}
