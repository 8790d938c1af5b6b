// Markdown documents to passages that know which headings they stand under.
package import Wire

/// A Markdown document taken apart.
package struct MarkdownDocument: Equatable, Sendable {
    package var title: String
    package var frontMatter: FrontMatter
    package var chunks: [OutgoingChunk]
}

/// Cuts Markdown at its headings and packs what stands between two headings into chunks.
///
/// - Every visible character of the text outside heading lines and front matter is in exactly one chunk, in order.
/// - A chunk is text of one section, and its heading is that section's trail: title > heading > heading.
/// - A chunk has at most `tokensMax` tokens (or is a single scalar).
/// - Code, lists and tables are whole where they fit.
package struct MarkdownChunker: Sendable {
    private let bounds: ChunkBounds
    private let countTokens: TokenCounter

    package init(bounds: ChunkBounds = ChunkBounds(), countTokens: @escaping TokenCounter) {
        self.bounds = bounds
        self.countTokens = countTokens
    }

    /// - Parameter name: the title of a document that has none of its own.
    package func split(_ text: String, name: String) -> MarkdownDocument {
        let body = TextBody(text)
        let (frontMatter, start) = FrontMatter.split(body)
        let blocks = MarkdownParser.blocks(body, from: start)
        var trail = HeadingTrail(blocks, frontMatter, name: name)
        let packer = ChunkPacker(body: body, bounds: bounds, countTokens: countTokens)
        var chunks: [OutgoingChunk] = []
        var section: [TextUnit] = []
        for block in blocks {
            switch block {
            case .unit(let unit): section.append(unit)
            case .heading(let heading):
                chunks += packer.texts(section).map { OutgoingChunk(text: $0, heading: trail.text) }
                section = []
                trail.enter(heading)
            }
        }
        chunks += packer.texts(section).map { OutgoingChunk(text: $0, heading: trail.text) }
        if chunks.isEmpty { chunks = outline(packer, from: start, trail.title) }
        return MarkdownDocument(title: trail.title, frontMatter: frontMatter, chunks: chunks)
    }

    /// A document of nothing but headings: they are its text, or it could not be found.
    private func outline(_ packer: ChunkPacker, from start: Int, _ title: String) -> [OutgoingChunk] {
        let all = TextUnit(range: start..<packer.body.bytes.count, shape: .lines)
        return packer.texts([all]).map { OutgoingChunk(text: $0, heading: title) }
    }
}

/// The document's title and the headings that the reader is under.
private struct HeadingTrail {
    let title: String
    private var headings: [MarkdownLine.Heading] = []
    /// The heading that gave the title comes first and is not said twice.
    private var isTitleAhead: Bool

    /// The title is what the front matter calls it; else the first heading, if that is of level 1 or opens the text
    /// (one further down is the heading of a section); else the file's name.
    init(_ blocks: [MarkdownBlock], _ frontMatter: FrontMatter, name: String) {
        let first = Self.titleHeading(blocks)
        title = frontMatter.firstScalar("title") ?? first ?? name
        isTitleAhead = first == title
    }

    private static func titleHeading(_ blocks: [MarkdownBlock]) -> String? {
        for (index, block) in blocks.enumerated() {
            guard case .heading(let heading) = block else { continue }
            return (heading.level == 1 || index == 0) && !heading.text.isEmpty ? heading.text : nil
        }
        return nil
    }

    mutating func enter(_ heading: MarkdownLine.Heading) {
        if isTitleAhead {
            isTitleAhead = false
            return
        }
        while let last = headings.last, last.level >= heading.level { headings.removeLast() }
        headings.append(heading)
    }

    var text: String {
        ([title] + headings.map(\.text).filter { !$0.isEmpty }).joined(separator: " > ")
    }
}
