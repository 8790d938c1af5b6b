// needletail create, describe.
import ArgumentParser
import Wire

struct Create: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Create a collection.",
        discussion: "needletail create kb --dim 256 --metric cosine --field team=keyword --field time_spent=int")

    @Argument(help: "The collection's name.")
    var name: String

    @OptionGroup var shape: ShapeOptions

    @Option(help: "Numbers in a vector.")
    var dim: Int

    @OptionGroup var connection: ConnectionOptions

    func run() async throws {
        try await connection.ask("collection.create") { request in
            shape.write(to: &request, name: name, dimension: dim)
        } show: { _ in
            print("created \(name): \(dim) dimensions, \(shape.metric)\(shape.access.map { ", \($0)" } ?? "")")
        }
    }
}

/// What a new collection is to be like, for `create` and for `load --create`.
struct ShapeOptions: ParsableArguments {
    @Option(help: "How vectors are compared: cosine, dot or l2.")
    var metric = "cosine"

    @Option(help: "How vectors are searched: auto, hnsw, ivf or flat.")
    var index = "auto"

    @Option(help: "How an index keeps vectors: auto, none, int8 or line.")
    var quantization = "auto"

    @Option(name: .customLong("field"), help: "A declared field, NAME=TYPE; TYPE is keyword, keyword[], int, float, bool or time. Again for more.")
    var fields: [DeclaredField] = []

    @Option(help: "Whether documents have rights: open or enforced. (default: enforced where the daemon asks who is there)")
    var access: String?

    @Option(help: "The access object of what has none of its own nor above it; goes with --access enforced.")
    var defaultAccess: String?

    func write(to request: inout RequestWriter, name: String, dimension: Int) {
        request.string("name", name)
        request.string("access", access)
        request.string("default_access", defaultAccess)
        request.int("dim", dimension)
        request.string("metric", metric)
        request.string("index", index)
        request.string("quantization", quantization)
        request.object("fields", fields.map { ($0.name, $0.type) })
    }
}

struct DeclaredField: ExpressibleByArgument {
    let name: String
    let type: String

    init?(argument: String) {
        let parts = argument.split(separator: "=", maxSplits: 1)
        guard parts.count == 2 else { return nil }
        name = String(parts[0])
        type = String(parts[1])
    }
}

struct Describe: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Show collections, or one of them.")

    @Argument(help: "A collection; all of them by default.")
    var name: String?

    @OptionGroup var connection: ConnectionOptions

    func run() async throws {
        if let name {
            try await connection.ask("collection.describe") { $0.string("name", name) } show: { root in
                if let collection = root["collection"] { show(collection) }
            }
        } else {
            try await connection.ask("collection.list") { _ in } show: { root in list(root["collections"]?.array ?? []) }
        }
    }

    private func list(_ collections: [JSONTree]) {
        var table = Table(["collection", "documents", "chunks", "spaces", "memory"], alignsRight: [1, 2, 4])
        for collection in collections {
            table.add([
                collection["name"]?.string ?? "", (collection["documents"]?.int ?? 0).grouped, (collection["chunks"]?.int ?? 0).grouped,
                spaces(collection), (collection["memory_bytes"]?.int ?? 0).bytesShown,
            ])
        }
        table.show()
    }

    private func show(_ collection: JSONTree) {
        print("\(collection["name"]?.string ?? ""): \((collection["documents"]?.int ?? 0).grouped) documents, \((collection["chunks"]?.int ?? 0).grouped) chunks, \((collection["folders"]?.int ?? 0).grouped) folders, \((collection["memory_bytes"]?.int ?? 0).bytesShown) of memory")
        print("spaces: \(spaces(collection))")
        let fields = (collection["fields"]?.object ?? [:]).sorted { $0.key < $1.key }.map { "\($0.key) \($0.value.string ?? "")" }
        print("fields: \(fields.isEmpty ? "none" : fields.joined(separator: ", "))")
    }

    private func spaces(_ collection: JSONTree) -> String {
        (collection["spaces"]?.object ?? [:]).sorted { $0.key < $1.key }.map { name, space in
            let choices = [space["metric"], space["index"], space["quantization"]].compactMap { $0?.string }.filter { $0 != "auto" }
            return "\(name) \(space["dim"]?.int ?? 0) \(choices.joined(separator: " "))"
        }.joined(separator: ", ")
    }
}
