// Filters told once and named afterwards: lists of a million ids, and scopes that many share.
import Memory
import Synchronization

/// A filter that its caller names by a handle. It belongs to the collection it was made for, and goes with it.
package final class PreparedFilter: Sendable {
    package let handle: String
    let collection: UInt32
    let evaluation: Evaluation

    fileprivate init(handle: String, collection: UInt32, _ program: FilterProgram) {
        self.handle = handle
        self.collection = collection
        evaluation = Evaluation(program)
    }
}

/// The prepared filters of a database: in memory alone, and of that no more than there is for it. Those not used for longest go first.
package final class PreparedFilters: Sendable {
    private struct Entry {
        let filter: PreparedFilter
        var lastUse: Int
    }

    private struct Entries {
        var known: [String: Entry] = [:]
        var clock = 0
    }

    private let entries = Mutex(Entries())
    private let countMax: Int
    private let bytesMax: Int

    package init(countMax: Int = Limits.preparedFiltersMax, bytesMax: Int = Limits.preparedBytesMax) {
        self.countMax = countMax
        self.bytesMax = bytesMax
    }

    /// Takes in a filter; its names and values are looked up once, here.
    ///
    /// - Parameter handle: what nobody can guess, and nobody was ever given.
    package func prepare(_ filter: Filter, for collection: CollectionSnapshot, handle: String) throws(EngineError) {
        try filter.checkLimits(termsMax: Limits.preparedTermsMax)
        let prepared = PreparedFilter(handle: handle, collection: collection.state.number, try FilterProgram(filter, schema: collection.schema))
        guard prepared.evaluation.byteCount <= bytesMax else {
            throw EngineError(.limitExceeded, "prepared filters have \(bytesMax >> 20) MiB of memory, which this one does not fit", field: "filter")
        }
        entries.withLock { entries in
            entries.clock += 1
            entries.known[handle] = Entry(filter: prepared, lastUse: entries.clock)
        }
        trim()
    }

    /// The filters under these handles, which are then those used last.
    package func filters(_ handles: [String], of collection: CollectionSnapshot) throws(EngineError) -> [PreparedFilter] {
        guard !handles.isEmpty else { return [] }
        guard handles.count <= Limits.preparedPerRequestMax else {
            throw EngineError(.limitExceeded, "at most \(Limits.preparedPerRequestMax) prepared filters a request", field: "prepared")
        }
        var filters: [PreparedFilter] = []
        for handle in handles {
            guard let filter = use(handle), filter.collection == collection.state.number else { throw .unknownFilter(handle, field: "prepared") }
            filters.append(filter)
        }
        return filters
    }

    package func drop(_ handle: String) throws(EngineError) {
        guard entries.withLock({ $0.known.removeValue(forKey: handle) }) != nil else { throw .unknownFilter(handle, field: "handle") }
    }

    private func use(_ handle: String) -> PreparedFilter? {
        entries.withLock { entries in
            guard var entry = entries.known[handle], entry.filter.handle.isExactly(handle) else { return nil }
            entries.clock += 1
            entry.lastUse = entries.clock
            entries.known[handle] = entry
            return entry.filter
        }
    }

    /// Drops what there is no room for. What one takes grows with the collection, so this is looked at with each new one.
    private func trim() {
        let all = entries.withLock { Array($0.known.values) }.sorted { $0.lastUse > $1.lastUse }
        var bytes = 0
        for (place, entry) in all.enumerated() {
            bytes += entry.filter.evaluation.byteCount
            // The newest is what the caller has just been given.
            guard place > 0, place >= countMax || bytes > bytesMax else { continue }
            entries.withLock { entries in
                if entries.known[entry.filter.handle]?.lastUse == entry.lastUse { entries.known[entry.filter.handle] = nil }
            }
        }
    }
}

extension EngineError {
    fileprivate static func unknownFilter(_ handle: String, field: String) -> EngineError {
        EngineError(.unknownFilter, "there is no prepared filter \"\(handle)\" of this collection, or not any more: prepare it again", field: field)
    }
}
