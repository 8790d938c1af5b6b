// Stretches of text that are kept whole while they fit, and where to cut them when they do not.

/// A range of a text and its shape. The parts of a unit lie within it, in order, and leave out only white space.
struct TextUnit: Sendable {
    enum Shape: Sendable {
        /// Parts that are known already, such as the messages of a thread.
        case group([TextUnit])
        /// Cut before items, then as lines.
        case list
        /// Cut at line ends: code, tables.
        case lines
        /// Cut behind sentences.
        case prose
        /// Cut at white space.
        case words
        /// No white space within: halved between two scalars.
        case word
    }

    var range: Range<Int>
    var shape: Shape

    /// Smaller units for the same text, or nil for a single scalar. Every step is to a finer shape or to shorter
    /// words, so that cutting ends.
    func parts(in body: TextBody) -> [TextUnit]? {
        switch shape {
        case .group(let parts): return parts
        case .list: return cut(behind: body, .lines) { startsItem(body, at: $0) }
        case .lines: return cut(behind: body, .prose) { _ in true }
        case .prose: return sentences(body)
        case .words: return words(body)
        case .word: return halves(body)
        }
    }

    /// Cuts at those line starts that `isCut` chooses.
    private func cut(behind body: TextBody, _ shape: Shape, where isCut: (Int) -> Bool) -> [TextUnit] {
        var parts: [TextUnit] = []
        var start = range.lowerBound
        var lineEnd = body.lineEnd(from: start)
        while lineEnd < range.upperBound {
            if isCut(lineEnd + 1) {
                parts.append(TextUnit(range: start..<lineEnd, shape: shape))
                start = lineEnd + 1
            }
            lineEnd = body.lineEnd(from: lineEnd + 1)
        }
        if start < range.upperBound { parts.append(TextUnit(range: start..<range.upperBound, shape: shape)) }
        return parts
    }

    private func startsItem(_ body: TextBody, at start: Int) -> Bool {
        start < range.upperBound && MarkdownLine(body, at: start).listMarker != nil
    }

    /// A sentence ends behind `.`, `!`, `?` or `…` and the quotes and brackets that close with it, where white space
    /// follows, and behind the full stops of Chinese and Japanese, where none does. An abbreviation is cut
    /// behind too; sentences are put together again as far as they fit, so that costs nothing.
    private func sentences(_ body: TextBody) -> [TextUnit] {
        var parts: [TextUnit] = []
        var start = range.lowerBound
        var at = start
        while at < range.upperBound {
            guard let ending = SentenceEnding(body.bytes, at: at, before: range.upperBound) else {
                at += 1
                continue
            }
            at = ending.end
            while at < range.upperBound, isWhite(body.bytes[at]) { at += 1 }
            parts.append(TextUnit(range: start..<at, shape: .words))
            start = at
        }
        if start < range.upperBound { parts.append(TextUnit(range: start..<range.upperBound, shape: .words)) }
        return parts
    }

    /// Each with the white space behind it, so that no chunk begins with some.
    private func words(_ body: TextBody) -> [TextUnit] {
        var parts: [TextUnit] = []
        var start = range.lowerBound
        var at = start
        while at < range.upperBound, isWhite(body.bytes[at]) { at += 1 }
        while at < range.upperBound {
            while at < range.upperBound, !isWhite(body.bytes[at]) { at += 1 }
            while at < range.upperBound, isWhite(body.bytes[at]) { at += 1 }
            parts.append(TextUnit(range: start..<at, shape: .word))
            start = at
        }
        return parts
    }

    /// Halving instead of listing every scalar: a file that is one long word would need a hundred times its size.
    private func halves(_ body: TextBody) -> [TextUnit]? {
        var middle = range.lowerBound + range.count / 2
        while middle > range.lowerBound, isContinuation(body.bytes[middle]) { middle -= 1 }
        if middle == range.lowerBound {
            middle += 1
            while middle < range.upperBound, isContinuation(body.bytes[middle]) { middle += 1 }
        }
        guard middle < range.upperBound else { return nil }
        return [
            TextUnit(range: range.lowerBound..<middle, shape: .word),
            TextUnit(range: middle..<range.upperBound, shape: .word),
        ]
    }
}

/// Where a sentence ends, in UTF-8.
private struct SentenceEnding {
    /// Offset behind the ending and what closes with it.
    let end: Int

    init?(_ bytes: [UInt8], at start: Int, before limit: Int) {
        switch bytes[start] {
        case UInt8(ascii: "."), UInt8(ascii: "!"), UInt8(ascii: "?"):
            guard let end = Self.closed(bytes, start + 1, limit) else { return nil }
            self.end = end
        case 0xE2 where Self.matches(bytes, start, limit, [0xE2, 0x80, 0xA6]):
            guard let end = Self.closed(bytes, start + 3, limit) else { return nil }
            self.end = end
        case 0xE3 where Self.matches(bytes, start, limit, [0xE3, 0x80, 0x82]): end = start + 3
        case 0xEF where Self.matches(bytes, start, limit, [0xEF, 0xBC, 0x81]): end = start + 3
        case 0xEF where Self.matches(bytes, start, limit, [0xEF, 0xBC, 0x9F]): end = start + 3
        default: return nil
        }
    }

    private static let closers = Set("\"')]*_`".utf8)

    /// Passes over closing quotes, brackets and emphasis; nil unless white space follows them.
    private static func closed(_ bytes: [UInt8], _ start: Int, _ limit: Int) -> Int? {
        var at = start
        while at < limit {
            if isWhite(bytes[at]) { return at }
            if closers.contains(bytes[at]) {
                at += 1
            } else if matches(bytes, at, limit, [0xE2, 0x80, 0x9D]) || matches(bytes, at, limit, [0xE2, 0x80, 0x99]) {
                at += 3
            } else {
                return nil
            }
        }
        return at
    }

    private static func matches(_ bytes: [UInt8], _ start: Int, _ limit: Int, _ wanted: [UInt8]) -> Bool {
        start + wanted.count <= limit && bytes[start..<start + wanted.count].elementsEqual(wanted)
    }
}

private func isContinuation(_ byte: UInt8) -> Bool { byte & 0xC0 == 0x80 }
