// Buffers of whole cache lines.
import Memory
import Testing
import TestSupport

@Suite struct AlignedBufferTests {
    /// Small ones, and some to either side of where memory comes straight from the kernel.
    private static let byteCounts = [1, 7, 63, 64, 65, 4096, (1 << 18) - 1, 1 << 18, (1 << 18) + 1]

    @Test(arguments: byteCounts)
    func `a buffer begins on a cache line, is zeroed, and is as long as asked`(byteCount: Int) {
        let buffer = AlignedBuffer(byteCount: byteCount)
        #expect(buffer.byteCount == byteCount)
        #expect(buffer.bytes.byteCount == byteCount)
        let address = unsafe buffer.bytes.withUnsafeBytes { UInt(bitPattern: $0.baseAddress) }
        #expect(address % 64 == 0)
        #expect(Array(copying: buffer.bytes) == [UInt8](repeating: 0, count: byteCount))
    }

    @Test(arguments: byteCounts)
    func `what is written is read, as bytes and as larger elements`(byteCount: Int) {
        var buffer = AlignedBuffer(byteCount: byteCount)
        var bytes = buffer.mutableSpan(of: UInt8.self)
        #expect(bytes.count == byteCount)
        for index in [0, byteCount / 2, byteCount - 1] { bytes[index] = UInt8(truncatingIfNeeded: index &* 7 &+ 1) }
        for index in [0, byteCount / 2, byteCount - 1] {
            #expect(buffer.span(of: UInt8.self)[index] == UInt8(truncatingIfNeeded: index &* 7 &+ 1))
        }
        #expect(buffer.span(of: UInt32.self).count == byteCount / 4)
    }
}
