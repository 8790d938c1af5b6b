// Databases whose disk fills up, fails, or loses its power: what was answered holds, and nothing is half done.
#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif
@testable import Engine
import Memory
import Storage
import Testing
import TestSupport

@Suite struct DatabaseFaultTests {
    /// Writes that the model takes, of every kind, from a seed.
    private static func history(_ seed: UInt64, count: Int) -> [Write] {
        var random = SeededRandom(seed: seed)
        var model = Model()
        var writes: [Write] = []
        for _ in 0..<100 * count where writes.count < count {
            // Patches are drawn more often: early in a history most of them select nothing and are left out.
            let write = random.oneIn(2) ? RandomInput.patch(on: model, using: &random) : RandomInput.write(on: model, using: &random)
            let before = model.sequence
            do throws(Refusal) { _ = try model.apply(write) } catch { continue }
            if model.sequence > before { writes.append(write) }
        }
        #expect(writes.count == count)
        return writes
    }

    /// What is known of a database by its answers.
    private struct Knowledge {
        var acknowledged = Model()
        /// With the write whose outcome was left open, if there was one.
        var inDoubt: Model?

        /// Takes what a reopened database shows for the truth, if it is one of the two.
        mutating func settle(on snapshot: DatabaseSnapshot, _ comment: String) {
            do throws(EngineError) {
                let difference = try acknowledged.difference(from: snapshot)
                if let inDoubt, try inDoubt.difference(from: snapshot) == nil { acknowledged = inDoubt } else if let difference { Issue.record("\(comment): \(difference)") }
                inDoubt = nil
            } catch { Issue.record("\(comment): \(error)") }
        }
    }

    /// Writes until done or until the database stops writing; half way a process ends and another takes over, if the
    /// disk lets it.
    private static func run(_ writes: [Write], on disk: FaultyDisk, _ comment: String) throws -> Knowledge {
        var known = Knowledge()
        for part in [writes.prefix(writes.count / 2), writes.suffix(writes.count - writes.count / 2)] {
            // A new process finds the directory unlocked; the disk and its fault are the same.
            disk.unlock()
            do throws(LogError) {
                let database = try TestDatabase.open(disk, seed: 3)
                known.settle(on: database.snapshot(), comment)
                for write in part { guard apply(write, to: database, &known, comment) else { return known } }
                try database.close()
            } catch {
                guard case .disk = error else { throw error }
                return known
            }
        }
        return known
    }

    /// Whether the database goes on writing.
    private static func apply(_ write: Write, to database: Database, _ known: inout Knowledge, _ comment: String) -> Bool {
        var next = known.acknowledged
        do throws(EngineError) {
            let outcome = try database.write(write)
            do throws(Refusal) { #expect(try next.apply(write) == outcome, "\(comment)") } catch { Issue.record("\(comment): accepted what is \(error)") }
            known.acknowledged = next
            return true
        } catch {
            #expect([.outcomeUnknown, .readOnly].contains(error.code), "\(comment): \(error)")
            if error.code == .outcomeUnknown {
                do throws(Refusal) { _ = try next.apply(write) } catch { Issue.record("\(comment): in doubt about what is \(error)") }
                known.inDoubt = next
            }
            expectReadsGoOn(database, known.acknowledged, comment)
            return false
        }
    }

    private static func expectReadsGoOn(_ database: Database, _ model: Model, _ comment: String) {
        do throws(EngineError) {
            #expect(try model.difference(from: database.snapshot()) == nil, "\(comment)")
            _ = try database.write(.dropCollection(name: "any"))
            Issue.record("\(comment): a drop of nothing was accepted")
        } catch {
            #expect([.unknownCollection, .readOnly].contains(error.code), "\(comment)")
        }
    }

    /// Opens what a crash left, compares, writes, and opens again.
    private static func check(_ disk: FaultyDisk, _ known: Knowledge, _ comment: String) throws {
        var known = known
        let database = try TestDatabase.open(disk, seed: 4)
        known.settle(on: database.snapshot(), comment)
        let more = Write.createCollection(.everything(name: "after"))
        #expect(try database.write(more) == known.acknowledged.apply(more), "\(comment)")
        let again = try TestDatabase.open(disk.afterCrash(.clean), seed: 5)
        #expect(try known.acknowledged.difference(from: again.snapshot()) == nil, "\(comment)")
    }

    @Test(arguments: 0..<3 as Range<UInt64>)
    func `after a power cut at any call every acknowledged write is there, and the last one whole or not at all`(number: UInt64) throws {
        let seed = TestSeed(51)
        let writes = Self.history(seed.value &+ number, count: 9)
        for index in 0..<500 {
            let disk = FaultyDisk()
            disk.plan(DiskFault(.powerCut, at: index))
            let known = try Self.run(writes, on: disk, "call \(index), \(seed)")
            for crash in Self.crashes(of: disk, seed.value &+ UInt64(index)) {
                try Self.check(disk.afterCrash(crash), known, "call \(index), \(crash), \(seed)")
            }
            if !disk.hasFailed { return }
        }
        Issue.record("the history never ended")
    }

    private static func crashes(of disk: FaultyDisk, _ seed: UInt64) -> [Crash] {
        var random = SeededRandom(seed: seed)
        let torn = (0..<4).map { _ in Crash(.torn(bytes: Int.random(in: 0...disk.unsyncedBytes, using: &random)), names: .kept) }
        let scattered = (0..<3).map { _ in Crash(.scattered(seed: random.next()), names: .kept) }
        return torn + scattered + [.clean, Crash(.kept, names: .kept), Crash(.dropped, names: .kept), Crash(.kept, names: .dropped)]
    }

    @Test(arguments: [true, false])
    func `a disk that fails at any call loses nothing acknowledged, and reads go on`(isForever: Bool) throws {
        let seed = TestSeed(52)
        let writes = Self.history(seed.value, count: 9)
        for index in 0..<500 {
            let disk = FaultyDisk()
            disk.plan(DiskFault(.error(EIO, isForever: isForever), at: index))
            let known = try Self.run(writes, on: disk, "call \(index), \(seed)")
            try Self.check(disk.afterRestart(), known, "call \(index), restarted, \(seed)")
            for crash in [.clean, Crash(.dropped, names: .kept), Crash(.kept, names: .kept), Crash(.torn(bytes: disk.unsyncedBytes / 2), names: .kept)] {
                try Self.check(disk.afterCrash(crash), known, "call \(index), \(crash), \(seed)")
            }
            if !disk.hasFailed { return }
        }
        Issue.record("the history never ended")
    }

    @Test(arguments: [true, false])
    func `a full disk refuses writes whole, reads go on, and so do writes once there is space`(isForever: Bool) throws {
        let seed = TestSeed(53)
        let writes = Self.history(seed.value, count: 12)
        var refusals = 0
        for index in 0..<500 {
            let disk = FaultyDisk()
            let database = try TestDatabase.open(disk)
            disk.plan(DiskFault(.error(ENOSPC, isForever: isForever), at: index))
            var known = Knowledge()
            for write in writes {
                do throws(EngineError) { _ = try database.write(write) } catch {
                    // A sync of the manifest that failed: nothing of the write was stored, and nothing more will be.
                    if error.code == .readOnly { break }
                    guard error.code == .diskFull else {
                        // A group being written over zeros, or synced: see the log's own tests.
                        #expect(error.code == .outcomeUnknown)
                        known.inDoubt = known.acknowledged
                        _ = try known.inDoubt?.apply(write)
                        break
                    }
                    refusals += 1
                    #expect(error.retry == .later)
                    #expect(try known.acknowledged.difference(from: database.snapshot()) == nil, "call \(index), \(seed)")
                    disk.plan(nil)
                    // Unless what had failed before, unseen, was a sync of the manifest: then this is not written either.
                    if case .failure(let stop) = Result(catching: { () throws(EngineError) in try database.write(write) }) {
                        guard stop.code == .readOnly else { throw stop }
                        break
                    }
                }
                _ = try known.acknowledged.apply(write)
            }
            try Self.check(disk.afterRestart(), known, "call \(index), restarted, \(seed)")
            try Self.check(disk.afterCrash(.clean), known, "call \(index), crashed, \(seed)")
            if !disk.hasFailed {
                #expect(refusals > 10)
                return
            }
        }
        Issue.record("the history never ended")
    }

    @Test func `a delete that finds nothing is not acknowledged once a write is in doubt`() throws {
        // It was, and when the write in doubt turned out to have been stored, what had been deleted was there.
        let disk = FaultyDisk()
        let database = try TestDatabase.open(disk)
        _ = try database.write(.createCollection(.everything()))
        disk.plan(DiskFault(.error(EIO, isForever: false), at: 0, of: .sync))
        let inDoubt = #expect(throws: EngineError.self) { _ = try database.write(.put(DocumentInput("a"))) }
        #expect(inDoubt?.code == .outcomeUnknown)
        let refused = #expect(throws: EngineError.self) { _ = try database.write(.delete(DeleteInput(collection: "c", ids: ["a"]))) }
        #expect(refused?.code == .readOnly)
        let again = try TestDatabase.open(disk.afterRestart())
        #expect(try again.snapshot().collection("c").overview.documentCount == 1)
    }

    @Test func `a database in a real directory is found again by the next process`() throws {
        let seed = TestSeed(54)
        try TemporaryDirectory.with { path in
            var model = Model()
            let writes = Self.history(seed.value, count: 40)
            for part in [writes.prefix(20), writes.suffix(20)] {
                let database = try TestDatabase.open(FileSystemDisk(path: path), sizes: LogFileSizes(target: 4096, zeroedStep: 1024))
                #expect(try model.difference(from: database.snapshot()) == nil, "\(seed)")
                for write in part { #expect(try database.write(write) == model.apply(write), "\(seed)") }
                // The second process ends without closing.
                if part.startIndex == 0 { try database.close() }
            }
            let database = try TestDatabase.open(FileSystemDisk(path: path))
            #expect(try model.difference(from: database.snapshot()) == nil, "\(seed)")
        }
    }

    @Test func `a directory in use is not opened a second time`() throws {
        let disk = FaultyDisk()
        let database = try TestDatabase.open(disk)
        let error = #expect(throws: LogError.self) { _ = try TestDatabase.open(disk) }
        guard case .disk(let reason) = error else {
            Issue.record("expected a disk error, got \(error as Any)")
            return
        }
        #expect(reason.errno == EWOULDBLOCK)
        try database.close()
    }

    @Test func `a record that the database cannot apply is refused with its place, not skipped`() throws {
        // A drop of a collection that is not there, in a log that is otherwise whole.
        let disk = FaultyDisk()
        try TestDatabase.append(LogEntry(type: 2, payload: [7, 0, 0, 0]), to: disk)
        let error = #expect(throws: LogError.self) { _ = try TestDatabase.open(disk) }
        guard case .corruption(let corruption) = error else {
            Issue.record("expected corruption, got \(error as Any)")
            return
        }
        #expect(corruption.file == "log-0000000000000001")
        #expect(corruption.offset == 64 + 32)
    }

    /// An upsert of one document, in `TestDatabase`'s collection, with one thing in it that no encoder lets pass.
    private static func upsertRecord(id: [UInt8] = [97], parent: [UInt8]? = nil, weight: Double? = nil, vector: [Float] = [1, 2]) -> [UInt8] {
        var record = ByteWriter()
        record.write(UInt32(1))
        record.write(UInt32(1))
        record.writeBlob(id.rawSpan)
        record.write(UInt64(1))
        record.write(UInt64(2))
        var content = ByteWriter()
        content.write(UInt8(parent == nil ? 0 : 2))
        if let parent { content.writeBlob(parent.rawSpan) }
        content.write(UInt16(weight == nil ? 0 : 1))
        if let weight {
            content.write(UInt16(3))
            content.write(weight)
        }
        content.write(UInt32(1))
        content.write(UInt8(0))
        content.write(UInt8(1))
        content.write(UInt8(0))
        for number in vector { content.write(number) }
        record.writeBlob(content.bytes)
        return record.finish()
    }

    @Test func `a record is refused on replay for whatever a write would be refused for`() throws {
        // Found by fuzzing: numbers that JSON has no word for, and ids that are no text, got in and ended the daemon when
        // somebody asked for them.
        let records: [(record: [UInt8], isSound: Bool)] = [
            (Self.upsertRecord(), true), (Self.upsertRecord(parent: [98], weight: 0.5), true),
            (Self.upsertRecord(vector: [.nan, 1]), false), (Self.upsertRecord(vector: [1, .infinity]), false),
            (Self.upsertRecord(vector: [0, 0]), false), (Self.upsertRecord(vector: [.greatestFiniteMagnitude, 1]), false),
            (Self.upsertRecord(weight: .nan), false), (Self.upsertRecord(weight: -.infinity), false),
            (Self.upsertRecord(id: [0xFF]), false), (Self.upsertRecord(id: []), false),
            (Self.upsertRecord(id: [UInt8](repeating: 97, count: 513)), false), (Self.upsertRecord(parent: [0xC3]), false),
        ]
        for (number, (record, isSound)) in records.enumerated() {
            let disk = FaultyDisk()
            _ = try TestDatabase.open(disk).write(.createCollection(.everything()))
            try TestDatabase.append(LogEntry(type: 3, payload: record), to: disk)
            var refusal: Corruption?
            do { _ = try TestDatabase.open(disk.afterRestart()) } catch .corruption(let corruption) { refusal = corruption }
            #expect((refusal == nil) == isSound, "record \(number): \(String(describing: refusal))")
        }
    }
}
