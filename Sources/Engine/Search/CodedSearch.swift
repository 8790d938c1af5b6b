// A search of rows in memory by their codes: what may be seen of them, and how many are ranked.
import Index
import Memory

/// Query vectors against heads whose rows have codes.
struct CodedSearch {
    let space: Int
    let documents: DocumentTable
    let allowed: Bitmap?
    private let request: CodedRows.Request
    private(set) var visited = 0
    /// What the answers were held to; nil as long as nothing was found by codes.
    private(set) var expectedRecall: Float?

    init(space: Int, k: Int, effort: VectorIndex.Effort, documents: DocumentTable, allowed: Bitmap?) {
        self.space = space
        self.documents = documents
        self.allowed = allowed
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

    /// Calls `body` for the nearest rows found: at least as many as there are, up to k. False where the part has to be compared vector
    /// by vector instead.
    mutating func run(
        _ query: FlatQuery, on rows: HeadRows, _ codes: CodedRows, liveCount: Int, scratch: SearchScratch,
        _ body: (_ row: UInt32, _ document: UInt32, _ score: Float) -> Void
    ) -> Bool {
        let vectors = rows.spaces[space]
        let isWhole = allowed == nil && liveCount == rows.count && vectors.absentCount == 0
        let (documents, allowed) = (documents, allowed)
        func visible(_ named: MutableCells<UInt32>) -> Int {
            guard named.count > 0 else { return 0 }
            let (page, first) = vectors.page(of: Int(named[0]))
            let (owners, versions, factors) = (rows.documents.page(page), rows.versions.page(page), vectors.factors.page(page))
            var count = 0
            for i in 0..<named.count {
                let row = Int(named[i]) - first
                let document = Int(owners[row])
                if let allowed, !allowed[document] { continue }
                guard documents.versions[document] == versions[row], !factors[row].isNaN else { continue }
                named[count] = named[i]
                count += 1
            }
            return count
        }
        guard let compared = codes.search(query, request, of: vectors.rows, vectors.factors, scratch: scratch, visible: isWhole ? nil : visible) else {
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
