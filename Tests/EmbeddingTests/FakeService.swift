// A real HTTP server on this machine that answers as a test tells it to.

import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization

/// Listens on a port of its own while `run` lasts, and remembers what it was asked.
struct FakeService: Sendable {
    /// How a request is answered; requests are counted from 1.
    typealias Script = @Sendable (_ number: Int, _ request: ServiceRequest) throws -> ServiceReply

    let port: Int
    private let log: ServiceLog

    var baseURL: String { "http://127.0.0.1:\(port)" }
    var requests: [ServiceRequest] { log.state.withLock(\.requests) }
    /// How many requests were under way at once, at most.
    var underWayMax: Int { log.state.withLock(\.underWayMax) }

    static func run(_ script: @escaping Script, _ body: (FakeService) async throws -> Void) async throws {
        let log = ServiceLog()
        let channel = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline()
                    try channel.pipeline.syncOperations.addHandler(ServiceHandler(log: log, script: script))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        // A bound socket has an address with a port.
        let service = FakeService(port: channel.localAddress!.port!, log: log)
        do {
            try await body(service)
        } catch {
            try await channel.close()
            throw error
        }
        try await channel.close()
    }

    /// A port of this machine at which nobody listens.
    static func deadPort() async throws -> Int {
        let port = Mutex(0)
        try await run({ _, _ in ServiceReply() }) { service in port.withLock { $0 = service.port } }
        return port.withLock { $0 }
    }
}

struct ServiceRequest: Sendable {
    struct Body: Decodable, Sendable {
        let model: String
        let input: [String]
        let encoding_format: String
        let dimensions: Int?
    }

    let path: String
    let headers: HTTPHeaders
    let body: Body
}

struct ServiceReply: Sendable {
    enum Ending: Sendable {
        /// The answer is complete.
        case complete
        /// The connection closes before as many bytes came as the head promised.
        case cutOff
        /// The head comes, and then nothing more.
        case unfinished
        /// Nothing comes at all.
        case silent
    }

    var status = 200
    var headers: [(String, String)] = []
    var body = ""
    var ending = Ending.complete
    var delayMilliseconds: Int64 = 0

    /// A vector for each text, the last text's first.
    static func vectors(for request: ServiceRequest) -> ServiceReply {
        let items = request.body.input.enumerated().reversed().map { index, text in
            #"{"object": "embedding", "index": \#(index), "embedding": \#(vector(for: text))}"#
        }
        return ServiceReply(body: #"{"object": "list", "data": [\#(items.joined(separator: ", "))]}"#)
    }

    /// What the fake model makes of a text.
    static func vector(for text: String) -> [Float] {
        [Float(text.utf8.count), Float(text.utf8.first ?? 0) / 256, -1.5]
    }
}

/// Everything the server was asked, from all its connections.
private final class ServiceLog: Sendable {
    struct State {
        var requests: [ServiceRequest] = []
        var underWay = 0
        var underWayMax = 0
    }

    let state = Mutex(State())

    /// Notes a request and answers its number.
    func begin(_ request: ServiceRequest) -> Int {
        state.withLock { state in
            state.requests.append(request)
            state.underWay += 1
            state.underWayMax = max(state.underWayMax, state.underWay)
            return state.requests.count
        }
    }

    func end() {
        state.withLock { $0.underWay -= 1 }
    }
}

/// One connection.
private final class ServiceHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let log: ServiceLog
    private let script: FakeService.Script
    private var head: HTTPRequestHead?
    private var body = ByteBuffer()

    init(log: ServiceLog, script: @escaping FakeService.Script) {
        self.log = log
        self.script = script
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            self.head = head
            body.clear()
        case .body(var part):
            body.writeBuffer(&part)
        case .end:
            answer(context)
        }
    }

    private func answer(_ context: ChannelHandlerContext) {
        do {
            let sent = try JSONDecoder().decode(ServiceRequest.Body.self, from: Data(body.readableBytesView))
            // The parser gives a head before an end.
            let request = ServiceRequest(path: head!.uri, headers: head!.headers, body: sent)
            let number = log.begin(request)
            let reply = try script(number, request)
            let context = NIOLoopBound(context, eventLoop: context.eventLoop)
            let handler = NIOLoopBound(self, eventLoop: context.value.eventLoop)
            context.value.eventLoop.scheduleTask(in: .milliseconds(reply.delayMilliseconds)) {
                handler.value.log.end()
                handler.value.write(reply, context.value)
            }
        } catch {
            // The client's call fails then, and with it the test.
            context.close(promise: nil)
        }
    }

    private func write(_ reply: ServiceReply, _ context: ChannelHandlerContext) {
        if reply.ending == .silent { return }
        var head = HTTPResponseHead(version: .http1_1, status: .init(statusCode: reply.status))
        let length = reply.body.utf8.count + (reply.ending == .complete ? 0 : 1_000)
        head.headers.add(name: "content-length", value: "\(length)")
        for (name, value) in reply.headers {
            head.headers.add(name: name, value: value)
        }
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        context.writeAndFlush(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(string: reply.body)))), promise: nil)
        switch reply.ending {
        case .complete: context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        case .cutOff: context.close(promise: nil)
        case .unfinished, .silent: break
        }
    }
}
