// Markdown to headings and blocks: as much of CommonMark as it takes to cut a document in the right places.

/// A part of a document, in order.
enum MarkdownBlock: Sendable {
    case heading(MarkdownLine.Heading)
    case unit(TextUnit)
}

/// Reads a document line by line, once. It does not render: a block keeps its bytes as they are, and all that is
/// decided is where it ends, whether it is a heading, and how to cut it if it is too long.
///
/// On purpose unlike CommonMark: a paragraph of several lines above `---` is a paragraph above a rule, not one long
/// heading, so that no text goes from the passages into their trails by a slip of the author's.
struct MarkdownParser {
    private let body: TextBody
    private var line: MarkdownLine?
    private var blocks: [MarkdownBlock] = []

    /// The blocks of the text from `start` on.
    static func blocks(_ body: TextBody, from start: Int) -> [MarkdownBlock] {
        var parser = MarkdownParser(body, from: start)
        while let line = parser.line { parser.readBlock(line) }
        return parser.blocks
    }

    private init(_ body: TextBody, from start: Int) {
        self.body = body
        line = start < body.bytes.count ? MarkdownLine(body, at: start) : nil
    }

    private mutating func advance(over line: MarkdownLine) {
        self.line = line.next < body.bytes.count ? MarkdownLine(body, at: line.next) : nil
    }

    private mutating func readBlock(_ line: MarkdownLine) {
        if line.isBlank {
            advance(over: line)
        } else if line.indent > 3 {
            readIndentedCode(line)
        } else if let fence = line.fence {
            readFencedCode(line, fence)
        } else if let heading = line.heading {
            blocks.append(.heading(heading))
            advance(over: line)
        } else if let end = line.rawHTMLEnd {
            readRawHTML(line, end)
        } else if line.isRule {
            append(from: line, to: line, .prose)
            advance(over: line)
        } else if line.listMarker != nil {
            readList(line)
        } else if line.isQuote {
            readQuote(line)
        } else {
            readParagraph(line)
        }
    }

    private mutating func append(from first: MarkdownLine, to last: MarkdownLine, _ shape: TextUnit.Shape) {
        blocks.append(.unit(TextUnit(range: first.start..<last.next, shape: shape)))
    }

    /// Takes lines while `belongs` says so. The first line is taken unasked.
    private mutating func take(_ first: MarkdownLine, while belongs: (MarkdownLine) -> Bool) -> MarkdownLine {
        var last = first
        advance(over: first)
        while let line, belongs(line) {
            last = line
            advance(over: line)
        }
        return last
    }

    private mutating func readIndentedCode(_ first: MarkdownLine) {
        let last = take(first) { $0.indent > 3 || $0.isBlank }
        append(from: first, to: last, .lines)
    }

    /// To the closing fence, or to the end where there is none.
    private mutating func readFencedCode(_ first: MarkdownLine, _ fence: MarkdownLine.Fence) {
        var last = take(first) { !$0.closes(fence) }
        if let closing = line {
            last = closing
            advance(over: closing)
        }
        append(from: first, to: last, .lines)
    }

    /// To the line that holds the end, or to the end of the text.
    private mutating func readRawHTML(_ first: MarkdownLine, _ end: [UInt8]) {
        var last = first
        if first.contains(end) {
            advance(over: first)
        } else {
            last = take(first) { !$0.contains(end) }
            if let closing = line {
                last = closing
                advance(over: closing)
            }
        }
        append(from: first, to: last, .lines)
    }

    /// A quote goes on through lines that continue its last paragraph without a mark of their own.
    private mutating func readQuote(_ first: MarkdownLine) {
        let last = take(first) { !$0.isBlank && ($0.isQuote || !$0.interruptsParagraph) }
        append(from: first, to: last, .lines)
    }

    private mutating func readParagraph(_ first: MarkdownLine) {
        advance(over: first)
        if let underline = line, let heading = Self.setextHeading(first, underline) {
            blocks.append(.heading(heading))
            return advance(over: underline)
        }
        guard let second = line, !second.isBlank, !second.interruptsParagraph else { return append(from: first, to: first, .prose) }
        let last = take(second) { !$0.isBlank && !$0.interruptsParagraph }
        let isTable = second.isTableDelimiter && first.text.contains(UInt8(ascii: "|"))
        append(from: first, to: last, isTable ? .lines : .prose)
    }

    /// A line of text with a line of `=` or `-` under it. A line that opens HTML is none.
    private static func setextHeading(_ first: MarkdownLine, _ underline: MarkdownLine) -> MarkdownLine.Heading? {
        guard underline.indent <= 3, let level = underline.setextLevel, first.text.count <= Limits.headingBytesMax,
            first.text.first != UInt8(ascii: "<")
        else { return nil }
        return MarkdownLine.Heading(level: level, text: String(decoding: first.text, as: UTF8.self))
    }
}

// MARK: Lists

extension MarkdownParser {
    /// A list with all its items, the blank lines between them, and whatever is indented under them: code with its
    /// comments that look like headings among it.
    private mutating func readList(_ first: MarkdownLine) {
        var last = first
        var isAfterBlank = false
        advance(over: first)
        while let line {
            if !line.isBlank {
                if Self.endsList(line, isAfterBlank: isAfterBlank) { break }
                last = line
            }
            isAfterBlank = line.isBlank
            advance(over: line)
        }
        append(from: first, to: last, .list)
    }

    /// The least indentation that makes a line part of an item.
    private static let itemIndentMin = 2

    private static func endsList(_ line: MarkdownLine, isAfterBlank: Bool) -> Bool {
        if line.indent >= itemIndentMin || line.listMarker != nil { return false }
        // A line right under an item continues its text unless it begins something else.
        return isAfterBlank || line.interruptsParagraph
    }
}
