// Which positions of an index a search may see.
package import Memory

/// The positions of an index that a search may see.
package struct VisiblePositions: Sendable {
    /// A bit for each position.
    package let words: Cells<UInt64>
    /// How many are set.
    package let count: Int

    package init(words: Cells<UInt64>, count: Int) {
        self.words = words
        self.count = count
    }

    @inline(__always)
    func contains(_ position: UInt32) -> Bool { words[Int(position) >> 6] >> UInt64(position & 63) & 1 != 0 }

    /// A word's bits as far as they are of positions in the range.
    @inline(__always)
    func bits(ofWord word: Int, in range: Range<Int>) -> UInt64 {
        var bits = words[word]
        if word == range.lowerBound >> 6 { bits &= ~0 << UInt64(range.lowerBound & 63) }
        if word == (range.upperBound - 1) >> 6 { bits &= ~0 >> UInt64(63 - (range.upperBound - 1) & 63) }
        return bits
    }

    func count(in range: Range<Int>) -> Int {
        var count = 0
        for word in range.lowerBound >> 6..<(range.upperBound + 63) >> 6 { count += bits(ofWord: word, in: range).nonzeroBitCount }
        return count
    }

    /// Word by word: a run of rows that may not be seen costs a bit each.
    @inline(__always)
    package func forEach(in range: Range<Int>, _ body: (UInt32) -> Void) {
        for word in range.lowerBound >> 6..<(range.upperBound + 63) >> 6 {
            var bits = bits(ofWord: word, in: range)
            while bits != 0 {
                body(UInt32(word << 6 &+ bits.trailingZeroBitCount))
                bits &= bits &- 1
            }
        }
    }
}
