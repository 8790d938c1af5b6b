// The parts of the client that need no server: addresses, keys, batches, pauses, the gate and the settings.

@testable import Embedding
import Testing

@Suite(.timeLimit(.minutes(1))) struct ServicePartsTests {
    // MARK: Addresses

    @Test(arguments: [
        ("https://api.openai.com/v1", "https://api.openai.com/v1/embeddings"),
        ("https://api.openai.com/v1/", "https://api.openai.com/v1/embeddings"),
        ("http://localhost:11434", "http://localhost:11434/v1/embeddings"),
        ("http://localhost:11434/", "http://localhost:11434/v1/embeddings"),
        ("https://host/api/v2/embeddings", "https://host/api/v2/embeddings"),
        ("https://host/v1?version=3#top", "https://host/v1/embeddings?version=3"),
        ("http://[::1]:8080/v1", "http://[::1]:8080/v1/embeddings"),
    ])
    func `an address is completed where it is short`(given: String, complete: String) throws {
        let endpoint = try ServiceEndpoint(baseURL: given)
        #expect(endpoint.url == complete)
        #expect(endpoint.shown == complete.split(separator: "?")[0])
    }

    @Test(arguments: [
        "", "localhost:8080", "ftp://host/v1", "https://", "/v1", "https://user@host/v1", "https://u:secret@host/v1",
    ])
    func `an address that cannot work is refused without being repeated`(address: String) {
        let error = #expect(throws: EmbeddingError.self) { try ServiceEndpoint(baseURL: address) }
        #expect(error.map { !"\($0)".contains("secret") } == true)
    }

    // MARK: Keys

    @Test func `a key is trimmed, and a blank one is none`() throws {
        let key = try ServiceKey(variable: "K", environment: ["K": " abc\r\n"])
        #expect(key?.authorization == "Bearer abc")
        #expect(try ServiceKey(variable: "K", environment: ["K": " \n"]) == nil)
        #expect(try ServiceKey(variable: "K", environment: ["L": "abc"]) == nil)
    }

    @Test(arguments: ["a\nx-other: b", "a b", "schlüssel", "a\u{0}b"])
    func `a key that would break the header is refused without being repeated`(secret: String) {
        let error = #expect(throws: EmbeddingError.self) {
            try ServiceKey(variable: "THE_VARIABLE", environment: ["THE_VARIABLE": secret])
        }
        #expect(error.map { "\($0)".contains("THE_VARIABLE") && !"\($0)".contains(secret) } == true)
    }

    @Test func `a key prints as nothing`() throws {
        let key = try #require(try ServiceKey(variable: "K", environment: ["K": "hush"]))
        var text = "\(key) \(String(reflecting: key)) \([key]) \(key.removed(from: "it was hush, hush"))"
        dump(key, to: &text)
        #expect(!text.contains("hush"))
    }

    // MARK: Batches

    @Test func `a batch ends at the number of texts or at the number of bytes`() {
        #expect(batches(["a", "b", "c", "d", "e"], texts: 2, bytes: 100) == [[0, 1], [2, 3], [4]])
        #expect(batches(["aaa", "bb", "c", "dddd"], texts: 9, bytes: 5) == [[0, 1], [2, 3]])
        #expect(batches(["a", "much too long", "b"], texts: 9, bytes: 5) == [[0], [1], [2]])
        #expect(batches(["", "a", " ", "b", "\n"], texts: 9, bytes: 5) == [[1, 3]])
        #expect(batches(["", " "], texts: 9, bytes: 5) == [])
    }

    @Test(arguments: [11, 12, 13] as [UInt64])
    func `every text that is not blank is in one batch, in order, within the bounds`(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        for _ in 0..<200 {
            let texts = (0..<Int.random(in: 0...40, using: &random)).map { _ in
                String(repeating: Bool.random(using: &random) ? "é" : " ", count: Int.random(in: 0...9, using: &random))
            }
            let batches = batches(texts, texts: 4, bytes: 20)
            #expect(batches.flatMap(\.self) == texts.indices.filter { texts[$0].contains("é") })
            for batch in batches {
                #expect((1...4).contains(batch.count))
                #expect(batch.reduce(0) { $0 + texts[$1].utf8.count } <= 20)
            }
        }
    }

    private func batches(_ texts: [String], texts textsMax: Int, bytes: Int) -> [[Int]] {
        Array(TextBatches(texts, textsMax: textsMax, bytesMax: bytes))
    }

    // MARK: Pauses

    @Test func `pauses double up to their bound, and differ`() {
        let backoff = Backoff(firstMilliseconds: 100, maxMilliseconds: 1_000)
        var random = SeededRandom(seed: 21)
        for (attempt, longest) in [(1, 100), (2, 200), (3, 400), (4, 800), (5, 1_000), (6, 1_000), (1_000, 1_000)] {
            let pauses = (0..<100).map { _ in backoff.pauseMilliseconds(after: attempt, using: &random) }
            #expect(pauses.allSatisfy { (longest / 2...longest).contains($0) })
            #expect(Set(pauses).count > 1)
        }
    }

    @Test func `a pause that was asked for is never shorter`() {
        var random = SeededRandom(seed: 22)
        for _ in 0..<100 {
            #expect((2_000...2_200).contains(Backoff.pauseMilliseconds(asked: 2_000, using: &random)))
        }
        #expect(Backoff.pauseMilliseconds(asked: 0, using: &random) == 0)
    }

    @Test(arguments: [
        ("0", 0), ("120", 120_000), ("-1", nil), ("soon", nil), ("", nil), ("1.5", nil),
        ("999999999999999999", Int(Int32.max) * 1_000),
        ("Sun, 06 Nov 1994 08:49:37 GMT", 7_000), ("Sun, 06 Nov 1994 08:49:29 GMT", 0),
        ("Sun, 06 Nov 1994 08:49:37 CET", nil), ("Sun, 06 Now 1994 08:49:37 GMT", nil), ("Sun, 06 Nov 1994", nil),
        ("Thu, 29 Feb 2024 00:00:00 GMT", 925_053_030_000), ("Fri, 01 Mar 2024 00:00:00 GMT", 925_139_430_000),
    ] as [(String, Int?)])
    func `the time to come back is read in both its forms`(header: String, milliseconds: Int?) {
        #expect(RetryAfter.milliseconds(header, nowSeconds: 784_111_770) == milliseconds)
    }

    // MARK: The gate

    @Test func `a gate lets in as many as it has places, and no cancelled task waits`() async throws {
        let gate = RequestGate(places: 1)
        try await gate.enter()
        let waiting = (0..<10).map { _ in
            Task { () async throws in
                try await gate.enter()
                gate.leave()
            }
        }
        for task in waiting[..<5] { task.cancel() }
        for task in waiting[..<5] {
            await #expect(throws: EmbeddingError.cancelled) { try await task.value }
        }
        gate.leave()
        for task in waiting[5...] { try await task.value }
        // All places are free again.
        try await gate.enter()
        gate.leave()
    }

    // MARK: Settings

    @Test(arguments: [
        { $0.model = "" }, { $0.dimension = 0 }, { $0.asksForDimension = true }, { $0.batchTextsMax = 0 },
        { $0.batchBytesMax = -1 }, { $0.concurrentRequestsMax = 0 }, { $0.requestTimeoutMilliseconds = 0 },
        { $0.attemptsMax = 0 }, { $0.pauseMillisecondsFirst = 0 }, { $0.pauseMillisecondsMax = 0 },
        { $0.retryAfterMillisecondsMax = -1 }, { $0.answerBytesMax = 0 },
    ] as [@Sendable (inout EmbeddingServiceSettings) -> Void])
    func `settings that could only fail later are refused at once`(
        change: @Sendable (inout EmbeddingServiceSettings) -> Void
    ) {
        var settings = EmbeddingServiceSettings(baseURL: "http://localhost", model: "m")
        change(&settings)
        let error = #expect(throws: EmbeddingError.self) { try EmbeddingService(settings, environment: [:]) }
        guard case .configuration = error else {
            Issue.record("not a matter of the settings: \(String(describing: error))")
            return
        }
    }
}
