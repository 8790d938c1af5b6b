// Lists: rows grouped around centres, found by k-means.
import Memory

/// Centres found on a sample by Lloyd's iterations, `dimension` floats each.
struct ListCentres: Sendable {
    let values: [Float]
    let dimension: Int
    /// Half of each centre's squared length: what a product lacks of telling the nearest.
    private let halfSquares: [Float]

    var count: Int { halfSquares.count }

    /// O(iterations · sample · count · dimension), by matrix products.
    init(sample: Cells<Float>, dimension: Int, count: Int, seed: UInt64, workers: Workers) {
        let rows = sample.count / dimension
        var random = SplitMix64(seed: seed)
        var centres = ListCentres(random.sample(min(count, rows), below: rows).flatMap { row in
            (0..<dimension).map { sample[row * dimension + $0] }
        }, dimension)
        let nearest = CellBuffer<UInt32>(count: rows)
        for _ in 0..<Self.iterations where !workers.isCancelled() {
            let current = centres
            workers.forEachBlock(rows, size: Self.blockRows, room: { CellBuffer<Float>(count: Self.blockRows * current.count) }) { block, products in
                current.assign(
                    sample.part(block.lowerBound * dimension..<block.upperBound * dimension), into: nearest.cells.part(block), distances: nil,
                    products: products.cells)
            }
            centres = Self.means(of: sample, by: nearest.cells.readOnly, current, &random)
        }
        self = centres
    }

    private init(_ values: [Float], _ dimension: Int) {
        self.values = values
        self.dimension = dimension
        halfSquares = (0..<values.count / dimension).map { row in
            var sum: Float = 0
            for j in row * dimension..<(row + 1) * dimension { sum += values[j] * values[j] }
            return sum / 2
        }
    }

    private static let iterations = 6
    static let blockRows = 1024

    /// The nearest centre of each row, and the squared distance less the row's own squared length. `products` is room for a
    /// number a row and centre.
    func assign(_ rows: Cells<Float>, into nearest: MutableCells<UInt32>, distances: MutableCells<Float>?, products: MutableCells<Float>) {
        let count = rows.count / dimension
        var output = products.mutableSpan
        MatrixProduct.multiply(
            queries: rows.span, queryCount: count, queryStride: dimension, rows: values.span, rowCount: self.count, rowStride: dimension,
            dim: dimension, into: &output, productStride: self.count)
        for row in 0..<count {
            var (best, bestValue) = (0, -Float.infinity)
            for centre in 0..<self.count {
                let value = products[row * self.count + centre] - halfSquares[centre]
                if value > bestValue { (best, bestValue) = (centre, value) }
            }
            nearest[row] = UInt32(best)
            if let distances { distances[row] = -2 * bestValue }
        }
    }

    /// Means of what is nearest to each centre; one that has nothing moves to a row chosen at random.
    private static func means(of sample: Cells<Float>, by nearest: Cells<UInt32>, _ old: ListCentres, _ random: inout SplitMix64) -> ListCentres {
        let dimension = old.dimension
        let sums = CellBuffer<Float>(count: old.values.count)
        var counts = [Int](repeating: 0, count: old.count)
        for row in 0..<nearest.count {
            let centre = Int(nearest[row])
            counts[centre] += 1
            let (sum, values) = (sums.cells.part(centre * dimension..<(centre + 1) * dimension), sample.part(row * dimension..<(row + 1) * dimension))
            for j in 0..<dimension { sum[j] += values[j] }
        }
        for centre in 0..<old.count {
            let sum = sums.cells.part(centre * dimension..<(centre + 1) * dimension)
            if counts[centre] == 0 {
                let row = random.next(below: nearest.count)
                sum.copy(sample.part(row * dimension..<(row + 1) * dimension), at: 0)
            } else {
                for j in 0..<dimension { sum[j] /= Float(counts[centre]) }
            }
        }
        return ListCentres((0..<old.values.count).map { sums.cells[$0] }, dimension)
    }
}
