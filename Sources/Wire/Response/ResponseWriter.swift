// Answers as lines, written straight into bytes.
package import Engine
import Index
import Memory

/// Writes one answer. Kept and reset between answers, it stops allocating.
package struct ResponseWriter: Sendable {
    var json = JSONWriter()
    package var receipt = AuditReceipt()

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
        receipt.begin()
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
        receipt.tell(sequence: sequence)
        json.key("seq")
        json.int(sequence)
    }

    mutating func end() {
        json.endObject()
        json.endLine()
    }

    /// An answer that has grown past the limit is not sent; the caller asks for less.
    func checkSize() throws(WireError) {
        guard json.bytes.byteCount <= WireLimits.answerBytesMax else {
            throw WireError(code: "limit_exceeded", message: "the answer would pass \(WireLimits.answerBytesMax) bytes: ask for fewer or for less of each")
        }
    }

    /// What an answer lacks, because the bytes it would have come from are damaged.
    mutating func incomplete(_ damage: Damage) {
        json.key("incomplete")
        json.beginObject()
        members(of: damage)
        json.endObject()
    }

    // MARK: Server

    package mutating func pong(_ id: RequestID) {
        begin(id, ok: true)
        end()
    }

    package mutating func hello(_ id: RequestID, version: String, _ identity: IdentityInfo) {
        begin(id, ok: true)
        json.key("server")
        json.string("needletail")
        json.key("version")
        json.string(version)
        json.key("protocol")
        json.int(1)
        self.identity(identity)
        limits()
        end()
    }

    private mutating func identity(_ identity: IdentityInfo) {
        json.key("identity")
        json.beginObject()
        json.key("name")
        json.string(identity.name)
        json.key("roles")
        strings(identity.roles)
        if let user = identity.caller?.user {
            json.key("user")
            json.string(user)
        }
        if let agent = identity.caller?.agent {
            json.key("agent")
            json.string(agent)
        }
        if let collections = identity.collections {
            json.key("collections")
            strings(collections)
        }
        json.endObject()
    }

    private mutating func strings(_ texts: [String]) {
        json.beginArray()
        for text in texts { json.string(text) }
        json.endArray()
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
        if let dataPath = info.dataPath {
            json.key("data")
            json.string(dataPath)
        }
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
            ("searches", Limits.searchesMax), ("filter_terms", Limits.filterTermsMax), ("prepared_terms", Limits.preparedTermsMax), ("dimension", Limits.dimensionMax),
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

    /// - Parameter counts: whether to tell how much is there, of collections too whose documents have rights.
    package mutating func collections(_ id: RequestID, sequence: UInt64, _ collections: [CollectionOverview], counts: Bool) {
        begin(id, sequence: sequence)
        json.key("collections")
        json.beginArray()
        for collection in collections { describe(collection, counts: counts) }
        json.endArray()
        end()
    }

    package mutating func collection(_ id: RequestID, sequence: UInt64, _ collection: CollectionOverview, counts: Bool) {
        begin(id, sequence: sequence)
        json.key("collection")
        describe(collection, counts: counts)
        end()
    }

    private mutating func describe(_ collection: CollectionOverview, counts: Bool) {
        json.beginObject()
        json.key("name")
        json.string(collection.schema.name)
        json.key("access")
        json.string(collection.schema.access.rawValue)
        if let object = collection.schema.defaultAccess {
            json.key("default_access")
            json.string(object)
        }
        json.key("spaces")
        json.beginObject()
        for space in collection.schema.spaces {
            json.key(named: space.name)
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
            json.key(named: field.name)
            json.string(field.type.rawValue)
        }
        json.endObject()
        if counts || collection.schema.access == .open { self.counts(of: collection) }
        json.endObject()
    }

    private mutating func counts(of collection: CollectionOverview) {
        json.key("documents")
        json.int(collection.documentCount)
        json.key("folders")
        json.int(collection.folderCount)
        json.key("chunks")
        json.int(collection.chunkCount)
        json.key("memory_bytes")
        json.int(collection.byteCount)
        if let damage = collection.damage { incomplete(damage) }
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
}

/// What `hello` tells of whoever asks.
package struct IdentityInfo: Sendable {
    package var name: String
    package var roles: [String]
    package var caller: Caller?
    /// nil where all are open to it.
    package var collections: [String]?

    package init(name: String, roles: [String], caller: Caller? = nil, collections: [String]? = nil) {
        self.name = name
        self.roles = roles
        self.caller = caller
        self.collections = collections
    }
}

/// What `server.info` tells.
package struct ServerInfo: Sendable {
    package var version: String
    package var sequence: UInt64
    package var collections: Int
    package var uptimeSeconds: Int
    /// nil where it is none of the caller's concern.
    package var dataPath: String?
    package var workers: Int

    package init(version: String, sequence: UInt64, collections: Int, uptimeSeconds: Int, dataPath: String?, workers: Int) {
        self.version = version
        self.sequence = sequence
        self.collections = collections
        self.uptimeSeconds = uptimeSeconds
        self.dataPath = dataPath
        self.workers = workers
    }
}
