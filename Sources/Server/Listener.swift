// Accepts connections and gives each its session.
import Engine
import Logging
import NIOCore
import NIOPosix
import Synchronization
import Wire

/// A bound socket and its connections.
final class Listener: Sendable {
    private let channel: any Channel
    private let sessions: Sessions
    private let loops: MultiThreadedEventLoopGroup

    let host: String
    let port: Int

    /// Binds and begins to accept. Throws NIO's error where the address is not to be had.
    init(host: String, port: Int, patienceSeconds: Int, handler: RequestHandler, workers: Workers, logger: Logger) async throws {
        // One loop moves several GB/s; the processors are the workers'.
        loops = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        sessions = Sessions(statistics: handler.statistics)
        let sessions = sessions
        channel = try await ServerBootstrap(group: loops)
            .serverChannelOption(.backlog, value: 1024)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.socketOption(.tcp_nodelay), value: 1)
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelOption(.recvAllocator, value: AdaptiveRecvByteBufferAllocator(minimum: 4096, initial: 65536, maximum: 1 << 20))
            .childChannelInitializer { child in
                child.eventLoop.makeCompletedFuture {
                    let session = Session(
                        channel: child, number: sessions.nextNumber(), workers: workers, handler: handler, patienceSeconds: patienceSeconds)
                    guard sessions.add(session, of: child) else {
                        logger.warning("connection refused: \(ServerLimits.connectionsMax) are open")
                        throw ChannelError.connectTimeout(.zero)
                    }
                    try child.pipeline.syncOperations.addHandler(LineFraming(session: session))
                }
            }
            .bind(host: host, port: port).get()
        self.host = host
        self.port = channel.localAddress?.port ?? port
    }

    /// Stops accepting and lets every connection finish what it asked, until the deadline.
    func drain() async throws {
        try await channel.close()
        sessions.drainAll()
        for _ in 0..<(ServerLimits.drainSeconds * 50) where !sessions.isEmpty {
            try await Task.sleep(for: .milliseconds(20))
        }
    }

    /// Ends the connections that are left. The workers have stopped by then: they hand their answers to these loops.
    func stop() async throws { try await loops.shutdownGracefully() }
}

/// The open connections.
private final class Sessions: Sendable {
    private let open = Mutex<[ObjectIdentifier: Session]>([:])
    private let statistics: RequestStatistics
    private let numbered = Atomic<UInt64>(0)

    init(statistics: RequestStatistics) { self.statistics = statistics }

    var isEmpty: Bool { open.withLock { $0.isEmpty } }

    func nextNumber() -> UInt64 { numbered.add(1, ordering: .relaxed).newValue }

    /// False where there are too many already.
    func add(_ session: Session, of channel: any Channel) -> Bool {
        let key = ObjectIdentifier(session)
        let isAdded = open.withLock { open in
            guard open.count < ServerLimits.connectionsMax else { return false }
            open[key] = session
            return true
        }
        if isAdded {
            statistics.connectionOpened()
            channel.closeFuture.whenComplete { _ in
                self.statistics.connectionClosed()
                self.open.withLock { $0[key] = nil }
            }
        }
        return isAdded
    }

    func drainAll() {
        for session in open.withLock({ Array($0.values) }) { session.drain() }
    }
}
