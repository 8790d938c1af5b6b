// Builds an index over stored rows: lists, codes, lines, links, each pass over all rows on several threads.
package import Memory
import Synchronization

/// What an index is to have.
package struct IndexSettings: Sendable {
    package var hasGraph = true
    /// Whether lines are made: nil where it is to be decided by the dimension.
    package var hasLines: Bool?
    package var threads = 1
    /// Equal seeds build equal indexes.
    package var seed: UInt64 = 1
    /// About how many rows a list has.
    package var listRows = 250
    /// Lists, or groups of lists, that a search scores in passing: more lists than these are put in groups.
    package var tableMax = 512
    /// Asked often: once it says yes, the build is given up.
    package var isCancelled: @Sendable () -> Bool = { false }

    package init() {}
}

/// A finished index in memory of its own.
package final class BuiltIndex: Sendable {
    package let parameters: IndexParameters
    package let rows: CellBuffer<UInt32>
    package let codes: CellBuffer<UInt8>
    package let lines: CellBuffer<UInt8>
    package let links: CellBuffer<UInt32>
    package let listStarts: CellBuffer<UInt32>
    package let medoids: CellBuffer<UInt32>
    package let medoidCodes: CellBuffer<UInt8>
    package let groupStarts: CellBuffer<UInt32>
    package let groupMedoids: CellBuffer<UInt32>
    package let groupCodes: CellBuffer<UInt8>
    package let exceptions: CellBuffer<UInt32>
    package let centre: CellBuffer<Float>
    package let lineMean: CellBuffer<Float>
    package let lineBlocks: CellBuffer<Int8>
    package let lineSums: CellBuffer<Int32>
    package let lineScales: CellBuffer<Float>

    private let parameterWords: CellBuffer<UInt32>
    private let noWords = CellBuffer<UInt32>(count: 0)
    /// `CalibratedPoint`s, once measured.
    private let calibration = Mutex<CellBuffer<UInt32>?>(nil)

    fileprivate init(
        parameters: IndexParameters, rows: CellBuffer<UInt32>, codes: CellBuffer<UInt8>, lines: CellBuffer<UInt8>, links: CellBuffer<UInt32>,
        listStarts: CellBuffer<UInt32>, medoids: CellBuffer<UInt32>, medoidCodes: CellBuffer<UInt8>, groupStarts: CellBuffer<UInt32>,
        groupMedoids: CellBuffer<UInt32>, groupCodes: CellBuffer<UInt8>, exceptions: CellBuffer<UInt32>,
        centre: CellBuffer<Float>, lineMean: CellBuffer<Float>, projection: LineProjection?
    ) {
        self.parameters = parameters
        parameterWords = CellBuffer(parameters.words)
        self.rows = rows
        self.codes = codes
        self.lines = lines
        self.links = links
        self.listStarts = listStarts
        self.medoids = medoids
        self.medoidCodes = medoidCodes
        self.groupStarts = groupStarts
        self.groupMedoids = groupMedoids
        self.groupCodes = groupCodes
        self.exceptions = exceptions
        self.centre = centre
        self.lineMean = lineMean
        lineBlocks = CellBuffer(projection?.blocks ?? [])
        lineSums = CellBuffer(projection?.columnSums ?? [])
        lineScales = CellBuffer(projection?.columnScales ?? [])
    }

    package var columns: IndexColumns {
        IndexColumns(
            parameters: parameters, parameterWords: parameterWords.cells.readOnly, rows: rows.cells.readOnly, codes: codes.cells.readOnly, lines: lines.cells.readOnly, links: links.cells.readOnly,
            listStarts: listStarts.cells.readOnly, medoids: medoids.cells.readOnly, medoidCodes: medoidCodes.cells.readOnly,
            groupStarts: groupStarts.cells.readOnly, groupMedoids: groupMedoids.cells.readOnly, groupCodes: groupCodes.cells.readOnly,
            exceptions: exceptions.cells.readOnly, centre: centre.cells.readOnly, lineMean: lineMean.cells.readOnly,
            lineBlocks: lineBlocks.cells.readOnly, lineSums: lineSums.cells.readOnly, lineScales: lineScales.cells.readOnly,
            calibration: calibration.withLock { $0?.cells.readOnly } ?? noWords.cells.readOnly)
    }

    /// To be called once, by whoever has measured.
    package func calibrate(_ points: [CalibratedPoint]) {
        calibration.withLock { $0 = CellBuffer(points.flatMap(\.words)) }
    }
}

extension CellBuffer {
    convenience init(_ elements: [T]) {
        self.init(count: elements.count)
        for (i, element) in elements.enumerated() { cells[i] = element }
    }
}

/// Builds an index of the rows chosen, all of which have a vector.
package struct IndexBuilder: Sendable {
    private let vectors: VectorRows
    private let selected: [UInt32]
    private let settings: IndexSettings
    private let transform: VectorTransform

    package init(_ vectors: VectorRows, rows: [UInt32], settings: IndexSettings) {
        precondition(!rows.isEmpty && rows.count < CandidateKey.numberEnd, "an index has rows, as many as a key can number")
        self.vectors = vectors
        selected = rows
        self.settings = settings
        transform = VectorTransform(vectors, rows)
    }

    private var count: Int { selected.count }
    private var dimension: Int { transform.dimension }
    private static let blockRows = 512
    private var workers: Workers { Workers(threads: settings.threads, isCancelled: settings.isCancelled) }

    /// nil where it was cancelled.
    package func build() -> BuiltIndex? {
        let sample = sample()
        defer { withExtendedLifetime(sample) {} }
        let cells = sample.cells.readOnly.part(0..<Inliers.gather(sample.cells, dimension: dimension) * dimension)
        let grid = CodeGrid(sample: cells.part(0..<min(cells.count, Self.gridRows * dimension)), dimension: dimension)
        let line = lineCode(cells)
        let builder = ListBuilder(count: count, dimension: dimension, settings: settings, workers: workers, prepare: prepare)
        guard let lists = builder.lists(sample: cells) else { return nil }
        let codes = encode(lists, grid, line)
        if settings.isCancelled() { return nil }
        guard let links = settings.hasGraph ? link(codes, lists.tableMedoids) : CellBuffer<UInt32>(count: 0) else { return nil }
        codes.writeTails(hasNorms: transform.hasNorms)
        let stride = codes.rows.stride
        // So that a float tells every sum of squares and product there can be.
        let isExact = transform.hasNorms && dimension < 1024 && grid.standsOnWholeNumbers && codes.isExact
        let parameters = IndexParameters(
            metric: UInt32(vectors.metric.rawValue), sourceDimension: UInt32(vectors.dimension), count: UInt32(count), stride: UInt32(stride),
            degree: settings.hasGraph ? UInt32(GraphSettings.degreeDefault) : 0, listCount: UInt32(lists.medoids.count),
            boundSquared: transform.boundSquared, step: grid.step, squaredError: grid.squaredError, flags: isExact ? 1 : 0)
        return BuiltIndex(
            parameters: parameters, rows: CellBuffer(lists.order.map { selected[Int($0)] }), codes: codes.bytes, lines: codes.lines, links: links,
            listStarts: CellBuffer(lists.starts), medoids: CellBuffer(lists.medoids), medoidCodes: codes.table(of: lists.medoids),
            groupStarts: CellBuffer(lists.groupStarts), groupMedoids: CellBuffer(lists.groupMedoids), groupCodes: codes.table(of: lists.groupMedoids),
            exceptions: CellBuffer(codes.exceptions), centre: CellBuffer(grid.centre), lineMean: CellBuffer(line?.mean ?? []),
            projection: line.map(LineProjection.init))
    }

    /// Below this many dimensions a row of codes is as short as its line.
    private static let lineDimensionMin = 192
    /// Fewer are searched fast enough without, and too few to judge lines by.
    private static let lineRowsMin = 4096
    /// Real vectors measured: 0.99 and more; independent dimensions: 0.9 of 200, 0.5 of 384.
    private static let lineShareMin: Float = 0.95

    private func lineCode(_ sample: Cells<Float>) -> LineCode? {
        guard settings.hasLines ?? (dimension >= Self.lineDimensionMin && count >= Self.lineRowsMin), count >= 256 else { return nil }
        guard let code = LineCode(sample: sample, dimension: dimension) else { return nil }
        return settings.hasLines == true || code.share(of: sample) >= Self.lineShareMin ? code : nil
    }

    // MARK: Sample

    private static let sampleRows = 16_384
    private static let gridRows = 4096

    private func sample() -> CellBuffer<Float> {
        var random = SplitMix64(seed: settings.seed)
        var chosen = random.sample(Self.sampleRows, below: count)
        chosen.shuffle(using: &random)
        let sample = CellBuffer<Float>(count: chosen.count * dimension)
        for (i, index) in chosen.enumerated() { prepare(index, into: sample.cells.part(i * dimension..<(i + 1) * dimension)) }
        return sample
    }

    private func prepare(_ index: Int, into out: MutableCells<Float>) {
        let row = Int(selected[index])
        transform.prepare(vectors.row(row), factor: vectors.factors[row], into: out)
    }

    // MARK: Codes

    /// Codes and lines by position.
    private final class Codes: Sendable {
        let bytes: CellBuffer<UInt8>
        let rows: CodeRows
        let norms: CellBuffer<Int32>
        let sums: CellBuffer<Int32>
        let lines: CellBuffer<UInt8>
        private let isException: CellBuffer<UInt8>
        private let isOff = Atomic(false)

        /// A row does not stand on the grid.
        func setOff() { isOff.store(true, ordering: .relaxed) }
        var isExact: Bool { !isOff.load(ordering: .relaxed) }

        init(count: Int, stride: Int, hasLines: Bool) {
            bytes = CellBuffer(count: count * stride)
            rows = CodeRows(bytes: bytes.cells.readOnly, stride: stride)
            norms = CellBuffer(count: count)
            sums = CellBuffer(count: count)
            lines = CellBuffer(count: hasLines ? count * 64 : 0)
            isException = CellBuffer(count: count)
        }

        func setException(_ position: Int) { isException.cells[position] = 1 }
        var exceptions: [UInt32] { (0..<UInt32(norms.count)).filter { isException.cells[Int($0)] != 0 } }

        /// Rows' lines side by side, or their codes where there are no lines.
        func table(of positions: [UInt32]) -> CellBuffer<UInt8> {
            let hasLines = lines.count > 0
            let (bytes, stride) = hasLines ? (lines.cells.readOnly, LineColumn.lineBytes) : (rows.bytes, rows.stride)
            let table = CellBuffer<UInt8>(count: positions.count * stride)
            for (i, position) in positions.enumerated() {
                table.cells.copy(bytes.part(Int(position) * stride..<(Int(position) + 1) * stride), at: i * stride)
            }
            return table
        }

        /// Sums of squares into the rows' last bytes, where distances need them.
        func writeTails(hasNorms: Bool) {
            guard hasNorms else { return }
            for row in 0..<rows.count {
                for byte in 0..<4 { bytes.cells[(row + 1) * rows.stride - 4 + byte] = UInt8(truncatingIfNeeded: norms.cells[row] >> Int32(8 * byte)) }
            }
        }
    }

    private func encode(_ lists: Lists, _ grid: CodeGrid, _ line: LineCode?) -> Codes {
        let codes = Codes(count: count, stride: CodeGrid.stride(dimension: dimension, hasNorms: transform.hasNorms), hasLines: line != nil)
        let centre = CellBuffer(grid.centre), mean = CellBuffer(line?.mean ?? [])
        workers.forEachBlock(count, size: Self.blockRows, room: { CodeRoom(self) }) { block, room in
            for (i, position) in block.enumerated() {
                let row = room.rows.cells.part(i * dimension..<(i + 1) * dimension)
                prepare(Int(lists.order[position]), into: row)
                encode(row.readOnly, at: position, grid, centre.cells.readOnly, into: codes, room)
            }
            if let line { encode(block, line, mean.cells.readOnly, into: codes, room) }
        }
        return codes
    }

    private final class CodeRoom {
        let rows: CellBuffer<Float>
        let centred: CellBuffer<Float>
        let values: CellBuffer<Int8>
        let projections = CellBuffer<Float>(count: IndexBuilder.blockRows * LineColumn.count)

        init(_ builder: IndexBuilder) {
            rows = CellBuffer(count: IndexBuilder.blockRows * builder.dimension)
            centred = CellBuffer(count: builder.dimension)
            values = CellBuffer(count: builder.dimension)
        }
    }

    private func encode(_ row: Cells<Float>, at position: Int, _ grid: CodeGrid, _ centre: Cells<Float>, into codes: Codes, _ room: CodeRoom) {
        let (kernels, centred, values) = (CodeKernels.best, room.centred.cells, room.values.cells)
        let greatest = kernels.centre(row, around: centre, into: centred)
        _ = kernels.quantize(centred.readOnly, scale: 1 / grid.step, into: values)
        let bytes = codes.bytes.cells.part(position * codes.rows.stride..<(position + 1) * codes.rows.stride)
        for j in 0..<dimension { bytes[j] = UInt8(bitPattern: values[j]) ^ 0x80 }
        for j in dimension..<codes.rows.stride { bytes[j] = 0x80 }
        let sums = kernels.sums(bytes.readOnly, dimension: dimension)
        codes.sums.cells[position] = sums.sum
        codes.norms.cells[position] = sums.squares
        if !kernels.standsOn(centred.readOnly, values.readOnly, step: grid.step) { codes.setOff() }
        if greatest > 128.5 * grid.step, grid.isFarOff(centred.readOnly) { codes.setException(position) }
    }

    private func encode(_ block: Range<Int>, _ line: LineCode, _ mean: Cells<Float>, into codes: Codes, _ room: CodeRoom) {
        let (rows, projections) = (room.rows.cells.readOnly, room.projections.cells)
        line.project(rows.part(0..<block.count * dimension), into: projections)
        for (i, position) in block.enumerated() {
            _ = CodeKernels.best.centre(rows.part(i * dimension..<(i + 1) * dimension), around: mean, into: room.centred.cells)
            line.encode(
                projections.readOnly.part(i * LineColumn.count..<(i + 1) * LineColumn.count),
                squaredLength: Float(Kernels.best.sumOfSquares(room.centred.cells.span)), into: codes.lines.cells.part(position * 64..<(position + 1) * 64))
        }
    }

    // MARK: Graph

    private func link(_ codes: Codes, _ medoids: [UInt32]) -> CellBuffer<UInt32>? {
        GraphBuilder(
            points: CodePoints(rows: codes.rows, norms: codes.norms.cells.readOnly, sums: codes.sums.cells.readOnly), medoids: medoids,
            settings: GraphSettings(), workers: workers, seed: settings.seed
        ).links()
    }
}

extension GraphSettings {
    static let degreeDefault = 32
    /// What a reader of files has room for.
    static let degreeMax = 64
}

extension CodeGrid {
    /// Whether cutting a vector's extremes off moves it several times as far as rounding does; of few dimensions, where the others do
    /// not make up for one that is cut, whether it moves it any further.
    func isFarOff(_ centred: Cells<Float>) -> Bool {
        var cut: Float = 0
        for j in 0..<centred.count {
            let value = centred[j] / step
            let beyond = max(0, max(value - 127, -128 - value))
            cut += beyond * beyond
        }
        return cut > (centred.count < 64 ? 0.25 : 4 * Float(centred.count))
    }
}
