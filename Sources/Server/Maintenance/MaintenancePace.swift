// How fast background work may go: as fast as it can, until those who ask for answers feel it.
#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif
import Engine
import Synchronization

/// The numbers of the pace. What they do to searches during an `optimize` is in Server.docc/Decisions.md.
enum PaceLimits {
    /// Requests may take so many times as long as usual before background work makes room.
    static let slowdownMax = 1.5
    /// A pause between two steps, of about a megabyte each: doubled while requests are slow, halved while they are not.
    static let pauseMicrosecondsMin = 500
    static let pauseMicrosecondsMax = 40_000
    /// The newest request counts for 1/32 of what is usual, and for 1/8 of how slow requests are now.
    static let usualShift = 5
    static let slowdownShift = 3
    /// A single request says no more than this, lest one that met a long sync stops all work.
    static let slowdownOfOneMax = 8.0
}

/// Requests that are alike in how long they take: one operation, one power of two of work.
struct RequestWeight: Sendable {
    enum Kind: Int {
        case read, search, write
    }

    let index: Int

    /// `work` is a measure of it in any unit: what doubles the time doubles it.
    init(_ kind: Kind, work: Int) { index = kind.rawValue * 64 + (63 - max(work, 1).leadingZeroBitCount) }
}

/// How long requests take, queueing and service, compared with how long such requests take while no background work runs.
///
/// Requests are compared with their like, so it does not matter that a search takes a thousand times as long as a `get`, nor
/// which of them are asked for when. Two threads may overwrite each other's mean, which then lacks one request of
/// thousands: nothing here is worth a lock.
final class ForegroundMeter: Sendable {
    /// By weight: nanoseconds without background work; 0 where there has been none of them.
    private let usual = InlineArray<192, Atomic<Int>> { _ in Atomic(0) }
    /// In thousandths, while background work runs.
    private let slowdownNow = Atomic<Int>(1000)
    private let underWay = Atomic<Int>(0)
    private let answered = Atomic<Int>(0)
    /// Pieces of background work that have come to their first step.
    private let working = Atomic<Int>(0)

    /// A request has been taken up; `end` or `abandon` follows.
    func begin() { underWay.add(1, ordering: .relaxed) }

    /// It waits for something else than its turn: its time says nothing.
    func abandon() { underWay.subtract(1, ordering: .relaxed) }

    func end(_ weight: RequestWeight, took: Duration) {
        underWay.subtract(1, ordering: .relaxed)
        answered.add(1, ordering: .relaxed)
        let nanoseconds = max(1, Int(took / .nanoseconds(1)))
        let before = usual[weight.index].load(ordering: .relaxed)
        if working.load(ordering: .relaxed) == 0 {
            let after = before == 0 ? nanoseconds : before + (nanoseconds - before) >> PaceLimits.usualShift
            usual[weight.index].store(after, ordering: .relaxed)
        } else if before > 0 {
            let one = min(Double(nanoseconds) / Double(before), PaceLimits.slowdownOfOneMax)
            let mean = slowdownNow.load(ordering: .relaxed)
            slowdownNow.store(mean + (Int(one * 1000) - mean) >> PaceLimits.slowdownShift, ordering: .relaxed)
        }
    }

    // MARK: Background work

    var slowdown: Double { Double(slowdownNow.load(ordering: .relaxed)) / 1000 }
    /// Grows with every request answered.
    var answeredCount: Int { answered.load(ordering: .relaxed) }
    var isServing: Bool { underWay.load(ordering: .relaxed) > 0 }

    /// `workEnds` follows. More than one piece may be under way.
    func workBegins() {
        guard working.add(1, ordering: .relaxed).oldValue == 0 else { return }
        slowdownNow.store(1000, ordering: .relaxed)
    }

    func workEnds() { working.subtract(1, ordering: .relaxed) }
}

/// Makes background work pause where requests suffer from it. It does not where there are none, nor where the log has
/// grown so long that writers would soon have to wait for this very work.
final class MaintenancePace: Sendable {
    private let database: Database
    private let meter: ForegroundMeter
    private let isStopping: Atomic<Bool>
    private let pauseMicroseconds = Atomic<Int>(0)
    private let answeredBefore = Atomic<Int>(0)
    /// Whether the work under way has come to its first step.
    private let hasBegun = Atomic<Bool>(false)

    init(database: Database, meter: ForegroundMeter) {
        self.database = database
        self.meter = meter
        isStopping = Atomic(false)
    }

    /// Runs a piece of work. From its first step on requests are held against what is usual.
    func during<T>(_ work: (Pace) throws(EngineError) -> T) throws(EngineError) -> T {
        pauseMicroseconds.store(0, ordering: .relaxed)
        defer { if hasBegun.exchange(false, ordering: .relaxed) { meter.workEnds() } }
        return try work(Pace { _ throws(EngineError) in try self.step() })
    }

    /// Has the work under way given up at its next step.
    func stop() { isStopping.store(true, ordering: .relaxed) }
    var isStopped: Bool { isStopping.load(ordering: .relaxed) }

    static let stopped = EngineError(.readOnly, "the daemon is about to end: the work was given up, and changed nothing")

    private func step() throws(EngineError) {
        if isStopped { throw Self.stopped }
        // Looking for work that is not there never comes here.
        if !hasBegun.exchange(true, ordering: .relaxed) { meter.workBegins() }
        let pause = nextPause()
        pauseMicroseconds.store(pause, ordering: .relaxed)
        if pause > 0 { usleep(UInt32(pause)) }
    }

    private func nextPause() -> Int {
        let answered = meter.answeredCount
        let isServing = answered != answeredBefore.load(ordering: .relaxed) || meter.isServing
        answeredBefore.store(answered, ordering: .relaxed)
        guard isServing, !database.isBacklogPressing else { return 0 }
        let pause = pauseMicroseconds.load(ordering: .relaxed)
        if meter.slowdown > PaceLimits.slowdownMax {
            return min(max(2 * pause, PaceLimits.pauseMicrosecondsMin), PaceLimits.pauseMicrosecondsMax)
        }
        return pause / 2 < PaceLimits.pauseMicrosecondsMin ? 0 : pause / 2
    }
}
