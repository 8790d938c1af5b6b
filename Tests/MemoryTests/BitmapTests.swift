// Bitmaps against sets of integers.
import Memory
import Testing
import TestSupport

@Suite struct BitmapTests {
    @Test func `a bitmap made longer or shorter keeps what both reach, and nothing behind`() {
        for (from, to) in [(0, 0), (0, 70), (64, 65), (65, 64), (130, 5), (5, 130), (128, 128)] {
            let full = Bitmap(count: from, filled: true)
            let made = Bitmap(full, count: to)
            #expect(made.count == to && made.population == min(from, to) && (0..<to).allSatisfy { made[$0] == ($0 < from) }, "\(from) to \(to)")
        }
    }

    @Test func `bits are visited in rising order and in falling`() {
        let members = [0, 1, 63, 64, 100, 199]
        var bitmap = Bitmap(count: 200)
        for member in members { bitmap[member] = true }
        for isReversed in [false, true] {
            var visited: [Int] = []
            bitmap.forEach(reversed: isReversed) { visited.append($0) }
            #expect(visited == (isReversed ? members.reversed() : members))
        }
    }

    @Test func `words beyond the end are cut`() {
        var bitmap = Bitmap(count: 70)
        bitmap[word: 1] = ~0
        #expect(bitmap.wordCount == 2 && bitmap.population == 6 && bitmap[word: 1] == 0x3F)
    }

    @Test func `cells that lead to a grade within bounds are marked, and bits of other words are left alone`() {
        let grades = CellBuffer<UInt8>(count: 4 + Bitmap.gradesPadding)
        for (place, grade) in [0, 3, 1, 2].enumerated() { grades.cells[place] = UInt8(grade) }
        // Place 1 (grade 3), 2 (1), 3 (2), the last for one far beyond, and place 1 of another kind.
        let cells: [UInt32] = [1 << 2 | 1, 2 << 2 | 1, 3 << 2 | 1, 900 << 2 | 1, 1 << 2 | 3]
        var bitmap = Bitmap(count: 192, filled: true)
        bitmap.fill(from: 64, cells.span, kind: 1, grades: grades.cells.readOnly, 2...3)
        #expect((64..<69).map { bitmap[$0] } == [true, false, true, true, false])
        #expect((69..<128).allSatisfy { !bitmap[$0] } && bitmap.population == 128 + 3)
        bitmap.fill(from: 128, [UInt32]().span, kind: 1, grades: grades.cells.readOnly, 2...3)
        #expect(bitmap.population == 128 + 3)
        withExtendedLifetime(grades) {}
    }

    /// Lengths around words, and a few in between.
    private static let counts = [0, 1, 2, 63, 64, 65, 100, 127, 128, 129, 1000]

    @Test(arguments: counts)
    func `a bitmap is the set of its bits under every operation`(count: Int) {
        let seed = TestSeed(5)
        var random = SeededRandom(seed: seed.value &+ UInt64(count))
        for _ in 0..<20 {
            let a = Self.randomSet(below: count, using: &random)
            let b = Self.randomSet(below: count, using: &random)
            let everything = Set(0..<count)
            #expect(Self.bitmap(a, count) { $0.formIntersection(Self.bitmap(b, count)) } == a.intersection(b), "\(seed)")
            #expect(Self.bitmap(a, count) { $0.formUnion(Self.bitmap(b, count)) } == a.union(b), "\(seed)")
            #expect(Self.bitmap(a, count) { $0.invert() } == everything.subtracting(a), "\(seed)")
            #expect(Self.bitmap(a, count) { $0.fill { b.contains($0) } } == b, "\(seed)")
            #expect((Self.bitmap(a, count) == Self.bitmap(b, count)) == (a == b), "\(seed)")
        }
    }

    @Test(arguments: counts)
    func `counting and visiting agree with the set`(count: Int) {
        let seed = TestSeed(6)
        var random = SeededRandom(seed: seed.value &+ UInt64(count))
        for _ in 0..<20 {
            let members = Self.randomSet(below: count, using: &random)
            let bitmap = Self.bitmap(members, count)
            var visited: [Int] = []
            bitmap.forEach { visited.append($0) }
            #expect(visited == members.sorted(), "\(seed)")
            #expect(bitmap.population == members.count, "\(seed)")
            #expect(bitmap.isEmpty == members.isEmpty, "\(seed)")
            #expect((0..<count).allSatisfy { bitmap[$0] == members.contains($0) }, "\(seed)")
        }
    }

    @Test(arguments: counts)
    func `a filled bitmap and an inverted empty one hold everything and nothing beyond the end`(count: Int) {
        var inverted = Bitmap(count: count)
        inverted.invert()
        #expect(inverted == Bitmap(count: count, filled: true))
        #expect(inverted.population == count)
        inverted.invert()
        #expect(inverted.isEmpty)
    }

    @Test func `a bit can be set and cleared without touching its neighbours`() {
        for index in 0..<130 {
            var bitmap = Bitmap(count: 130)
            bitmap[index] = true
            #expect(bitmap.population == 1 && bitmap[index])
            bitmap.invert()
            bitmap[index] = true
            #expect(bitmap.population == 130)
            bitmap[index] = false
            #expect(bitmap.population == 129 && !bitmap[index])
        }
    }

    private static func randomSet(below count: Int, using random: inout SeededRandom) -> Set<Int> {
        let density = Int.random(in: 1...10, using: &random)
        return Set((0..<count).filter { _ in random.oneIn(density) })
    }

    private static func bitmap(_ members: Set<Int>, _ count: Int) -> Bitmap {
        var bitmap = Bitmap(count: count)
        for member in members { bitmap[member] = true }
        return bitmap
    }

    /// What is in the bitmap of `members` after a change.
    private static func bitmap(_ members: Set<Int>, _ count: Int, after change: (inout Bitmap) -> Void) -> Set<Int> {
        var changed = bitmap(members, count)
        change(&changed)
        return Set((0..<count).filter { changed[$0] })
    }
}
