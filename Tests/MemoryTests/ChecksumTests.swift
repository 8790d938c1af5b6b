// CRC-32C against published values and against the definition.
import CKernels
import Memory
import Testing
import TestSupport

@Suite struct ChecksumTests {
    /// From RFC 3720, appendix B.4, and the catalogue of CRCs.
    @Test func `known vectors`() {
        #expect(Self.checksum(Array("123456789".utf8)) == 0xE306_9283)
        #expect(Self.checksum([]) == 0)
        #expect(Self.checksum([UInt8](repeating: 0, count: 32)) == 0x8A91_36AA)
        #expect(Self.checksum([UInt8](repeating: 0xFF, count: 32)) == 0x62A8_AB43)
        #expect(Self.checksum((0..<32).map { UInt8($0) }) == 0x46DD_794E)
        #expect(Self.checksum((0..<32).reversed().map { UInt8($0) }) == 0x113F_DB5C)
    }

    @Test func `it is the definition, bit by bit, at every length and alignment`() {
        let seed = TestSeed(7)
        var random = seed.random
        let bytes = (0..<300).map { _ in UInt8.random(in: 0...255, using: &random) }
        for start in 0..<9 {
            for end in [start, start + 1, start + 7, start + 8, start + 9, start + 63, start + 64, start + 65, 300] {
                let checksum = Checksum.of(bytes.rawSpan.extracting(start..<end))
                #expect(checksum == Self.byDefinition(bytes[start..<end]), "\(start)..<\(end), \(seed)")
                #expect(Self.portably(bytes[start..<end]) == checksum, "\(start)..<\(end), \(seed)")
            }
        }
    }

    @Test func `halves fed in turn give the checksum of the whole`() {
        let bytes = (0..<200).map { UInt8(truncatingIfNeeded: $0 &* 37) }
        let whole = Checksum.of(bytes.rawSpan)
        for split in 0...bytes.count {
            var checksum = Checksum()
            checksum.update(bytes.rawSpan.extracting(0..<split))
            checksum.update(bytes.rawSpan.extracting(split..<bytes.count))
            #expect(checksum.value == whole)
            let seeded = Checksum.of(bytes.rawSpan.extracting(split..<bytes.count), seed: Checksum.of(bytes.rawSpan.extracting(0..<split)))
            #expect(seeded == whole)
        }
    }

    @Test func `every single flipped bit changes it`() {
        let bytes = (0..<40).map { UInt8($0) }
        let whole = Checksum.of(bytes.rawSpan)
        for bit in 0..<320 {
            var flipped = bytes
            flipped[bit / 8] ^= 1 << UInt8(bit % 8)
            #expect(Self.checksum(flipped) != whole)
        }
    }

    private static func checksum(_ bytes: [UInt8]) -> UInt32 { Checksum.of(bytes.rawSpan) }

    /// As processors without an instruction for it compute it.
    private static func portably(_ bytes: ArraySlice<UInt8>) -> UInt32 {
        // Sound: the pointer is used within the closure only, with the slice's own count.
        unsafe bytes.withUnsafeBytes { unsafe nt_crc32c_portable(0, $0.baseAddress, $0.count) }
    }

    /// Polynomial division in GF(2), reflected, inverted before and after.
    private static func byDefinition(_ bytes: ArraySlice<UInt8>) -> UInt32 {
        var remainder: UInt32 = ~0
        for byte in bytes {
            remainder ^= UInt32(byte)
            for _ in 0..<8 { remainder = remainder & 1 == 1 ? remainder >> 1 ^ 0x82F6_3B78 : remainder >> 1 }
        }
        return ~remainder
    }
}
