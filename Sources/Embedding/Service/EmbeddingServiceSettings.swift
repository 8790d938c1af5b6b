// What a service is reached by and how hard it is pressed; all limits of the module's network side stand here.

package struct EmbeddingServiceSettings: Sendable {
    /// Where the service is, such as `https://api.openai.com/v1` or `http://localhost:11434`. `/embeddings` is added
    /// if the path does not end in it, and `/v1` before it if there is no path at all.
    package var baseURL: String
    /// The model's name as the service knows it.
    package var model: String
    /// The dimension every vector must have; nil takes that of the first answer.
    package var dimension: Int?
    /// Whether to ask the service to shorten its vectors to `dimension`; only some models can.
    package var asksForDimension = false
    /// Which environment variable holds the key. Without a value in it, no key is sent, as local services want none.
    package var keyVariable = "OPENAI_API_KEY"

    /// One request carries at most so many texts.
    package var batchTextsMax = 64
    /// One request carries at most so many bytes of text, unless a single text is longer.
    package var batchBytesMax = 256 << 10
    /// So many requests are under way at once, over all callers; one that waits to be repeated keeps its place.
    package var concurrentRequestsMax = 4

    /// One attempt takes at most so long, from connecting to the answer's last byte.
    package var requestTimeoutMilliseconds = 30_000
    /// A request is sent at most so often.
    package var attemptsMax = 5
    /// The pause before the second attempt; it doubles from then on.
    package var pauseMillisecondsFirst = 500
    /// No pause of our own choice is longer.
    package var pauseMillisecondsMax = 20_000
    /// A service that asks for a longer pause than this gets none: its request fails, and says when to try again.
    package var retryAfterMillisecondsMax = 60_000
    /// An answer longer than this is not read to its end.
    package var answerBytesMax = 64 << 20

    package init(baseURL: String, model: String) {
        self.baseURL = baseURL
        self.model = model
    }

    /// Refuses settings that could only fail later, or never end.
    func validate() throws(EmbeddingError) {
        if model.isEmpty { throw .configuration("the model has no name") }
        if let dimension, dimension < 1 { throw .configuration("a dimension of \(dimension) is not possible") }
        if asksForDimension, dimension == nil {
            throw .configuration("the service can only be asked for a dimension if one is set")
        }
        let bounds = [
            ("texts per batch", batchTextsMax), ("bytes per batch", batchBytesMax),
            ("concurrent requests", concurrentRequestsMax), ("timeout in milliseconds", requestTimeoutMilliseconds),
            ("attempts", attemptsMax), ("first pause in milliseconds", pauseMillisecondsFirst),
            ("longest pause in milliseconds", pauseMillisecondsMax), ("bytes of an answer", answerBytesMax),
        ]
        for (name, value) in bounds where value < 1 {
            throw .configuration("the number of \(name) must be at least 1, not \(value)")
        }
        if retryAfterMillisecondsMax < 0 { throw .configuration("the longest pause to accept must not be negative") }
    }
}
