// Answers with what a caller may not know of there, and without it: the same bytes.
@testable import Engine
import Index
import Storage
import Testing
import TestSupport
@testable import Wire

@Suite struct NonLeakTests {
    private static let schema = CollectionSchema(
        name: "kb", spaces: [SpaceSchema(dimension: 4, metric: .dot)],
        fields: [FieldSchema(name: "team", type: .keyword), FieldSchema(name: "tags", type: .keywords), FieldSchema(name: "n", type: .int)],
        access: .enforced, defaultAccess: "everybody")
    private static let teams = ["cs", "legal", "eng"]
    private static let objects = ["x1", "x2", "x3", "handbook", "everybody"]

    /// A company: who there is, what they were given, and documents under folders that everybody sees.
    private struct World {
        var directory: [Write]
        var folders: UpsertInput
        var documents: UpsertInput
        var model = Model()

        init(using random: inout SeededRandom) throws {
            directory = [.changeDirectory(.grant(access: "everybody", principal: "public", .read))]
            var everybody = AccessInput(name: "everybody")
            everybody.grants = [("public", .read)]
            directory = [.changeDirectory(.putAccess(everybody))]
            for agent in RandomRights.agents {
                let grade = [Grade.exists, .derive, .read].randomElement(using: &random)!  // There are some.
                directory.append(.changeDirectory(.putAgent(AgentInput(name: agent, grade: grade))))
            }
            var made = Model()
            for write in directory { _ = try made.apply(write) }
            while directory.count < 30 {
                let change = RandomRights.change(using: &random)
                switch change {
                case .putAgent, .dropAgent: continue
                case .putAccess(let input) where input.name == "everybody": continue
                default: break
                }
                guard case .success = Result(catching: { () throws(Refusal) in try made.apply(.changeDirectory(change)) }) else { continue }
                directory.append(.changeDirectory(change))
            }
            folders = UpsertInput((0..<4).map { DocumentInput("folder \($0)", parent: $0 < 2 ? nil : "folder \($0 - 2)", isFolder: true) }, into: "kb")
            documents = UpsertInput(collection: "kb")
            for number in 0..<30 { documents.documents.append(Self.document(number, &documents.floats, using: &random)) }
            for write in writes { _ = try model.apply(write) }
        }

        var writes: [Write] { directory + [.createCollection(NonLeakTests.schema), .upsert(folders), .upsert(documents)] }

        private static func document(_ number: Int, _ floats: inout [Float], using random: inout SeededRandom) -> DocumentInput {
            var document = DocumentInput("d\(number)", parent: random.oneIn(4) ? nil : "folder \(Int.random(in: 0..<4, using: &random))")
            document.title = random.oneIn(3) ? nil : "title \(Int.random(in: 0..<9, using: &random))"
            document.time = random.oneIn(3) ? nil : .integer(Int64.random(in: 0...5, using: &random))
            if !random.oneIn(4) { document.access = .set(NonLeakTests.objects.randomElement(using: &random)!) }  // As above.
            document.fields = [("team", .string(NonLeakTests.teams.randomElement(using: &random)!)), ("n", .integer(Int64.random(in: 0...3, using: &random)))]  // As above.
            if random.oneIn(2) { document.fields.append(("tags", .strings(["a", "b", "c"].filter { _ in random.oneIn(2) }))) }
            for chunk in 0..<Int.random(in: 1...3, using: &random) {
                var input = ChunkInput()
                input.text = "text \(number)/\(chunk)"
                if random.oneIn(4) { input.access = NonLeakTests.objects.randomElement(using: &random)! }  // As above.
                input.vectors = [VectorInput(space: nil, floats: floats.count..<floats.count + 4)]
                for _ in 0..<4 { floats.append(Float(Int.random(in: -3...3, using: &random))) }
                document.chunks.append(input)
            }
            return document
        }

        /// The same without the documents and the chunks that a caller may not know of. Folders everybody sees.
        func without(whatIsForbiddenTo caller: Caller) throws -> [Write] {
            let rights = try #require(ModelRights(model.directory, model.collections["kb"]!, caller))  // It was made.
            var left = documents
            left.documents = documents.documents.compactMap { document in
                guard let node = model.collections["kb"]?.nodes[Text(document.id)], rights.grade(node) > .none else { return nil }
                var document = document
                document.chunks = zip(document.chunks, node.chunks).filter { rights.grade(node, chunk: $0.1) > .none }.map(\.0)
                return document
            }
            return directory + [.createCollection(NonLeakTests.schema), .upsert(folders), .upsert(left)]
        }
    }

    private static func database(_ writes: [Write], sealed: Bool) throws -> Database {
        // The same seed: cursors are sealed with a number drawn from it.
        let database = try TestDatabase.open(FaultyDisk(), seed: 5)
        for write in writes { _ = try database.write(write) }
        if sealed { try database.checkpoint() }
        return database
    }

    @Test(arguments: 0..<25)
    func `an answer has the same bytes whether what its caller may not know of is there or not`(world number: Int) throws {
        let seed = TestSeed(61)
        var random = SeededRandom(seed: seed.value &+ UInt64(number))
        let world = try World(using: &random)
        let whole = try Self.database(world.writes, sealed: number % 2 == 0)
        var callers = RandomRights.users.prefix(2).map { Caller(user: $0) } + [Caller(user: "user:stranger")]
        callers += RandomRights.agents.map { Caller(user: RandomRights.users[0], agent: $0) }
        var forbidden = 0
        for caller in callers {
            let left = try world.without(whatIsForbiddenTo: caller)
            let part = try Self.database(left, sealed: number % 3 == 0)
            forbidden += try whole.snapshot().overview(of: "kb").chunkCount - part.snapshot().overview(of: "kb").chunkCount
            for question in 0..<18 {
                let asked = Question.random(using: &random)
                let (one, other) = (asked.answer(of: whole, to: caller), asked.answer(of: part, to: caller))
                #expect(one == other, "question \(question), \(asked), to \(caller), \(seed): \(String(decoding: one, as: UTF8.self)) and \(String(decoding: other, as: UTF8.self))")
            }
        }
        #expect(forbidden > 0, "there must be something to leak")
    }

    /// What a client may ask, and the line it is answered with.
    private enum Question {
        case search(SearchInput, Parts), get(GetInput), read(ReadInput), count(Filter?, [String]?), list(ListInput), facet(String, Filter?), tree(TreeInput)

        static func random(using random: inout SeededRandom) -> Question {
            let filter = random.oneIn(2) ? nil : NonLeakTests.filter(using: &random)
            let under = random.oneIn(2) ? nil : ["folder \(Int.random(in: 0..<5, using: &random))", "d3"]
            switch Int.random(in: 0..<9, using: &random) {
            case 0..<3:
                var input = SearchInput((0..<4).map { _ in Float(Int.random(in: -3...3, using: &random)) }, k: Int.random(in: 1...12, using: &random))
                (input.under, input.effort) = (under, .exact)
                input.includesKnown = random.oneIn(3)
                if !input.includesKnown { input.filter = filter }
                return .search(input, [.text, .title, .heading, .parent, .time, .fields, .vector])
            case 3:
                var input = GetInput()
                (input.collection, input.includesKnown) = ("kb", random.oneIn(2))
                input.ids = (0..<4).map { _ in "d\(Int.random(in: 0..<32, using: &random))" }
                return .get(input)
            case 4:
                var input = ReadInput()
                (input.collection, input.id, input.fromChunk) = ("kb", "d\(Int.random(in: 0..<32, using: &random))", Int.random(in: 0..<2, using: &random))
                return .read(input)
            case 5: return .count(filter, under)
            case 6:
                var input = ListInput()
                (input.filter, input.under, input.limit) = (filter, under, Int.random(in: 1...6, using: &random))
                return .list(input)
            case 7: return .facet(["team", "tags"].randomElement(using: &random)!, filter)  // There are some.
            default:
                var input = TreeInput()
                input.parent = random.oneIn(3) ? nil : "folder \(Int.random(in: 0..<5, using: &random))"
                input.limit = Int.random(in: 1...6, using: &random)
                return .tree(input)
            }
        }

        /// The line, page after page where there are several; or the error.
        func answer(of database: Database, to caller: Caller) -> [UInt8] {
            var lines: [UInt8] = []
            do {
                let collection = try database.snapshot().collection("kb", for: caller)
                var writer = ResponseWriter()
                func keep() { writer.withBytes { lines += Array(copying: $0) } }
                switch self {
                case .search(let input, let parts):
                    var request = SearchRequest()
                    (request.input, request.with) = (input, parts)
                    try writer.search(.none, sequence: 1, collection, request, try collection.search(input), microseconds: 0)
                    keep()
                case .get(let input):
                    try writer.nodes(.none, sequence: 1, collection, input)
                    keep()
                case .read(let input):
                    try writer.document(.none, sequence: 1, collection, input)
                    keep()
                case .count(let filter, let under):
                    let count = try collection.count(filter: filter, under: under)
                    writer.counted(.none, sequence: 1, documents: count.documents, chunks: count.chunks)
                    keep()
                case .list(var input):
                    for _ in 0..<40 {
                        let page = try collection.list(input, seal: database.cursorSeal)
                        try writer.list(.none, sequence: 1, collection, page, with: [.title, .fields, .parent])
                        keep()
                        input.cursor = page.cursor
                        if page.cursor == nil { break }
                    }
                case .facet(let field, let filter):
                    try writer.facet(.none, sequence: 1, try collection.facet(field, filter: filter, under: nil, prepared: [], limit: 5))
                    keep()
                case .tree(var input):
                    for _ in 0..<40 {
                        guard let page = try collection.tree(input, seal: database.cursorSeal) else { break }
                        try writer.tree(.none, sequence: 1, collection, page, with: [.title, .parent])
                        keep()
                        input.cursor = page.cursor
                        if page.cursor == nil { break }
                    }
                }
            } catch { lines += Array("\(error)".utf8) }
            return lines
        }
    }

    private static func filter(using random: inout SeededRandom) -> Filter {
        switch Int.random(in: 0..<5, using: &random) {
        case 0: .field("team", .isIn([.string(teams.randomElement(using: &random)!)]))  // As above.
        case 1: .field("n", .range(lower: Filter.Bound(.integer(1), isInclusive: true), upper: nil))
        case 2: .not(.field("tags", .isIn([.string("a")])))
        case 3: .under(["folder \(Int.random(in: 0..<5, using: &random))", "d1"])
        default: .field("title", .exists)
        }
    }
}
