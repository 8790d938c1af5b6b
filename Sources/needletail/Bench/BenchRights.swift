// needletail bench rights: what rights cost where documents are many, and what it costs to take one away.
import ArgumentParser
import Engine
import Foundation
import Index
import Storage

struct BenchRights: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rights",
        abstract: "Measure how long rights take to resolve, and to be withdrawn.",
        discussion: """
            Makes documents under distinct access objects, each granted to a few of many groups and all of them to everybody's group through an
            object that they inherit from. Then resolves the rights of people in many groups, and takes rights away.
            """)

    @Option(help: "Documents, of one chunk each.")
    var documents = 1_000_000

    @Option(help: "Access objects.")
    var objects = 100_000

    @Option(help: "Groups.")
    var groups = 10_000

    @Option(help: "Groups that each person is in.")
    var memberships = 200

    @Option(help: "People whose rights are resolved.")
    var people = 50

    @Option(help: "Dimensions of the vectors.")
    var dimension = 16

    @Flag(help: "Print the results as JSON.")
    var json = false

    func validate() throws {
        guard documents > 0, objects > 0, groups > 0, (1...groups).contains(memberships), (2...10_000).contains(people), (2...4096).contains(dimension) else {
            throw ValidationError("--documents, --objects and --groups must be positive, --memberships at most --groups, --people 2 to 10000, --dimension 2 to 4096")
        }
    }

    func run() throws {
        let directory = FileManager.default.temporaryDirectory.appending(path: "needletail-bench-\(UUID().uuidString)").path
        defer { do { try FileManager.default.removeItem(atPath: directory) } catch { printFailure(error) } }
        try load(directory)
        let database = try Database(disk: try FileSystemDisk(path: directory), randomness: { UInt64.random(in: .min ... .max) })
        while try database.maintainIndexes() {}  // Those found are checked before they are used.
        let results = try measure(database, directory)
        try database.close()
        if json { print("{" + results.map { "\"\($0.key)\":\($0.value)" }.joined(separator: ",") + "}") } else { show(results) }
    }

    private func printFailure(_ error: any Error) { FileHandle.standardError.write(Data("\(error)\n".utf8)) }

    // MARK: Making

    private func load(_ directory: String) throws {
        let database = try Database(disk: try FileSystemDisk(path: directory), durability: .checkpoint, randomness: { UInt64.random(in: .min ... .max) })
        let space = SpaceSchema(dimension: dimension, metric: .cosine)
        _ = try database.write(.createCollection(CollectionSchema(
            name: "bench", spaces: [space], fields: [FieldSchema(name: "acl", type: .keywords)], access: .enforced)))
        var random = Xorshift(seed: 7)
        var base = AccessInput(name: "base")
        base.grants = [("group:everybody", .read)]
        _ = try database.write(.changeDirectory(.putAccess(base)))
        for number in 0..<objects {
            var object = AccessInput(name: "acl-\(number)")
            object.grants = Set((0..<3).map { _ in random.below(groups) }).map { ("group:g\($0)", .read) }
            // One in ten lets everybody in, through what it inherits.
            if number % 10 == 0 { object.inherits = "base" }
            _ = try database.write(.changeDirectory(.putAccess(object)))
        }
        for person in 0..<people {
            for group in Set((0..<memberships).map { _ in random.below(groups) }) {
                _ = try database.write(.changeDirectory(.addMembers(group: "group:g\(group)", ["user:u\(person)"])))
            }
        }
        _ = try database.write(.changeDirectory(.addMembers(group: "group:everybody", (0..<people).map { "user:u\($0)" })))
        for first in stride(from: 0, to: documents, by: 5000) {
            var input = UpsertInput(collection: "bench")
            for number in first..<min(first + 5000, documents) {
                var (document, chunk) = (DocumentInput(id: "d\(number)"), ChunkInput())
                let object = random.below(objects)
                document.access = .set("acl-\(object)")
                // As those keep it who have rights in metadata: on each document.
                document.fields = [("acl", .strings(["g\(object % 97)", "everybody"]))]
                chunk.vectors = [VectorInput(space: nil, floats: input.floats.count..<input.floats.count + dimension)]
                for _ in 0..<dimension { input.floats.append(Float(random.below(2001)) - 1000) }
                document.chunks = [chunk]
                input.documents.append(document)
            }
            _ = try database.write(.upsert(input))
        }
        try database.joinLoaded()
        while try database.maintainIndexes(threads: 2) {}
        try database.close()
    }

    // MARK: Measuring

    private func measure(_ database: Database, _ directory: String) throws -> [(key: String, value: String)] {
        func microseconds(_ body: () throws -> Void) rethrows -> Double {
            let start = ContinuousClock.now
            try body()
            return (ContinuousClock.now - start) / .microseconds(1)
        }
        func median(_ values: [Double]) -> String { String(Int(values.sorted()[values.count / 2].rounded())) }
        func open(_ person: Int) throws -> CollectionSnapshot { try database.snapshot().collection("bench", for: Caller(user: "user:u\(person)")) }
        var query = SearchInput()
        (query.floats, query.vectors) = ((0..<dimension).map { Float($0) - 3 }, [0..<dimension])
        let others = 1..<people

        let cold = try others.map { person in try microseconds { _ = try open(person) } }
        let warm = try others.map { person in try microseconds { _ = try open(person) } }
        let seen = try open(1).count(filter: nil, under: nil).documents
        let write = Write.upsert({
            var input = UpsertInput(collection: "bench")
            var document = DocumentInput(id: "d5")
            (document.title, document.access) = ("changed", .set("acl-5"))
            input.documents = [document]
            return input
        }())
        _ = try database.write(write)
        let afterWrite = try others.map { person in try microseconds { _ = try open(person) } }
        // Where searches look is worked out by the first, as far as a write has changed it.
        for person in others { _ = try open(person).search(query) }
        let searchWarm = try others.map { person in try microseconds { _ = try open(person).search(query) } }
        _ = try database.write(write)
        let searchAfterWrite = try others.map { person in try microseconds { _ = try open(person).search(query) } }

        // One person leaves everybody's group; then the group is taken out of what a tenth of all documents inherit from.
        _ = try open(0).search(query)
        var logBytes = database.statistics.uncoveredLogBytes
        let leaving = try microseconds { _ = try database.write(.changeDirectory(.removeMembers(group: "group:everybody", ["user:u0"]))) }
        let firstAfterLeaving = try microseconds { _ = try open(0) }
        let leavingBytes = database.statistics.uncoveredLogBytes - logBytes
        logBytes = database.statistics.uncoveredLogBytes
        let revoking = try microseconds { _ = try database.write(.changeDirectory(.revoke(access: "base", principal: "group:everybody"))) }
        let firstAfterRevoking = try microseconds { _ = try open(1) }
        let revokingBytes = database.statistics.uncoveredLogBytes - logBytes
        let seenAfter = try open(1).count(filter: nil, under: nil).documents

        // The same where rights are metadata: the group is taken out of each document's list, in batches as those take it.
        logBytes = database.statistics.uncoveredLogBytes
        let rewriting = try microseconds {
            for first in stride(from: 0, to: documents, by: 10_000) {
                var patch = PatchInput(collection: "bench")
                patch.selection = Selection(ids: (first..<min(first + 10_000, documents)).map { "d\($0)" })
                patch.set = [("acl", .strings(["g1"]))]
                _ = try database.write(.patch(patch))
            }
        }
        return [
            ("documents", "\(documents)"), ("objects", "\(objects)"), ("groups", "\(groups)"), ("memberships", "\(memberships)"),
            ("documents_seen", "\(seen)"), ("cold_us", median(cold)), ("warm_us", median(warm)), ("after_a_write_us", median(afterWrite)),
            ("search_us", median(searchWarm)), ("first_search_after_a_write_us", median(searchAfterWrite)),
            ("leave_group_us", median([leaving])), ("leave_group_log_bytes", "\(leavingBytes)"), ("first_read_after_leaving_us", median([firstAfterLeaving])),
            ("revoke_grant_us", median([revoking])), ("revoke_grant_log_bytes", "\(revokingBytes)"), ("first_read_after_revoking_us", median([firstAfterRevoking])),
            ("documents_seen_after", "\(seenAfter)"), ("rewrite_metadata_us", median([rewriting])),
            ("rewrite_metadata_log_bytes", "\(database.statistics.uncoveredLogBytes - logBytes)"),
        ]
    }

    private func show(_ results: [(key: String, value: String)]) {
        for (key, value) in results {
            print(key.replacingOccurrences(of: "_", with: " ").padding(toLength: 32, withPad: " ", startingAt: 0) + value)
        }
    }
}

/// The same numbers from the same seed, on every machine.
private struct Xorshift {
    private var state: UInt64

    init(seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 | 1 }

    mutating func below(_ end: Int) -> Int {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return Int(state >> 16) % end
    }
}
