// A search of rows in memory by their codes: what may be seen of them, and how many are ranked.
import Index
import Memory

/// Query vectors against heads whose rows have codes.
struct CodedSearch {
    let space: Int
    /// By document: the version in force.
    let current: PagedColumn<UInt32>
    let visibility: Visibility?
    private let request: CodedRows.Request
    private(set) var visited = 0
    /// What the answers were held to; nil as long as nothing was found by codes.
    private(set) var expectedRecall: Float?

    init(space: Int, k: Int, effort: VectorIndex.Effort, current: PagedColumn<UInt32>, visibility: Visibility?) {
        self.space = space
        self.current = current
        self.visibility = visibility
        let least = 32 + 3 * k
        request =
            switch effort {
            case .recall(let recall): .init(k: k, wanted: least, recall: recall)
            case .width(let width): .init(k: k, wanted: max(width, least), recall: Self.widthRecall)
            }
    }

    /// What is found at the least where somebody says how much to look at.
    private static let widthRecall: Float = 0.9

    /// The part's rows, where codes are to be read before them.
    static func applies(to part: ChunkPart, space: Int) -> (rows: HeadRows, codes: CodedRows)? {
        guard case .memory(let rows) = part.rows, rows.count >= rowsMin, let codes = rows.spaces[space].codes, codes.isFitting else { return nil }
        return (rows, codes)
    }

    /// Fewer are compared by their vectors in a tenth of a millisecond.
    static let rowsMin = 1000

    /// The rows that may be seen; nil where all may.
    func visibleRows(of rows: HeadRows, liveCount: Int) -> VisibleRows? {
        if let visibility { return visibility.rows(of: rows, space: space, current) }
        let isWhole = liveCount == rows.count && rows.spaces[space].absentCount == 0
        return isWhole ? nil : VisibleRows(rows, space: space, allowed: nil, nil, current)
    }

    /// Calls `body` for the nearest rows found: at least as many as there are, up to k. False where the part has to be compared vector
    /// by vector instead.
    mutating func run(
        _ query: FlatQuery, on rows: HeadRows, _ codes: CodedRows, _ visible: VisibleRows?, scratch: SearchScratch,
        _ body: (_ row: UInt32, _ document: UInt32, _ score: Float) -> Void
    ) -> Bool {
        let vectors = rows.spaces[space]
        guard let compared = codes.search(query, request, of: vectors.rows, vectors.factors, visible: visible?.visible, scratch: scratch) else {
            return false
        }
        visited += compared
        expectedRecall = request.recall
        for i in 0..<scratch.results.count {
            let result = scratch.results[i]
            body(result.row, rows.documents[Int(result.row)], result.score)
        }
        return true
    }
}
