// Matrix products against the definition, through the system's BLAS and without it.
import Index
import Testing

@Suite struct MatrixProductTests {
    private static let sizes = [1, 2, 3, 7, 16, 33, 65, 130]

    @Test(arguments: [false, true])
    func `products are the definition's within rounding`(byKernels: Bool) {
        var generator = SeededGenerator(seed: 1)
        for (queryCount, rowCount) in zip(Self.sizes, Self.sizes.reversed()) {
            for dim in [1, 5, 64, 100, 384] {
                for (scale, keep) in [(Float(1), Float(0)), (-2, 0.5)] {
                    let trial = Trial(queryCount: queryCount, rowCount: rowCount, dim: dim, &generator)
                    let fault = trial.fault(scale: scale, keep: keep, byKernels: byKernels)
                    #expect(fault == nil, "\(queryCount) x \(rowCount) x \(dim), \(scale), \(keep)")
                }
            }
        }
    }

    @Test(arguments: [false, true])
    func `old products do not matter unless kept`(byKernels: Bool) {
        var generator = SeededGenerator(seed: 2)
        var trial = Trial(queryCount: 5, rowCount: 70, dim: 33, &generator)
        trial.oldProducts = trial.oldProducts.map { _ in .nan }
        #expect(trial.fault(scale: 1, keep: 0, byKernels: byKernels) == nil)
    }

    @Test func `threads may multiply at once`() async {
        let faults = await withTaskGroup(of: String?.self) { group in
            for seed in 0..<8 {
                group.addTask {
                    var generator = SeededGenerator(seed: UInt64(seed))
                    let trial = Trial(queryCount: 64, rowCount: 96, dim: 128, &generator)
                    return trial.fault(scale: 1, keep: 0, byKernels: false)
                }
            }
            return await group.reduce(into: [String]()) { if let fault = $1 { $0.append(fault) } }
        }
        #expect(faults.isEmpty)
    }

    @Test func `the library tells its name`() {
        #expect(!MatrixProduct.library.isEmpty)
    }
}

/// Two matrices and old products, each row followed by two floats that belong to nobody.
private struct Trial {
    let queryCount: Int, rowCount: Int, dim: Int
    let queries: [Float], rows: [Float]
    var oldProducts: [Float]

    private var stride: Int { dim + 2 }
    private var productStride: Int { rowCount + 2 }

    init(queryCount: Int, rowCount: Int, dim: Int, _ generator: inout SeededGenerator) {
        self.queryCount = queryCount
        self.rowCount = rowCount
        self.dim = dim
        queries = generator.floats(queryCount * (dim + 2))
        rows = generator.floats(rowCount * (dim + 2))
        oldProducts = generator.floats(queryCount * (rowCount + 2))
    }

    /// The first product that is not what it should be, if any.
    func fault(scale: Float, keep: Float, byKernels: Bool) -> String? {
        var products = oldProducts
        var span = products.mutableSpan
        let multiply = byKernels ? MatrixProduct.multiplyByKernels : MatrixProduct.multiply
        multiply(
            queries.span, queryCount, stride, rows.span, rowCount, stride, dim, scale, keep, &span, productStride)
        for i in 0..<queryCount {
            for j in 0..<productStride {
                let place = i * productStride + j
                guard j < rowCount else {
                    if products[place].bitPattern != oldProducts[place].bitPattern { return "wrote past row \(i)" }
                    continue
                }
                let query = queries.span.extracting(i * stride..<i * stride + dim)
                let row = rows.span.extracting(j * stride..<j * stride + dim)
                let old = keep == 0 ? 0 : Double(keep) * Double(oldProducts[place])
                let want = Double(scale) * Double(ScalarKernels.dot(query, row)) + old
                let unit = roundingUnit(
                    dim: dim, ScalarKernels.sumOfSquares(query), ScalarKernels.sumOfSquares(row))
                let bound = 4 * Double(abs(scale)) * unit + 0x1p-22 * abs(old)
                if !(abs(Double(products[place]) - want) <= bound) {
                    return "\(i), \(j): \(products[place]) is not \(want)"
                }
            }
        }
        return nil
    }
}
