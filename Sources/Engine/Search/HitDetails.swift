// What an answer tells of its hits besides their scores.
import Memory

/// The documents and chunks of hits. First the memory of all of them is asked for, then it is read, before anything is written: the
/// waits overlap, ten of them in the time of one or two, where with the writing in between each would be waited for by itself.
package struct HitDetails {
    private struct Detail {
        let document: UInt32
        let place: ChunkPlace
        var id = ByteRange()
        /// The chunk's number, then its place in the document.
        var ordinal = 0
        var hasAttributes = false
        /// `ChunkParts`; none where they will not be asked for.
        var texts: UInt8 = 0
    }

    private let collection: CollectionSnapshot
    private var details: [Detail]
    private var hits: [Hit] = []

    init(_ collection: CollectionSnapshot, _ hits: [Hit], withTexts: Bool) throws(EngineError) {
        self.collection = collection
        details = hits.map { Detail(document: $0.document, place: collection.place(ofRow: Int($0.row))) }
        askFor(collection.state.documents)
        for part in collection.parts.indices { try readChunks(of: part, withTexts: withTexts) }
        read(collection.state.documents)
        self.hits = hits
        countVisibleOrdinals()
    }

    /// Where chunks are hidden, those that may be seen are counted through.
    private mutating func countVisibleOrdinals() {
        guard collection.rowRights != nil else { return }
        for index in details.indices {
            guard let visible = collection.visibleOrdinals(Int(details[index].document)) else { continue }
            let ordinal = details[index].ordinal
            details[index].ordinal = visible.count { $0 < ordinal }
        }
    }

    // The table is borrowed: to name it anew for each hit is to count references for all that it holds.

    private func askFor(_ documents: borrowing DocumentTable) {
        for detail in details { documents.prefetch(detail.document) }
    }

    private mutating func read(_ documents: borrowing DocumentTable) {
        for index in details.indices {
            details[index].id = documents.ids.place(of: details[index].document)
            documents.ids.prefetch(at: details[index].id)
        }
        for index in details.indices {
            let row = documents.rows[Int(details[index].document)]
            details[index].ordinal -= Int(row.firstChunk)
            details[index].hasAttributes = row.present != 0 || hasShownParent(row)
        }
    }

    private func hasShownParent(_ row: DocumentRow) -> Bool {
        guard let parent = row.parent else { return false }
        return collection.rights == nil || collection.shows(parent)
    }

    private mutating func readChunks(of part: Int, withTexts: Bool) throws(EngineError) {
        let own = details.indices.filter { details[$0].place.part == part }
        guard !own.isEmpty else { return }
        let rows = own.map { details[$0].place.row }
        for (index, chunk) in zip(own, try collection.parts[part].chunks(rows)) { details[index].ordinal = chunk }
        guard withTexts else { return }
        for (index, texts) in zip(own, try collection.parts[part].textParts(rows)) { details[index].texts = texts }
    }

    /// Whether grades are to be told: where nobody's rights are asked, all that is found may be read.
    package var tellsGrades: Bool { collection.tellsGrades }

    /// Whether one of the chunks has a text or a heading that will be asked for.
    package var haveTexts: Bool { details.contains { $0.texts != 0 } }

    /// Whether there is anything to say of a hit's document but its declared fields.
    package func hasAttributes(_ hit: Int) -> Bool { details[hit].hasAttributes }
    package func ordinal(_ hit: Int) -> Int { details[hit].ordinal }

    @_lifetime(borrow self)
    package func id(_ hit: Int) -> RawSpan {
        // Sound: self holds the snapshot, which holds the bytes.
        unsafe _overrideLifetime(collection.state.documents.ids.bytes(at: details[hit].id), borrowing: self)
    }

    package func document(_ hit: Int) -> NodeView { NodeView(collection: collection, number: Int(details[hit].document)) }

    package func chunk(_ hit: Int) -> ChunkView {
        let place = details[hit].place
        return ChunkView(part: collection.parts[place.part], row: place.row, ordinal: details[hit].ordinal, grade: hits[hit].grade)
    }
}
