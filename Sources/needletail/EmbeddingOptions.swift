// Which embedder turns text into vectors, for `load --embed` and `search --text`.
import ArgumentParser
import Embedding

struct EmbeddingOptions: ParsableArguments {
    @Option(help: "Where vectors of texts come from: builtin, or the base URL of an OpenAI-compatible service.")
    var embedder = "builtin"

    @Option(help: "The service's model.")
    var model: String?

    @Option(help: "The environment variable that holds the service's key.")
    var keyVariable = "OPENAI_API_KEY"

    func validate() throws {
        guard embedder == "builtin" || embedder.hasPrefix("http://") || embedder.hasPrefix("https://") else {
            throw ValidationError("--embedder must be builtin or a URL such as https://api.example.com/v1")
        }
        guard embedder == "builtin" || model != nil else { throw ValidationError("an embedding service needs --model") }
    }

    func make() throws -> any Embedder {
        guard embedder != "builtin", let model else { return StaticModel.builtIn }
        var settings = EmbeddingServiceSettings(baseURL: embedder, model: model)
        settings.keyVariable = keyVariable
        return try EmbeddingService(settings)
    }
}

extension Embedder {
    /// Lets go of connections, where there are any.
    func finish() async throws {
        if let service = self as? EmbeddingService { try await service.shutdown() }
    }

    /// How long its vectors are; a service that has not said yet is asked.
    func learnedDimension() async throws -> Int {
        if let service = self as? EmbeddingService { return try await service.learnDimension() }
        return dimension
    }
}
