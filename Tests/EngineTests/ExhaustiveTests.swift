// Every short sequence of operations, cut short at every call, in every state that a crash can leave.
@testable import Engine
import Index
import Storage
import Testing
import TestSupport

/// Most crash bugs need two or three operations on a fresh store (CrashMonkey, OSDI 2018): so all of them are tried.
@Suite struct ExhaustiveTests {
    /// How long the sequences are: `NEEDLETAIL_OPERATIONS=3` tries those of three.
    private static let length = TestCycles("NEEDLETAIL_OPERATIONS", otherwise: 2).count

    private enum Operation: CaseIterable {
        case upsert, replace, delete, patch, flush, compact, snapshot, rotate, index

        /// What it comes to as the nth of its sequence.
        func step(_ place: Int) -> Step {
            switch self {
            case .upsert: .write(.upsert(ExhaustiveTests.document("new\(place)", Float(place))))
            case .replace: .write(.upsert(ExhaustiveTests.document("a", Float(place + 10))))
            case .delete: .write(.delete(DeleteInput(collection: "c", ids: [place == 0 ? "a" : "b"])))
            case .patch: .write(.patch(ExhaustiveTests.patch("b", "title \(place)")))
            case .flush: .checkpoint
            case .compact: .optimize
            case .snapshot: .createSnapshot("s\(place)")
            case .rotate: .reopen
            case .index: .index
            }
        }
    }

    private static func document(_ id: String, _ number: Float) -> UpsertInput {
        var input = UpsertInput(id, vectors: [(nil, [number, 1]), ("long", [number, 2, 3])])
        input.documents[0].fields = [(name: "i", value: .integer(Int64(number))), (name: "k", value: .string("k\(number)"))]
        input.documents[0].chunks[0].text = "text of \(id), \(number)"
        return input
    }

    private static func patch(_ id: String, _ title: String) -> PatchInput {
        var input = PatchInput(collection: "c")
        input.selection = Selection(ids: [id])
        input.title = .set(title)
        return input
    }

    /// Products of small whole numbers need no rounding: they can be held against a model's.
    private static let schema: CollectionSchema = {
        var schema = CollectionSchema.everything()
        schema.spaces[0].metric = .dot
        return schema
    }()

    /// Two documents, one of them in a segment, the other in the log.
    private static let preparation: [Step] = [
        .write(.createCollection(schema)), .write(.upsert(document("a", 1))), .checkpoint, .write(.upsert(document("b", 2))),
    ]

    private static func sequences(of length: Int) -> [[Operation]] {
        guard length > 0 else { return [[]] }
        return [[]] + sequences(of: length - 1).flatMap { head in Operation.allCases.map { [$0] + head } }
    }

    /// By first operation, so that processors share the work.
    @Test(arguments: 0..<9 as Range<Int>)
    func `no crash at any call of any short sequence loses what was acknowledged or shows half of anything`(first: Int) throws {
        var images = 0
        for rest in Self.sequences(of: Self.length - 1) {
            let operations = [Operation.allCases[first]] + rest
            do { images += try Self.tryAll(operations) } catch { Issue.record("\(error)") }
        }
        print("crash images opened, sequences beginning with \(Operation.allCases[first]): \(images)")
        #expect(images > 500)
    }

    /// Returns how many crash images were opened.
    private static func tryAll(_ operations: [Operation]) throws -> Int {
        var images = 0
        for index in 0... {
            let disk = FaultyDisk()
            var witness = try Witness(disk, seed: 5)
            for step in preparation { _ = try witness.run(step, seed: 6, "preparing") }
            disk.plan(DiskFault(.powerCut, at: index))
            for (place, operation) in operations.enumerated() {
                guard try witness.run(operation.step(place), seed: 7, "\(operations), call \(index)") else { break }
            }
            for crash in crashes(of: disk, UInt64(index)) {
                try Witness.check(disk.afterCrash(crash), witness.known, seed: 8, "\(operations), call \(index), \(crash)")
                images += 1
            }
            if !disk.hasFailed { return images }
        }
        return images
    }

    /// Unsynced writes all gone, all there, cut in the middle, or in pieces; unsynced names gone or there.
    private static func crashes(of disk: FaultyDisk, _ seed: UInt64) -> [Crash] {
        guard disk.unsyncedBytes > 0 else { return [.clean, Crash(.kept, names: .kept)] }
        return [
            .clean, Crash(.dropped, names: .kept), Crash(.kept, names: .dropped), Crash(.kept, names: .kept),
            Crash(.torn(bytes: disk.unsyncedBytes / 2), names: .kept), Crash(.scattered(seed: seed), names: .kept),
        ]
    }
}
