// A search: a snapshot, a bitmap of documents, rows compared, hits.
import Index
import Memory

/// What is asked of a collection. Several vectors are answered from one snapshot, each with its own hits.
package struct SearchInput: Sendable {
    package var space: String?
    package var k = 10
    package var filter: Filter?
    package var under: [String]?
    package var prepared: [PreparedFilter] = []
    package var minScore: Float?
    package var effort = SearchEffort.standard
    /// Whether documents are told of too that may be known to exist and no more. They answer no filter.
    package var includesKnown = false
    /// The query vectors, one after the other.
    package var vectors: [Range<Int>] = []
    package var floats: [Float] = []

    package init() {}
}

/// A chunk that was found.
package struct Hit: Sendable {
    /// Number of the document, and of the row over all parts, for `CollectionSnapshot`; never shown.
    package var document: UInt32
    package var row: UInt32
    package var score: Float
    package var grade: Grade
}

/// The hits of each query vector, best first, and how they were found.
package struct SearchResult: Sendable {
    package var hits: [[Hit]]
    /// By query vector, where that was asked for: documents near to it that may be known to exist and no more, in the order of their arrival,
    /// which tells nothing of how near they are.
    package var known: [[KnownNode]] = []
    package var plan: SearchPlan
    /// What could not be searched, if anything.
    package var damage: Damage?
}

extension CollectionSnapshot {
    /// The k nearest chunks of each vector among the documents allowed. Segments with an index are searched by it, at the effort
    /// asked for, heads with codes by those; all others, and all where `effort` is `exact`, are compared vector by vector:
    /// O(rows x dimension) a vector.
    /// Scores are those of the stored vectors, whichever way a chunk was found.
    ///
    /// Equal scores are ordered by the document's first arrival, then by the chunk's place in it.
    package func search(_ input: SearchInput, deadline: Deadline = .none) throws(EngineError) -> SearchResult {
        let space = try space(of: input)
        let queries = try prepare(input, space)
        let visibility = try visibility(filter: input.filter, under: input.under, prepared: input.prepared)
        try deadline.check()
        let (found, plan) = try compare(queries, in: space, input, visibility, deadline: deadline)
        var hits: [[Hit]] = []
        for (query, candidates) in zip(queries, found) { hits.append(try self.hits(candidates, query: query, minScore: input.minScore)) }
        var result = SearchResult(hits: hits, plan: plan, damage: damage)
        if input.includesKnown { result.known = try known(queries, in: space, input, deadline: deadline) }
        return result
    }

    /// Compared one by one, whatever the effort: how well they can be guessed from is not to depend on an index.
    private func known(_ queries: [FlatQuery], in space: Int, _ input: SearchInput, deadline: Deadline) throws(EngineError) -> [[KnownNode]] {
        guard input.filter == nil, input.prepared.isEmpty else {
            throw EngineError(.invalidValue, "goes without a filter: what may only be known to exist answers no condition", field: "include_exists")
        }
        guard let visibility = try knownVisibility(under: input.under) else { return queries.map { _ in [] } }
        var exact = input
        exact.effort = .exact
        let (found, _) = try compare(queries, in: space, exact, visibility, deadline: deadline)
        return found.map { candidates in Set(candidates.map(\.tie)).sorted().map { KnownNode(collection: self, number: Int($0)) } }
    }

    /// The space's place in the schema.
    private func space(of input: SearchInput) throws(EngineError) -> Int {
        guard let name = input.space else {
            guard let index = schema.defaultSpaceIndex else {
                let names = schema.spaces.map(\.name).joined(separator: ", ")
                throw EngineError(.unknownSpace, names.isEmpty ? "this collection has no vector space" : "say which space: this collection has \(names)", field: "space")
            }
            return index
        }
        guard let index = schema.spaceIndex(name) else { throw EngineError(.unknownSpace, "there is no space \"\(name)\"", field: "space") }
        return index
    }

    private func prepare(_ input: SearchInput, _ space: Int) throws(EngineError) -> [FlatQuery] {
        guard (1...Limits.kMax).contains(input.k) else {
            throw EngineError(.invalidValue, "k must be 1 to \(Limits.kMax), got \(input.k)", field: "k")
        }
        guard !input.vectors.isEmpty else { throw EngineError(.invalidValue, "a search needs a vector", field: "vector") }
        guard input.vectors.count <= Limits.searchesMax else {
            throw EngineError(.limitExceeded, "at most \(Limits.searchesMax) searches a request", field: "searches")
        }
        let space = schema.spaces[space]
        var queries: [FlatQuery] = []
        for (index, range) in input.vectors.enumerated() {
            let vector = input.floats.span.extracting(range)
            try space.check(vector, field: input.vectors.count == 1 ? "vector" : "searches[\(index)].vector")
            queries.append(FlatQuery(vector, metric: space.metric))
        }
        return queries
    }

    private func compare(
        _ queries: [FlatQuery], in space: Int, _ input: SearchInput, _ visibility: Visibility?, deadline: Deadline
    ) throws(EngineError) -> (found: [[Candidate]], plan: SearchPlan) {
        // A damaged segment found on the way is left out as a whole, as it will be from now on.
        while true {
            var search = PartSearch(self, queries, space: space, input, visibility, deadline)
            if try search.run() {
                let (found, plan) = search.finish()
                if areComparable(found, queries) { return (found, plan) }
            }
        }
    }

    /// Whether every score is a number. A segment with vectors that cannot have been stored is quarantined for it.
    private func areComparable(_ found: [[Candidate]], _ queries: [FlatQuery]) -> Bool {
        for (query, candidates) in zip(queries, found) {
            guard let strange = candidates.first(where: { !query.finalScore($0.score).isFinite }) else { continue }
            let place = place(ofRow: Int(strange.row))
            guard let segment = parts[place.part].segment else { preconditionFailure("vectors in memory have been checked") }
            _ = segment.quarantine("a vector in row \(place.row) that can be compared")
            return false
        }
        return true
    }

    private func hits(_ candidates: [Candidate], query: FlatQuery, minScore: Float?) throws(EngineError) -> [Hit] {
        var hits: [Hit] = []
        hits.reserveCapacity(candidates.count)
        for candidate in candidates {
            let score = query.finalScore(candidate.score)
            if let minScore, score < minScore { break }
            hits.append(Hit(document: candidate.tie, row: candidate.row, score: score, grade: try grade(of: candidate)))
        }
        return hits
    }
}

extension CollectionSnapshot {
    private func grade(of candidate: Candidate) throws(EngineError) -> Grade {
        guard rights != nil else { return .read }
        let place = place(ofRow: Int(candidate.row))
        return try grade(of: parts[place.part], place.row, document: Int(candidate.tie))
    }
}

/// Goes through a collection's parts, by index, by codes or vector by vector. What is not in force, not allowed or has no vector is
/// never found, and but for the steps of a walk never compared.
private struct PartSearch {
    private let snapshot: CollectionSnapshot
    private let queries: [FlatQuery]
    private let space: Int
    private let k: Int
    private let visibility: Visibility?
    private let deadline: Deadline
    private var scan: PartScan
    // Both are nil where everything is to be compared.
    private var indexed: IndexedSearch?
    private var coded: CodedSearch?

    init(_ snapshot: CollectionSnapshot, _ queries: [FlatQuery], space: Int, _ input: SearchInput, _ visibility: Visibility?, _ deadline: Deadline) {
        self.snapshot = snapshot
        self.queries = queries
        self.space = space
        k = input.k
        self.visibility = visibility
        self.deadline = deadline
        let current = snapshot.state.documents.versions
        scan = PartScan(
            search: FlatSearch(queries: queries, k: input.k), space: space, current: current, allowed: visibility?.documents,
            rowRights: visibility?.rowRights, deadline: deadline)
        indexed = input.effort.indexEffort.map {
            IndexedSearch(space: space, k: input.k, effort: $0, current: current, visibility: visibility)
        }
        coded = input.effort.indexEffort.map {
            CodedSearch(space: space, k: input.k, effort: $0, current: current, visibility: visibility)
        }
    }

    /// False where a segment turned out to be damaged on the way: then all is to be done again without it.
    mutating func run() throws(EngineError) -> Bool {
        do throws(EngineError) {
            // By number: to take a part out of the list is to count dozens of references up and down.
            for number in snapshot.parts.indices where snapshot.parts[number].liveCount > 0 && snapshot.parts[number].segment?.corruption == nil {
                if indexed != nil, let segment = snapshot.parts[number].segment, let index = segment.indexes[space]?.index {
                    try run(on: number, segment, index)
                } else if coded != nil, let (rows, codes) = CodedSearch.applies(to: snapshot.parts[number], space: space) {
                    try run(on: snapshot.parts[number], rows, codes, firstRow: snapshot.firstRows[number])
                } else {
                    try scan.run(over: snapshot.parts[number], firstRow: snapshot.firstRows[number])
                }
            }
            return true
        } catch {
            guard error.code == .dataDamaged else { throw error }
            return false
        }
    }

    private mutating func run(on part: Int, _ segment: Segment, _ index: VectorIndex) throws(EngineError) {
        let (firstRow, liveCount) = (snapshot.firstRows[part], snapshot.parts[part].liveCount)
        let left = try ScratchPool.shared.with { (scratch) throws(EngineError) in
            try indexed!.run(queries, on: segment, index, liveCount: liveCount, scratch: scratch, deadline: deadline) { query, row, document, score in  // Asked before.
                scan.search.offer(Candidate(score: score, tie: document, row: UInt32(firstRow) + row), to: query)
            }
        }
        if let left {
            for query in left { try scan.run(over: snapshot.parts[part], firstRow: firstRow, only: query) }
            return
        }
        for (number, query) in queries.enumerated() {
            try deadline.check()
            let isDone = try ScratchPool.shared.with { (scratch) throws(EngineError) in
                try indexed!.run(query, on: segment, index, liveCount: liveCount, scratch: scratch) { row, document, score in  // Asked before.
                    scan.search.offer(Candidate(score: score, tie: document, row: UInt32(firstRow) + row), to: number)
                }
            }
            if !isDone { try scan.run(over: snapshot.parts[part], firstRow: firstRow, only: number) }
        }
    }

    private mutating func run(on part: ChunkPart, _ rows: HeadRows, _ codes: CodedRows, firstRow: Int) throws(EngineError) {
        let visible = coded!.visibleRows(of: rows, liveCount: part.liveCount)  // Asked before.
        for (number, query) in queries.enumerated() {
            try deadline.check()
            let isDone = try ScratchPool.shared.with { scratch in
                coded!.run(query, on: rows, codes, visible, scratch: scratch) { row, document, score in  // Asked before.
                    scan.search.offer(Candidate(score: score, tie: document, row: UInt32(firstRow) + row), to: number)
                }
            }
            if !isDone { try scan.run(over: part, firstRow: firstRow, only: number) }
        }
    }

    consuming func finish() -> (found: [[Candidate]], plan: SearchPlan) {
        let visited = scan.search.compared + (indexed?.visited ?? 0) + (coded?.visited ?? 0)
        return (scan.search.finish(), SearchPlan(kind: kind, expectedRecall: expectedRecall, visited: visited))
    }

    /// Heads, small beside segments, are named only where nothing else was searched by other means.
    private var kind: SearchPlan.Kind {
        indexed?.kind ?? (coded?.expectedRecall == nil ? .exact : .codes)
    }

    private var expectedRecall: Float? {
        let byIndex = indexed?.kind == nil ? nil : indexed?.expectedRecall
        guard let byCodes = coded?.expectedRecall else { return byIndex }
        return min(byCodes, byIndex ?? 1)
    }
}

extension SearchEffort {
    /// What most want: nearly all of the nearest.
    private static let standardRecall: Float = 0.98

    /// nil where everything is to be compared.
    var indexEffort: VectorIndex.Effort? {
        switch self {
        case .standard: .recall(Self.standardRecall)
        case .recall(let recall): .recall(recall)
        case .width(let width): .width(width)
        case .exact: nil
        }
    }
}

/// Compares all rows of all parts that live, are allowed and have a vector: no others are ever compared.
private struct PartScan {
    var search: FlatSearch
    let space: Int
    /// By document: the version in force.
    let current: PagedColumn<UInt32>
    let allowed: Bitmap?
    let rowRights: RowRights?
    let deadline: Deadline
    private var selection: [UInt32] = []
    private var only: Int?

    init(search: FlatSearch, space: Int, current: PagedColumn<UInt32>, allowed: Bitmap?, rowRights: RowRights?, deadline: Deadline) {
        self.search = search
        self.space = space
        self.current = current
        self.allowed = allowed
        self.rowRights = rowRights
        self.deadline = deadline
    }

    /// Compares what a part holds, for all queries or for one.
    mutating func run(over part: ChunkPart, firstRow: Int, only query: Int? = nil) throws(EngineError) {
        only = query
        switch part.rows {
        case .memory(let rows): try scan(rows, allLive: part.liveCount == rows.count, firstRow: firstRow)
        case .segment(let segment): try scan(segment, allLive: part.liveCount == segment.rowCount, firstRow: firstRow)
        }
    }

    private mutating func scan(_ rows: HeadRows, allLive: Bool, firstRow: Int) throws(EngineError) {
        let (vectors, rowRights) = (rows.spaces[space], rowRights)
        for number in 0..<vectors.rows.pageCount {
            try deadline.check()
            let page = FlatPage(
                rows: vectors.rows.page(number), stride: vectors.rows.width, factors: vectors.factors.page(number),
                ties: rows.documents.page(number), firstRow: firstRow + number * vectors.rows.pageRows)
            let first = number * vectors.rows.pageRows
            scan(page, versions: rows.versions.page(number), factors: vectors.factors.page(number), isWhole: allLive && vectors.absentCount == 0) { row in
                rowRights?.allows(rows.ownAccess(first + row)) ?? true
            }
        }
    }

    private mutating func scan(_ segment: Segment, allLive: Bool, firstRow: Int) throws(EngineError) {
        let isWhole = try segment.absentCount(space: space) == 0 && allLive
        let hidden = try segment.hidingRows(rowRights)
        for first in stride(from: 0, to: segment.rowCount, by: Self.pageRows) {
            try deadline.check()
            let range = first..<min(first + Self.pageRows, segment.rowCount)
            let vectors = try segment.vectors(range, space: space)
            let factors = try segment.factors(range, space: space)
            let page = FlatPage(
                rows: vectors, stride: vectors.count / range.count, factors: factors, ties: try segment.documents(range), firstRow: firstRow + first)
            scan(page, versions: try segment.versions(range), factors: factors, isWhole: isWhole) { row in !(hidden?[first + row] ?? false) }
        }
    }

    private static let pageRows = 1024

    @inline(__always)
    private mutating func scan(
        _ page: borrowing FlatPage, versions: Span<UInt32>, factors: Span<Float>, isWhole: Bool, _ isAllowedRow: (Int) -> Bool
    ) {
        selection.removeAll(keepingCapacity: true)
        let owners = page.ties
        if allowed == nil, isWhole {
            selection.append(contentsOf: 0..<UInt32(owners.count))
        } else {
            for row in owners.indices {
                let document = Int(owners[row])
                if let allowed, !allowed[document] { continue }
                guard current[document] == versions[row], !factors[row].isNaN, isAllowedRow(row) else { continue }
                selection.append(UInt32(row))
            }
        }
        let rows = selection
        search.scan(page, selection: rows.span, only: only)
    }
}
