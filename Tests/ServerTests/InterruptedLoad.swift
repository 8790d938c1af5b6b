// A load that is cut off again and again, and what must be true of the database afterwards.
import Engine
import Testing
import TestSupport
import Wire
#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// What became of the writes of a load so far.
struct InterruptedTally: CustomStringConvertible {
    var cycles = 0
    var acknowledged = 0
    var cutOff = 0
    /// Of those cut off.
    var stored = 0

    /// Whether the interruptions came while writes were under way.
    var metALoad: Bool { cycles < 20 || (acknowledged > 5 * cycles && cutOff > cycles) }

    var description: String {
        "\(cycles) cycles, \(acknowledged) acknowledged writes checked, lost=0; \(cutOff) writes cut off, \(stored) of them stored"
    }
}

/// What must hold after an interruption, and did not.
struct Violation: Error, CustomStringConvertible {
    var description: String
}

private func demand(_ holds: Bool, _ rule: @autoclosure () -> String) throws {
    if !holds { throw Violation(description: rule()) }
}

/// A few connections, each with documents of its own, each with several writes under way; and what must be true of the
/// documents after any of them has been cut off. What does not hold is thrown: the first violation ends the test.
struct InterruptedLoad {
    let served: ServedDatabase
    private var lanes: [Lane] = []
    private(set) var tally: InterruptedTally
    private var sequence = 0

    /// `served` is empty.
    init(_ served: ServedDatabase, lanes count: Int, _ tally: InterruptedTally = InterruptedTally()) throws {
        self.served = served
        self.tally = tally
        try served.daemon.connect().ok(#"{"id":1,"op":"collection.create","name":"kb","dim":4,"metric":"l2","fields":{"generation":"int"}}"#)
        lanes = try (0..<count).map { Lane(name: "lane-\($0)", try served.daemon.connect()) }
    }

    /// Runs cycles, printing how they come along; `start` gives a new database, and the machine that it is on, now and
    /// then, which keeps one cycle as quick as the other.
    static func run<Machine>(
        _ cycles: TestCycles, _ name: String, lanes: Int, start: () throws -> (machine: Machine, served: ServedDatabase),
        cycle: (inout InterruptedLoad, _ machine: Machine, _ comment: String) throws -> Void
    ) throws -> InterruptedTally {
        var tally = InterruptedTally()
        while tally.cycles < cycles.count {
            let (machine, served) = try start()
            var load = try InterruptedLoad(served, lanes: lanes, tally)
            for _ in 0..<min(cyclesPerDatabase, cycles.count - tally.cycles) {
                do { try cycle(&load, machine, "cycle \(load.tally.cycles), \(name)") } catch {
                    served.directory.keep()
                    throw error
                }
            }
            tally = load.tally
            print("\(name): \(tally)")
            // A long run is read along.
            fflush(nil)
        }
        return tally
    }

    private static let cyclesPerDatabase = 50

    /// Sends writes and takes answers, in a random order.
    mutating func run(steps: Int, _ random: inout SeededRandom) throws {
        for _ in 0..<steps {
            let lane = Int.random(in: lanes.indices, using: &random)
            if lanes[lane].underWay < Self.underWayMax, !random.oneIn(3) {
                try lanes[lane].send(&random)
            } else if lanes[lane].underWay > 0 {
                try lanes[lane].receive()
            }
        }
    }

    /// Sends as many writes as may be under way, so that an interruption now comes between them. All are written first: a daemon is done
    /// with one before the next has been thought of.
    mutating func fill(_ random: inout SeededRandom) throws {
        let bursts = lanes.indices.map { lane in lanes[lane].write(Self.underWayMax - lanes[lane].underWay, &random) }
        for (lane, burst) in bursts.enumerated() { try lanes[lane].send(burst) }
    }

    private static let underWayMax = 12

    /// For a while at most so long, and often much less or not at all: a daemon that nothing disturbs is done with all that is under way in a
    /// millisecond.
    static func wait(microsecondsMax: UInt32, _ random: inout SeededRandom) {
        let most = [microsecondsMax, microsecondsMax / 100, 0].randomElement(using: &random)!  // Three of them.
        usleep(UInt32.random(in: 0...most, using: &random))
    }

    /// Takes in what has been answered so far, without waiting for more.
    mutating func takeAnswers() throws {
        for lane in lanes.indices { try lanes[lane].takeAnswers() }
    }

    /// Starts the ended daemon again and holds what it has against the writes.
    ///
    /// What had been answered before the end counts as acknowledged, unless the disk failed before it: then only what
    /// `takeAnswers` had found. A power cut ends the processor with the disk, and this one does not: of 250 calls of
    /// fdatasync that a shutdown of ext4 met half way, 19 reported success all the same, each after it had begun.
    mutating func restartAndCheck(_ comment: String, diskFailed: Bool = false, environment: [String: String] = [:]) throws {
        for lane in lanes.indices { try lanes[lane].receiveToEnd(diskFailed: diskFailed) }
        try served.start(environment: environment)
        var documentCount = 0
        for lane in lanes.indices { documentCount += try check(lane, comment) }
        let connection = try served.daemon.connect()
        let counted = try connection.ok(#"{"id":1,"op":"count","collection":"kb"}"#).root["documents"]?.int
        try demand(counted == documentCount, "\(documentCount) documents and no other are there, not \(String(describing: counted)), \(comment)")
        let now = try #require(try connection.ok(#"{"id":2,"op":"collection.list"}"#).root["seq"]?.int)
        try demand(now >= sequence, "sequence \(sequence) was acknowledged, and \(now) is the last, \(comment)")
        tally.cycles += 1
    }

    /// Holds a lane's documents against its writes, and lets it go on from there; returns how many documents it has.
    private mutating func check(_ lane: Int, _ comment: String) throws -> Int {
        let connection = try served.daemon.connect()
        let found = try lanes[lane].found(connection, comment)
        guard let (applied, state) = lanes[lane].prefix(thatMakes: found) else {
            throw Violation(description: "\(lanes[lane].name): no number of writes makes what is there, \(comment)\n\(lanes[lane].history(found))")
        }
        tally.acknowledged += lanes[lane].acknowledged
        tally.cutOff += lanes[lane].underWay
        tally.stored += applied - lanes[lane].acknowledged
        sequence = max(sequence, lanes[lane].lastSequence)
        lanes[lane].begin(connection, state)
        return found.count { $0.generation != nil }
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
    /// Of those not acknowledged, the first that cannot have been stored: writing had stopped before it.
    private var firstRefused: Int?
    private(set) var lastSequence = 0
    private var generation = 0

    init(name: String, _ connection: LineConnection) {
        self.name = name
        self.connection = connection
        base = [StoredDocument](repeating: StoredDocument(), count: 20)
    }

    var underWay: Int { sent.count - acknowledged }

    /// Begins again with what is there, and one document more to write.
    mutating func begin(_ connection: LineConnection, _ state: [StoredDocument]) {
        self.connection = connection
        base = state + [StoredDocument()]
        sent = []
        acknowledged = 0
        firstRefused = nil
    }

    // MARK: Writing

    mutating func send(_ random: inout SeededRandom) throws { try send(write(1, &random)) }

    func send(_ lines: [UInt8]) throws { try connection.send(lines) }

    /// The lines of so many writes, which count as sent.
    mutating func write(_ count: Int, _ random: inout SeededRandom) -> [UInt8] {
        var lines: [UInt8] = []
        for _ in 0..<count { lines += line(&random) }
        return lines
    }

    private mutating func line(_ random: inout SeededRandom) -> [UInt8] {
        generation += 1
        let numbers = Array(base.indices.shuffled(using: &random).prefix(Int.random(in: 1...3, using: &random)))
        let write = LaneWrite(numbers: numbers, generation: random.oneIn(8) ? nil : generation)
        var writer = RequestWriter(write.generation == nil ? "delete" : "upsert", id: sent.count)
        writer.string("collection", "kb")
        if let generation = write.generation { writer.documents(numbers.map { document($0, generation) }) } else { writer.strings("ids", numbers.map(id)) }
        sent.append(write)
        return writer.finish()
    }

    mutating func receive() throws { try acknowledge(try connection.receive()) }

    mutating func takeAnswers() throws {
        while let line = try connection.receiveReadyLine() { try acknowledge(try Answer(line: Array(line.utf8))) }
    }

    /// Takes in what was answered before the daemon's end. A last line cut in the middle is no answer.
    mutating func receiveToEnd(diskFailed: Bool) throws {
        var answered = acknowledged
        var hasFailed = false
        while let line = try connection.receiveLine() {
            let answer = try Answer(line: Array(line.utf8))
            if diskFailed, let failure = answer.failure {
                try refuse(answered, answer, failure)
                hasFailed = true
            } else {
                try demand(!hasFailed, "after a write that failed none succeeds: \(answer.text)")
                if !diskFailed { try acknowledge(answer) }
            }
            answered += 1
        }
    }

    /// Writes whose outcome is unknown come first, then those that came when writing had stopped.
    private mutating func refuse(_ number: Int, _ answer: Answer, _ failure: WireError) throws {
        try demand(answer.id == number, "writes are answered in their order: \(answer.text)")
        try demand(
            failure.code == "read_only" || failure.code == "outcome_unknown" && firstRefused == nil,
            "a write on a failing disk is refused: \(answer.text)")
        if failure.code == "read_only", firstRefused == nil { firstRefused = number }
    }

    private mutating func acknowledge(_ answer: Answer) throws {
        if let failure = answer.failure { throw failure }
        let sequence = try #require(answer.root["seq"]?.int)
        try demand(answer.id == acknowledged && sequence >= lastSequence, "writes are answered in their order: \(answer.text)")
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
        let ids = base.indices.map { "\"\(id($0))\"" }.joined(separator: ",")
        let answer = try connection.ok(#"{"id":1,"op":"get","collection":"kb","ids":[\#(ids)],"with":["text","title","heading","fields","vector"]}"#)
        var found = base.map { _ in StoredDocument() }
        for node in answer.root["documents"]?.array ?? [] {
            let name = try #require(node["id"]?.string)
            let number = try #require(base.indices.first { id($0) == name })
            let generation = try #require(node["fields"]?["generation"]?.int)
            let expected = document(number, generation)
            try demand(node["title"]?.string == expected.title, "\(name) has the title of generation \(generation), \(comment)")
            let chunks = try node["chunks"]?.array.map { chunk in
                OutgoingChunk(text: chunk["text"]?.string, heading: chunk["heading"]?.string, vector: try chunk["vector"]?.array.map { Float(try #require($0.double)) })
            }
            try demand(chunks == expected.chunks, "\(name) is whole and of generation \(generation), \(comment)")
            found[number] = StoredDocument(generation: generation, version: try #require(node["version"]?.int))
        }
        return found
    }

    /// For whoever has to find out what went wrong: where documents differ from what acknowledged writes make of them,
    /// and what was written to them.
    func history(_ found: [StoredDocument]) -> String {
        var state = base
        for write in sent.prefix(acknowledged) { write.apply(to: &state) }
        let different = base.indices.filter { !state[$0].isSeen(as: found[$0]) }
        let documents = different.map { "\(id($0)): before \(base[$0]), acknowledged \(state[$0]), found \(found[$0])" }
        let writes = sent.enumerated().filter { !Set($1.numbers).isDisjoint(with: different) }.map { index, write in
            "write \(index)\(index < acknowledged ? ", acknowledged" : ""): \(write)"
        }
        let counts = "\(sent.count) sent, \(acknowledged) acknowledged, \(firstRefused.map { "from \($0) refused" } ?? "none refused")"
        return ([counts] + documents + writes).joined(separator: "\n")
    }

    /// The number of writes, all acknowledged ones and none refused among them, that make exactly what was found, and the state they
    /// make; nil where no number does. Writes that leave no trace (stored and deleted again) leave open which it was.
    func prefix(thatMakes found: [StoredDocument]) -> (applied: Int, state: [StoredDocument])? {
        var state = base
        for write in sent.prefix(acknowledged) { write.apply(to: &state) }
        var result: (applied: Int, state: [StoredDocument])?
        for applied in acknowledged...(firstRefused ?? sent.count) {
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
