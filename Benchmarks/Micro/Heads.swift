// What it costs to search rows that no index holds yet: by their vectors, and by codes made as they came.
import Index
import Memory

/// Rows of 768 numbers, each less telling than the one before, around a few hundred centres.
private struct HeadRows768 {
    static let dimension = 768
    var rows = PagedRows<Float>(width: dimension)
    var factors = PagedColumn<Float>()
    private var state: UInt64 = 1
    private var centres: [Float] = []

    init(count: Int) {
        centres = (0..<256 * Self.dimension).map { number(at: $0 % Self.dimension) }
        for _ in 0..<count { append(vector()) }
    }

    mutating func vector() -> [Float] {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        let centre = Int(state >> 56) * Self.dimension
        return (0..<Self.dimension).map { centres[centre + $0] + number(at: $0) }
    }

    private mutating func number(at place: Int) -> Float {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return (Float(state >> 40) * 0x1p-24 - 0.5) / (1 + Float(place) / 24)
    }

    private mutating func append(_ vector: [Float]) {
        rows.append(vector.span)
        factors.append(Metric.cosine.rowFactor(vector.span))
    }

    /// An index of other rows, for its parameters.
    mutating func encoder() -> RowEncoder {
        let count = 8192
        let values = CellBuffer<Float>(count: count * Self.dimension), factors = CellBuffer<Float>(count: count)
        for row in 0..<count {
            let vector = vector()
            for j in vector.indices { values.cells[row * Self.dimension + j] = vector[j] }
            factors.cells[row] = Metric.cosine.rowFactor(vector.span)
        }
        let rows = VectorRows(
            values: values.cells.readOnly, stride: Self.dimension, factors: factors.cells.readOnly, dimension: Self.dimension, metric: .cosine)
        var settings = IndexSettings()
        settings.hasGraph = false
        guard let built = IndexBuilder(rows, rows: (0..<UInt32(count)).map { $0 }, settings: settings).build() else {
            preconditionFailure("nobody cancels")
        }
        withExtendedLifetime((values, factors)) {}
        return RowEncoder(VectorIndex(built.columns, metric: .cosine, owner: built))
    }
}

/// Rows that a filter leaves: every so-manieth.
private func everyRow(_ step: Int, of count: Int) -> (words: CellBuffer<UInt64>, visible: VisiblePositions) {
    let words = CellBuffer<UInt64>(count: (count + 63) / 64)
    for row in stride(from: 0, to: count, by: step) { words.cells[row >> 6] |= 1 << UInt64(row & 63) }
    return (words, VisiblePositions(words: words.cells.readOnly, count: (count + step - 1) / step))
}

func heads() {
    line("", ["append, us", "by vectors", "by codes", "a half", "recall"])
    for count in [13_000, 40_000] { head(count: count) }
}

private func head(count: Int) {
    var head = HeadRows768(count: count)
    let encoder = head.encoder()
    var codes = CodedRows(encoder)
    let encoding = nanoseconds(rounds: 5, calls: 1, [{ _ in
        codes = CodedRows(encoder)
        codes.encode(head.rows, head.factors)
    }])[0]
    precondition(codes.isFitting, "rows like the index's own fit its codes")
    let queries = (0..<64).map { _ in FlatQuery(head.vector().span, metric: .cosine) }
    let (scratch, half) = (SearchScratch(), everyRow(2, of: count))
    let selection = (0..<1024).map { UInt32($0) }
    func byVectors(_ query: FlatQuery) -> [UInt32] {
        var search = FlatSearch(queries: [query], k: 10)
        for number in 0..<head.rows.pageCount {
            let factors = head.factors.page(number)
            let page = FlatPage(
                rows: head.rows.page(number), stride: head.rows.width, factors: factors, ties: selection.span.extracting(first: factors.count),
                firstRow: number * head.rows.pageRows)
            search.scan(page, selection: selection.span.extracting(first: factors.count))
        }
        return search.finish()[0].map(\.row)
    }
    func byCodes(_ query: FlatQuery, _ visible: VisiblePositions? = nil) -> [UInt32] {
        let request = CodedRows.Request(k: 10, wanted: 62, recall: 0.98)
        let compared = codes.search(query, request, of: head.rows, head.factors, visible: visible, scratch: scratch)
        guard compared != nil else { return byVectors(query) }
        return (0..<scratch.results.count).map { scratch.results[$0].row }
    }
    var found = 0
    let times = nanoseconds(rounds: 7, calls: queries.count, [
        { calls in for call in 0..<calls { _ = byVectors(queries[call]) } },
        { calls in for call in 0..<calls { _ = byCodes(queries[call]) } },
        { calls in for call in 0..<calls { _ = byCodes(queries[call], half.visible) } },
    ])
    for query in queries { found += Set(byVectors(query)).intersection(byCodes(query)).count }
    let recall = Double(found) / Double(10 * queries.count)
    line("\(count) rows", [fixed(encoding / 1000 / Double(count), 2)] + times.map { fixed($0 / 1e6, 2) } + [fixed(recall, 2)])
    withExtendedLifetime(half) {}
}
