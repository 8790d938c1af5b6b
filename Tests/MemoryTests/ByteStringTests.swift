// Arena and intern table: byte strings that are appended once and keep their places and numbers.
import Memory
import Synchronization
import Testing
import TestSupport

@Suite struct ByteArenaTests {
    @Test func `every string reads back, whatever the lengths around a page`() {
        for first in 0...9 {
            for second in 0...9 {
                for third in 0...17 {
                    var arena = ByteArena(pageBytes: 8)
                    let strings = [first, second, third].enumerated().map { [UInt8](repeating: UInt8($0 + 1), count: $1) }
                    let ranges = strings.map { arena.append($0.rawSpan) }
                    for (string, range) in zip(strings, ranges) {
                        let stored = Array(copying: arena.bytes(range))
                        #expect(stored == string)
                        #expect(Int(range.count) == string.count)
                    }
                }
            }
        }
    }

    @Test func `an empty string is the range of zeros and needs no page`() {
        var arena = ByteArena()
        let range = arena.append(RawSpan())
        #expect(range == ByteRange())
        #expect(arena.byteCount == 0)
        #expect(arena.string(ByteRange()) == "")
    }

    @Test func `copies append side by side and never into each other`() {
        let seed = TestSeed(3)
        var random = seed.random
        var sides: [(arena: ByteArena, strings: [(range: ByteRange, bytes: [UInt8])])] = [(ByteArena(pageBytes: 16), [])]
        for step in 0..<3000 {
            let index = Int.random(in: 0..<sides.count, using: &random)
            if random.oneIn(20), sides.count < 8 { sides.append(sides[index]) }
            if random.oneIn(30), sides.count > 1 { sides.remove(at: sides.count - 1) }
            let at = min(index, sides.count - 1)
            if sides[at].strings.count > 100 { sides[at] = (ByteArena(pageBytes: 16), []) }
            let bytes = (0..<Int.random(in: 0...20, using: &random)).map { UInt8(truncatingIfNeeded: step + $0) }
            let range = sides[at].arena.append(bytes.rawSpan)
            sides[at].strings.append((range, bytes))
        }
        for side in sides {
            for (range, bytes) in side.strings {
                let stored = Array(copying: side.arena.bytes(range))
                #expect(stored == bytes, "\(seed)")
            }
        }
    }
}

@Suite struct InternTableTests {
    @Test func `numbers are dense, stable and found again`() {
        let seed = TestSeed(4)
        var random = seed.random
        var table = InternTable()
        var numbers: [[UInt8]: UInt32] = [:]
        for _ in 0..<5000 {
            let key = (0..<Int.random(in: 0...2, using: &random)).map { _ in UInt8.random(in: 0..<40, using: &random) }
            #expect(table.find(key) == numbers[key], "\(seed)")
            let (number, isNew) = table.intern(key)
            #expect(isNew == (numbers[key] == nil), "\(seed)")
            #expect(number == numbers[key] ?? UInt32(numbers.count), "\(seed)")
            numbers[key] = number
        }
        #expect(table.count == numbers.count)
        for (key, number) in numbers {
            let stored = Array(copying: table.bytes(number))
            #expect(stored == key)
        }
    }

    @Test func `texts that look alike and differ in bytes are two keys`() {
        var table = InternTable()
        let composed = Array("\u{E9}".utf8)
        let decomposed = Array("e\u{301}".utf8)
        #expect(table.intern(composed).number == 0)
        #expect(table.find(decomposed) == nil)
        #expect(table.intern(decomposed).number == 1)
        #expect(table.string(1).utf8.elementsEqual(decomposed))
    }

    @Test func `a copy knows the keys it was taken with and no later ones`() {
        var table = InternTable()
        var copies: [InternTable] = []
        for number in 0..<300 {
            copies.append(table)
            _ = table.intern(Self.key(number))
        }
        for (count, copy) in copies.enumerated() {
            #expect(copy.count == count)
            for number in stride(from: count % 7, to: 300, by: 7) {
                #expect(copy.find(Self.key(number)) == (number < count ? UInt32(number) : nil))
            }
        }
    }

    @Test func `copies that each take in keys of their own do not fill each other's slots`() {
        // They once did: copies shared hash slots while each counted its own keys only, so a few copies of one table
        // filled all slots, and the next search for a missing key never ended.
        let empty = InternTable()
        for copy in 0..<100 {
            var table = empty
            for number in 0..<20 { #expect(table.intern(Self.key(copy * 20 + number)).number == UInt32(number)) }
            for number in 0..<20 { #expect(table.find(Self.key(copy * 20 + number)) == UInt32(number)) }
            #expect(table.find(Self.key(-1)) == nil)
        }
        #expect(empty.find(Self.key(0)) == nil)
    }

    @Test func `a stored table with a string twice is refused`() throws {
        var strings = ByteArena()
        var ranges = PagedColumn<ByteRange>()
        for key in ["a", "b", "a"] { ranges.append(strings.append(Array(key.utf8).rawSpan)) }
        #expect(throws: Corruption(offset: 2, expected: "each string once")) { try InternTable(strings: strings, ranges: ranges) }
    }

    @Test func `readers search their copies while one thread takes in keys`() {
        let published = Mutex(InternTable())
        let isDone = Atomic(false)
        let wrong = Atomic(0)
        Threads.run(4) { thread in
            if thread == 0 {
                var table = InternTable()
                for number in 0..<4000 {
                    _ = table.intern(Self.key(number))
                    let copy = table
                    published.withLock { $0 = copy }
                }
                isDone.store(true, ordering: .releasing)
            } else {
                var isLast = false
                var random = SeededRandom(seed: UInt64(thread))
                while !isLast {
                    isLast = isDone.load(ordering: .acquiring)
                    let copy = published.withLock { $0 }
                    for _ in 0..<50 {
                        let number = Int.random(in: 0..<4000, using: &random)
                        let expected = number < copy.count ? UInt32(number) : nil
                        if copy.find(Self.key(number)) != expected { wrong.add(1, ordering: .relaxed) }
                    }
                }
            }
        }
        #expect(wrong.load(ordering: .relaxed) == 0)
    }

    private static func key(_ number: Int) -> [UInt8] { Array("key \(number)".utf8) }
}

extension InternTable {
    fileprivate func find(_ key: [UInt8]) -> UInt32? { find(key.rawSpan) }
    fileprivate mutating func intern(_ key: [UInt8]) -> (number: UInt32, isNew: Bool) { intern(key.rawSpan) }
}
