// Exact search: every permitted row is compared, page by page, by kernel or by matrix product.
package import Memory

extension Metric {
    /// What is kept beside a row so that a comparison needs one pass over it: the inverse length for cosine, the
    /// squared length for the others, where only the matrix product needs it.
    package func rowFactor(_ row: Span<Float>) -> Float {
        let squaredLength = Kernels.best.sumOfSquares(row)
        return self == .cosine ? Float(1 / squaredLength.squareRoot()) : Float(squaredLength)
    }
}

/// A query made ready: unit length for cosine.
package struct FlatQuery: Sendable {
    let metric: Metric
    let squaredLength: Float
    /// The vector, aligned.
    private let packed: CellBuffer<Float>

    /// The vector is finite, of the space's dimension, and not zero where the metric is cosine.
    package init(_ vector: Span<Float>, metric: Metric) {
        self.metric = metric
        let squared = Kernels.best.sumOfSquares(vector)
        let scale = metric == .cosine ? Float(1 / squared.squareRoot()) : 1
        packed = CellBuffer(count: vector.count)
        let cells = packed.cells
        for index in vector.indices { cells[index] = vector[index] * scale }
        squaredLength = metric == .cosine ? 1 : Float(squared)
    }

    /// Valid for as long as the query is kept.
    package var cells: Cells<Float> { packed.cells.readOnly }
    private var vector: Cells<Float> { cells }
    var dimension: Int { packed.count }

    /// The score that callers see, from the one that ranks: a distance instead of its negative square.
    package func finalScore(_ ranked: Float) -> Float {
        // Taken from zero, not negated: a vector compared with itself scores 0, not -0.
        metric == .l2 ? 0 - (-ranked).squareRoot() : ranked
    }
}

/// A page of rows as the caller lends it: `factors`, `ties` and the rows agree in length.
package struct FlatPage: ~Escapable {
    let rows: Span<Float>
    let stride: Int
    let factors: Span<Float>
    package let ties: Span<UInt32>
    /// Number of the page's first row.
    let firstRow: Int

    /// `rows` holds `factors.count` rows, each `stride` floats after the one before.
    @_lifetime(copy rows, copy factors, copy ties)
    package init(rows: Span<Float>, stride: Int, factors: Span<Float>, ties: Span<UInt32>, firstRow: Int) {
        precondition(rows.count == stride * factors.count && ties.count == factors.count, "a page's columns agree in length")
        self.rows = rows
        self.stride = stride
        self.factors = factors
        self.ties = ties
        self.firstRow = firstRow
    }
}

/// One or many queries of one metric against the same pages. Exact: scores are always the kernel's, so a query
/// gets the same answer to the last bit alone and in a batch.
package struct FlatSearch {
    private let queries: [FlatQuery]
    /// All query vectors one after the other, once a matrix product has wanted them.
    private var packedQueries: [Float] = []
    private var best: [TopK]
    private let dimension: Int
    /// Rows compared so far, over all queries.
    package private(set) var compared = 0

    // Reused from page to page.
    private var scores: [Float] = []
    private var packedRows: [Float] = []
    private var products: [Float] = []

    /// From this many queries on, a matrix product finds the promising rows first. Below, the kernels are faster: a
    /// page stays in the cache from one query to the next, and the product's scores would have to be read again.
    package static let batchMin = 8

    package init(queries: [FlatQuery], k: Int) {
        precondition(!queries.isEmpty, "a search has a query")
        let dimension = queries[0].dimension
        precondition(queries.allSatisfy { $0.dimension == dimension }, "queries of a batch have one dimension")
        self.queries = queries
        self.dimension = dimension
        // Each with room of its own: one that all begin with would be copied by each.
        best = queries.map { _ in TopK(capacity: k) }
    }

    /// Compares the rows of the page that `selection` names, rising, with all queries or with one of them.
    package mutating func scan(_ page: borrowing FlatPage, selection: Span<UInt32>, only query: Int? = nil) {
        guard !selection.isEmpty else { return }
        if let query {
            compared += selection.count
            compare(query, page, selection)
            return
        }
        compared += selection.count * queries.count
        if queries.count >= Self.batchMin {
            scanBatch(page, selection)
        } else {
            for index in queries.indices { compare(index, page, selection) }
        }
    }

    /// Takes in a row that was compared elsewhere, by the same vectors.
    package mutating func offer(_ candidate: Candidate, to query: Int) { best[query].offer(candidate) }

    /// Each query's best, best first, with the scores that rank (see `FlatQuery.finalScore`).
    package consuming func finish() -> [[Candidate]] { best.map { $0.sorted() } }

    /// Scores rows by kernel and keeps the best.
    private mutating func compare(_ index: Int, _ page: borrowing FlatPage, _ selection: Span<UInt32>) {
        let query = queries[index]
        resize(&scores, to: selection.count)
        var output = scores.mutableSpan
        query.score(page, selection, into: &output)
        for at in selection.indices where scores[at] >= best[index].threshold {
            let row = Int(selection[at])
            best[index].offer(Candidate(score: scores[at], tie: page.ties[row], row: UInt32(page.firstRow + row)))
        }
    }

    /// One matrix product tells, up to rounding, every score; rows that could reach a query's best are then
    /// scored by the kernel. The bound makes this exact: no row is passed over that the kernel would have kept.
    private mutating func scanBatch(_ page: borrowing FlatPage, _ selection: Span<UInt32>) {
        multiply(page, selection)
        let products = products
        for index in queries.indices {
            let estimates = products.span.extracting(index * selection.count..<(index + 1) * selection.count)
            let promising = queries[index].promising(page, selection, products: estimates, threshold: best[index].threshold)
            if !promising.isEmpty { compare(index, page, promising.span) }
        }
    }

    /// Every query's product with every selected row, queries outside.
    private mutating func multiply(_ page: borrowing FlatPage, _ selection: Span<UInt32>) {
        if packedQueries.isEmpty { packedQueries = queries.flatMap { query in (0..<query.dimension).map { query.cells[$0] } } }
        let (queries, count, dimension) = (packedQueries, queries.count, dimension)
        let isWhole = selection.count == page.factors.count
        if !isWhole { page.pack(selection, dimension: dimension, into: &packedRows) }
        let packedRows = packedRows
        resize(&products, to: count * selection.count)
        var output = products.mutableSpan
        MatrixProduct.multiply(
            queries: queries.span, queryCount: count, queryStride: dimension,
            rows: isWhole ? page.rows : packedRows.span, rowCount: selection.count, rowStride: isWhole ? page.stride : dimension,
            dim: dimension, into: &output, productStride: selection.count)
    }
}

extension FlatQuery {
    /// Ranking scores of the selected rows, by kernel.
    fileprivate func score(_ page: borrowing FlatPage, _ selection: Span<UInt32>, into scores: inout MutableSpan<Float>) {
        let kernels = Kernels.best
        // All rows of a page are read in one stream; a part of them by their numbers. The scores are the same.
        let isWhole = selection.count == page.factors.count
        switch (metric == .l2, isWhole) {
        case (true, true): kernels.squaredDistance(vector.span, rows: page.rows, stride: page.stride, count: selection.count, into: &scores)
        case (true, false): kernels.squaredDistance(vector.span, rows: page.rows, stride: page.stride, at: selection, into: &scores)
        case (false, true): kernels.dot(vector.span, rows: page.rows, stride: page.stride, count: selection.count, into: &scores)
        case (false, false): kernels.dot(vector.span, rows: page.rows, stride: page.stride, at: selection, into: &scores)
        }
        switch metric {
        case .l2: for at in scores.indices { scores[at] = -scores[at] }
        case .cosine: for at in scores.indices { scores[at] *= page.factors[Int(selection[at])] }
        case .dot: break
        }
    }

    /// The selected rows whose true score may reach `threshold`, judged by their dot products.
    fileprivate func promising(
        _ page: borrowing FlatPage, _ selection: Span<UInt32>, products: Span<Float>, threshold: Float
    ) -> [UInt32] {
        var rows: [UInt32] = []
        // Two sums of d products, in whatever order each, differ by less than 2 d 2^-24 |q| |x|, and where products
        // underflow, by d 2^-149. The least normal number added to each squared length covers the latter, and also
        // that squares underflow before lengths do: a bound from |q|^2 |x|^2 would be 0 for lengths of 1e-12.
        let rounding = 2 * Float(vector.count + 2) * 0x1p-24
        let least = Float.leastNormalMagnitude
        let length = (squaredLength + least).squareRoot()
        for at in products.indices {
            let factor = page.factors[Int(selection[at])]
            let (estimate, error): (Float, Float)
            switch metric {
            case .cosine: (estimate, error) = (products[at] * factor, rounding)
            case .dot: (estimate, error) = (products[at], rounding * length * (factor + least).squareRoot())
            // Besides the product's rounding: that of the lengths, and the kernel's own.
            case .l2: (estimate, error) = (2 * products[at] - (squaredLength + factor), 3 * rounding * (squaredLength + factor + least))
            }
            if estimate + error >= threshold { rows.append(selection[at]) }
        }
        return rows
    }
}

extension FlatPage {
    /// Copies the selected rows together: a forbidden row takes no part in a product.
    fileprivate func pack(_ selection: Span<UInt32>, dimension: Int, into packed: inout [Float]) {
        packed.removeAll(keepingCapacity: true)
        for at in selection.indices {
            let start = Int(selection[at]) * stride
            for offset in start..<start + dimension { packed.append(rows[offset]) }
        }
    }
}

private func resize(_ floats: inout [Float], to count: Int) {
    if floats.count < count { floats.append(contentsOf: repeatElement(0, count: count - floats.count)) }
    if floats.count > count { floats.removeLast(floats.count - count) }
}
