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
        let rows = sample.count / dimension
        var (least, greatest) = (sample[0], sample[0])
        var means = [Double](repeating: 0, count: dimension)
        for row in 0..<rows {
            for j in 0..<dimension {
                let x = sample[row * dimension + j]
                least = min(least, x)
                greatest = max(greatest, x)
                means[j] += Double(x)
            }
        }
        let mean = means.map { Float($0 / Double(rows)) }
        let spanStep = max((greatest - least) / 255, .leastNormalMagnitude)
        let wholeSpan = CodeGrid(centre: [Float](repeating: least + 128 * spanStep, count: dimension), step: spanStep, sample, dimension)
        var best = wholeSpan
        // Around the means, the sum of squares tells the spread.
        var (sumOfSquares, reach) = (0.0, Float(0))
        for row in 0..<rows {
            for j in 0..<dimension {
                let y = sample[row * dimension + j] - mean[j]
                sumOfSquares += Double(y * y)
                reach = max(reach, y.magnitude)
            }
        }
        let spread = Float((sumOfSquares / Double(rows * dimension)).squareRoot())
        for width in Self.widths where width * spread < reach {
            let grid = CodeGrid(centre: mean, step: max(2 * width * spread / 255, .leastNormalMagnitude), sample, dimension)
            if grid.squaredError < best.squaredError { best = grid }
        }
        let whole = CodeGrid(centre: mean, step: max(reach / 127, .leastNormalMagnitude), sample, dimension)
        self = whole.squaredError < best.squaredError ? whole : best
    }

    /// Standard deviations to either side that a grid reaches.
    private static let widths: [Float] = [3, 3.5, 4, 5, 6, 8, 12]

    init(centre: [Float], step: Float, squaredError: Float) {
        self.centre = centre
        self.step = step
        self.squaredError = squaredError
    }

    private init(centre: [Float], step: Float, _ sample: Cells<Float>, _ dimension: Int) {
        self.init(centre: centre, step: step, squaredError: 0)
        var error = 0.0
        for row in 0..<sample.count / dimension {
            for j in 0..<dimension {
                let value = (sample[row * dimension + j] - centre[j]) / step
                let e = value - max(-128, min(127, value.rounded(.toNearestOrEven)))
                error += Double(e * e)
            }
        }
        squaredError = Float(error / Double(sample.count)) * step * step
    }

    /// Whether its points are whole numbers next to each other.
    var standsOnWholeNumbers: Bool { step == 1 && centre.allSatisfy { $0 == $0.rounded() } }

    /// Bytes of a row: values, the sum of their squares where distances need it, and the rest of the last cache line.
    static func stride(dimension: Int, hasNorms: Bool) -> Int { (dimension + (hasNorms ? 4 : 0) + 63) / 64 * 64 }
}
