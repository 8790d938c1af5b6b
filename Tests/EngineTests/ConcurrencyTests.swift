// Many threads at one database. What a thread finds wrong it notes; the test's own thread says so.
@testable import Engine
import Index
import Storage
import Synchronization
import Testing
import TestSupport

@Suite struct ConcurrencyTests {
    /// What threads found wrong, the first few of it.
    private final class Findings: Sendable {
        private let list = Mutex([String]())
        func note(_ text: @autoclosure () -> String) {
            let text = text()
            list.withLock { if $0.count < 10 { $0.append(text) } }
        }
        func check(_ isRight: Bool, _ text: @autoclosure () -> String) { if !isRight { note(text()) } }
        var all: [String] { list.withLock { $0 } }
    }

    private static func make() throws -> (disk: FaultyDisk, database: Database) {
        let disk = FaultyDisk()
        let database = try TestDatabase.open(disk)
        _ = try database.write(.createCollection(.everything()))
        return (disk, database)
    }

    /// Two documents of a thread, always written together and always with the same number in field and vector.
    private static func pair(_ thread: Int, _ number: Int) -> Write {
        var input = UpsertInput(collection: "c")
        for half in ["left", "right"] {
            var document = DocumentInput("\(half) \(thread)", fields: [("i", .integer(Int64(number)))])
            var chunk = ChunkInput()
            chunk.vectors = [VectorInput(space: "long", floats: input.floats.count..<input.floats.count + 3)]
            input.floats += [Float(number), Float(thread), 1]
            document.chunks = [chunk]
            input.documents.append(document)
        }
        return .upsert(input)
    }

    /// The number of a thread's pair, which every snapshot shows whole.
    private static func number(of thread: Int, in snapshot: DatabaseSnapshot, _ findings: Findings) -> Int {
        do throws(EngineError) {
            let collection = try snapshot.collection("c")
            var numbers: [Int64] = []
            for half in ["left", "right"] {
                guard let node = collection.node("\(half) \(thread)") else { continue }
                guard case .integer(let number)? = node.fields.first?.value else {
                    findings.note("a document without its field")
                    continue
                }
                numbers.append(number)
                findings.check(node.version == UInt64(number) + 1, "version \(node.version) of number \(number)")
                if let vector = try node.chunk(0).vector(space: 1, dimension: 3) {
                    findings.check(vector[0] == Float(number) && vector[1] == Float(thread), "number \(number) with another's vector")
                } else {
                    findings.note("a chunk without its vector")
                }
            }
            findings.check(numbers.count != 1 && numbers.first == numbers.last, "a pair of \(numbers)")
            return Int(numbers.first ?? -1)
        } catch {
            findings.note("\(error)")
            return -1
        }
    }

    @Test func `every write is in force at its sequence, sequences rise, and readers see pairs whole`() throws {
        let (disk, database) = try Self.make()
        let findings = Findings()
        let sequences = Mutex([UInt64]())
        let writersLeft = Atomic(4)
        Threads.run(7) { thread in
            if thread < 4 {
                var last: UInt64 = 0
                for number in 0..<100 {
                    do throws(EngineError) {
                        let sequence = try database.write(Self.pair(thread, number)).sequence
                        findings.check(sequence > last, "sequence \(sequence) after \(last)")
                        last = sequence
                        sequences.withLock { $0.append(sequence) }
                        let snapshot = database.snapshot()
                        findings.check(snapshot.sequence >= sequence, "snapshot \(snapshot.sequence) after \(sequence)")
                        findings.check(Self.number(of: thread, in: snapshot, findings) == number, "own write \(number) not seen")
                    } catch { findings.note("\(error)") }
                }
                writersLeft.subtract(1, ordering: .releasing)
            } else {
                Self.read(database, until: writersLeft, findings)
            }
        }
        #expect(findings.all == [])
        #expect(sequences.withLock { $0.sorted() } == Array(2...401))
        let reopened = try TestDatabase.open(disk.afterCrash(.clean)).snapshot()
        #expect(reopened.sequence == 401)
        for thread in 0..<4 { #expect(Self.number(of: thread, in: reopened, findings) == 99) }
        #expect(findings.all == [])
    }

    /// Looks at every pair and searches, until no writer is left; nothing ever goes backwards.
    private static func read(_ database: Database, until writersLeft: borrowing Atomic<Int>, _ findings: Findings) {
        var numbers = [Int](repeating: -1, count: 4)
        var sequence: UInt64 = 0
        var isLast = false
        while !isLast {
            isLast = writersLeft.load(ordering: .acquiring) == 0
            let snapshot = database.snapshot()
            findings.check(snapshot.sequence >= sequence, "sequence went back from \(sequence) to \(snapshot.sequence)")
            sequence = snapshot.sequence
            for thread in numbers.indices {
                let number = number(of: thread, in: snapshot, findings)
                findings.check(number >= numbers[thread], "number went back from \(numbers[thread]) to \(number)")
                numbers[thread] = number
            }
            search(snapshot, expecting: numbers, findings)
        }
    }

    /// A search near the last number of each thread finds that thread's pair first.
    private static func search(_ snapshot: DatabaseSnapshot, expecting numbers: [Int], _ findings: Findings) {
        do throws(EngineError) {
            let collection = try snapshot.collection("c")
            findings.check(collection.overview.chunkCount == 2 * numbers.count { $0 >= 0 }, "\(collection.overview.chunkCount) chunks")
            for (thread, number) in numbers.enumerated() where number >= 0 {
                var input = SearchInput([Float(number), Float(thread), 1], k: 2)
                input.space = "long"
                let hits = try collection.search(input).hits[0]
                findings.check(hits.map(\.score) == [0, 0], "pair \(thread) at \(number) found at \(hits.map(\.score))")
            }
        } catch { findings.note("\(error)") }
    }

    @Test func `an old snapshot does not change under readers while writes go on`() throws {
        let (_, database) = try Self.make()
        for thread in 0..<4 { _ = try database.write(Self.pair(thread, 0)) }
        let old = database.snapshot()
        let findings = Findings()
        let writersLeft = Atomic(1)
        Threads.run(3) { thread in
            if thread == 0 {
                for number in 1...200 {
                    do throws(EngineError) { _ = try database.write(Self.pair(number % 4, (number + 3) / 4)) } catch { findings.note("\(error)") }
                }
                writersLeft.subtract(1, ordering: .releasing)
            } else {
                var isLast = false
                while !isLast {
                    isLast = writersLeft.load(ordering: .acquiring) == 0
                    for thread in 0..<4 { findings.check(Self.number(of: thread, in: old, findings) == 0, "an old snapshot changed") }
                    Self.search(old, expecting: [0, 0, 0, 0], findings)
                }
            }
        }
        #expect(findings.all == [])
    }

    @Test func `writes enqueued by some threads and committed by others are all answered once, in their order`() throws {
        let (disk, database) = try Self.make()
        let findings = Findings()
        let answers = Mutex([Int: [UInt64]]())
        Threads.run(4) { thread in
            for number in 0..<60 {
                database.enqueue(Self.pair(thread, number)) { answer in
                    switch answer {
                    case .success(let outcome):
                        findings.check(database.snapshot().sequence >= outcome.sequence, "answered before it was in force")
                        answers.withLock { $0[thread, default: []].append(outcome.sequence) }
                    case .failure(let error): findings.note("\(error)")
                    }
                }
                if (number + thread) % 7 == 0 { database.commit() }
            }
            database.commit()
        }
        database.commit()
        let byThread = answers.withLock { $0 }
        #expect(findings.all == [])
        #expect(byThread.values.allSatisfy { $0.count == 60 && $0 == $0.sorted() })
        #expect(byThread.values.flatMap { $0 }.sorted() == Array(2...241))
        let reopened = try TestDatabase.open(disk.afterCrash(.clean)).snapshot()
        for thread in 0..<4 { #expect(Self.number(of: thread, in: reopened, findings) == 59) }
        #expect(findings.all == [])
    }

    @Test func `versions decide: of many threads counting one up by hand, every success counts once`() throws {
        let (_, database) = try Self.make()
        _ = try database.write(.put(DocumentInput("counter", fields: [("i", .integer(0))])))
        let findings = Findings()
        let successes = Atomic(0)
        Threads.run(4) { _ in
            for _ in 0..<50 {
                do throws(EngineError) {
                    guard let node = try database.snapshot().collection("c").node("counter"), case .integer(let number)? = node.fields.first?.value else {
                        findings.note("the counter is gone")
                        return
                    }
                    let next = DocumentInput("counter", ifVersion: node.version, fields: [("i", .integer(number + 1))])
                    _ = try database.write(.put(next))
                    successes.add(1, ordering: .relaxed)
                } catch { findings.check(error.code == .versionConflict, "\(error)") }
            }
        }
        let count = successes.load(ordering: .relaxed)
        let node = try #require(try database.snapshot().collection("c").node("counter"))
        #expect(node.fields.first?.value == .integer(Int64(count)))
        #expect(node.version == UInt64(count) + 1)
        #expect(findings.all == [])
    }

    @Test func `collections come and go under writers, and the log can always be read again`() throws {
        let (disk, database) = try Self.make()
        let findings = Findings()
        Threads.run(4) { thread in
            for number in 0..<60 {
                let writes: [Write] =
                    thread == 0
                    ? [.dropCollection(name: "c"), .createCollection(.everything())]
                    : [.put(DocumentInput("d\(thread)", parent: number % 2 == 0 ? "p" : nil)), .delete(DeleteInput(collection: "c", under: ["p", "d\(thread)"]))]
                for write in writes {
                    do throws(EngineError) { _ = try database.write(write) } catch {
                        findings.check(error.code == .unknownCollection, "\(error)")
                    }
                }
            }
        }
        #expect(findings.all == [])
        let reopened = try TestDatabase.open(disk.afterCrash(.clean)).snapshot()
        #expect(reopened.sequence == database.snapshot().sequence)
        #expect(try reopened.collection("c").overview.documentCount == database.snapshot().collection("c").overview.documentCount)
    }

    @Test func `a write at the time of closing is either refused or there`() throws {
        for round in 0..<20 {
            let (disk, database) = try Self.make()
            let findings = Findings()
            let accepted = Mutex(Set<String>())
            let disksAtClose = Mutex<FaultyDisk?>(nil)
            Threads.run(4) { thread in
                if thread == 0 {
                    // Let the others get going; how far does not matter.
                    for _ in 0..<10_000_000 where database.snapshot().sequence >= 5 + UInt64(round) { break }
                    do throws(LogError) { try database.close() } catch { findings.note("\(error)") }
                    // Whatever was accepted has been by now: nobody writes to the files any more.
                    disksAtClose.withLock { $0 = disk.afterCrash(.clean) }
                    return
                }
                for number in 0..<200 {
                    let id = "\(thread) \(number)"
                    do throws(EngineError) {
                        _ = try database.write(.put(DocumentInput(id)))
                        accepted.withLock { _ = $0.insert(id) }
                    } catch {
                        findings.check(error.code == .readOnly, "\(error)")
                        return
                    }
                }
            }
            #expect(findings.all == [])
            let atClose = try #require(disksAtClose.withLock { $0 })
            let collection = try TestDatabase.open(atClose).snapshot().collection("c")
            let ids = accepted.withLock { $0 }
            #expect(collection.overview.documentCount == ids.count)
            for id in ids { #expect(collection.node(id) != nil) }
        }
    }
}
