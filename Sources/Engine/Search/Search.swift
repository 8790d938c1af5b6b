// A search: a snapshot, a bitmap of documents, rows compared, hits.
import Index
import Memory

/// What is asked of a collection. Several vectors are answered from one snapshot, each with its own hits.
package struct SearchInput: Sendable {
    package var space: String?
    package var k = 10
    package var filter: Filter?
    package var under: [String]?
    package var minScore: Float?
    /// The query vectors, one after the other.
    package var vectors: [Range<Int>] = []
    package var floats: [Float] = []

    package init() {}
}

/// A chunk that was found.
package struct Hit: Sendable {
    /// Number of the document and of the chunk, for `CollectionSnapshot`; never shown.
    package var document: UInt32
    package var chunk: UInt32
    package var score: Float
}

/// The hits of each query vector, best first, and how they were found.
package struct SearchResult: Sendable {
    package var hits: [[Hit]]
    /// Rows compared, over all query vectors.
    package var visited: Int
}

extension CollectionSnapshot {
    /// The k nearest chunks of each vector among the documents allowed. Exact: O(rows x dimension) a vector.
    ///
    /// Equal scores are ordered by the document's first arrival, then by the chunk's place in it.
    package func search(_ input: SearchInput, deadline: Deadline = .none) throws(EngineError) -> SearchResult {
        let space = try space(of: input)
        let queries = try prepare(input, space)
        let allowed = try documents(filter: input.filter, under: input.under)
        try deadline.check()
        let (found, visited) = try compare(queries, in: space, k: input.k, allowed: allowed, deadline: deadline)
        let hits = zip(queries, found).map { query, candidates in
            self.hits(candidates, query: query, minScore: input.minScore)
        }
        return SearchResult(hits: hits, visited: visited)
    }

    private func space(of input: SearchInput) throws(EngineError) -> SpaceRows {
        guard let name = input.space else {
            guard let index = schema.defaultSpaceIndex else {
                let names = schema.spaces.map(\.name).joined(separator: ", ")
                throw EngineError(.unknownSpace, names.isEmpty ? "this collection has no vector space" : "say which space: this collection has \(names)", field: "space")
            }
            return state.spaces[index]
        }
        guard let index = schema.spaceIndex(name) else { throw EngineError(.unknownSpace, "there is no space \"\(name)\"", field: "space") }
        return state.spaces[index]
    }

    private func prepare(_ input: SearchInput, _ space: SpaceRows) throws(EngineError) -> [FlatQuery] {
        guard (1...Limits.kMax).contains(input.k) else {
            throw EngineError(.invalidValue, "k must be 1 to \(Limits.kMax), got \(input.k)", field: "k")
        }
        guard !input.vectors.isEmpty else { throw EngineError(.invalidValue, "a search needs a vector", field: "vector") }
        guard input.vectors.count <= Limits.searchesMax else {
            throw EngineError(.limitExceeded, "at most \(Limits.searchesMax) searches a request", field: "searches")
        }
        var queries: [FlatQuery] = []
        for (index, range) in input.vectors.enumerated() {
            let vector = input.floats.span.extracting(range)
            try space.schema.check(vector, field: input.vectors.count == 1 ? "vector" : "searches[\(index)].vector")
            queries.append(FlatQuery(vector, metric: space.schema.metric))
        }
        return queries
    }

    private func compare(
        _ queries: [FlatQuery], in space: SpaceRows, k: Int, allowed: Bitmap?, deadline: Deadline
    ) throws(EngineError) -> (found: [[Candidate]], visited: Int) {
        let state = state
        var search = FlatSearch(queries: queries, k: k)
        var selection: [UInt32] = []
        for number in 0..<space.rows.pageCount {
            try deadline.check()
            state.select(page: number, of: space, allowed: allowed, into: &selection)
            let page = FlatPage(
                rows: space.rows.page(number), stride: space.rows.width, factors: space.factors.page(number),
                ties: state.chunkDocuments.page(number), firstRow: number * space.rows.pageRows)
            search.scan(page, selection: selection.span)
        }
        let visited = search.compared
        return (search.finish(), visited)
    }

    private func hits(_ candidates: [Candidate], query: FlatQuery, minScore: Float?) -> [Hit] {
        var hits: [Hit] = []
        hits.reserveCapacity(candidates.count)
        for candidate in candidates {
            let score = query.finalScore(candidate.score)
            if let minScore, score < minScore { break }
            hits.append(Hit(document: candidate.tie, chunk: candidate.row, score: score))
        }
        return hits
    }
}

extension CollectionState {
    /// The rows of a page that live, are allowed and have a vector: the only ones that are ever compared.
    fileprivate func select(page number: Int, of space: SpaceRows, allowed: Bitmap?, into selection: inout [UInt32]) {
        let owners = chunkDocuments.page(number)
        selection.removeAll(keepingCapacity: true)
        if allowed == nil, liveChunkCount == chunkCount, space.absentCount == 0 {
            selection.append(contentsOf: 0..<UInt32(owners.count))
            return
        }
        let versions = chunkVersions.page(number)
        let factors = space.factors.page(number)
        for row in owners.indices {
            let document = Int(owners[row])
            if let allowed, !allowed[document] { continue }
            guard documents.versions[document] == versions[row], !factors[row].isNaN else { continue }
            selection.append(UInt32(row))
        }
    }
}
