// Rows of codes as points: what tells how far apart two of them are.
import Memory

/// Rows whose tails hold nothing yet, with the sum of the squares and the sum of each one's values.
struct CodePoints: Sendable {
    let rows: CodeRows
    let norms: Cells<Int32>
    let sums: Cells<Int32>

    var count: Int { rows.count }

    /// A row as a query: its values, signed.
    @inline(__always)
    func signed(_ row: Int, into query: MutableCells<Int8>) -> CodeQuery {
        let bytes = rows.row(row)
        for j in 0..<rows.stride { query[j] = Int8(bitPattern: bytes[j] ^ 0x80) }
        return CodeQuery(values: query.readOnly.part(0..<rows.stride), sum: sums[row])
    }
}

/// Some of the points side by side, in memory of their own.
final class CopiedPoints: Sendable {
    private let bytes: CellBuffer<UInt8>
    private let norms: CellBuffer<Int32>
    private let sums: CellBuffer<Int32>
    private let stride: Int

    init(_ points: CodePoints, _ rows: [UInt32]) {
        stride = points.rows.stride
        bytes = CellBuffer(count: rows.count * stride)
        norms = CellBuffer(count: rows.count)
        sums = CellBuffer(count: rows.count)
        for (i, row) in rows.enumerated() {
            bytes.cells.copy(points.rows.row(Int(row)), at: i * stride)
            norms.cells[i] = points.norms[Int(row)]
            sums.cells[i] = points.sums[Int(row)]
        }
    }

    /// Valid for as long as this is kept.
    var points: CodePoints {
        CodePoints(rows: CodeRows(bytes: bytes.cells.readOnly, stride: stride), norms: norms.cells.readOnly, sums: sums.cells.readOnly)
    }
}
