// Prepared filters: whose they are, and what becomes of those for which there is no room.
@testable import Engine
import Testing
import TestSupport

@Suite struct PreparedFilterTests {
    private let database: Database

    init() throws {
        database = try TestDatabase.open(FaultyDisk(), sizes: TestDatabase.largeFiles)
        _ = try database.write(.createCollection(.everything()))
        _ = try database.write(.put(DocumentInput("a", fields: [("k", .string("red"))]), DocumentInput("b", fields: [("k", .string("green"))])))
    }

    private var collection: CollectionSnapshot { get throws { try database.snapshot().collection("c") } }
    private func count(_ filters: PreparedFilters, _ handles: String..., filter: Filter? = nil) throws -> Int {
        try collection.count(filter: filter, under: nil, prepared: filters.filters(handles, of: collection)).documents
    }

    @Test func `all that are named hold together, with the filter beside them`() throws {
        let filters = PreparedFilters()
        try filters.prepare(.field("k", .isIn([.string("red")])), for: collection, handle: "one")
        try filters.prepare(.field("id", .isIn([.string("a"), .string("b")])), for: collection, handle: "two")
        #expect(try count(filters, "one") == 1 && count(filters, "two") == 2 && count(filters, "one", "two") == 1)
        #expect(try count(filters, "two", filter: .field("k", .isIn([.string("green")]))) == 1)
        #expect(try count(filters, "one", filter: .field("k", .isIn([.string("green")]))) == 0)
    }

    @Test func `ids that come later are found`() throws {
        let filters = PreparedFilters()
        try filters.prepare(.field("id", .isIn((0..<100).map { .string("d\($0)") })), for: collection, handle: "ids")
        for number in 0..<10 {
            #expect(try count(filters, "ids") == number)
            _ = try database.write(.put(DocumentInput("d\(number * 7)")))
        }
    }

    @Test func `one that was dropped, and another collection's, are not known`() throws {
        let filters = PreparedFilters()
        try filters.prepare(.all([]), for: collection, handle: "one")
        _ = try database.write(.createCollection(.everything(name: "other")))
        let other = try database.snapshot().collection("other")
        #expect(throws: EngineError.self) { try filters.filters(["one"], of: other) }
        try filters.drop("one")
        let error = #expect(throws: EngineError.self) { try count(filters, "one") }
        #expect(error?.code == .unknownFilter && error?.field == "prepared")
        #expect(throws: EngineError.self) { try filters.drop("one") }
    }

    @Test func `one made for a collection is not one of the next of that name`() throws {
        let filters = PreparedFilters()
        try filters.prepare(.all([]), for: collection, handle: "one")
        _ = try database.write(.dropCollection(name: "c"))
        _ = try database.write(.createCollection(.everything()))
        #expect(throws: EngineError.self) { try count(filters, "one") }
    }

    @Test func `where there is no room the one used longest ago goes`() throws {
        let filters = PreparedFilters(countMax: 3)
        for handle in ["one", "two", "three"] { try filters.prepare(.all([]), for: collection, handle: handle) }
        _ = try count(filters, "one")
        try filters.prepare(.all([]), for: collection, handle: "four")
        #expect(try count(filters, "one") == 2 && count(filters, "three") == 2 && count(filters, "four") == 2)
        #expect(throws: EngineError.self) { try count(filters, "two") }
    }

    @Test func `bytes are room too, and one that never fits is refused`() throws {
        let filters = PreparedFilters(bytesMax: 600_000)
        let long = Filter.field("id", .isIn((0..<5000).map { .string("some longer id \($0)") }))
        for handle in ["one", "two", "three", "four"] { try filters.prepare(long, for: collection, handle: handle) }
        #expect(try count(filters, "four") == 0)
        #expect(throws: EngineError.self) { try count(filters, "one") }
        let longer = Filter.field("id", .isIn((0..<20_000).map { .string("some longer id \($0)") }))
        let error = #expect(throws: EngineError.self) { try filters.prepare(longer, for: collection, handle: "five") }
        #expect(error?.code == .limitExceeded)
    }
}
