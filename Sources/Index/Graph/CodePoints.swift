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
