// Patches: what changes, what stays, and what later writes make of it.
@testable import Engine
import Index
import Memory
import Storage
import Testing
import TestSupport

@Suite struct PatchTests {
    /// A database beside its model: every write goes to both, and they are compared at the end, after a restart too.
    private final class Pair {
        let disk = FaultyDisk()
        let database: Database
        var model = Model()

        init() throws {
            database = try TestDatabase.open(disk, sizes: TestDatabase.largeFiles)
            try write(.createCollection(.everything()))
        }

        @discardableResult
        func write(_ write: Write) throws -> WriteCounts {
            let outcome = try database.write(write)
            #expect(try model.apply(write) == outcome)
            return outcome.counts
        }

        func refusal(_ write: Write) throws -> Refusal? {
            let error = #expect(throws: EngineError.self) { _ = try database.write(write) }
            let expected = #expect(throws: Refusal.self) { _ = try model.apply(write) }
            #expect(error.map { Refusal($0) } == expected)
            return expected
        }

        func node(_ id: String) throws -> NodeView { try #require(try database.snapshot().collection("c").node(id)) }

        func check() throws {
            #expect(try model.difference(from: database.snapshot()) == nil)
            #expect(try model.difference(from: TestDatabase.open(disk.afterRestart()).snapshot()) == nil)
            #expect(try model.difference(from: TestDatabase.open(disk.afterCrash(.clean)).snapshot()) == nil)
        }
    }

    private static func patch(_ ids: String..., change: (inout PatchInput) -> Void) -> Write {
        var input = PatchInput(collection: "c")
        input.selection = Selection(ids: ids)
        change(&input)
        return .patch(input)
    }

    /// A document with all that a document can have.
    private static func full(_ id: String) -> UpsertInput {
        var input = UpsertInput(id, vectors: [(nil, [1, 0]), ("long", [1, 2, 3])])
        input.documents[0].parent = "folder"
        input.documents[0].title = "Title"
        input.documents[0].url = "url"
        input.documents[0].mime = "text/plain"
        input.documents[0].time = .integer(0)
        input.documents[0].fields = [("k", .string("red")), ("ks", .strings(["red", "green"])), ("i", .integer(1)), ("f", .number(2.5)), ("b", .bool(true)), ("t", .integer(0))]
        input.documents[0].chunks[0].text = "text"
        return input
    }

    @Test func `everything can be set and removed, and what is not named stays`() throws {
        let pair = try Pair()
        try pair.write(.upsert(Self.full("a")))
        try pair.write(.upsert(Self.full("b")))
        #expect(try pair.write(Self.patch("a", "unknown", "a") { $0.title = .set("Another") }).patched == 1)
        #expect(try pair.node("a").title == "Another")
        #expect(try pair.node("a").url == "url")
        let removal = Self.patch("a", "b") {
            ($0.parent, $0.title, $0.url, $0.mime, $0.time) = (.remove, .remove, .remove, .remove, .remove)
            $0.unset = ["k", "ks", "i", "f", "b", "t"]
        }
        #expect(try pair.write(removal).patched == 2)
        #expect(try pair.node("a").fields.isEmpty && pair.node("a").parent == nil && pair.node("a").time == nil)
        try pair.write(Self.patch("b") {
            ($0.parent, $0.title, $0.url, $0.mime, $0.time) = (.set("a"), .set(""), .set(""), .set(""), .set(.integer(0)))
            $0.set = [("t", .integer(0)), ("ks", .strings([])), ("k", .string(""))]
        })
        #expect(try pair.node("b").title == "" && pair.node("b").fields.count == 3)
        try pair.check()
    }

    @Test func `chunks, vectors and versions are as they were, and an old snapshot shows the old values`() throws {
        let pair = try Pair()
        for id in ["a", "b", "c"] { try pair.write(.upsert(Self.full(id))) }
        let (before, model) = (pair.database.snapshot(), pair.model)
        let state = try before.collection("c").state
        #expect(try pair.write(Self.patch("a", "b", "folder") { $0.title = .set("Another"); $0.set = [("i", .integer(5))] }).patched == 3)
        let after = try pair.database.snapshot().collection("c")
        #expect(after.state.rowCount == state.rowCount && after.state.liveChunkCount == 3)
        #expect(try ["a", "b", "folder"].map { try pair.node($0).version } == [1, 1, 1])
        #expect(try after.search(SearchInput([1, 0])).hits[0].count == 3)
        var filtered = SearchInput([1, 0])
        filtered.filter = .field("i", .isIn([.integer(5)]))
        #expect(try after.search(filtered).hits[0].count == 2)
        #expect(try model.difference(from: before) == nil)
        try pair.check()
    }

    @Test func `a patched document is replaced by whatever is stored next, and left alone by the same again`() throws {
        let pair = try Pair()
        try pair.write(.upsert(Self.full("a")))
        try pair.write(Self.patch("a") { $0.set = [("i", .integer(2))] })
        var same = Self.full("a")
        same.documents[0].fields[2].value = .integer(2)
        #expect(try pair.write(.upsert(same)).replaced == 1)
        #expect(try pair.write(.upsert(same)).unchanged == 1)
        #expect(try pair.write(.upsert(Self.full("a"))).replaced == 1)
        #expect(try pair.node("a").version == 3)
        for change in [{ $0.title = .remove }, { $0.parent = .remove }, { $0.time = .set(.integer(1)) }, { $0.unset = ["ks"] }] as [(inout PatchInput) -> Void] {
            try pair.write(Self.patch("a", change: change))
            #expect(try pair.write(.upsert(Self.full("a"))).replaced == 1)
        }
        try pair.check()
    }

    @Test func `a filter selects documents, under takes folders along, and nothing selected leaves no trace`() throws {
        let pair = try Pair()
        try pair.write(.put(
            DocumentInput("folder", isFolder: true), DocumentInput("a", parent: "folder", fields: [("i", .integer(1))]),
            DocumentInput("b", parent: "folder", fields: [("i", .integer(2))]), DocumentInput("c", fields: [("i", .integer(1))])))
        func patched(_ selection: Selection) throws -> Int {
            var input = PatchInput(collection: "c")
            input.selection = selection
            input.set = [("b", .bool(true))]
            return try pair.write(.patch(input)).patched
        }
        let isOne = Filter.field("i", .isIn([.integer(1)]))
        #expect(try patched(Selection(filter: isOne)) == 2)
        #expect(try patched(Selection(filter: isOne, under: ["folder"])) == 1)
        #expect(try patched(Selection(filter: .all([]))) == 3)
        #expect(try patched(Selection(under: ["folder"])) == 3)
        let (sequence, files) = (pair.model.sequence, pair.disk.names.map { pair.disk[$0] })
        for selection in [Selection(ids: []), Selection(ids: ["unknown"]), Selection(under: []), Selection(filter: isOne, under: ["b"])] {
            #expect(try patched(selection) == 0)
        }
        #expect(pair.database.snapshot().sequence == sequence)
        #expect(pair.disk.names.map { pair.disk[$0] } == files)
        try pair.check()
    }

    // MARK: Moves

    @Test func `a folder moves with all that is under it, and to a parent that is not there yet`() throws {
        let pair = try Pair()
        try pair.write(.put(
            DocumentInput("x", isFolder: true), DocumentInput("y", parent: "x", isFolder: true), DocumentInput("a", parent: "y"), DocumentInput("b", parent: "x")))
        try pair.write(Self.patch("y") { $0.parent = .set("new") })
        let collection = try pair.database.snapshot().collection("c")
        #expect(try collection.count(filter: nil, under: ["new"]).documents == 1)
        #expect(try collection.count(filter: nil, under: ["x"]).documents == 1)
        #expect(try pair.node("new").isFolder)
        // What was the parent has fewer children, the new one more: both are known by what may be deleted.
        #expect(try pair.refusal(.delete(DeleteInput(collection: "c", ids: ["new"]))) == Refusal(.invalidValue, "ids"))
        try pair.write(.delete(DeleteInput(collection: "c", ids: ["b", "x"])))
        try pair.write(Self.patch("y") { $0.parent = .remove })
        try pair.write(.delete(DeleteInput(collection: "c", ids: ["new"])))
        // Put under a deleted node, which is made anew and is another version of it.
        try pair.write(Self.patch("a") { $0.parent = .set("new") })
        #expect(try pair.node("new").version == 2)
        try pair.check()
    }

    @Test func `nothing comes to lie under itself`() throws {
        let pair = try Pair()
        try pair.write(.put(DocumentInput("x"), DocumentInput("y", parent: "x"), DocumentInput("z", parent: "y"), DocumentInput("other")))
        for (id, parent) in [("x", "x"), ("x", "y"), ("x", "z"), ("y", "z")] {
            #expect(try pair.refusal(Self.patch("other", id) { $0.parent = .set(parent) }) == Refusal(.invalidValue, "parent"))
        }
        // z goes first, as it were: but all go under one parent, which is one of them.
        #expect(try pair.refusal(Self.patch("x", "z") { $0.parent = .set("z") }) == Refusal(.invalidValue, "parent"))
        var all = PatchInput(collection: "c")
        all.selection = Selection(under: ["x"])
        all.parent = .set("other")
        #expect(try pair.write(.patch(all)).patched == 3)
        #expect(try ["x", "y", "z"].map { try pair.node($0).parent } == ["other", "other", "other"])
        try pair.check()
    }

    /// n0 at the root, and each under the one before.
    private static func chain(_ name: String, _ count: Int, under parent: String? = nil) -> Write {
        .upsert(UpsertInput((0..<count).map { DocumentInput("\(name)\($0)", parent: $0 == 0 ? parent : "\(name)\($0 - 1)") }))
    }

    @Test func `what lies under a moved node keeps within the deepest level`() throws {
        let pair = try Pair()
        try pair.write(Self.chain("n", 40))
        try pair.write(Self.chain("m", 25))
        try pair.write(Self.chain("side", 10, under: "m3"))
        func move(_ id: String, _ parent: String) -> Write { Self.patch(id) { $0.parent = .set(parent) } }
        #expect(try pair.refusal(move("m0", "n39")) == Refusal(.limitExceeded, "parent"))
        // The same in an upsert, which names no node under the moved one.
        #expect(try pair.refusal(.put(DocumentInput("new"), DocumentInput("m0", parent: "n39"))) == Refusal(.limitExceeded, "documents[1].parent"))
        // A part of what hangs below goes elsewhere at the same time, and what is left has room.
        #expect(try pair.refusal(.put(DocumentInput("side0"), DocumentInput("m0", parent: "n39"))) == Refusal(.limitExceeded, "documents[1].parent"))
        try pair.write(.put(DocumentInput("m24"), DocumentInput("m0", parent: "n39")))
        #expect(try pair.database.snapshot().collection("c").count(filter: nil, under: ["n39"]).documents == 35)
        #expect(try pair.refusal(.put(DocumentInput("more", parent: "m23"))) == Refusal(.limitExceeded, "documents[0].parent"))
        // Moved up it takes everything along; on the deepest level there is room for one that has nothing under it.
        try pair.write(move("m0", "n38"))
        try pair.write(move("m24", "m23"))
        #expect(try pair.refusal(move("n0", "m24")) == Refusal(.invalidValue, "parent"))
        try pair.write(Self.chain("deep", 64))
        #expect(try pair.refusal(move("m24", "deep63")) == Refusal(.limitExceeded, "parent"))
        try pair.write(move("m24", "deep62"))
        #expect(try pair.refusal(move("m23", "deep63")) == Refusal(.limitExceeded, "parent"))
        // Both at once: neither has the other below it any more.
        try pair.write(Self.patch("m22", "m23") { $0.parent = .set("deep62") })
        try pair.check()
    }

    @Test func `random moves within deep trees are judged as by the model`() throws {
        let seed = TestSeed(33)
        var random = seed.random
        var met: [EngineError.Code?: Int] = [:]
        for round in 0..<40 {
            let pair = try Pair()
            for name in ["p", "q", "r"] { try pair.write(Self.chain(name, Int.random(in: 40...50, using: &random))) }
            for step in 0..<3 {
                let write = Self.move(using: &random)
                let found = Self.code { () throws(EngineError) in _ = try pair.database.write(write) }
                let expected = Self.code { () throws(Refusal) in _ = try pair.model.apply(write) }
                try #require(found == expected, "step \(step) of round \(round), \(seed): \(write)")
                met[found, default: 0] += 1
            }
            #expect(try pair.model.difference(from: pair.database.snapshot()) == nil, "round \(round), \(seed)")
        }
        for code in [nil, .invalidValue, .limitExceeded] as [EngineError.Code?] { #expect(met[code, default: 0] > 8, "\(met), \(seed)") }
    }

    /// A few nodes, from high up for the most part, put under one of the lower by a patch, or each under some by an upsert.
    private static func move(using random: inout SeededRandom) -> Write {
        func some(_ range: Range<Int> = 15..<50) -> String {
            "\(["p", "q", "r"].randomElement(using: &random)!)\(Int.random(in: range, using: &random))"  // There are some.
        }
        let ids = Set((0..<Int.random(in: 1...3, using: &random)).map { _ in some(random.oneIn(3) ? 0..<50 : 0..<15) }).sorted()
        if random.oneIn(2) {
            let documents = ids.map { DocumentInput($0, parent: random.oneIn(4) ? nil : some()) }
            return .upsert(UpsertInput(documents.filter { $0.parent != $0.id }))
        }
        var input = PatchInput(collection: "c")
        input.selection = Selection(ids: ids)
        input.parent = random.oneIn(5) ? .remove : .set(some())
        return .patch(input)
    }

    /// Why it is refused; nil where it is not.
    private static func code(_ write: () throws(EngineError) -> Void) -> EngineError.Code? {
        do throws(EngineError) { try write() } catch { return error.code }
        return nil
    }

    private static func code(_ write: () throws(Refusal) -> Void) -> EngineError.Code? {
        do throws(Refusal) { try write() } catch { return error.code }
        return nil
    }

    // MARK: Order, limits and records

    @Test func `of a group's writes each meets those before it`() throws {
        let pair = try Pair()
        try pair.write(.upsert(Self.full("a")))
        let title = Self.patch("a", "b") { $0.title = .set("Another") }
        let writes: [Write] = [
            .put(DocumentInput("b", fields: [("i", .integer(1))])), title, .put(DocumentInput("b", fields: [("i", .integer(1))])),
            Self.patch("new") { $0.title = .set("no") }, Self.patch("a") { $0.parent = .set("new") }, Self.patch("new") { $0.title = .set("yes") },
            .delete(DeleteInput(collection: "c", ids: ["b"])), title, .dropCollection(name: "c"), title,
        ]
        var answers: [Result<WriteOutcome, Refusal>] = []
        let expected = writes.map { write in Result { () throws(Refusal) in try pair.model.apply(write) } }
        for answer in CommitGroupTests.commitTogether(writes, on: pair.database) { answers.append(answer.mapError { Refusal($0) }) }
        #expect(answers == expected)
        try pair.check()
    }

    @Test func `a patch made for a collection that was dropped and made anew is refused`() throws {
        let pair = try Pair()
        let answers = CommitGroupTests.commitTogether(
            [.dropCollection(name: "c"), .createCollection(.everything()), .put(DocumentInput("a")), Self.patch("a") { $0.title = .set("x") }], on: pair.database)
        guard case .failure(let error) = answers[3] else {
            Issue.record("a patch checked against another schema went through")
            return
        }
        #expect(Refusal(error) == Refusal(.unknownCollection, "collection"))
    }

    @Test func `attributes and fields as large as they may be`() throws {
        let pair = try Pair()
        try pair.write(.upsert(Self.full("a")))
        func text(_ byteCount: Int) -> String { String(repeating: "x", count: byteCount) }
        try pair.write(Self.patch("a") {
            ($0.parent, $0.title, $0.url, $0.mime) = (.set(text(512)), .set(text(4096)), .set(text(8192)), .set(text(128)))
            $0.set = [("k", .string(text(4096))), ("ks", .strings((0..<1024).map { "keyword \($0)" }))]
        })
        try pair.check()
    }

    @Test func `a title given to many is kept once`() throws {
        let pair = try Pair()
        try pair.write(.upsert(UpsertInput((0..<1000).map { DocumentInput("d\($0)") })))
        var input = PatchInput(collection: "c")
        input.selection = Selection(filter: .all([]))
        input.title = .set(String(repeating: "x", count: 4096))
        let before = try pair.database.snapshot().collection("c").state.documents.texts.byteCount
        #expect(try pair.write(.patch(input)).patched == 1000)
        #expect(try pair.database.snapshot().collection("c").state.documents.texts.byteCount <= before + 1 << 16)
        try pair.check()
    }

    /// Records that no daemon writes, behind ones that it does: a collection of one field, and the nodes 0 and 1.
    @Test(arguments: [
        ("a node that is not there", [0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0]),
        ("nodes that do not rise", [0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]),
        ("a node twice", [0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0]),
        ("the kind of node", [1, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
        ("a part given and not named", [0, 4, 1, 0, 0, 0, 65, 0, 0, 0, 0, 0, 0, 0, 0]),
        ("a field that is not declared", [0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0]),
        ("an undeclared field removed", [0, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0]),
        ("a title that is no UTF-8", [4, 4, 1, 0, 0, 0, 255, 0, 0, 0, 0, 0, 0, 0, 0]),
        ("more nodes than follow", [0, 0, 0, 0, 0, 0, 255, 255, 255, 255]),
        ("bytes left over", [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
        ("an end in the midst", [0, 0, 0]),
    ] as [(String, [UInt8])])
    func `a record that is not one is refused`(what: String, bytes: [UInt8]) throws {
        let error = #expect(throws: LogError.self) { _ = try Self.open(behindRecord: bytes) }
        guard case .corruption = error else {
            Issue.record("\(what): expected corruption, got \(error as Any)")
            return
        }
    }

    @Test func `a record written by hand is applied`() throws {
        // Named and given: a title, "T"; given: field 0 is 5; the nodes 0 and 1.
        let bytes: [UInt8] = [4, 4, 1, 0, 0, 0, 84, 1, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0]
        let collection = try Self.open(behindRecord: bytes).snapshot().collection("c")
        for id in ["a", "b"] {
            let node = try #require(collection.node(id))
            #expect(node.title == "T" && node.fields.map(\.value) == [.integer(5)] && node.version == 1)
        }
    }

    /// A database whose log ends with these bytes as a patch of the collection with the nodes "a" and "b" and one int field.
    private static func open(behindRecord bytes: [UInt8]) throws -> Database {
        let disk = FaultyDisk()
        let database = try TestDatabase.open(disk)
        _ = try database.write(.createCollection(CollectionSchema(name: "c", spaces: [], fields: [FieldSchema(name: "i", type: .int)])))
        _ = try database.write(.put(DocumentInput("a"), DocumentInput("b")))
        try database.close()
        disk.unlock()
        try TestDatabase.append(LogEntry(type: 5, payload: [1, 0, 0, 0] + bytes), to: disk)
        return try TestDatabase.open(disk)
    }
}
