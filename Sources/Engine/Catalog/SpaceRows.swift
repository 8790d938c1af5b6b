// The vectors of one space, a row a chunk.
import Index
import Memory

/// Float32 rows by chunk number, and what each metric wants to know of a row beside them.
struct SpaceRows: Sendable {
    let schema: SpaceSchema
    private(set) var rows: PagedRows<Float>
    /// One factor a row, see `Metric.rowFactor`; NaN where the chunk has no vector in this space.
    private(set) var factors = PagedColumn<Float>()
    private(set) var absentCount = 0
    /// Codes of the rows, where an index has shown how to make them.
    private(set) var codes: CodedRows?

    init(schema: SpaceSchema, encoder: RowEncoder? = nil) {
        self.schema = schema
        codes = encoder.map { CodedRows($0) }
        rows = PagedRows(width: Self.rowWidth(schema.dimension))
    }

    /// Rows of 16 and more numbers begin on a cache line; shorter ones are packed, a line being longer than they are.
    static func rowWidth(_ dimension: Int) -> Int { dimension < 16 ? dimension : (dimension + 15) / 16 * 16 }

    mutating func append(_ vector: Span<Float>) {
        precondition(vector.count == schema.dimension, "vectors are checked before they get here")
        rows.append(vector)
        factors.append(schema.metric.rowFactor(vector))
        codes?.encode(rows, factors)
    }

    mutating func appendAbsent() {
        rows.append(Span<Float>())
        factors.append(.nan)
        absentCount += 1
        codes?.encode(rows, factors)
    }

    /// These rows in codes of that encoder's. O(rows), each as long as an append.
    func coded(by encoder: RowEncoder) -> CodedRows {
        var codes = CodedRows(encoder)
        codes.encode(rows, factors)
        return codes
    }

    /// Takes over codes of the first rows, made from a copy, and adds those of the rows that came since.
    mutating func adopt(_ codes: CodedRows) {
        var codes = codes
        codes.encode(rows, factors)
        self.codes = codes
    }

    func hasVector(_ chunk: Int) -> Bool { !factors[chunk].isNaN }

    @_lifetime(borrow self)
    func vector(_ chunk: Int) -> Span<Float>? {
        guard hasVector(chunk) else { return nil }
        return rows.row(chunk).extracting(first: schema.dimension)
    }

    var byteCount: Int { rows.byteCount + factors.byteCount + (codes?.byteCount ?? 0) }
}
