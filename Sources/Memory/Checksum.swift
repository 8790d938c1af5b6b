// CRC-32C over borrowed bytes: how every byte that leaves for disk is recognised when it comes back.
import CKernels

/// CRC-32C (Castagnoli), the checksum of iSCSI and ext4; catches every single-bit and burst error up to 32 bits.
package struct Checksum: Equatable, Sendable {
    package private(set) var value: UInt32

    /// Continues from `seed`, the value of an earlier checksum (0 starts afresh).
    package init(seed: UInt32 = 0) { value = seed }

    /// Feeds bytes; feeding two halves in turn equals feeding the whole.
    package mutating func update(_ bytes: RawSpan) {
        // Sound: the pointer is used within the closure only, with the span's own count.
        value = unsafe bytes.withUnsafeBytes { unsafe nt_crc32c(value, $0.baseAddress, $0.count) }
    }

    package static func of(_ bytes: RawSpan, seed: UInt32 = 0) -> UInt32 {
        var checksum = Checksum(seed: seed)
        checksum.update(bytes)
        return checksum.value
    }
}
