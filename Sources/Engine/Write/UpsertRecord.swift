// The log's upsert record: documents as bytes, checked once against the schema, applied by reading them back.
import Index
import Memory

// Layout (all integers little-endian; str = u32 length + UTF-8):
//
//   u32 collection number | u32 document count | documents
//   document: str id | u64 u64 digest of the content | u32 length of the content | content
//   content:  u8 parts | [str parent] [str title] [str url] [str mime] [i64 time] [str access, empty for none]
//             | u16 n, n x field | u32 n, n x chunk
//   field:    u16 index | keyword: str | keyword[]: u16 n, n x str | int, time: i64 | float: f64 | bool: u8
//   chunk:    u8 parts | [str text] [str heading] [str access] | u8 spaces, each u8 index | dimension x f32

enum UpsertRecord {
    enum Part {
        static let folder: UInt8 = 1, parent: UInt8 = 2, title: UInt8 = 4, url: UInt8 = 8, mime: UInt8 = 16, time: UInt8 = 32
        static let access: UInt8 = 64
        static let known: UInt8 = 127
    }
}

/// Turns documents into a record, refusing whatever the schema or the limits do not allow.
struct UpsertEncoder {
    let schema: CollectionSchema
    /// Each document is its one chunk, as the request has it: errors then name no chunk.
    let isPlain: Bool
    var writer = ByteWriter()

    /// Nothing invalid passes: what this returns can be applied without a further question.
    static func encode(_ input: UpsertInput, collection: CollectionState) throws(EngineError) -> [UInt8] {
        guard input.documents.count <= Limits.batchMax else {
            throw EngineError(.limitExceeded, "at most \(Limits.batchMax) documents a batch", field: input.listName)
        }
        var encoder = UpsertEncoder(schema: collection.schema, isPlain: input.listName == "records")
        encoder.writer.reserve(input.floats.count * 4 + input.documents.count * 128)
        encoder.writer.write(collection.number)
        encoder.writer.write(UInt32(input.documents.count))
        for (index, document) in input.documents.enumerated() {
            do { try encoder.add(document, floats: input.floats) } catch { throw error.inside("\(input.listName)[\(index)]") }
            guard encoder.writer.count <= Limits.recordBytesMax else {
                throw EngineError(.limitExceeded, "at most \(Limits.recordBytesMax >> 20) MiB a batch: send it in parts", field: input.listName)
            }
        }
        return encoder.writer.finish()
    }

    private mutating func add(_ document: DocumentInput, floats: [Float]) throws(EngineError) {
        try checkID(document.id, field: "id")
        writer.writeString(document.id)
        let start = writer.count
        for _ in 0..<2 { writer.write(UInt64(0)) }
        writer.write(UInt32(0))
        try addContent(of: document, floats: floats)
        sealContent(from: start)
    }

    /// Puts length and digest before the content, now that it stands there.
    private mutating func sealContent(from start: Int) {
        let count = writer.count - (start + 20)
        let digest = ContentDigest(of: writer.bytes.extracting(start + 20..<writer.count))
        writer.overwrite(at: start, with: digest.high)
        writer.overwrite(at: start + 8, with: digest.low)
        writer.overwrite(at: start + 16, with: UInt32(count))
    }

    private mutating func addContent(of document: DocumentInput, floats: [Float]) throws(EngineError) {
        writer.write(parts(of: document))
        if let parent = document.parent {
            try checkID(parent, field: "parent")
            guard !parent.isExactly(document.id) else { throw EngineError(.invalidValue, "a document cannot be its own parent", field: "parent") }
            writer.writeString(parent)
        }
        try write(document.title, bytesMax: Limits.titleBytesMax, field: "title")
        try write(document.url, bytesMax: Limits.urlBytesMax, field: "url")
        try write(document.mime, bytesMax: Limits.nameBytesMax, field: "mime")
        if let time = document.time { writer.write(try Self.time(time, field: "time")) }
        try write(document.access)
        try addFields(document.fields, in: "fields")
        try addChunks(document, floats: floats)
    }

    private func parts(of document: DocumentInput) -> UInt8 {
        var parts: UInt8 = 0
        if document.isFolder { parts |= UpsertRecord.Part.folder }
        if document.parent != nil { parts |= UpsertRecord.Part.parent }
        if document.title != nil { parts |= UpsertRecord.Part.title }
        if document.url != nil { parts |= UpsertRecord.Part.url }
        if document.mime != nil { parts |= UpsertRecord.Part.mime }
        if document.time != nil { parts |= UpsertRecord.Part.time }
        if document.access.isNamed { parts |= UpsertRecord.Part.access }
        return parts
    }

    private mutating func write(_ access: Change<String>) throws(EngineError) {
        guard access.isNamed else { return }
        if let name = access.value { try PrincipalKind.checkBytes(name, field: "access") }
        writer.writeString(access.value ?? "")
    }

    func checkID(_ id: String, field: String) throws(EngineError) {
        guard (1...Limits.idBytesMax).contains(id.utf8.count) else {
            throw EngineError(.invalidValue, "an id is 1 to \(Limits.idBytesMax) bytes, got \(id.utf8.count)", field: field)
        }
        guard !id.utf8.contains(0) else { throw EngineError(.invalidValue, "an id holds no NUL", field: field) }
    }

    mutating func write(_ text: String?, bytesMax: Int, field: String) throws(EngineError) {
        guard let text else { return }
        guard text.utf8.count <= bytesMax else {
            throw EngineError(.limitExceeded, "at most \(bytesMax) bytes, got \(text.utf8.count)", field: field)
        }
        writer.writeString(text)
    }

    /// `place` is what the request calls them, for error messages.
    mutating func addFields(_ fields: [(name: String, value: InputValue)], in place: String) throws(EngineError) {
        // In the order of their declaration, whatever the caller's: equal contents are to have equal bytes.
        var given: [Int: FieldValue] = [:]
        for (name, value) in fields {
            guard let index = schema.fieldIndex(name) else { throw Self.undeclared(name, schema, field: "\(place).\(name)") }
            let typed = try Self.typed(value, as: schema.fields[index].type, field: "\(place).\(name)")
            guard given.updateValue(typed, forKey: index) == nil else { throw EngineError(.invalidValue, "two values for one field", field: "\(place).\(name)") }
        }
        writer.write(UInt16(given.count))
        for (index, value) in given.sorted(by: { $0.key < $1.key }) {
            writer.write(UInt16(index))
            write(value, as: schema.fields[index].type)
        }
    }

    static func undeclared(_ name: String, _ schema: CollectionSchema, field: String) -> EngineError {
        let fields = schema.fields.isEmpty ? "no fields" : "the fields \(schema.fields.map(\.name).joined(separator: ", "))"
        return EngineError(
            .undeclaredField, "\"\(name)\" is not declared: this collection has \(fields); they are given when it is created",
            field: field)
    }

    private mutating func write(_ value: FieldValue, as type: FieldType) {
        switch value {
        case .keyword(let text): writer.writeString(text)
        case .keywords(let texts):
            writer.write(UInt16(texts.count))
            for text in texts { writer.writeString(text) }
        case .int(let number): writer.write(number)
        case .float(let number): writer.write(number)
        case .bool(let flag): writer.write(UInt8(flag ? 1 : 0))
        }
    }

    /// The value in the field's own type, or what it should have been.
    static func typed(_ value: InputValue, as type: FieldType, field: String) throws(EngineError) -> FieldValue {
        switch (type, value) {
        case (.keyword, .string(let text)):
            try checkKeyword(text, field: field)
            return .keyword(text)
        case (.keywords, .string(let text)):
            try checkKeyword(text, field: field)
            return .keywords([text])
        case (.keywords, .strings(let texts)):
            guard texts.count <= Limits.keywordsPerFieldMax else {
                throw EngineError(.limitExceeded, "at most \(Limits.keywordsPerFieldMax) values", field: field)
            }
            for text in texts { try checkKeyword(text, field: field) }
            return .keywords(texts)
        case (.int, .integer(let number)): return .int(number)
        case (.float, .integer(let number)): return .float(Double(number))
        case (.float, .number(let number)):
            // Not a number is neither below nor above any bound, and would lie in every range.
            guard number.isFinite else { throw EngineError(.invalidValue, "must be finite", field: field) }
            return .float(number)
        case (.bool, .bool(let flag)): return .bool(flag)
        case (.time, _): return .int(try time(value, field: field))
        default: throw EngineError(.invalidValue, "must be \(type.article), the field's declared type", field: field)
        }
    }

    private static func checkKeyword(_ text: String, field: String) throws(EngineError) {
        guard text.utf8.count <= Limits.keywordBytesMax else {
            throw EngineError(.limitExceeded, "a keyword has at most \(Limits.keywordBytesMax) bytes", field: field)
        }
    }

    static func time(_ value: InputValue, field: String) throws(EngineError) -> Int64 {
        switch value {
        case .integer(let milliseconds): return milliseconds
        case .string(let text):
            if let milliseconds = Timestamp.milliseconds(rfc3339: text) { return milliseconds }
            fallthrough
        default: throw EngineError(.invalidValue, "must be a time: RFC 3339 (2026-10-01T00:00:00Z) or Unix milliseconds", field: field)
        }
    }

    private mutating func addChunks(_ document: DocumentInput, floats: [Float]) throws(EngineError) {
        guard document.chunks.count <= Limits.chunksPerDocumentMax else {
            throw EngineError(.limitExceeded, "at most \(Limits.chunksPerDocumentMax) chunks a document", field: "chunks")
        }
        guard !document.isFolder || document.chunks.isEmpty else {
            throw EngineError(.invalidValue, "a folder has no text, heading, vector or chunks", field: "kind")
        }
        writer.write(UInt32(document.chunks.count))
        for (index, chunk) in document.chunks.enumerated() {
            do { try add(chunk, floats: floats) } catch { throw isPlain ? error : error.inside("chunks[\(index)]") }
        }
    }

    private mutating func add(_ chunk: ChunkInput, floats: [Float]) throws(EngineError) {
        writer.write(
            (chunk.text != nil ? ChunkParts.text : 0) | (chunk.heading != nil ? ChunkParts.heading : 0) | (chunk.access != nil ? ChunkParts.access : 0))
        try write(chunk.text, bytesMax: Limits.textBytesMax, field: "text")
        try write(chunk.heading, bytesMax: Limits.titleBytesMax, field: "heading")
        if let access = chunk.access {
            try PrincipalKind.checkBytes(access, field: "access")
            writer.writeString(access)
        }
        // In the order of the spaces, as fields are in theirs.
        var given: [Int: VectorInput] = [:]
        for vector in chunk.vectors {
            let (index, field) = try space(vector)
            guard given.updateValue(vector, forKey: index) == nil else { throw EngineError(.invalidValue, "two vectors for one space", field: field) }
            try schema.spaces[index].check(floats.span.extracting(vector.floats), field: field)
        }
        writer.write(UInt8(given.count))
        for (index, vector) in given.sorted(by: { $0.key < $1.key }) {
            writer.write(UInt8(index))
            // Sound: a float is its four bytes; this machine is little-endian (checked at start).
            writer.write(unsafe floats.span.extracting(vector.floats).bytes)
        }
    }

    private func space(_ vector: VectorInput) throws(EngineError) -> (index: Int, field: String) {
        guard let name = vector.space else {
            guard let index = schema.defaultSpaceIndex else {
                throw EngineError(.unknownSpace, "this collection has several spaces and none called \"default\": give vectors by name", field: "vector")
            }
            return (index, "vector")
        }
        guard let index = schema.spaceIndex(name) else {
            throw EngineError(.unknownSpace, "there is no space \"\(name)\"", field: "vectors.\(name)")
        }
        return (index, "vectors.\(name)")
    }
}

extension FieldType {
    fileprivate var article: String {
        switch self {
        case .keyword: "a string"
        case .keywords: "a list of strings"
        case .int: "an integer"
        case .float: "a number"
        case .bool: "true or false"
        case .time: "a time"
        }
    }
}

extension SpaceSchema {
    /// Refuses a vector that this space cannot compare.
    func check(_ vector: Span<Float>, field: String) throws(EngineError) {
        guard vector.count == dimension else {
            throw EngineError(.dimensionMismatch, "the space \"\(name)\" has \(dimension) dimensions, got \(vector.count)", field: field)
        }
        let squaredLength = Kernels.best.sumOfSquares(vector)
        guard squaredLength.isFinite else { throw EngineError(.invalidValue, "a vector's numbers must be finite", field: field) }
        guard squaredLength <= Limits.squaredLengthMax else {
            throw EngineError(.invalidValue, "the vector is too long for float32: its squares add up to \(squaredLength)", field: field)
        }
        if metric == .cosine, squaredLength < Limits.cosineLengthMin * Limits.cosineLengthMin {
            throw EngineError(.invalidValue, "a zero vector has no direction: cosine cannot compare it", field: field)
        }
    }
}
