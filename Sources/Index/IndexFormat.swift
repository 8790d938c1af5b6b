// The columns of an index as a file keeps them, and what must be true of them before anything is searched.
package import Memory

/// Columns by id, little-endian. See the format's page.
package enum IndexColumn: UInt32, CaseIterable, Sendable {
    case parameters, rows, codes, lines, links, listStarts, medoids, medoidCodes, exceptions, centre, lineMean, lineBlocks, lineSums, lineScales
    case calibration, groupStarts, groupMedoids, groupCodes

    package var elementBytes: Int {
        switch self {
        case .codes, .lines, .medoidCodes, .groupCodes, .lineBlocks: 1
        default: 4
        }
    }
}

extension IndexColumns {
    /// A column's bytes; none where the index does without.
    package func bytes(of column: IndexColumn) -> Cells<UInt8> {
        switch column {
        case .parameters: parameterWords.bytes
        case .rows: rows.bytes
        case .codes: codes
        case .lines: lines
        case .links: links.bytes
        case .listStarts: listStarts.bytes
        case .medoids: medoids.bytes
        case .medoidCodes: medoidCodes
        case .exceptions: exceptions.bytes
        case .centre: centre.bytes
        case .lineMean: lineMean.bytes
        case .lineBlocks: lineBlocks.bytes
        case .lineSums: lineSums.bytes
        case .lineScales: lineScales.bytes
        case .calibration: calibration.bytes
        case .groupStarts: groupStarts.bytes
        case .groupMedoids: groupMedoids.bytes
        case .groupCodes: groupCodes
        }
    }

    /// Columns as they were stored, each aligned to 64 bytes and lent for as long as the index is used. Nothing that they say
    /// leads out of them afterwards: numbers of positions, rows and lists are checked here, O(rows · degree).
    ///
    /// - Parameters:
    ///   - rowCount: rows of the segment that the index is of.
    ///   - file: for messages.
    package init(
        stored column: (IndexColumn) -> Cells<UInt8>, rowCount: Int, dimension: Int, metric: Metric, file: String
    ) throws(Corruption) {
        func require(_ condition: Bool, _ expected: String) throws(Corruption) {
            guard condition else { throw Corruption(file: file, offset: 0, expected: expected) }
        }
        func words<T: BitwiseCopyable>(_ id: IndexColumn, as type: T.Type, count: Int?) throws(Corruption) -> Cells<T> {
            let bytes = column(id)
            let found = bytes.count / MemoryLayout<T>.stride
            try require(bytes.count % MemoryLayout<T>.stride == 0 && found == count ?? found, "\(count.map { "\($0)" } ?? "whole") elements in column \(id.rawValue)")
            return bytes.rebound(to: type)
        }
        let parameterWords = try words(.parameters, as: UInt32.self, count: IndexParameters.wordCount)
        let parameters = IndexParameters(parameterWords)
        let count = Int(parameters.count), stride = Int(parameters.stride), lists = Int(parameters.listCount)
        let transform = VectorTransform(metric: metric, sourceDimension: dimension, boundSquared: parameters.boundSquared)
        try require(parameters.metric == UInt32(metric.rawValue) && Int(parameters.sourceDimension) == dimension, "an index of this space")
        try require(count > 0 && count <= rowCount && count < CandidateKey.numberEnd && lists > 0 && lists <= count, "rows and lists of a segment of \(rowCount) rows")
        try require(stride == CodeGrid.stride(dimension: transform.dimension, hasNorms: transform.hasNorms), "rows of codes of this dimension")
        try require(parameters.degree == 0 || parameters.degree <= UInt32(GraphSettings.degreeMax), "a degree of at most \(GraphSettings.degreeMax)")
        try require(parameters.step > 0 && parameters.step.isFinite, "a step of the grid")
        for squared in [parameters.squaredError, parameters.boundSquared] { try require(squared >= 0 && squared.isFinite, "squares that are finite") }
        self.parameterWords = parameterWords
        self.parameters = parameters
        rows = try words(.rows, as: UInt32.self, count: count)
        codes = try words(.codes, as: UInt8.self, count: count * stride)
        lines = column(.lines)
        try require(lines.count == 0 || lines.count == count * LineColumn.lineBytes, "a line of \(LineColumn.lineBytes) bytes for each row, or none")
        links = try words(.links, as: UInt32.self, count: count * Int(parameters.degree))
        listStarts = try words(.listStarts, as: UInt32.self, count: lists + 1)
        medoids = try words(.medoids, as: UInt32.self, count: lists)
        let hasLines = lines.count > 0
        let entryBytes = hasLines ? LineColumn.lineBytes : stride
        medoidCodes = try words(.medoidCodes, as: UInt8.self, count: lists * entryBytes)
        groupStarts = try words(.groupStarts, as: UInt32.self, count: nil)
        groupMedoids = try words(.groupMedoids, as: UInt32.self, count: max(0, groupStarts.count - 1))
        groupCodes = try words(.groupCodes, as: UInt8.self, count: groupMedoids.count * entryBytes)
        exceptions = try words(.exceptions, as: UInt32.self, count: nil)
        centre = try words(.centre, as: Float.self, count: transform.dimension)
        lineMean = try words(.lineMean, as: Float.self, count: hasLines ? transform.dimension : 0)
        lineBlocks = try words(.lineBlocks, as: Int8.self, count: hasLines ? (transform.dimension + 3) / 4 * 4 * LineColumn.count : 0)
        lineSums = try words(.lineSums, as: Int32.self, count: hasLines ? LineColumn.count : 0)
        lineScales = try words(.lineScales, as: Float.self, count: hasLines ? LineColumn.count : 0)
        calibration = try words(.calibration, as: UInt32.self, count: nil)
        try require(calibration.count % CalibratedPoint.wordCount == 0, "whole points of a calibration")
        for numbers in [centre, lineMean, lineScales] { try require(numbers.areFinite, "numbers that are finite") }
        // Whoever takes it for granted that codes are exact takes scores from them.
        try require(!parameters.isExact || (transform.hasNorms && parameters.step == 1 && centre.areWhole), "a grid on whole numbers")
        try require(rows.areBelow(UInt32(rowCount)) && rows.areDistinct(below: rowCount), "rows of the segment, each once")
        try require(links.areBelow(UInt32(count), orEqual: VectorIndex.noLink), "links to rows of the index")
        try require(
            medoids.areBelow(UInt32(count)) && groupMedoids.areBelow(UInt32(count)) && exceptions.areBelow(UInt32(count)),
            "medoids and exceptions among the rows")
        try require(exceptions.areRising, "exceptions in order, each once")
        var last: UInt32 = 0
        for list in 0...lists {
            try require(listStarts[list] >= last && (list > 0 || listStarts[0] == 0), "lists one after the other")
            last = listStarts[list]
        }
        try require(Int(last) == count, "every row in a list")
        guard groupStarts.count > 0 else { return }
        // Rising from the first list to the last, they are all within.
        try require(groupStarts.areRising, "groups one after the other, each with a list")
        try require(groupStarts[0] == 0 && Int(groupStarts[groupStarts.count - 1]) == lists, "every list in a group")
    }
}

extension Cells where T == UInt32 {
    fileprivate func areBelow(_ end: UInt32, orEqual exception: UInt32? = nil) -> Bool {
        var isGood = true
        if let exception {
            for i in 0..<count { isGood = isGood && (self[i] < end || self[i] == exception) }
        } else {
            for i in 0..<count { isGood = isGood && self[i] < end }
        }
        return isGood
    }

    /// All are below `end`.
    fileprivate func areDistinct(below end: Int) -> Bool {
        var seen = Bitmap(count: end)
        for i in 0..<count { seen[Int(self[i])] = true }
        return seen.population == count
    }

    fileprivate var areRising: Bool {
        for i in 1..<max(1, count) where self[i] <= self[i - 1] { return false }
        return true
    }
}

extension Cells where T == Float {
    fileprivate var areFinite: Bool {
        var isGood = true
        for i in 0..<count { isGood = isGood && self[i].isFinite }
        return isGood
    }

    fileprivate var areWhole: Bool {
        var isGood = true
        for i in 0..<count { isGood = isGood && self[i] == self[i].rounded() }
        return isGood
    }
}

extension IndexParameters {
    static let wordCount = 10

    init(_ words: Cells<UInt32>) {
        self.init(
            metric: words[0], sourceDimension: words[1], count: words[2], stride: words[3], degree: words[4], listCount: words[5],
            boundSquared: Float(bitPattern: words[6]), step: Float(bitPattern: words[7]), squaredError: Float(bitPattern: words[8]), flags: words[9])
    }

    var words: [UInt32] {
        [
            metric, sourceDimension, count, stride, degree, listCount, boundSquared.bitPattern, step.bitPattern, squaredError.bitPattern, flags,
        ]
    }
}
