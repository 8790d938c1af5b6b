// The daemon's life: open, listen, serve, drain, close.
#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif
import Engine
package import Logging
import ServiceLifecycle
import Storage

/// How a daemon is to run.
package struct DaemonConfiguration: Sendable {
    package var dataPath: String
    package var host = "127.0.0.1"
    package var port = 7621
    /// Threads that search and write; the sockets have one of their own.
    package var workers: Int
    /// How long a connection may leave a line unfinished, or its answers unread, before it is closed.
    package var patienceSeconds = 10
    /// MiB of log after which it is brought into files.
    package var checkpointMebibytes = 40.0
    /// The file that says whose tokens are valid; nil where none is asked for.
    package var authenticationPath: String?
    /// Which reads go into the audit log.
    package var audit = AuditPolicy.enforced
    /// What the audit log's files may come to; 0 keeps none.
    package var auditMebibytes = 1024
    /// How long a record may wait in memory.
    package var auditFlushMilliseconds = 100

    package init(dataPath: String, workers: Int) {
        self.dataPath = dataPath
        self.workers = workers
    }
}

/// Why a daemon did not start or did not stop cleanly, for the person who started it.
package struct DaemonError: Error, CustomStringConvertible {
    package var description: String
}

/// A running daemon, from the first line of its log to the last.
package struct Daemon: Service {
    package static let version = "0.1.0"

    private let configuration: DaemonConfiguration
    private let logger: Logger
    /// Called once connections are accepted, with the port.
    private let onReady: @Sendable (Int) -> Void

    package init(_ configuration: DaemonConfiguration, logger: Logger, onReady: @escaping @Sendable (Int) -> Void = { _ in }) {
        self.configuration = configuration
        self.logger = logger
        self.onReady = onReady
    }

    /// Serves until a graceful shutdown is asked for.
    package func run() async throws {
        let authenticator = try await authenticator()
        raiseFileLimit()
        let database = try open()
        let auditLog = try openAudit()
        let workers = Workers(count: configuration.workers)
        let damage = DamageLog(logger: logger)
        damage.report(database.snapshot())
        let meter = ForegroundMeter()
        let maintenance = MaintenanceThread(database: database, meter: meter, damage: damage, logger: logger)
        let indexes = IndexThread(database: database, meter: meter, logger: logger)
        let audit = auditLog.map { AuditThread(log: $0, flushMilliseconds: configuration.auditFlushMilliseconds, logger: logger) }
        let handler = RequestHandler(
            database: database, version: Self.version, dataPath: configuration.dataPath, workers: configuration.workers,
            authenticator: authenticator, maintenance: maintenance, damage: damage, meter: meter,
            audit: auditLog.map { Audit(log: $0, policy: configuration.audit) })
        let listener = try await listen(handler, workers)
        logger.notice("ready", metadata: ["address": "\(listener.host):\(listener.port)", "seq": "\(database.snapshot().sequence)"])
        onReady(listener.port)
        do { try await gracefulShutdown() } catch is CancellationError {
            // Cancelled instead of asked: the same end.
        }
        logger.notice("stopping")
        // First, as requests may be waiting for it. No last checkpoint: the next start replays seconds of log at most, and
        // whoever stops a daemon waits for it.
        try await indexes.stop()
        try await maintenance.stop()
        try await listener.drain()
        try await workers.stop()
        try await listener.stop()
        // Last, as those are in it whose answers have just gone out.
        try await audit?.stop()
        do { try database.close() } catch { throw DaemonError(description: "closing the database: \(error)") }
        logger.notice("stopped", metadata: ["seq": "\(database.snapshot().sequence)"])
    }

    /// Without authentication every connection may do everything, so only this machine may connect.
    private func authenticator() async throws -> Authenticator? {
        guard let path = configuration.authenticationPath else {
            guard Self.isLoopback(configuration.host) else {
                throw DaemonError(description: "refusing to listen on \(configuration.host): without --auth everybody may do everything, so only the loopback addresses are served (127.0.0.1, ::1)")
            }
            logger.notice("no authentication: every local connection is service, writer, reader and admin")
            return nil
        }
        let authenticator: Authenticator
        do { authenticator = try await Authenticator(AuthenticationConfiguration(path: path)) } catch { throw DaemonError(description: "cannot use --auth: \(error)") }
        if !Self.isLoopback(configuration.host) {
            logger.warning("lines travel in the clear, tokens among them: TLS is not built, so let \(configuration.host) be reached through a trusted network or a proxy alone")
        }
        return authenticator
    }

    /// Connections and files share one limit, usually 1,024 and meant to be raised. At it the log could not start its
    /// next file, which would stop all writing, because of too many readers.
    private func raiseFileLimit() {
        var limit = rlimit()
        let files = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        // Sound: both calls use the structure only while they run.
        guard unsafe getrlimit(files, &limit) == 0 else { return }
        let wanted = min(limit.rlim_max, rlim_t(2 * ServerLimits.connectionsMax))
        if limit.rlim_cur < wanted {
            limit.rlim_cur = wanted
            if unsafe setrlimit(files, &limit) != 0 { _ = unsafe getrlimit(files, &limit) }
        }
        if limit.rlim_cur < rlim_t(ServerLimits.connectionsMax + 64) {
            logger.warning("only \(limit.rlim_cur) files and connections may be open at once: raise the limit (ulimit -n)")
        }
    }

    /// `127.0.0.1.example.org` is no address but a name, and may be anybody's.
    private static func isLoopback(_ host: String) -> Bool {
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        return host == "localhost" || host == "::1" || parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
    }

    /// Writers wait for a checkpoint once the log is three times as long as makes one due.
    private var sizes: DatabaseSizes {
        var sizes = DatabaseSizes()
        sizes.checkpointBytes = Int(configuration.checkpointMebibytes * 0x1p20)
        sizes.backlogBytesMax = 3 * sizes.checkpointBytes + 8 << 20
        return sizes
    }

    private func open() throws -> Database {
        let start = ContinuousClock.now
        do {
            let disk: FileSystemDisk
            do { disk = try FileSystemDisk(path: configuration.dataPath) } catch { throw LogError.disk(error) }
            let database = try Database(disk: disk, sizes: sizes, randomness: { UInt64.random(in: .min ... .max) })
            let took = ContinuousClock.now - start
            logger.notice("opened", metadata: ["data": "\(configuration.dataPath)", "seq": "\(database.snapshot().sequence)", "took": "\(took)"])
            return database
        } catch { throw DaemonError(description: "cannot open the database in \(configuration.dataPath): \(error)") }
    }

    /// In a directory of its own, so that nothing that is copied or restored takes it along.
    private func openAudit() throws -> AuditLog? {
        guard configuration.audit != .off, configuration.auditMebibytes > 0 else { return nil }
        let path = configuration.dataPath + "/" + AuditLog.directoryName
        do {
            return try AuditLog(
                disk: try FileSystemDisk(path: path), sizes: AuditSizes(totalBytes: configuration.auditMebibytes << 20),
                nowMilliseconds: WallClock.nowMilliseconds)
        } catch { throw DaemonError(description: "cannot open the audit log in \(path): \(error); --audit off serves without one") }
    }

    private func listen(_ handler: RequestHandler, _ workers: Workers) async throws -> Listener {
        do {
            return try await Listener(
                host: configuration.host, port: configuration.port, patienceSeconds: configuration.patienceSeconds, handler: handler,
                workers: workers, logger: logger)
        } catch {
            throw DaemonError(description: "cannot listen on \(configuration.host):\(configuration.port): \(error)")
        }
    }
}
