// A query made ready for codes or lines: centred, in 8 bits, in a scratch's memory.
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

extension SearchScratch {
    /// The query on the codes' grid: about the centre where distances decide, and then in the rows' step where it fits, so that
    /// whole numbers stay exact; from zero where products do, since a centre adds the same to each row's product then.
    func prepareCodes(
        _ query: Cells<Float>, centre: Cells<Float>, rowStep: Float, stride: Int, hasNorms: Bool, by kernels: CodeKernels
    ) -> PreparedCode {
        let centred = centred.cells.part(0..<query.count)
        let values = values.cells.part(0..<stride)
        let greatest = kernels.centre(query, around: centre, into: centred)
        let step = hasNorms && greatest <= 127 * rowStep ? rowStep : max(greatest / 127, .leastNormalMagnitude)
        let sum = kernels.quantize(centred.readOnly, scale: 1 / step, into: values)
        for j in query.count..<stride { values[j] = 0 }
        return PreparedCode(
            values: CodeQuery(values: values.readOnly, sum: sum), step: step, rowStep: rowStep, hasNorms: hasNorms,
            squaredLength: Float(Kernels.best.sumOfSquares(centred.span)))
    }

    /// The query on the lines' axes, into `lineQuery`.
    func prepareLine(_ query: Cells<Float>, _ axes: LineAxes, by kernels: CodeKernels) {
        let centred = centred.cells.part(0..<query.count)
        let values = lineValues.cells.part(0..<(query.count + 3) / 4 * 4)
        let step = max(kernels.centre(query, around: axes.mean, into: centred) / 127, .leastNormalMagnitude)
        _ = kernels.quantize(centred.readOnly, scale: 1 / step, into: values)
        for j in query.count..<values.count { values[j] = 0 }
        let projections = projections.cells
        kernels.project(values.readOnly, blocks: axes.blocks, columnSums: axes.sums, into: projections)
        let (floats, columnValues) = (columnFloats.cells, columnValues.cells)
        var greatest = Float.leastNormalMagnitude
        for column in 0..<LineColumn.count {
            floats[column] = Float(projections[column]) * axes.scales[column]
            greatest = max(greatest, floats[column].magnitude)
        }
        _ = kernels.quantize(floats.readOnly, scale: 127 / greatest, into: columnValues)
        // A level's middle: half the levels less one, below the level's number.
        var bias: Int32 = 0
        for column in 0..<LineColumn.count { bias += Int32(columnValues[column]) * LineColumn.middles[column] }
        lineQuery.setValues(columnValues.readOnly, scale: greatest / 127 * step, bias: Float(bias) / 2)
    }
}
