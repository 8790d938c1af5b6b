// What compares a query with an index's positions: by their lines, or by their codes.
import Memory

/// Distances of positions from a query, in some unit of their own; less is nearer.
protocol WalkScorer {
    var bytes: Cells<UInt8> { get }
    var stride: Int { get }
    func table(_ bytes: Cells<UInt8>) -> Self
    func score(_ ids: Cells<UInt32>, into distances: MutableCells<Float>)
    func score(_ range: Range<Int>, into distances: MutableCells<Float>)
}

struct LineScorer: WalkScorer {
    let kernels: CodeKernels
    let query: LineQuery
    let lines: Cells<UInt8>

    var bytes: Cells<UInt8> { lines }
    var stride: Int { 64 }
    func table(_ lines: Cells<UInt8>) -> LineScorer { LineScorer(kernels: kernels, query: query, lines: lines) }

    @inline(__always)
    func score(_ ids: Cells<UInt32>, into distances: MutableCells<Float>) { kernels.estimates(query, lines, ids: ids, into: distances) }
    @inline(__always)
    func score(_ range: Range<Int>, into distances: MutableCells<Float>) { kernels.estimates(query, lines, range, into: distances) }
}

struct CodeScorer: WalkScorer {
    let kernels: CodeKernels
    let query: PreparedCode
    let rows: CodeRows
    let dots: MutableCells<Int32>

    var bytes: Cells<UInt8> { rows.bytes }
    var stride: Int { rows.stride }
    func table(_ bytes: Cells<UInt8>) -> CodeScorer {
        CodeScorer(kernels: kernels, query: query, rows: CodeRows(bytes: bytes, stride: rows.stride), dots: dots)
    }

    @inline(__always)
    func score(_ ids: Cells<UInt32>, into distances: MutableCells<Float>) {
        kernels.dots(query.values, rows, ids: ids, into: dots)
        guard query.hasNorms else {
            for i in 0..<ids.count { distances[i] = -Float(dots[i]) }
            return
        }
        let factor = 2 * query.step / query.rowStep
        for i in 0..<ids.count { distances[i] = Float(rows.tail(Int(ids[i]))) - factor * Float(dots[i]) }
    }

    @inline(__always)
    func score(_ range: Range<Int>, into distances: MutableCells<Float>) {
        kernels.dots(query.values, rows, range, into: dots)
        guard query.hasNorms else {
            for i in 0..<range.count { distances[i] = -Float(dots[i]) }
            return
        }
        let factor = 2 * query.step / query.rowStep
        for i in 0..<range.count { distances[i] = Float(rows.tail(range.lowerBound + i)) - factor * Float(dots[i]) }
    }
}
