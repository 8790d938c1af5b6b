// Bits set by many threads: none is lost and none is set for another.
import Memory
import Testing
import TestSupport

@Suite struct AtomicBitmapTests {
    @Test(arguments: [0, 1, 63, 64, 65, 1000])
    func `exactly the bits that were set are set`(count: Int) {
        let bitmap = AtomicBitmap(count: count)
        for index in 0..<count { #expect(!bitmap[index]) }
        for index in stride(from: 0, to: count, by: 3) { bitmap.set(index) }
        for index in 0..<count { #expect(bitmap[index] == (index % 3 == 0)) }
    }

    @Test func `threads that set bits of the same words lose none`() {
        let bitmap = AtomicBitmap(count: 64 * 500)
        Threads.run(4) { thread in
            for index in stride(from: thread, to: bitmap.count - 4, by: 4) { bitmap.set(index) }
        }
        for index in 0..<bitmap.count { #expect(bitmap[index] == (index < bitmap.count - 4)) }
    }
}
