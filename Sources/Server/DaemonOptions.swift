// The flags of a daemon and its life under signals, shared by `needletaild` and `needletail serve`.
#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif
import ArgumentParser
import Logging
import NIOCore
import ServiceLifecycle
import UnixSignals

/// What can be said to a daemon on its command line.
package struct DaemonOptions: ParsableArguments {
    @Option(help: "The database directory; created where it is missing.")
    var data: String

    @Option(help: "The address to listen on: without --auth one that only this machine reaches.")
    var host = "127.0.0.1"

    @Option(help: "The port to listen on; 0 takes a free one.")
    var port = 7621

    @Option(help: "A file with the digests of keys and the keys of tokens; without, every local connection may do everything.")
    var auth: String?

    @Option(help: "Threads that search and write; as many as there are processors by default.")
    var workers: Int?

    @Option(help: "Seconds that a connection may leave a line unfinished, or its answers unread.")
    var patience = 10

    @Option(help: "MiB of log after which it is brought into files; a start replays about so much.")
    var checkpointMib = 40.0

    @Option(help: "Which reads the audit log records: those of collections that enforce rights (enforced), of all, or none (off).")
    var audit = AuditPolicy.enforced

    @Option(help: "MiB that the audit log's files may come to, the oldest going first; 0 keeps none.")
    var auditMib = 1024

    @Option(help: "Milliseconds that an audited read may wait in memory.")
    var auditFlushMs = 100

    @Flag(help: "Log warnings and errors only.")
    var quiet = false

    package init() {}

    package func validate() throws {
        guard (0...65535).contains(port) else { throw ValidationError("--port must be 0 to 65535") }
        if let workers, !(1...1024).contains(workers) { throw ValidationError("--workers must be 1 to 1024") }
        guard (0.001...ServerLimits.checkpointMebibytesMax).contains(checkpointMib) else {
            throw ValidationError("--checkpoint-mib must be 0.001 to \(ServerLimits.checkpointMebibytesMax)")
        }
        guard (0...ServerLimits.auditMebibytesMax).contains(auditMib) else {
            throw ValidationError("--audit-mib must be 0 to \(ServerLimits.auditMebibytesMax)")
        }
        guard (1...1000).contains(auditFlushMs) else { throw ValidationError("--audit-flush-ms must be 1 to 1000") }
        guard (1...ServerLimits.patienceSecondsMax).contains(patience) else {
            throw ValidationError("--patience must be 1 to \(ServerLimits.patienceSecondsMax)")
        }
    }

    /// Runs a daemon until SIGTERM or SIGINT. Prints the address on standard output once it accepts connections,
    /// which is what scripts wait for; the log goes to standard error.
    package func run() async throws {
        LoggingSystem.bootstrap { StreamLogHandler.standardError(label: $0) }
        var logger = Logger(label: "needletaild")
        logger.logLevel = quiet ? .warning : .notice
        var configuration = DaemonConfiguration(dataPath: data, workers: workers ?? System.coreCount)
        configuration.host = host
        configuration.port = port
        configuration.patienceSeconds = patience
        configuration.checkpointMebibytes = checkpointMib
        configuration.authenticationPath = auth
        configuration.audit = audit
        configuration.auditMebibytes = auditMib
        configuration.auditFlushMilliseconds = auditFlushMs
        let host = host
        let daemon = Daemon(configuration, logger: logger) { port in
            print("listening on \(host):\(port)")
            // A pipe is not a terminal: without this the line would wait for company.
            fflush(nil)
        }
        // The group tells of itself at levels that matter to nobody here.
        logger.logLevel = .error
        try await ServiceGroup(
            configuration: ServiceGroupConfiguration(services: [daemon], gracefulShutdownSignals: [.sigterm, .sigint], logger: logger)
        ).run()
    }
}
