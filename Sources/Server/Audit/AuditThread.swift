// The thread that brings what has been audited into files, behind the requests.
import Engine
import Logging
import NIOConcurrencyHelpers
import NIOPosix
import Synchronization

/// Flushes an audit log ten times a second, and once a second to the device, until it is stopped: then it ends the log.
///
/// A thread of its own, because a sync may take a second, and neither answers nor checkpoints wait for the log.
final class AuditThread: Sendable {
    private let log: AuditLog
    private let flushSeconds: Double
    private let logger: Logger
    /// Whether the end has come.
    private let bell = ConditionLock(value: false)
    private let thread = NIOThreadPool(numberOfThreads: 1)
    private static let betweenSyncs = Duration.seconds(1)

    init(log: AuditLog, flushMilliseconds: Int, logger: Logger) {
        self.log = log
        flushSeconds = Double(flushMilliseconds) / 1000
        self.logger = logger
        thread.start()
        thread.submit { _ in self.run() }
    }

    /// Returns when everything is on the device, or cannot be brought there.
    func stop() async throws {
        bell.lock()
        bell.unlock(withValue: true)
        try await thread.shutdownGracefully()
    }

    private func run() {
        var synced = ContinuousClock.now
        var told: String?
        repeat {
            let isSyncDue = ContinuousClock.now - synced >= Self.betweenSyncs
            log.flush(nowMilliseconds: WallClock.nowMilliseconds, syncing: isSyncDue)
            if isSyncDue { synced = .now }
            tell(log.statistics.failure, after: &told)
        } while !isStopped
        log.close(nowMilliseconds: WallClock.nowMilliseconds)
        tell(log.statistics.failure, after: &told)
    }

    /// Waits for the time of the next flush, unless much has come meanwhile.
    private var isStopped: Bool {
        let seconds = log.isPressing ? 0.001 : flushSeconds
        guard bell.lock(whenValue: true, timeoutSeconds: seconds) else { return false }
        bell.unlock()
        return true
    }

    /// Each trouble once, and its end.
    private func tell(_ failure: String?, after told: inout String?) {
        guard failure != told else { return }
        told = failure
        if let failure {
            logger.error("the audit log is not whole; reads go on, and those that are lost to it are counted", metadata: ["reason": "\(failure)"])
        } else {
            logger.notice("the audit log goes on", metadata: ["lost": "\(log.statistics.lost)"])
        }
    }
}
