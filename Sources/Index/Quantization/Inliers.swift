// What a sample is like without its few rows that are far out: one of them would set the scale for all others.
import Memory

enum Inliers {
    /// One row in so many may be an outlier: searches compare each of them.
    static let rowsPerOutlier = 256
    /// How much further out than other rows an outlier is, squared.
    static let distanceSquaredMin: Float = 16

    /// The limit that values are held to: the greatest, unless it belongs to one of few that exceed all others by far.
    static func limit(_ values: [Float]) -> Float {
        let rising = values.sorted()
        guard let greatest = rising.last else { return 0 }
        let usual = distanceSquaredMin * rising[rising.count - 1 - rising.count / rowsPerOutlier]
        return greatest <= usual ? greatest : usual
    }

    /// Moves the rows that are not far out to the front, in their order; returns how many. Twice, since the mean to begin
    /// with is the outliers' too.
    static func gather(_ sample: MutableCells<Float>, dimension: Int) -> Int {
        var count = sample.count / dimension
        for _ in 0..<2 {
            let distances = squaredDistances(sample.readOnly.part(0..<count * dimension), dimension: dimension)
            let limit = limit(distances)
            var kept = 0
            for row in 0..<count where distances[row] <= limit {
                if kept < row { sample.copy(sample.readOnly.part(row * dimension..<(row + 1) * dimension), at: kept * dimension) }
                kept += 1
            }
            if kept == count { break }
            count = kept
        }
        return count
    }

    /// Of each row from their mean.
    private static func squaredDistances(_ sample: Cells<Float>, dimension: Int) -> [Float] {
        let rows = sample.count / dimension
        let (mean, centred) = (CellBuffer(CodeGrid.mean(of: sample, dimension: dimension)), CellBuffer<Float>(count: dimension))
        return (0..<rows).map { row in
            _ = CodeKernels.best.centre(sample.part(row * dimension..<(row + 1) * dimension), around: mean.cells.readOnly, into: centred.cells)
            return Float(Kernels.best.sumOfSquares(centred.cells.span))
        }
    }
}
