// Filters that leave a given share of the rows: drawn at random, or going with or against what a query asks for.
import ArgumentParser
import Index

/// How the rows that a filter leaves lie to the query.
enum Correlation: String {
    case random
    /// Where its neighbours are: a topic, and questions on it.
    case near
    /// Far from it: a topic, and questions on others.
    case far
}

/// `0.1`, `near:0.1` or `far:0.01` on a command line.
struct FilterShape: ExpressibleByArgument {
    let correlation: Correlation
    let share: Double

    init?(argument: String) {
        let parts = argument.split(separator: ":", maxSplits: 1)
        guard let correlation = parts.count == 2 ? Correlation(rawValue: String(parts[0])) : .random, let share = parts.last.flatMap({ Double($0) }),
            share > 0, share <= 0.5
        else { return nil }
        self.correlation = correlation
        self.share = share
    }
}

/// Every row has a label, every query wants one: an equality on a declared field.
///
/// Correlated labels are numbers of the nearest of `1 / share` rows chosen at random, so their shares vary around it.
struct BenchFilter: Sendable {
    let name: String
    /// The declared field that holds the labels.
    let field: String
    let labels: [Int32]
    let wanted: [Int32]
    /// Who sees what it leaves, where that is a matter of rights and not of a condition.
    private(set) var reader: String?

    /// Documents drawn at random, guarded by access objects.
    init(rights share: Double, number: Int, _ data: BenchData) {
        name = "rights \((share * 100).shown(share < 0.01 ? 1 : 0)) %"
        field = "rights\(number)"
        var random = SplitMix(seed: UInt64(2 + number))
        labels = (0..<data.count).map { _ in Double.random(in: 0..<1, using: &random) < share ? 1 : 0 }
        wanted = [Int32](repeating: 1, count: data.queryCount)
        reader = "user:reader\(number)"
    }

    init(_ shape: FilterShape, field: String, _ data: BenchData, k: Int) {
        name = "\(shape.correlation.rawValue) \((shape.share * 100).shown(shape.share < 0.01 ? 1 : 0)) %"
        self.field = field
        var random = SplitMix(seed: 1)
        if shape.correlation == .random {
            labels = (0..<data.count).map { _ in Double.random(in: 0..<1, using: &random) < shape.share ? 1 : 0 }
            wanted = [Int32](repeating: 1, count: data.queryCount)
        } else {
            let anchors = Anchors((0..<max(2, Int((1 / shape.share).rounded()))).map { _ in Int.random(in: 0..<data.count, using: &random) }, of: data)
            let labels = anchors.nearest(to: data.base, data, k: 1).map { $0[0] }
            self.labels = labels
            var sizes = [Int](repeating: 0, count: anchors.count)
            for label in labels { sizes[Int(label)] += 1 }
            // A label of fewer than k rows would make recall easy.
            wanted = anchors.nearest(to: data.queries, data, k: anchors.count).map { order in
                (shape.correlation == .near ? order : order.reversed()).first { sizes[Int($0)] >= k } ?? order[0]
            }
        }
    }

    /// One mask serves all queries.
    var isShared: Bool { wanted.allSatisfy { $0 == wanted[0] } }
}

/// Some rows, and which of them are nearest to others.
private struct Anchors {
    let count: Int
    private let rows: [Float]
    private let factors: [Float]

    init(_ numbers: [Int], of data: BenchData) {
        count = numbers.count
        rows = numbers.flatMap { data.row($0) }
        factors = numbers.map { data.factors[$0] }
    }

    /// Numbers of the k nearest anchors of each vector, nearest first.
    func nearest(to vectors: [Float], _ data: BenchData, k: Int) -> [[Int32]] {
        let (all, ties) = ((0..<count).map { UInt32($0) }, (0..<count).map { UInt32($0) })
        let vectorCount = vectors.count / data.dimension
        let atOnce = 1024
        return stride(from: 0, to: vectorCount, by: atOnce).flatMap { first in
            let queries = (first..<min(first + atOnce, vectorCount)).map { FlatQuery(vectors.span.extracting(data.rowRange($0)), metric: data.metric) }
            var search = FlatSearch(queries: queries, k: k)
            search.scan(
                FlatPage(rows: rows.span, stride: data.dimension, factors: factors.span, ties: ties.span, firstRow: 0), selection: all.span)
            return search.finish().map { $0.map { Int32($0.row) } }
        }
    }
}

/// The same numbers from the same seed, on every machine.
private struct SplitMix: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = (state ^ (state >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
