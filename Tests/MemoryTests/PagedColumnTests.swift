// Columns and rows in pages: a copy is a snapshot, whatever happens to either side afterwards.
import Memory
import Synchronization
import Testing
import TestSupport

@Suite struct PagedColumnTests {
    @Test func `a page has another stamp after each change, and none after more of the same`() {
        var column = PagedColumn<UInt64>(pageCapacity: 4)
        for value in 0..<6 { column.append(UInt64(value)) }
        var seen = [column.pageStamp(0), column.pageStamp(1)]
        #expect(seen[0] != seen[1])
        column.append(6)
        #expect(column.pageStamp(1) == seen[1])
        // In place, and on a page that a copy holds.
        column.set(0, to: 9)
        seen.append(column.pageStamp(0))
        let copy = column
        column.set(0, to: 8)
        seen.append(column.pageStamp(0))
        #expect(Set(seen).count == 4 && copy.pageStamp(0) == seen[2] && copy.pageStamp(1) == column.pageStamp(1))
        // Two copies that both go on part ways.
        var other = copy
        column.append(7)
        other.append(70)
        #expect(column.pageStamp(1) != other.pageStamp(1))
    }

    /// What a script may do to the two sides of a copy.
    private enum Step: CaseIterable {
        case appendLeft, appendRight, setFirstLeft, setFirstRight, setLastLeft, setLastRight, recopyRight
    }

    /// A column beside the array that says what it must hold.
    private struct Side {
        var column: PagedColumn<Int32>
        var expected: [Int32] = []

        mutating func append(_ value: Int32) {
            column.append(value)
            expected.append(value)
        }

        mutating func set(_ index: Int, to value: Int32) {
            guard expected.indices.contains(index) else { return }
            column.set(index, to: value)
            expected[index] = value
        }

        var isAsExpected: Bool {
            guard column.count == expected.count, column.indices.allSatisfy({ column[$0] == expected[$0] }) else { return false }
            return column.pagesJoined == expected
        }
    }

    @Test(arguments: [1, 2, 4])
    func `both sides of a copy go their own way after every script of three steps`(pageCapacity: Int) {
        for count in 0...2 * pageCapacity + 1 {
            for script in Self.scripts(length: 3) {
                #expect(Self.wrongSide(after: script, count: count, pageCapacity: pageCapacity) == nil, "\(script) at \(count)")
            }
        }
    }

    private static func scripts(length: Int) -> [[Step]] {
        (0..<length).reduce([[]]) { scripts, _ in scripts.flatMap { script in Step.allCases.map { script + [$0] } } }
    }

    /// Runs a script on a copied column; a third copy, taken first and never touched, must not change.
    private static func wrongSide(after script: [Step], count: Int, pageCapacity: Int) -> String? {
        var left = Side(column: PagedColumn(pageCapacity: pageCapacity))
        for value in 0..<count { left.append(Int32(value)) }
        let snapshot = left
        var right = left
        for (number, step) in script.enumerated() {
            let value = Int32(100 + number)
            switch step {
            case .appendLeft: left.append(value)
            case .appendRight: right.append(value)
            case .setFirstLeft: left.set(0, to: value)
            case .setFirstRight: right.set(0, to: value)
            case .setLastLeft: left.set(left.expected.count - 1, to: value)
            case .setLastRight: right.set(right.expected.count - 1, to: value)
            case .recopyRight: right = left
            }
            if !left.isAsExpected { return "left" }
            if !right.isAsExpected { return "right" }
            if !snapshot.isAsExpected { return "snapshot" }
        }
        return nil
    }

    @Test func `many copies of many ages keep what they saw`() {
        let seed = TestSeed(1)
        var random = seed.random
        var sides = [Side(column: PagedColumn(pageCapacity: 8))]
        for step in 0..<4000 {
            let index = Int.random(in: 0..<sides.count, using: &random)
            switch Int.random(in: 0..<10, using: &random) {
            case 0 where sides.count < 12: sides.append(sides[index])
            case 1 where sides.count > 1: sides.remove(at: index)
            case 2..<6 where sides[index].expected.count < 60: sides[index].append(Int32(step))
            default: sides[index].set(Int.random(in: 0..<60, using: &random), to: Int32(step))
            }
            if step % 16 == 0 { #expect(!sides.contains { !$0.isAsExpected }, "step \(step), \(seed)") }
        }
        #expect(!sides.contains { !$0.isAsExpected }, "\(seed)")
    }

    @Test func `several elements appended at once lie side by side`() {
        var column = PagedColumn<UInt16>(pageCapacity: 8)
        for start in stride(from: 0, to: 32, by: 4) {
            let elements = (start..<start + 4).map { UInt16($0) }
            column.append(contentsOf: elements.span)
        }
        #expect(column.pageCount == 4)
        #expect(column.pagesJoined == Array(0..<32))
        #expect(column.byteCount == 4 * 8 * 2)
    }

    @Test func `readers on other threads see whole snapshots while one thread writes`() {
        /// A copy, and the sum that its elements had when it was taken.
        struct Published: Sendable {
            var column = PagedColumn<UInt64>(pageCapacity: 16)
            var sum: UInt64 = 0
        }
        let published = Mutex(Published())
        let isDone = Atomic(false)
        let wrong = Atomic(0)
        let checked = Atomic(0)
        Threads.run(4) { thread in
            if thread == 0 {
                var mine = Published()
                var random = SeededRandom(seed: 2)
                for value in 1...6000 as ClosedRange<UInt64> {
                    if mine.column.count < 500 || random.oneIn(8) {
                        mine.column.append(value)
                        mine.sum &+= value
                    } else {
                        let index = Int.random(in: 0..<mine.column.count, using: &random)
                        mine.sum = mine.sum &- mine.column[index] &+ value
                        mine.column.set(index, to: value)
                    }
                    let copy = mine
                    published.withLock { $0 = copy }
                }
                isDone.store(true, ordering: .releasing)
            } else {
                var isLast = false
                while !isLast {
                    isLast = isDone.load(ordering: .acquiring)
                    let copy = published.withLock { $0 }
                    let sum = copy.column.indices.reduce(0 as UInt64) { $0 &+ copy.column[$1] }
                    if sum != copy.sum { wrong.add(1, ordering: .relaxed) }
                    checked.add(1, ordering: .relaxed)
                }
            }
        }
        #expect(wrong.load(ordering: .relaxed) == 0)
        #expect(checked.load(ordering: .relaxed) >= 3)
    }
}

@Suite struct PagedRowsTests {
    private struct Side {
        var rows: PagedRows<Int32>
        var expected: [[Int32]] = []

        /// A row of any length up to the width; what is missing reads as zero.
        mutating func append(_ row: [Int32]) {
            rows.append(row.span)
            expected.append(row + [Int32](repeating: 0, count: rows.width - row.count))
        }

        var isAsExpected: Bool {
            guard rows.count == expected.count else { return false }
            for index in expected.indices where Array(copying: rows.row(index)) != expected[index] { return false }
            var joined: [Int32] = []
            for page in 0..<rows.pageCount { joined += Array(copying: rows.page(page)) }
            return joined == expected.flatMap { $0 }
        }
    }

    @Test(arguments: [1, 2, 4], [1, 3])
    func `both sides of a copied table go their own way, short rows ending in zeros`(pageRows: Int, width: Int) {
        for count in 0...2 * pageRows + 1 {
            // Bit by bit: which side appends, and whether a full row or an empty one.
            for script in 0..<256 {
                var left = Side(rows: PagedRows(width: width, pageRows: pageRows))
                for value in 0..<count { left.append([Int32](repeating: Int32(value + 1), count: width)) }
                let snapshot = left
                var right = left
                for step in 0..<4 {
                    let row = script >> (2 * step) & 1 == 0 ? [Int32](repeating: Int32(100 + step), count: width) : []
                    if script >> (2 * step) & 2 == 0 { left.append(row) } else { right.append(row) }
                }
                #expect(left.isAsExpected && right.isAsExpected && snapshot.isAsExpected, "script \(script) at \(count)")
            }
        }
    }

    @Test func `rows of whole cache lines begin on one`() {
        var rows = PagedRows<Float>(width: 16, pageRows: 4)
        for value in 0..<9 { rows.append([Float(value)].span) }
        for index in 0..<9 {
            let address = unsafe rows.row(index).withUnsafeBufferPointer { UInt(bitPattern: $0.baseAddress) }
            #expect(address % 64 == 0)
        }
    }
}

extension PagedColumn {
    fileprivate var indices: Range<Int> { 0..<count }

    /// The elements as the pages lend them.
    fileprivate var pagesJoined: [Element] {
        var joined: [Element] = []
        for number in 0..<pageCount { joined += Array(copying: page(number)) }
        return joined
    }
}
