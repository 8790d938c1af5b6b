// The grid that 8-bit codes stand on: one centre a dimension, one step for all.
import Memory

/// x[j] ≈ centre[j] + step · value[j], values of -128...127.
struct CodeGrid: Sendable {
    var centre: [Float]
    var step: Float
    /// Mean squared error of one value, as a sample had it; 0 where every value stands on the grid.
    var squaredError: Float

    /// The grid with the least squared error on a sample of rows, `dimension` floats each: the span between the least and the
    /// greatest value (exact for bytes), or mean values with a step that cuts rare extremes off.
    init(sample: Cells<Float>, dimension: Int) {
        let span = Self.span(of: sample)
        // Where all values are one, any step will do that their arithmetic stands.
        let stepMin = max(max(span.least.magnitude, span.greatest.magnitude) * 0x1p-20, 0x1p-60)
        let spanStep = max((span.greatest - span.least) / 255, stepMin)
        var best = CodeGrid(centre: [Float](repeating: span.least + 128 * spanStep, count: dimension), step: spanStep, sample)
        let mean = Self.mean(of: sample, dimension: dimension)
        let (spread, reach) = Self.spread(of: sample, around: mean)
        let steps = Self.widths.filter { $0 * spread < reach }.map { 2 * $0 * spread / 255 } + [reach / 127]
        for step in steps where best.squaredError > 0 {
            let step = max(step, stepMin)
            let grid = CodeGrid(centre: Self.shifted(mean, within: step), step: step, sample)
            if grid.squaredError < best.squaredError { best = grid }
        }
        self = best
    }

    /// Each dimension's grid begins at a place of its own: dimensions with equal values would be rounded alike, and the errors,
    /// which otherwise cancel each other out, would add up.
    private static func shifted(_ mean: [Float], within step: Float) -> [Float] {
        var random = SplitMix64(seed: 13)
        return mean.map { $0 + step * (Float(random.next() >> 40) * 0x1p-24 - 0.5) }
    }

    static func mean(of sample: Cells<Float>, dimension: Int) -> [Float] {
        let rows = sample.count / dimension
        var sums = [Double](repeating: 0, count: dimension)
        for row in 0..<rows { for j in 0..<dimension { sums[j] += Double(sample[row * dimension + j]) } }
        return sums.map { Float($0 / Double(rows)) }
    }

    private static func span(of sample: Cells<Float>) -> (least: Float, greatest: Float) {
        var (least, greatest) = (sample[0], sample[0])
        for i in 0..<sample.count {
            least = min(least, sample[i])
            greatest = max(greatest, sample[i])
        }
        return (least, greatest)
    }

    /// Standard deviation and greatest distance of values from their dimension's mean.
    private static func spread(of sample: Cells<Float>, around mean: [Float]) -> (deviation: Float, reach: Float) {
        let (dimension, rows) = (mean.count, sample.count / mean.count)
        let (centre, centred) = (CellBuffer(mean), CellBuffer<Float>(count: dimension))
        var (squares, reach) = (0.0, Float(0))
        for row in 0..<rows {
            let values = sample.part(row * dimension..<(row + 1) * dimension)
            reach = max(reach, CodeKernels.best.centre(values, around: centre.cells.readOnly, into: centred.cells))
            squares += Kernels.best.sumOfSquares(centred.cells.span)
        }
        return (Float((squares / Double(sample.count)).squareRoot()), reach)
    }

    /// Standard deviations to either side that a grid reaches.
    private static let widths: [Float] = [3, 3.5, 4, 5, 6, 8, 12]

    init(centre: [Float], step: Float, squaredError: Float) {
        self.centre = centre
        self.step = step
        self.squaredError = squaredError
    }

    private init(centre: [Float], step: Float, _ sample: Cells<Float>) {
        self.init(centre: centre, step: step, squaredError: 0)
        let (dimension, scale) = (centre.count, 1 / step)
        let centres = CellBuffer(centre)
        var error = 0.0
        for row in 0..<sample.count / dimension {
            let values = sample.part(row * dimension..<(row + 1) * dimension)
            var rowError: Float = 0
            for j in 0..<dimension {
                let value = (values[j] - centres.cells[j]) * scale
                let e = value - max(-128, min(127, value.rounded(.toNearestOrEven)))
                rowError += e * e
            }
            error += Double(rowError)
        }
        squaredError = Float(error / Double(sample.count)) * step * step
    }

    /// Whether its points are whole numbers next to each other.
    var standsOnWholeNumbers: Bool { step == 1 && centre.allSatisfy { $0 == $0.rounded() } }

    /// Bytes of a row: values, the sum of their squares where distances need it, and the rest of the last cache line.
    static func stride(dimension: Int, hasNorms: Bool) -> Int { (dimension + (hasNorms ? 4 : 0) + 63) / 64 * 64 }
}
