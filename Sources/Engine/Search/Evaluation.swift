// Which documents a filter leaves, kept from one state of a collection to the next.
import Memory
import Synchronization

/// A filter's documents as of the state it was asked about last. Asked about another, earlier or later, it looks at the pages of columns
/// that are not the same ones any more, at texts that are new, and at where the tree has changed. Safe to use from any thread; who asks
/// while another's answer is made waits for that, and mostly needs no more.
final class Evaluation: Sendable {
    fileprivate struct Kept {
        var program: FilterProgram
        var matching = Bitmap(count: 0)
        /// Of each page, column after column (see `stamps`); empty at first.
        var stamps: [UInt64] = []

        init(_ program: FilterProgram) { self.program = program }
    }

    private let kept: Mutex<Kept>
    private let bytes: Atomic<Int>

    init(_ program: FilterProgram) {
        bytes = Atomic(program.byteCount)
        kept = Mutex(Kept(program))
    }

    /// - Parameter find: the number of a node that may be named.
    func documents(of state: CollectionState, find: (String) -> Int?) -> Bitmap {
        kept.withLock { kept in
            kept.update(to: state, find: find)
            bytes.store(kept.program.byteCount + kept.matching.wordCount * 8 + kept.stamps.count * 8, ordering: .relaxed)
            return kept.matching
        }
    }

    /// Memory held, in bytes, about. Waits for nobody.
    var byteCount: Int { bytes.load(ordering: .relaxed) }
}

extension Evaluation.Kept {
    fileprivate mutating func update(to state: CollectionState, find: (String) -> Int?) {
        let change = program.prepare(for: state, find: find)
        let (count, pageCount) = (state.documents.count, state.documents.versions.pageCount)
        let (known, found) = (matching.count, stamps(of: state))
        if known != count { matching = Bitmap(matching, count: count) }
        var isDirty = Bitmap(count: pageCount, filled: stamps.isEmpty)
        switch change {
        case .nothing: break
        case .pages(let pages): for page in pages { isDirty[page] = true }
        case .everything: isDirty = Bitmap(count: pageCount, filled: true)
        }
        // The last page of the fewer nodes has fewer in one of the two.
        for page in min(known, count) / PageBits.nodeCount..<pageCount where known != count { isDirty[page] = true }
        let columns = columnCount
        for page in 0..<pageCount {
            let range = page * columns..<(page + 1) * columns
            guard isDirty[page] || stamps[range] != found[range] else { continue }
            put(program.matches(onPage: page, of: state), onPage: page)
        }
        stamps = found
    }

    private var columnCount: Int { 2 + 2 * program.fields.count }

    private func stamps(of state: CollectionState) -> [UInt64] {
        let (documents, pageCount, columns) = (state.documents, state.documents.versions.pageCount, columnCount)
        var stamps = [UInt64](repeating: 0, count: pageCount * columns)
        for page in 0..<pageCount {
            stamps[page * columns] = documents.rows.pageStamp(page)
            stamps[page * columns + 1] = documents.versions.pageStamp(page)
        }
        for (place, field) in program.fields.enumerated() {
            let column = state.fields[field]
            for page in 0..<pageCount {
                stamps[page * columns + 2 + 2 * place] = column.values.pageStamp(page)
                stamps[page * columns + 3 + 2 * place] = column.present.pageStamp(page)
            }
        }
        return stamps
    }

    private mutating func put(_ bits: PageBits, onPage page: Int) {
        let first = page * PageBits.wordCount
        for word in first..<min(first + PageBits.wordCount, matching.wordCount) { matching[word: word] = bits[word: word - first] }
    }
}

extension CollectionState {
    /// The documents (folders are none) that match. O(documents) a condition.
    ///
    /// - Parameter find: the number of a node that may be named.
    func documents(matching filter: Filter, under: [String]?, find: (String) -> Int?) throws(EngineError) -> Bitmap {
        try filter.checkLimits()
        return Evaluation(try FilterProgram(filter, under: under, schema: schema)).documents(of: self, find: find)
    }
}

/// What reads have worked out of a collection, kept for the next ones: shared by all its states, and right for each.
final class DerivedData: Sendable {
    let tree = TreeIndex()
    let evaluations = EvaluationCache()
}

/// Filters that were asked of a collection lately.
final class EvaluationCache: Sendable {
    fileprivate struct Entries {
        var known: [VisibilityKey: Entry] = [:]
        var clock = 0
    }

    fileprivate struct Entry {
        let evaluation: Evaluation
        var lastUse: Int
    }

    private let entries = Mutex(Entries())
    private static let bytesMax = 16 << 20
    private static let entriesMax = 64

    /// The evaluation under a key, made where there is none. Of the others, those not used for longest go.
    func evaluation(of key: VisibilityKey, _ make: () throws(EngineError) -> FilterProgram) throws(EngineError) -> Evaluation {
        if let known = entries.withLock({ $0.use(key) }) { return known }
        let made = Evaluation(try make())
        entries.withLock { entries in
            entries.clock += 1
            entries.known[key] = Entry(evaluation: made, lastUse: entries.clock)
            if entries.known.count > Self.entriesMax { entries.dropOldest() }
        }
        return made
    }

    /// Keeps to the bytes that there are for it, now that one of them has grown.
    func trim() {
        let all = entries.withLock { $0.known.map { (key: $0.key, entry: $0.value) } }.sorted { $0.entry.lastUse > $1.entry.lastUse }
        var bytes = 0
        for (key, entry) in all {
            bytes += entry.evaluation.byteCount
            // The one used last stays: it would only be made again.
            if bytes > Self.bytesMax, entry.lastUse != all[0].entry.lastUse { entries.withLock { $0.known[key] = nil } }
        }
    }
}

extension EvaluationCache.Entries {
    fileprivate mutating func use(_ key: VisibilityKey) -> Evaluation? {
        guard var entry = known[key] else { return nil }
        clock += 1
        entry.lastUse = clock
        known[key] = entry
        return entry.evaluation
    }

    fileprivate mutating func dropOldest() {
        if let oldest = known.min(by: { $0.value.lastUse < $1.value.lastUse }) { known[oldest.key] = nil }
    }
}
