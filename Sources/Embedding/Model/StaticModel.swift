// The built-in model: a text's vector is the weighted sum of its tokens' rows, so it needs no network and no setting.

/// Texts to vectors by look-up and sum; the tables are part of the binary.
///
/// One value serves all threads: it holds only tables, and what a text needs besides is on the stack. The same text has
/// the same vector to the last bit on every machine.
package final class StaticModel: Embedder {
    /// Made at first use, in a few milliseconds.
    package static let builtIn = StaticModel()

    package let name = "minilm-static-256"
    package let dimension = ModelTables.dimension
    private let wordPiece = WordPiece()

    private init() {}

    /// Writes the text's vector, of unit length, and answers true; answers false and writes nothing if no token of the
    /// text has a vector. Allocates nothing.
    package func embed(_ text: String, into vector: inout MutableSpan<Float>) -> Bool {
        precondition(vector.count == dimension, "a vector has as many places as the model has dimensions")
        var sum = TokenSum()
        wordPiece.tokens(of: text.utf8.span, into: &sum)
        return sum.finish(into: &vector)
    }

    /// The text's vector, if any of its tokens has one.
    package func vector(_ text: String) -> [Float]? {
        var vector = [Float](repeating: 0, count: dimension)
        var places = vector.mutableSpan
        return embed(text, into: &places) ? vector : nil
    }

    /// One vector per text. Cancelling the task ends it between two texts.
    package func embed(_ texts: [String]) async throws(EmbeddingError) -> [[Float]?] {
        var vectors: [[Float]?] = []
        vectors.reserveCapacity(texts.count)
        for text in texts {
            if Task.isCancelled { throw .cancelled }
            vectors.append(vector(text))
        }
        return vectors
    }

    /// The ids of the text's tokens; 100 for a word that no tokens spell.
    package func tokenIDs(_ text: String) -> [UInt32] {
        var list = TokenList()
        wordPiece.tokens(of: text.utf8.span, into: &list)
        return list.ids
    }

    /// How many tokens the text has, unknown words counted as one.
    package func tokenCount(_ text: String) -> Int {
        var counter = TokenCounter()
        wordPiece.tokens(of: text.utf8.span, into: &counter)
        return counter.count
    }

    /// The ids as the tokenizer finds them without its fast path for ASCII; tests compare the two.
    func tokenIDsByScalar(_ text: String) -> [UInt32] {
        var list = TokenList()
        wordPiece.tokensByScalar(of: text.utf8.span, into: &list)
        return list.ids
    }
}
