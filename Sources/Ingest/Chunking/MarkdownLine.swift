// One line of Markdown and the questions its parser asks of it.

/// A line by CommonMark's rules for what a line can begin or end. It knows nothing of the lines around it.
struct MarkdownLine: Sendable {
    /// Offset of the line's first byte, and of the next line's.
    let start: Int
    let next: Int
    /// Columns of white space before the text; a tab goes to the next multiple of four.
    let indent: Int
    /// The line without white space around it.
    let text: ArraySlice<UInt8>

    init(_ body: TextBody, at start: Int) {
        let end = body.lineEnd(from: start)
        self.start = start
        next = min(end + 1, body.bytes.count)
        var first = start
        var column = 0
        while first < end, isWhite(body.bytes[first]) {
            column = body.bytes[first] == UInt8(ascii: "\t") ? (column / 4 + 1) * 4 : column + 1
            first += 1
        }
        indent = column
        var last = end
        while last > first, isWhite(body.bytes[last - 1]) { last -= 1 }
        text = body.bytes[first..<last]
    }

    var isBlank: Bool { text.isEmpty }

    struct Heading: Equatable {
        var level: Int
        var text: String
    }

    /// `## Heading ##`. A longer one than the limit is text.
    var heading: Heading? {
        let level = text.prefix { $0 == UInt8(ascii: "#") }.count
        let rest = text.dropFirst(level)
        guard (1...6).contains(level), rest.first.map(isWhite) ?? true, text.count <= Limits.headingBytesMax else { return nil }
        return Heading(level: level, text: Self.withoutClosing(rest))
    }

    /// A heading's text without the run of `#` that may close it, which a space must set off.
    private static func withoutClosing(_ text: ArraySlice<UInt8>) -> String {
        let body = text.dropLast(text.reversed().prefix { $0 == UInt8(ascii: "#") }.count)
        let isClosed = body.last.map(isWhite) ?? true
        return String(decoding: isClosed ? body : text, as: UTF8.self).trimming
    }

    /// 1 for a line of `=`, 2 for a line of `-`: what makes the line above a heading.
    var setextLevel: Int? {
        guard let first = text.first, text.allSatisfy({ $0 == first }) else { return nil }
        return first == UInt8(ascii: "=") ? 1 : first == UInt8(ascii: "-") ? 2 : nil
    }

    /// The run of backticks or tildes that opens fenced code.
    struct Fence: Equatable {
        var mark: UInt8
        var count: Int
    }

    var fence: Fence? {
        guard let mark = text.first, mark == UInt8(ascii: "`") || mark == UInt8(ascii: "~") else { return nil }
        let count = text.prefix { $0 == mark }.count
        // Backticks behind backticks are code within a line.
        guard count >= 3, mark == UInt8(ascii: "~") || !text.dropFirst(count).contains(mark) else { return nil }
        return Fence(mark: mark, count: count)
    }

    func closes(_ fence: Fence) -> Bool {
        text.count >= fence.count && text.allSatisfy { $0 == fence.mark }
    }

    /// `---`, `***`, `_ _ _`: three or more of one mark and nothing else but spaces.
    var isRule: Bool {
        guard let mark = text.first, Self.ruleMarks.contains(mark) else { return false }
        return text.allSatisfy { $0 == mark || isWhite($0) } && text.count(where: { $0 == mark }) >= 3
    }

    enum ListMarker { case bullet, first, later }

    /// What marks the line as an item of a list: a bullet, or a number and whether it is 1.
    var listMarker: ListMarker? {
        guard let first = text.first, !isRule else { return nil }
        if Self.bullets.contains(first) { return Self.isSetOff(text.dropFirst()) ? .bullet : nil }
        let digits = text.prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
        let rest = text.dropFirst(digits.count)
        guard (1...9).contains(digits.count), let mark = rest.first, Self.numberMarks.contains(mark), Self.isSetOff(rest.dropFirst()) else {
            return nil
        }
        return digits.elementsEqual([UInt8(ascii: "1")]) ? .first : .later
    }

    var isQuote: Bool { text.first == UInt8(ascii: ">") }

    /// The text that ends the raw HTML which this line opens, on this line or a later one.
    var rawHTMLEnd: [UInt8]? {
        guard text.first == UInt8(ascii: "<") else { return nil }
        if text.starts(with: "<!--".utf8) { return Array("-->".utf8) }
        for tag in ["pre", "script", "style", "textarea"] {
            let rest = text.dropFirst()
            guard rest.count >= tag.utf8.count, rest.prefix(tag.utf8.count).elementsEqual(tag.utf8, by: { $0 | 0x20 == $1 }) else { continue }
            let follower = rest.dropFirst(tag.utf8.count).first
            if follower == nil || follower == UInt8(ascii: ">") || follower.map(isWhite) == true { return Array("</\(tag)>".utf8) }
        }
        return nil
    }

    /// True if the line holds `end`, in letters of either case.
    func contains(_ end: [UInt8]) -> Bool {
        guard text.count >= end.count else { return false }
        for start in text.startIndex...text.endIndex - end.count
        where text[start..<start + end.count].elementsEqual(end, by: { lowered($0) == $1 }) { return true }
        return false
    }

    private func lowered(_ byte: UInt8) -> UInt8 { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) ? byte | 0x20 : byte }

    /// `| --- | :-: |`: the line under a table's header.
    var isTableDelimiter: Bool {
        text.contains(UInt8(ascii: "|")) && text.contains(UInt8(ascii: "-")) && text.allSatisfy { Self.delimiterMarks.contains($0) || isWhite($0) }
    }

    /// True if the line ends a paragraph that it does not belong to. An empty item and a number other than 1 do
    /// not: "the year\n1986. It was..." is no list.
    var interruptsParagraph: Bool {
        if indent > 3 { return false }
        if heading != nil || fence != nil || isRule || isQuote || rawHTMLEnd != nil { return true }
        switch listMarker {
        case .bullet: return text.count > 1
        case .first: return text.count > 2
        case .later, nil: return false
        }
    }

    private static func isSetOff(_ rest: ArraySlice<UInt8>) -> Bool { rest.first.map(isWhite) ?? true }

    private static let ruleMarks = Set("-*_".utf8)
    private static let numberMarks = Set(".)".utf8)
    private static let bullets = Set("-*+".utf8)
    private static let delimiterMarks = Set("|-:".utf8)
}
