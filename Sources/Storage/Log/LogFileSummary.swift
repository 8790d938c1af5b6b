// One log file as it lies on disk, for those who look and do not write.
import Memory

/// How long a file is and which records it holds, whether or not its log would open.
package struct LogFileSummary: Sendable {
    package var byteCount: Int
    /// Sequences; nil where the file's header is damaged.
    package var records: Range<UInt64>?

    /// Reads the whole file, which may be written to meanwhile.
    package init(_ number: UInt64, on disk: any Disk) throws(DiskError) {
        let name = FileKind.log.name(number)
        let bytes = try RecordFileBytes(reading: disk.open(name))
        byteCount = bytes.bytes.byteCount
        do throws(Corruption) {
            let reader = try RecordFileReader(name: name, bytes: bytes.bytes, kind: .log)
            let end = reader.replay(bytes.bytes) { (_, _, _) in }
            records = reader.header.firstSequence..<end.nextSequence
        } catch {
            // Nothing can be said of its records, which is said.
            records = nil
        }
    }
}
