// Random sets of visible rows, as many as there is time for: no search of an index finds a row outside of them.
import Index
import Memory
import Synchronization
import TestSupport
import Testing

struct VisibilityTests {
    /// `NEEDLETAIL_BITMAPS` asks for more: see `tools/simulate`.
    private static let bitmaps = TestCycles("NEEDLETAIL_BITMAPS", otherwise: 12_000).count
    /// Bitmaps that one index is asked with before it is another's turn.
    private static let turn = 64

    @Test func `no row that is not visible is found, whatever is visible, on any plan`() {
        let seed = TestSeed(95)
        let fixtures = Self.fixtures(seed)
        let next = Atomic(0)
        let failure = Mutex<String?>(nil)
        Threads.run(2) { _ in
            let asking = fixtures.map { VisibilityAsking($0) }
            while failure.withLock({ $0 }) == nil {
                let number = next.add(1, ordering: .relaxed).oldValue
                guard number * Self.turn < Self.bitmaps else { return }
                var random = SeededRandom(seed: seed.value &+ UInt64(number))
                // Lines are long: they get fewer turns.
                let place = number % 32 == 0 ? fixtures.count - 1 : number % (fixtures.count - 1)
                for _ in 0..<Self.turn {
                    guard let wrong = asking[place].ask(&random) else { continue }
                    failure.withLock { $0 = "\(wrong) of index \(place), turn \(number), \(seed)" }
                    return
                }
            }
        }
        if let failure = failure.withLock({ $0 }) { Issue.record("\(failure)") }
        print("bitmaps: \(Self.bitmaps), \(seed)")
    }

    /// The last has lines.
    private static func fixtures(_ seed: TestSeed) -> [IndexFixture] {
        var random = seed.random
        return [
            IndexFixture(VectorKind.gaussian.rows(512, 8, &random), .l2), IndexFixture(VectorKind.bytes.rows(300, 4, &random), .l2),
            IndexFixture(VectorKind.outlierRows.rows(512, 12, &random), .dot), IndexFixture(VectorKind.duplicates.rows(257, 5, &random), .cosine),
            IndexFixture(VectorKind.farClusters.rows(448, 6, &random), .cosine) { $0.hasGraph = false },
            IndexFixture(VectorKind.lowRank.rows(320, 192, &random), .l2) { $0.hasLines = true },
        ]
    }
}

/// One thread's searches of one index.
private final class VisibilityAsking {
    private let fixture: IndexFixture
    private let scratch = SearchScratch()
    private let words: CellBuffer<UInt64>
    private let query: CellBuffer<Float>
    private let positions: CellBuffer<UInt32>
    /// Searches so far that have found a row: a row's is the last that did.
    private let found: CellBuffer<UInt64>
    private var searches: UInt64 = 0

    init(_ fixture: IndexFixture) {
        self.fixture = fixture
        let count = fixture.count
        words = CellBuffer(count: (count + 63) / 64)
        query = CellBuffer(count: fixture.vectors.dimension)
        (positions, found) = (CellBuffer(count: count), CellBuffer(count: count))
        for position in 0..<count { positions.cells[Int(fixture.index.row(position))] = UInt32(position) }
    }

    /// Asks with a bitmap, a query and a plan at random; what is wrong with the answer, or nil.
    func ask(_ random: inout SeededRandom) -> String? {
        let visible = choose(&random)
        let choice = random.next()
        let row = Int(choice >> 32) % fixture.count
        for j in 0..<query.count { query.cells[j] = fixture.vectors.values[row * fixture.vectors.stride + j] + 0.25 }
        let k = 1 << Int(choice & 7) - Int(choice & 7 != 0 ? 1 : 0)
        let (plan, isComplete) = plan(choice >> 8, k: k, visible)
        searches += 1
        _ = fixture.index.search(query.cells.readOnly, k: k, plan: plan, visible: visible, scratch: scratch)
        fixture.vectors.rank(query.cells.readOnly, k: k, scratch: scratch)
        for i in 0..<scratch.results.count {
            let row = Int(scratch.results[i].row), position = Int(positions.cells[row])
            guard words.cells[position >> 6] >> UInt64(position & 63) & 1 == 1 else { return "\(plan), k \(k): row \(row) is not visible" }
            guard found.cells[row] != searches else { return "\(plan), k \(k): row \(row) is found twice" }
            found.cells[row] = searches
        }
        let isEnough = scratch.results.count <= k && (!isComplete || scratch.results.count == min(k, visible.count))
        return isEnough ? nil : "\(plan), k \(k): \(scratch.results.count) found of \(visible.count) visible"
    }

    /// Dense, thin, or in one word alone.
    private func choose(_ random: inout SeededRandom) -> VisiblePositions {
        let kind = random.next()
        let only = kind & 7 == 0 ? Int(kind >> 8) % words.count : nil
        var population = 0
        for word in 0..<words.count {
            var bits = random.next()
            switch kind >> 3 & 3 {
            case 0: bits &= random.next()
            case 1: bits |= random.next()
            case 2: bits &= random.next() & random.next() & random.next()
            default: break
            }
            if let only, only != word { bits = 0 }
            if word == words.count - 1, fixture.count & 63 != 0 { bits &= (1 << UInt64(fixture.count & 63)) - 1 }
            words.cells[word] = bits
            population += bits.nonzeroBitCount
        }
        return VisiblePositions(words: words.cells.readOnly, count: population)
    }

    /// A plan, and whether it finds as many as there are.
    private func plan(_ choice: UInt64, k: Int, _ visible: VisiblePositions) -> (IndexPlan, isComplete: Bool) {
        let size = 1 + Int(choice >> 8 & 31)
        switch choice & 7 {
        case 0, 1: return (.scan(refined: size), true)
        case 2: return (.lists(lists: 1, rows: size, refined: size), false)
        case 3: return (.lists(lists: fixture.built.medoids.count, rows: 0, refined: size), true)
        case 4:
            let effort: VectorIndex.Effort = .width(size)
            return (fixture.index.plan(k: k, effort: effort, visibleCount: visible.count)?.plan ?? .scan(refined: 1), false)
        default: return (fixture.index.hasGraph ? .walk(width: size, refined: size) : .scan(refined: size), false)
        }
    }
}
