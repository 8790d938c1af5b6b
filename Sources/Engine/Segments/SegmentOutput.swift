// A column file on its way to disk: failures in the engine's words, and a pace that leaves room for others.
import Memory
import Storage

/// Writes one column file and asks its pace for permission as it goes.
final class SegmentOutput {
    private let file: ColumnFileWriter
    private let pace: Pace
    private var paced = 0

    init(disk: any Disk, kind: ColumnFileKind, number: UInt64, databaseID: UInt64, pace: Pace) throws(EngineError) {
        self.pace = pace
        do { file = try ColumnFileWriter(disk: disk, kind: kind, number: number, databaseID: databaseID) } catch { throw EngineError(maintaining: error) }
    }

    func column(_ id: UInt32, elementBytes: Int, _ body: (SegmentOutput) throws(EngineError) -> Void) throws(EngineError) {
        file.beginColumn(id, elementBytes: elementBytes)
        try body(self)
        file.endColumn()
    }

    func packedColumn(_ id: UInt32, _ body: (SegmentOutput) throws(EngineError) -> Void) throws(EngineError) {
        file.beginPackedColumn(id)
        try body(self)
        do { try file.endPackedColumn() } catch { throw EngineError(maintaining: error) }
    }

    func append(_ bytes: RawSpan) throws(EngineError) {
        do { try file.append(bytes) } catch { throw EngineError(maintaining: error) }
        try keepPace()
    }

    func append<T: FixedWidthInteger & BitwiseCopyable & Sendable>(_ value: T) throws(EngineError) {
        let one: [1 of T] = [value.littleEndian]
        // Sound: an integer is its bytes.
        try append(unsafe one.span.bytes)
    }

    func appendItem(_ bytes: RawSpan) throws(EngineError) {
        do { try file.appendItem(bytes) } catch { throw EngineError(maintaining: error) }
        try keepPace()
    }

    func finish() throws(EngineError) -> FileReference {
        do { return try file.finish() } catch { throw EngineError(maintaining: error) }
    }

    private func keepPace() throws(EngineError) {
        guard file.bytesWritten - paced >= Pace.stepBytes else { return }
        try pace.step(bytes: file.bytesWritten - paced)
        paced = file.bytesWritten
    }
}

/// How fast background work may go, and whether it may go on. Called between steps of about a megabyte.
package struct Pace: Sendable {
    static let stepBytes = 1 << 20
    /// Waits as long as others need the machine; throws to give the work up.
    private let wait: @Sendable (_ bytes: Int) throws(EngineError) -> Void

    /// As fast as it goes.
    package static let unlimited = Pace { _ in }

    package init(_ wait: @escaping @Sendable (_ bytes: Int) throws(EngineError) -> Void) { self.wait = wait }
    func step(bytes: Int) throws(EngineError) { try wait(bytes) }
}

extension EngineError {
    /// A failure of background work, which changed nothing that counts.
    init(maintaining error: DiskError) {
        self = error.isFull
            ? EngineError(.diskFull, "the disk is full: free space, and the work is taken up again (\(error))")
            : EngineError(.diskFailed, "the disk failed while a file was written; what is stored is as it was (\(error))")
    }

    static func damaged(_ corruption: Corruption) -> EngineError {
        EngineError(.dataDamaged, "stored bytes are damaged and not served; the rest is: restore from a snapshot, or store these documents again (\(corruption))")
    }
}
