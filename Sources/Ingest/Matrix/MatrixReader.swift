// Files of vectors, row by row: npy, bare numbers, and rows behind their lengths.
import Memory

/// One row, or the reason why it is no vector.
package enum MatrixRow: Equatable, Sendable {
    case vector([Float])
    case invalid(String)
}

/// Reads the rows of a matrix, front to back, from a file that may be compressed.
package struct MatrixReader: ~Copyable, Sendable {
    private var source: ByteSource
    private let element: MatrixElement
    /// Each row comes behind its own length.
    private let isPrefixed: Bool
    /// Numbers in a row.
    package let dimension: Int
    /// How many rows a header promises; nil where there is none.
    package let rowCountDeclared: Int?
    /// Rows read so far.
    package private(set) var rowCount = 0

    package init(path: String, format: MatrixFormat) throws(IngestError) {
        var source = try ByteSource(path: path)
        let shape = try Self.shape(&source, format)
        self.source = source
        element = shape.element
        dimension = shape.dimension
        rowCountDeclared = shape.rowCount
        isPrefixed = format == .prefixed(shape.element)
    }

    package var name: String { source.name }
    package var progress: SourceProgress { source.progress }
    /// Offset of the next row in the plain bytes of the file.
    var offset: Int { source.offset }

    package mutating func next() throws(IngestError) -> MatrixRow? {
        guard let bytes = try nextRowBytes() else { return nil }
        if element == .int32, let fault = Self.inexactInteger(source.taken) { return .invalid(fault) }
        let numbers = decodeMatrixRow(source.taken.extracting(last: bytes), as: element, dimension: dimension)
        guard let column = numbers.firstIndex(where: { !$0.isFinite }) else { return .vector(numbers) }
        return .invalid("number \(column) of the vector is not a finite float32")
    }

    /// Passes over rows; returns how many there were.
    mutating func skipRows(_ count: Int) throws(IngestError) -> Int {
        let before = rowCount
        while rowCount - before < count, try nextRowBytes() != nil {}
        return rowCount - before
    }

    /// Brings the next row to hand, its numbers as the last bytes taken; returns how many bytes they are.
    private mutating func nextRowBytes() throws(IngestError) -> Int? {
        if rowCount == rowCountDeclared { return try finish() }
        let prefix = isPrefixed ? 4 : 0
        let wanted = prefix + dimension * element.byteCount
        let offset = source.offset
        let got = try source.take(wanted)
        guard got == wanted else { return try finish(got, of: wanted) }
        if isPrefixed { try checkPrefix(offset) }
        rowCount += 1
        return wanted - prefix
    }

    /// The end where a header said how many rows there are: nothing may follow.
    private mutating func finish() throws(IngestError) -> Int? {
        guard try source.take(1) == 0 else {
            throw IngestError(file: name, at: .row(rowCount), "expected the end after \(rowCount) rows, as the header says, found more bytes")
        }
        return nil
    }

    /// The end where rows ran out: it must come between two of them, and not before the header's last.
    private func finish(_ got: Int, of wanted: Int) throws(IngestError) -> Int? {
        if got == 0, rowCountDeclared == nil { return nil }
        let promised = rowCountDeclared.map { " of \($0)" } ?? ""
        throw IngestError(
            file: name, at: .row(rowCount), "expected \(wanted) bytes for row \(rowCount)\(promised), found \(got)",
            remedy: "the file is cut short, or its dimension is not \(dimension)")
    }

    private func checkPrefix(_ offset: Int) throws(IngestError) {
        let found = Self.prefix(source.taken)
        guard found != dimension else { return }
        throw IngestError(file: name, at: .row(rowCount), "expected \(dimension) numbers in row \(rowCount) (byte \(offset)), found \(found)")
    }

    /// float32 holds integers exactly up to 2^24; a larger one would become its neighbour.
    private static func inexactInteger(_ taken: RawSpan) -> String? {
        for offset in stride(from: 4, to: taken.byteCount, by: 4) {
            let number = prefix(taken.extracting(offset..<offset + 4))
            if number.magnitude > 1 << 24 { return "number \(number) of the vector does not fit float32 exactly" }
        }
        return nil
    }
}

// MARK: Headers

extension MatrixReader {
    private struct Shape {
        var element: MatrixElement
        var dimension: Int
        var rowCount: Int?
    }

    private static func shape(_ source: inout ByteSource, _ format: MatrixFormat) throws(IngestError) -> Shape {
        switch format {
        case .npy: return try npyShape(&source)
        case .raw(let element, let dimension): return Shape(element: element, dimension: try checked(dimension, source.name))
        case .prefixed(let element):
            // The first row's length is that of all; it is looked at here and read with its row.
            guard try source.fill(atLeast: 4) else {
                throw IngestError(file: source.name, at: .byte(0), "expected at least one row, found \(source.availableCount) bytes")
            }
            return Shape(element: element, dimension: try checked(prefix(source.available), source.name))
        }
    }

    private static func checked(_ dimension: Int, _ file: String) throws(IngestError) -> Int {
        guard (1...Limits.dimensionMax).contains(dimension) else {
            throw IngestError(file: file, at: .byte(0), "expected a dimension of 1 to \(Limits.dimensionMax), found \(dimension)")
        }
        return dimension
    }

    /// The int32 that the bytes begin with.
    private static func prefix(_ bytes: RawSpan) -> Int {
        var bits: UInt32 = 0
        for offset in 0..<4 { bits |= UInt32(bytes.byte(at: offset)) << UInt32(8 * offset) }
        return Int(Int32(bitPattern: bits))
    }

    private static func npyShape(_ source: inout ByteSource) throws(IngestError) -> Shape {
        let name = source.name
        var base = 0
        do {
            try take(NpyHeader.preambleBytes, from: &source)
            let lengthBytes = try NpyHeader.lengthBytes(preamble: source.taken)
            base = source.offset
            try take(lengthBytes, from: &source)
            let length = try NpyHeader.textLength(source.taken)
            base = source.offset
            try take(length, from: &source)
            let header = try NpyHeader(text: source.taken)
            return Shape(element: header.element, dimension: header.dimension, rowCount: header.rowCount)
        } catch let damage as Corruption {
            throw IngestError(file: name, at: .byte(base + damage.offset), "expected \(damage.expected)")
        } catch let error as IngestError {
            throw error
        } catch {
            preconditionFailure("reading a header throws these two errors only: \(error)")
        }
    }

    private static func take(_ count: Int, from source: inout ByteSource) throws(IngestError) {
        let got = try source.take(count)
        guard got == count else {
            throw IngestError(
                file: source.name, at: .byte(source.offset), "expected \(count) bytes of numpy's header, found \(got)", remedy: "the file is cut short")
        }
    }
}
