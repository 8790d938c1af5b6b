// Codes of rows that no index holds yet, by the parameters of one that holds rows like them.
import Memory

/// Makes a line of each row where the index has lines, a row of 8-bit codes on its grid where not. Keeps copies of what it
/// needs, so that the index may go. Safe to use from any thread.
package final class RowEncoder: Sendable {
    private enum Form: Sendable {
        case line(LineEncoder)
        case grid(GridEncoder)
    }

    let transform: VectorTransform
    /// Bytes of a row's code.
    let stride: Int
    private let form: Form

    package init(_ index: VectorIndex) {
        transform = index.transform
        form = index.hasLines ? .line(LineEncoder(index)) : .grid(GridEncoder(index))
        stride = index.hasLines ? LineColumn.lineBytes : index.codes.stride
    }

    /// For one thread to encode in.
    var scratch: EncoderScratch { EncoderScratch(dimension: transform.dimension, stride: stride) }

    /// The row's code, into `scratch.code`; false where it does not tell where the row is.
    func encode(_ row: Cells<Float>, factor: Float, in scratch: EncoderScratch) -> Bool {
        transform.prepare(row, factor: factor, into: scratch.prepared.cells)
        let isGood =
            switch form {
            case .line(let encoder): encoder.encode(in: scratch)
            case .grid(let encoder): encoder.encode(in: scratch)
            }
        // Products become distances by making all rows as long as the index's longest: this one is longer.
        return isGood && !(transform.metric == .dot && factor > transform.boundSquared)
    }

    /// What compares codes with a query, in the scratch's memory.
    enum Scorer {
        case line(LineScorer)
        case grid(CodeScorer)
    }

    /// - Parameter candidates: how many the scratch is to have room for.
    func scorer(of query: Cells<Float>, candidates: Int, _ scratch: SearchScratch) -> Scorer {
        let space = scratch.reserve(rows: 0, dimension: transform.dimension, stride: stride, candidates: candidates, lists: 0, degree: 0)
        let prepared = space.prepared.part(0..<transform.dimension)
        transform.prepareQuery(query, into: prepared)
        switch form {
        case .line(let encoder): return .line(encoder.scorer(of: prepared.readOnly, space, scratch.lineQuery))
        case .grid(let encoder): return .grid(encoder.scorer(of: prepared.readOnly, space))
        }
    }
}

/// What one row after the other is encoded in.
final class EncoderScratch: @unchecked Sendable {
    // Sendable: used by whoever appends rows, one thread at a time.
    /// The row as distances take it, and less a centre; in 8 bits.
    let prepared: CellBuffer<Float>
    let centred: CellBuffer<Float>
    let values: CellBuffer<Int8>
    let projections = CellBuffer<Int32>(count: LineColumn.count)
    let places = CellBuffer<Float>(count: LineColumn.count)
    let shifted = CellBuffer<Float>(count: LineColumn.count)
    let levels = CellBuffer<Int8>(count: LineColumn.count)
    let code: CellBuffer<UInt8>
    /// For rows that are taken as queries.
    let search = SearchScratch()

    init(dimension: Int, stride: Int) {
        prepared = CellBuffer(count: dimension)
        centred = CellBuffer(count: dimension)
        // Whole groups of four, for the projection.
        values = CellBuffer(count: (dimension + 3) / 4 * 4)
        code = CellBuffer(count: stride)
    }
}

/// Lines of rows, by the projection that is meant for queries: 1.5 us at 768 dimensions.
private struct LineEncoder: Sendable {
    private let mean: CellBuffer<Float>
    private let blocks: CellBuffer<Int8>
    private let sums: CellBuffer<Int32>
    private let scales: CellBuffer<Float>
    /// By column: what its integer counts in steps between levels, and such a step squared; 0 where the column measures nothing.
    private let weights = CellBuffer<Float>(count: LineColumn.count)
    private let squares = CellBuffer<Float>(count: LineColumn.count)
    private let middles = CellBuffer<Float>(count: LineColumn.count)
    private let kernels = CodeKernels.best

    /// Squared length beyond what a line holds, from which on it does not tell where the row is: such a row's line looks far from
    /// all, its own neighbours included.
    private var residueMax = Float.infinity

    init(_ index: VectorIndex) {
        let axes = index.columns.lineAxes
        mean = CellBuffer(copying: axes.mean)
        blocks = CellBuffer(copying: axes.blocks)
        sums = CellBuffer(copying: axes.sums)
        scales = CellBuffer(copying: axes.scales)
        // A scale is the weights' step times that between levels; and of weights we know that a direction's length is 1.
        for column in 0..<LineColumn.count {
            var length = 0
            for j in 0..<blocks.count / LineColumn.count {
                let weight = Int(blocks.cells[(j / 4 * LineColumn.count + column) * 4 + j % 4])
                length += weight * weight
            }
            let step = scales.cells[column] * Float(length).squareRoot()
            let weight = scales.cells[column] / (step * step)
            weights.cells[column] = weight.isFinite ? weight : 0
            squares.cells[column] = weight.isFinite ? step * step : 0
            middles.cells[column] = Float(LineCode.levels(column) - 1) / 2
        }
        residueMax = residueLimit(index)
    }

    /// From some of the index's own rows, as their codes have them: 1 ms.
    private func residueLimit(_ index: VectorIndex) -> Float {
        let scratch = EncoderScratch(dimension: index.transform.dimension, stride: LineColumn.lineBytes)
        let count = min(Self.sampleRows, index.count)
        var (greatest, sum, rows) = (Float(0), Float(0), Float(0))
        for sample in 0..<count {
            let position = sample * index.count / count
            if index.columns.exceptions.contains(UInt32(position)) { continue }
            index.decode(position, into: scratch.prepared.cells)
            guard let lengths = quantize(in: scratch) else { continue }
            greatest = max(greatest, lengths.residue)
            sum += lengths.all
            rows += 1
        }
        // Where lines hold all there is, what is left is the rounding of the projections.
        return max(Self.residueFactor * greatest, Self.residueShareMin * sum / max(rows, 1))
    }

    private static let sampleRows = 256
    private static let residueFactor: Float = 2
    private static let residueShareMin: Float = 0.02

    private var axes: LineAxes {
        LineAxes(mean: mean.cells.readOnly, blocks: blocks.cells.readOnly, sums: sums.cells.readOnly, scales: scales.cells.readOnly)
    }

    func scorer(of query: Cells<Float>, _ space: SearchSpace, _ lineQuery: LineQuery) -> LineScorer {
        space.prepareLine(query, axes, into: lineQuery, by: kernels)
        return LineScorer(kernels: kernels, query: lineQuery, lines: .none)
    }

    func encode(in scratch: EncoderScratch) -> Bool {
        let line = scratch.code.cells
        line.fill(0)
        guard let lengths = quantize(in: scratch) else { return false }
        pack(scratch.levels.cells.readOnly, into: line)
        line.store(lengths.held + LineCode.residueShare * lengths.residue, at: LineColumn.valueBytes)
        let factor = lengths.product > 1e-9 * lengths.held ? -2 * lengths.held / lengths.product : 0
        line.store(factor.isFinite ? factor : 0, at: LineColumn.valueBytes + 4)
        return lengths.residue <= residueMax
    }

    /// Squared lengths of a row less the mean: all of it, its projections, and these times what their levels say.
    private struct Lengths {
        var all: Float
        var held: Float
        var product: Float
        /// What the line does not hold.
        var residue: Float { max(0, all - held) }
    }

    /// The levels of the row, into the scratch; nil where it is too long to be reckoned with.
    private func quantize(in scratch: EncoderScratch) -> Lengths? {
        let (row, centred, values) = (scratch.prepared.cells.readOnly, scratch.centred.cells, scratch.values.cells)
        let greatest = kernels.centre(row, around: mean.cells.readOnly, into: centred)
        let squared = Float(Kernels.best.sumOfSquares(centred.span))
        guard squared < Self.squaredLengthMax else { return nil }
        let step = max(greatest / 127, .leastNormalMagnitude)
        _ = kernels.quantize(centred.readOnly, scale: 1 / step, into: values.part(0..<row.count))
        kernels.project(values.readOnly, blocks: blocks.cells.readOnly, columnSums: sums.cells.readOnly, into: scratch.projections.cells)
        let (held, product) = quantizeColumns(step, scratch)
        return Lengths(all: squared, held: held, product: product)
    }

    /// Longer ones are not to be reckoned with in float32.
    private static let squaredLengthMax: Float = 1e30

    /// Each column's level; returns the projections' squared length, and their product with what the levels say.
    private func quantizeColumns(_ rowStep: Float, _ scratch: EncoderScratch) -> (held: Float, product: Float) {
        let (projections, places, shifted, levels) = (scratch.projections.cells, scratch.places.cells, scratch.shifted.cells, scratch.levels.cells)
        let (weights, squares, middles) = (weights.cells, squares.cells, middles.cells)
        for column in 0..<LineColumn.count {
            // In steps between levels; a column that measures nothing has no weight.
            places[column] = Float(projections[column]) * weights[column] * rowStep
            shifted[column] = places[column] + middles[column]
        }
        _ = kernels.quantize(shifted.readOnly, scale: 1, into: levels)
        var (held, product) = (Float(0), Float(0))
        for column in 0..<LineColumn.count {
            let middle = middles[column]
            let level = max(0, min(2 * middle, Float(levels[column])))
            levels[column] = Int8(truncatingIfNeeded: Int32(level))
            let scaled = places[column] * squares[column]
            held += places[column] * scaled
            product += (level - middle) * scaled
        }
        return (held, product)
    }

    private func pack(_ levels: Cells<Int8>, into line: MutableCells<UInt8>) {
        for run in LineColumn.runs {
            let place = LineColumn.place(run.first)
            for i in 0..<run.count { line[place.byte + i] |= UInt8(truncatingIfNeeded: levels[run.first + i]) << UInt8(place.bit) }
        }
    }
}

/// Rows of 8-bit codes, as a builder of indexes makes them.
private struct GridEncoder: Sendable {
    private let grid: CodeGrid
    private let centre: CellBuffer<Float>
    private let zeros: CellBuffer<Float>
    private let hasNorms: Bool
    private let stride: Int
    private let kernels = CodeKernels.best

    init(_ index: VectorIndex) {
        let (columns, dimension) = (index.columns, index.transform.dimension)
        centre = CellBuffer(copying: columns.centre)
        zeros = CellBuffer(count: dimension)
        grid = CodeGrid(centre: [], step: columns.parameters.step, squaredError: columns.parameters.squaredError)
        hasNorms = index.transform.hasNorms
        stride = index.codes.stride
    }

    func scorer(of query: Cells<Float>, _ space: SearchSpace) -> CodeScorer {
        let code = space.prepareCodes(
            query, centre: hasNorms ? centre.cells.readOnly : zeros.cells.readOnly, rowStep: grid.step, stride: stride, hasNorms: hasNorms,
            isExact: false, by: kernels)
        return CodeScorer(kernels: kernels, query: code, rows: CodeRows(bytes: .none, stride: stride), dots: space.dots)
    }

    func encode(in scratch: EncoderScratch) -> Bool {
        let (row, centred, code) = (scratch.prepared.cells.readOnly, scratch.centred.cells, scratch.code.cells)
        let values = scratch.values.cells.part(0..<row.count)
        let greatest = kernels.centre(row, around: centre.cells.readOnly, into: centred)
        _ = kernels.quantize(centred.readOnly, scale: 1 / grid.step, into: values)
        code.fill(0x80)
        for j in 0..<row.count { code[j] = UInt8(bitPattern: values[j]) ^ 0x80 }
        if hasNorms { code.store(kernels.sums(code.readOnly, dimension: row.count).squares, at: stride - 4) }
        return greatest <= 128.5 * grid.step || !grid.isFarOff(centred.readOnly)
    }
}

extension VectorIndex {
    /// About what a row was when it was encoded.
    fileprivate func decode(_ position: Int, into row: MutableCells<Float>) {
        let code = codes.row(position)
        for j in 0..<row.count { row[j] = columns.centre[j] + columns.parameters.step * Float(Int(code[j]) - 128) }
    }
}

extension CellBuffer {
    fileprivate convenience init(copying cells: Cells<T>) {
        self.init(count: cells.count)
        self.cells.copy(cells, at: 0)
    }
}

extension MutableCells<UInt8> {
    fileprivate func store(_ value: Int32, at place: Int) {
        for byte in 0..<4 { self[place + byte] = UInt8(truncatingIfNeeded: value >> Int32(8 * byte)) }
    }

    fileprivate func store(_ value: Float, at place: Int) { store(Int32(bitPattern: value.bitPattern), at: place) }
}
