// Plain text to passages, by its paragraphs.
package import Wire

/// Packs paragraphs, which blank lines set apart, within the same bounds as Markdown. Every visible character is in
/// exactly one chunk, in order.
package struct PlainTextChunker: Sendable {
    private let bounds: ChunkBounds
    private let countTokens: TokenCounter

    package init(bounds: ChunkBounds = ChunkBounds(), countTokens: @escaping TokenCounter) {
        self.bounds = bounds
        self.countTokens = countTokens
    }

    /// - Parameter title: the heading of every chunk, as plain text has none of its own.
    package func split(_ text: String, title: String) -> [OutgoingChunk] {
        let body = TextBody(text)
        let packer = ChunkPacker(body: body, bounds: bounds, countTokens: countTokens)
        return packer.texts(paragraphs(body)).map { OutgoingChunk(text: $0, heading: title) }
    }

    private func paragraphs(_ body: TextBody) -> [TextUnit] {
        var units: [TextUnit] = []
        var start: Int?
        var at = 0
        while at < body.bytes.count {
            let line = MarkdownLine(body, at: at)
            if line.isBlank, let first = start {
                units.append(TextUnit(range: first..<at, shape: .prose))
                start = nil
            } else if !line.isBlank, start == nil {
                start = at
            }
            at = line.next
        }
        if let start { units.append(TextUnit(range: start..<body.bytes.count, shape: .prose)) }
        return units
    }
}
