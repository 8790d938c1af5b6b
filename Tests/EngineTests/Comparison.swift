// A database's answers held against the model's: everything that can be read, and searches at random.
@testable import Engine
import Index
import TestSupport

extension ModelNode {
    /// A node as a database shows it.
    init(_ view: NodeView, schema: CollectionSchema, _ directory: Directory) throws(EngineError) {
        id = Text(bytes: Array(copying: view.id))
        version = view.version
        isFolder = view.isFolder
        parent = view.parent.map { Text($0) }
        title = view.title.map { Text($0) }
        url = view.url.map { Text($0) }
        mime = view.mime.map { Text($0) }
        time = view.time.map(Self.milliseconds)
        access = view.access(directory).map { Text($0) }
        for (name, value) in view.fields {
            let type = schema.fields.first { $0.name == name }!.type  // Only declared fields are shown.
            if case .string(let text) = value, type == .time {
                fields[name] = .int(Self.milliseconds(text))
            } else {
                fields[name] = ModelValue(value, type)
            }
        }
        var reader = ChunkReader()
        for ordinal in 0..<view.chunkCount {
            var chunk = try ModelChunk(view.chunk(ordinal), schema: schema, &reader)
            chunk.access = try view.access(ofChunk: ordinal, directory).map { Text($0) }
            chunks.append(chunk)
        }
    }

    /// The times in these tests are shown in one way each.
    private static func milliseconds(_ text: String) -> Int64 {
        switch text {
        case "2026-10-01T10:30:00.250Z": 1_790_850_600_250
        case "1969-12-31T23:59:59.999Z": -1
        case "1970-01-01T00:00:00Z": 0
        case "1970-01-01T00:00:01Z": 1000
        default: Int64.min
        }
    }
}

extension ModelChunk {
    init(_ view: ChunkView, schema: CollectionSchema, _ reader: inout ChunkReader) throws(EngineError) {
        if let bytes = try view.text(with: &reader) { text = Text(bytes: Array(copying: bytes)) }
        if let bytes = try view.heading(with: &reader) { heading = Text(bytes: Array(copying: bytes)) }
        for (space, dimension) in schema.spaces.map(\.dimension).enumerated() {
            if let vector = try view.vector(space: space, dimension: dimension) { vectors[space] = Array(copying: vector).map(\.bitPattern) }
        }
    }
}

extension Model {
    /// The first thing in which a snapshot differs, or nil. Reads every node that ever was.
    func difference(from snapshot: DatabaseSnapshot) throws(EngineError) -> String? {
        if snapshot.sequence != sequence { return "sequence \(snapshot.sequence), expected \(sequence)" }
        let names = collections.keys.sorted()
        if snapshot.collectionNames != names { return "collections \(snapshot.collectionNames), expected \(names)" }
        for (name, expected) in collections {
            let everything = CollectionSnapshot(try snapshot.overview(of: name).core, rights: nil)
            if let difference = try expected.difference(from: everything, snapshot.directory) { return "in \(name): \(difference)" }
        }
        return try rightsDifference(from: snapshot, few: true)
    }

    /// The first of some random questions to each collection that is answered otherwise, to somebody whose rights are not asked or to
    /// a random caller: as if nothing were there that the caller may not find.
    func difference(from snapshot: DatabaseSnapshot, asking random: inout SeededRandom) throws(EngineError) -> String? {
        var searches = 0
        return try difference(from: snapshot, asking: &random, searches: &searches)
    }

    /// - Parameter searches: counts those made as somebody.
    func difference(from snapshot: DatabaseSnapshot, asking random: inout SeededRandom, searches: inout Int) throws(EngineError) -> String? {
        for (name, collection) in collections.sorted(by: { $0.key < $1.key }) {
            let everything = CollectionSnapshot(try snapshot.overview(of: name).core, rights: nil)
            var ignored = 0
            if let difference = try collection.difference(from: everything, asking: &random, searches: &ignored) { return "in \(name): \(difference)" }
            let caller = RandomRights.caller(using: &random)
            guard let rights = ModelRights(directory, collection, caller) else { continue }
            let found = try snapshot.collection(name, for: caller)
            if let difference = try rights.visible.difference(from: found, asking: &random, searches: &searches) { return "in \(name) for \(caller): \(difference)" }
        }
        return nil
    }
}

extension ModelCollection {
    func difference(from found: CollectionSnapshot, _ directory: Directory) throws(EngineError) -> String? {
        if found.schema != schema { return "schema \(found.schema)" }
        let counts = [found.overview.documentCount, found.overview.folderCount, found.overview.chunkCount]
        if counts != [documentCount, folderCount, chunkCount] {
            return "counts \(counts), expected \([documentCount, folderCount, chunkCount])"
        }
        for id in everSeen {
            let node = if let view = found.node(id.string) { try ModelNode(view, schema: schema, directory) } else { nil as ModelNode? }
            if let shown = found.node(id.string)?.fields.map(\.name), shown != schema.fields.map(\.name).filter(shown.contains) {
                return "node \(id) shows its fields as \(shown)"
            }
            if node != nodes[id] { return "node \(id) is \(String(describing: node)), expected \(String(describing: nodes[id]))" }
        }
        return found.node("never there") == nil ? nil : "a node that never was"
    }

    /// The first of some random questions that is answered otherwise.
    func difference(from found: CollectionSnapshot, asking random: inout SeededRandom, searches: inout Int) throws(EngineError) -> String? {
        for _ in 0..<3 {
            let filter = random.oneIn(3) ? nil : RandomInput.filter(schema, depth: 2, using: &random)
            let under = random.oneIn(3) ? RandomInput.ids(using: &random) : nil
            let matching = matching(filter, under: under)
            let count = try found.count(filter: filter, under: under)
            if count != (matching.count, matching.reduce(0) { $0 + $1.chunks.count }) {
                return "count \(count), expected \(matching.count) documents, \(String(describing: filter)) under \(String(describing: under))"
            }
            if let difference = try difference(from: found, filter: filter, under: under, using: &random, searches: &searches) { return difference }
        }
        return nil
    }

    private func difference(
        from found: CollectionSnapshot, filter: Filter?, under: [String]?, using random: inout SeededRandom, searches: inout Int
    ) throws(EngineError) -> String? {
        guard !schema.spaces.isEmpty else { return nil }
        let space = Int.random(in: 0..<schema.spaces.count, using: &random)
        var input = SearchInput()
        input.space = schema.defaultSpaceIndex == space && random.oneIn(2) ? nil : schema.spaces[space].name
        input.k = random.oneIn(3) ? 1000 : Int.random(in: 1...6, using: &random)
        input.filter = filter
        input.under = under
        input.minScore = random.oneIn(4) ? Float(Int.random(in: -2...2, using: &random)) : nil
        let queries = (0..<Int.random(in: 1...6, using: &random)).map { _ in RandomInput.vector(schema.spaces[space], using: &random) }
        for query in queries {
            input.vectors.append(input.floats.count..<input.floats.count + query.count)
            input.floats += query
        }
        input.effort = [.standard, .exact, .recall(0.5), .recall(0.9), .width(1), .width(30)].randomElement(using: &random)!  // There are some.
        let result = try found.search(input)
        searches += queries.count
        for (query, hits) in zip(queries, result.hits) {
            if let difference = try difference(fromDetailsOf: hits, in: found) { return difference }
            let shown = try hits.map { hit throws(EngineError) in
                try ModelHit(id: Text(bytes: Array(copying: found.document(of: hit).id)), ordinal: found.chunk(of: hit).ordinal, score: hit.score)
            }
            let all = search(space: space, query: query, k: .max, filter: filter, under: under, minScore: nil)
            let expected = all.prefix(input.k).filter { $0.score >= input.minScore ?? -.infinity }
            if result.plan.isExact ? shown != expected : !isPlausible(shown, among: all, input) {
                return "search \(input) for \(query), \(result.plan), found \(shown), expected \(expected)"
            }
        }
        return nil
    }

    /// The first hit of which an answer tells otherwise than its document and its chunk do when they are read by themselves.
    private func difference(fromDetailsOf hits: [Hit], in found: CollectionSnapshot) throws(EngineError) -> String? {
        let details = try found.details(of: hits, withTexts: true)
        var haveTexts = false
        var reader = ChunkReader()
        for (index, hit) in hits.enumerated() {
            let (document, chunk) = (found.document(of: hit), try found.chunk(of: hit))
            let attributes = [document.parent, document.title, document.url, document.mime, document.time]
            guard Array(copying: details.id(index)) == Array(copying: document.id), details.ordinal(index) == chunk.ordinal,
                details.hasAttributes(index) == attributes.contains(where: { $0 != nil }), details.chunk(index).ordinal == chunk.ordinal
            else { return "details of hit \(index), \(hit)" }
            if let _ = try chunk.text(with: &reader) { haveTexts = true }
            if let _ = try chunk.heading(with: &reader) { haveTexts = true }
        }
        let withoutTexts = try found.details(of: hits, withTexts: false)
        return details.haveTexts == haveTexts && !withoutTexts.haveTexts ? nil : "details have texts: \(details.haveTexts), expected \(haveTexts)"
    }

    /// Whether hits found by an index are in order, each once and with its own score, all of them allowed, and as many as there are up to k.
    private func isPlausible(_ shown: [ModelHit], among all: [ModelHit], _ input: SearchInput) -> Bool {
        let areInOrder = zip(shown, shown.dropFirst()).allSatisfy { $0.score >= $1.score }
        let areOnce = shown.indices.allSatisfy { !shown[..<$0].contains(shown[$0]) }
        let areAllowed = shown.allSatisfy { all.contains($0) && $0.score >= input.minScore ?? -.infinity }
        return areInOrder && areOnce && areAllowed && (input.minScore != nil || shown.count == min(input.k, all.count))
    }
}
