// The client of an embedding service that speaks OpenAI's protocol: texts out, vectors in, whatever goes wrong between.

import FoundationEssentials
import NIOCore
import Synchronization

/// Vectors from a service. Any number of tasks may ask at once; `shutdown()` ends it.
package final class EmbeddingService: Embedder {
    private struct State {
        /// What every further answer must have.
        var dimension: Int?
        var isClosed = false
    }

    private static let pauseSliceMilliseconds = 100

    private let settings: EmbeddingServiceSettings
    private let exchange: ServiceExchange
    private let gate: RequestGate
    private let state: Mutex<State>

    /// Checks the settings and reads the key; says nothing to the service yet.
    package init(
        _ settings: EmbeddingServiceSettings, environment: [String: String] = ProcessInfo.processInfo.environment
    ) throws(EmbeddingError) {
        try settings.validate()
        self.settings = settings
        exchange = try ServiceExchange(settings, environment: environment)
        gate = RequestGate(places: settings.concurrentRequestsMax)
        state = Mutex(State(dimension: settings.dimension))
    }

    package var name: String { settings.model }

    package var dimension: Int { state.withLock { $0.dimension ?? 0 } }

    /// The dimension, asked for with one short text if no answer has told it yet.
    package func learnDimension() async throws(EmbeddingError) -> Int {
        if dimension == 0 {
            _ = try await embed(["dimension"])
        }
        return dimension
    }

    /// One vector per text, as the service sent it. Either all texts are embedded or an error says why not.
    package func embed(_ texts: [String]) async throws(EmbeddingError) -> [[Float]?] {
        var places = [[Float]?](repeating: nil, count: texts.count)
        let answers = try await answers(to: texts)
        for (batch, vectors) in answers {
            for (place, vector) in zip(batch, vectors) {
                places[place] = vector
            }
        }
        return places
    }

    /// Ends requests under way with an error and closes the connections. Doing it again does nothing.
    package func shutdown() async throws(EmbeddingError) {
        let wasClosed = state.withLock { state in
            defer { state.isClosed = true }
            return state.isClosed
        }
        if !wasClosed { try await exchange.shutdown() }
    }
}

extension EmbeddingService: CustomReflectable {
    /// Whoever dumps an embedder would otherwise dump the requests under way in it, with the key in their headers.
    package var customMirror: Mirror { Mirror(self, children: ["name": name, "dimension": dimension]) }
}

// MARK: - Batches

extension EmbeddingService {
    private typealias Answer = (batch: [Int], vectors: [[Float]?])

    /// Sends the texts in batches, several at once, and stops all of them at the first that fails.
    private func answers(to texts: [String]) async throws(EmbeddingError) -> [Answer] {
        var batches = TextBatches(texts, textsMax: settings.batchTextsMax, bytesMax: settings.batchBytesMax)
        let result = await withTaskGroup(of: Result<Answer, EmbeddingError>.self) { group in
            for _ in 0..<settings.concurrentRequestsMax {
                guard let batch = batches.next() else { break }
                group.addTask { await self.answer(batch, of: texts) }
            }
            var answers: [Answer] = []
            while let result = await group.next() {
                switch result {
                case .success(let answer):
                    answers.append(answer)
                case .failure(let error):
                    group.cancelAll()
                    return Result<[Answer], EmbeddingError>.failure(error)
                }
                if let batch = batches.next() {
                    group.addTask { await self.answer(batch, of: texts) }
                }
            }
            return .success(answers)
        }
        return try result.get()
    }

    private func answer(_ batch: [Int], of texts: [String]) async -> Result<Answer, EmbeddingError> {
        do throws(EmbeddingError) {
            return .success((batch, try await vectors(batch.map { texts[$0] })))
        } catch {
            return .failure(error)
        }
    }

    private func vectors(_ texts: [String]) async throws(EmbeddingError) -> [[Float]?] {
        let dimensions = settings.asksForDimension ? settings.dimension : nil
        let request = try EmbeddingRequest(model: settings.model, input: texts, dimensions: dimensions).encoded()
        try await gate.enter()
        defer { gate.leave() }
        let body = try await persist(ByteBuffer(bytes: request))
        let (vectors, dimension) = try EmbeddingAnswer.vectors(in: body, count: texts.count)
        try check(dimension)
        return vectors
    }

    /// The first answer decides the dimension, unless the settings did.
    private func check(_ dimension: Int) throws(EmbeddingError) {
        let expected = state.withLock { state in
            let expected = state.dimension ?? dimension
            state.dimension = expected
            return expected
        }
        guard dimension == expected else { throw .wrongDimension(expected: expected, received: dimension) }
    }
}

// MARK: - Attempts

extension EmbeddingService {
    /// Sends a request until it is answered, refused for good, or has been sent often enough.
    private func persist(_ request: ByteBuffer) async throws(EmbeddingError) -> Data {
        let backoff = Backoff(
            firstMilliseconds: settings.pauseMillisecondsFirst, maxMilliseconds: settings.pauseMillisecondsMax)
        var random = SystemRandomNumberGenerator()
        var attempt = 1
        while true {
            if state.withLock({ $0.isClosed }) { throw .closed }
            switch await exchange.send(request, attempt: attempt) {
            case .answered(let body):
                return body
            case .failed(let error):
                throw state.withLock { $0.isClosed } ? .closed : error
            case .failedForNow(let error, let askedMilliseconds):
                if attempt >= settings.attemptsMax { throw error }
                if let askedMilliseconds, askedMilliseconds > settings.retryAfterMillisecondsMax { throw error }
                let pause = askedMilliseconds.map { Backoff.pauseMilliseconds(asked: $0, using: &random) }
                try await wait(pause ?? backoff.pauseMilliseconds(after: attempt, using: &random))
                attempt += 1
            }
        }
    }

    /// Waits in slices, so that a shutdown does not have to wait for the pause's end.
    private func wait(_ milliseconds: Int) async throws(EmbeddingError) {
        for slice in stride(from: milliseconds, to: 0, by: -Self.pauseSliceMilliseconds) {
            if state.withLock({ $0.isClosed }) { throw .closed }
            do {
                try await Task.sleep(for: .milliseconds(min(slice, Self.pauseSliceMilliseconds)))
            } catch {
                throw .cancelled  // the one reason for which a sleep ends early
            }
        }
    }
}
