// The client against a real server: what it asks, what it accepts, and what it does when things go wrong.

import Embedding
import NIOHTTP1
import Synchronization
import Testing

@Suite(.timeLimit(.minutes(1))) struct EmbeddingServiceTests {
    private static let key = "sk-test-4f9a1c7e"

    // MARK: Asking

    @Test func `vectors come in the order of the texts, whatever order the service sends them in`() async throws {
        let texts = ["a", "bb", "ccc", "dd"]
        try await embedding({ _, request in .vectors(for: request) }) { embedder, service in
            #expect(embedder.dimension == 0)
            try await expect(embedder.embed(texts), texts.map { ServiceReply.vector(for: $0) })
            #expect(embedder.dimension == 3)
            #expect(embedder.name == "fake-model")
            let request = try #require(service.requests.first)
            #expect(request.path == "/v1/embeddings")
            #expect(request.body.model == "fake-model")
            #expect(request.body.encoding_format == "float")
            #expect(request.body.dimensions == nil)
            #expect(request.headers["authorization"] == ["Bearer \(Self.key)"])
        }
    }

    @Test func `many texts go in batches, and all places are filled`() async throws {
        let texts = (0..<23).map { String(repeating: "x", count: $0 + 1) }
        try await embedding({ _, request in .vectors(for: request) }) {
            $0.batchTextsMax = 5
        } _: { embedder, service in
            try await expect(embedder.embed(texts), texts.map { ServiceReply.vector(for: $0) })
            #expect(service.requests.map(\.body.input.count).sorted() == [3, 5, 5, 5, 5])
        }
    }

    @Test func `a blank text is not sent and has no vector`() async throws {
        try await embedding({ _, request in .vectors(for: request) }) { embedder, service in
            let vectors = try await embedder.embed(["", "a", " \n\t", "b"])
            #expect(vectors.map { $0 == nil } == [true, false, true, false])
            #expect(service.requests.map(\.body.input) == [["a", "b"]])
            try await expect(embedder.embed([""]), [nil])
            try await expect(embedder.embed([]), [])
            #expect(service.requests.count == 1)
        }
    }

    @Test func `never more requests are under way than allowed, over all callers`() async throws {
        let script: FakeService.Script = { _, request in
            var reply = ServiceReply.vectors(for: request)
            reply.delayMilliseconds = 5
            return reply
        }
        try await embedding(script) {
            $0.batchTextsMax = 1
            $0.concurrentRequestsMax = 2
        } _: { embedder, service in
            try await withThrowingTaskGroup(of: [[Float]?].self) { group in
                for _ in 0..<4 {
                    group.addTask { try await embedder.embed(["a", "b", "c", "d"]) }
                }
                for try await vectors in group {
                    #expect(vectors.count == 4)
                }
            }
            #expect(service.requests.count == 16)
            #expect(service.underWayMax <= 2)
        }
    }

    @Test func `without a key in the environment no key is sent`() async throws {
        try await embedding({ _, request in .vectors(for: request) }) {
            $0.keyVariable = "ANOTHER_KEY"
        } _: { embedder, service in
            _ = try await embedder.embed(["a"])
            #expect(service.requests.first?.headers["authorization"] == [])
        }
    }

    @Test func `the dimension can be learned, and asked for`() async throws {
        try await embedding({ _, request in .vectors(for: request) }) { embedder, service in
            try await expect(embedder.learnDimension(), 3)
            try await expect(embedder.learnDimension(), 3)
            #expect(service.requests.count == 1)
        }
        try await embedding({ _, request in .vectors(for: request) }) {
            $0.dimension = 3
            $0.asksForDimension = true
        } _: { embedder, service in
            try await expect(embedder.learnDimension(), 3)
            #expect(service.requests.isEmpty)
            _ = try await embedder.embed(["a"])
            #expect(service.requests.first?.body.dimensions == 3)
        }
    }

    // MARK: Trying again

    @Test func `a service in a hurry is asked again after the pause it names`() async throws {
        let script: FakeService.Script = { number, request in
            number == 1 ? ServiceReply(status: 429, headers: [("Retry-After", "0")]) : .vectors(for: request)
        }
        // Its own pause would outlast the test.
        try await embedding(script) {
            $0.pauseMillisecondsFirst = 3_600_000
            $0.pauseMillisecondsMax = 3_600_000
        } _: { embedder, service in
            try await expect(embedder.embed(["a"]), [ServiceReply.vector(for: "a")])
            #expect(service.requests.count == 2)
        }
    }

    @Test func `a pause longer than we would wait is told to the caller`() async throws {
        let body = #"{"error": {"message": "Rate limit reached.", "code": "rate_limit_exceeded"}}"#
        let script: FakeService.Script = { _, _ in
            ServiceReply(status: 429, headers: [("Retry-After", "7200")], body: body)
        }
        try await embedding(script) { embedder, service in
            let expected = EmbeddingError.overloaded(
                status: 429, message: "Rate limit reached", attempts: 1, retryAfterSeconds: 7200)
            await #expect(throws: expected) { try await embedder.embed(["a"]) }
            #expect(service.requests.count == 1)
            #expect("\(expected)".contains("Try again in 7200 s."))
        }
    }

    @Test(arguments: [408, 429, 500, 502, 503, 529])
    func `a failure of the moment is tried again`(status: Int) async throws {
        let script: FakeService.Script = { number, request in
            number < 3 ? ServiceReply(status: status) : .vectors(for: request)
        }
        try await embedding(script) { embedder, service in
            try await expect(embedder.embed(["a"]), [ServiceReply.vector(for: "a")])
            #expect(service.requests.count == 3)
        }
    }

    @Test func `attempts are bounded`() async throws {
        try await embedding({ _, _ in ServiceReply(status: 503, body: "down for repair") }) { embedder, service in
            let expected = EmbeddingError.overloaded(
                status: 503, message: "down for repair", attempts: 3, retryAfterSeconds: nil)
            await #expect(throws: expected) { try await embedder.embed(["a"]) }
            #expect(service.requests.count == 3)
        }
    }

    @Test func `an answer that is cut off is asked for again`() async throws {
        let script: FakeService.Script = { number, request in
            var reply = ServiceReply.vectors(for: request)
            if number == 1 { reply.ending = .cutOff }
            return reply
        }
        try await embedding(script) { embedder, service in
            try await expect(embedder.embed(["a"]), [ServiceReply.vector(for: "a")])
            #expect(service.requests.count == 2)
        }
    }

    @Test func `one failing batch stops the others`() async throws {
        let script: FakeService.Script = { _, request in
            request.body.input == ["bad"] ? ServiceReply(status: 400, body: "no") : .vectors(for: request)
        }
        try await embedding(script) {
            $0.batchTextsMax = 1
            $0.concurrentRequestsMax = 1
        } _: { embedder, service in
            await #expect(throws: EmbeddingError.refused(status: 400, message: "no")) {
                try await embedder.embed(["good", "bad", "good", "good"])
            }
            #expect(service.requests.count == 2)
        }
    }

    // MARK: Refusals

    @Test func `a refused key is told without the key`() async throws {
        let body = #"{"error": {"message": "Incorrect API key provided: \#(Self.key).", "code": "invalid_api_key"}}"#
        try await embedding({ _, _ in ServiceReply(status: 401, body: body) }) { embedder, service in
            let error = await #expect(throws: EmbeddingError.self) { try await embedder.embed(["a"]) }
            let message = "Incorrect API key provided: [key]"
            #expect(error == .unauthorized(status: 401, message: message, keyVariable: "TEST_KEY"))
            #expect(service.requests.count == 1)
            var dumped = ""
            dump(error, to: &dumped)
            dump(embedder, to: &dumped)
            #expect(!dumped.contains(Self.key))
            #expect(error?.description.contains("TEST_KEY") == true)
        }
    }

    @Test(arguments: [
        (404, #"{"error": {"message": "The model `fake` does not exist"}}"#, "The model `fake` does not exist"),
        (422, #"{"detail": "input too long"}"#, "input too long"),
        (400, #"{"error": "bad input"}"#, "bad input"),
        (400, #"{"message": "worse input", "error": 7}"#, "worse input"),
        (413, "<html>\n\u{7}Too large\n</html>", "<html> Too large </html>"),
        (418, "", "I'm a teapot"),
        (307, "", "Temporary Redirect"),
    ])
    func `a refusal gives the service's own words`(status: Int, body: String, message: String) async throws {
        let script: FakeService.Script = { _, _ in
            ServiceReply(status: status, headers: [("location", "/elsewhere")], body: body)
        }
        try await embedding(script) { embedder, service in
            await #expect(throws: EmbeddingError.refused(status: status, message: message)) {
                try await embedder.embed(["a"])
            }
            #expect(service.requests.count == 1)
        }
    }

    @Test func `a quota that is used up is not asked for again`() async throws {
        let body = #"{"error": {"message": "You exceeded your current quota", "code": "insufficient_quota"}}"#
        try await embedding({ _, _ in ServiceReply(status: 429, body: body) }) { embedder, service in
            await #expect(throws: EmbeddingError.refused(status: 429, message: "You exceeded your current quota")) {
                try await embedder.embed(["a"])
            }
            #expect(service.requests.count == 1)
        }
    }

    // MARK: Bad answers

    @Test(arguments: [
        (#"{"data": [{"index": 0, "embedding": [1, 2"#, "it is not JSON, or cut off"),
        (#"{"object": "list"}"#, "it lacks \"data\""),
        (#"{"data": [{"embedding": [1]}, {"embedding": [2]}]}"#, "it lacks \"index\""),
        (#"{"data": "none"}"#, "it is not a list of vectors with their numbers"),
        (#"{"data": [{"index": 0, "embedding": [1]}]}"#, "1 vectors for 2 texts"),
        (items([(0, "[1]"), (0, "[2]")]), "two vectors for text 0"),
        (items([(0, "[1]"), (2, "[2]")]), "a vector for text 2 of 2, counted from 0"),
        (items([(0, "[1]"), (-1, "[2]")]), "a vector for text -1 of 2, counted from 0"),
        (items([(0, "[1]"), (1, "[1, 2]")]), "vectors of 1 and of 2 numbers"),
        (items([(0, "[]"), (1, "[]")]), "vectors without numbers"),
        (items([(0, "[1]"), (1, "[1e39]")]), "a number too large for a vector"),
        (items([(0, "[1]"), (1, "[null]")]), "it is not a list of vectors with their numbers"),
    ])
    func `an answer that does not fit the question is refused`(body: String, problem: String) async throws {
        try await embedding({ _, _ in ServiceReply(body: body) }) { embedder, service in
            await #expect(throws: EmbeddingError.badAnswer(problem)) { try await embedder.embed(["a", "b"]) }
            #expect(service.requests.count == 1)
        }
    }

    @Test func `numbers too small for a float are zero, and a vector of zeros is none`() async throws {
        let body = items([(1, "[0, 1e-60]"), (0, "[1e-60, 2]")])
        try await embedding({ _, _ in ServiceReply(body: body) }) { embedder, _ in
            try await expect(embedder.embed(["a", "b"]), [[0, 2], nil])
        }
    }

    @Test func `an answer without end is not read to its end`() async throws {
        try await embedding({ _, request in .vectors(for: request) }) {
            $0.answerBytesMax = 20
        } _: { embedder, _ in
            await #expect(throws: EmbeddingError.badAnswer("it is longer than 20 bytes")) {
                try await embedder.embed(["a"])
            }
        }
    }

    @Test func `another dimension than before, or than configured, is refused`() async throws {
        let script: FakeService.Script = { number, _ in
            ServiceReply(body: items([(0, number == 1 ? "[1, 2]" : "[1, 2, 3]")]))
        }
        try await embedding(script) { embedder, _ in
            try await expect(embedder.embed(["a"]), [[1, 2]])
            await #expect(throws: EmbeddingError.wrongDimension(expected: 2, received: 3)) {
                try await embedder.embed(["b"])
            }
            #expect(embedder.dimension == 2)
        }
        try await embedding(script) {
            $0.dimension = 768
        } _: { embedder, _ in
            await #expect(throws: EmbeddingError.wrongDimension(expected: 768, received: 2)) {
                try await embedder.embed(["a"])
            }
            #expect(embedder.dimension == 768)
        }
    }

    // MARK: No answer

    @Test(arguments: [ServiceReply.Ending.silent, .unfinished])
    func `a service that never finishes its answer is given up`(ending: ServiceReply.Ending) async throws {
        try await embedding({ _, _ in ServiceReply(ending: ending) }) {
            $0.requestTimeoutMilliseconds = 60
            $0.attemptsMax = 2
        } _: { embedder, service in
            let endpoint = "\(service.baseURL)/v1/embeddings"
            let expected = EmbeddingError.timedOut(endpoint: endpoint, timeoutMilliseconds: 60, attempts: 2)
            await #expect(throws: expected) { try await embedder.embed(["a"]) }
        }
    }

    @Test func `a port where nobody listens is told with its address`() async throws {
        let port = try await FakeService.deadPort()
        var settings = Self.settings("http://127.0.0.1:\(port)/v1/?token=\(Self.key)")
        settings.attemptsMax = 2
        let embedder = try EmbeddingService(settings, environment: [:])
        let error = await #expect(throws: EmbeddingError.self) { try await embedder.embed(["a"]) }
        guard case .unreachable(let endpoint, let reason, attempts: 2) = error else {
            Issue.record("another error: \(String(describing: error))")
            return try await embedder.shutdown()
        }
        #expect(endpoint == "http://127.0.0.1:\(port)/v1/embeddings")
        #expect(reason.contains("refused"), "\(reason)")
        try await embedder.shutdown()
    }

    // MARK: Ending

    @Test func `a cancelled caller stops waiting`() async throws {
        let asked = AsyncStream.makeStream(of: Void.self)
        let script: FakeService.Script = { _, _ in
            asked.continuation.yield()
            return ServiceReply(ending: .silent)
        }
        try await embedding(script) {
            $0.concurrentRequestsMax = 1
        } _: { embedder, service in
            let first = Task { try await embedder.embed(["a"]) }
            for await _ in asked.stream { break }
            let second = Task { try await embedder.embed(["waits for the first"]) }
            second.cancel()
            await #expect(throws: EmbeddingError.cancelled) { try await second.value }
            first.cancel()
            await #expect(throws: EmbeddingError.cancelled) { try await first.value }
            #expect(service.requests.count == 1)
        }
    }

    @Test func `a shutdown ends what is under way and what comes after`() async throws {
        let asked = AsyncStream.makeStream(of: Void.self)
        let script: FakeService.Script = { _, _ in
            asked.continuation.yield()
            return ServiceReply(ending: .silent)
        }
        try await embedding(script) { embedder, _ in
            let running = Task { try await embedder.embed(["a"]) }
            for await _ in asked.stream { break }
            try await embedder.shutdown()
            await #expect(throws: EmbeddingError.closed) { try await running.value }
            await #expect(throws: EmbeddingError.closed) { try await embedder.embed(["b"]) }
        }
    }

    @Test func `a shutdown ends a pause between two attempts`() async throws {
        let asked = AsyncStream.makeStream(of: Void.self)
        let script: FakeService.Script = { _, _ in
            asked.continuation.yield()
            return ServiceReply(status: 500)
        }
        try await embedding(script) {
            $0.pauseMillisecondsFirst = 3_600_000
            $0.pauseMillisecondsMax = 3_600_000
        } _: { embedder, _ in
            let running = Task { try await embedder.embed(["a"]) }
            for await _ in asked.stream { break }
            try await embedder.shutdown()
            await #expect(throws: EmbeddingError.closed) { try await running.value }
        }
    }

    @Test func `an embedder that nobody shuts down leaves nothing behind`() async throws {
        try await FakeService.run({ _, request in .vectors(for: request) }) { service in
            let embedder = try EmbeddingService(Self.settings(service.baseURL), environment: [:])
            try await expect(embedder.embed(["a"]).count, 1)
        }
    }

    // MARK: Setting up

    /// Runs a server and a client of it, whose pauses are short unless a test changes them.
    private func embedding(
        _ script: @escaping FakeService.Script,
        settings change: (inout EmbeddingServiceSettings) -> Void = { _ in },
        _ body: (EmbeddingService, FakeService) async throws -> Void
    ) async throws {
        try await FakeService.run(script) { service in
            var settings = Self.settings(service.baseURL)
            change(&settings)
            let embedder = try EmbeddingService(settings, environment: ["TEST_KEY": "\(Self.key)\n"])
            do {
                try await body(embedder, service)
            } catch {
                try await embedder.shutdown()
                throw error
            }
            try await embedder.shutdown()
        }
    }

    /// Compares outside of a closure's inference, which does not see a `try` within a macro.
    private func expect<Value: Equatable>(
        _ value: Value, _ expected: Value, sourceLocation: SourceLocation = #_sourceLocation
    ) {
        #expect(value == expected, sourceLocation: sourceLocation)
    }

    private static func settings(_ baseURL: String) -> EmbeddingServiceSettings {
        var settings = EmbeddingServiceSettings(baseURL: baseURL, model: "fake-model")
        settings.keyVariable = "TEST_KEY"
        settings.attemptsMax = 3
        settings.pauseMillisecondsFirst = 2
        settings.pauseMillisecondsMax = 4
        return settings
    }
}

/// An answer's body from pairs of an index and a vector.
private func items(_ items: [(Int, String)]) -> String {
    let written = items.map { #"{"index": \#($0.0), "embedding": \#($0.1)}"# }
    return #"{"data": [\#(written.joined(separator: ", "))]}"#
}
