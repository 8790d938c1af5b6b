// A connection to a daemon: requests out, answers matched to them by id, as many under way as one likes.
#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif
import NIOCore
import NIOExtras
import NIOPosix
import Synchronization
package import Wire

/// Why a request got no answer.
package enum ClientError: Error, Sendable, CustomStringConvertible {
    case cannotConnect(address: String, reason: String)
    /// The daemon does not take the token.
    case turnedAway(address: String, WireError)
    /// The connection ended; whether the daemon did what was under way is not known.
    case disconnected(reason: String)
    case badAnswer(String)

    package var description: String {
        switch self {
        case .cannotConnect(let address, let reason): "cannot connect to \(address): \(reason). Is the daemon running? Start one with: needletail serve --data DIR"
        case .turnedAway(let address, let error): "\(address) does not let this client in: \(error.message)"
        case .disconnected(let reason): "the connection was lost: \(reason)"
        case .badAnswer(let reason): "the daemon's answer cannot be read: \(reason)"
        }
    }
}

/// One connection. Any task may send at any time; answers come in whatever order the daemon gives them.
package final class Client: Sendable {
    private let channel: any Channel
    private let pending: Pending

    /// - Parameter token: who this is, said before anything else; nil where the daemon asks nobody.
    package static func connect(host: String, port: Int, token: String? = nil) async throws(ClientError) -> Client {
        let client = try await connect(host: host, port: port)
        guard let token else { return client }
        let answer: Answer
        do { answer = try await client.send("hello") { $0.string("token", token) } } catch let error as ClientError { throw error } catch {
            throw .disconnected(reason: "\(error)")
        }
        if let failure = answer.failure { throw .turnedAway(address: "\(host):\(port)", failure) }
        return client
    }

    private static func connect(host: String, port: Int) async throws(ClientError) -> Client {
        let pending = Pending()
        do {
            let channel = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
                .channelOption(.socketOption(.tcp_nodelay), value: 1)
                .connectTimeout(.seconds(5))
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandlers(
                            ByteToMessageHandler(LineBasedFrameDecoder()), AnswerHandler(pending: pending))
                    }
                }
                .connect(host: host, port: port).get()
            return Client(channel: channel, pending: pending)
        } catch { throw .cannotConnect(address: "\(host):\(port)", reason: Self.reason(error)) }
    }

    /// What the system said, without the layers it was wrapped in on the way.
    private static func reason(_ error: any Error) -> String {
        guard let tries = (error as? NIOConnectionError)?.connectionErrors, let first = tries.first?.error as? IOError else { return "\(error)" }
        // Sound: strerror returns a NUL-terminated text.
        return unsafe String(cString: strerror(first.errnoCode))
    }

    private init(channel: any Channel, pending: Pending) {
        self.channel = channel
        self.pending = pending
    }

    /// Sends one request and waits for its answer, whatever it says.
    package func send(_ op: StaticString, _ members: (inout RequestWriter) throws -> Void = { _ in }) async throws -> Answer {
        let id = pending.nextID()
        var writer = RequestWriter(op, id: id)
        try members(&writer)
        let line = ByteBuffer(bytes: writer.finish())
        return try await withCheckedThrowingContinuation { continuation in
            guard pending.add(id, continuation) else { return }
            channel.writeAndFlush(line).whenFailure { self.pending.fail(.disconnected(reason: "\($0)")) }
        }
    }

    /// The same, with a refusal thrown.
    package func ask(_ op: StaticString, _ members: (inout RequestWriter) throws -> Void = { _ in }) async throws -> Answer {
        let answer = try await send(op, members)
        if let failure = answer.failure { throw failure }
        return answer
    }

    package func close() async throws { try await channel.close() }
}

/// Who waits for which answer.
private final class Pending: Sendable {
    private struct State {
        var lastID = 0
        var waiting: [Int: CheckedContinuation<Answer, any Error>] = [:]
        var failure: ClientError?
    }

    private let state = Mutex(State())

    func nextID() -> Int {
        state.withLock { state in
            state.lastID += 1
            return state.lastID
        }
    }

    /// False where the connection is gone; the continuation has then been told.
    func add(_ id: Int, _ continuation: CheckedContinuation<Answer, any Error>) -> Bool {
        let failure = state.withLock { state in
            if state.failure == nil { state.waiting[id] = continuation }
            return state.failure
        }
        if let failure { continuation.resume(throwing: failure) }
        return failure == nil
    }

    func answered(_ answer: Answer) {
        guard let id = answer.id else {
            // An error that belongs to no request: the daemon is about to end the connection, and this says why.
            fail(.disconnected(reason: answer.failure?.description ?? answer.text))
            return
        }
        state.withLock { $0.waiting.removeValue(forKey: id) }?.resume(returning: answer)
    }

    func fail(_ error: ClientError) {
        let waiting = state.withLock { state in
            state.failure = state.failure ?? error
            defer { state.waiting = [:] }
            return state.waiting
        }
        for continuation in waiting.values { continuation.resume(throwing: error) }
    }
}

private final class AnswerHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let pending: Pending

    init(pending: Pending) { self.pending = pending }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let line = unwrapInboundIn(data)
        do { pending.answered(try Answer(line: Array(line.readableBytesView))) } catch {
            pending.fail(.badAnswer("\(error)"))
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        pending.fail(.disconnected(reason: "the daemon closed it"))
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        pending.fail(.disconnected(reason: "\(error)"))
        context.close(promise: nil)
    }
}
