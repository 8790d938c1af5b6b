// An owned byte buffer that grows at its end: what records and answers are written into.

/// Appends little-endian values to bytes it owns. Kept and cleared between uses, it stops allocating.
package struct ByteWriter: Sendable {
    private var storage: [UInt8]

    package init(capacity: Int = 0) {
        storage = []
        storage.reserveCapacity(capacity)
    }

    package var count: Int { storage.count }
    package var bytes: RawSpan {
        // Sound: bytes have no invalid pattern; the array lives as long as self is borrowed.
        @_lifetime(borrow self) get { unsafe storage.span.bytes }
    }

    package mutating func removeAll() { storage.removeAll(keepingCapacity: true) }
    package mutating func reserve(_ more: Int) {
        // Doubling by hand: an exact reserve before every append would copy the whole buffer each time.
        let needed = storage.count + more
        if needed > storage.capacity { storage.reserveCapacity(max(needed, 2 * storage.capacity)) }
    }

    package mutating func write<T: FixedWidthInteger & BitwiseCopyable>(_ value: T) {
        // Sound: an integer has no padding; its bytes are copied before the closure ends.
        unsafe withUnsafeBytes(of: value.littleEndian) { unsafe storage.append(contentsOf: $0) }
    }

    package mutating func write(_ value: Float) { write(value.bitPattern) }
    package mutating func write(_ value: Double) { write(value.bitPattern) }

    package mutating func write(_ raw: RawSpan) {
        // Sound: copied before the closure ends.
        unsafe raw.withUnsafeBytes { unsafe storage.append(contentsOf: $0) }
    }

    /// Bytes behind a 32-bit length.
    package mutating func writeBlob(_ raw: RawSpan) {
        precondition(raw.byteCount <= UInt32.max, "a blob's length must fit 32 bits")
        write(UInt32(raw.byteCount))
        write(raw)
    }

    /// UTF-8 text behind a 32-bit length.
    package mutating func writeString(_ text: String) {
        let utf8 = text.utf8
        precondition(utf8.count <= UInt32.max, "a text's length must fit 32 bits")
        write(UInt32(utf8.count))
        storage.append(contentsOf: utf8)
    }

    /// Overwrites an integer written earlier: lengths and checksums known only at the end.
    package mutating func overwrite<T: FixedWidthInteger & BitwiseCopyable>(at offset: Int, with value: T) {
        let width = T.bitWidth / 8
        precondition(offset >= 0 && offset + width <= storage.count, "only written bytes can be overwritten")
        var rest = value.littleEndian
        for index in offset..<offset + width {
            storage[index] = UInt8(truncatingIfNeeded: rest)
            rest = width == 1 ? 0 : rest >> 8
        }
    }

    /// The bytes, ending the writer.
    package consuming func finish() -> [UInt8] { storage }
}
