// Packs units of text into chunks within the bounds: the one place that decides where a passage ends.

/// Packs greedily. A chunk is one unbroken stretch of the text, from the start of a unit to the end of another, so
/// nothing is lost, doubled or changed by packing.
///
/// Cost: each unit is counted once, each chunk once or twice.
struct ChunkPacker: Sendable {
    let body: TextBody
    let bounds: ChunkBounds
    let countTokens: TokenCounter

    private struct Passage {
        var range: Range<Int>
        var tokens: Int
    }

    /// The texts of the chunks that these units make. Units of one section only: chunks join what is given together.
    func texts(_ units: [TextUnit]) -> [String] {
        var passages: [Passage] = []
        pack(units, into: &passages)
        return joiningShort(passages)
            .map { body.text(body.trimmed($0.range)) }
            .filter { text in !text.unicodeScalars.allSatisfy(\.properties.isWhitespace) }
    }

    private func pack(_ units: [TextUnit], into passages: inout [Passage]) {
        let counts = units.map { tokens($0.range) }
        var first = 0
        while first < units.count {
            if counts[first] > bounds.tokensMax, let parts = units[first].parts(in: body) {
                pack(parts, into: &passages)
                first += 1
            } else {
                let (end, tokens) = fullest(units, counts, from: first)
                passages.append(Passage(range: units[first].range.lowerBound..<units[end - 1].range.upperBound, tokens: tokens))
                first = end
            }
        }
    }

    /// As many units from `first` on as the target holds, but at least the one.
    ///
    /// The counts of single units only guess at the count of their run (a tokenizer may join across units, or add
    /// marks around every text), so a guess is counted before it stands, shortened while it is over the target and
    /// extended while the guess for what follows leaves room.
    private func fullest(_ units: [TextUnit], _ counts: [Int], from first: Int) -> (end: Int, tokens: Int) {
        var end = first + 1
        var tokens = counts[first]
        while true {
            var guess = end
            var room = bounds.tokensTarget - tokens
            while guess < units.count, counts[guess] <= room {
                room -= counts[guess]
                guess += 1
            }
            let wished = guess
            var counted = tokens
            while guess > end {
                counted = self.tokens(units[first].range.lowerBound..<units[guess - 1].range.upperBound)
                if counted <= bounds.tokensTarget { break }
                guess -= 1
            }
            guard guess > end else { return (end, tokens) }
            end = guess
            tokens = counted
            guard guess == wished else { return (end, tokens) }
        }
    }

    /// Joins a passage below the minimum with the one before it or behind it, where both together are within the
    /// maximum: an introducing line with its list, the last sentence of a long paragraph with the rest of it.
    private func joiningShort(_ passages: [Passage]) -> [Passage] {
        var joined: [Passage] = []
        for passage in passages {
            if let last = joined.last, min(last.tokens, passage.tokens) < bounds.tokensMin {
                let range = last.range.lowerBound..<passage.range.upperBound
                let tokens = tokens(range)
                if tokens <= bounds.tokensMax {
                    joined[joined.count - 1] = Passage(range: range, tokens: tokens)
                    continue
                }
            }
            joined.append(passage)
        }
        return joined
    }

    /// The tokens of a range as its chunk would hold it, and never fewer than its bytes allow.
    private func tokens(_ range: Range<Int>) -> Int {
        let trimmed = body.trimmed(range)
        let least = (trimmed.count + Limits.bytesPerTokenMax - 1) / Limits.bytesPerTokenMax
        // What is too long by its bytes alone need not be counted.
        return least > bounds.tokensMax ? least : max(least, countTokens(body.text(trimmed)))
    }
}
