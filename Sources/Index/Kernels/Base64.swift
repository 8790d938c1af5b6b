// Vectors as base64 text, the way clients send them: 4 characters for 3 bytes, decoded without a detour.
import CKernels

/// Why a text is not the base64 of a vector.
package enum Base64Fault: Error, Equatable, Sendable {
    /// The text has another length than so many floats have.
    case tooShort, tooLong
    /// The first byte that does not fit: not of the alphabet, wrong padding, or trailing bits that are not zero.
    case badByte(offset: Int)
}

extension Kernels {
    /// The length of the base64 of so many bytes.
    package static func base64Count(ofBytes count: Int) -> Int { (count + 2) / 3 * 4 }

    /// Decodes exactly `count` little-endian floats from strict base64 (RFC 4648: standard alphabet, padded,
    /// canonical, no white space) and tells whether all are finite. After a throw they mean nothing.
    package func decodeBase64(
        _ text: RawSpan, count: Int, into floats: inout MutableSpan<Float>
    ) throws(Base64Fault) -> Bool {
        precondition(count >= 0 && count <= floats.count, "every float has its place")
        var allFinite = false
        let code = unsafe text.withUnsafeBytes { text in
            unsafe floats.withUnsafeMutableBufferPointer { floats in
                // Sound: the text is read to its own end, and `count` floats fit; any bit pattern is a valid float;
                // bytes need no alignment.
                unsafe table.pointee.base64_decode_f32(
                    text.baseAddress?.assumingMemoryBound(to: UInt8.self), text.count,
                    floats.baseAddress, count, &allFinite)
            }
        }
        switch code {
        case 0: return allFinite
        case Int(NT_BASE64_TOO_SHORT): throw .tooShort
        case Int(NT_BASE64_TOO_LONG): throw .tooLong
        default: throw .badByte(offset: code - 1)
        }
    }

    /// Writes the base64 of the bytes, which fills `text` exactly.
    package func encodeBase64(_ bytes: RawSpan, into text: inout MutableSpan<UInt8>) {
        precondition(text.count == Self.base64Count(ofBytes: bytes.byteCount), "the text has its length already")
        unsafe bytes.withUnsafeBytes { bytes in
            unsafe text.withUnsafeMutableBufferPointer { text in
                // Sound: the kernel writes the number of characters checked above.
                unsafe table.pointee.base64_encode(
                    bytes.baseAddress?.assumingMemoryBound(to: UInt8.self), bytes.count, text.baseAddress)
            }
        }
    }
}
