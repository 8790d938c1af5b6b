// The built-in model against the texts, ids and vectors that came with it.

@testable import Embedding
import Testing

@Suite struct ReferenceTests {
    private let model = StaticModel.builtIn

    @Test func `each reference text is cut into the same tokens`() throws {
        let references = try Fixtures.references()
        #expect(references.count == 106)
        for reference in references {
            #expect(model.tokenIDs(reference.text) == reference.ids, "\(reference.text)")
            #expect(model.tokenCount(reference.text) == reference.ids.count, "\(reference.text)")
        }
    }

    @Test func `each reference text has the same vector, or none`() throws {
        for reference in try Fixtures.references() {
            let vector = model.vector(reference.text)
            guard let vector, let expected = reference.vector else {
                #expect(vector == nil && reference.vector == nil, "\(reference.text)")
                continue
            }
            let error = zip(vector, expected).map { abs(Double($0) - $1) }.max()
            #expect(vector.count == expected.count && error! < 1e-5, "\(reference.text)")
        }
    }

    @Test func `an embedder asked for many texts answers in their order`() async throws {
        let references = try Fixtures.references()
        let embedder: any Embedder = model
        let vectors = try await embedder.embed(references.map(\.text))
        #expect(vectors == references.map { model.vector($0.text) })
        #expect(embedder.dimension == 256)
        #expect(embedder.name == "minilm-static-256")
    }
}
