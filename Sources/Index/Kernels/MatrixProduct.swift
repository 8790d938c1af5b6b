// Products of many queries with many rows: the system's BLAS where there is one, the kernels elsewhere.
import CBLAS

/// Matrices are row-major, their rows `stride` floats apart.
package enum MatrixProduct {
    /// Which library multiplies; "none" where the kernels stand in: as fast for up to eight queries, at a quarter
    /// of the speed for hundreds.
    package static var library: String { unsafe String(cString: nt_blas_description()) }

    /// `products[i, j]` = `scale` · Σ `queries[i, d]` · `rows[j, d]` + `keep` · `products[i, j]`.
    ///
    /// Runs on the calling thread alone; many threads may multiply at once. With `keep` 0 the old products do not
    /// matter, not even as NaN. The last bits depend on the library and on the shape, unlike `Kernels`'.
    package static func multiply(
        queries: Span<Float>, queryCount: Int, queryStride: Int,
        rows: Span<Float>, rowCount: Int, rowStride: Int,
        dim: Int, scale: Float = 1, keep: Float = 0,
        into products: inout MutableSpan<Float>, productStride: Int
    ) {
        guard queryCount > 0, rowCount > 0 else { return }
        precondition(dim > 0 && queryStride >= dim && rowStride >= dim, "rows are as far apart as they are long")
        precondition(productStride >= rowCount, "a row of products has one for each row")
        precondition((queryCount - 1) * queryStride + dim <= queries.count, "every query is there")
        precondition((rowCount - 1) * rowStride + dim <= rows.count, "every row is there")
        precondition((queryCount - 1) * productStride + rowCount <= products.count, "every product has its place")

        let code = unsafe queries.withUnsafeBufferPointer { queries in
            unsafe rows.withUnsafeBufferPointer { rows in
                unsafe products.withUnsafeMutableBufferPointer { products in
                    // Sound: the extents were checked above; a span held mutably overlaps no other.
                    unsafe nt_sgemm_nt(
                        queryCount, rowCount, dim, scale, queries.baseAddress, queryStride,
                        rows.baseAddress, rowStride, keep, products.baseAddress, productStride)
                }
            }
        }
        if code != 0 {
            multiplyByKernels(
                queries: queries, queryCount: queryCount, queryStride: queryStride, rows: rows, rowCount: rowCount,
                rowStride: rowStride, dim: dim, scale: scale, keep: keep, into: &products, productStride: productStride)
        }
    }

    /// What `multiply` does without a BLAS.
    package static func multiplyByKernels(
        queries: Span<Float>, queryCount: Int, queryStride: Int,
        rows: Span<Float>, rowCount: Int, rowStride: Int,
        dim: Int, scale: Float, keep: Float,
        into products: inout MutableSpan<Float>, productStride: Int
    ) {
        var block = [64 of Float](repeating: 0)
        var scores = block.mutableSpan
        for first in stride(from: 0, to: rowCount, by: scores.count) {
            // Queries run inside: this block of rows stays in cache for all of them.
            let count = min(scores.count, rowCount - first)
            let blockRows = rows.extracting(first * rowStride..<(first + count - 1) * rowStride + dim)
            for i in 0..<queryCount {
                let query = queries.extracting(i * queryStride..<i * queryStride + dim)
                Kernels.best.dot(query, rows: blockRows, stride: rowStride, count: count, into: &scores)
                for j in 0..<count {
                    let place = i * productStride + first + j
                    products[place] = scale * scores[j] + (keep == 0 ? 0 : keep * products[place])
                }
            }
        }
    }
}
