// From a source into a daemon: batches, vectors where they are missing, several connections, nothing lost unsaid.
package import Client
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
    /// Batches under way at once, over all connections. More than the connections, so that none waits for an answer.
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
    private let clients: [Client]
    private let onReject: @Sendable (Rejection) throws -> Void
    private let state = Mutex(LoadProgress())
    /// A document that waits for the batch after the one it could not join.
    private let held = Mutex<SourceItem?>(nil)

    package init(_ options: LoadOptions, clients: [Client], onReject: @escaping @Sendable (Rejection) throws -> Void) {
        precondition(!clients.isEmpty, "a load needs a connection")
        self.options = options
        self.clients = clients
        self.onReject = onReject
    }

    package var progress: LoadProgress { state.withLock { $0 } }

    /// Pulls the source to its end. Returns once everything is acknowledged; throws at the first failure that is
    /// not a single row's, everything acknowledged before it being stored.
    ///
    /// An id that comes again is stored again after the first, so the last one wins, as in the file.
    package func run(_ source: consuming any DocumentSource & ~Copyable) async throws -> LoadProgress {
        var source = source
        // Each task ends with the ids of its batch, which are then under way no more.
        try await withThrowingTaskGroup(of: [String].self) { group in
            var inFlight = 0
            var number = 0
            var idsInFlight: Set<String> = []
            while let (batch, isRepeat) = try nextBatch(&source, known: idsInFlight) {
                // A batch with a document that is under way already waits until everything before it has arrived.
                let inFlightMax = isRepeat ? 0 : options.batchesInFlight - 1
                while inFlight > inFlightMax, let arrived = try await group.next() {
                    inFlight -= 1
                    idsInFlight.subtract(arrived)
                }
                let ids = batch.map(\.document.id)
                idsInFlight.formUnion(ids)
                let client = clients[number % clients.count]
                group.addTask {
                    try await self.store(batch, over: client)
                    return ids
                }
                number += 1
                inFlight += 1
            }
            for try await _ in group {}
        }
        return progress
    }

    private struct Item: Sendable {
        var document: OutgoingDocument
        var position: SourcePosition
    }

    // MARK: Batching

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

    /// Embeds and sends one batch. Documents that the daemon refuses for themselves are rejected, the rest sent again.
    private func store(_ batch: [Item], over client: Client) async throws {
        var batch = batch
        try await embed(&batch)
        var attempt = 1
        while !batch.isEmpty {
            let answer = try await client.send("upsert") { request in
                request.string("collection", options.collection)
                request.documents(batch.map(\.document))
            }
            guard let failure = answer.failure else {
                count(batch, answer)
                return
            }
            if let index = failure.documentIndex, index < batch.count, failure.retry == "after_fix" {
                let item = batch.remove(at: index)
                try reject(Rejection(.invalid, at: item.position, reason: failure.description))
            } else if failure.retry == "later", attempt < options.attemptsMax {
                try await Task.sleep(for: options.firstPause * (1 << (attempt - 1)))
                attempt += 1
            } else {
                throw failure
            }
        }
    }

    private func count(_ batch: [Item], _ answer: Answer) {
        state.withLock { state in
            state.documents += batch.count
            state.chunks += batch.reduce(0) { $0 + $1.document.chunks.count }
            state.inserted += answer.root["inserted"]?.int ?? 0
            state.replaced += answer.root["replaced"]?.int ?? 0
            state.unchanged += answer.root["unchanged"]?.int ?? 0
            state.sequence = max(state.sequence, answer.root["seq"]?.int ?? 0)
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
