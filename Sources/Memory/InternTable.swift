// Byte strings to small dense numbers, for ever: document ids and keyword values.
#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif
import Synchronization

/// A dictionary that only grows. The first string becomes 0, the next 1, and a number never changes its meaning.
///
/// Copying it is a snapshot (see `PagedColumn`). The hash slots are shared between writer and snapshots: a
/// reader may meet a number it has not been told of yet, knows it by its own count, and passes on. One thread at a
/// time takes in keys, whichever copy it does so on.
/// Lookup is O(1): one hash, about two cache lines.
package struct InternTable: Sendable {
    private var arena = ByteArena()
    private var ranges = PagedColumn<ByteRange>()
    private var slots = AtomicSlots(capacity: 64)

    package init() {}

    package var count: Int { ranges.count }

    @_lifetime(borrow self)
    package func bytes(_ number: UInt32) -> RawSpan { bytes(at: place(of: number)) }

    /// The way to the bytes in two steps, so that whoever reads many strings can ask for the memory of all of them at each.
    package func prefetchPlace(of number: UInt32) { ranges.prefetch(Int(number)) }
    package func place(of number: UInt32) -> ByteRange { ranges[Int(number)] }
    package func prefetch(at place: ByteRange) { arena.prefetch(place) }
    @_lifetime(borrow self)
    package func bytes(at place: ByteRange) -> RawSpan { arena.bytes(place) }

    package func string(_ number: UInt32) -> String { arena.string(ranges[Int(number)]) }

    /// The number of `key`, or nil.
    package func find(_ key: RawSpan) -> UInt32? {
        var slot = slots.start(of: key)
        while true {
            let stored = slots.load(slot)
            if stored == 0 { return nil }
            if isKey(key, at: stored - 1) { return stored - 1 }
            slot = slots.next(slot)
        }
    }

    /// The number of `key`, which becomes the next free one if it is new.
    package mutating func intern(_ key: RawSpan) -> (number: UInt32, isNew: Bool) {
        if let known = find(key) { return (known, false) }
        precondition(count < Int(UInt32.max) - 1, "a table holds fewer than 2^32 strings")
        // Half full at most: linear probing then looks at 1.5 slots on average for a hit.
        let isHalfFull = 2 * (count + 1) > slots.capacity
        // Where another copy of this table has taken slots, the two part ways: sharing on, they would fill it.
        if isHalfFull || slots.used != count { rebuildSlots(capacity: isHalfFull ? 2 * slots.capacity : slots.capacity) }
        let number = UInt32(count)
        ranges.append(arena.append(key))
        insert(number, key)
        return (number, true)
    }

    private func isKey(_ key: RawSpan, at number: UInt32) -> Bool {
        guard number < UInt32(count) else { return false }
        return bytes(number).isEqual(to: key)
    }

    private func insert(_ number: UInt32, _ key: RawSpan) {
        var slot = slots.start(of: key)
        while slots.load(slot) != 0 { slot = slots.next(slot) }
        slots.store(slot, number + 1)
        slots.used += 1
    }

    private mutating func rebuildSlots(capacity: Int) {
        slots = AtomicSlots(capacity: capacity)
        for number in 0..<UInt32(count) { insert(number, bytes(number)) }
    }

    package var byteCount: Int { arena.byteCount + ranges.byteCount + slots.capacity * 4 }

    // MARK: On disk

    /// What is written down: the strings and where each lies. The slots are hashed with this process's own seed.
    package var stored: (strings: ByteArena, ranges: PagedColumn<ByteRange>) { (arena, ranges) }

    /// A table as it was stored; refuses a string that it would not find under its own number. O(strings).
    package init(strings: ByteArena, ranges: PagedColumn<ByteRange>) throws(Corruption) {
        arena = strings
        self.ranges = ranges
        var capacity = 64
        while capacity < 2 * ranges.count { capacity *= 2 }
        slots = AtomicSlots(capacity: capacity)
        for number in 0..<ranges.count {
            guard arena.contains(ranges[number]) else { throw Corruption(offset: number, expected: "a string within its arena") }
            let key = bytes(UInt32(number))
            guard find(key) == nil else { throw Corruption(offset: number, expected: "each string once") }
            insert(UInt32(number), key)
        }
    }
}

extension RawSpan {
    /// Whether both hold the same bytes.
    package func isEqual(to other: RawSpan) -> Bool {
        guard byteCount == other.byteCount else { return false }
        // Sound: both buffers are only read inside the closures.
        return unsafe withUnsafeBytes { mine in
            unsafe other.withUnsafeBytes { theirs in
                guard let one = mine.baseAddress, let two = theirs.baseAddress else { return true }
                return unsafe memcmp(one, two, mine.count) == 0
            }
        }
    }
}

/// Open-addressing slots that one writer fills and readers probe at the same time; 0 is free.
@safe
final class AtomicSlots: @unchecked Sendable {
    // Sendable: every access to the memory is atomic, and `used` is the writer's alone.
    private let base: UnsafeMutablePointer<Atomic<UInt32>>
    let capacity: Int
    /// Slots taken by any copy of the table.
    var used = 0

    init(capacity: Int) {
        precondition(capacity > 0 && capacity & (capacity - 1) == 0, "slots are a power of two")
        self.capacity = capacity
        unsafe base = .allocate(capacity: capacity)
        for index in 0..<capacity { unsafe (base + index).initialize(to: Atomic(0)) }
    }

    deinit {
        unsafe base.deinitialize(count: capacity)
        unsafe base.deallocate()
    }

    /// Swift's hasher is seeded per process: nobody outside can choose ids that all fall on one slot.
    func start(of key: RawSpan) -> Int {
        var hasher = Hasher()
        unsafe key.withUnsafeBytes { unsafe hasher.combine(bytes: $0) }
        return hasher.finalize() & (capacity - 1)
    }

    func next(_ slot: Int) -> Int { (slot + 1) & (capacity - 1) }
    // Sound: slots are masked to the capacity.
    func load(_ slot: Int) -> UInt32 { unsafe base[slot].load(ordering: .acquiring) }
    func store(_ slot: Int, _ value: UInt32) { unsafe base[slot].store(value, ordering: .releasing) }
}
