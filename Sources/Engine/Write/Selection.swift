// Which nodes a delete or a patch is about: as its caller says it, and as numbers once its turn has come.
import Memory

/// Nodes by id, or those that match everything that is given.
package struct Selection: Sendable {
    package var ids: [String]?
    package var filter: Filter?
    package var under: [String]?
    /// Who asks: only what they may read is meant, judged when the change's turn has come. nil where nobody's rights are asked.
    package var caller: Caller?

    package init(ids: [String]? = nil, filter: Filter? = nil, under: [String]? = nil) {
        self.ids = ids
        self.filter = filter
        self.under = under
    }

    /// The part of the request to complain about where it selects what it should not.
    var field: String { ids != nil ? "ids" : filter != nil ? "filter" : "under" }

    /// Appends what it came to, as records have it: u32 count | u32 node numbers, rising.
    func write(_ nodes: Bitmap, to record: inout ByteWriter) throws(EngineError) {
        let count = nodes.population
        guard record.count + 4 + 4 * count <= Limits.recordBytesMax else {
            throw EngineError(.limitExceeded, "\(count) nodes are too many for one request: narrow it down", field: field)
        }
        record.reserve(4 + 4 * count)
        record.write(UInt32(count))
        nodes.forEach { record.write(UInt32($0)) }
    }
}

extension CollectionState {
    /// The nodes that are meant. By ids: exactly these, folders among them; unknown ones are passed over. By filter and
    /// `under`: the documents that match; `under` alone takes the folders too. Where somebody asks, of these what they may read; a node that
    /// they may not find is as one that is not there, so that nothing lies under it.
    func nodes(_ selection: Selection, _ directory: Directory) throws(EngineError) -> Bitmap {
        guard let caller = selection.caller, schema.access == .enforced || caller.agent != nil else {
            return try nodes(selection) { documents.find($0) }
        }
        let grades = try directory.grades(of: caller, in: self)
        let scoped = try grades.scope.map { scope throws(EngineError) in try nodes(inScope: scope, of: caller) }
        var meant = try nodes(selection) { id in
            documents.find(id).flatMap { number in
                grades.grade(of: documents.guardMark(number)) >= grades.need && scoped?[number] ?? true ? number : nil
            }
        }
        meant.filter { grades.grade(of: documents.guardMark($0)) == .read }
        if let scoped { meant.formIntersection(scoped) }
        return meant
    }

    /// - Parameter find: the number of a node that may be named.
    private func nodes(_ selection: Selection, find: (String) -> Int?) throws(EngineError) -> Bitmap {
        if let ids = selection.ids {
            guard selection.filter == nil, selection.under == nil else {
                throw EngineError(.invalidValue, "give ids, or filter and under, not both", field: "ids")
            }
            var nodes = Bitmap(count: documents.count)
            for id in ids { if let number = find(id) { nodes[number] = true } }
            return nodes
        }
        if let filter = selection.filter {
            return try documents(matching: filter, under: selection.under, find: find)
        }
        guard let under = selection.under else { throw EngineError(.invalidValue, "say which nodes: ids, filter or under", field: "ids") }
        return subtree(of: under.filter { find($0) != nil })
    }

    /// The nodes at and under `ids`; an id that is not there has nothing under it.
    func subtree(of ids: [String]) -> Bitmap {
        var result = documents.subtree(of: ids.compactMap { documents.find($0) })
        // A subtree names deleted nodes too where they were never moved; only those that are there count.
        var live = Bitmap(count: documents.count)
        live.fill { documents.isLive($0) }
        result.formIntersection(live)
        return result
    }
}
