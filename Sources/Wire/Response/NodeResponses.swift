// Answers that tell of nodes: documents and folders, their chunks, and their texts by range.
package import Engine
import Index
import Memory

extension ResponseWriter {
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
                receipt.tellRefused(documentID)
                continue
            }
            try self.node(node, collection, with: input.with, &reader)
            try checkSize()
        }
        json.endArray()
        if input.includesKnown {
            let known = missing.compactMap { collection.knownNode($0) }
            self.known(known)
            let ids = known.map(\.id)
            missing.removeAll { ids.contains($0) }
        }
        json.key("missing")
        json.beginArray()
        for documentID in missing { json.string(documentID) }
        json.endArray()
        end()
    }

    mutating func node(
        _ node: NodeView, _ collection: CollectionSnapshot, with: Parts, _ reader: inout ChunkReader
    ) throws(WireError) {
        json.beginObject()
        json.key("id")
        json.string(node.id)
        receipt.tell(node.id, ordinal: nil, grade: node.grade)
        json.key("kind")
        json.string(node.isFolder ? "folder" : "document")
        json.key("version")
        json.int(node.version)
        if collection.tellsGrades { grade(node.grade) }
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

    mutating func attributes(of node: NodeView, with: Parts) {
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

    mutating func grade(_ grade: Grade) {
        json.key("grade")
        json.string(grade.name)
    }

    private mutating func fields(_ fields: [(name: String, value: InputValue)]) {
        guard !fields.isEmpty else { return }
        json.key("fields")
        json.beginObject()
        for (name, value) in fields {
            json.key(named: name)
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
        do throws(EngineError) {
            // Where it is less than the document's.
            if collection.tellsGrades {
                let own = try node.chunk(ordinal).grade
                if own != node.grade { grade(own) }
            }
        } catch { throw WireError(error) }
        do { try content(of: node.chunk(ordinal), collection, with: with, &reader) } catch { throw WireError(error) }
        json.endObject()
    }

    mutating func content(
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
            json.key(named: spaces[index].name)
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
        if collection.tellsGrades { grade(node.grade) }
        attributes(of: node, with: [.title, .url])
        json.key("chunk_count")
        json.int(node.chunkCount)
        json.key("chunks")
        json.beginArray()
        var reader = ChunkReader()
        // Title and length are told of the document, whichever of its chunks are.
        if first == last { receipt.tell(node.id, ordinal: nil, grade: node.grade) }
        for ordinal in first..<last {
            if receipt.isWanted {
                do throws(EngineError) { receipt.tell(node.id, ordinal: ordinal, grade: try node.chunk(ordinal).grade) } catch { throw WireError(error) }
            }
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
}
