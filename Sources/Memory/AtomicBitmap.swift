// Bits that any thread sets and tests without a lock: what has been checked once need not be checked again.
public import Synchronization

/// A fixed number of bits, all clear at first. Setting one orders no other memory: a bit says something of bytes
/// that never change.
@safe @usableFromInline
package final class AtomicBitmap: @unchecked Sendable {
    // Sendable: the words are reached through atomic operations alone.
    @usableFromInline let words: UnsafeMutablePointer<Atomic<UInt64>>
    @usableFromInline package let count: Int

    private var wordCount: Int { (count + 63) / 64 }

    package init(count: Int) {
        precondition(count >= 0, "a bitmap has no fewer than no bits")
        self.count = count
        let wordCount = (count + 63) / 64
        unsafe words = .allocate(capacity: wordCount)
        for index in 0..<wordCount { unsafe (words + index).initialize(to: Atomic(0)) }
    }

    deinit {
        unsafe words.deinitialize(count: wordCount)
        unsafe words.deallocate()
    }

    @inlinable package subscript(index: Int) -> Bool {
        precondition(index >= 0 && index < count, "a bit must lie within its bitmap")
        // Sound: checked above; the words live as long as self.
        return unsafe words[index >> 6].load(ordering: .relaxed) >> UInt64(index & 63) & 1 == 1
    }

    package func set(_ index: Int) {
        precondition(index >= 0 && index < count, "a bit must lie within its bitmap")
        // Sound: as above.
        unsafe words[index >> 6].bitwiseOr(1 << UInt64(index & 63), ordering: .relaxed)
    }
}
