// Indexes of any content under checksums that fit: they are refused, or searches of every kind end within what they may see.
import Index
import Memory
import TestSupport

extension FuzzTarget {
    /// An input chooses an index that was built, a query and what is visible, and then changes to the index's columns.
    static let index = FuzzTarget(name: "index", seeds: { ForgedIndex.seeds }) { input in
        var forged = ForgedIndex(input)
        guard let index = forged.open() else { return }
        IndexSearches(index, forged).run()
    }
}

/// Vectors, some rows of which have none, and the columns of an index of the others.
private struct OriginalIndex: Sendable {
    let vectors: VectorRows
    let columns: [IndexColumn: [UInt8]]
    private let memory: [any Sendable]

    init(_ metric: Metric, dimension: Int, count: Int, seed: UInt64, _ value: (inout SeededRandom) -> Float, _ change: (inout IndexSettings) -> Void) {
        var random = SeededRandom(seed: seed)
        let (values, factors) = (CellBuffer<Float>(count: count * dimension), CellBuffer<Float>(count: count))
        for row in 0..<count {
            let vector = (0..<dimension).map { _ in value(&random) }
            for j in 0..<dimension where row % 16 != 5 { values.cells[row * dimension + j] = vector[j] }
            factors.cells[row] = row % 16 == 5 ? .nan : metric.rowFactor(vector.span)
        }
        vectors = VectorRows(
            values: values.cells.readOnly, stride: dimension, factors: factors.cells.readOnly, dimension: dimension, metric: metric)
        var settings = IndexSettings()
        change(&settings)
        guard let built = IndexBuilder(vectors, rows: (0..<UInt32(count)).filter { $0 % 16 != 5 }, settings: settings).build() else {
            violated("nobody cancels a build")
        }
        let index = VectorIndex(built.columns, metric: metric, owner: built)
        built.calibrate(IndexCalibration(index, vectors: vectors, seed: 1, threads: 1).measure())
        let lent = built.columns
        columns = Dictionary(uniqueKeysWithValues: IndexColumn.allCases.map { column in
            let bytes = lent.bytes(of: column)
            return (column, (0..<bytes.count).map { bytes[$0] })
        })
        memory = [values, factors]
    }

    private static func any(_ random: inout SeededRandom) -> Float { Float.random(in: -1...1, using: &random) }
    private static func byte(_ random: inout SeededRandom) -> Float { Float(UInt8.random(in: 0...255, using: &random)) }

    /// Each metric, with a graph and without, with lines and without, on the grid and beside it, lists in groups and in one table.
    static let all: [OriginalIndex] = [
        OriginalIndex(.l2, dimension: 3, count: 90, seed: 1, any) { _ in },
        OriginalIndex(.cosine, dimension: 192, count: 300, seed: 2, any) { $0.hasLines = true },
        OriginalIndex(.dot, dimension: 5, count: 130, seed: 3, any) { _ in },
        OriginalIndex(.l2, dimension: 8, count: 200, seed: 4, byte) { _ in },
        OriginalIndex(.dot, dimension: 7, count: 100, seed: 5, any) { $0.hasGraph = false },
        OriginalIndex(.l2, dimension: 200, count: 290, seed: 6, any) { $0.hasLines = true },
        OriginalIndex(.l2, dimension: 6, count: 280, seed: 7, any) { ($0.listRows, $0.tableMax) = (10, 6) },
    ]
}

/// An index as an input describes it.
private struct ForgedIndex {
    let original: OriginalIndex
    private(set) var query: [Float]
    private(set) var visible: CellBuffer<UInt64>
    private var columns: [IndexColumn: [UInt8]]
    private var choices: Choices
    private static let changesMax = 12

    private enum Change: UInt8, CaseIterable {
        case byte, word, float, fill, copy, shorten, lengthen, remove, parameter, resize, calibration
    }

    init(_ input: [UInt8]) {
        choices = Choices(input)
        original = OriginalIndex.all[Int(choices.byte()) % OriginalIndex.all.count]
        columns = original.columns
        let (vectors, row) = (original.vectors, Int(choices.byte()) % original.vectors.count)
        query = (0..<vectors.dimension).map { vectors.values[row * vectors.stride + $0] + 0.125 }
        visible = CellBuffer(count: (vectors.count + 63) / 64)
        var random = SeededRandom(seed: UInt64(choices.byte()))
        let share = Int(choices.byte()) + 1
        for row in 0..<vectors.count where Int.random(in: 0..<256, using: &random) < share { visible.cells[row >> 6] |= 1 << UInt64(row & 63) }
    }

    /// Each kind of change to each column of each index, and nothing changed.
    static var seeds: [[UInt8]] {
        var seeds: [[UInt8]] = []
        for original in 0..<UInt8(OriginalIndex.all.count) {
            seeds += [[original, 0, 1, 255], [original, 9, 2, 60]]
            for change in Change.allCases {
                for column in 0..<UInt8(IndexColumn.allCases.count) { seeds.append([original, 7, 3, 128, change.rawValue, column, 4 &* column, 0, column, 1, 2, 3]) }
            }
        }
        return seeds
    }

    /// nil where it was refused, which one that nothing was done to must not be.
    mutating func open() -> VectorIndex? {
        let isForged = !choices.isEmpty
        var changes = 0
        while !choices.isEmpty, changes < Self.changesMax, let change = Change(rawValue: choices.byte() % UInt8(Change.allCases.count)) {
            make(change)
            changes += 1
        }
        // Each in memory of its own and of just that size, so that a read beyond it is seen.
        let buffers = columns.mapValues { bytes in
            let buffer = CellBuffer<UInt8>(count: bytes.count)
            for (i, byte) in bytes.enumerated() { buffer.cells[i] = byte }
            return buffer
        }
        let vectors = original.vectors
        do throws(Corruption) {
            let columns = try IndexColumns(
                stored: { id in buffers[id].map { $0.cells.readOnly } ?? .none }, rowCount: vectors.count, dimension: vectors.dimension, metric: vectors.metric, file: "forged")
            let (resident, copies) = columns.resident(codesMax: 1000)
            return VectorIndex(resident, metric: vectors.metric, owner: [buffers as any Sendable, copies, original])
        } catch {
            guard isForged else { violated("an index as it was built is refused: \(error)") }
            return nil
        }
    }

    // MARK: Changing

    private mutating func make(_ change: Change) {
        let id = IndexColumn.allCases[Int(choices.byte()) % IndexColumn.allCases.count]
        switch change {
        case .parameter: setWord(Int(choices.byte()) % 10, of: .parameters)
        case .resize: resize()
        case .calibration: addPoint()
        case .remove: columns[id] = []
        case .byte, .word, .float, .fill, .copy, .shorten, .lengthen: changeBytes(change, of: id)
        }
    }

    private mutating func changeBytes(_ change: Change, of id: IndexColumn) {
        guard var bytes = columns[id], !bytes.isEmpty else { return }
        let place = choices.word() % bytes.count
        switch change {
        case .byte: bytes[place] = choices.byte()
        case .word: return setWord(place / 4, of: id)
        case .float: return setWord(place / 4, of: id, to: strangeFloat().bitPattern)
        case .fill:
            let byte = choices.byte()
            for index in place..<bytes.count { bytes[index] = byte }
        case .copy:
            let from = choices.word() % bytes.count
            for index in 0..<min(Int(choices.byte()), bytes.count - max(from, place)) { bytes[place + index] = bytes[from + index] }
        case .shorten: bytes.removeLast(min(bytes.count, Int(choices.byte())))
        case .lengthen: bytes += [UInt8](repeating: choices.byte(), count: Int(choices.byte()))
        case .remove, .parameter, .resize, .calibration: violated("not a change of bytes")
        }
        columns[id] = bytes
    }

    private func word(_ index: Int, of id: IndexColumn) -> UInt32 {
        let bytes = columns[id] ?? []
        guard bytes.count >= 4 * index + 4 else { return 0 }
        return (0..<4).reduce(0) { $0 | UInt32(bytes[4 * index + $1]) << UInt32(8 * $1) }
    }

    private mutating func setWord(_ index: Int, of id: IndexColumn, to value: UInt32? = nil) {
        guard columns[id]?.count ?? 0 >= 4 * index + 4 else { return }
        let value = value ?? strange(word(index, of: id))
        for byte in 0..<4 { columns[id]?[4 * index + byte] = UInt8(truncatingIfNeeded: value >> UInt32(8 * byte)) }
    }

    /// Other numbers of rows, links or lists, and columns that fit them.
    private mutating func resize() {
        let (count, stride, degree, lists) = (Int(word(2, of: .parameters)), Int(word(3, of: .parameters)), Int(word(4, of: .parameters)), Int(word(5, of: .parameters)))
        func cut(_ id: IndexColumn, to bytes: Int) -> [UInt8] {
            let old = columns[id] ?? []
            return old.isEmpty ? old : (0..<bytes).map { old[$0 % old.count] }
        }
        let new = Int(choices.byte())
        switch choices.byte() % 3 {
        case 0:
            setWord(2, of: .parameters, to: UInt32(new))
            columns[.rows] = cut(.rows, to: 4 * new)
            columns[.codes] = cut(.codes, to: new * (stride % 4096))
            columns[.lines] = cut(.lines, to: 64 * new)
            columns[.links] = cut(.links, to: 4 * new * (degree % 65))
            setWord(lists, of: .listStarts, to: UInt32(new))
        case 1:
            setWord(4, of: .parameters, to: UInt32(new))
            columns[.links] = cut(.links, to: 4 * (count % 1024) * new)
        default:
            setWord(5, of: .parameters, to: UInt32(new))
            let row = (columns[.lines] ?? []).isEmpty ? stride % 4096 : 64
            columns[.medoids] = cut(.medoids, to: 4 * new)
            columns[.medoidCodes] = cut(.medoidCodes, to: row * new)
            let groups = (columns[.groupMedoids] ?? []).count / 4
            if groups > 0 { setWord(groups, of: .groupStarts, to: UInt32(new)) }
            columns[.listStarts] = [UInt8](repeating: 0, count: 4 * new + 4)
            for list in 0...new { setWord(list, of: .listStarts, to: UInt32(new == 0 ? 0 : (count % 1024) * list / new)) }
        }
    }

    /// A calibrated point of its own making: method, k, share, recall, width, rows, refined, cost.
    private mutating func addPoint() {
        let place = (columns[.calibration]?.count ?? 0) / 4
        columns[.calibration, default: []] += [UInt8](repeating: 0, count: 32)
        setWord(place, of: .calibration, to: UInt32(choices.byte() % 2))
        setWord(place + 1, of: .calibration, to: choices.byte() % 2 == 0 ? 10 : 100)
        setWord(place + 2, of: .calibration, to: choices.byte() % 2 == 0 ? Float(1).bitPattern : strangeFloat().bitPattern)
        setWord(place + 3, of: .calibration, to: choices.byte() % 2 == 0 ? Float(0.99).bitPattern : strangeFloat().bitPattern)
        for word in 4..<7 { setWord(place + word, of: .calibration) }
        setWord(place + 7, of: .calibration, to: strangeFloat().bitPattern)
    }

    private mutating func strange(_ number: UInt32) -> UInt32 {
        switch choices.byte() % 16 {
        case 0: 0
        case 1: .max
        case 2: 1 << 31
        case 3: 1 << 24 - 1
        case 4: 1 << 30
        case 5: UInt32(original.vectors.count)
        case 6: UInt32(choices.word())
        case let near: number &+ UInt32(near) &- 11
        }
    }

    private mutating func strangeFloat() -> Float {
        let floats: [Float] = [.nan, .infinity, -.infinity, 0, -0.0, -1, 1, 0.5, .greatestFiniteMagnitude, -.greatestFiniteMagnitude, .leastNonzeroMagnitude, .leastNormalMagnitude, 1e-30, 1e30]
        return floats[Int(choices.byte()) % floats.count]
    }
}

/// All ways through an index, with all rows and with some: every one ends, finds nothing twice and nothing that it may not see.
private struct IndexSearches {
    private let index: VectorIndex
    private let vectors: VectorRows
    private let query: CellBuffer<Float>
    private let visible: VisiblePositions
    private let words: CellBuffer<UInt64>
    private let allowed: Set<UInt32>
    private let scratch = SearchScratch()

    init(_ index: VectorIndex, _ forged: ForgedIndex) {
        self.index = index
        vectors = forged.original.vectors
        query = CellBuffer(count: forged.query.count)
        for (j, value) in forged.query.enumerated() { query.cells[j] = value }
        words = CellBuffer(count: (index.count + 63) / 64)
        var allowed: Set<UInt32> = []
        for position in 0..<index.count {
            let row = index.row(position)
            guard forged.visible.cells[Int(row) >> 6] >> UInt64(row & 63) & 1 != 0 else { continue }
            words.cells[position >> 6] |= 1 << UInt64(position & 63)
            allowed.insert(row)
        }
        visible = VisiblePositions(words: words.cells.readOnly, count: allowed.count)
        self.allowed = allowed
    }

    private static let plans: [IndexPlan] = [
        .walk(width: 1, refined: 1), .walk(width: 40, refined: 20), .walk(width: 500, refined: 300), .lists(lists: 1, rows: 0, refined: 1),
        .lists(lists: 3, rows: 70, refined: 20), .lists(lists: 1000, rows: .max, refined: 300), .scan(refined: 1), .scan(refined: 50),
    ]
    private static let efforts: [VectorIndex.Effort] = [.recall(0.5), .recall(0.9), .recall(0.99), .width(1), .width(10_000)]

    func run() {
        for k in [1, 10, 1024] {
            for plan in Self.plans { search(k, plan) }
            for effort in Self.efforts {
                if let (plan, _) = index.plan(k: k, effort: effort, visibleCount: index.count) { search(k, plan) }
                if let (plan, _) = index.plan(k: k, effort: effort, visibleCount: visible.count) { search(k, plan) }
            }
        }
        _ = index.takeAll(visible, scratch: scratch)
        guard scratch.candidates.count == allowed.count else { violated("all that is visible is taken") }
    }

    private func search(_ k: Int, _ plan: IndexPlan) {
        let all = find(k, plan, nil)
        guard all == find(k, plan, nil) else { violated("a search finds the same again") }
        guard Set(all).count == all.count, all.count <= k, all.allSatisfy({ Int($0) < vectors.count }) else { violated("rows are found once, up to k") }
        let seen = find(k, plan, visible)
        guard Set(seen).count == seen.count, seen.count <= k, seen.allSatisfy(allowed.contains) else { violated("rows that may not be seen are not found") }
    }

    private func find(_ k: Int, _ plan: IndexPlan, _ visible: VisiblePositions?) -> [UInt32] {
        withExtendedLifetime((query, words)) {
            _ = index.search(query.cells.readOnly, k: k, plan: plan, visible: visible, scratch: scratch)
            vectors.rank(query.cells.readOnly, k: k, scratch: scratch)
            return (0..<scratch.results.count).map { scratch.results[$0].row }
        }
    }
}
