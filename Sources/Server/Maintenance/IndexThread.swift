// The thread that builds indexes behind the requests, beside checkpoints and compaction.
import Engine
import Logging
import NIOCore
import NIOPosix
#if canImport(Glibc)
import Glibc
#endif

/// Gives segments their indexes and checks those found at the start. It has a thread of its own because an index takes as long as
/// many checkpoints, which the log cannot wait for, and low priority because searches are answered without it, only slower.
final class IndexThread: Sendable {
    private let database: Database
    private let pace: MaintenancePace
    private let logger: Logger
    private let thread = NIOThreadPool(numberOfThreads: 1)
    private static let microsecondsBetweenLooks: UInt32 = 200_000
    /// How much more willing to wait than the threads that answer, as `nice` counts.
    private static let niceness: Int32 = 10

    init(database: Database, meter: ForegroundMeter, logger: Logger) {
        self.database = database
        self.logger = logger
        pace = MaintenancePace(database: database, meter: meter)
        thread.start()
        thread.submit { _ in self.run() }
    }

    /// Gives up the work under way, which is begun anew after the next start.
    func stop() async throws {
        pace.stop()
        try await thread.shutdownGracefully()
    }

    /// Half of the processors: the other half answers.
    private static let threads = max(1, System.coreCount / 2)

    private func run() {
        #if os(Linux)
        // On Linux a thread has a priority of its own, which those that it starts inherit.
        _ = setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, Self.niceness)
        #endif
        var failures = FailureHistory()
        while !pace.isStopped {
            if failures.mayTry, work(&failures) { continue }
            usleep(Self.microsecondsBetweenLooks)
        }
    }

    /// Whether there was something to do.
    private func work(_ failures: inout FailureHistory) -> Bool {
        do {
            let hasWorked = try pace.during { (pace) throws(EngineError) in try database.maintainIndexes(threads: Self.threads, pace) }
            if failures.hasEnded() { logger.notice("indexes are built again") }
            return hasWorked
        } catch {
            if !pace.isStopped, failures.isNew(error) {
                logger.warning("an index could not be built; the segment is searched without, and it will be tried again", metadata: ["error": "\(error)"])
            }
            return false
        }
    }
}
