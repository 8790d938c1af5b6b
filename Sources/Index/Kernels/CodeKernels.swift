// The kernels over codes and lines as Swift sees them: views in, C for the processor at hand.
import CKernels
package import Memory

/// The code kernels of one instruction set. All of them give the same integers, and the same estimates where there is fused
/// multiply-add, so which of them runs never shows in an answer.
@safe
package struct CodeKernels: @unchecked Sendable {
    // Sendable: the table is constant and lives as long as the process.
    let table: UnsafePointer<nt_code_kernels>

    /// The fastest variant here, measured once.
    package static let best = unsafe CodeKernels(table: nt_code_kernels_best())

    /// Every variant this processor can run, narrowest first.
    package static let all: [CodeKernels] = {
        var kernels: [CodeKernels] = []
        while let table = unsafe nt_code_kernels_at(kernels.count) { kernels.append(unsafe CodeKernels(table: table)) }
        return kernels
    }()

    package var name: String { unsafe String(cString: table.pointee.name) }

    // Sound, in all of these: a view's memory outlives the call, and the counts passed are the views' own or were checked
    // against them; rows named by `ids` are below the count that the caller's file or builder was checked for.

    /// `dots[i]` = Σ query[j] · (value j of row ids[i]).
    @inline(__always)
    func dots(_ query: CodeQuery, _ rows: CodeRows, ids: Cells<UInt32>, into dots: MutableCells<Int32>) {
        assert(dots.count >= ids.count && query.values.count == rows.stride, "every dot product has its place")
        guard ids.count > 0 else { return }
        unsafe table.pointee.dot_codes(
            query.values.address, query.sum, rows.bytes.address, rows.stride, ids.address, ids.count, dots.address)
    }

    /// The same for the rows of a range.
    @inline(__always)
    func dots(_ query: CodeQuery, _ rows: CodeRows, _ range: Range<Int>, into dots: MutableCells<Int32>) {
        assert(dots.count >= range.count && range.upperBound <= rows.count && query.values.count == rows.stride, "rows are there")
        guard !range.isEmpty else { return }
        unsafe table.pointee.dot_code_rows(
            query.values.address, query.sum, rows.bytes.address + range.lowerBound * rows.stride, rows.stride, range.count, dots.address)
    }

    /// Dot products of up to four rows with many, `stride` apart in `dots`.
    @inline(__always)
    func pairDots(
        _ rows: CodeRows, _ first: Range<Int>, sums: Cells<Int32>, with others: Range<Int>, into dots: MutableCells<Int32>, stride: Int
    ) {
        assert(first.count <= 4 && first.upperBound <= rows.count && others.upperBound <= rows.count, "rows are there")
        assert((first.count - 1) * stride + others.count <= dots.count, "every dot product has its place")
        unsafe table.pointee.dot_pairs(
            rows.bytes.address + first.lowerBound * rows.stride, sums.address + first.lowerBound, first.count,
            rows.bytes.address + others.lowerBound * rows.stride, others.count, rows.stride, dots.address, stride)
    }

    /// Those j with `norms[j] - 2 dots[j]` of at most `limit`, and that number of each.
    @inline(__always)
    func selectNear(
        _ dots: Cells<Int32>, norms: Cells<Int32>, limit: Int32, indices: MutableCells<UInt32>, distances: MutableCells<Int32>
    ) -> Int {
        assert(norms.count >= dots.count && indices.count >= dots.count && distances.count >= dots.count, "all that is near has room")
        guard dots.count > 0 else { return 0 }
        return unsafe table.pointee.select_near(dots.address, norms.address, dots.count, limit, indices.address, distances.address)
    }

    @inline(__always)
    func estimates(_ query: LineQuery, _ lines: Cells<UInt8>, ids: Cells<UInt32>, into estimates: MutableCells<Float>) {
        assert(estimates.count >= ids.count, "every estimate has its place")
        guard ids.count > 0 else { return }
        unsafe table.pointee.score_lines(query.planes, lines.address, ids.address, ids.count, estimates.address)
    }

    @inline(__always)
    func estimates(_ query: LineQuery, _ lines: Cells<UInt8>, _ range: Range<Int>, into estimates: MutableCells<Float>) {
        assert(estimates.count >= range.count && range.upperBound * Int(NT_LINE_BYTES) <= lines.count, "every line is there")
        guard !range.isEmpty else { return }
        unsafe table.pointee.score_line_rows(
            query.planes, lines.address + range.lowerBound * Int(NT_LINE_BYTES), range.count, estimates.address)
    }

    func project(_ query: Cells<Int8>, blocks: Cells<Int8>, columnSums: Cells<Int32>, into projections: MutableCells<Int32>) {
        let groups = query.count / 4
        assert(blocks.count == groups * 4 * Int(NT_LINE_VALUES) && columnSums.count == Int(NT_LINE_VALUES), "weights fit the query")
        assert(projections.count == Int(NT_LINE_VALUES), "every projection has its place")
        unsafe table.pointee.project(query.address, groups, blocks.address, columnSums.address, projections.address)
    }

    /// `out` = x - centre; returns the greatest magnitude.
    func centre(_ x: Cells<Float>, around centre: Cells<Float>, into out: MutableCells<Float>) -> Float {
        assert(centre.count >= x.count && out.count >= x.count, "every difference has its place")
        guard x.count > 0 else { return 0 }
        return unsafe table.pointee.centre(x.address, centre.address, x.count, out.address)
    }

    /// A query's values for lines; returns the greatest magnitude of the weighed projections, and twice the sum of the values times
    /// the middles of their columns' levels.
    func weigh(_ projections: Cells<Int32>, scales: Cells<Float>, into values: MutableCells<Int8>) -> (greatest: Float, bias: Int32) {
        assert(projections.count == LineColumn.count && scales.count == LineColumn.count && values.count == LineColumn.count, "a value a column")
        var bias: Int32 = 0
        let greatest = unsafe table.pointee.weigh(projections.address, scales.address, values.address, &bias)
        return (greatest, bias)
    }

    /// Whether every x is its value times the step, exactly.
    func standsOn(_ x: Cells<Float>, _ values: Cells<Int8>, step: Float) -> Bool {
        assert(values.count >= x.count, "every number has its value")
        return unsafe table.pointee.stands_on(x.address, values.address, step, x.count)
    }

    /// `out` = x · scale, rounded and held to -128...127; returns the sum.
    func quantize(_ x: Cells<Float>, scale: Float, into out: MutableCells<Int8>) -> Int32 {
        assert(out.count >= x.count, "every value has its place")
        guard x.count > 0 else { return 0 }
        return unsafe table.pointee.quantise(x.address, scale, x.count, out.address)
    }

    /// Sum and sum of squares of a row's first `dimension` values.
    func sums(_ row: Cells<UInt8>, dimension: Int) -> (sum: Int32, squares: Int32) {
        assert(row.count >= dimension, "the values are there")
        var sums = [2 of Int32](repeating: 0)
        var span = sums.mutableSpan
        unsafe span.withUnsafeMutableBufferPointer { sums in
            unsafe table.pointee.sum_codes(row.address, dimension, sums.baseAddress)
        }
        return (sums[0], sums[1])
    }
}

/// Rows of 8-bit codes: value + 128 a byte, `stride` bytes a row, a multiple of 64.
package struct CodeRows: Sendable {
    package let bytes: Cells<UInt8>
    package let stride: Int

    package init(bytes: Cells<UInt8>, stride: Int) {
        precondition(stride > 0 && stride % 64 == 0 && bytes.count % stride == 0, "rows of codes fill whole cache lines")
        self.bytes = bytes
        self.stride = stride
    }

    package var count: Int { bytes.count / stride }
    @inline(__always)
    func row(_ index: Int) -> Cells<UInt8> { bytes.part(index * stride..<(index + 1) * stride) }

    /// The last four bytes of a row, which hold no code: its sum of squares, where the metric asks for one.
    @inline(__always)
    func tail(_ index: Int) -> Int32 {
        let at = (index + 1) * stride - 4
        return Int32(truncatingIfNeeded: UInt32(bytes[at]) | UInt32(bytes[at + 1]) << 8 | UInt32(bytes[at + 2]) << 16 | UInt32(bytes[at + 3]) << 24)
    }
}

/// A query in the codes' values: signed, zero beyond its dimension.
struct CodeQuery {
    var values: Cells<Int8>
    var sum: Int32
}

/// A query laid out for lines, in memory of its own.
@safe
final class LineQuery {
    let planes: UnsafeMutablePointer<nt_line_query>

    init() {
        unsafe planes = .allocate(capacity: 1)
        unsafe planes.initialize(to: nt_line_query())
    }

    deinit { unsafe planes.deallocate() }

    /// The value that weighs `column`: see `LineColumn`.
    func setValues(_ values: Cells<Int8>, scale: Float, bias: Float) {
        assert(values.count == Int(NT_LINE_VALUES), "a line has so many values")
        // Sound: the planes are 256 bytes in a row, and `LineColumn.place` lies within them.
        unsafe UnsafeMutableRawPointer(planes).withMemoryRebound(to: Int8.self, capacity: 4 * LineColumn.planeBytes) { bytes in
            for run in LineColumn.runs {
                unsafe (bytes + run.place).update(from: values.address + run.first, count: run.count)
            }
        }
        unsafe planes.pointee.scale = scale
        unsafe planes.pointee.bias = bias
    }
}

/// Where the values of a line stand: columns 0..<192 in the order of the query's planes.
enum LineColumn {
    static let lineBytes = 64
    static let planeBytes = 64
    static let wideBytes = 16
    static let valueBytes = 56
    static let count = 192
    /// Columns of 4 bits; the others have 2.
    static let wideCount = 32

    /// Runs of columns, and where in the query's planes each begins.
    static let runs: [(first: Int, count: Int, place: Int)] = [
        (0, 56, 0), (56, 56, 64), (112, 40, 128 + 16), (152, 40, 192 + 16),
    ]

    /// The byte of the line and the lowest bit that a column's value has there.
    static func place(_ column: Int) -> (byte: Int, bit: Int) {
        switch column {
        case 0..<56: (column, 0)
        case 56..<112: (column - 56, 4)
        case 112..<152: (column - 112 + wideBytes, 2)
        default: (column - 152 + wideBytes, 6)
        }
    }

    static func isWide(_ column: Int) -> Bool { place(column).byte < wideBytes }
}

extension Cells {
    /// Asks for the elements' cache lines.
    @inline(__always)
    package func prefetch(from first: Int, count: Int) {
        // Sound: asking for memory in advance reads nothing.
        unsafe nt_prefetch(UnsafeRawPointer(address + first), count &* MemoryLayout<T>.stride)
    }
}

/// Asks for the first `bytes` of each of the rows named.
@inline(__always)
func prefetchRows(_ rows: Cells<UInt8>, stride: Int, bytes: Int, ids: Cells<UInt32>) {
    guard ids.count > 0 else { return }
    // Sound: as above.
    unsafe nt_prefetch_rows(rows.address, stride, bytes, ids.address, ids.count)
}

/// Takes the links not visited yet into `unvisited`, marks them, and asks for their rows; returns how many.
@inline(__always)
func visitLinks(
    _ links: Cells<UInt32>, visited: MutableCells<UInt32>, unvisited: MutableCells<UInt32>, rows: Cells<UInt8>, stride: Int, bytes: Int
) -> Int {
    assert(unvisited.count >= links.count + 1, "every link has room, and one more")
    // Sound: links were checked against the number of rows when their file was opened; the bitmap has a bit for each.
    return unsafe nt_visit_links(links.address, links.count, visited.address, unvisited.address, rows.address, stride, bytes)
}
