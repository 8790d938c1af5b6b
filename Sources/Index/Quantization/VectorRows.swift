// The vectors that an index is built from and ranks by, and what they become on the way in.
package import Memory

/// Float32 rows as they are stored, lent by their owner.
package struct VectorRows: Sendable {
    /// `stride` floats a row.
    package let values: Cells<Float>
    package let stride: Int
    /// By row: `Metric.rowFactor`; NaN where there is no vector.
    package let factors: Cells<Float>
    package let dimension: Int
    package let metric: Metric

    package init(values: Cells<Float>, stride: Int, factors: Cells<Float>, dimension: Int, metric: Metric) {
        precondition(stride >= dimension && dimension > 0 && values.count == factors.count * stride, "a row has its values and its factor")
        self.values = values
        self.stride = stride
        self.factors = factors
        self.dimension = dimension
        self.metric = metric
    }

    package var count: Int { factors.count }
    package func hasNoVector(_ row: Int) -> Bool { factors[row].isNaN }
    func row(_ index: Int) -> Cells<Float> { values.part(index * stride..<index * stride + dimension) }
}

/// Turns every metric into nearness by Euclidean distance.
///
/// Cosine: vectors of length 1. Dot product: one more coordinate makes all rows as long as the longest, and queries have
/// none there (Bachrach et al. 2014): the nearest row is then the one with the greatest product. All but Euclidean rows
/// have one length, so that the dot product alone decides.
struct VectorTransform: Equatable, Sendable {
    let metric: Metric
    let sourceDimension: Int
    /// Squared length of the longest row where the metric is the dot product, but for outliers; 0 otherwise.
    let boundSquared: Float

    init(metric: Metric, sourceDimension: Int, boundSquared: Float) {
        self.metric = metric
        self.sourceDimension = sourceDimension
        self.boundSquared = boundSquared
    }

    init(_ rows: VectorRows, _ selected: [UInt32]) {
        let bound = rows.metric == .dot ? Inliers.limit(selected.map { rows.factors[Int($0)] }) : 0
        self.init(metric: rows.metric, sourceDimension: rows.dimension, boundSquared: bound)
    }

    /// Dimension of what rows become.
    var dimension: Int { metric == .dot ? sourceDimension + 1 : sourceDimension }
    /// Whether rows have lengths of their own, so that distances need them.
    var hasNorms: Bool { metric == .l2 }

    func prepare(_ row: Cells<Float>, factor: Float, into out: MutableCells<Float>) {
        switch metric {
        case .cosine:
            // A vector too short to have a direction: nowhere in particular.
            let scale = factor.isFinite ? factor : 0
            for j in 0..<sourceDimension { out[j] = row[j] * scale }
        case .l2: out.copy(row, at: 0)
        case .dot:
            out.copy(row, at: 0)
            out[sourceDimension] = max(0, boundSquared - factor).squareRoot()
        }
    }

    /// The direction decides for cosine and dot product: a query for the latter gets the length that rows have.
    func prepareQuery(_ query: Cells<Float>, into out: MutableCells<Float>) {
        switch metric {
        case .l2: out.copy(query, at: 0)
        case .cosine, .dot:
            let length = Float(Kernels.best.sumOfSquares(query.span).squareRoot())
            let wanted = metric == .cosine ? 1 : boundSquared.squareRoot()
            let scale = length > 0 ? wanted / length : 0
            for j in 0..<sourceDimension { out[j] = query[j] * scale }
            if metric == .dot { out[sourceDimension] = 0 }
        }
    }
}
