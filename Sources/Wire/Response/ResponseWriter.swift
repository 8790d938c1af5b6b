// Answers as lines, written straight into bytes.
package import Engine
import Index
import Memory

/// Writes one answer. Kept and reset between answers, it stops allocating.
package struct ResponseWriter: Sendable {
    var json = JSONWriter()

    package init() {}

    /// The line, its newline included.
    package func withBytes<Result>(_ body: (RawSpan) -> Result) -> Result { body(json.bytes) }

    // MARK: Envelopes

    package mutating func failure(_ id: RequestID, _ error: WireError) {
        begin(id, ok: false)
        json.key("error")
        json.beginObject()
        json.key("code")
        json.string(error.code)
        json.key("message")
        json.string(error.message)
        if let field = error.field {
            json.key("field")
            json.string(field)
        }
        json.key("retry")
        json.string(error.retry)
        json.endObject()
        end()
    }

    mutating func begin(_ id: RequestID, ok: Bool) {
        json.removeAll()
        json.beginObject()
        json.key("id")
        switch id {
        case .integer(let number): json.int(Int(number))
        case .string(let text): json.string(text)
        case .none: json.null()
        }
        json.key("ok")
        json.bool(ok)
    }

    mutating func begin(_ id: RequestID, sequence: UInt64) {
        begin(id, ok: true)
        json.key("seq")
        json.int(sequence)
    }

    mutating func end() {
        json.endObject()
        json.endLine()
    }

    private mutating func took(_ microseconds: Int) {
        json.key("took_us")
        json.int(microseconds)
    }

    /// An answer that has grown past the limit is not sent; the caller asks for less.
    private func checkSize() throws(WireError) {
        guard json.bytes.byteCount <= WireLimits.answerBytesMax else {
            throw WireError(code: "limit_exceeded", message: "the answer would pass \(WireLimits.answerBytesMax) bytes: ask for fewer or for less of each")
        }
    }

    // MARK: Server

    package mutating func pong(_ id: RequestID) {
        begin(id, ok: true)
        end()
    }

    package mutating func hello(_ id: RequestID, version: String) {
        begin(id, ok: true)
        json.key("server")
        json.string("needletail")
        json.key("version")
        json.string(version)
        json.key("protocol")
        json.int(1)
        limits()
        end()
    }

    package mutating func serverInfo(_ id: RequestID, _ info: ServerInfo) {
        begin(id, sequence: info.sequence)
        json.key("server")
        json.string("needletail")
        json.key("version")
        json.string(info.version)
        json.key("protocol")
        json.int(1)
        json.key("collections")
        json.int(info.collections)
        json.key("uptime_s")
        json.int(info.uptimeSeconds)
        json.key("data")
        json.string(info.dataPath)
        json.key("workers")
        json.int(info.workers)
        json.key("kernels")
        json.string(Kernels.best.name)
        json.key("blas")
        json.string(MatrixProduct.library)
        json.key("json")
        json.string(JSONParser.implementation)
        limits()
        end()
    }

    private mutating func limits() {
        let limits: [(StaticString, Int)] = [
            ("line_bytes", WireLimits.lineBytesMax), ("depth", WireLimits.depthMax),
            ("requests_in_flight", WireLimits.requestsInFlightMax), ("bytes_in_flight", WireLimits.bytesInFlightMax),
            ("answer_bytes", WireLimits.answerBytesMax), ("batch", Limits.batchMax), ("k", Limits.kMax),
            ("searches", Limits.searchesMax), ("filter_terms", Limits.filterTermsMax), ("dimension", Limits.dimensionMax),
            ("id_bytes", Limits.idBytesMax), ("text_bytes", Limits.textBytesMax), ("chunks_per_document", Limits.chunksPerDocumentMax),
            ("tree_depth", Limits.treeDepthMax),
        ]
        json.key("limits")
        json.beginObject()
        for (name, value) in limits {
            json.key(name)
            json.int(value)
        }
        json.endObject()
    }

    // MARK: Collections

    package mutating func collections(_ id: RequestID, _ snapshot: DatabaseSnapshot) throws(EngineError) {
        begin(id, sequence: snapshot.sequence)
        json.key("collections")
        json.beginArray()
        for name in snapshot.collectionNames { describe(try snapshot.collection(name)) }
        json.endArray()
        end()
    }

    package mutating func collection(_ id: RequestID, sequence: UInt64, _ collection: CollectionSnapshot) {
        begin(id, sequence: sequence)
        json.key("collection")
        describe(collection)
        end()
    }

    private mutating func describe(_ collection: CollectionSnapshot) {
        json.beginObject()
        json.key("name")
        json.string(collection.schema.name)
        json.key("access")
        json.string("open")
        json.key("spaces")
        json.beginObject()
        for space in collection.schema.spaces {
            json.key(space.name)
            json.beginObject()
            json.key("dim")
            json.int(space.dimension)
            json.key("metric")
            json.string(space.metric.name)
            json.key("index")
            json.string(space.index.rawValue)
            json.key("quantization")
            json.string(space.quantization.rawValue)
            json.endObject()
        }
        json.endObject()
        json.key("fields")
        json.beginObject()
        for field in collection.schema.fields {
            json.key(field.name)
            json.string(field.type.rawValue)
        }
        json.endObject()
        json.key("documents")
        json.int(collection.documentCount)
        json.key("folders")
        json.int(collection.folderCount)
        json.key("chunks")
        json.int(collection.chunkCount)
        json.key("memory_bytes")
        json.int(collection.byteCount)
        if let damage = collection.damage { incomplete(damage) }
        json.endObject()
    }

    // MARK: Writes

    package mutating func done(_ id: RequestID, sequence: UInt64) {
        begin(id, sequence: sequence)
        end()
    }

    package mutating func upserted(_ id: RequestID, _ outcome: WriteOutcome) {
        begin(id, sequence: outcome.sequence)
        json.key("inserted")
        json.int(outcome.counts.inserted)
        json.key("replaced")
        json.int(outcome.counts.replaced)
        json.key("unchanged")
        json.int(outcome.counts.unchanged)
        end()
    }

    package mutating func deleted(_ id: RequestID, _ outcome: WriteOutcome) {
        begin(id, sequence: outcome.sequence)
        json.key("deleted")
        json.int(outcome.counts.deleted)
        end()
    }

    package mutating func patched(_ id: RequestID, _ outcome: WriteOutcome) {
        begin(id, sequence: outcome.sequence)
        json.key("patched")
        json.int(outcome.counts.patched)
        end()
    }

    // MARK: Reads

    package mutating func counted(_ id: RequestID, sequence: UInt64, documents: Int, chunks: Int) {
        begin(id, sequence: sequence)
        json.key("documents")
        json.int(documents)
        json.key("chunks")
        json.int(chunks)
        end()
    }

    /// Nodes in the order asked for; those that are not there are named in `missing`.
    package mutating func nodes(
        _ id: RequestID, sequence: UInt64, _ collection: CollectionSnapshot, _ input: GetInput
    ) throws(WireError) {
        begin(id, sequence: sequence)
        var missing: [String] = []
        var reader = ChunkReader()
        json.key("documents")
        json.beginArray()
        for documentID in input.ids {
            guard let node = collection.node(documentID) else {
                missing.append(documentID)
                continue
            }
            try self.node(node, collection, with: input.with, &reader)
            try checkSize()
        }
        json.endArray()
        json.key("missing")
        json.beginArray()
        for documentID in missing { json.string(documentID) }
        json.endArray()
        end()
    }

    private mutating func node(
        _ node: NodeView, _ collection: CollectionSnapshot, with: Parts, _ reader: inout ChunkReader
    ) throws(WireError) {
        json.beginObject()
        json.key("id")
        json.string(node.id)
        json.key("kind")
        json.string(node.isFolder ? "folder" : "document")
        json.key("version")
        json.int(node.version)
        attributes(of: node, with: with)
        json.key("chunk_count")
        json.int(node.chunkCount)
        if !node.isFolder, !with.isDisjoint(with: [.text, .heading, .vector]) {
            json.key("chunks")
            json.beginArray()
            for ordinal in 0..<node.chunkCount { try chunk(ordinal, of: node, collection, with: with, &reader) }
            json.endArray()
        }
        json.endObject()
    }

    private mutating func attributes(of node: NodeView, with: Parts) {
        if with.contains(.parent), let parent = node.parent {
            json.key("parent")
            json.string(parent)
        }
        if with.contains(.title), let title = node.title {
            json.key("title")
            json.string(title)
        }
        if with.contains(.url), let url = node.url {
            json.key("url")
            json.string(url)
        }
        if with.contains(.mime), let mime = node.mime {
            json.key("mime")
            json.string(mime)
        }
        if with.contains(.time), let time = node.time {
            json.key("time")
            json.string(time)
        }
        if with.contains(.fields) { fields(node.fields) }
    }

    private mutating func fields(_ fields: [(name: String, value: InputValue)]) {
        guard !fields.isEmpty else { return }
        json.key("fields")
        json.beginObject()
        for (name, value) in fields {
            json.key(name)
            json.value(value)
        }
        json.endObject()
    }

    private mutating func chunk(
        _ ordinal: Int, of node: NodeView, _ collection: CollectionSnapshot, with: Parts, _ reader: inout ChunkReader
    ) throws(WireError) {
        json.beginObject()
        json.key("ordinal")
        json.int(ordinal)
        do { try content(of: node.chunk(ordinal), collection, with: with, &reader) } catch { throw WireError(error) }
        json.endObject()
    }

    private mutating func content(
        of chunk: ChunkView, _ collection: CollectionSnapshot, with: Parts, _ reader: inout ChunkReader
    ) throws(EngineError) {
        if with.contains(.heading), let heading = try chunk.heading(with: &reader) {
            json.key("heading")
            json.string(heading)
        }
        if with.contains(.text), let text = try chunk.text(with: &reader) {
            json.key("text")
            json.string(text)
        }
        if with.contains(.vector) { try vectors(of: chunk, collection) }
    }

    /// `vector` where the collection has one space, `vectors` by name where it has several.
    private mutating func vectors(of chunk: ChunkView, _ collection: CollectionSnapshot) throws(EngineError) {
        let spaces = collection.schema.spaces
        if spaces.count == 1 {
            guard let vector = try chunk.vector(space: 0, dimension: spaces[0].dimension) else { return }
            json.key("vector")
            json.floats(vector)
            return
        }
        json.key("vectors")
        json.beginObject()
        for index in spaces.indices {
            guard let vector = try chunk.vector(space: index, dimension: spaces[index].dimension) else { continue }
            json.key(spaces[index].name)
            json.floats(vector)
        }
        json.endObject()
    }

    /// A document's chunks by range; `next_chunk` where there are more.
    package mutating func document(_ id: RequestID, sequence: UInt64, _ collection: CollectionSnapshot, _ input: ReadInput) throws(WireError) {
        guard let node = collection.node(input.id) else {
            throw WireError(code: "not_found", message: "there is no document \"\(input.id)\"", field: "document")
        }
        let end = min(node.chunkCount, (input.toChunk ?? node.chunkCount - 1) + 1)
        let first = min(input.fromChunk, end)
        let last = min(end, first + input.limit)
        begin(id, sequence: sequence)
        json.key("document")
        json.string(node.id)
        json.key("version")
        json.int(node.version)
        attributes(of: node, with: [.title, .url])
        json.key("chunk_count")
        json.int(node.chunkCount)
        json.key("chunks")
        json.beginArray()
        var reader = ChunkReader()
        for ordinal in first..<last {
            try chunk(ordinal, of: node, collection, with: [.heading, .text], &reader)
            try checkSize()
        }
        json.endArray()
        if last < end {
            json.key("next_chunk")
            json.int(last)
        }
        self.end()
    }

    // MARK: Search

    package mutating func search(
        _ id: RequestID, sequence: UInt64, _ collection: CollectionSnapshot, _ request: SearchRequest, _ result: SearchResult,
        microseconds: Int
    ) throws(WireError) {
        begin(id, sequence: sequence)
        if request.isBatch {
            json.key("results")
            json.beginArray()
            for hits in result.hits {
                json.beginObject()
                try self.hits(hits, collection, with: request.with)
                json.endObject()
            }
            json.endArray()
        } else {
            try hits(result.hits[0], collection, with: request.with)
        }
        plan(result.plan)
        if let damage = result.damage { incomplete(damage) }
        took(microseconds)
        end()
    }

    private mutating func plan(_ plan: SearchPlan) {
        json.key("plan")
        json.beginObject()
        json.key("kind")
        json.string(plan.kind.rawValue)
        json.key("exact")
        json.bool(plan.isExact)
        if let recall = plan.expectedRecall {
            json.key("expected_recall")
            json.float(recall)
        }
        json.key("visited")
        json.int(plan.visited)
        json.endObject()
    }

    /// What the answer lacks, because the bytes it would have come from are damaged.
    private mutating func incomplete(_ damage: Damage) {
        json.key("incomplete")
        json.beginObject()
        members(of: damage)
        json.endObject()
    }

    private mutating func hits(_ hits: [Hit], _ collection: CollectionSnapshot, with: Parts) throws(WireError) {
        let documents = collection.documents(of: hits)
        let chunks: HitChunks
        let withTexts = !with.isDisjoint(with: [.text, .heading])
        do { chunks = try collection.chunks(of: hits, in: documents, withTexts: withTexts) } catch { throw WireError(error) }
        json.key("hits")
        json.beginArray()
        if with.contains(.vector) || chunks.haveTexts {
            try self.hits(hits, documents, chunks, collection, with: with)
        } else {
            for index in hits.indices {
                begin(hits[index], index, documents, chunks, with: with)
                json.endObject()
                try checkSize()
            }
        }
        json.endArray()
    }

    /// Those of which there may be more to say than where they are.
    private mutating func hits(
        _ hits: [Hit], _ documents: HitDocuments, _ chunks: HitChunks, _ collection: CollectionSnapshot, with: Parts
    ) throws(WireError) {
        var reader = ChunkReader()
        for index in hits.indices {
            begin(hits[index], index, documents, chunks, with: with)
            do { try content(of: chunks[index], collection, with: with, &reader) } catch { throw WireError(error) }
            json.endObject()
            try checkSize()
        }
    }

    private mutating func begin(_ hit: Hit, _ index: Int, _ documents: HitDocuments, _ chunks: HitChunks, with: Parts) {
        json.beginObject()
        json.key("document")
        json.string(documents.id(index))
        json.key("chunk")
        json.int(chunks.ordinals[index])
        json.key("score")
        json.float(hit.score)
        if with.contains(.fields) || documents.hasAttributes(index) { attributes(of: documents[index], with: with) }
    }
}

/// What `server.info` tells.
package struct ServerInfo: Sendable {
    package var version: String
    package var sequence: UInt64
    package var collections: Int
    package var uptimeSeconds: Int
    package var dataPath: String
    package var workers: Int

    package init(version: String, sequence: UInt64, collections: Int, uptimeSeconds: Int, dataPath: String, workers: Int) {
        self.version = version
        self.sequence = sequence
        self.collections = collections
        self.uptimeSeconds = uptimeSeconds
        self.dataPath = dataPath
        self.workers = workers
    }
}
