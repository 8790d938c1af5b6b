// How long a passage may be, and who counts.

/// The number of tokens in a text, as the model that embeds it counts them. Called from whatever thread chunks.
package typealias TokenCounter = @Sendable (String) -> Int

/// Bounds on a chunk, in tokens. Relations: min < target <= max.
package struct ChunkBounds: Equatable, Sendable {
    /// Blocks are packed together up to this many.
    package let tokensTarget: Int
    /// No chunk has more. What a model cuts off behind its own limit cannot be found.
    package let tokensMax: Int
    /// A shorter chunk is joined with a neighbour of the same section, where that leaves it within the maximum.
    package let tokensMin: Int

    package init(tokensTarget: Int = 256, tokensMax: Int = 512, tokensMin: Int = 24) {
        precondition(tokensMin >= 0 && tokensMin < tokensTarget && tokensTarget <= tokensMax, "chunk bounds rise from minimum to maximum")
        self.tokensTarget = tokensTarget
        self.tokensMax = tokensMax
        self.tokensMin = tokensMin
    }
}
