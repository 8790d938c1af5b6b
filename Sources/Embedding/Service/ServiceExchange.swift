// One request and its answer over HTTP, with every way it can end sorted into three.

import AsyncHTTPClient
import FoundationEssentials
import NIOCore
import NIOHTTP1
import NIOPosix

/// Owns the connections. `shutdown()` before the last reference goes is the polite end; without it the connections are
/// closed in the background.
final class ServiceExchange: Sendable {
    enum Outcome: Sendable {
        case answered(Data)
        /// Another attempt would end the same.
        case failed(EmbeddingError)
        /// Another attempt may succeed, after the pause the service asked for, if it did.
        case failedForNow(EmbeddingError, askedMilliseconds: Int?)
    }

    /// A refusal is read for its explanation only.
    private static let refusalBytesMax = 64 << 10

    private let client: HTTPClient
    private let endpoint: ServiceEndpoint
    private let key: ServiceKey?
    private let keyVariable: String
    private let timeoutMilliseconds: Int
    private let answerBytesMax: Int

    init(_ settings: EmbeddingServiceSettings, environment: [String: String]) throws(EmbeddingError) {
        endpoint = try ServiceEndpoint(baseURL: settings.baseURL)
        key = try ServiceKey(variable: settings.keyVariable, environment: environment)
        keyVariable = settings.keyVariable
        timeoutMilliseconds = settings.requestTimeoutMilliseconds
        answerBytesMax = settings.answerBytesMax
        client = HTTPClient(configuration: Self.configuration(settings))
    }

    deinit {
        // Nobody is left to be told. The client lives on until its connections are closed, and after an orderly
        // shutdown this does nothing.
        client.shutdown { _ in }
    }

    func shutdown() async throws(EmbeddingError) {
        do {
            try await client.shutdown()
        } catch {
            throw .unreachable(endpoint: endpoint.shown, reason: "closing failed: \(error)", attempts: 1)
        }
    }

    /// Sends the request once, within the time allowed.
    func send(_ body: ByteBuffer, attempt: Int) async -> Outcome {
        await withTaskGroup(of: Outcome.self) { group in
            group.addTask { await self.exchange(body, attempt) }
            // The client's own deadline ends at the answer's head; one that trickles in for ever must end too.
            group.addTask { await self.timeout(attempt) }
            defer { group.cancelAll() }
            // Two tasks were added, so there is a first.
            return await group.next()!
        }
    }

    private func timeout(_ attempt: Int) async -> Outcome {
        do {
            try await Task.sleep(for: .milliseconds(timeoutMilliseconds))
            return .failedForNow(timedOut(attempt), askedMilliseconds: nil)
        } catch {
            return .failed(.cancelled)  // the one reason for which a sleep ends early
        }
    }

    private func exchange(_ body: ByteBuffer, _ attempt: Int) async -> Outcome {
        do {
            let deadline = NIODeadline.now() + .milliseconds(Int64(timeoutMilliseconds))
            let response = try await client.execute(request(body), deadline: deadline)
            if (200..<300).contains(response.status.code) {
                return .answered(Data(try await response.body.collect(upTo: answerBytesMax).readableBytesView))
            }
            return await refusal(response, attempt)
        } catch is NIOTooManyBytesError {
            return .failed(.badAnswer("it is longer than \(answerBytesMax) bytes"))
        } catch {
            return failure(error, attempt)
        }
    }

    private func request(_ body: ByteBuffer) -> HTTPClientRequest {
        var request = HTTPClientRequest(url: endpoint.url)
        request.method = .POST
        request.headers.add(name: "content-type", value: "application/json")
        request.headers.add(name: "accept", value: "application/json")
        if let key {
            request.headers.add(name: "authorization", value: key.authorization)
        }
        request.body = .bytes(body)
        return request
    }

    private static func configuration(_ settings: EmbeddingServiceSettings) -> HTTPClient.Configuration {
        var configuration = HTTPClient.Configuration()
        // A redirect would carry the key to wherever it points.
        configuration.redirectConfiguration = .disallow
        configuration.timeout.connect = .milliseconds(Int64(settings.requestTimeoutMilliseconds))
        // Attempts are counted and paced in one place, which is not here.
        configuration.connectionPool.retryConnectionEstablishment = false
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = settings.concurrentRequestsMax
        return configuration
    }
}

// MARK: - What went wrong

extension ServiceExchange {
    private func refusal(_ response: HTTPClientResponse, _ attempt: Int) async -> Outcome {
        let refusal = ServiceRefusal(body: await explanation(response), reason: response.status.reasonPhrase)
        let status = Int(response.status.code)
        let message = withoutKey(refusal.message)
        switch status {
        case 401, 403:
            return .failed(.unauthorized(status: status, message: message, keyVariable: keyVariable))
        case _ where Self.mayPass(status) && !refusal.isFinal:
            let asked = response.headers.first(name: "retry-after").flatMap {
                RetryAfter.milliseconds($0, nowSeconds: Int(Date().timeIntervalSince1970))
            }
            let seconds = asked.map { ($0 + 999) / 1000 }
            let error = EmbeddingError.overloaded(
                status: status, message: message, attempts: attempt, retryAfterSeconds: seconds)
            return .failedForNow(error, askedMilliseconds: asked)
        default:
            return .failed(.refused(status: status, message: message))
        }
    }

    /// Whether a status speaks of the moment: too slow, too many, or the service's own trouble.
    private static func mayPass(_ status: Int) -> Bool {
        status == 408 || status == 429 || (500...599).contains(status)
    }

    /// The refusal's body; empty if it cannot be read, as the status alone says enough.
    private func explanation(_ response: HTTPClientResponse) async -> Data {
        do {
            return Data(try await response.body.collect(upTo: Self.refusalBytesMax).readableBytesView)
        } catch {
            return Data()
        }
    }

    private func failure(_ error: any Error, _ attempt: Int) -> Outcome {
        if error is CancellationError || Task.isCancelled { return .failed(.cancelled) }
        switch error as? HTTPClientError {
        case .alreadyShutdown?, .cancelled?:
            return .failed(.closed)
        case .deadlineExceeded?, .connectTimeout?:
            return .failedForNow(timedOut(attempt), askedMilliseconds: nil)
        default:
            let reason = withoutKey(Self.reason(error))
            return .failedForNow(
                .unreachable(endpoint: endpoint.shown, reason: reason, attempts: attempt), askedMilliseconds: nil)
        }
    }

    /// Of a failed connection, the last of the addresses that were tried speaks for all.
    private static func reason(_ error: any Error) -> String {
        guard let connection = error as? NIOConnectionError else { return "\(error)" }
        let last = connection.connectionErrors.last?.error ?? connection.dnsAError ?? connection.dnsAAAAError
        return last.map { "\($0)" } ?? "no address for \(connection.host)"
    }

    private func timedOut(_ attempt: Int) -> EmbeddingError {
        .timedOut(endpoint: endpoint.shown, timeoutMilliseconds: timeoutMilliseconds, attempts: attempt)
    }

    private func withoutKey(_ text: String) -> String {
        key?.removed(from: text) ?? text
    }
}
