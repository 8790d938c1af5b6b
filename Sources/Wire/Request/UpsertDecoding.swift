// Documents and records from JSON.
import Engine

/// Decodes `upsert`: `records` in the plain form, one chunk each, or whole `documents`.
struct UpsertDecoder {
    private var input: UpsertInput

    static func records(_ value: borrowing JSONValue, collection: String) throws(WireError) -> UpsertInput {
        var decoder = UpsertDecoder(input: UpsertInput(collection: collection, listName: "records"))
        try decoder.list(value) { (decoder, element, field) throws(WireError) in try decoder.record(element, field) }
        return decoder.input
    }

    static func documents(_ value: borrowing JSONValue, collection: String) throws(WireError) -> UpsertInput {
        var decoder = UpsertDecoder(input: UpsertInput(collection: collection, listName: "documents"))
        try decoder.list(value) { (decoder, element, field) throws(WireError) in try decoder.document(element, field) }
        return decoder.input
    }

    private mutating func list(
        _ value: borrowing JSONValue, _ decode: (inout UpsertDecoder, borrowing JSONValue, String) throws(WireError) -> Void
    ) throws(WireError) {
        guard var elements = value.elements else { throw .invalid(input.listName, "an array of objects") }
        while let element = elements.next() {
            guard input.documents.count < Limits.batchMax else {
                throw WireError(code: "limit_exceeded", message: "a batch has at most \(Limits.batchMax) \(input.listName)", field: input.listName)
            }
            try decode(&self, element, "\(input.listName)[\(input.documents.count)]")
        }
    }

    private mutating func record(_ value: borrowing JSONValue, _ field: String) throws(WireError) {
        var document = DocumentInput(id: "")
        var chunk = ChunkInput()
        var hasChunk = false
        try members(value, field) { (decoder, key, value, place) throws(WireError) in
            switch key {
            case "text", "heading", "vector", "vectors":
                hasChunk = true
                try decoder.chunkMember(key, value, place, &chunk)
            default:
                guard try decoder.documentMember(key, value, place, &document) else { throw .unknown(key, in: field, path: place) }
            }
        }
        if hasChunk { document.chunks = [chunk] }
        try finish(document, field)
    }

    private mutating func document(_ value: borrowing JSONValue, _ field: String) throws(WireError) {
        var document = DocumentInput(id: "")
        try members(value, field) { (decoder, key, value, place) throws(WireError) in
            if key == "chunks" {
                try decoder.chunks(value, place, &document)
            } else {
                guard try decoder.documentMember(key, value, place, &document) else { throw .unknown(key, in: field, path: place) }
            }
        }
        try finish(document, field)
    }

    private mutating func finish(_ document: DocumentInput, _ field: String) throws(WireError) {
        guard !document.id.isEmpty else { throw .missingID(field) }
        input.documents.append(document)
    }

    /// What records and documents have in common; false for a key that they have not.
    private mutating func documentMember(
        _ key: String, _ value: borrowing JSONValue, _ place: String, _ document: inout DocumentInput
    ) throws(WireError) -> Bool {
        switch key {
        case "id": document.id = try value.decodeString(place)
        case "kind":
            switch value.string {
            case "folder": document.isFolder = true
            case "document": document.isFolder = false
            default: throw .invalid(place, "\"document\" or \"folder\"")
            }
        case "parent": document.parent = try value.decodeString(place)
        case "title": document.title = try value.decodeString(place)
        case "url": document.url = try value.decodeString(place)
        case "mime": document.mime = try value.decodeString(place)
        case "time": document.time = try value.decodeInputValue(place)
        case "access": document.access = try value.decodeTextChange(place)
        case "if_version": document.ifVersion = try value.decodeSequence(place)
        case "fields":
            try members(value, place) { (_, name, value, place) throws(WireError) in
                if !value.isNull { document.fields.append((name, try value.decodeInputValue(place))) }
            }
        default: return false
        }
        return true
    }

    private mutating func chunks(_ value: borrowing JSONValue, _ field: String, _ document: inout DocumentInput) throws(WireError) {
        guard var elements = value.elements else { throw .invalid(field, "an array of chunks") }
        while let element = elements.next() {
            guard document.chunks.count < Limits.chunksPerDocumentMax else { throw .tooManyChunks(field) }
            var chunk = ChunkInput()
            try members(element, "\(field)[\(document.chunks.count)]") { (decoder, key, value, place) throws(WireError) in
                try decoder.chunkMember(key, value, place, &chunk)
            }
            document.chunks.append(chunk)
        }
    }

    private mutating func chunkMember(
        _ key: String, _ value: borrowing JSONValue, _ place: String, _ chunk: inout ChunkInput
    ) throws(WireError) {
        switch key {
        case "text": chunk.text = try value.decodeString(place)
        case "heading": chunk.heading = try value.decodeString(place)
        case "access": chunk.access = try value.decodeString(place)
        case "vector": chunk.vectors.append(VectorInput(space: nil, floats: try value.decodeVector(place, to: &input.floats)))
        case "vectors":
            try members(value, place) { (decoder, name, value, place) throws(WireError) in
                chunk.vectors.append(VectorInput(space: name, floats: try value.decodeVector(place, to: &decoder.input.floats)))
            }
        default: throw .unknown(key, in: "a chunk", path: place)
        }
    }

    /// `JSONValue.forEachMember` with the decoder itself at hand.
    private mutating func members(
        _ value: borrowing JSONValue, _ place: String,
        _ body: (inout UpsertDecoder, String, borrowing JSONValue, String) throws(WireError) -> Void
    ) throws(WireError) {
        guard var members = value.members else { throw .invalid(place, "an object") }
        while true {
            let member: JSONMember
            do {
                guard let next = try members.next() else { return }
                member = next
            } catch { throw .badJSON(error, in: place) }
            try body(&self, member.key, member.value, "\(place).\(member.key)")
        }
    }
}
