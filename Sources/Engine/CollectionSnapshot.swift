// What one reader sees of a collection, and what can be asked of it besides searching.
import Memory

/// A collection as one reader sees it: everything at one sequence, and of that what the reader has a right to.
package struct CollectionSnapshot: Sendable {
    let core: CollectionCore
    /// nil where nobody's rights are asked: a collection that is open, read by no agent.
    let rights: Rights?

    init(_ core: CollectionCore, rights: Rights?) {
        self.core = core
        self.rights = rights
    }

    /// All of it, for whoever has the state already.
    init(_ state: CollectionState) { self.init(CollectionCore(state), rights: nil) }

    var state: CollectionState { @inline(__always) _read { yield core.state } }
    var parts: [ChunkPart] { @inline(__always) _read { yield core.parts } }
    var firstRows: [Int] { @inline(__always) _read { yield core.firstRows } }

    package var schema: CollectionSchema { state.schema }
    /// What is there, whoever reads it.
    var overview: CollectionOverview { CollectionOverview(core) }

    // MARK: Rights

    /// Whether grades mean something: where nobody's rights are asked, all that is found may be read.
    package var tellsGrades: Bool { rights != nil }

    /// How much of a node the reader may know.
    func grade(ofNode number: Int) -> Grade {
        guard let rights else { return state.documents.isLive(number) ? .read : .none }
        let mark = state.documents.guardMark(number)
        return rights.isInScope(number) ? rights.grades.grade(of: mark) : .none
    }

    /// Whether a node may be named as one that is there: found, pointed at as a parent, counted as a child.
    func shows(_ number: Int) -> Bool {
        guard let rights else { return state.documents.isLive(number) }
        return grade(ofNode: number) >= rights.grades.need
    }

    /// How much of a chunk the reader may know, told by its part and row.
    func grade(of part: ChunkPart, _ row: Int, document: Int) throws(EngineError) -> Grade {
        guard rights != nil else { return .read }
        let own = try part.ownAccess(row)
        let grade = grade(ofNode: document)
        return own == 0 ? grade : min(grade, rights!.grades.grade(ofAccess: own))  // Asked above.
    }

    /// What is to be asked of rows besides whose they are; nil where no chunk has an object of its own.
    var rowRights: RowRights? {
        guard let rights, state.hasChunkAccess else { return nil }
        return RowRights(grades: rights.grades, least: rights.grades.need)
    }

    /// The ordinals of a document's chunks that the reader may see; nil where these are all. What cannot be told is not seen.
    func visibleOrdinals(_ number: Int) -> [Int]? {
        guard rights != nil, state.hasChunkAccess else { return nil }
        let row = state.documents.rows[number]
        var visible: [Int] = []
        for ordinal in 0..<Int(row.chunkCount) {
            do throws(EngineError) {
                let place = try place(ofChunk: Int(row.firstChunk) + ordinal)
                if try grade(of: parts[place.part], place.row, document: number) >= rights!.grades.need { visible.append(ordinal) }  // Asked above.
            } catch { continue }  // Its segment is damaged, which every answer says.
        }
        return visible
    }

    func place(ofChunk chunk: Int) throws(EngineError) -> ChunkPlace {
        guard let part = chunk >= state.head.firstChunk ? parts.count - 1 : state.sealedIndex(ofChunk: chunk) else {
            preconditionFailure("a chunk in force lies in a part")
        }
        return ChunkPlace(part: part, row: try parts[part].row(ofChunk: chunk))
    }

    // MARK: Reading

    /// The node with this id.
    package func node(_ id: String) -> NodeView? {
        find(id).map { NodeView(collection: self, number: $0) }
    }

    /// The node with this id, of which the reader may know that it exists, and no more.
    package func knownNode(_ id: String) -> KnownNode? {
        guard let rights, let number = state.documents.find(id), rights.knownGrades.contains(grade(ofNode: number)) else { return nil }
        return KnownNode(collection: self, number: number)
    }

    /// Whether all that are there may be named, so that what is counted already need not be counted again.
    var showsEverything: Bool { rights == nil }

    /// The number of a node that may be named.
    func find(_ id: String) -> Int? { state.documents.find(id).flatMap { shows($0) ? $0 : nil } }

    /// The nodes right under one that may be named.
    func childCount(of node: Int) -> Int {
        if showsEverything { return Int(state.documents.rows[node].childCount) }
        return children(of: node).count
    }

    /// Their numbers; of those at the root where `node` is nil. In no order. O(children).
    func children(of node: Int?) -> [Int] {
        var children: [Int] = []
        state.derived.tree.withLinks(of: state.documents) { links in links.forEachChild(of: node) { children.append($0) } }
        return showsEverything ? children : children.filter(shows)
    }

    /// What tells one view of a collection from another: a cursor goes on in the one it was given for. The same for the same rights,
    /// whatever there is that they do not reach.
    var viewDigest: UInt64 { rights?.digest ?? 0 }

    /// The document a hit lies in.
    package func document(of hit: Hit) -> NodeView { NodeView(collection: self, number: Int(hit.document)) }

    /// What an answer tells of hits; which texts their chunks have is looked up where these will be asked for.
    package func details(of hits: [Hit], withTexts: Bool) throws(EngineError) -> HitDetails {
        try HitDetails(self, hits, withTexts: withTexts)
    }

    /// The chunk that was found.
    package func chunk(of hit: Hit) throws(EngineError) -> ChunkView {
        let place = place(ofRow: Int(hit.row))
        let ordinal = try parts[place.part].chunk(place.row) - document(of: hit).firstChunk
        let shown = visibleOrdinals(Int(hit.document)).map { ordinals in ordinals.count { $0 < ordinal } }
        return ChunkView(part: parts[place.part], row: place.row, ordinal: shown ?? ordinal, grade: hit.grade)
    }

    func place(ofRow row: Int) -> ChunkPlace {
        // Parts are few; those without rows share their first with the next one.
        let part = firstRows.lastIndex { $0 <= row } ?? 0
        return ChunkPlace(part: part, row: row - firstRows[part])
    }

    /// Damaged segments, which are not searched. How many chunks they hold is told to those alone whose rights are not asked.
    package var damage: Damage? {
        var damage = overview.damage
        if rights != nil { damage?.chunks = nil }
        return damage
    }

    /// How many documents match, and how many chunks they have, that may be found.
    package func count(filter: Filter?, under: [String]?, prepared: [PreparedFilter] = []) throws(EngineError) -> (documents: Int, chunks: Int) {
        guard let visibility = try visibility(filter: filter, under: under, prepared: prepared) else {
            return (state.documents.liveCount - state.documents.folderCount, state.liveChunkCount)
        }
        return try visibility.count { (documents) throws(EngineError) in
            var chunks = 0
            documents.forEach { chunks += Int(state.documents.rows[$0].chunkCount) }
            return (documents.population, chunks - (try hiddenChunks(of: documents)))
        }
    }

    /// Chunks of these documents that their own objects hide. O(rows of parts with such chunks).
    private func hiddenChunks(of documents: Bitmap) throws(EngineError) -> Int {
        guard let rowRights else { return 0 }
        var hidden = 0
        for part in parts where part.hasAccess && part.segment?.corruption == nil {
            for row in 0..<part.rowCount where try !rowRights.allows(part.ownAccess(row)) {
                let document = try part.document(row)
                if documents[Int(document)], state.isLive(document, try part.version(row)) { hidden += 1 }
            }
        }
        return hidden
    }

    /// The documents that filters and a subtree leave of those that may be found; nil where all that are there are meant.
    func documents(filter: Filter?, under: [String]?, prepared: [PreparedFilter] = []) throws(EngineError) -> Bitmap? {
        try visibility(filter: filter, under: under, prepared: prepared)?.documents
    }

    /// The same with what indexes make of it. Worked out at the first time of asking this snapshot, from what it was for the last one:
    /// O(pages), and the documents of those that have changed; O(documents) where nobody has asked before.
    func visibility(filter: Filter?, under: [String]?, prepared: [PreparedFilter] = []) throws(EngineError) -> Visibility? {
        let limits = rights.flatMap { $0.isWhole ? nil : $0 }
        guard filter != nil || under != nil || !prepared.isEmpty || limits != nil else { return nil }
        // What a node that is not shown has under it depends on who asks, even where all documents are seen.
        let key = VisibilityKey(filter: filter, under: under, prepared: prepared.map(\.handle), rights: rights?.stamp)
        return try core.visibilities.visibility(of: key) { () throws(EngineError) in
            var allowed = filter != nil || under != nil ? try evaluated(filter, under) : nil
            func narrow(_ documents: Bitmap) {
                if allowed == nil { allowed = documents } else { allowed?.formIntersection(documents) }
            }
            for filter in prepared { narrow(filter.evaluation.documents(of: state, find: find)) }
            if let limits { narrow(limits.documents) }
            guard let allowed else { preconditionFailure("something is given") }
            return Visibility(allowed, rowRights)
        }
    }

    private func evaluated(_ filter: Filter?, _ under: [String]?) throws(EngineError) -> Bitmap {
        let evaluation = try state.derived.evaluations.evaluation(of: VisibilityKey(filter: filter, under: under)) { () throws(EngineError) in
            try filter?.checkLimits()
            return try FilterProgram(filter, under: under, schema: schema)
        }
        let documents = evaluation.documents(of: state, find: find)
        state.derived.evaluations.trim()
        return documents
    }

    /// The documents that may be known to exist, and no more, for a search among them.
    func knownVisibility(under: [String]?) throws(EngineError) -> Visibility? {
        guard let rights else { return nil }
        return try core.visibilities.visibility(of: VisibilityKey(known: rights.stamp, under: under)) { () throws(EngineError) in
            var known = rights.knownDocuments
            if let under { known.formIntersection(subtree(of: under)) }
            return Visibility(known, state.hasChunkAccess ? RowRights(grades: rights.grades, least: .exists) : nil)
        }
    }

    /// The nodes at and under `ids`. A node that is not shown has nothing under it, as one that is not there has not.
    private func subtree(of ids: [String]) -> Bitmap {
        state.subtree(of: ids.filter { find($0) != nil })
    }
}

/// What is asked of a row whose chunk has an access object of its own.
struct RowRights: Sendable {
    let grades: CallerGrades
    let least: Grade

    /// - Parameter own: the chunk's own object; 0 where it has none.
    @inline(__always)
    func allows(_ own: UInt32) -> Bool { own == 0 || grades.grade(ofAccess: own) >= least }
}
