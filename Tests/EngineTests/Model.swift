// What a database must do, said as plainly as possible: dictionaries, loops, and no thought of speed.
@testable import Engine
import Index

/// A text as its bytes: two texts are one only if every byte is the same.
struct Text: Hashable, CustomStringConvertible {
    var bytes: [UInt8]

    init(_ text: String) { bytes = Array(text.utf8) }
    init(bytes: [UInt8]) { self.bytes = bytes }

    var string: String { String(decoding: bytes, as: UTF8.self) }
    var description: String { "\(string)\(bytes.allSatisfy { $0 < 0x80 } ? "" : "\(bytes)")" }
}

/// Why a write is refused: what callers may rely on of an error.
struct Refusal: Error, Equatable, CustomStringConvertible {
    var code: EngineError.Code
    var field: String?

    init(_ code: EngineError.Code, _ field: String?) {
        self.code = code
        self.field = field
    }

    init(_ error: EngineError) { self.init(error.code, error.field) }

    var description: String { "\(code.rawValue) at \(field ?? "nothing")" }
}

/// A field's value; floats by their bits, so that 0 and -0 differ.
enum ModelValue: Hashable {
    case keyword(Text)
    case keywords([Text])
    case int(Int64)
    case float(bits: UInt64)
    case bool(Bool)
}

struct ModelChunk: Equatable {
    var text: Text?
    var heading: Text?
    /// By space; floats by their bits.
    var vectors: [Int: [UInt32]] = [:]
    var access: Text?
    /// Whether a reader is given the vectors.
    var areVectorsShown = true
}

struct ModelNode: Equatable {
    var id: Text
    var version: UInt64 = 0
    var isFolder = false
    var parent: Text?
    var title: Text?
    var url: Text?
    var mime: Text?
    var time: Int64?
    var access: Text?
    var fields: [String: ModelValue] = [:]
    var chunks: [ModelChunk] = []
}

struct ModelHit: Equatable, CustomStringConvertible {
    var id: Text
    var ordinal: Int
    var score: Float

    var description: String { "\(id)/\(ordinal) \(score)" }
}

/// A collection: the nodes that are there, and what is never forgotten of those that were.
struct ModelCollection {
    let schema: CollectionSchema
    var nodes: [Text: ModelNode] = [:]
    private(set) var arrivals: [Text: Int] = [:]
    private var lastVersions: [Text: UInt64] = [:]
    /// Nodes that are not as they were last stored: patched, or there for their children only. Nothing is the same as they are.
    private var changedSince: Set<Text> = []
    /// What the record that stored a node said of its access object, which is part of what tells it from another.
    private var accessSaid: [Text: Change<String>] = [:]
    /// The tree by which `under` is answered, where it is not that of `nodes`: of a collection that is seen in part.
    var paths: [Text: Text?]?

    init(schema: CollectionSchema) { self.schema = schema }

    /// Every id that was ever there, in the order of its first arrival.
    var everSeen: [Text] { arrivals.sorted { $0.value < $1.value }.map(\.key) }

    // MARK: Writing

    mutating func upsert(_ input: UpsertInput) throws(Refusal) -> WriteCounts {
        let documents = input.documents.map { ModelNode($0, floats: input.floats, schema: schema) }
        for (index, document) in input.documents.enumerated() {
            guard let expected = document.ifVersion else { continue }
            guard nodes[Text(document.id)]?.version ?? 0 == expected else {
                throw Refusal(.versionConflict, "\(input.listName)[\(index)].if_version")
            }
        }
        try checkTree(documents, listName: input.listName)
        var counts = WriteCounts()
        for (document, said) in zip(documents, input.documents.map(\.access)) { store(document, said, &counts) }
        return counts
    }

    /// Walks up from every document that names a parent, as the tree would be afterwards, and then from all the others.
    private func checkTree(_ documents: [ModelNode], listName: String) throws(Refusal) {
        var parents = nodes.mapValues(\.parent)
        for document in documents { parents[document.id] = document.parent }
        try checkPaths(documents, parents, listName: listName)
        for id in nodes.keys {
            let path = Array(sequence(first: id) { parents[$0] ?? nil })
            guard path.count > 64, let index = path.lazy.compactMap({ id in documents.firstIndex { $0.id == id } }).first else { continue }
            throw Refusal(.limitExceeded, "\(listName)[\(index)].parent")
        }
    }

    private func checkPaths(_ documents: [ModelNode], _ parents: [Text: Text?], listName: String) throws(Refusal) {
        for (index, document) in documents.enumerated() where document.parent != nil {
            var node = document.id
            var steps = 0
            while let parent = parents[node] ?? nil {
                if parent == document.id { throw Refusal(.invalidValue, "\(listName)[\(index)].parent") }
                steps += 1
                if steps == 64 { throw Refusal(.limitExceeded, "\(listName)[\(index)].parent") }
                node = parent
            }
        }
    }

    private mutating func store(_ document: ModelNode, _ said: Change<String>, _ counts: inout WriteCounts) {
        var document = document
        // Kept where the request does not speak of it.
        if !said.isNamed { document.access = nodes[document.id]?.access }
        defer { accessSaid[document.id] = said }
        if let old = nodes[document.id] {
            var same = document
            same.version = old.version
            if same == old, !changedSince.contains(document.id), said.isAs(accessSaid[document.id] ?? .keep) {
                counts.unchanged += 1
                return
            }
            counts.replaced += 1
        } else {
            counts.inserted += 1
        }
        put(document)
        if let parent = document.parent { makeFolder(parent) }
    }

    /// A parent that is not there becomes an empty folder.
    private mutating func makeFolder(_ id: Text) {
        guard nodes[id] == nil else { return }
        var folder = ModelNode(id: id)
        folder.isFolder = true
        put(folder)
        changedSince.insert(id)
    }

    private mutating func put(_ node: ModelNode) {
        if arrivals[node.id] == nil { arrivals[node.id] = arrivals.count }
        lastVersions[node.id, default: 0] += 1
        changedSince.remove(node.id)
        nodes[node.id] = node
        nodes[node.id]?.version = lastVersions[node.id]!  // Set above.
    }

    /// - Parameter rights: those of whoever it is done for; nil where nobody's are asked.
    mutating func delete(_ input: DeleteInput, _ rights: ModelRights?) throws(Refusal) -> WriteCounts {
        let doomed = selected(input.selection, rights)
        for node in nodes.values where !doomed.contains(node.id) {
            if let parent = node.parent, doomed.contains(parent) { throw Refusal(.invalidValue, input.selection.field) }
        }
        for id in doomed { nodes[id] = nil }
        var counts = WriteCounts()
        counts.deleted = doomed.count
        return counts
    }

    /// As if nothing were there that may not be found, and of that what may be read.
    private func selected(_ selection: Selection, _ rights: ModelRights?) -> Set<Text> {
        guard let rights else { return selected(selection) }
        return rights.visible.selected(selection).filter { rights.grade(nodes[$0]!) == .read }  // What is visible is there.
    }

    private func selected(_ selection: Selection) -> Set<Text> {
        if let ids = selection.ids { return Set(ids.map { Text($0) }.filter { nodes[$0] != nil }) }
        guard let filter = selection.filter else { return Set(nodes.values.filter { isUnder($0, selection.under) }.map(\.id)) }
        return Set(nodes.values.filter { !$0.isFolder && matches($0, filter) && isUnder($0, selection.under) }.map(\.id))
    }

    mutating func patch(_ input: PatchInput, _ rights: ModelRights?) throws(Refusal) -> WriteCounts {
        let patched = selected(input.selection, rights)
        if let expected = input.ifVersion, let id = input.selection.ids?.first.map({ Text($0) }) {
            guard (patched.contains(id) ? nodes[id]!.version : 0) == expected else { throw Refusal(.versionConflict, "if_version") }  // It is there.
        }
        var counts = WriteCounts()
        counts.patched = patched.count
        guard !patched.isEmpty else { return counts }
        if case .set(let parent) = input.parent {
            try checkMove(of: patched, under: Text(parent))
            makeFolder(Text(parent))
        }
        for id in patched { nodes[id]?.change(input, schema) }
        changedSince.formUnion(patched)
        return counts
    }

    private func checkMove(of moved: Set<Text>, under parent: Text) throws(Refusal) {
        if sequence(first: parent, next: { nodes[$0]?.parent }).contains(where: moved.contains) { throw Refusal(.invalidValue, "parent") }
        var parents = nodes.mapValues(\.parent)
        for id in moved { parents[id] = parent }
        for id in nodes.keys where sequence(first: id, next: { parents[$0] ?? nil }).reduce(0, { count, _ in count + 1 }) > 64 {
            throw Refusal(.limitExceeded, "parent")
        }
    }

    // MARK: Reading

    var documentCount: Int { nodes.values.count { !$0.isFolder } }
    var folderCount: Int { nodes.values.count { $0.isFolder } }
    var chunkCount: Int { nodes.values.reduce(0) { $0 + $1.chunks.count } }

    func matching(_ filter: Filter?, under: [String]?) -> [ModelNode] {
        nodes.values.filter { node in !node.isFolder && (filter.map { matches(node, $0) } ?? true) && isUnder(node, under) }
    }

    private func isUnder(_ node: ModelNode, _ roots: [String]?) -> Bool {
        guard let roots else { return true }
        let wanted = Set(roots.map { Text($0) })
        var place: Text? = node.id
        while let id = place {
            if wanted.contains(id), nodes[id] != nil { return true }
            place = if let paths { paths[id] ?? nil } else { nodes[id]?.parent }
        }
        return false
    }

    func matches(_ node: ModelNode, _ filter: Filter) -> Bool {
        switch filter {
        case .all(let parts): return parts.allSatisfy { matches(node, $0) }
        case .any(let parts): return parts.contains { matches(node, $0) }
        case .not(let part): return !matches(node, part)
        case .under(let ids): return isUnder(node, ids)
        case .field("kind", .isIn(let wanted)): return wanted.contains { $0.text == Text(node.isFolder ? "folder" : "document") }
        case .field("kind", _): return true
        case .field(let name, let condition):
            let type = Self.builtInTypes[name] ?? schema.fields.first { $0.name == name }!.type  // Only declared fields are asked for.
            let value: ModelValue? =
                switch name {
                case "time": node.time.map { .int($0) }
                case "id": .keyword(node.id)
                case "title": node.title.map { .keyword($0) }
                case "mime": node.mime.map { .keyword($0) }
                case "parent": node.parent.map { .keyword($0) }
                default: node.fields[name]
                }
            return value.map { Self.matches($0, condition, type) } ?? false
        }
    }

    private static let builtInTypes: [String: FieldType] = ["time": .time, "id": .keyword, "title": .keyword, "mime": .keyword, "parent": .keyword]

    private static func matches(_ value: ModelValue, _ condition: Filter.Condition, _ type: FieldType) -> Bool {
        switch condition {
        case .exists: return true
        case .isIn(let wanted): return wanted.contains { isEqual(value, ModelValue($0, type == .keywords ? .keyword : type)) }
        case .containsAll(let wanted): return wanted.allSatisfy { isEqual(value, ModelValue($0, .keyword)) }
        case .prefix(let prefix): return value.texts.contains { $0.bytes.starts(with: prefix.utf8) }
        case .match(let text): return value.texts.contains { words(text).isSubset(of: words($0.string)) }
        case .range(let lower, let upper):
            let isAbove = lower.map { isInOrder(ModelValue($0.value, type), value, orEqual: $0.isInclusive) } ?? true
            let isBelow = upper.map { isInOrder(value, ModelValue($0.value, type), orEqual: $0.isInclusive) } ?? true
            return isAbove && isBelow
        }
    }

    /// Letters, marks and digits that stand side by side, in lower case made of upper case. These tests' texts hold no ideographs.
    private static func words(_ text: String) -> Set<String> {
        Set(text.uppercased().lowercased().split { !$0.isLetter && !$0.isNumber }.map(String.init))
    }

    private static func isEqual(_ value: ModelValue, _ wanted: ModelValue) -> Bool {
        switch (value, wanted) {
        case (.keywords(let texts), .keyword(let text)): texts.contains(text)
        case (.float(let a), .float(let b)): Double(bitPattern: a) == Double(bitPattern: b)
        default: value == wanted
        }
    }

    private static func isInOrder(_ a: ModelValue, _ b: ModelValue, orEqual: Bool) -> Bool {
        switch (a, b) {
        case (.int(let a), .int(let b)): return orEqual ? a <= b : a < b
        case (.float(let a), .float(let b)):
            let (a, b) = (Double(bitPattern: a), Double(bitPattern: b))
            return orEqual ? a <= b : a < b
        case (.keyword(let a), .keyword(let b)): return a == b ? orEqual : a.bytes.lexicographicallyPrecedes(b.bytes)
        default: preconditionFailure("only numbers, times and keywords are asked for in ranges")
        }
    }

    /// The best chunks. Scores are exact as long as the vectors are such that no step of the formula rounds.
    func search(space: Int, query: [Float], k: Int, filter: Filter?, under: [String]?, minScore: Float?) -> [ModelHit] {
        var hits: [(hit: ModelHit, rank: Float)] = []
        for node in matching(filter, under: under) {
            for (ordinal, chunk) in node.chunks.enumerated() {
                guard let vector = chunk.vectors[space]?.map({ Float(bitPattern: $0) }) else { continue }
                let (score, rank) = Self.score(schema.spaces[space].metric, query, vector)
                hits.append((ModelHit(id: node.id, ordinal: ordinal, score: score), rank))
            }
        }
        let sorted = hits.sorted { (-$0.rank, arrivals[$0.hit.id]!, $0.hit.ordinal) < (-$1.rank, arrivals[$1.hit.id]!, $1.hit.ordinal) }  // Nodes have arrived.
        return sorted.prefix(k).map(\.hit).filter { $0.score >= minScore ?? -.infinity }
    }

    private static func score(_ metric: Metric, _ query: [Float], _ vector: [Float]) -> (score: Float, rank: Float) {
        let dot = zip(query, vector).reduce(0) { $0 + $1.0 * $1.1 }
        switch metric {
        case .dot: return (dot, dot)
        case .cosine:
            let lengths = [query, vector].map { $0.reduce(0) { $0 + $1 * $1 }.squareRoot() }
            return (dot / lengths[0] / lengths[1], dot / lengths[0] / lengths[1])
        case .l2:
            let squared = zip(query, vector).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
            return (-squared.squareRoot(), -squared)
        }
    }
}

/// All collections, and the sequence.
struct Model {
    var sequence: UInt64 = 0
    var collections: [String: ModelCollection] = [:]
    var directory = ModelDirectory()

    /// Does a write, or says why it is refused and changes nothing.
    mutating func apply(_ write: Write) throws(Refusal) -> WriteOutcome {
        var next = self
        if case .changeDirectory(let change) = write {
            guard try next.directory.apply(change) else { return WriteOutcome(sequence: sequence, counts: WriteCounts()) }
        }
        let counts = try next.change(write)
        if write.isOfSelection, counts == WriteCounts() { return WriteOutcome(sequence: sequence, counts: counts) }
        next.sequence += 1
        self = next
        return WriteOutcome(sequence: sequence, counts: counts)
    }

    private mutating func change(_ write: Write) throws(Refusal) -> WriteCounts {
        switch write {
        case .createCollection(let schema):
            guard collections[schema.name] == nil else { throw Refusal(.collectionExists, "name") }
            collections[schema.name] = ModelCollection(schema: schema)
            return WriteCounts()
        case .dropCollection(let name):
            guard collections.removeValue(forKey: name) != nil else { throw Refusal(.unknownCollection, "collection") }
            return WriteCounts()
        case .upsert(let input):
            return try inCollection(input.collection, for: nil) { (collection, _) throws(Refusal) in try collection.upsert(input) }
        case .delete(let input):
            return try inCollection(input.collection, for: input.selection.caller) { (collection, rights) throws(Refusal) in try collection.delete(input, rights) }
        case .patch(let input):
            return try inCollection(input.collection, for: input.selection.caller) { (collection, rights) throws(Refusal) in try collection.patch(input, rights) }
        case .changeDirectory: return WriteCounts()
        }
    }

    private mutating func inCollection(
        _ name: String, for caller: Caller?, _ body: (inout ModelCollection, ModelRights?) throws(Refusal) -> WriteCounts
    ) throws(Refusal) -> WriteCounts {
        guard var collection = collections[name] else { throw Refusal(.unknownCollection, "collection") }
        let rights = caller.flatMap { ModelRights(directory, collection, $0) }
        if caller != nil, rights == nil { throw Refusal(.unknownAgent, "as.agent") }
        let counts = try body(&collection, rights)
        collections[name] = collection
        return counts
    }
}

extension Write {
    /// Whether it does nothing, and takes no place in the sequence, where it selects nothing.
    fileprivate var isOfSelection: Bool {
        switch self {
        case .delete, .patch: true
        case .createCollection, .dropCollection, .upsert, .changeDirectory: false
        }
    }
}

extension ModelNode {
    /// All but the version and the chunks.
    fileprivate mutating func change(_ input: PatchInput, _ schema: CollectionSchema) {
        input.parent.apply(to: &parent) { Text($0) }
        input.title.apply(to: &title) { Text($0) }
        input.url.apply(to: &url) { Text($0) }
        input.mime.apply(to: &mime) { Text($0) }
        input.time.apply(to: &time) { ModelValue.milliseconds($0) }
        input.access.apply(to: &access) { Text($0) }
        for (name, value) in input.set { fields[name] = ModelValue(value, schema.fields.first { $0.name == name }!.type) }  // Only declared fields are given.
        for name in input.unset { fields[name] = nil }
    }

    init(_ document: DocumentInput, floats: [Float], schema: CollectionSchema) {
        id = Text(document.id)
        isFolder = document.isFolder
        parent = document.parent.map { Text($0) }
        title = document.title.map { Text($0) }
        url = document.url.map { Text($0) }
        mime = document.mime.map { Text($0) }
        time = document.time.map { ModelValue.milliseconds($0) }
        document.access.apply(to: &access) { Text($0) }
        for (name, value) in document.fields {
            fields[name] = ModelValue(value, schema.fields.first { $0.name == name }!.type)  // Only declared fields are given.
        }
        chunks = document.chunks.map { chunk in
            var result = ModelChunk(text: chunk.text.map { Text($0) }, heading: chunk.heading.map { Text($0) }, access: chunk.access.map { Text($0) })
            for vector in chunk.vectors {
                let space = vector.space.map { name in schema.spaces.firstIndex { $0.name == name }! } ?? schema.defaultSpaceIndex!  // As above.
                result.vectors[space] = floats[vector.floats].map(\.bitPattern)
            }
            return result
        }
    }
}

extension InputValue {
    fileprivate var text: Text? { if case .string(let text) = self { Text(text) } else { nil } }
}

extension ModelValue {
    fileprivate var texts: [Text] {
        switch self {
        case .keyword(let text): [text]
        case .keywords(let texts): texts
        default: []
        }
    }

    /// Texts that stand for times in these tests, and the milliseconds they mean.
    static let times: [String: Int64] = [
        "1970-01-01T00:00:00Z": 0, "2026-10-01T12:30:00.250+02:00": 1_790_850_600_250, "1969-12-31T23:59:59.999Z": -1,
    ]

    static func milliseconds(_ value: InputValue) -> Int64 {
        switch value {
        case .integer(let number): number
        case .string(let text): times[text]!  // No other texts are given.
        default: preconditionFailure("a time is a number or a text")
        }
    }

    init(_ value: InputValue, _ type: FieldType) {
        switch (type, value) {
        case (.keyword, .string(let text)): self = .keyword(Text(text))
        case (.keywords, .string(let text)): self = .keywords([Text(text)])
        case (.keywords, .strings(let texts)): self = .keywords(texts.map { Text($0) })
        case (.int, .integer(let number)): self = .int(number)
        case (.float, .integer(let number)): self = .float(bits: Double(number).bitPattern)
        case (.float, .number(let number)): self = .float(bits: number.bitPattern)
        case (.bool, .bool(let flag)): self = .bool(flag)
        case (.time, _): self = .int(Self.milliseconds(value))
        default: preconditionFailure("only values of the declared type are given")
        }
    }
}

extension Change<String> {
    fileprivate func isAs(_ other: Change<String>) -> Bool {
        switch (self, other) {
        case (.keep, .keep), (.remove, .remove): true
        case (.set(let a), .set(let b)): Text(a) == Text(b)
        default: false
        }
    }
}

extension Change {
    fileprivate func apply<Kept>(to kept: inout Kept?, _ convert: (Value) -> Kept) {
        switch self {
        case .keep: break
        case .set(let value): kept = convert(value)
        case .remove: kept = nil
        }
    }
}
