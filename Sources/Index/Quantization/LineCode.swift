// Lines: a vector in 64 bytes, by its principal axes at 4 and 2 bits.
import CBLAS
import Memory

/// What makes lines of vectors: the mean, the axes, and the steps between levels. See the format's page.
///
/// The leading 32 axes get 16 levels over ±2.7 standard deviations, the next 160 get 4 levels over ±1.9. Axes of a group are
/// rotated at random among themselves, so that one step a group fits them all.
struct LineCode: Sendable {
    var mean: [Float]
    /// By column, `dimension` floats: the direction a column measures, zero where there is none.
    var directions: [Float]
    /// By column: the mean's own projection.
    private var offsets: [Float] = []
    /// By group: 4 bits, 2 bits.
    var wideStep: Float
    var narrowStep: Float
    var dimension: Int

    /// How much of the length that lines do not hold counts into their distance: part of it lies in the query's direction too.
    static let residueShare: Float = 0.7

    /// Trained on a sample of rows; nil where no LAPACK is to be had, or where the rows are all alike.
    init?(sample: Cells<Float>, dimension: Int) {
        let rows = sample.count / dimension
        self.dimension = dimension
        mean = CodeGrid.mean(of: sample, dimension: dimension)
        let axisCount = min(LineColumn.count, dimension)
        guard let axes = Self.principalAxes(sample, mean: mean, dimension: dimension, count: axisCount) else { return nil }
        let wideCount = min(LineColumn.wideCount, axisCount)
        let wide = Self.rotated(axes.span.extracting(0..<wideCount * dimension), dimension: dimension, seed: 11)
        let narrow = Self.rotated(axes.span.extracting(wideCount * dimension..<axisCount * dimension), dimension: dimension, seed: 12)
        directions = [Float](repeating: 0, count: LineColumn.count * dimension)
        var (nextWide, nextNarrow) = (0, 0)
        for column in 0..<LineColumn.count {
            let isWide = LineColumn.isWide(column)
            let (source, at) = isWide ? (wide, nextWide) : (narrow, nextNarrow)
            if isWide { nextWide += 1 } else { nextNarrow += 1 }
            guard (at + 1) * dimension <= source.count else { continue }
            for j in 0..<dimension { directions[column * dimension + j] = source[at * dimension + j] }
        }
        (wideStep, narrowStep) = (0, 0)
        var offsets = [Float](repeating: 0, count: LineColumn.count)
        var offsetSpan = offsets.mutableSpan
        MatrixProduct.multiply(
            queries: mean.span, queryCount: 1, queryStride: dimension, rows: directions.span, rowCount: LineColumn.count,
            rowStride: dimension, dim: dimension, into: &offsetSpan, productStride: LineColumn.count)
        self.offsets = offsets
        var squares = (wide: 0.0, narrow: 0.0)
        let projections = CellBuffer<Float>(count: rows * LineColumn.count)
        project(sample, into: projections.cells)
        for row in 0..<rows {
            for column in 0..<LineColumn.count {
                let z = Double(projections.cells[row * LineColumn.count + column])
                if LineColumn.isWide(column) { squares.wide += z * z } else { squares.narrow += z * z }
            }
        }
        let narrowCount = axisCount - wideCount
        wideStep = 2 * 2.7 / 16 * Float((squares.wide / Double(rows * wideCount)).squareRoot())
        narrowStep = narrowCount == 0 ? 0 : 2 * 1.9 / 4 * Float((squares.narrow / Double(rows * narrowCount)).squareRoot())
        guard wideStep > 0, wideStep.isFinite, narrowStep.isFinite else { return nil }
        if narrowStep == 0 { narrowStep = wideStep }
    }

    func step(_ column: Int) -> Float { LineColumn.isWide(column) ? wideStep : narrowStep }
    static func levels(_ column: Int) -> Int { LineColumn.isWide(column) ? 16 : 4 }

    /// Projections of rows less the mean, `LineColumn.count` floats each.
    func project(_ rows: Cells<Float>, into projections: MutableCells<Float>) {
        let count = rows.count / dimension
        var output = projections.mutableSpan
        MatrixProduct.multiply(
            queries: rows.span, queryCount: count, queryStride: dimension, rows: directions.span, rowCount: LineColumn.count,
            rowStride: dimension, dim: dimension, into: &output, productStride: LineColumn.count)
        for row in 0..<count {
            let own = projections.part(row * LineColumn.count..<(row + 1) * LineColumn.count)
            for column in 0..<LineColumn.count { own[column] -= offsets[column] }
        }
    }

    /// Writes a vector's line. `projections` are its own, `squaredLength` that of the vector less the mean.
    func encode(_ projections: Cells<Float>, squaredLength: Float, into line: MutableCells<UInt8>) {
        var (held, product) = (Float(0), Float(0))
        for byte in 0..<LineColumn.valueBytes { line[byte] = 0 }
        for column in 0..<LineColumn.count {
            let z = projections[column]
            held += z * z
            let (step, levels) = (step(column), Self.levels(column))
            let level = max(0, min(levels - 1, Int((z / step + Float(levels / 2)).rounded(.down))))
            product += (Float(level) - Float(levels - 1) / 2) * step * z
            let place = LineColumn.place(column)
            line[place.byte] |= UInt8(level << place.bit)
        }
        let add = held + Self.residueShare * max(0, squaredLength - held)
        // The decoded vector is too short or too long in the vector's own direction: this sets it right.
        let factor = product > 1e-9 * held ? -2 * held / product : 0
        store(add, in: line, at: LineColumn.valueBytes)
        store(factor.isFinite ? factor : 0, in: line, at: LineColumn.valueBytes + 4)
    }

    private func store(_ value: Float, in line: MutableCells<UInt8>, at place: Int) {
        for byte in 0..<4 { line[place + byte] = UInt8(truncatingIfNeeded: value.bitPattern >> UInt32(8 * byte)) }
    }

    // MARK: Axes

    /// Eigenvectors of the sample's covariance with the greatest eigenvalues, as rows.
    private static func principalAxes(_ sample: Cells<Float>, mean: [Float], dimension: Int, count: Int) -> [Float]? {
        let rows = sample.count / dimension
        var transposed = [Float](repeating: 0, count: sample.count)
        // By tiles: a column's numbers lie far apart.
        for first in stride(from: 0, to: rows, by: 16) {
            for j in 0..<dimension { for row in first..<min(first + 16, rows) { transposed[j * rows + row] = sample[row * dimension + j] - mean[j] } }
        }
        var covariance = [Float](repeating: 0, count: dimension * dimension)
        var output = covariance.mutableSpan
        MatrixProduct.multiply(
            queries: transposed.span, queryCount: dimension, queryStride: rows, rows: transposed.span, rowCount: dimension,
            rowStride: rows, dim: rows, scale: 1 / Float(rows), into: &output, productStride: dimension)
        guard covariance.allSatisfy(\.isFinite) else { return nil }
        var (values, vectors) = ([Float](repeating: 0, count: count), [Float](repeating: 0, count: count * dimension))
        let code = unsafe covariance.withUnsafeMutableBufferPointer { covariance in
            unsafe values.withUnsafeMutableBufferPointer { values in
                unsafe vectors.withUnsafeMutableBufferPointer { vectors in
                    // Sound: the matrix, the values and the vectors have the sizes told.
                    unsafe nt_eigenvectors(dimension, covariance.baseAddress, count, values.baseAddress, vectors.baseAddress)
                }
            }
        }
        return code == 0 && vectors.allSatisfy(\.isFinite) ? vectors : nil
    }

    /// The axes turned by a random rotation among themselves.
    private static func rotated(_ axes: Span<Float>, dimension: Int, seed: UInt64) -> [Float] {
        let count = axes.count / dimension
        var rotated = [Float](repeating: 0, count: count * dimension)
        guard count > 0 else { return rotated }
        let rotation = randomRotation(count, seed: seed)
        for i in 0..<count {
            for t in 0..<count {
                let weight = rotation[i * count + t]
                for j in 0..<dimension { rotated[i * dimension + j] += weight * axes[t * dimension + j] }
            }
        }
        return rotated
    }

    /// Rows of length 1 at right angles to each other (Gram and Schmidt, twice for the rounding).
    private static func randomRotation(_ count: Int, seed: UInt64) -> [Float] {
        var random = SplitMix64(seed: seed)
        var rows = (0..<count * count).map { _ in random.nextNormal() }
        for i in 0..<count {
            for _ in 0..<2 {
                for other in 0..<i {
                    var product: Float = 0
                    for t in 0..<count { product += rows[i * count + t] * rows[other * count + t] }
                    for t in 0..<count { rows[i * count + t] -= product * rows[other * count + t] }
                }
            }
            var squared: Float = 0
            for t in 0..<count { squared += rows[i * count + t] * rows[i * count + t] }
            let scale = 1 / squared.squareRoot()
            for t in 0..<count { rows[i * count + t] *= scale }
        }
        return rows
    }
}
