// The float32 kernels as Swift sees them: spans in, one bounds check a call, then C for the processor at hand.
import CKernels

/// The kernels of one instruction set. A value is one pointer; take `best` once and keep it.
///
/// All variants but "portable" give the same bytes for the same pair, whatever the alignment, the number of rows
/// in a call, or whether rows are taken in order or by index (see CKernels.h). `ScalarKernels` is what they compute.
@safe
package struct Kernels: @unchecked Sendable {
    // Sendable: the table is constant and lives as long as the process.
    let table: UnsafePointer<nt_kernels>

    /// The fastest variant here, measured once in a few hundred microseconds.
    package static let best = unsafe Kernels(table: nt_kernels_best())

    /// Every variant this processor can run, narrowest first.
    package static let all: [Kernels] = {
        var kernels: [Kernels] = []
        while let table = unsafe nt_kernels_at(kernels.count) { kernels.append(unsafe Kernels(table: table)) }
        return kernels
    }()

    /// "portable", "avx2", "avx512", "avx512vbmi" or "neon".
    package var name: String { unsafe String(cString: table.pointee.name) }

    /// `scores[i]` = dot product of the query and row i, for i below `count`; row i starts at `i * stride` of `rows`.
    /// Scores beyond are left alone, here and below.
    package func dot(
        _ query: Span<Float>, rows: Span<Float>, stride: Int, count: Int, into scores: inout MutableSpan<Float>
    ) {
        unsafe scoreRows(table.pointee.dot_rows, query, rows, stride, count, &scores)
    }

    /// `scores[i]` = dot product of the query and row `indices[i]`.
    package func dot(
        _ query: Span<Float>, rows: Span<Float>, stride: Int, at indices: Span<UInt32>,
        into scores: inout MutableSpan<Float>
    ) {
        unsafe scoreGathered(table.pointee.dot_gather, query, rows, stride, indices, &scores)
    }

    /// `scores[i]` = squared Euclidean distance between the query and row i, for i below `count`.
    package func squaredDistance(
        _ query: Span<Float>, rows: Span<Float>, stride: Int, count: Int, into scores: inout MutableSpan<Float>
    ) {
        unsafe scoreRows(table.pointee.l2_rows, query, rows, stride, count, &scores)
    }

    /// `scores[i]` = squared Euclidean distance between the query and row `indices[i]`.
    package func squaredDistance(
        _ query: Span<Float>, rows: Span<Float>, stride: Int, at indices: Span<UInt32>,
        into scores: inout MutableSpan<Float>
    ) {
        unsafe scoreGathered(table.pointee.l2_gather, query, rows, stride, indices, &scores)
    }

    /// The dot product of two vectors.
    package func dot(_ a: Span<Float>, _ b: Span<Float>) -> Float {
        unsafe scorePair(table.pointee.dot_rows, a, b)
    }

    /// The squared Euclidean distance between two vectors.
    package func squaredDistance(_ a: Span<Float>, _ b: Span<Float>) -> Float {
        unsafe scorePair(table.pointee.l2_rows, a, b)
    }

    /// The sum of squares, accumulated in double.
    package func sumOfSquares(_ x: Span<Float>) -> Double {
        // Sound: the pointer is used within the closure only, with the span's own count.
        unsafe x.withUnsafeBufferPointer { unsafe table.pointee.sum_squares($0.baseAddress, $0.count) }
    }

    /// Whether no element is a NaN or infinite.
    package func allFinite(_ x: Span<Float>) -> Bool {
        // Sound: as above.
        unsafe x.withUnsafeBufferPointer { unsafe table.pointee.all_finite_f32($0.baseAddress, $0.count) }
    }
}

// One check a call and one call: inlined, so that the spans stay in registers.
extension Kernels {
    @inline(__always)
    private func scoreRows(
        _ kernel: @convention(c) (
            UnsafePointer<Float>?, UnsafePointer<Float>?, Int, Int, Int, UnsafeMutablePointer<Float>?
        ) -> Void,
        _ query: Span<Float>, _ rows: Span<Float>, _ stride: Int, _ count: Int, _ scores: inout MutableSpan<Float>
    ) {
        let dim = query.count
        precondition(dim > 0 && stride >= dim, "rows are at least as far apart as they are long")
        precondition(count >= 0 && count <= scores.count, "every score has its place")
        precondition(count == 0 || (count - 1) * stride + dim <= rows.count, "every row scored is there")
        unsafe query.withUnsafeBufferPointer { query in
            unsafe rows.withUnsafeBufferPointer { rows in
                unsafe scores.withUnsafeMutableBufferPointer { scores in
                    // Sound: the kernel reads `dim` elements from each of the rows checked above and writes
                    // `count` scores, which fit; a span held mutably overlaps no other.
                    unsafe kernel(query.baseAddress, rows.baseAddress, stride, dim, count, scores.baseAddress)
                }
            }
        }
    }

    @inline(__always)
    private func scoreGathered(
        _ kernel: @convention(c) (
            UnsafePointer<Float>?, UnsafePointer<Float>?, Int, Int, UnsafePointer<UInt32>?, Int,
            UnsafeMutablePointer<Float>?
        ) -> Void,
        _ query: Span<Float>, _ rows: Span<Float>, _ stride: Int, _ indices: Span<UInt32>,
        _ scores: inout MutableSpan<Float>
    ) {
        let dim = query.count
        precondition(dim > 0 && stride >= dim, "rows are at least as far apart as they are long")
        precondition(indices.count <= scores.count, "every score has its place")
        // Sound: the pointer is used within the closure only, with the span's own count.
        let last = unsafe indices.withUnsafeBufferPointer { unsafe table.pointee.max_index($0.baseAddress, $0.count) }
        precondition(indices.isEmpty || Int(last) * stride + dim <= rows.count, "every row named is there")
        unsafe query.withUnsafeBufferPointer { query in
            unsafe rows.withUnsafeBufferPointer { rows in
                unsafe indices.withUnsafeBufferPointer { indices in
                    unsafe scores.withUnsafeMutableBufferPointer { scores in
                        // Sound: the furthest row ends within `rows`, checked above, so all do; so many scores
                        // fit; a span held mutably overlaps no other.
                        unsafe kernel(
                            query.baseAddress, rows.baseAddress, stride, dim, indices.baseAddress, indices.count,
                            scores.baseAddress)
                    }
                }
            }
        }
    }

    @inline(__always)
    private func scorePair(
        _ kernel: @convention(c) (
            UnsafePointer<Float>?, UnsafePointer<Float>?, Int, Int, Int, UnsafeMutablePointer<Float>?
        ) -> Void,
        _ a: Span<Float>, _ b: Span<Float>
    ) -> Float {
        precondition(a.count == b.count && !a.isEmpty, "vectors of one space have one length")
        var score: Float = 0
        unsafe a.withUnsafeBufferPointer { a in
            unsafe b.withUnsafeBufferPointer { b in
                // Sound: both have `a.count` elements, checked above; one score goes to one float.
                unsafe kernel(a.baseAddress, b.baseAddress, a.count, a.count, 1, &score)
            }
        }
        return score
    }
}
