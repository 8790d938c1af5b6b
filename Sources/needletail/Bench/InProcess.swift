// A database in this process: what a search costs without a connection.
import Engine
import Foundation
import Memory
import Server
import Storage

final class InProcess: Subject {
    let name = "needletail"
    private let directory: String
    /// Whether the directory outlives the run.
    private let isKept: Bool
    private let database: Database
    private let residentBefore: Int
    private let choice: IndexChoice
    static let collection = "bench"
    private static let batchDocuments = 1000

    /// In a directory that is kept, or in one for this run alone.
    init(_ choice: IndexChoice, at directory: String? = nil) throws {
        self.choice = choice
        isKept = directory != nil
        self.directory = directory ?? FileManager.default.temporaryDirectory.appending(path: "needletail-bench-\(UUID().uuidString)").path
        database = try Database(disk: try FileSystemDisk(path: self.directory), randomness: { UInt64.random(in: .min ... .max) })
        residentBefore = try Self.residentBytes()
    }

    var version: String { Daemon.version }

    /// Whether nothing has been loaded yet.
    var isEmpty: Bool { database.snapshot().collectionNames.isEmpty }

    /// What the process has grown by: file pages that are mapped included.
    var memoryBytes: Int? {
        do { return max(0, try Self.residentBytes() - residentBefore) } catch {
            // Not every system tells.
            return nil
        }
    }

    func load(_ data: BenchData, _ filters: [BenchFilter]) throws {
        let space = SpaceSchema(
            dimension: data.dimension, metric: data.metric, index: choice.index, quantization: choice.quantization)
        let fields = filters.filter { $0.reader == nil }.map { FieldSchema(name: $0.field, type: .int) }
        let readers = filters.filter { $0.reader != nil }
        _ = try database.write(.createCollection(CollectionSchema(
            name: Self.collection, spaces: [space], fields: fields, access: readers.isEmpty ? .open : .enforced)))
        try grant(readers)
        for first in stride(from: 0, to: data.count, by: Self.batchDocuments) {
            _ = try database.write(.upsert(Self.batch(first..<min(first + Self.batchDocuments, data.count), of: data, filters)))
        }
    }

    /// Who sees everything.
    private static let everybody = Caller(user: "user:everybody")
    /// Documents of one kind lie under so many objects, as if by project.
    private static let objectsPerKind = 1000

    /// An object for each set of readers, many times over, and a group for each of them.
    private func grant(_ readers: [BenchFilter]) throws {
        guard !readers.isEmpty else { return }
        for (number, filter) in readers.enumerated() {
            guard let reader = filter.reader else { continue }
            _ = try database.write(.changeDirectory(.putGroup("group:\(number)", members: [reader])))
        }
        for kind in 0..<1 << readers.count {
            for variant in 0..<Self.objectsPerKind {
                var object = AccessInput(name: "kind \(kind)/\(variant)")
                object.grants = readers.indices.filter { kind >> $0 & 1 == 1 }.map { ("group:\($0)", .read) } + [("user:everybody", .read)]
                _ = try database.write(.changeDirectory(.putAccess(object)))
            }
        }
    }

    private static func batch(_ rows: Range<Int>, of data: BenchData, _ filters: [BenchFilter]) -> UpsertInput {
        var input = UpsertInput(collection: collection)
        input.floats = Array(data.base[rows.lowerBound * data.dimension..<rows.upperBound * data.dimension])
        input.documents = rows.map { row in
            var document = DocumentInput(id: "\(row)")
            document.fields = filters.filter { $0.reader == nil }.map { ($0.field, .integer(Int64($0.labels[row]))) }
            let readers = filters.filter { $0.reader != nil }
            if !readers.isEmpty {
                let kind = readers.enumerated().reduce(0) { $0 | Int($1.element.labels[row]) << $1.offset }
                document.access = .set("kind \(kind)/\(row % objectsPerKind)")
            }
            var chunk = ChunkInput()
            chunk.vectors = [VectorInput(space: nil, floats: data.rowRange(row - rows.lowerBound))]
            document.chunks = [chunk]
            return document
        }
        return input
    }

    func settle(threads: Int) throws -> Double {
        try database.optimize()
        while try database.maintain() {}
        let start = ContinuousClock.now
        while try database.maintainIndexes(threads: threads) {}
        return (ContinuousClock.now - start) / .seconds(1)
    }

    func answer(_ questions: Questions) throws -> [Answered] {
        let collection = try collection(for: questions)
        return try Lanes.run(questions.task.threads, on: questions.task.cpus) { lane in
            let inputs = try questions.calls(of: lane).map { try Self.input($0, of: questions) }
            for input in inputs.prefix(questions.warmUp(of: lane).count) { _ = try collection.search(input) }
            var results: [SearchResult] = []
            results.reserveCapacity(inputs.count)
            let start = ContinuousClock.now
            for input in inputs { results.append(try collection.search(input)) }
            let end = ContinuousClock.now
            let rows = try results.flatMap { try $0.hits.map { try $0.map { try Self.row(of: $0, in: collection) } } }
            return Answered(rows: rows, start: start, end: end)
        }
    }

    /// Microseconds of processor time a search, over so many, and how they were carried out. Asks the queries in turn.
    func processorMicroseconds(of questions: Questions, searches: Int) throws -> (Double, SearchPlan.Kind) {
        let collection = try collection(for: questions)
        let lanes = questions.task.threads
        let costs = try Lanes.run(lanes, on: questions.task.cpus) { lane in
            let inputs = try questions.calls.map { try Self.input($0, of: questions) }
            for input in inputs { _ = try collection.search(input) }
            var kind = SearchPlan.Kind.exact
            let start = Processor.threadMicroseconds
            for number in lane * searches / lanes..<(lane + 1) * searches / lanes { kind = try collection.search(inputs[number % inputs.count]).plan.kind }
            return (Processor.threadMicroseconds - start, kind)
        }
        return (costs.reduce(0) { $0 + $1.0 } / Double(searches), costs[0].1)
    }

    private static func input(_ queries: Range<Int>, of questions: Questions) throws -> SearchInput {
        var input = SearchInput()
        input.k = questions.task.k
        let data = questions.task.data
        input.floats = queries.flatMap { data.query($0) }
        input.vectors = queries.map { data.rowRange($0 - queries.lowerBound) }
        if let filter = questions.filter, filter.reader == nil {
            input.filter = .field(filter.field, .isIn([.integer(Int64(filter.wanted[queries.lowerBound]))]))
        }
        input.effort = questions.effort
        return input
    }

    private func collection(for questions: Questions) throws -> CollectionSnapshot {
        let caller = questions.filter?.reader.map { Caller(user: $0) } ?? Self.everybody
        return try database.snapshot().collection(Self.collection, for: caller)
    }

    /// Documents are called by their rows' numbers.
    private static func row(of hit: Hit, in collection: CollectionSnapshot) throws -> Int32 {
        guard let id = String(validatingUTF8: collection.document(of: hit).id), let row = Int32(id) else {
            throw CommandFailure(description: "a document was found that is not of the data set")
        }
        return row
    }

    func end() throws {
        try database.close()
        if !isKept { try FileManager.default.removeItem(atPath: directory) }
    }

    private static func residentBytes() throws -> Int {
        let status = try String(contentsOfFile: "/proc/self/statm", encoding: .utf8).split(separator: " ")
        return (status.count > 1 ? Int(status[1]) ?? 0 : 0) * Int(getpagesize())
    }
}
