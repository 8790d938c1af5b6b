// A query made ready for codes and lines: in 8 bits on the codes' grid, and on the lines' axes.
import Memory

/// What lines are made by, lent by its owner: see `IndexColumns`.
struct LineAxes: Sendable {
    let mean: Cells<Float>
    let blocks: Cells<Int8>
    let sums: Cells<Int32>
    let scales: Cells<Float>
}

extension IndexColumns {
    var lineAxes: LineAxes { LineAxes(mean: lineMean, blocks: lineBlocks, sums: lineSums, scales: lineScales) }
}

extension SearchSpace {
    /// The query on the codes' grid: about the centre where distances decide, and then in the rows' step where it fits, so that
    /// whole numbers stay exact; from zero where products do, since a centre adds the same to each row's product then.
    ///
    /// - Parameter isExact: whether all rows stand on the grid, and the grid on whole numbers.
    func prepareCodes(
        _ query: Cells<Float>, centre: Cells<Float>, rowStep: Float, stride: Int, hasNorms: Bool, isExact: Bool, by kernels: CodeKernels
    ) -> PreparedCode {
        let centred = centred.part(0..<query.count)
        let values = values.part(0..<stride)
        let greatest = kernels.centre(query, around: centre, into: centred)
        let step = hasNorms && greatest <= 128 * rowStep ? rowStep : max(greatest / 127, .leastNormalMagnitude)
        let sum = kernels.quantize(centred.readOnly, scale: 1 / step, into: values)
        for j in query.count..<stride { values[j] = 0 }
        var squares: Int32 = 0
        if hasNorms { for j in 0..<query.count { squares &+= Int32(values[j]) &* Int32(values[j]) } }
        return PreparedCode(
            values: CodeQuery(values: values.readOnly, sum: sum), step: step, rowStep: rowStep, hasNorms: hasNorms,
            dimension: query.count, squares: Float(squares), squaredLength: Kernels.best.dot(centred.span, centred.span),
            isExact: isExact && step == rowStep && kernels.standsOn(centred.readOnly, values.readOnly, step: step))
    }

    /// The query on the lines' axes.
    func prepareLine(_ query: Cells<Float>, _ axes: LineAxes, into lineQuery: LineQuery, by kernels: CodeKernels) {
        let centred = centred.part(0..<query.count)
        let values = lineValues.part(0..<(query.count + 3) / 4 * 4)
        let step = max(kernels.centre(query, around: axes.mean, into: centred) / 127, .leastNormalMagnitude)
        _ = kernels.quantize(centred.readOnly, scale: 1 / step, into: values)
        for j in query.count..<values.count { values[j] = 0 }
        kernels.project(values.readOnly, blocks: axes.blocks, columnSums: axes.sums, into: projections)
        let (greatest, bias) = kernels.weigh(projections.readOnly, scales: axes.scales, into: columnValues)
        lineQuery.setValues(columnValues.readOnly, scale: greatest / 127 * step, bias: Float(bias) / 2)
    }
}

/// A query on the codes' grid.
struct PreparedCode {
    var values: CodeQuery
    var step: Float
    var rowStep: Float
    var hasNorms: Bool
    var dimension: Int
    /// Sum of the values' squares, where rows have norms.
    var squares: Float
    /// Of the query less what it was centred by.
    var squaredLength: Float
    /// Whether rows and query stand on the grid and the grid on whole numbers.
    var isExact: Bool

    /// Floats hold whole numbers up to here, and so do their sums of squares in any order.
    private static let wholeMax: Float = 0x1p24

    /// Whether a float would tell the same of all distances up to this one.
    func isExact(upTo distance: Float) -> Bool { squaredLength < Self.wholeMax && distance + squaredLength < Self.wholeMax }

    /// Standard deviation of a code distance's error, in its own units.
    ///
    /// Of a product it is that of the rounding of either side, along the other; of a distance, along the difference, which for
    /// near rows is short.
    func deviation(squaredError: Float, at distance: Float) -> Float {
        let queryError = step * step / 12
        if hasNorms {
            // Where both fall on one point of the grid there is still what they were rounded by.
            // Of whole numbers, since two long vectors' small distance is lost among the roundings of their lengths.
            let ratio = step / rowStep
            let squared = max(0, distance + squares * ratio * ratio) * rowStep * rowStep + Float(dimension) * (squaredError + queryError)
            return 2 * (squared * (squaredError + queryError)).squareRoot() / (rowStep * rowStep)
        }
        return (squaredLength * (squaredError + queryError)).squareRoot() / (step * rowStep)
    }
}
