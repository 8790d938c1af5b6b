// Finds one byte in many at the speed of the C library.
import Glibc

extension RawSpan {
    /// Offset of the first `byte` at or after `start`.
    func firstOffset(of byte: UInt8, from start: Int) -> Int? {
        precondition(start >= 0 && start <= byteCount, "a search must begin within its span")
        // Sound: memchr reads the bytes from `start` to the end, and the address is used only to measure a distance.
        return unsafe withUnsafeBytes { bytes in
            guard let base = bytes.baseAddress, start < bytes.count else { return nil }
            guard let found = unsafe memchr(base + start, Int32(byte), bytes.count - start) else { return nil }
            return unsafe UnsafeRawPointer(found) - base
        }
    }
}
