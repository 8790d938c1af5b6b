// What the code kernels compute, in Swift that reads like the formula: their documentation, and the oracle of their tests.
#if canImport(Glibc)
import Glibc  // links fmaf, which `addingProduct` becomes without a target CPU
#else
import Darwin
#endif
import CKernels

/// The scalar twins of `CodeKernels`, for one row or line each. Slow, and to the same bits.
package enum ScalarCodeKernels {
    /// Σ queryⱼ (codeⱼ − 128)
    package static func dot(_ query: Span<Int8>, _ row: Span<UInt8>) -> Int32 {
        var sum = 0
        for j in row.indices { sum += Int(query[j]) * (Int(row[j]) - 128) }
        return Int32(sum)
    }

    /// Σ (aⱼ − 128) (bⱼ − 128)
    package static func pairDot(_ a: Span<UInt8>, _ b: Span<UInt8>) -> Int32 {
        var sum = 0
        for j in a.indices { sum += (Int(a[j]) - 128) * (Int(b[j]) - 128) }
        return Int32(sum)
    }

    /// Σ (codeⱼ − 128) and Σ (codeⱼ − 128)²
    package static func sums(_ row: Span<UInt8>) -> (sum: Int32, squares: Int32) {
        var (sum, squares) = (0, 0)
        for j in row.indices {
            let value = Int(row[j]) - 128
            sum += value
            squares += value * value
        }
        return (Int32(sum), Int32(squares))
    }

    /// Those j with normⱼ − 2 dotⱼ ≤ limit, and that number.
    package static func near(_ dots: [Int32], norms: [Int32], limit: Int32) -> (indices: [UInt32], distances: [Int32]) {
        let distances = zip(norms, dots).map { $0 - 2 * $1 }
        let indices = distances.indices.filter { distances[$0] <= limit }
        return (indices.map { UInt32($0) }, indices.map { distances[$0] })
    }

    /// A line's value in a column: 0...15 or 0...3.
    package static func level(_ line: Span<UInt8>, _ column: Int) -> Int {
        let place = LineColumn.place(column)
        return Int(line[place.byte] >> UInt8(place.bit)) & (LineColumn.isWide(column) ? 15 : 3)
    }

    /// add + factor · scale (Σ valueₖ levelₖ − bias), where `add` and `factor` are the line's last two floats.
    package static func estimate(_ values: Span<Int8>, scale: Float, bias: Float, line: Span<UInt8>) -> Float {
        var sum = 0
        for column in 0..<LineColumn.count { sum += Int(values[column]) * level(line, column) }
        let add = float(line, at: LineColumn.valueBytes), factor = float(line, at: LineColumn.valueBytes + 4)
        return add.addingProduct((Float(sum) - bias) * scale, factor)
    }

    private static func float(_ line: Span<UInt8>, at place: Int) -> Float {
        Float(bitPattern: (0..<4).reduce(0) { $0 | UInt32(line[place + $1]) << UInt32(8 * $1) })
    }

    /// Σ queryⱼ weightⱼ of a column, where `blocks` has four weights a column and group.
    package static func projection(_ query: Span<Int8>, blocks: Span<Int8>, column: Int) -> Int32 {
        var sum = 0
        for j in query.indices { sum += Int(query[j]) * Int(blocks[(j / 4 * LineColumn.count + column) * 4 + j % 4]) }
        return Int32(sum)
    }

    /// round(x · scale), ties to even, held to −128...127
    package static func quantize(_ x: Float, scale: Float) -> Int8 {
        Int8(max(-128, min(127, (x * scale).rounded(.toNearestOrEven))))
    }

    /// A candidate among keys sorted by distance and number, of which the nearest are kept. Marks count for nothing; a full pool
    /// takes nothing at the distance of its last.
    package static func offer(_ number: UInt32, _ distance: Float, to keys: inout [UInt64], capacity: Int) {
        let key = CandidateKey.make(distance, number)
        keys.insert(key, at: keys.firstIndex { $0 > key } ?? keys.count)
        if keys.count > capacity { keys.removeLast() }
    }
}
