// The arithmetic of the built-in model against its formula, and what the model promises about itself.

@testable import Embedding
import Testing

@Suite struct StaticModelTests {
    private let model = StaticModel.builtIn

    @Test func `every token of the vocabulary has the very vector of the formula`() throws {
        let plain = try PlainModel()
        let vocabulary = Vocabulary()
        #expect(vocabulary.count == 30_522)
        for id in UInt32(0)..<30_522 {
            var sum = TokenSum()
            sum.take(id)
            if vector(of: sum) != plain.vector([id]) { Issue.record("token \(id)") }
        }
    }

    @Test(arguments: [1, 63, 64, 65, 128, 1_000])
    func `a sum of many tokens has the very bits of the formula`(count: Int) throws {
        let plain = try PlainModel()
        var random = SeededRandom(seed: UInt64(count))
        let ids = (0..<count).map { _ in UInt32.random(in: 0..<30_522, using: &random) }
        var sum = TokenSum()
        for id in ids { sum.take(id) }
        #expect(vector(of: sum) == plain.vector(ids))
    }

    @Test func `a vector has unit length`() throws {
        let vector = try #require(model.vector("White-throated needletails are fast."))
        let squares = vector.reduce(0) { $0 + Double($1) * Double($1) }
        #expect(abs(squares - 1) < 1e-6)
    }

    @Test func `a text without a vector leaves the place for it alone`() {
        var vector = [Float](repeating: 7, count: 256)
        var places = vector.mutableSpan
        let isWritten = model.embed("\u{1D48E} \u{1D48E}", into: &places)
        #expect(!isWritten)
        #expect(vector.allSatisfy { $0 == 7 })
    }

    @Test func `a place of another size is a bug and stops the process`() async {
        await #expect(processExitsWith: .failure) {
            var vector = [Float](repeating: 0, count: 255)
            var places = vector.mutableSpan
            _ = StaticModel.builtIn.embed("a", into: &places)
        }
    }

    @Test func `many threads get what one gets`() async throws {
        let texts = try Fixtures.references().map(\.text)
        let alone = texts.map(model.vector)
        await withTaskGroup(of: [[Float]?].self) { group in
            for _ in 0..<8 {
                group.addTask { texts.map(StaticModel.builtIn.vector) }
            }
            for await together in group {
                #expect(together == alone)
            }
        }
    }

    @Test func `a cancelled task gets no vectors`() async {
        await withTaskGroup(of: EmbeddingError?.self) { group in
            group.cancelAll()
            group.addTask {
                do throws(EmbeddingError) {
                    _ = try await StaticModel.builtIn.embed(["one", "two"])
                    return nil
                } catch {
                    return error
                }
            }
            #expect(await group.next() == .cancelled)
        }
    }

    private func vector(of sum: consuming TokenSum) -> [Float]? {
        var vector = [Float](repeating: 0, count: 256)
        var places = vector.mutableSpan
        return sum.finish(into: &places) ? vector : nil
    }
}
