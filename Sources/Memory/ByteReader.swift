// A cursor over borrowed bytes that checks once per read and can always say no.

/// Reads little-endian values off a `RawSpan`. It cannot outlive the bytes, and no input can make it trap.
package struct ByteReader: ~Escapable {
    private let bytes: RawSpan
    /// Offset of the next byte to read.
    package private(set) var offset = 0

    @_lifetime(copy bytes)
    package init(_ bytes: RawSpan) {
        self.bytes = bytes
    }

    package var remaining: Int { bytes.byteCount - offset }

    /// The next fixed-width integer.
    @_lifetime(self: copy self)
    package mutating func read<T: FixedWidthInteger & BitwiseCopyable>(
        _ type: T.Type = T.self
    ) throws(Corruption) -> T {
        let width = T.bitWidth / 8
        try require(width)
        // Sound: the width was checked above, and any bit pattern is an integer.
        let value = unsafe bytes.unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: T.self)
        offset += width
        return T(littleEndian: value)
    }

    @_lifetime(self: copy self)
    package mutating func readFloat() throws(Corruption) -> Float {
        Float(bitPattern: try read(UInt32.self))
    }

    @_lifetime(self: copy self)
    package mutating func readDouble() throws(Corruption) -> Double {
        Double(bitPattern: try read(UInt64.self))
    }

    /// The next `count` bytes, borrowed.
    @_lifetime(copy self)
    package mutating func readBytes(_ count: Int) throws(Corruption) -> RawSpan {
        try require(count)
        let slice = bytes.extracting(offset..<offset + count)
        offset += count
        return slice
    }

    /// Bytes behind a 32-bit length.
    @_lifetime(copy self)
    package mutating func readBlob() throws(Corruption) -> RawSpan {
        let count = try read(UInt32.self)
        return try readBytes(Int(count))
    }

    /// Bytes behind a 16-bit length.
    @_lifetime(copy self)
    package mutating func readShortBlob() throws(Corruption) -> RawSpan {
        let count = try read(UInt16.self)
        return try readBytes(Int(count))
    }

    /// UTF-8 text behind a 32-bit length, validated.
    @_lifetime(self: copy self)
    package mutating func readString() throws(Corruption) -> String {
        let start = offset
        let blob = try readBlob()
        guard let text = String(validatingUTF8: blob) else {
            throw Corruption(offset: start, expected: "UTF-8 text")
        }
        return text
    }

    /// Refuses left-over bytes: a decoder that ends early has misread something.
    package func finish() throws(Corruption) {
        guard remaining == 0 else { throw Corruption(offset: offset, expected: "the end, found \(remaining) more bytes") }
    }

    private func require(_ count: Int) throws(Corruption) {
        guard count >= 0, count <= remaining else {
            throw Corruption(offset: offset, expected: "\(count) bytes, found \(remaining)")
        }
    }
}

extension String {
    /// The text of these bytes, or nil where they are not UTF-8.
    package init?(validatingUTF8 bytes: RawSpan) {
        // Sound: the buffer is only read inside the closure.
        let text = unsafe bytes.withUnsafeBytes { unsafe String(validating: $0, as: UTF8.self) }
        guard let text else { return nil }
        self = text
    }
}

extension RawSpan {
    /// One byte, bounds-checked.
    @inlinable package func byte(at offset: Int) -> UInt8 {
        precondition(offset >= 0 && offset < byteCount, "a byte must lie within its span")
        // Sound: checked above; any bit pattern is a byte.
        return unsafe unsafeLoad(fromUncheckedByteOffset: offset, as: UInt8.self)
    }

    /// Whether the bytes are UTF-8. One pass, nothing allocated but for the standard library's own validation.
    package var isValidUTF8: Bool {
        // Sound: read within the closure only.
        unsafe withUnsafeBytes { $0.isValidUTF8 }
    }

    /// The bytes as little-endian float32, replacing what `floats` held; its memory is kept.
    package func copyFloats(to floats: inout [Float]) {
        precondition(byteCount % 4 == 0, "a float has four bytes")
        floats.removeAll(keepingCapacity: true)
        floats.reserveCapacity(byteCount / 4)
        for offset in stride(from: 0, to: byteCount, by: 4) {
            // Sound: the offset lies four bytes or more before the end; any bit pattern is a float.
            floats.append(Float(bitPattern: UInt32(littleEndian: unsafe unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: UInt32.self))))
        }
    }
}

extension UnsafeRawBufferPointer {
    @safe fileprivate var isValidUTF8: Bool {
        // ASCII, most of what there is, is known eight bytes at a time.
        var offset = 0
        while offset + 8 <= count, unsafe loadUnaligned(fromByteOffset: offset, as: UInt64.self) & 0x8080_8080_8080_8080 == 0 { offset += 8 }
        let rest = unsafe UnsafeRawBufferPointer(rebasing: self[offset...])
        return unsafe String(validating: rest, as: UTF8.self) != nil
    }
}
