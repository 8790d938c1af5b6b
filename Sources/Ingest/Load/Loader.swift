// From a source into a database: batches, vectors where they are missing, several at once, nothing lost unsaid.
package import Embedding
import Synchronization
package import Wire

/// How a load is to be done.
package struct LoadOptions: Sendable {
    package var collection: String
    /// Fills in the vectors of chunks that have text and no vector.
    package var embedder: (any Embedder)?
    /// A batch is sent once it has this many documents or about this many bytes.
    package var batchDocumentsMax = 256
    package var batchBytesMax = 1 << 20
    /// Batches under way at once, over all connections of a daemon. More than the connections, so that none waits for an answer.
    package var batchesInFlight = 8
    /// How often a batch is sent again that was refused for a cause that passes (a full disk, say).
    package var attemptsMax = 6
    package var firstPause = Duration.milliseconds(250)

    package init(collection: String) { self.collection = collection }
}

/// How far a load has come; also its result.
package struct LoadProgress: Equatable, Sendable {
    package var documents = 0
    package var chunks = 0
    package var inserted = 0
    package var replaced = 0
    package var unchanged = 0
    package var rejected = 0
    package var skipped = 0
    /// Chunks that have no vector after all: nothing in their text is known to the embedder.
    package var withoutVector = 0
    package var bytesRead = 0
    package var bytesTotal: Int?
    package var sequence = 0
    package init() {}
}

/// Loads one source. Use it once.
package final class Loader: Sendable {
    private let options: LoadOptions
    private let target: any LoadTarget
    private let onReject: @Sendable (Rejection) throws -> Void
    private let state = Mutex(LoadProgress())
    /// A document that waits for the batch after the one it could not join.
    private let held = Mutex<SourceItem?>(nil)

    package init(_ options: LoadOptions, into target: any LoadTarget, onReject: @escaping @Sendable (Rejection) throws -> Void) {
        self.options = options
        self.target = target
        self.onReject = onReject
    }

    package var progress: LoadProgress { state.withLock { $0 } }

    /// Pulls the source to its end. Returns once the target has stored everything; throws at the first failure that is
    /// not a single row's, everything stored before it staying so.
    ///
    /// An id that comes again is stored again after the first, so the last one wins, as in the file.
    package func run(_ source: consuming any DocumentSource & ~Copyable) async throws -> LoadProgress {
        var source = source
        try await withThrowingTaskGroup(of: Arrival.self) { group in
            var flight = Flight()
            var failure: (any Error)?
            while let (items, isRepeat) = nextBatch(&source, known: flight.ids, &failure) {
                // A batch with a document that is under way already waits until everything before it has arrived.
                let countMax = isRepeat ? 0 : options.batchesInFlight - 1
                while flight.count > countMax { try await advance(&group, &flight) }
                let batch = flight.begin(items)
                group.addTask { try await self.prepare(batch) }
            }
            while flight.count > 0 { try await advance(&group, &flight) }
            if let failure { throw failure }
        }
        return progress
    }

    // MARK: Batches under way

    /// What a task ends with.
    private enum Arrival: Sendable {
        /// The batch's turn to be stored comes.
        case prepared(Batch)
        case stored(Batch)
    }

    private func prepare(_ batch: Batch) async throws -> Arrival {
        var batch = batch
        try await embed(&batch.items)
        if target.isOrdered { return .prepared(batch) }
        try await store(batch.items)
        return .stored(batch)
    }

    /// Waits for one of the tasks, and begins what may follow it.
    private func advance(_ group: inout ThrowingTaskGroup<Arrival, any Error>, _ flight: inout Flight) async throws {
        guard let arrival = try await group.next() else { preconditionFailure("a batch under way has a task") }
        switch arrival {
        case .prepared(let batch): flight.prepared[batch.number] = batch
        case .stored(let batch): flight.end(batch)
        }
        guard let batch = flight.takeTurn() else { return }
        group.addTask {
            try await self.store(batch.items)
            return .stored(batch)
        }
    }

    private struct Batch: Sendable {
        var number: Int
        var items: [Item]
    }

    /// The batches under way, and for an ordered target whose turn it is.
    private struct Flight {
        private(set) var count = 0
        private(set) var ids: Set<String> = []
        /// By number; they wait for their turn.
        var prepared: [Int: Batch] = [:]
        private var begun = 0
        private var turn = 0
        private var isStoring = false

        mutating func begin(_ items: [Item]) -> Batch {
            defer { begun += 1 }
            count += 1
            ids.formUnion(items.lazy.map(\.document.id))
            return Batch(number: begun, items: items)
        }

        mutating func end(_ batch: Batch) {
            count -= 1
            ids.subtract(batch.items.lazy.map(\.document.id))
            isStoring = false
        }

        /// The batch that is to be stored next, where none is being stored.
        mutating func takeTurn() -> Batch? {
            guard !isStoring, let batch = prepared.removeValue(forKey: turn) else { return nil }
            turn += 1
            isStoring = true
            return batch
        }
    }

    private struct Item: Sendable {
        var document: OutgoingDocument
        var position: SourcePosition
    }

    // MARK: Batching

    /// The same, with a failure set aside until what came before it is stored.
    private func nextBatch(
        _ source: inout any DocumentSource & ~Copyable, known: Set<String>, _ failure: inout (any Error)?
    ) -> (batch: [Item], isRepeat: Bool)? {
        do { return try nextBatch(&source, known: known) } catch {
            failure = error
            return nil
        }
    }

    /// The next documents, no id twice; `isRepeat` says that one of the ids is in `known`. Nil at the end.
    private func nextBatch(
        _ source: inout any DocumentSource & ~Copyable, known: Set<String>
    ) throws -> (batch: [Item], isRepeat: Bool)? {
        var batch: [Item] = []
        var ids: Set<String> = []
        var bytes = 0
        var isRepeat = false
        while batch.count < options.batchDocumentsMax, bytes < options.batchBytesMax {
            let item: SourceItem?
            if let waiting = held.withLock({ $0.take() }) { item = waiting } else { item = try source.next() }
            guard let item else { break }
            switch item {
            case .rejected(let rejection): try reject(rejection)
            case .document(let document, let position):
                guard ids.insert(document.id).inserted else {
                    held.withLock { $0 = item }
                    return (batch, isRepeat)
                }
                if known.contains(document.id) { isRepeat = true }
                bytes += document.wireBytes
                batch.append(Item(document: document, position: position))
            }
        }
        let read = source.progress
        state.withLock { $0.bytesRead = read.bytesRead; $0.bytesTotal = read.bytesTotal }
        return batch.isEmpty ? nil : (batch, isRepeat)
    }

    private func reject(_ rejection: Rejection) throws {
        state.withLock { state in
            if rejection.kind == .invalid { state.rejected += 1 } else { state.skipped += 1 }
        }
        try onReject(rejection)
    }

    // MARK: Storing

    /// Stores one batch. Documents that are refused for themselves are rejected, the rest sent again.
    private func store(_ items: [Item]) async throws {
        var items = items
        var attempt = 1
        while !items.isEmpty {
            do {
                count(items, try await target.store(items.map(\.document), in: options.collection))
                return
            } catch let failure as WireError {
                if let index = failure.documentIndex, index < items.count, failure.retry == "after_fix" {
                    let item = items.remove(at: index)
                    try reject(Rejection(.invalid, at: item.position, reason: failure.description))
                } else if failure.retry == "later", attempt < options.attemptsMax {
                    try await Task.sleep(for: options.firstPause * (1 << (attempt - 1)))
                    attempt += 1
                } else {
                    throw failure
                }
            }
        }
    }

    private func count(_ items: [Item], _ stored: StoredBatch) {
        state.withLock { state in
            state.documents += items.count
            state.chunks += items.reduce(0) { $0 + $1.document.chunks.count }
            state.inserted += stored.inserted
            state.replaced += stored.replaced
            state.unchanged += stored.unchanged
            state.sequence = max(state.sequence, stored.sequence)
        }
    }

    private func embed(_ batch: inout [Item]) async throws {
        guard let embedder = options.embedder else { return }
        var places: [(item: Int, chunk: Int)] = []
        var texts: [String] = []
        for item in batch.indices {
            for chunk in batch[item].document.chunks.indices where batch[item].document.chunks[chunk].vector == nil {
                places.append((item, chunk))
                texts.append(batch[item].document.textToEmbed(chunk: chunk))
            }
        }
        guard !texts.isEmpty else { return }
        let vectors = try await embedder.embed(texts)
        for (place, vector) in zip(places, vectors) { batch[place.item].document.chunks[place.chunk].vector = vector }
        let missing = vectors.count { $0 == nil }
        state.withLock { $0.withoutVector += missing }
    }
}

extension OutgoingDocument {
    /// What a chunk's vector is made of: where it stands, then what it says. A heading trail begins with the title.
    package func textToEmbed(chunk: Int) -> String {
        let chunk = chunks[chunk]
        return [chunk.heading ?? title, chunk.text].compactMap { $0 }.joined(separator: " ")
    }

    /// About as many bytes as it will take on the wire.
    fileprivate var wireBytes: Int {
        chunks.reduce(256) { $0 + ($1.text?.utf8.count ?? 0) + ($1.heading?.utf8.count ?? 0) + ($1.vector?.count ?? 0) * 16 / 3 + 64 }
    }
}

extension WireError {
    /// Which document of the batch the error is about: 3 in `documents[3].chunks[0].vector`.
    fileprivate var documentIndex: Int? {
        guard let field, field.hasPrefix("documents[") else { return nil }
        return Int(field.dropFirst("documents[".count).prefix { $0.isNumber })
    }
}
