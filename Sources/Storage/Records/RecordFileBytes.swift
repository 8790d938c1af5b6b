// A file of records, or a part of it, in memory.
import Memory

/// Bytes read from a file; bounded, as files of records are, by what their writers let them grow to.
struct RecordFileBytes: ~Copyable {
    private let buffer: AlignedBuffer
    private let count: Int

    /// The bytes from `start` to `end`, or as many of them as the file has.
    init(reading file: any DiskFile, from start: Int = 0, to end: Int = .max) throws(DiskError) {
        let size = min(end, try file.size()) - start
        var memory = AlignedBuffer(byteCount: max(size, 1))
        let got = try Self.fill(&memory, from: file, at: start)
        // Fewer than there were a moment ago: somebody looks without the lock, at a log whose owner has just trimmed it.
        count = min(got, max(size, 0))
        buffer = memory
    }

    private static func fill(_ memory: inout AlignedBuffer, from file: any DiskFile, at offset: Int) throws(DiskError) -> Int {
        var target = memory.mutableSpan(of: UInt8.self)
        // Sound: any bit pattern is a byte.
        var raw = unsafe target.mutableBytes
        return try file.read(into: &raw, at: offset)
    }

    var bytes: RawSpan {
        @_lifetime(borrow self) get { buffer.bytes.extracting(first: count) }
    }
}
