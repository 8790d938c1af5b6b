// Rows of a file of numbers to float32.

/// The numbers of one row. Its length was checked against the dimension by whoever read it.
func decodeMatrixRow(_ bytes: RawSpan, as element: MatrixElement, dimension: Int) -> [Float] {
    precondition(bytes.byteCount == dimension * element.byteCount, "a row is as long as its numbers")
    return switch element {
    case .uint8: widened(bytes, dimension, from: UInt8.self) { Float($0) }
    case .float16: widened(bytes, dimension, from: UInt16.self) { widenedHalf(UInt16(littleEndian: $0)) }
    case .float32: widened(bytes, dimension, from: UInt32.self) { Float(bitPattern: UInt32(littleEndian: $0)) }
    case .float64: widened(bytes, dimension, from: UInt64.self) { Float(Double(bitPattern: UInt64(littleEndian: $0))) }
    case .int32: widened(bytes, dimension, from: UInt32.self) { Float(Int32(bitPattern: UInt32(littleEndian: $0))) }
    }
}

@inline(__always)
private func widened<Stored: FixedWidthInteger & BitwiseCopyable>(
    _ bytes: RawSpan, _ count: Int, from: Stored.Type, _ convert: (Stored) -> Float
) -> [Float] {
    precondition(bytes.byteCount == count * MemoryLayout<Stored>.size, "every number lies within its row")
    return [Float](capacity: count) { output in
        for index in 0..<count {
            // Sound: the length was checked above, and any bit pattern is an integer.
            let stored = unsafe bytes.unsafeLoadUnaligned(fromUncheckedByteOffset: index * MemoryLayout<Stored>.size, as: Stored.self)
            output.append(convert(stored))
        }
    }
}

/// binary16 to binary32 in four operations; `Float(Float16)` is a call per number here, and five times slower.
///
/// Exponent and mantissa move to their places in a float32, which makes the number too small by 2^112, subnormal
/// ones included; multiplying by that is exact. What was infinite or NaN comes out as 2^16 or more, which no
/// finite binary16 reaches, and gets the exponent of an infinity.
@inline(__always)
func widenedHalf(_ half: UInt16) -> Float {
    let scaled = Float(bitPattern: UInt32(half & 0x7FFF) << 13) * 0x1p112
    let special: UInt32 = scaled >= 0x1p16 ? 0x7F80_0000 : 0
    return Float(bitPattern: scaled.bitPattern | special | UInt32(half & 0x8000) << 16)
}
