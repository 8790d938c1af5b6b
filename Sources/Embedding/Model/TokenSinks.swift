// What becomes of a text's tokens: a list, a number, or a vector.

/// Collects the ids.
struct TokenList: TokenSink {
    private(set) var ids: [UInt32] = []

    mutating func take(_ id: UInt32) { ids.append(id) }
}

/// Counts the tokens.
struct TokenCounter: TokenSink {
    private(set) var count = 0

    mutating func take(_ id: UInt32) { count &+= 1 }
}

/// Sums the tokens' rows. Ids are gathered a few at a time, so that the kernel is called seldom.
struct TokenSum: TokenSink, ~Copyable {
    private var sum = InlineArray<256, Float>(repeating: 0)
    private var ids = InlineArray<64, UInt32>(repeating: 0)
    private var count = 0

    @inline(__always)
    mutating func take(_ id: UInt32) {
        if id == ModelTables.unknown { return }
        ids[count] = id
        count &+= 1
        if count == ids.count { addGathered() }
    }

    /// Writes the sum at unit length, or answers false if there is nothing to write.
    consuming func finish(into vector: inout MutableSpan<Float>) -> Bool {
        addGathered()
        var places = sum.mutableSpan
        guard ModelTables.makeUnit(&places) else { return false }
        for index in places.indices {
            vector[index] = places[index]
        }
        return true
    }

    private mutating func addGathered() {
        var places = sum.mutableSpan
        ModelTables.addRows(ids.span.extracting(first: count), to: &places)
        count = 0
    }
}
