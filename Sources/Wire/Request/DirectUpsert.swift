// An upsert without a request: documents for a database in the same process.
package import Engine

extension UpsertInput {
    /// What a daemon reads out of an `upsert` of these documents, refused where it would be and in the same words. What the database
    /// judges by itself (lengths, dimensions, types) is left to it.
    package init(_ documents: [OutgoingDocument], into collection: String) throws(WireError) {
        self.init(collection: collection)
        self.documents.reserveCapacity(documents.count)
        floats.reserveCapacity(documents.reduce(0) { $0 + $1.chunks.reduce(0) { $0 + ($1.vector?.count ?? 0) } })
        for (index, document) in documents.enumerated() { try append(document, "documents[\(index)]") }
    }

    // Places are spelled out where something is wrong only: there are as many as chunks.

    private mutating func append(_ outgoing: OutgoingDocument, _ place: @autoclosure () -> String) throws(WireError) {
        guard !outgoing.id.isEmpty else { throw .missingID(place()) }
        var document = DocumentInput(id: outgoing.id)
        document.isFolder = outgoing.isFolder
        document.parent = outgoing.parent
        document.title = outgoing.title
        document.url = outgoing.url
        document.mime = outgoing.mime
        document.time = outgoing.time.map { time in Int64(time).map(InputValue.integer) ?? .string(time) }
        for field in outgoing.fields {
            try Self.check(field.value, "\(place()).fields.\(field.name)")
            document.fields.append((field.name, field.value))
        }
        if !outgoing.isFolder {
            guard outgoing.chunks.count <= Limits.chunksPerDocumentMax else { throw .tooManyChunks("\(place()).chunks") }
            for (index, chunk) in outgoing.chunks.enumerated() { document.chunks.append(try input(of: chunk, "\(place()).chunks[\(index)]")) }
        }
        documents.append(document)
    }

    private static func check(_ value: InputValue, _ place: @autoclosure () -> String) throws(WireError) {
        if case .strings(let texts) = value, texts.count > Limits.keywordsPerFieldMax { throw .tooManyElements(Limits.keywordsPerFieldMax, place()) }
    }

    private mutating func input(of outgoing: OutgoingChunk, _ place: @autoclosure () -> String) throws(WireError) -> ChunkInput {
        var chunk = ChunkInput()
        chunk.text = outgoing.text
        chunk.heading = outgoing.heading
        if let vector = outgoing.vector {
            guard vector.allSatisfy(\.isFinite) else { throw .invalid("\(place()).vector", "finite numbers") }
            chunk.vectors = [VectorInput(space: nil, floats: floats.count..<floats.count + vector.count)]
            floats += vector
        }
        return chunk
    }
}
