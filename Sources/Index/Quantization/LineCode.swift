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
            let level = level(of: z, in: column)
            product += value(of: level, in: column) * z
            let place = LineColumn.place(column)
            line[place.byte] |= UInt8(level << place.bit)
        }
        let floats = floats(held: held, product: product, squaredLength: squaredLength)
        store(floats.add, in: line, at: LineColumn.valueBytes)
        store(floats.factor, in: line, at: LineColumn.valueBytes + 4)
    }

    @inline(__always)
    private func level(of z: Float, in column: Int) -> Int {
        let (scaled, levels) = (z / step(column) + Float(Self.levels(column) / 2), Self.levels(column))
        return scaled > 0 ? scaled < Float(levels) ? Int(scaled) : levels - 1 : 0
    }

    @inline(__always)
    private func value(of level: Int, in column: Int) -> Float { (Float(level) - Float(Self.levels(column) - 1) / 2) * step(column) }

    /// `held` is the squared length of the projections, `product` theirs with what is decoded of them.
    private func floats(held: Float, product: Float, squaredLength: Float) -> (add: Float, factor: Float) {
        let add = held + Self.residueShare * max(0, squaredLength - held)
        // The decoded vector is too short or too long in the vector's own direction: this sets it right.
        let factor = product > 1e-9 * held ? -2 * held / product : 0
        return (add, factor.isFinite ? factor : 0)
    }

    private func store(_ value: Float, in line: MutableCells<UInt8>, at place: Int) {
        for byte in 0..<4 { line[place + byte] = UInt8(truncatingIfNeeded: value.bitPattern >> UInt32(8 * byte)) }
    }

    // MARK: Worth

    /// The share of the true nearest ten of some rows of the sample that lines rank among the first thirty.
    ///
    /// 192 numbers do not hold vectors whose dimensions are many and each count for something: lines would then lead walks astray.
    func share(of sample: Cells<Float>) -> Float {
        let rows = min(sample.count / dimension, Self.judgedRows), queries = min(rows / 4, Self.judgingRows)
        guard rows - queries > 30 else { return 1 }
        let projections = CellBuffer<Float>(count: rows * LineColumn.count), decoded = CellBuffer<Float>(count: rows * LineColumn.count)
        project(sample.part(0..<rows * dimension), into: projections.cells)
        let (mean, centred) = (CellBuffer(mean), CellBuffer<Float>(count: dimension))
        var (halfSquares, halfAdds) = ([Float](repeating: 0, count: rows), [Float](repeating: 0, count: rows))
        for row in 0..<rows {
            let vector = sample.part(row * dimension..<(row + 1) * dimension)
            _ = CodeKernels.best.centre(vector, around: mean.cells.readOnly, into: centred.cells)
            halfSquares[row] = Float(Kernels.best.sumOfSquares(vector.span)) / 2
            let range = row * LineColumn.count..<(row + 1) * LineColumn.count
            halfAdds[row] = decode(
                projections.cells.readOnly.part(range), squaredLength: Float(Kernels.best.sumOfSquares(centred.cells.span)),
                into: decoded.cells.part(range)) / 2
        }
        let others = queries..<rows
        let distances = Self.distances(
            sample, others, halfSquares, queries: sample.part(0..<queries * dimension), dimension: dimension)
        let estimates = Self.distances(
            decoded.cells.readOnly, others, halfAdds, queries: projections.cells.readOnly.part(0..<queries * LineColumn.count),
            dimension: LineColumn.count)
        let (keys, numbers) = (CellBuffer<UInt64>(count: 30 + CandidatePool.spareKeys), CellBuffer((0..<UInt32(others.count)).map { $0 }))
        var hits = 0
        for query in 0..<queries {
            let range = query * others.count..<(query + 1) * others.count
            let distances = distances.cells.readOnly.part(range)
            var nearest = CandidatePool(keys: keys.cells, capacity: 10)
            nearest.offer(numbers.cells.readOnly, distances, by: .best)
            let tenth = CandidateKey.distance(nearest[9])
            var found = CandidatePool(keys: keys.cells, capacity: 30)
            found.offer(numbers.cells.readOnly, estimates.cells.readOnly.part(range), by: .best)
            // Of equal rows any will do.
            hits += min(10, (0..<30).count { distances[Int(CandidateKey.number(found[$0]))] <= tenth })
        }
        return Float(hits) / Float(10 * queries)
    }

    private static let judgedRows = 8192
    private static let judgingRows = 128

    /// What a line's distance to a projected query multiplies with it, but for the -2; returns what it adds.
    private func decode(_ projections: Cells<Float>, squaredLength: Float, into decoded: MutableCells<Float>) -> Float {
        var (held, product) = (Float(0), Float(0))
        for column in 0..<LineColumn.count {
            let z = projections[column]
            decoded[column] = value(of: level(of: z, in: column), in: column)
            held += z * z
            product += decoded[column] * z
        }
        let floats = floats(held: held, product: product, squaredLength: squaredLength)
        for column in 0..<LineColumn.count { decoded[column] *= -floats.factor / 2 }
        return floats.add
    }

    /// Half of the squared distances of each query from the rows of a range, but for what all of a query's have in common.
    private static func distances(
        _ rows: Cells<Float>, _ range: Range<Int>, _ halfSums: [Float], queries: Cells<Float>, dimension: Int
    ) -> CellBuffer<Float> {
        let queryCount = queries.count / dimension
        let distances = CellBuffer<Float>(count: queryCount * range.count)
        var output = distances.cells.mutableSpan
        MatrixProduct.multiply(
            queries: queries.span, queryCount: queryCount, queryStride: dimension,
            rows: rows.part(range.lowerBound * dimension..<range.upperBound * dimension).span, rowCount: range.count, rowStride: dimension,
            dim: dimension, into: &output, productStride: range.count)
        for query in 0..<queryCount {
            for i in 0..<range.count { distances.cells[query * range.count + i] = halfSums[range.lowerBound + i] - distances.cells[query * range.count + i] }
        }
        return distances
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
