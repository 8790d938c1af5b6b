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

    init(schema: SpaceSchema) {
        self.schema = schema
        rows = PagedRows(width: Self.rowWidth(schema.dimension))
    }

    /// Rows of 16 and more numbers begin on a cache line; shorter ones are packed, a line being longer than they are.
    static func rowWidth(_ dimension: Int) -> Int { dimension < 16 ? dimension : (dimension + 15) / 16 * 16 }

    mutating func append(_ vector: Span<Float>) {
        precondition(vector.count == schema.dimension, "vectors are checked before they get here")
        rows.append(vector)
        factors.append(schema.metric.rowFactor(vector))
    }

    mutating func appendAbsent() {
        rows.append(Span<Float>())
        factors.append(.nan)
        absentCount += 1
    }

    func hasVector(_ chunk: Int) -> Bool { !factors[chunk].isNaN }

    @_lifetime(borrow self)
    func vector(_ chunk: Int) -> Span<Float>? {
        guard hasVector(chunk) else { return nil }
        return rows.row(chunk).extracting(first: schema.dimension)
    }

    var byteCount: Int { rows.byteCount + factors.byteCount }
}
