// needletail list, nodes, facet and count: what is there, without a question.
import ArgumentParser
import Wire

/// Which documents are meant.
struct NarrowingOptions: ParsableArguments {
    @Option(help: "A filter, as JSON.")
    var filter: String?

    @Option(help: "Only under this node of the tree. Again for more.")
    var under: [String] = []

    func write(to request: inout RequestWriter) throws {
        try request.verbatim("filter", filter)
        request.strings("under", under.isEmpty ? nil : under)
    }
}

struct ListDocuments: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "Show documents, the newest first or in another order.",
        discussion: """
            needletail list kb --limit 20
            needletail list kb --order-by title --filter '{"team":"cs"}'
            """)

    @Argument(help: "The collection.")
    var collection: String

    @OptionGroup var narrowing: NarrowingOptions

    @Option(help: "time, title, id or a declared field. (default: the newest first)")
    var orderBy: String?

    @Flag(help: "The largest first.")
    var descending = false

    @Option(help: "How many documents.")
    var limit = 100

    @Option(help: "Where the page before ended.")
    var cursor: String?

    @OptionGroup var connection: ConnectionOptions

    func run() async throws {
        try await connection.ask("list") { request in
            request.string("collection", collection)
            try narrowing.write(to: &request)
            request.string("order_by", orderBy)
            request.bool("descending", descending ? true : nil)
            request.int("limit", limit)
            request.string("cursor", cursor)
        } show: { root in show(root) }
    }

    private func show(_ root: JSONTree) {
        let documents = root["documents"]?.array ?? []
        if documents.isEmpty { return print("no documents") }
        var table = Table(["id", "title", "time", "chunks"], alignsRight: [3])
        for document in documents {
            table.add([document["id"]?.string ?? "", (document["title"]?.string ?? "").firstWords(bytesMax: 60), document["time"]?.string ?? "", document.count("chunk_count")])
        }
        table.show()
        if let cursor = root["cursor"]?.string { print("there are more: --cursor \(cursor)") }
    }
}

struct Nodes: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show what lies under a node of the tree, or at its root.",
        discussion: """
            needletail nodes kb
            needletail nodes kb handbook/engineering --depth 3
            """)

    @Argument(help: "The collection.")
    var collection: String

    @Argument(help: "The node; the root where none is given.")
    var parent: String?

    @Option(help: "Only titles that begin like this.")
    var titlePrefix: String?

    @Option(help: "Only these: document or folder.")
    var kind: String?

    @Option(help: "How many levels, from the first on.")
    var depth = 1

    @Option(help: "How many nodes of a level under one node.")
    var limit = 100

    @Option(help: "Where the page before ended.")
    var cursor: String?

    @OptionGroup var connection: ConnectionOptions

    func validate() throws {
        guard (1...64).contains(depth) else { throw ValidationError("--depth is 1 to 64") }
        guard depth == 1 || !connection.json else { throw ValidationError("--json gives one answer: it goes with --depth 1") }
        guard depth == 1 || cursor == nil else { throw ValidationError("--cursor goes with --depth 1") }
    }

    func run() async throws {
        try await show(parent, level: 1)
    }

    private func show(_ parent: String?, level: Int) async throws {
        var below: [(line: String, id: String?)] = []
        try await connection.ask("nodes") { request in
            request.string("collection", collection)
            request.string("parent", parent)
            request.string("title_prefix", titlePrefix)
            request.string("kind", kind)
            request.int("limit", limit)
            request.string("cursor", level == 1 ? cursor : nil)
        } show: { root in
            let nodes = root["nodes"]?.array ?? []
            for node in nodes {
                let children = node["child_count"]?.int ?? 0
                below.append((line(node, children), children > 0 ? node["id"]?.string : nil))
            }
            if nodes.isEmpty, level == 1 { below.append(("nothing", nil)) }
            guard let cursor = root["cursor"]?.string else { return }
            below.append(("… of \((root["total"]?.int ?? 0).grouped)\(level == 1 ? ": --cursor \(cursor)" : "")", nil))
        }
        for (line, id) in below {
            print(String(repeating: "  ", count: level - 1) + line)
            if let id, level < depth { try await show(id, level: level + 1) }
        }
    }

    private func line(_ node: JSONTree, _ children: Int) -> String {
        let id = node["id"]?.string ?? ""
        let title = node["title"]?.string.map { "  \($0)" } ?? ""
        return "\(id)\(node["kind"]?.string == "folder" ? "/" : "")\(title)\(children > 0 ? "  (\(children.grouped))" : "")"
    }
}

struct Facet: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show how many documents have each value of a field.", discussion: "needletail facet kb team --filter '{\"year\":2026}'")

    @Argument(help: "The collection.")
    var collection: String

    @Argument(help: "The field: keyword, keyword[], int or bool.")
    var field: String

    @OptionGroup var narrowing: NarrowingOptions

    @Option(help: "How many values, the most frequent first.")
    var limit = 100

    @OptionGroup var connection: ConnectionOptions

    func run() async throws {
        try await connection.ask("facet") { request in
            request.string("collection", collection)
            request.string("field", field)
            try narrowing.write(to: &request)
            request.int("limit", limit)
        } show: { root in show(root) }
    }

    private func show(_ root: JSONTree) {
        let values = root["values"]?.array ?? []
        var table = Table([field, "documents"], alignsRight: [1])
        for value in values { table.add([value["value"]?.shown ?? "", value.count("count")]) }
        table.show()
        let others = (root["distinct"]?.int ?? 0) - values.count
        print("\(others > 0 ? "\(others.counted("other value")); " : "")\(root.count("without")) of \((root["documents"]?.int ?? 0).counted("document")) without")
    }
}

struct Count: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Show how many documents and chunks there are, or match.")

    @Argument(help: "The collection.")
    var collection: String

    @OptionGroup var narrowing: NarrowingOptions
    @OptionGroup var connection: ConnectionOptions

    func run() async throws {
        try await connection.ask("count") { request in
            request.string("collection", collection)
            try narrowing.write(to: &request)
        } show: { root in
            print("\((root["documents"]?.int ?? 0).counted("document")), \((root["chunks"]?.int ?? 0).counted("chunk"))")
        }
    }
}
