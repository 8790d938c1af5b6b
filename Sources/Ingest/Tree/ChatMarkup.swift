// The marks in an exported message, as the people in the channel saw them.

enum ChatMarkup {
    /// `<@U1>` becomes `@Name`, `<#C1|general>` `#general`, `<url|label>` `label (url)`; `&lt;`, `&gt;` and `&amp;` become
    /// the characters they stand for. What is not such a mark stays as it is.
    static func plain(_ text: String, names: ChatNames) -> String {
        guard text.utf8.contains(where: { $0 == UInt8(ascii: "<") || $0 == UInt8(ascii: "&") }) else { return text }
        var plain = ""
        var rest = text[...]
        while let start = rest.firstIndex(where: { $0 == "<" || $0 == "&" }) {
            plain += rest[..<start]
            rest = rest[start...]
            if let (character, count) = entity(rest) {
                plain.append(character)
                rest = rest.dropFirst(count)
            } else if rest.first == "<", let end = rest.prefix(markLengthMax).firstIndex(of: ">") {
                plain += mark(rest[rest.index(after: start)..<end], names)
                rest = rest[rest.index(after: end)...]
            } else {
                plain.append(rest.removeFirst())
            }
        }
        return plain + rest
    }

    /// Longest mark that is looked for, so that a text of nothing but `<` costs no more than its length.
    private static let markLengthMax = 4096

    private static func entity(_ text: Substring) -> (Character, count: Int)? {
        if text.hasPrefix("&lt;") { return ("<", 4) }
        if text.hasPrefix("&gt;") { return (">", 4) }
        if text.hasPrefix("&amp;") { return ("&", 5) }
        return nil
    }

    private static func mark(_ content: Substring, _ names: ChatNames) -> String {
        let parts = content.split(separator: "|", maxSplits: 1, omittingEmptySubsequences: false)
        let target = unescaped(parts[0])
        let label = parts.count == 2 && !parts[1].isEmpty ? unescaped(parts[1]) : nil
        switch target.first {
        case "@": return "@" + (names[String(target.dropFirst())] ?? label ?? String(target.dropFirst()))
        case "#": return "#" + (label ?? String(target.dropFirst()))
        // `<!here>`, `<!subteam^S1|@team>`, `<!date^1|yesterday>`: the label is what was seen.
        case "!": return label ?? "@" + target.dropFirst().prefix { $0 != "^" }
        default:
            guard let label, label != target else { return target }
            return "\(label) (\(target))"
        }
    }

    private static func unescaped(_ text: Substring) -> String {
        var plain = ""
        var rest = text
        while let start = rest.firstIndex(of: "&") {
            plain += rest[..<start]
            rest = rest[start...]
            if let (character, count) = entity(rest) {
                plain.append(character)
                rest = rest.dropFirst(count)
            } else {
                plain.append(rest.removeFirst())
            }
        }
        return plain + rest
    }
}
