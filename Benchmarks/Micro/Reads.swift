// What reads without a query vector cost on a million documents: prepared filters, lists, counts by value, the tree; at first, warm, and
// after a write.
import Engine
import Memory
import Storage
import Wire

/// A million documents in a thousand folders, on disk in a directory of its own.
private struct Million {
    static let count = 1_000_000
    let database: Database

    init(at path: String) {
        do {
            let database = try Database(disk: try FileSystemDisk(path: path), durability: .checkpoint, randomness: { UInt64.random(in: .min ... .max) })
            let fields = [FieldSchema(name: "team", type: .keyword), FieldSchema(name: "year", type: .int)]
            _ = try database.write(.createCollection(CollectionSchema(name: "c", spaces: [], fields: fields)))
            for first in stride(from: 0, to: Self.count, by: 10_000) {
                _ = try database.write(.upsert(Self.documents(first..<first + 10_000)))
            }
            self.database = database
        } catch { preconditionFailure("a database in an empty directory takes documents: \(error)") }
    }

    static func id(_ number: Int) -> String { "document-\(number &* 2_654_435_761 % 4_294_967_291)" }

    static func documents(_ numbers: Range<Int>) -> UpsertInput {
        var input = UpsertInput(collection: "c")
        for number in numbers {
            var document = DocumentInput(id: id(number))
            document.parent = "folder-\(number % 1000)"
            document.title = "Report \(number % 977) of team \(number % 31)"
            document.time = .integer(Int64(number) * 1000)
            document.fields = [("team", .string("team-\(number % 5000)")), ("year", .integer(Int64(2000 + number % 27)))]
            input.documents.append(document)
        }
        return input
    }

    var collection: CollectionSnapshot { get throws { try database.snapshot().collection("c") } }

    /// One document again, with another year.
    func write(_ number: Int) throws {
        var input = Self.documents(number..<number + 1)
        input.documents[0].fields = [("team", .string("team-1")), ("year", .integer(Int64(number)))]
        _ = try database.write(.upsert(input))
    }
}

private func microseconds(_ body: () throws -> Void) rethrows -> Double {
    let (seconds, attoseconds) = try ContinuousClock().measure(body).components
    return Double(seconds) * 1e6 + Double(attoseconds) / 1e12
}

/// At first, again, and the middle of nine after a write each.
private func report(_ label: String, _ million: Million, _ body: (CollectionSnapshot) throws -> Void) throws {
    let collection = try million.collection
    let first = try microseconds { try body(collection) }
    let again = try (0..<9).map { _ in try microseconds { try body(collection) } }.sorted()[4]
    let afterWrites = try (0..<9).map { round in
        try million.write(round * 99_991)
        let collection = try million.collection
        return try microseconds { try body(collection) }
    }.sorted()[4]
    line(label, [first, again, afterWrites].map { fixed($0) })
}

/// `directory` is to be empty; it is left behind.
func reads(directory: String) throws {
    let million = Million(at: directory)
    let seal = million.database.cursorSeal
    var writer = RequestWriter("filter.prepare", id: 1)
    writer.string("collection", "c")
    let ids = (0..<Million.count).map { Million.id($0 * 2) }
    try writer.verbatim("filter", "{\"id\":{\"$in\":[\(ids.map { "\"\($0)\"" }.joined(separator: ","))]}}")
    let request = writer.finish()
    var decoder = RequestDecoder()
    var operation = Operation.ping
    let decoding = try microseconds { operation = try decoder.decode(unsafe request.span.bytes).operation }
    guard case .prepareFilter(let input) = operation else { preconditionFailure("a request arrives as it was sent") }
    let filters = million.database.preparedFilters
    let preparing = try microseconds { try filters.prepare(input.filter, for: million.collection, handle: "f-1") }
    line("a million ids, \(request.count >> 20) MiB", ["decode \(fixed(decoding / 1000)) ms", "prepare \(fixed(preparing / 1000)) ms"])
    line("us", ["first", "again", "after a write"])
    try report("by handle, a million ids", million) { _ = try $0.count(filter: nil, under: nil, prepared: filters.filters(["f-1"], of: $0)) }
    // Beside another that leaves one document: nothing has to be counted.
    let one = Filter.field("id", .isIn([.string(Million.id(7))]))
    try report("  its documents alone", million) { _ = try $0.count(filter: one, under: nil, prepared: filters.filters(["f-1"], of: $0)) }
    try filters.prepare(.field("title", .match("report team 7")), for: million.collection, handle: "f-2")
    try report("  words of titles", million) { _ = try $0.count(filter: one, under: nil, prepared: filters.filters(["f-2"], of: $0)) }
    try filters.prepare(.under((0..<100).map { "folder-\($0)" }), for: million.collection, handle: "f-3")
    try report("  under 100 folders", million) { _ = try $0.count(filter: one, under: nil, prepared: filters.filters(["f-3"], of: $0)) }
    try report("count, a keyword", million) { _ = try $0.count(filter: .field("team", .isIn([.string("team-7")])), under: nil) }
    try report("count, a keyword's prefix", million) { _ = try $0.count(filter: .field("team", .prefix("team-77")), under: nil) }
    try report("list, 100 newest of all", million) { _ = try $0.list(ListInput(), seal: seal) }
    var list = ListInput()
    list.filter = .field("team", .isIn([.string("team-7")]))
    try report("list, 100 of a keyword's 200", million) { _ = try $0.list(list, seal: seal) }
    list.filter = nil
    list.orderBy = "title"
    try report("list, 100 of all by title", million) { _ = try $0.list(list, seal: seal) }
    try report("facet, 5,000 values of all", million) { _ = try $0.facet("team", filter: nil, under: nil, limit: 100) }
    try report("facet, 27 numbers of all", million) { _ = try $0.facet("year", filter: nil, under: nil, limit: 100) }
    var tree = TreeInput()
    try report("nodes, 1,000 at the root", million) { _ = try $0.tree(tree, seal: seal) }
    tree.parent = "folder-7"
    try report("nodes, 1,000 in a folder", million) { _ = try $0.tree(tree, seal: seal) }
}
