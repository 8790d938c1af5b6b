// CRC-32C by instruction, by streams and by table against its definition, one bit at a time.
import CKernels
import Testing

@Suite struct CRC32CTests {
    @Test func `the check value of the catalogue comes out`() {
        #expect(instruction(Array("123456789".utf8)) == 0xe306_9283)
        #expect(table(Array("123456789".utf8)) == 0xe306_9283)
        #expect(byBits(Array("123456789".utf8)) == 0xe306_9283)
    }

    @Test func `every length up to three rounds of streams and more agrees with the definition`() {
        var generator = SeededGenerator(seed: 1)
        let bytes = (0..<2400).map { _ in UInt8.random(in: 0...255, using: &generator) }
        var want: UInt32 = 0
        for count in 0...bytes.count {
            let prefix = Array(bytes.prefix(count))
            #expect(instruction(prefix) == want && table(prefix) == want, "\(count) bytes")
            if count < bytes.count { want = byBits([bytes[count]], from: want) }
        }
    }

    @Test func `feeding two parts in turn gives the checksum of the whole`() {
        var generator = SeededGenerator(seed: 2)
        let bytes = (0..<5000).map { _ in UInt8.random(in: 0...255, using: &generator) }
        let whole = instruction(bytes)
        for cut in stride(from: 0, through: bytes.count, by: 37) {
            let first = instruction(Array(bytes[..<cut]))
            #expect(instruction(Array(bytes[cut...]), from: first) == whole, "cut at \(cut)")
        }
    }

    @Test func `any alignment gives the same, and nothing past the end is read`() {
        var generator = SeededGenerator(seed: 3)
        let bytes = (0..<1600).map { _ in UInt8.random(in: 0...255, using: &generator) }
        let want = table(bytes)
        var memory = FencedMemory<UInt8>(capacity: bytes.count + 16)
        for offset in 0...16 {
            memory.write(bytes, at: offset)
            let span = memory.span(from: offset, count: bytes.count)
            // Sound: the pointer stays within the closure.
            let crc = unsafe span.bytes.withUnsafeBytes { unsafe nt_crc32c(0, $0.baseAddress, $0.count) }
            #expect(crc == want, "offset \(offset)")
        }
    }

    private func instruction(_ bytes: [UInt8], from crc: UInt32 = 0) -> UInt32 {
        unsafe bytes.withUnsafeBytes { unsafe nt_crc32c(crc, $0.baseAddress, $0.count) }
    }

    private func table(_ bytes: [UInt8], from crc: UInt32 = 0) -> UInt32 {
        unsafe bytes.withUnsafeBytes { unsafe nt_crc32c_portable(crc, $0.baseAddress, $0.count) }
    }

    private func byBits(_ bytes: [UInt8], from crc: UInt32 = 0) -> UInt32 {
        var state = ~crc
        for byte in bytes {
            state ^= UInt32(byte)
            for _ in 0..<8 { state = state >> 1 ^ (state & 1 == 1 ? 0x82f6_3b78 : 0) }
        }
        return ~state
    }
}
