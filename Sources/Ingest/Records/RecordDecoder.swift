// One line of JSONL to one document, or the reason why it is none.
import Engine
import Memory
import Wire

/// What a key of a record means.
private enum KeyRole {
    case id, text, title, vector, url, parent, mime, time, fields, chunks
    /// Part of the record form on the wire that a document on its way through here cannot carry.
    case unsupported
    case field, ignored
}

/// The caller's options, with every key they give a meaning to.
private final class RecordForm: Sendable {
    let options: RecordOptions
    private let roles: [String: KeyRole]

    /// Later lines win: what the caller names beats the record form, which beats the collection's fields.
    init(_ options: RecordOptions) {
        var roles: [String: KeyRole] = [:]
        if case .named(let names) = options.extraFields { for name in names { roles[name] = .field } }
        roles["url"] = .url
        roles["parent"] = .parent
        roles["mime"] = .mime
        roles["time"] = .time
        roles["fields"] = .fields
        roles["chunks"] = .chunks
        // Passing over a right would load the row under its parent's: wider than what its author wrote.
        roles["access"] = .unsupported
        roles["vectors"] = .unsupported
        for name in options.ignoredKeys { roles[name] = .ignored }
        for name in options.idKey.map({ [$0] }) ?? ["id", "_id"] { roles[name] = .id }
        roles[options.textKey] = .text
        roles[options.titleKey] = .title
        roles[options.vectorKey] = .vector
        self.options = options
        self.roles = roles
    }

    func role(of key: String) throws(RowError) -> KeyRole {
        if let role = roles[key] { return role }
        if options.extraFields == .all { return .field }
        if options.unknownKeys == .rejected { throw RowError("the key \"\(key)\" is none of a record's") }
        return .ignored
    }
}

/// Reads the record form under the caller's options. One meaning per key: a key met twice, a value of the wrong
/// type, a text given in two ways each reject the row, and nothing is guessed.
struct RecordDecoder: ~Copyable, Sendable {
    private let form: RecordForm
    /// The row's vector lies in a matrix beside the file, so the row needs none and may not have one.
    private let isVectorBeside: Bool
    private var parser: JSONParser

    init(options: RecordOptions, isVectorBeside: Bool) {
        form = RecordForm(options)
        self.isVectorBeside = isVectorBeside
        parser = JSONParser(bytesMax: options.lineBytesMax, depthMax: Limits.recordDepthMax)
    }

    /// - Parameter number: the record's number, from 0, which may stand in for its id.
    mutating func decode(_ line: RawSpan, number: Int) throws(RowError) -> OutgoingDocument {
        let form = form
        var draft = Draft(isVectorBeside: isVectorBeside)
        let root = try parser.parseRow(line)
        guard var members = root.members else { throw RowError("expected a JSON object, found \(root.kind.name)") }
        while let member = try members.nextInRow() { try draft.read(member, form) }
        return try draft.finish(number: number, form.options)
    }
}

/// A record while its keys are read, in whatever order they come.
private struct Draft: ~Copyable {
    private let isVectorBeside: Bool
    private var document = OutgoingDocument(id: "")
    private var idKey: String?
    private var text: String?
    private var vector: [Float]?
    private var hasChunks = false
    private var fieldNames: Set<String> = []

    init(isVectorBeside: Bool) { self.isVectorBeside = isVectorBeside }

    mutating func read(_ member: borrowing JSONMember, _ form: RecordForm) throws(RowError) {
        let key = member.key
        let value = member.value
        switch try form.role(of: key) {
        case .id: try setID(value, key)
        case .text: text = try value.optionalString(key)
        case .title: document.title = try value.optionalString(key)
        case .vector: vector = try value.optionalVector(key, dimension: form.options.dimension)
        case .url: document.url = try value.optionalString(key)
        case .parent: document.parent = try value.optionalID(key)
        case .mime: document.mime = try value.optionalString(key)
        case .time: document.time = try value.optionalTime(key)
        case .fields: try setFields(value, key)
        case .chunks: try setChunks(value, key, form.options)
        case .field: try addField(key, value)
        case .ignored: break
        case .unsupported: throw .notLoadable(key)
        }
    }

    private mutating func setID(_ value: JSONValue, _ key: String) throws(RowError) {
        guard let id = try value.optionalID(key) else { return }
        if let idKey { throw RowError("both \"\(idKey)\" and \"\(key)\" are given; say which one holds the id") }
        idKey = key
        document.id = id
    }

    private mutating func setFields(_ value: JSONValue, _ key: String) throws(RowError) {
        if value.isNull { return }
        guard var members = value.members else { throw RowError("\"\(key)\" must be an object") }
        while let member = try members.nextInRow() { try addField(member.key, member.value) }
    }

    private mutating func addField(_ name: String, _ value: JSONValue) throws(RowError) {
        guard let fieldValue = try value.fieldValue(name) else { return }
        // A name can come once inside `fields` and once beside it.
        guard fieldNames.insert(name).inserted else { throw RowError("the field \"\(name)\" is given twice") }
        document.fields.append(OutgoingField(name, fieldValue))
    }

    private mutating func setChunks(_ value: JSONValue, _ key: String, _ options: RecordOptions) throws(RowError) {
        if value.isNull { return }
        guard var elements = value.elements else { throw RowError("\"\(key)\" must be an array of chunks") }
        hasChunks = true
        while let element = elements.next() {
            do {
                document.chunks.append(try chunk(element, options))
            } catch {
                throw RowError("chunk \(document.chunks.count): \(error.reason)")
            }
        }
    }

    private func chunk(_ value: JSONValue, _ options: RecordOptions) throws(RowError) -> OutgoingChunk {
        guard var members = value.members else { throw RowError("expected an object, found \(value.kind.name)") }
        var chunk = OutgoingChunk()
        while let member = try members.nextInRow() {
            let key = member.key
            switch key {
            case "text": chunk.text = try member.value.optionalString(key)
            case "heading": chunk.heading = try member.value.optionalString(key)
            case "vector": chunk.vector = try member.value.optionalVector(key, dimension: options.dimension)
            case _ where options.ignoredKeys.contains(key): break
            case "access", "vectors": throw .notLoadable(key)
            default: if options.unknownKeys == .rejected { throw RowError("the key \"\(key)\" is none of a chunk's") }
            }
        }
        guard chunk.text != nil || chunk.vector != nil || isVectorBeside else { throw RowError("expected a text or a vector") }
        return chunk
    }

    consuming func finish(number: Int, _ options: RecordOptions) throws(RowError) -> OutgoingDocument {
        if idKey == nil {
            guard options.numbersMissingIDs else {
                let key = options.idKey ?? "id\" or \"_id"
                throw RowError("expected an id under \"\(key)\"; row numbers can stand in for ids where that is asked for")
            }
            document.id = number.description
        }
        if !hasChunks {
            guard text != nil || vector != nil || isVectorBeside else { throw RowError("expected a text, a vector or chunks") }
            document.chunks = [OutgoingChunk(text: text, vector: vector)]
        } else if text != nil || vector != nil {
            throw RowError("a record has either chunks or a text and vector of its own")
        }
        if isVectorBeside { try checkVectorBeside() }
        return document
    }

    /// One row of a matrix is one vector: it must be clear what for.
    private func checkVectorBeside() throws(RowError) {
        guard document.chunks.count == 1 else { throw RowError("expected one chunk for the one vector beside it, found \(document.chunks.count)") }
        guard document.chunks[0].vector == nil else { throw RowError("has a vector although its vector lies in the file beside it") }
    }
}

extension RowError {
    fileprivate static func notLoadable(_ key: String) -> RowError {
        RowError("the key \"\(key)\" cannot be loaded from a file; have it ignored by name to load the row without it")
    }
}

extension JSONValue {
    /// The text, or nil for null.
    fileprivate func optionalString(_ key: String) throws(RowError) -> String? {
        if isNull { return nil }
        guard let string else { throw RowError("\"\(key)\" must be a string, found \(kind.name)") }
        return string
    }

    /// A string, or an integer in decimal: many files number their rows.
    fileprivate func optionalID(_ key: String) throws(RowError) -> String? {
        if isNull { return nil }
        if let int { return int.description }
        guard let id = string else { throw RowError("\"\(key)\" must be a string or an integer, found \(kind.name)") }
        guard let fault = idFault(id) else { return id }
        throw RowError("\"\(key)\" \(fault)")
    }

    fileprivate func optionalTime(_ key: String) throws(RowError) -> String? {
        if isNull { return nil }
        if let int, SourceTime.isTime(int.description) { return int.description }
        if let text = string {
            if let time = SourceTime.normalised(text) { return time }
            if SourceTime.isTime(text) { return text }
        }
        throw RowError("\"\(key)\" must be an RFC 3339 time, a date or Unix milliseconds")
    }

    fileprivate func optionalVector(_ key: String, dimension: Int?) throws(RowError) -> [Float]? {
        if isNull { return nil }
        let floats: [Float]
        do {
            floats = try vector()
        } catch {
            throw RowError("\"\(key)\": \(error.reason)")
        }
        guard !floats.isEmpty, floats.count <= Limits.dimensionMax else {
            throw RowError("\"\(key)\" has \(floats.count) numbers; a vector has 1 to \(Limits.dimensionMax)")
        }
        if let dimension, floats.count != dimension { throw RowError("\"\(key)\" has \(floats.count) numbers, expected \(dimension)") }
        return floats
    }

    private func vector() throws(RowError) -> [Float] {
        var floats: [Float] = []
        do {
            try appendVector(to: &floats)
        } catch {
            throw RowError(error.description)
        }
        return floats
    }

    /// The value of a field, or nil for null.
    fileprivate func fieldValue(_ name: String) throws(RowError) -> InputValue? {
        switch kind {
        case .null: return nil
        case .yes: return .bool(true)
        case .no: return .bool(false)
        case .string: return string.map { .string($0) }
        case .integer, .unsigned:
            guard let int else { throw RowError("the field \"\(name)\" does not fit a 64-bit integer") }
            return .integer(int)
        case .double: return double.map { .number($0) }
        case .array: return .strings(try strings(name))
        case .object: throw RowError("the field \"\(name)\" must be a string, a number, a boolean or an array of strings, found an object")
        }
    }

    private func strings(_ name: String) throws(RowError) -> [String] {
        var strings: [String] = []
        guard var elements else { preconditionFailure("an array has elements") }
        while let element = elements.next() {
            guard let text = element.string else {
                throw RowError("the field \"\(name)\" must be an array of strings, found \(element.kind.name) in it")
            }
            strings.append(text)
        }
        return strings
    }
}
