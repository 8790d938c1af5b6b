// An index over some rows of a segment: codes and lines in list order, links between them, and where to begin.
package import Memory

/// What an index holds, lent by its owner. Positions are in list order; `rows` tells which row each one is.
package struct IndexColumns: Sendable {
    package var parameters: IndexParameters
    /// The same, as they are stored.
    var parameterWords: Cells<UInt32>
    /// By position: the caller's row.
    package var rows: Cells<UInt32>
    /// By position: `parameters.stride` bytes.
    package var codes: Cells<UInt8>
    /// By position, 64 bytes; none where the space has no lines.
    package var lines: Cells<UInt8>
    /// By position, `parameters.degree` positions, ended early by `noLink`; none where there is no graph.
    package var links: Cells<UInt32>
    /// Where each list begins, and the number of positions behind the last.
    package var listStarts: Cells<UInt32>
    /// By list: the position of the row in its middle.
    package var medoids: Cells<UInt32>
    /// The medoids' lines side by side, or their codes where there are no lines.
    package var medoidCodes: Cells<UInt8>
    /// The first list of each group, and the number of lists behind the last; none where the table holds all lists.
    package var groupStarts: Cells<UInt32>
    /// By group: the position of the row in its middle.
    package var groupMedoids: Cells<UInt32>
    /// The groups' medoids like the lists'.
    package var groupCodes: Cells<UInt8>
    /// Positions whose codes do not tell where they are: every search compares them.
    package var exceptions: Cells<UInt32>
    /// By dimension.
    package var centre: Cells<Float>
    /// For queries against lines; all empty where there are none.
    package var lineMean: Cells<Float>
    package var lineBlocks: Cells<Int8>
    package var lineSums: Cells<Int32>
    package var lineScales: Cells<Float>
    /// What searches of which width find: `CalibratedPoint`s; none where that was not measured.
    package var calibration: Cells<UInt32>
}

/// The small numbers of an index, as they are stored.
package struct IndexParameters: BitwiseCopyable, Equatable, Sendable {
    package var metric: UInt32
    package var sourceDimension: UInt32
    package var count: UInt32
    package var stride: UInt32
    package var degree: UInt32
    package var listCount: UInt32
    package var boundSquared: Float
    package var step: Float
    package var squaredError: Float
    /// Bit 0: every row stands on the grid exactly, and the grid on whole numbers.
    package var flags: UInt32 = 0

    var isExact: Bool { flags & 1 != 0 }
}

/// An index ready for searches from any thread. Its owner, kept here, keeps the columns' memory.
package final class VectorIndex: Sendable {
    let owner: any Sendable
    let columns: IndexColumns
    let transform: VectorTransform
    let codes: CodeRows
    let kernels = CodeKernels.best
    /// 0..<listCount, as candidates: lists, and groups, which are fewer.
    private let numbers: CellBuffer<UInt32>
    private let noCentre: CellBuffer<Float>
    /// What was measured at build.
    let calibration: CalibrationTable

    package static let noLink = UInt32.max

    /// The columns have been checked: see `IndexColumns.check`.
    package init(_ columns: IndexColumns, metric: Metric, owner: any Sendable) {
        self.owner = owner
        self.columns = columns
        let parameters = columns.parameters
        transform = VectorTransform(metric: metric, sourceDimension: Int(parameters.sourceDimension), boundSquared: parameters.boundSquared)
        numbers = CellBuffer((0..<parameters.listCount).map { $0 })
        calibration = CalibrationTable((0..<columns.calibration.count / CalibratedPoint.wordCount).compactMap { point in
            CalibratedPoint(columns.calibration.part(point * CalibratedPoint.wordCount..<(point + 1) * CalibratedPoint.wordCount))
        })
        noCentre = CellBuffer(count: transform.dimension)
        codes = CodeRows(bytes: columns.codes, stride: Int(parameters.stride))
    }

    package var count: Int { Int(columns.parameters.count) }
    package var hasGraph: Bool { columns.links.count > 0 }
    package var hasLines: Bool { columns.lines.count > 0 }
    var degree: Int { Int(columns.parameters.degree) }
    var zeros: Cells<Float> { noCentre.cells.readOnly }
    var listNumbers: Cells<UInt32> { numbers.cells.readOnly }
    var listCount: Int { Int(columns.parameters.listCount) }

    // The table: what every search scores first, groups' medoids where lists are in groups.
    var hasGroups: Bool { columns.groupMedoids.count > 0 }
    var tableCodes: Cells<UInt8> { hasGroups ? columns.groupCodes : columns.medoidCodes }
    var tableMedoids: Cells<UInt32> { hasGroups ? columns.groupMedoids : columns.medoids }
    var tableCount: Int { tableMedoids.count }
}

extension IndexColumns {
    /// The same columns with those that walks read copied into memory of their own, on huge pages: a random read of a mapped file
    /// waits for the address as well as for the line (60,000 x 784: 1.0 to 1.1 times as many searches). Codes, which only the best
    /// candidates are ranked by, come along where they are few enough. The buffers are to be kept.
    package func resident(codesMax: Int) -> (columns: IndexColumns, buffers: [any Sendable]) {
        var (columns, buffers) = (self, [any Sendable]())
        func copy<T>(_ cells: Cells<T>) -> Cells<T> {
            let buffer = CellBuffer<T>(count: cells.count)
            buffer.cells.copy(cells, at: 0)
            buffers.append(buffer)
            return buffer.cells.readOnly
        }
        columns.links = copy(links)
        columns.medoidCodes = copy(medoidCodes)
        columns.groupCodes = copy(groupCodes)
        columns.lines = copy(lines)
        // Without lines the walk reads codes.
        if lines.count == 0 || codes.count <= codesMax { columns.codes = copy(codes) }
        return (columns, buffers)
    }
}
