// Chooses the way through an index: from how many rows are visible, counted, and from what was measured at build.
import Memory

extension VectorIndex {
    /// What a search is to spend on an index.
    package enum Effort: Equatable, Sendable {
        case recall(Float)
        /// Candidates that a walk keeps, or that lists are searched for.
        case width(Int)
    }

    /// The cheapest plan that is expected to find that share of the k nearest; nil where every visible row is better compared
    /// exactly: where few are left, or where no plan was measured to find enough.
    ///
    /// - Parameter visibleCount: how many positions may be seen, all of them where there is no filter.
    package func plan(k: Int, effort: Effort, visibleCount: Int) -> (plan: IndexPlan, recall: Float)? {
        guard visibleCount > max(Self.exactRowsMax, 2 * k) else { return nil }
        let share = Float(visibleCount) / Float(count)
        switch effort {
        case .width(let width):
            let width = max(width, k)
            let plan: IndexPlan = hasGraph && share > 0.3
                ? .walk(width: Int(Float(width) / share), refined: width) : .lists(lists: max(1, width / 4), rows: 16 * width, refined: width)
            return (plan, expectedRecall(of: width, k: k))
        case .recall(let recall):
            let walk = choice(.walk, k: k, recall: recall, share: share), lists = choice(.lists, k: k, recall: recall, share: share)
            guard let best = [walk, lists].compactMap({ $0 }).min(by: { $0.cost < $1.cost }) else { return nil }
            let scan = Float(visibleCount) * costs.scanned + Float(Self.scanRefined * best.refined) * costs.refined
            return (scan < best.cost ? .scan(refined: Self.scanRefined * best.refined) : best.plan(elsewhere: elsewhere(lists, visibleCount)), best.recall)
        }
    }

    /// So few rows are compared by their vectors in the time of a walk.
    private static let exactRowsMax = 64

    /// A scan finds all, wherever they lie, if only enough of them are ranked: of the furthest tenth of 96,000 x 384 rows, .92 with
    /// what walks among all need for .95, .985 with twice as many.
    private static let scanRefined = 2

    /// Visible rows to compare, nearest lists first, where few of those near to the query are visible. Of the furthest tenth and hundredth, .95
    /// took between a half and nine tenths, so all are compared; of the furthest half an eighth to a third, here twice what rows spread
    /// evenly need and a half at least (60,000 x 784, 96,000 x 384).
    private func elsewhere(_ lists: Choice?, _ visibleCount: Int) -> Int {
        guard let lists, 4 * visibleCount >= count else { return visibleCount }
        let rows = 2 * Float(lists.rows) * max(1, Float(visibleCount) / lists.visibleCount)
        return min(visibleCount, max(visibleCount / 2, Int(rows)))
    }

    private struct Choice {
        var method: CalibratedPoint.Method
        var width: Int
        var rows: Int
        var refined: Int
        var recall: Float
        var cost: Float
        /// Where it was measured.
        var visibleCount: Float

        func plan(elsewhere: Int) -> IndexPlan {
            method == .walk
                ? .walk(width: width, refined: refined, elsewhere: elsewhere) : .lists(lists: width, rows: rows, refined: refined, elsewhere: elsewhere)
        }
    }

    /// From the points of the largest share measured that is not above the one at hand. Below all of them, the walk is not
    /// chosen any more, and lists go on to as many visible rows as then.
    private func choice(_ method: CalibratedPoint.Method, k: Int, recall: Float, share: Float) -> Choice? {
        guard let few = calibration.point(method, share: share, recall: recall) else { return nil }
        let growth = growth(method, k: k, recall: recall)
        // A calibration is advice: whatever it says, there are no more candidates than rows.
        func grown(_ value: UInt32, by factor: Float) -> Int { Int(max(1, min(Float(count), (Float(value) * factor).rounded(.up)))) }
        let width = grown(few.width, by: growth.width), rows = max(k, grown(few.rows, by: growth.width))
        return Choice(
            method: method, width: method == .walk ? max(width, k) : width, rows: rows, refined: max(k, grown(few.refined, by: growth.refined)),
            recall: few.recall, cost: few.cost * growth.width, visibleCount: few.share * Float(count))
    }

    /// How much wider than for ten a search must be for k: measured at 100, in proportion beyond and in between.
    private func growth(_ method: CalibratedPoint.Method, k: Int, recall: Float) -> (width: Float, refined: Float) {
        guard k > 10 else { return (1, 1) }
        let many = calibration.pointForMany(method, recall: recall)
        guard let many, let few = calibration.point(method, share: 1, recall: recall) else { return (Float(k) / 10, Float(k) / 10) }
        let step = Float(k - 10) / 90
        return (
            1 + step * (max(1, Float(many.width) / Float(few.width)) - 1), 1 + step * (max(1, Float(many.refined) / Float(few.refined)) - 1)
        )
    }

    /// What a walk of a width given by hand can be expected to find, as far as that was measured.
    private func expectedRecall(of width: Int, k: Int) -> Float { calibration.recall(ofWalk: width * 10 / max(k, 10)) }
}

/// The points measured of an index, put in order once, so that a search looks its own up without allocating.
struct CalibrationTable: Sendable {
    /// For ten nearest: by method, shares falling, and for each its points by rising recall.
    private var few: [[(share: Float, points: [CalibratedPoint])]] = [[], []]
    /// For a hundred, all rows visible.
    private var many: [[CalibratedPoint]] = [[], []]
    /// How far the nearest row was from the query that had none nearer, of those that the plans were measured with; nil where unknown.
    let remotest: Float?

    init(_ points: [CalibratedPoint]) {
        remotest = points.first { $0.method == .remotest }?.cost
        for method in [CalibratedPoint.Method.walk, .lists] {
            let own = points.filter { $0.method == method }.sorted { $0.recall < $1.recall }
            let shares = Set(own.filter { $0.k == 10 }.map(\.share)).sorted(by: >)
            few[Int(method.rawValue)] = shares.map { share in (share, own.filter { $0.k == 10 && $0.share == share }) }
            many[Int(method.rawValue)] = own.filter { $0.k == 100 && $0.share == 1 }
        }
    }

    /// The point of the largest share measured that is not above the one at hand, and of the least recall that is enough. Below all
    /// shares there is none for walks, and for lists that of the least.
    func point(_ method: CalibratedPoint.Method, share: Float, recall: Float) -> CalibratedPoint? {
        let groups = few[Int(method.rawValue)]
        var found: Int?
        for index in groups.indices where groups[index].share <= share * 1.001 {
            found = index
            break
        }
        if found == nil, method == .lists, !groups.isEmpty { found = groups.count - 1 }
        guard let found else { return nil }
        return Self.least(groups[found].points, recall)
    }

    func pointForMany(_ method: CalibratedPoint.Method, recall: Float) -> CalibratedPoint? { Self.least(many[Int(method.rawValue)], recall) }

    private static func least(_ points: [CalibratedPoint], _ recall: Float) -> CalibratedPoint? {
        for point in points where point.recall >= recall { return point }
        return nil
    }

    /// What a walk of this width finds of ten, all rows visible; half where that is below all that was measured.
    func recall(ofWalk width: Int) -> Float {
        guard let all = few[0].first, all.share == 1 else { return 0.5 }
        var recall: Float = 0.5
        for point in all.points where Int(point.width) <= width { recall = max(recall, point.recall) }
        return recall
    }
}
