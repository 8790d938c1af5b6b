// The thread that works behind the requests: checkpoints, compaction, and what operators ask for.
import Engine
import Logging
import NIOConcurrencyHelpers
import NIOPosix
import Synchronization

/// Does a database's background work whenever there is some, and orders of operators before that.
///
/// It sleeps until it is poked, by a commit that finds a checkpoint due or by an order. Once a second it looks by itself: what
/// deletions leave to compact is not urgent, and looking after each of them would cost more than they do. After a failure
/// it tries again, so that a disk that was full needs nobody to start anything.
final class MaintenanceThread: Sendable {
    /// What an operator can ask for; it is answered with the sequence that is then covered by files.
    enum Order: Sendable {
        case checkpoint
        case optimize(collection: String?)
    }

    typealias Completion = @Sendable (Result<UInt64, EngineError>) -> Void

    private struct Orders {
        var waiting: [(order: Order, completion: Completion)] = []
        var isClosed = false
    }

    private let database: Database
    private let pace: MaintenancePace
    private let damage: DamageLog
    private let logger: Logger
    private let orders = Mutex(Orders())
    /// Whether anything has happened since work was last looked for.
    private let bell = ConditionLock(value: false)
    private let thread = NIOThreadPool(numberOfThreads: 1)
    private static let secondsBetweenLooks = 1.0

    init(database: Database, meter: ForegroundMeter, damage: DamageLog, logger: Logger) {
        self.database = database
        self.damage = damage
        self.logger = logger
        pace = MaintenancePace(database: database, meter: meter)
        thread.start()
        thread.submit { _ in self.run() }
    }

    /// To be called behind every commit. Two loads, unless a checkpoint is due.
    func committed() {
        if database.isCheckpointDue { poke() }
    }

    private func poke() {
        bell.lock()
        bell.unlock(withValue: true)
    }

    /// `completion` runs once, on some thread.
    func submit(_ order: Order, completion: @escaping Completion) {
        let isClosed = orders.withLock { orders in
            if !orders.isClosed { orders.waiting.append((order, completion)) }
            return orders.isClosed
        }
        if isClosed { completion(.failure(MaintenancePace.stopped)) } else { poke() }
    }

    /// Gives up the work under way and refuses what waits. What was given up is begun anew after the next start.
    func stop() async throws {
        pace.stop()
        poke()
        try await thread.shutdownGracefully()
    }

    // MARK: The thread

    private func run() {
        var failures = FailureHistory()
        /// Up to which sequence there was nothing to do.
        var seen: UInt64?
        while !pace.isStopped {
            if let next = nextOrder() {
                next.completion(carryOut(next.order))
                seen = nil
                continue
            }
            let sequence = database.snapshot().sequence
            if seen != sequence, failures.mayTry {
                switch work(&failures) {
                case .worked: continue
                case .nothingToDo: seen = sequence
                case .failed: break
                }
            }
            waitForBell()
        }
        for next in closeOrders() { next.completion(.failure(MaintenancePace.stopped)) }
    }

    private func waitForBell() {
        if bell.lock(whenValue: true, timeoutSeconds: Self.secondsBetweenLooks) { bell.unlock(withValue: false) }
    }

    private enum Look {
        case worked, nothingToDo, failed
    }

    private func work(_ failures: inout FailureHistory) -> Look {
        do {
            let hasWorked = try pace.during { (pace) throws(EngineError) in try database.maintain(pace) }
            if failures.hasEnded() { logger.notice("background work goes on") }
            return hasWorked ? .worked : .nothingToDo
        } catch {
            guard !pace.isStopped else { return .failed }
            damage.report(database.snapshot())
            if failures.isNew(error) { logger.warning("background work failed and will be tried again", metadata: ["error": "\(error)"]) }
            return .failed
        }
    }

    // MARK: Orders

    private func nextOrder() -> (order: Order, completion: Completion)? {
        orders.withLock { $0.waiting.isEmpty ? nil : $0.waiting.removeFirst() }
    }

    private func closeOrders() -> [(order: Order, completion: Completion)] {
        orders.withLock { orders in
            orders.isClosed = true
            defer { orders.waiting = [] }
            return orders.waiting
        }
    }

    private func carryOut(_ order: Order) -> Result<UInt64, EngineError> {
        do throws(EngineError) {
            try pace.during { (pace) throws(EngineError) in
                switch order {
                case .checkpoint: try database.checkpoint(pace)
                case .optimize(let collection): try database.optimize(collection, pace)
                }
            }
            return .success(database.coveredSequence)
        } catch {
            if error.code == .dataDamaged { damage.report(database.snapshot()) }
            return .failure(error)
        }
    }
}

/// When to try again after failures, and which of them have been told.
struct FailureHistory {
    private static let firstPause = Duration.seconds(1)
    private static let longestPause = Duration.seconds(30)

    private var last: String?
    private var pause = firstPause
    private var nextTry: ContinuousClock.Instant?

    var mayTry: Bool { nextTry.map { ContinuousClock.now >= $0 } ?? true }

    /// Whether this one has not been told of just now.
    mutating func isNew(_ error: EngineError) -> Bool {
        nextTry = .now + pause
        pause = min(pause * 2, Self.longestPause)
        // The number of the file that could not be written is another one with every try.
        let text = "\(error)".filter { !$0.isNumber }
        defer { last = text }
        return text != last
    }

    /// Whether there were failures until now.
    mutating func hasEnded() -> Bool {
        defer { self = FailureHistory() }
        return last != nil
    }
}
