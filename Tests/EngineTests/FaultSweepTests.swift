// Faults of every kind at every call of scripted workloads, and of the recovery after them.
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

@Suite struct FaultSweepTests {
    /// Random writes, with the maintenance of a busy day between them.
    private static func workload(_ seed: UInt64, writes count: Int, maintaining: Bool) -> [Step] {
        var random = SeededRandom(seed: seed)
        var model = Model()
        var steps: [Step] = []
        var written = 0
        while written < count {
            let write = RandomInput.write(on: model, using: &random)
            let before = model.sequence
            do throws(Refusal) { _ = try model.apply(write) } catch { continue }
            if model.sequence == before { continue }
            steps.append(.write(write))
            written += 1
            if maintaining, written % 3 == 0 { steps.append([.checkpoint, .createSnapshot("s\(written)"), .optimize, .dropSnapshot("s3")][written / 3 % 4]) }
            if maintaining, written == 4 || written == 13 { steps += [.checkpoint, .index] }
            if written == count / 2 { steps.append(.reopen) }
        }
        return steps
    }

    private static let workloads = [workload(TestSeed(71).value, writes: 10, maintaining: false), workload(TestSeed(72).value, writes: 14, maintaining: true)]

    /// Lives through the steps on a disk with a fault. Nil where it did not even open.
    private static func live(_ steps: [Step], on disk: FaultyDisk, _ comment: String) throws -> Witness.Knowledge {
        var witness: Witness
        do throws(LogError) { witness = try Witness(disk, seed: 3) } catch {
            guard case .disk = error else { throw error }
            return Witness.Knowledge()
        }
        for step in steps { guard try witness.run(step, seed: 4, comment) else { break } }
        return witness.known
    }

    private static let errors: [DiskFault.Effect] = [
        .error(EIO, isForever: false), .error(EIO, isForever: true), .error(ENOSPC, isForever: false), .error(ENOSPC, isForever: true),
        .error(EROFS, isForever: true), .powerCut,
    ]

    @Test(arguments: 0..<2, 0..<6)
    func `a fault at any call of a workload loses nothing acknowledged`(workload: Int, effect: Int) throws {
        for index in 0..<2000 {
            let disk = FaultyDisk()
            disk.plan(DiskFault(Self.errors[effect], at: index))
            let comment = "workload \(workload), \(Self.errors[effect]) at call \(index)"
            let known = try Self.live(Self.workloads[workload], on: disk, comment)
            for crash in [Crash.clean, Crash(.kept, names: .kept), Crash(.scattered(seed: UInt64(index)), names: .kept)] {
                try Witness.check(disk.afterCrash(crash), known, seed: 5, "\(comment), \(crash)")
            }
            try Witness.check(disk.afterRestart(), known, seed: 6, "\(comment), restarted")
            if !disk.hasFailed { return }
        }
        Issue.record("the workload never ended")
    }

    @Test(arguments: 0..<2, 0..<6)
    func `a fault at any call of a recovery changes nothing of what the next one finds`(workload: Int, effect: Int) throws {
        // What a process that was killed half way through leaves behind.
        let before = FaultyDisk()
        let known = try Self.live(Array(Self.workloads[workload].dropLast(2)), on: before, "before")
        for index in 0..<500 {
            let disk = before.afterRestart()
            disk.plan(DiskFault(Self.errors[effect], at: index))
            var isOpen = true
            do throws(LogError) { _ = try TestDatabase.open(disk, seed: 7) } catch {
                guard case .disk = error else { throw error }
                isOpen = false
            }
            let comment = "recovery \(workload), \(Self.errors[effect]) at call \(index)"
            try Witness.check(disk.afterCrash(.clean), known, seed: 8, comment)
            try Witness.check(disk.afterRestart(), known, seed: 9, "\(comment), restarted")
            if !disk.hasFailed {
                #expect(isOpen)
                return
            }
        }
        Issue.record("the recovery never ended")
    }

    /// A device that lies loses what it likes; what is found is whole, or refused.
    @Test(arguments: 0..<2, [DiskCall.sync, .syncDirectory])
    func `after syncs that lied a database shows an earlier state or refuses to open`(workload: Int, kind: DiskCall) throws {
        for index in 0..<500 {
            for isForever in [false, true] {
                let disk = FaultyDisk()
                disk.plan(DiskFault(.lie(isForever: isForever), at: index, of: kind))
                var witness = try Witness(disk, seed: 3)
                var states = [Model()]
                for step in Self.workloads[workload] {
                    guard try witness.run(step, seed: 4, "lie \(index)") else { break }
                    states.append(witness.known.acknowledged)
                }
                switch Result(catching: { () throws(LogError) in try TestDatabase.open(disk.afterCrash(.clean), seed: 5).snapshot() }) {
                case .success(let found):
                    let states = states
                    let differences = states.map { state in Result { () throws(EngineError) in try state.difference(from: found) } }
                    // Or it says that it cannot show all.
                    let isTrue = differences.contains { if case .success(nil) = $0 { true } else if case .failure(let error) = $0 { error.code == .dataDamaged } else { false } }
                    #expect(isTrue, "workload \(workload), \(kind) \(index) lied, forever: \(isForever)")
                    // An index may have outlived what it was built after.
                    for (state, difference) in zip(states, differences) {
                        guard case .success(nil) = difference else { continue }
                        let again = try Witness(disk.afterCrash(.clean), seed: 5, known: Witness.Knowledge(acknowledged: state))
                        try again.searchByIndexes(seed: UInt64(index), "workload \(workload), \(kind) \(index) lied")
                    }
                case .failure(.corruption): break
                case .failure(let error): throw error
                }
                if !disk.hasFailed { return }
            }
        }
        Issue.record("the workload never ended")
    }

    @Test(arguments: 0..<2)
    func `a flipped bit anywhere is refused, told with every answer that lacks something, or harmless`(workload: Int) throws {
        let disk = FaultyDisk()
        let known = try Self.live(Self.workloads[workload], on: disk, "before")
        var outcomes = (refused: 0, told: 0, harmless: 0)
        for name in disk.names where name != Reserve.name {
            let bytes = disk[name]!  // It is there: it was listed.
            for at in stride(from: 0, to: bytes.count, by: max(1, bytes.count / 400)) {
                let damaged = disk.afterRestart()
                damaged.flip(name, byte: at, bit: at % 8)
                do throws(LogError) {
                    let database = try TestDatabase.open(damaged, seed: 5)
                    switch Result(catching: { () throws(EngineError) in try known.acknowledged.difference(from: database.snapshot()) }) {
                    case .success(nil): outcomes.harmless += 1
                    case .success(let difference?): Issue.record("\(name) at \(at): \(difference)")
                    case .failure(let error):
                        #expect(error.code == .dataDamaged, "\(name) at \(at): \(error)")
                        outcomes.told += 1
                    }
                } catch {
                    guard case .corruption(let corruption) = error else { throw error }
                    #expect(!corruption.file.isEmpty)
                    outcomes.refused += 1
                }
            }
        }
        print("flipped bits of workload \(workload): \(outcomes)")
        #expect(outcomes.refused > 100)
        if workload == 1 { #expect(outcomes.told > 100) }
    }

    @Test func `however full the disk, deletions succeed, reads go on, and writes once there is space again`() throws {
        let steps = Self.workload(TestSeed(73).value, writes: 20, maintaining: true)
        let ample = FaultyDisk()
        _ = try Self.live(steps, on: ample, "ample")
        var refused = 0
        for capacity in stride(from: 6000, to: ample.usedBytes + 4000, by: 61) {
            let disk = FaultyDisk()
            var witness = try Witness(disk, seed: 3)
            let document = DocumentInput("to be deleted")
            guard try witness.run(.write(.createCollection(.everything(name: "d"))), seed: 4, "\(capacity)"),
                try witness.run(.write(.put(document, into: "d")), seed: 4, "\(capacity)")
            else { throw Broken("the disk is not full yet") }
            disk.capacity = capacity
            for step in steps { guard try witness.run(step, seed: 4, "capacity \(capacity)") else { throw Broken("stopped at capacity \(capacity): \(witness.lastFailure)") } }
            let before = witness.known.acknowledged.sequence
            _ = try witness.run(.write(.put(DocumentInput("one more"), into: "d")), seed: 5, "capacity \(capacity)")
            if witness.known.acknowledged.sequence == before { refused += 1 }
            guard try witness.run(.write(.delete(DeleteInput(collection: "d", ids: ["to be deleted"]))), seed: 5, "capacity \(capacity)"),
                witness.known.acknowledged.collections["d"]?.nodes[Text("to be deleted")] == nil
            else { throw Broken("a deletion was refused at capacity \(capacity)") }
            try witness.settle("capacity \(capacity)")
            disk.capacity = nil
            let full = witness.known.acknowledged.sequence
            _ = try witness.run(.write(.put(DocumentInput("another"), into: "d")), seed: 6, "capacity \(capacity)")
            #expect(witness.known.acknowledged.sequence == full + 1, "capacity \(capacity)")
            try Witness.check(disk.afterCrash(.clean), witness.known, seed: 7, "capacity \(capacity)")
        }
        #expect(refused > 10)
    }
}
