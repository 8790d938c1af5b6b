// Writes that wait together are committed together, and each is judged with those before it in force.
@testable import Engine
import Index
import Storage
import Synchronization
import Testing
import TestSupport

@Suite struct CommitGroupTests {
    /// Enqueues all, then commits; the answers in order.
    static func commitTogether(_ writes: [Write], on database: Database) -> [Result<WriteOutcome, EngineError>] {
        let answers = Mutex([Result<WriteOutcome, EngineError>?](repeating: nil, count: writes.count))
        for (index, write) in writes.enumerated() {
            database.enqueue(write) { answer in
                answers.withLock {
                    #expect($0[index] == nil, "an answer is given once")
                    $0[index] = answer
                }
            }
        }
        database.commit()
        return answers.withLock { $0.map { $0! } }  // A write committed by the only thread has been answered.
    }

    /// A database with one collection, and the disk under it.
    private static func make() throws -> (disk: FaultyDisk, database: Database, model: Model) {
        let disk = FaultyDisk()
        let database = try TestDatabase.open(disk, sizes: TestDatabase.largeFiles)
        var model = Model()
        #expect(try database.write(.createCollection(.everything())) == model.apply(.createCollection(.everything())))
        return (disk, database, model)
    }

    /// Commits a group, and compares its answers and what it left behind with the model, now and after a restart.
    private static func expectAsOneByOne(_ writes: [Write], after earlier: [Write] = []) throws {
        var (disk, database, model) = try make()
        for write in earlier { #expect(try database.write(write) == model.apply(write)) }
        let answers = commitTogether(writes, on: database).map { $0.mapError { Refusal($0) } }
        let expected = writes.map { write in Result { () throws(Refusal) in try model.apply(write) } }
        #expect(answers == expected)
        #expect(try model.difference(from: database.snapshot()) == nil)
        #expect(try model.difference(from: TestDatabase.open(disk.afterRestart()).snapshot()) == nil)
    }

    private static func isRefused(_ answer: Result<WriteOutcome, EngineError>) -> Bool { if case .failure = answer { true } else { false } }

    @Test func `plain writes of a group share one append and one sync`() throws {
        let (disk, database, _) = try Self.make()
        disk.plan(nil)
        let answers = Self.commitTogether((0..<10).map { .put(DocumentInput("d\($0)")) }, on: database)
        #expect(try answers.map { try $0.get().sequence } == Array(2...11))
        #expect(disk.calls.filter { $0 == .sync }.count == 1)
        #expect(database.snapshot().sequence == 11)
    }

    @Test func `a write behind a drop of its collection is refused, and the database opens again`() throws {
        // Once the write was judged with the drop still to come, logged behind it, and could not be applied: the process
        // died, and so did every later one that read the log.
        try Self.expectAsOneByOne([.put(DocumentInput("a")), .dropCollection(name: "c"), .put(DocumentInput("b")), .put(DocumentInput("c"))])
    }

    @Test func `a write made for a collection that was dropped and made anew is refused`() throws {
        let (_, database, _) = try Self.make()
        let answers = Self.commitTogether(
            [.dropCollection(name: "c"), .createCollection(.everything()), .put(DocumentInput("a"))], on: database)
        #expect(answers.map(Self.isRefused) == [false, false, true])
        #expect(try database.snapshot().collection("c").overview.documentCount == 0)
    }

    @Test func `the second of two creations of one name is refused`() throws {
        let other = CollectionSchema(name: "other", spaces: [], fields: [FieldSchema(name: "k", type: .keyword)])
        try Self.expectAsOneByOne([.createCollection(other), .createCollection(other), .dropCollection(name: "other"), .createCollection(other)])
    }

    @Test func `a delete meets the documents of the writes before it`() throws {
        let filter = Filter.field("i", .isIn([.integer(1)]))
        try Self.expectAsOneByOne([
            .put(DocumentInput("a", fields: [("i", .integer(1))])), .put(DocumentInput("b", fields: [("i", .integer(2))])),
            .delete(DeleteInput(collection: "c", filter: filter)), .put(DocumentInput("c", fields: [("i", .integer(1))])),
            .delete(DeleteInput(collection: "c", ids: ["b"])), .delete(DeleteInput(collection: "c", ids: ["b"])),
        ])
    }

    @Test func `a version is the one that the writes before it made`() throws {
        try Self.expectAsOneByOne([
            .put(DocumentInput("a", ifVersion: 0)), .put(DocumentInput("a", ifVersion: 1, fields: [("i", .integer(1))])),
            .put(DocumentInput("a", ifVersion: 1, fields: [("i", .integer(2))])), .put(DocumentInput("a", ifVersion: 0)),
            .put(DocumentInput("b", fields: [("i", .integer(1))])), .put(DocumentInput("b", ifVersion: 1)),
        ])
    }

    @Test func `a circle closed by two writes of a group is seen`() throws {
        try Self.expectAsOneByOne([
            .put(DocumentInput("a", parent: "b")), .put(DocumentInput("b", parent: "c")), .put(DocumentInput("c", parent: "a")),
            .put(DocumentInput("a")), .put(DocumentInput("c", parent: "a")),
        ])
    }

    @Test func `a tree may be turned over in one write`() throws {
        try Self.expectAsOneByOne(
            [.put(DocumentInput("y", parent: "x"), DocumentInput("x")), .put(DocumentInput("x"), DocumentInput("y", parent: "x"))],
            after: [.put(DocumentInput("x", parent: "y"))])
    }

    @Test func `every member of a group that could not be stored hears of it`() throws {
        let (disk, database, model) = try Self.make()
        disk.plan(DiskFault(.error(5, isForever: false), at: 0, of: .sync))
        let answers = Self.commitTogether([.put(DocumentInput("a")), .put(DocumentInput("b"))], on: database)
        for answer in answers {
            guard case .failure(let error) = answer else {
                Issue.record("a write was acknowledged without a sync")
                return
            }
            #expect(error.code == .outcomeUnknown)
        }
        #expect(try model.difference(from: database.snapshot()) == nil, "what is not durable is not in force")
    }

    @Test func `a closed database refuses writes and goes on answering`() throws {
        let (_, database, model) = try Self.make()
        try database.close()
        let error = #expect(throws: EngineError.self) { _ = try database.write(.put(DocumentInput("a"))) }
        #expect(error?.code == .readOnly)
        #expect(try model.difference(from: database.snapshot()) == nil)
        try database.close()
    }
}
