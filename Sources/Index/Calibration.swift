// What it takes to find a wanted share of the nearest rows, measured on the index itself when it is built.
import Memory
import Synchronization

/// A way through an index and what it found of the nearest rows, on average over queries like the index's own rows.
package struct CalibratedPoint: Equatable, Sendable {
    package enum Method: UInt32, Sendable {
        case walk, lists
        /// No way: in place of the cost, how far the nearest row was from the query that had none nearer.
        case remotest
    }

    package var method: Method
    /// Nearest rows asked for.
    package var k: UInt32
    /// Share of all rows that was visible.
    package var share: Float
    /// Share of the nearest that was found.
    package var recall: Float
    /// Candidates of a walk, or lists.
    package var width: UInt32
    /// Of lists: visible rows compared.
    package var rows: UInt32
    package var refined: UInt32
    /// About how many nanoseconds it takes.
    package var cost: Float

    static let wordCount = 8

    var words: [UInt32] { [method.rawValue, k, share.bitPattern, recall.bitPattern, width, rows, refined, cost.bitPattern] }

    /// nil where they make no sense: a calibration is advice, and an index without is searched widely.
    init?(_ words: Cells<UInt32>) {
        guard let method = Method(rawValue: words[0]), words[1] > 0, words[4] > 0, words[4] < 1 << 24, words[6] > 0, words[6] < 1 << 24 else { return nil }
        self.init(
            method: method, k: words[1], share: Float(bitPattern: words[2]), recall: Float(bitPattern: words[3]), width: words[4], rows: words[5],
            refined: words[6], cost: Float(bitPattern: words[7]))
        guard share > 0, share <= 1, recall >= 0, recall <= 1, cost >= 0 else { return nil }
    }

    init(method: Method, k: UInt32, share: Float, recall: Float, width: UInt32, rows: UInt32, refined: UInt32, cost: Float) {
        self.method = method
        self.k = k
        self.share = share
        self.recall = recall
        self.width = width
        self.rows = rows
        self.refined = refined
        self.cost = cost
    }
}

/// Measures an index with rows of its own as queries, each time as if the row itself were not there.
package struct IndexCalibration: Sendable {
    private let index: VectorIndex
    private let vectors: VectorRows
    private let workers: Workers
    /// Positions that serve as queries, and for each the positions nearest to it, nearest first.
    private let queries: [UInt32]

    /// Of six samples of 112, what was to find .95 found .950 to .972 (96,000 x 384): so many for what is asked most, fewer for the rest.
    private static let queryCount = 448
    private static let queryCountElsewhere = 112
    private static let targets: [Float] = [0.8, 0.85, 0.88, 0.9, 0.91, 0.92, 0.93, 0.94, 0.95, 0.96, 0.97, 0.975, 0.98, 0.9825, 0.985, 0.9875, 0.99, 0.993, 0.996]
    private static let shares: [Float] = [1, 1 / 2, 1 / 4, 1 / 8, 1 / 16, 1 / 32]
    private static let widths = [10, 12, 14, 16, 18, 21, 24, 28, 32, 37, 43, 50, 58, 68, 80, 95, 112, 132, 160, 200, 250, 320, 420, 560, 750]
    private static let listWidths = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024]
    private static let nearestKept = 512
    private static let nearestFew = 10

    package init(_ index: VectorIndex, vectors: VectorRows, seed: UInt64, threads: Int, isCancelled: @escaping @Sendable () -> Bool = { false }) {
        self.index = index
        self.vectors = vectors
        workers = Workers(threads: threads, isCancelled: isCancelled)
        var random = SplitMix64(seed: seed &+ 77)
        queries = random.sample(min(Self.queryCount, max(1, index.count / 16)), below: index.count).map { UInt32($0) }
    }

    /// The cheapest point for each way, k, share and target. O(queries · rows · dimension) for the truth, and searches.
    package func measure() -> [CalibratedPoint] {
        // Only few are asked for more than ten, or for ten of some.
        let elsewhere = min(queries.count, Self.queryCountElsewhere)
        let truth = nearest(to: queries[..<elsewhere], kept: Self.nearestKept) + nearest(to: queries[elsewhere...], kept: Self.nearestFew)
        var points: [CalibratedPoint] = []
        for (k, shares) in [(10, Self.shares), (100, [1])] where index.count > 4 * k {
            for share in shares where Float(index.count) * share >= Float(4 * k) {
                guard !workers.isCancelled() else { return [] }
                let mask = share < 1 ? ShareMask(index.count, share) : nil
                let asked = share == 1 && k == 10 ? truth.count : elsewhere
                let wanted = truth[..<asked].map { nearest in Array(nearest.lazy.filter { mask?.visible.contains($0) ?? true }.prefix(k)) }
                let widths = Self.widths.filter { $0 >= k && $0 <= index.count }
                if index.hasGraph, !widths.isEmpty {
                    points += best(.walk, k, share, trials(wanted, mask, widths.map { .walk(width: $0, refined: $0) }))
                }
                let lists = Self.listWidths.filter { $0 <= index.listCount }
                let refined = min(index.count, 64 * max(1, k / 10))
                points += best(.lists, k, share, trials(wanted, mask, lists.map { .lists(lists: $0, rows: 0, refined: refined) }))
            }
        }
        return points + [remotest(truth)]
    }

    /// What queries like the rows have near to them: one that has nothing so near is like none that plans were measured with.
    private func remotest(_ truth: [[UInt32]]) -> CalibratedPoint {
        let scratch = SearchScratch()
        let remotest = zip(queries, truth).reduce(Float(0)) { furthest, measured in
            guard let nearest = measured.1.first else { return furthest }
            return max(furthest, index.remoteness(of: vectors.row(Int(index.columns.rows[Int(measured.0)])), at: nearest, scratch: scratch))
        }
        return CalibratedPoint(method: .remotest, k: 1, share: 1, recall: 0, width: 1, rows: 0, refined: 1, cost: remotest)
    }

    // MARK: Trials

    /// A plan's outcome over all queries: how many of the wanted stood among the first so many candidates, and rows compared.
    private struct Trial {
        var plan: IndexPlan
        var foundWithin: [Int]
        var wanted: Int
        /// On average a query.
        var rows: Float
        var medoids: Float
    }

    /// Plans of rising width, as far as a wider one may still find more.
    private func trials(_ wanted: [[UInt32]], _ mask: ShareMask?, _ plans: [IndexPlan]) -> [Trial] {
        let total = max(1, wanted.reduce(0) { $0 + $1.count })
        var trials: [Trial] = []
        for plan in plans where !workers.isCancelled() {
            let trial = trial(plan, wanted, mask, total)
            trials.append(trial)
            if Float(trial.foundWithin[plan.refined]) >= Self.enough * Float(total) { break }
        }
        return trials
    }

    private static let enough: Float = 0.9985

    private func trial(_ plan: IndexPlan, _ wanted: [[UInt32]], _ mask: ShareMask?, _ total: Int) -> Trial {
        let results = TrialResults(wanted.count)
        let calibration = self
        workers.forEachBlock(wanted.count, size: 16, room: { SearchScratch() }) { block, scratch in
            for number in block {
                let position = calibration.queries[number]
                let query = calibration.vectors.row(Int(calibration.index.columns.rows[Int(position)]))
                let compared = calibration.index.findInOrder(query, plan: plan, visible: mask?.visible, excluding: position, scratch: scratch)
                results.set(number, (compared, wanted[number].compactMap { scratch.placeOfCandidate($0) }))
            }
        }
        var within = [Int](repeating: 0, count: plan.refined + 1)
        var compared = Comparisons(rows: 0, medoids: 0)
        for result in results.all {
            compared.rows += result.compared.rows
            compared.medoids += result.compared.medoids
            for place in result.places { within[place + 1] += 1 }
        }
        for place in 1...plan.refined { within[place] += within[place - 1] }
        let asked = Float(wanted.count)
        return Trial(
            plan: plan, foundWithin: within, wanted: total, rows: Float(compared.rows) / asked, medoids: Float(compared.medoids) / asked)
    }

    /// For each target the trial, and the candidates of it to refine, that reach it at the least cost.
    private func best(_ method: CalibratedPoint.Method, _ k: Int, _ share: Float, _ trials: [Trial]) -> [CalibratedPoint] {
        Self.targets.compactMap { target in
            var best: CalibratedPoint?
            for trial in trials {
                // A sample's recall is a little better or worse than all queries': ask for a little more.
                let wanted = Int((min(0.999, target + (1 - target) * 0.1) * Float(trial.wanted)).rounded(.up))
                guard let refined = trial.foundWithin.firstIndex(where: { $0 >= wanted }) else { continue }
                let kept = max(refined, k)
                let costs = index.costs
                let cost = trial.medoids * costs.scanned + trial.rows * (method == .walk ? costs.walked : costs.scanned) + Float(kept) * costs.refined
                if best.map({ cost < $0.cost }) ?? true {
                    best = CalibratedPoint(
                        method: method, k: UInt32(k), share: share, recall: target, width: UInt32(trial.plan.calibratedWidth),
                        rows: method == .lists ? UInt32(trial.rows) : 0, refined: UInt32(kept), cost: cost)
                }
            }
            return best
        }
    }

    // MARK: Truth

    /// By query, the nearest positions, exactly, the query's own left out.
    private func nearest(to queries: ArraySlice<UInt32>, kept: Int) -> [[UInt32]] {
        guard !queries.isEmpty else { return [] }
        let rowToPosition = CellBuffer<UInt32>(count: vectors.count)
        rowToPosition.cells.fill(.max)
        for position in 0..<index.count { rowToPosition.cells[Int(index.columns.rows[position])] = UInt32(position) }
        let blocks = (vectors.count + Self.blockRows - 1) / Self.blockRows
        let parts = min(workers.threads, blocks)
        let found = CandidateLists(parts)
        let calibration = self
        workers.forEach(parts) { part in
            let own = blocks * part / parts..<blocks * (part + 1) / parts
            found.set(part, calibration.nearest(to: queries, kept: kept, in: own, rowToPosition.cells.readOnly))
        }
        return queries.enumerated().map { number, query in
            var all = found.all.flatMap { $0[number] }
            all.sort { $0.isBetter(than: $1) }
            return all.lazy.map { rowToPosition.cells[Int($0.row)] }.filter { $0 != query }.prefix(kept).map { $0 }
        }
    }

    private static let blockRows = 1024

    private func nearest(to queries: ArraySlice<UInt32>, kept: Int, in blocks: Range<Int>, _ rowToPosition: Cells<UInt32>) -> [[Candidate]] {
        var search = FlatSearch(
            queries: queries.map { FlatQuery(vectors.row(Int(index.columns.rows[Int($0)])).span, metric: vectors.metric) },
            k: min(kept + 1, index.count))
        var selection: [UInt32] = []
        for block in blocks {
            guard !workers.isCancelled() else { break }
            let range = block * Self.blockRows..<min(vectors.count, (block + 1) * Self.blockRows)
            selection.removeAll(keepingCapacity: true)
            for row in range where rowToPosition[row] != .max { selection.append(UInt32(row - range.lowerBound)) }
            let rows = vectors.values.part(range.lowerBound * vectors.stride..<range.upperBound * vectors.stride)
            let page = FlatPage(
                rows: rows.span, stride: vectors.stride, factors: vectors.factors.part(range).span, ties: rowToPosition.part(range).span,
                firstRow: range.lowerBound)
            search.scan(page, selection: selection.span)
        }
        return search.finish()
    }
}

extension VectorIndex {
    /// About how many nanoseconds a row costs: walked to, scanned in its list, or ranked by its code and its share of vectors.
    var costs: (walked: Float, scanned: Float, refined: Float) {
        let codeLines = Float(codes.stride / 64)
        return hasLines ? (17, 4, 15 + 5 * codeLines) : (12 + 2.5 * codeLines, 5 + 2.5 * codeLines, 15 + 2 * codeLines)
    }
}

extension IndexPlan {
    fileprivate var calibratedWidth: Int {
        switch self {
        case .walk(let width, _, _): width
        case .lists(let lists, _, _, _): lists
        case .scan: 1
        }
    }
}

extension SearchScratch {
    /// Where `findInOrder` has put a position.
    fileprivate func placeOfCandidate(_ position: UInt32) -> Int? {
        for place in 0..<candidates.count where candidates[place] == position { return place }
        return nil
    }
}

/// A share of all positions, chosen by a hash: a smaller share is part of a larger.
private final class ShareMask: Sendable {
    private let words: CellBuffer<UInt64>
    let visible: VisiblePositions

    init(_ count: Int, _ share: Float) {
        words = CellBuffer(count: (count + 63) / 64)
        let limit = UInt64(Double(share) * 0x1p32)
        var population = 0
        for position in 0..<count {
            var random = SplitMix64(seed: UInt64(position))
            guard random.next() >> 32 < limit else { continue }
            words.cells[position >> 6] |= 1 << UInt64(position & 63)
            population += 1
        }
        visible = VisiblePositions(words: words.cells.readOnly, count: population)
    }
}

private final class TrialResults: Sendable {
    private let results: Mutex<[(compared: Comparisons, places: [Int])]>

    init(_ count: Int) { results = Mutex([(compared: Comparisons, places: [Int])](repeating: (Comparisons(rows: 0, medoids: 0), []), count: count)) }
    func set(_ place: Int, _ result: (compared: Comparisons, places: [Int])) { results.withLock { $0[place] = result } }
    var all: [(compared: Comparisons, places: [Int])] { results.withLock { $0 } }
}

private final class CandidateLists: Sendable {
    private let lists: Mutex<[[[Candidate]]]>

    init(_ count: Int) { lists = Mutex([[[Candidate]]](repeating: [], count: count)) }
    func set(_ place: Int, _ list: [[Candidate]]) { lists.withLock { $0[place] = list } }
    var all: [[[Candidate]]] { lists.withLock { $0 } }
}
