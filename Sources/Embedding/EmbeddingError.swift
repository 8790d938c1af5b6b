// Why texts got no vectors, sorted by what whoever reads the message can do about it.

/// A failure of an embedder. No case ever carries the key.
package enum EmbeddingError: Error, Equatable, Sendable {
    /// The settings cannot work: fix them.
    case configuration(String)
    /// The service does not accept the key, or wants one: fix the key in the environment variable `keyVariable`.
    case unauthorized(status: Int, message: String, keyVariable: String)
    /// The service will not answer this request however often it is asked: fix the request or the settings.
    case refused(status: Int, message: String)
    /// The service is busy or broken at present: try again later.
    case overloaded(status: Int, message: String, attempts: Int, retryAfterSeconds: Int?)
    /// There is no talking to the service: check its address and whether it runs.
    case unreachable(endpoint: String, reason: String, attempts: Int)
    /// The service took too long: allow more time or send smaller batches.
    case timedOut(endpoint: String, timeoutMilliseconds: Int, attempts: Int)
    /// The service answered something else than vectors: check that it is an embedding service of this protocol.
    case badAnswer(String)
    /// The vectors have another length than they used to: the service's model is not the one the settings mean.
    case wrongDimension(expected: Int, received: Int)
    /// The task that asked was cancelled.
    case cancelled
    /// The embedder was shut down: nothing more can be asked of it.
    case closed
}

extension EmbeddingError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .configuration(let problem):
            "The embedding settings cannot work: \(problem)."
        case .unauthorized(let status, let message, let keyVariable):
            "The embedding service refused the key (status \(status)): \(message). "
                + "Set a valid key in the environment variable \(keyVariable) and start again."
        case .refused(let status, let message):
            "The embedding service refused the request (status \(status)): \(message). "
                + "Sending it again will not help; check the model's name, the address and the texts."
        case .overloaded(let status, let message, let attempts, let retryAfterSeconds):
            "The embedding service cannot answer now (status \(status), \(Self.count(attempts))): \(message). "
                + (retryAfterSeconds.map { "Try again in \($0) s." } ?? "Try again later.")
        case .unreachable(let endpoint, let reason, let attempts):
            "No connection to the embedding service at \(endpoint) (\(Self.count(attempts))): \(reason). "
                + "Check the address and that the service runs."
        case .timedOut(let endpoint, let timeoutMilliseconds, let attempts):
            "The embedding service at \(endpoint) did not answer within \(timeoutMilliseconds) ms "
                + "(\(Self.count(attempts))). Allow more time or send smaller batches."
        case .badAnswer(let problem):
            "The embedding service's answer is not usable: \(problem). "
                + "Check that the address is that of an OpenAI-compatible embeddings service."
        case .wrongDimension(let expected, let received):
            "The embedding service sent vectors of \(received) numbers where \(expected) are expected. "
                + "Name the model that filled the vector space, or fill a new space."
        case .cancelled:
            "The embedding was cancelled before it was done. Ask again if it is still wanted."
        case .closed:
            "The embedder is shut down. Open a new one to embed more."
        }
    }

    private static func count(_ attempts: Int) -> String {
        attempts == 1 ? "1 attempt" : "\(attempts) attempts"
    }
}
