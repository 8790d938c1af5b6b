// What the tests of whole indexes share: seeded vectors of many kinds, an index over them, and the naive truth.
import Index
import Memory
import TestSupport

/// Vectors with an index over all of them.
struct IndexFixture {
    let vectors: VectorRows
    let built: BuiltIndex
    let index: VectorIndex
    private let values: CellBuffer<Float>
    private let factors: CellBuffer<Float>

    init(_ rows: [[Float]], _ metric: Metric, _ change: (inout IndexSettings) -> Void = { _ in }) {
        (vectors, values, factors) = Self.vectors(rows, metric)
        var settings = IndexSettings()
        change(&settings)
        built = IndexBuilder(vectors, rows: (0..<UInt32(rows.count)).map { $0 }, settings: settings).build()!  // Not cancelled.
        index = VectorIndex(built.columns, metric: metric, owner: built)
    }

    /// Whether a build gives nothing when it is asked so.
    static func isCancelled(_ rows: [[Float]], _ metric: Metric, when isCancelled: @escaping @Sendable () -> Bool) -> Bool {
        let (vectors, values, factors) = vectors(rows, metric)
        var settings = IndexSettings()
        settings.isCancelled = isCancelled
        return withExtendedLifetime((values, factors)) {
            IndexBuilder(vectors, rows: (0..<UInt32(rows.count)).map { $0 }, settings: settings).build() == nil
        }
    }

    private static func vectors(_ rows: [[Float]], _ metric: Metric) -> (VectorRows, CellBuffer<Float>, CellBuffer<Float>) {
        let dimension = rows[0].count
        let (values, factors) = (CellBuffer<Float>(count: rows.count * dimension), CellBuffer<Float>(count: rows.count))
        for (i, row) in rows.enumerated() {
            for (j, value) in row.enumerated() { values.cells[i * dimension + j] = value }
            factors.cells[i] = metric.rowFactor(row.span)
        }
        let vectors = VectorRows(
            values: values.cells.readOnly, stride: dimension, factors: factors.cells.readOnly, dimension: dimension, metric: metric)
        return (vectors, values, factors)
    }

    var count: Int { vectors.count }

    /// The score of every row by the naive formula; larger is nearer.
    func scores(_ query: [Float]) -> [Double] {
        (0..<count).map { row in
            let x = vectors.values.part(row * vectors.stride..<row * vectors.stride + vectors.dimension)
            var (dot, squared, distance) = (0.0, 0.0, 0.0)
            for j in 0..<query.count {
                dot += Double(query[j]) * Double(x[j])
                squared += Double(x[j]) * Double(x[j])
                distance += (Double(query[j]) - Double(x[j])) * (Double(query[j]) - Double(x[j]))
            }
            switch vectors.metric {
            case .cosine: return dot / squared.squareRoot()
            case .dot: return dot
            case .l2: return -distance
            }
        }
    }

    /// The rows that a search finds, best first.
    func found(_ query: [Float], k: Int, _ plan: IndexPlan, visible: VisiblePositions? = nil, _ scratch: SearchScratch) -> [UInt32] {
        let buffer = CellBuffer<Float>(count: query.count)
        for (j, value) in query.enumerated() { buffer.cells[j] = value }
        return withExtendedLifetime(buffer) {
            _ = index.search(buffer.cells.readOnly, k: k, plan: plan, visible: visible, scratch: scratch)
            vectors.rank(buffer.cells.readOnly, k: k, scratch: scratch)
            return (0..<scratch.results.count).map { scratch.results[$0].row }
        }
    }

    /// The share of the true best k that searches find. A row as good as the k-th counts: which of equals is found is open.
    func recall(_ queries: [[Float]], k: Int, _ plan: IndexPlan) -> Double {
        let scratch = SearchScratch()
        var hits = 0
        for query in queries {
            let scores = scores(query)
            let last = scores.sorted(by: >)[min(k, count) - 1]
            let slack = 1e-6 * max(abs(last), scores.map(abs).max()! * 1e-3)  // There are rows.
            hits += min(k, found(query, k: k, plan, scratch).filter { scores[Int($0)] >= last - slack }.count)
        }
        return Double(hits) / Double(queries.count * min(k, count))
    }
}

/// Kinds of data, each hard in its own way.
enum VectorKind: String, CaseIterable, CustomStringConvertible {
    case gaussian, lowRank, farClusters, heavyDimensions, outlierRows, constantDimensions, allEqual, duplicates, bytes

    var description: String { rawValue }

    func rows(_ count: Int, _ dimension: Int, _ random: inout SeededRandom) -> [[Float]] {
        switch self {
        case .gaussian: return (0..<count).map { _ in normal(dimension, &random) }
        case .lowRank:
            let axes = (0..<max(1, dimension / 8)).map { _ in normal(dimension, &random) }
            return (0..<count).map { _ in
                var row = normal(dimension, &random).map { 0.1 * $0 }
                for axis in axes {
                    let weight = normal(1, &random)[0]
                    for j in 0..<dimension { row[j] += weight * axis[j] }
                }
                return row
            }
        case .farClusters:
            let centres = (0..<20).map { _ in normal(dimension, &random).map { 100 * $0 } }
            return (0..<count).map { i in zip(centres[i % centres.count], normal(dimension, &random)).map { $0 + $1 } }
        case .heavyDimensions:
            return (0..<count).map { _ in normal(dimension, &random).enumerated().map { $0 % 16 == 0 ? 30 * $1 * $1 * $1 : $1 } }
        case .outlierRows:
            return (0..<count).map { i in normal(dimension, &random).map { i % 500 == 7 ? 1000 * $0 : $0 } }
        case .constantDimensions:
            return (0..<count).map { _ in normal(dimension, &random).enumerated().map { $0 % 4 == 0 ? $1 : 0.5 } }
        case .allEqual:
            let row = normal(dimension, &random)
            return [[Float]](repeating: row, count: count)
        case .duplicates:
            let rows = (0..<max(1, count / 50)).map { _ in normal(dimension, &random) }
            return (0..<count).map { rows[$0 % rows.count] }
        case .bytes: return (0..<count).map { _ in (0..<dimension).map { _ in Float(UInt8.random(in: 0...255, using: &random)) } }
        }
    }

    private func normal(_ count: Int, _ random: inout SeededRandom) -> [Float] {
        (0..<count).map { _ in (0..<6).reduce(-3) { sum, _ in sum + Float.random(in: 0..<1, using: &random) } }
    }
}
