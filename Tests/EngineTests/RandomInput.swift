// Random writes and questions, from alphabets so small that everything meets everything again.
@testable import Engine
import Index
import TestSupport

enum RandomInput {
    private static let collectionNames = ["one", "two", "three"]
    /// Two of them look the same and are not: é as one character, and as an e with an accent behind.
    private static let nodeIDs = ["a", "b", "c", "d", "e", "f", "g", "h", "\u{E9}", "e\u{301}", "folder 1", "folder 2", "folder 3", String(repeating: "x", count: 512)]
    private static let keywords = ["red", "green", "", "\u{E9}", "e\u{301}", "Red, green", "Stra\u{DF}e 7"]
    private static let integers: [Int64] = [-2, -1, 0, 1, 2, .min, .max]
    private static let floats: [Double] = [-1.5, -0.0, 0.0, 1, 2.5, 1e300, .leastNonzeroMagnitude]
    private static let times: [InputValue] = ModelValue.times.keys.sorted().map { .string($0) } + [.integer(0), .integer(1000), .integer(-1)]
    private static let texts = ["", "short", "a longer text, as texts are", "\u{E9}", "e\u{301}", "🐦"]
    private static let prefixes = ["", "r", "re", "a", "a longer", "\u{E9}", "e", "folder", "x", "STR"]
    private static let words = ["red", "RED green", "strasse", "7", "text a", "e\u{301}", "\u{C9}", "short text", "longer", "other"]

    // MARK: Schemas

    static let schemas: [CollectionSchema] = [
        CollectionSchema(
            name: "one",
            spaces: [SpaceSchema(dimension: 3, metric: .dot), SpaceSchema(name: "second", dimension: 4, metric: .cosine), SpaceSchema(name: "third", dimension: 2, metric: .l2, index: .ivf)],
            fields: [
                FieldSchema(name: "k", type: .keyword), FieldSchema(name: "ks", type: .keywords), FieldSchema(name: "i", type: .int),
                FieldSchema(name: "f", type: .float), FieldSchema(name: "b", type: .bool), FieldSchema(name: "t", type: .time),
            ]),
        CollectionSchema(name: "two", spaces: [SpaceSchema(name: "only", dimension: 4, metric: .cosine, index: .hnsw, quantization: .int8)], fields: [FieldSchema(name: "i", type: .int)]),
        CollectionSchema(name: "three", spaces: [], fields: [FieldSchema(name: "k", type: .keyword)]),
    ]

    /// One of them, with rights or without.
    private static func schema(using random: inout SeededRandom) -> CollectionSchema {
        var schema = schemas.randomElement(using: &random)!  // There are some.
        if random.oneIn(2) {
            schema.access = .enforced
            schema.defaultAccess = random.oneIn(3) ? RandomRights.object(using: &random) : nil
        }
        return schema
    }

    /// Has no name that random writes give.
    static let crowd = CollectionSchema(
        name: "crowd", spaces: [SpaceSchema(dimension: 4, metric: .l2), SpaceSchema(name: "products", dimension: 3, metric: .dot, index: .ivf)],
        fields: [FieldSchema(name: "i", type: .int)])

    // MARK: Writes

    /// Documents of the crowd, some for the first time, some again.
    static func crowd(using random: inout SeededRandom) -> Write {
        var input = UpsertInput(collection: crowd.name)
        for number in 0..<160 where !random.oneIn(4) {
            var (document, chunk) = (DocumentInput("crowd \(number)", fields: [("i", .integer(integers.randomElement(using: &random)!))]), ChunkInput())  // As above.
            for space in crowd.spaces where !random.oneIn(20) {
                let vector = vector(space, using: &random)
                chunk.vectors.append(VectorInput(space: space.name, floats: input.floats.count..<input.floats.count + vector.count))
                input.floats += vector
            }
            document.chunks = [chunk]
            input.documents.append(document)
        }
        return .upsert(input)
    }

    static func write(on model: Model, using random: inout SeededRandom) -> Write {
        if model.collections.isEmpty { return .createCollection(schema(using: &random)) }
        let known = model.collections.keys.sorted()
        let collection = (random.oneIn(20) ? collectionNames : known).randomElement(using: &random)!  // Alphabets are not empty.
        if random.oneIn(5) { return .changeDirectory(RandomRights.change(using: &random)) }
        switch Int.random(in: 0..<100, using: &random) {
        case 0..<6: return .createCollection(schema(using: &random))
        case 6..<8: return .dropCollection(name: collection)
        case 8..<16: return .delete(delete(Selection(ids: ids(using: &random)), in: collection, using: &random))
        case 16..<24:
            guard let schema = model.collections[collection]?.schema else { return .delete(DeleteInput(collection: collection, ids: [])) }
            return .delete(delete(selection(schema, using: &random), in: collection, using: &random))
        case 24..<44: return .patch(patch(on: model, collection, using: &random))
        default: return .upsert(upsert(on: model, collection, using: &random))
        }
    }

    private static func delete(_ selection: Selection, in collection: String, using random: inout SeededRandom) -> DeleteInput {
        var input = DeleteInput(collection: collection)
        input.selection = selection
        input.selection.caller = caller(using: &random)
        return input
    }

    /// For whom something is done: mostly for nobody.
    private static func caller(using random: inout SeededRandom) -> Caller? { random.oneIn(3) ? RandomRights.caller(using: &random) : nil }

    /// By filter, under, or both.
    private static func selection(_ schema: CollectionSchema, using random: inout SeededRandom) -> Selection {
        let under = random.oneIn(2) ? ids(using: &random) : nil
        let filter = under != nil && random.oneIn(2) ? nil : filter(schema, depth: 2, using: &random)
        return Selection(filter: filter, under: under)
    }

    static func patch(on model: Model, using random: inout SeededRandom) -> Write {
        .patch(patch(on: model, model.collections.keys.sorted().randomElement(using: &random) ?? "one", using: &random))
    }

    private static func patch(on model: Model, _ name: String, using random: inout SeededRandom) -> PatchInput {
        var input = PatchInput(collection: name)
        input.title = change(texts.randomElement(using: &random)!, using: &random)  // As above.
        guard let collection = model.collections[name] else { return input }
        input.selection = random.oneIn(3) ? selection(collection.schema, using: &random) : Selection(ids: ids(using: &random))
        input.selection.caller = caller(using: &random)
        if random.oneIn(2) { input.parent = change(parent(using: &random), using: &random) }
        if random.oneIn(2) { input.url = change(texts.randomElement(using: &random)!, using: &random) }
        if random.oneIn(2) { input.mime = change(texts.randomElement(using: &random)!, using: &random) }
        if random.oneIn(2) { input.time = change(times.randomElement(using: &random)!, using: &random) }
        if random.oneIn(3) { input.access = change(RandomRights.object(using: &random), using: &random) }
        for field in collection.schema.fields where random.oneIn(3) {
            if random.oneIn(3) { input.unset.append(field.name) } else { input.set.append((field.name, value(field.type, using: &random))) }
        }
        if let ids = input.selection.ids, ids.count == 1, random.oneIn(3) {
            let version = collection.nodes[Text(ids[0])]?.version ?? 0
            input.ifVersion = random.oneIn(5) ? version + 1 : version
        }
        return input
    }

    private static func change<Value>(_ value: Value, using random: inout SeededRandom) -> Change<Value> {
        random.oneIn(3) ? .remove : .set(value)
    }

    /// Folders for the most part, or too many trees would close a circle.
    private static func parent(using random: inout SeededRandom) -> String {
        (random.oneIn(4) ? nodeIDs : Array(nodeIDs[10..<13])).randomElement(using: &random)!  // As above.
    }

    static func ids(using random: inout SeededRandom) -> [String] {
        (0..<Int.random(in: 0...3, using: &random)).map { _ in nodeIDs.randomElement(using: &random)! }  // As above.
    }

    private static func upsert(on model: Model, _ collection: String, using random: inout SeededRandom) -> UpsertInput {
        var input = UpsertInput(collection: collection, listName: random.oneIn(2) ? "records" : "documents")
        guard let current = model.collections[collection] else { return input }
        var seen: Set<Text> = []
        for _ in 0..<Int.random(in: 1...4, using: &random) {
            let id = nodeIDs.randomElement(using: &random)!  // As above.
            guard seen.insert(Text(id)).inserted else { continue }
            if random.oneIn(6), let node = current.nodes[Text(id)] {
                input.documents.append(document(sameAs: node, current.schema, &input.floats))
            } else {
                input.documents.append(document(id, current, &input.floats, using: &random))
            }
        }
        return input
    }

    private static func document(_ id: String, _ collection: ModelCollection, _ floats: inout [Float], using random: inout SeededRandom) -> DocumentInput {
        var document = DocumentInput(id: id)
        document.isFolder = random.oneIn(4)
        if random.oneIn(3) {
            let parent = parent(using: &random)
            if Text(parent) != Text(id) { document.parent = parent }
        }
        if random.oneIn(3) { document.title = texts.randomElement(using: &random) }
        if random.oneIn(4) { document.url = texts.randomElement(using: &random) }
        if random.oneIn(5) { document.mime = texts.randomElement(using: &random) }
        if random.oneIn(3) { document.time = times.randomElement(using: &random) }
        if random.oneIn(3) { document.access = change(RandomRights.object(using: &random), using: &random) }
        if random.oneIn(6) {
            let version = collection.nodes[Text(id)]?.version ?? 0
            document.ifVersion = random.oneIn(5) ? version + 1 : version
        }
        for field in collection.schema.fields where random.oneIn(2) { document.fields.append((field.name, value(field.type, using: &random))) }
        document.fields.shuffle(using: &random)
        for _ in 0..<(document.isFolder ? 0 : [0, 1, 1, 1, 2, 3].randomElement(using: &random)!) {  // As above.
            document.chunks.append(chunk(collection.schema, &floats, using: &random))
        }
        return document
    }

    private static func chunk(_ schema: CollectionSchema, _ floats: inout [Float], using random: inout SeededRandom) -> ChunkInput {
        var chunk = ChunkInput()
        if !random.oneIn(4) { chunk.text = texts.randomElement(using: &random) }
        if random.oneIn(4) { chunk.heading = texts.randomElement(using: &random) }
        if random.oneIn(6) { chunk.access = RandomRights.object(using: &random) }
        for (index, space) in schema.spaces.enumerated() where !random.oneIn(4) {
            let name = schema.defaultSpaceIndex == index && random.oneIn(2) ? nil : space.name
            let vector = vector(space, using: &random)
            chunk.vectors.append(VectorInput(space: name, floats: floats.count..<floats.count + vector.count))
            floats += vector
        }
        return chunk
    }

    /// The document again, as its caller would have sent it.
    private static func document(sameAs node: ModelNode, _ schema: CollectionSchema, _ floats: inout [Float]) -> DocumentInput {
        var document = DocumentInput(id: node.id.string)
        document.isFolder = node.isFolder
        document.parent = node.parent?.string
        document.title = node.title?.string
        document.url = node.url?.string
        document.mime = node.mime?.string
        document.time = node.time.map { .integer($0) }
        document.access = node.access.map { .set($0.string) } ?? .keep
        document.fields = node.fields.map { ($0.key, InputValue($0.value)) }
        document.chunks = node.chunks.map { chunk in
            var input = ChunkInput()
            input.text = chunk.text?.string
            input.heading = chunk.heading?.string
            input.access = chunk.access?.string
            for (space, bits) in chunk.vectors {
                input.vectors.append(VectorInput(space: schema.spaces[space].name, floats: floats.count..<floats.count + bits.count))
                floats += bits.map { Float(bitPattern: $0) }
            }
            return input
        }
        return document
    }

    private static func value(_ type: FieldType, using random: inout SeededRandom) -> InputValue {
        switch type {  // As above.
        case .keyword: .string(keywords.randomElement(using: &random)!)
        case .keywords:
            random.oneIn(4)
                ? .string(keywords.randomElement(using: &random)!)
                : .strings((0..<Int.random(in: 0...3, using: &random)).map { _ in keywords.randomElement(using: &random)! })
        case .int: .integer(integers.randomElement(using: &random)!)
        case .float: random.oneIn(4) ? .integer(Int64.random(in: -2...2, using: &random)) : .number(floats.randomElement(using: &random)!)
        case .bool: .bool(random.oneIn(2))
        case .time: times.randomElement(using: &random)!
        }
    }

    /// Numbers for which no score needs rounding: small whole ones, and for cosine vectors of length 1, 2 and 4 along one axis, or in four
    /// dimensions along a diagonal.
    static func vector(_ space: SpaceSchema, using random: inout SeededRandom) -> [Float] {
        func sign() -> Float { random.oneIn(2) ? -1 : 1 }
        guard space.metric == .cosine else { return (0..<space.dimension).map { _ in Float(Int.random(in: -2...2, using: &random)) } }
        if space.dimension == 4, random.oneIn(2) { return (0..<4).map { _ in sign() } }
        var vector = [Float](repeating: 0, count: space.dimension)
        vector[Int.random(in: 0..<space.dimension, using: &random)] = sign() * [1, 2, 4].randomElement(using: &random)!  // As above.
        return vector
    }

    // MARK: Filters

    static func filter(_ schema: CollectionSchema, depth: Int, using random: inout SeededRandom) -> Filter {
        switch Int.random(in: 0..<(depth == 0 ? 6 : 9), using: &random) {
        case 4: return .under(ids(using: &random))
        case 5: return builtIn(using: &random)
        case 6: return .all((0..<Int.random(in: 0...3, using: &random)).map { _ in filter(schema, depth: depth - 1, using: &random) })
        case 7: return .any((0..<Int.random(in: 0...3, using: &random)).map { _ in filter(schema, depth: depth - 1, using: &random) })
        case 8: return .not(filter(schema, depth: depth - 1, using: &random))
        default:
            let fields = schema.fields + [FieldSchema(name: "time", type: .time)]
            let field = fields.randomElement(using: &random)!  // There is one at least.
            return .field(field.name, condition(field.type, using: &random))
        }
    }

    /// On what every node has.
    private static func builtIn(using random: inout SeededRandom) -> Filter {
        func some(_ texts: [String]) -> Filter.Condition {
            .isIn((0..<Int.random(in: 0...4, using: &random)).map { _ in .string(texts.randomElement(using: &random)!) })  // As above.
        }
        let prefix = Filter.Condition.prefix(prefixes.randomElement(using: &random)!)  // As above.
        switch Int.random(in: 0..<10, using: &random) {
        case 0, 1: return .field("id", some(nodeIDs))
        case 2: return .field("id", prefix)
        case 3: return .field("title", some(texts))
        case 4: return .field("title", prefix)
        case 5: return .field("title", .match(words.randomElement(using: &random)!))  // As above.
        case 6: return .field("mime", random.oneIn(2) ? some(texts) : prefix)
        case 7: return .field("kind", some(["document", "folder"]))
        case 8: return .field(["title", "mime", "id"].randomElement(using: &random)!, .exists)  // As above.
        default: return .field("parent", some(nodeIDs))
        }
    }

    private static func condition(_ type: FieldType, using random: inout SeededRandom) -> Filter.Condition {
        let element = type == .keywords ? .keyword : type
        let hasOrder = [.int, .float, .time, .keyword].contains(type)
        if random.oneIn(5) { return .exists }
        if hasOrder, random.oneIn(2) {
            let ends = (0..<2).map { _ in random.oneIn(4) ? nil : Filter.Bound(value(element, using: &random), isInclusive: random.oneIn(2)) }
            return .range(lower: ends[0], upper: ends[1])
        }
        if element == .keyword, random.oneIn(2) {
            return random.oneIn(2) ? .prefix(prefixes.randomElement(using: &random)!) : .match(words.randomElement(using: &random)!)  // As above.
        }
        let values = (0..<Int.random(in: 0...3, using: &random)).map { _ in value(element, using: &random) }
        return type == .keywords && random.oneIn(2) ? .containsAll(values) : .isIn(values)
    }
}

extension InputValue {
    fileprivate init(_ value: ModelValue) {
        switch value {
        case .keyword(let text): self = .string(text.string)
        case .keywords(let texts): self = .strings(texts.map(\.string))
        case .int(let number): self = .integer(number)
        case .float(let bits): self = .number(Double(bitPattern: bits))
        case .bool(let flag): self = .bool(flag)
        }
    }
}
