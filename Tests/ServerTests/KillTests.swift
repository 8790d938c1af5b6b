// kill -9 in the middle of a load, again and again: what was acknowledged is there, nothing is there by half.
import Engine
import Testing
import TestSupport
import Wire
#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

@Suite struct KillTests {
    @Test func `forty kills on one directory lose nothing that was acknowledged and leave nothing half done`() throws {
        let seed = TestSeed(71)
        var random = seed.random
        var load = try KilledLoad()
        for round in 0..<40 {
            try load.run(steps: Int.random(in: 0...150, using: &random), &random)
            load.kill(&random)
            // Every few rounds the start that follows is killed as well.
            if random.oneIn(4) { try DaemonProcess.startAndKill(data: load.path, afterMicroseconds: UInt32.random(in: 0...150_000, using: &random)) }
            try load.restartAndCheck("round \(round), \(seed)")
        }
        print("40 kills, \(seed): \(load.summary)")
        #expect(load.acknowledgedCount > 200 && load.unacknowledgedCount > 50, "the kills met a load: \(load.summary)")
    }

    @Test func `a kill in a database's first moments leaves one that opens`() throws {
        let seed = TestSeed(72)
        var random = seed.random
        for round in 0..<10 {
            var load = try KilledLoad()
            try load.run(steps: Int.random(in: 0...60, using: &random), &random)
            load.kill(&random)
            try load.restartAndCheck("new directory \(round), \(seed)")
        }
    }
}

/// Three connections, each with documents of its own, each with several writes under way; and what must be true of the
/// documents after any of them has been cut off.
private struct KilledLoad {
    private let served: ServedDatabase
    private var lanes: [Lane] = []
    private(set) var acknowledgedCount = 0
    private(set) var unacknowledgedCount = 0
    private var survivedUnacknowledged = 0
    private var sequence = 0

    init() throws {
        served = try ServedDatabase()
        try served.daemon.connect().ok(#"{"id":1,"op":"collection.create","name":"kb","dim":4,"metric":"l2","fields":{"generation":"int"}}"#)
        lanes = try (0..<3).map { Lane(name: "lane-\($0)", try served.daemon.connect()) }
    }

    var path: String { served.path }

    var summary: String {
        "\(acknowledgedCount) writes acknowledged, \(unacknowledgedCount) cut off, of which \(survivedUnacknowledged) were stored"
    }

    mutating func run(steps: Int, _ random: inout SeededRandom) throws {
        for _ in 0..<steps {
            let lane = Int.random(in: lanes.indices, using: &random)
            if lanes[lane].underWay < 12, !random.oneIn(3) {
                try lanes[lane].send(&random)
            } else if lanes[lane].underWay > 0 {
                try lanes[lane].receive()
            }
        }
    }

    func kill(_ random: inout SeededRandom) {
        usleep(UInt32.random(in: 0...3000, using: &random))
        served.daemon.kill()
    }

    /// What had been answered before the end counts as acknowledged; then the daemon starts again and shows what it has.
    mutating func restartAndCheck(_ comment: String) throws {
        for lane in lanes.indices { try lanes[lane].receiveToEnd() }
        try served.start()
        for lane in lanes.indices {
            let connection = try served.daemon.connect()
            let found = try lanes[lane].found(connection, comment)
            guard let (applied, state) = lanes[lane].prefix(thatMakes: found) else {
                throw ConversationError(description: "\(lanes[lane].name): no number of writes makes what is there, \(comment)")
            }
            acknowledgedCount += lanes[lane].acknowledged
            unacknowledgedCount += lanes[lane].underWay
            survivedUnacknowledged += applied - lanes[lane].acknowledged
            sequence = max(sequence, lanes[lane].lastSequence)
            lanes[lane].begin(connection, state)
        }
        let now = try #require(try served.daemon.connect().ok(#"{"id":1,"op":"collection.list"}"#).root["seq"]?.int)
        #expect(now >= sequence, "\(comment)")
    }
}

/// One connection and the documents that it alone writes.
private struct Lane {
    let name: String
    private var connection: LineConnection
    /// What was there when the connection began, and what has been sent on it since.
    private var base: [StoredDocument]
    private var sent: [LaneWrite] = []
    private(set) var acknowledged = 0
    private(set) var lastSequence = 0
    private var generation = 0
    private static let documentCount = 20

    init(name: String, _ connection: LineConnection) {
        self.name = name
        self.connection = connection
        base = [StoredDocument](repeating: StoredDocument(), count: Self.documentCount)
    }

    var underWay: Int { sent.count - acknowledged }

    mutating func begin(_ connection: LineConnection, _ state: [StoredDocument]) {
        self.connection = connection
        base = state
        sent = []
        acknowledged = 0
    }

    // MARK: Writing

    mutating func send(_ random: inout SeededRandom) throws {
        generation += 1
        let numbers = Array((0..<Self.documentCount).shuffled(using: &random).prefix(Int.random(in: 1...3, using: &random)))
        let write = LaneWrite(numbers: numbers, generation: random.oneIn(8) ? nil : generation)
        var writer = RequestWriter(write.generation == nil ? "delete" : "upsert", id: sent.count)
        writer.string("collection", "kb")
        if let generation = write.generation { writer.documents(numbers.map { document($0, generation) }) } else { writer.strings("ids", numbers.map(id)) }
        sent.append(write)
        try connection.send(writer.finish())
    }

    mutating func receive() throws { try acknowledge(try connection.receive()) }

    /// Takes in what was answered before the daemon's end. A last line cut in the middle is no answer.
    mutating func receiveToEnd() throws {
        while let line = try connection.receiveLine() { try acknowledge(try Answer(line: Array(line.utf8))) }
    }

    private mutating func acknowledge(_ answer: Answer) throws {
        if let failure = answer.failure { throw failure }
        let sequence = try #require(answer.root["seq"]?.int)
        #expect(answer.id == acknowledged && sequence >= lastSequence, "writes are answered in their order: \(answer.text)")
        lastSequence = sequence
        acknowledged += 1
    }

    // MARK: What a document is

    private func id(_ number: Int) -> String { "\(name)-\(number)" }

    /// Everything in a document tells which generation it is of, and how many chunks that one has.
    private func document(_ number: Int, _ generation: Int) -> OutgoingDocument {
        var document = OutgoingDocument(id: id(number))
        document.title = "generation \(generation)"
        document.fields = [OutgoingField("generation", .integer(Int64(generation)))]
        let count = 1 + (generation * 7 + number) % 6
        document.chunks = (0..<count).map { ordinal in
            OutgoingChunk(
                text: "\(id(number)) \(generation) \(ordinal)/\(count) " + String(repeating: "x", count: generation * 131 % 2000),
                heading: "\(generation)", vector: [Float(generation), Float(number), Float(ordinal), Float(count)])
        }
        return document
    }

    // MARK: Checking

    /// The documents as the daemon has them, each whole and of one generation.
    func found(_ connection: LineConnection, _ comment: String) throws -> [StoredDocument] {
        let ids = (0..<Self.documentCount).map { "\"\(id($0))\"" }.joined(separator: ",")
        let answer = try connection.ok(#"{"id":1,"op":"get","collection":"kb","ids":[\#(ids)],"with":["text","title","heading","fields","vector"]}"#)
        var found = [StoredDocument](repeating: StoredDocument(), count: Self.documentCount)
        for node in answer.root["documents"]?.array ?? [] {
            let name = try #require(node["id"]?.string)
            let number = try #require((0..<Self.documentCount).first { id($0) == name })
            let generation = try #require(node["fields"]?["generation"]?.int)
            let expected = document(number, generation)
            #expect(node["title"]?.string == expected.title, "\(name), \(comment)")
            let chunks = try node["chunks"]?.array.map { chunk in
                OutgoingChunk(text: chunk["text"]?.string, heading: chunk["heading"]?.string, vector: try chunk["vector"]?.array.map { Float(try #require($0.double)) })
            }
            #expect(chunks == expected.chunks, "\(name) is whole and of generation \(generation), \(comment)")
            found[number] = StoredDocument(generation: generation, version: try #require(node["version"]?.int))
        }
        return found
    }

    /// The number of writes, all acknowledged ones among them, that make exactly what was found, and the state they
    /// make; nil where no number does. Writes that leave no trace (stored and deleted again) leave open which it was.
    func prefix(thatMakes found: [StoredDocument]) -> (applied: Int, state: [StoredDocument])? {
        var state = base
        for write in sent.prefix(acknowledged) { write.apply(to: &state) }
        var result: (applied: Int, state: [StoredDocument])?
        for applied in acknowledged...sent.count {
            if applied > acknowledged { sent[applied - 1].apply(to: &state) }
            guard zip(state, found).allSatisfy({ $0.isSeen(as: $1) }) else { continue }
            guard let earlier = result else {
                result = (applied, zip(state, found).map { $0.generation == nil ? $0 : $1 })
                continue
            }
            result = (applied, zip(earlier.state, state).map { $0.joined(with: $1) })
        }
        return result
    }
}

/// A document's generation, if it is there, and the version that it has or had last; nil where that cannot be known.
private struct StoredDocument: Equatable {
    var generation: Int?
    var version: Int? = 0

    func isSeen(as found: StoredDocument) -> Bool {
        generation == found.generation && (generation == nil || version == nil || version == found.version)
    }

    func joined(with other: StoredDocument) -> StoredDocument {
        StoredDocument(generation: generation, version: version == other.version ? version : nil)
    }
}

/// One request: documents replaced by those of a generation, or deleted.
private struct LaneWrite {
    var numbers: [Int]
    var generation: Int?

    func apply(to state: inout [StoredDocument]) {
        for number in numbers {
            guard let generation else {
                state[number].generation = nil
                continue
            }
            state[number] = StoredDocument(generation: generation, version: state[number].version.map { $0 + 1 })
        }
    }
}
