// Numbers that lead to something wanted, marked by instruction and in plain C, against one look at a time.
import CKernels
import Testing

@Suite struct MarkKernelTests {
    @Test func `every count up to three words and more marks what one look at a time does, and nothing beyond the fences is touched`() {
        var generator = SeededGenerator(seed: 4)
        let grades = (0..<50).map { _ in UInt8.random(in: 0...3, using: &generator) }
        // The last grade lies three bytes before the fence: what is promised to be there.
        let table = FencedMemory(grades + [255, 255, 255])
        for count in 0...200 {
            // Some lead far beyond the last grade.
            let cells = (0..<count).map { _ in UInt32.random(in: 0...UInt32(Bool.random(using: &generator) ? 250 : 0x3fff_ffff), using: &generator) }
            let memory = FencedMemory(cells)
            for kind in UInt32(0)...3 {
                for bounds in [0...0, 1...1, 0...3, 2...3, 3...3] as [ClosedRange<UInt8>] {
                    let want = cells.map { $0 & 3 == kind && bounds.contains(grades[min(Int($0 >> 2), grades.count - 1)]) }
                    for isPlain in [false, true] {
                        let marked = mark(memory, kind, table, grades.count, bounds, isPlain: isPlain)
                        #expect(marked == words(want), "\(count) cells of kind \(kind), \(bounds), plain: \(isPlain)")
                    }
                }
            }
        }
    }

    @Test func `members of a set are marked and counted as by one look at a time, and nothing beyond the fences is touched`() {
        var generator = SeededGenerator(seed: 5)
        for count in 0...200 {
            let members = (0..<Int.random(in: 1...9, using: &generator)).map { _ in UInt64.random(in: .min ... .max, using: &generator) }
            let numbers = (0..<count).map { _ in UInt32.random(in: 0..<UInt32(members.count * 64), using: &generator) }
            let isMasked = (0..<count).map { _ in Bool.random(using: &generator) }
            let want = zip(numbers, isMasked).map { $1 && members[Int($0 / 64)] >> UInt64($0 % 64) & 1 == 1 }
            let numberFence = FencedMemory(numbers), memberFence = FencedMemory(members), maskFence = FencedMemory(words(isMasked))
            for isPlain in [false, true] {
                var marked = [UInt64](repeating: ~0, count: (count + 63) / 64)
                let numbers = numberFence.span(from: 0, count: count), members = memberFence.span(from: 0, count: members.count)
                let mask = maskFence.span(from: 0, count: marked.count)
                // Sound: pointers stay within the closures.
                let population = unsafe numbers.withUnsafeBufferPointer { numbers in
                    unsafe members.withUnsafeBufferPointer { members in
                        unsafe mask.withUnsafeBufferPointer { mask in
                            unsafe isPlain
                                ? nt_mark_members_portable(numbers.baseAddress, count, members.baseAddress, mask.baseAddress, &marked)
                                : nt_mark_members(numbers.baseAddress, count, members.baseAddress, mask.baseAddress, &marked)
                        }
                    }
                }
                #expect(marked == words(want) && population == want.count { $0 }, "\(count) numbers")
            }
        }
    }

    private func mark(
        _ cells: borrowing FencedMemory<UInt32>, _ kind: UInt32, _ table: borrowing FencedMemory<UInt8>, _ count: Int, _ bounds: ClosedRange<UInt8>,
        isPlain: Bool
    ) -> [UInt64] {
        let (cells, grades) = (cells.span(from: 0, count: cells.capacity), table.span(from: 0, count: count))
        var words = [UInt64](repeating: ~0, count: (cells.count + 63) / 64)
        let (last, least, most) = (UInt32(count - 1), bounds.lowerBound, bounds.upperBound)
        // Sound: pointers stay within the closures.
        unsafe cells.withUnsafeBufferPointer { cells in
            unsafe grades.withUnsafeBufferPointer { grades in
                unsafe isPlain
                    ? nt_mark_graded_portable(cells.baseAddress, cells.count, kind, grades.baseAddress, last, least, most, &words)
                    : nt_mark_graded(cells.baseAddress, cells.count, kind, grades.baseAddress, last, least, most, &words)
            }
        }
        return words
    }

    private func words(_ marks: [Bool]) -> [UInt64] {
        var words = [UInt64](repeating: 0, count: (marks.count + 63) / 64)
        for (index, isMarked) in marks.enumerated() where isMarked { words[index / 64] |= 1 << UInt64(index % 64) }
        return words
    }
}
