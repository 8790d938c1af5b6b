// needletail search and get.
import ArgumentParser
import Embedding
import Wire

struct Search: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Find the nearest chunks to a text or a vector.",
        discussion: """
            needletail search kb --text "how do I get a refund?" --k 3
            needletail search kb --vector '[0.1, 0.2, 0.3]' --filter '{"team":{"$in":["cs","legal"]}}'
            """)

    @Argument(help: "The collection.")
    var collection: String

    @Option(help: "A text, made a vector by the embedder that the collection was filled with.")
    var text: String?

    @Option(help: "A vector: a JSON array of numbers, or base64 of little-endian float32.")
    var vector: String?

    @Option(help: "How many chunks.")
    var k = 10

    @Option(help: "A filter over declared fields, as JSON.")
    var filter: String?

    @Option(help: "Only under this node of the tree. Again for more.")
    var under: [String] = []

    @Option(help: "Only chunks that score at least this.")
    var minScore: Float?

    @Option(help: "How many of the nearest are to be found on average: 0.5 to 1, which is all of them.")
    var recall: Float?

    @Option(help: "How many candidates an index keeps while it looks: 1 to 10000.")
    var effort: Int?

    @Flag(help: "Compare every vector.")
    var exact = false

    @OptionGroup var embedding: EmbeddingOptions
    @OptionGroup var caller: CallerOptions
    @OptionGroup var connection: ConnectionOptions

    func validate() throws {
        guard (text == nil) != (vector == nil) else { throw ValidationError("give --text or --vector") }
    }

    func run() async throws {
        let textVector = try await vectorOfText()
        try await connection.ask("search") { request in
            request.string("collection", collection)
            caller.write(to: &request)
            request.vector("vector", textVector)
            if let vector {
                if vector.hasPrefix("[") { try request.verbatim("vector", vector) } else { request.string("vector", vector) }
            }
            request.int("k", k)
            try request.verbatim("filter", filter)
            request.strings("under", under.isEmpty ? nil : under)
            request.float("min_score", minScore)
            request.float("recall", recall)
            request.int("effort", effort)
            request.bool("exact", exact ? true : nil)
        } show: { root in show(root) }
    }

    private func vectorOfText() async throws -> [Float]? {
        guard let text else { return nil }
        let embedder = try embedding.make()
        let vector = try await embedder.embed([text])[0]
        try await embedder.finish()
        guard let vector else { throw ValidationError("nothing in this text is known to the embedder \(embedder.name)") }
        return vector
    }

    private func show(_ root: JSONTree) {
        let hits = root["hits"]?.array ?? []
        if hits.isEmpty { print("nothing found") }
        for (index, hit) in hits.enumerated() {
            let place = [hit["heading"]?.string ?? hit["title"]?.string].compactMap { $0 }.map { "  " + $0 }.joined()
            print("\(index + 1). \((hit["score"]?.double ?? 0).shown(3))  \(hit["document"]?.string ?? "")#\(hit["chunk"]?.int ?? 0)\(place)")
            if let text = hit["text"]?.string { print("   " + text.firstWords(bytesMax: 240)) }
        }
        print("\((root["plan"]?["visited"]?.int ?? 0).grouped) chunks compared in \((root["took_us"]?.int ?? 0).grouped) us, \(way(root)), at sequence \(root["seq"]?.int ?? 0)")
    }

    private func way(_ root: JSONTree) -> String {
        guard let recall = root["plan"]?["expected_recall"]?.double else { return "exact" }
        return "by \(root["plan"]?["kind"]?.string ?? ""), recall about \(recall.shown(2))"
    }
}

extension String {
    /// On one line, cut at a word, with dots where something is missing.
    func firstWords(bytesMax: Int) -> String {
        var result = ""
        for word in split(whereSeparator: \.isWhitespace) {
            guard result.utf8.count + word.utf8.count < bytesMax else { return result + " …" }
            result += (result.isEmpty ? "" : " ") + word
        }
        return result
    }
}

struct Get: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Show documents by id.")

    @Argument(help: "The collection.")
    var collection: String

    @Argument(help: "Ids of documents or folders.")
    var ids: [String]

    @OptionGroup var caller: CallerOptions
    @OptionGroup var connection: ConnectionOptions

    func run() async throws {
        try await connection.ask("get") { request in
            request.string("collection", collection)
            caller.write(to: &request)
            request.strings("ids", ids)
        } show: { root in
            for document in root["documents"]?.array ?? [] { show(document) }
            for id in root["missing"]?.array ?? [] { print("\(id.string ?? ""): not there") }
        }
    }

    private func show(_ document: JSONTree) {
        let title = document["title"]?.string.map { "  \($0)" } ?? ""
        print("\(document["id"]?.string ?? "")\(title)")
        for key in ["kind", "parent", "url", "mime", "time"] { if let value = document[key]?.string { print("  \(key): \(value)") } }
        print("  version: \(document["version"]?.int ?? 0)")
        for (name, value) in (document["fields"]?.object ?? [:]).sorted(by: { $0.key < $1.key }) { print("  \(name): \(value.shown)") }
        for chunk in document["chunks"]?.array ?? [] {
            print("  #\(chunk["ordinal"]?.int ?? 0)\(chunk["heading"]?.string.map { "  \($0)" } ?? "")")
            if let text = chunk["text"]?.string { for line in text.split(separator: "\n", omittingEmptySubsequences: false) { print("    \(line)") } }
        }
    }
}

extension JSONTree {
    var shown: String {
        switch self {
        case .string(let text): text
        case .integer(let number): "\(number)"
        case .number(let number): "\(number)"
        case .bool(let flag): "\(flag)"
        case .array(let elements): elements.map(\.shown).joined(separator: ", ")
        case .object, .null: ""
        }
    }
}
