// The `key: value` lines that many Markdown files begin with, between two lines of `---`.

/// The front matter of a document: scalars and flat lists. Deeper values of YAML are left alone.
package struct FrontMatter: Equatable, Sendable {
    package enum Value: Equatable, Sendable {
        case scalar(String)
        case list([String])
    }

    package struct Entry: Equatable, Sendable {
        package var key: String
        package var value: Value
    }

    /// In the order of the file; a key may come twice, which `value(for:)` refuses.
    package let entries: [Entry]

    package init() { entries = [] }

    /// The value of a key, or nil if it is missing or empty.
    func value(for key: String) throws(RowError) -> Value? {
        let values = entries.filter { $0.key == key }
        guard values.count <= 1 else { throw RowError("the front matter gives \"\(key)\" twice") }
        return values.first?.value
    }

    /// The first scalar under a key.
    func firstScalar(_ key: String) -> String? {
        for entry in entries where entry.key == key { if case .scalar(let text) = entry.value { return text } }
        return nil
    }

    /// Splits a body into its front matter and the offset at which the text begins. Where the lines up to the second
    /// `---` are not all of front matter's kind, the first one is a rule and everything is text.
    static func split(_ body: TextBody) -> (FrontMatter, textStart: Int) {
        var end = body.lineEnd(from: 0)
        guard body.text(0..<end).trimmingEnd == "---" else { return (FrontMatter(), 0) }
        var reader = FrontMatterReader()
        for _ in 0..<Limits.frontMatterLinesMax where end < body.bytes.count {
            let start = end + 1
            end = body.lineEnd(from: start)
            let line = body.text(start..<end).trimmingEnd
            if line == "---" || line == "..." {
                return (FrontMatter(entries: reader.finish()), min(end + 1, body.bytes.count))
            }
            guard reader.read(line) else { break }
        }
        return (FrontMatter(), 0)
    }

    private init(entries: [Entry]) { self.entries = entries }
}

/// Takes the lines of front matter one by one.
private struct FrontMatterReader {
    private var entries: [FrontMatter.Entry] = []
    /// A key without a value on its own line, and the items under it.
    private var listKey: String?
    private var list: [String] = []

    /// False if the line is none of front matter's.
    mutating func read(_ line: String) -> Bool {
        let content = line.trimming
        if listKey != nil, content.hasPrefix("- ") {
            list.append(Self.unquoted(String(content.dropFirst(2))))
            return true
        }
        // Blank lines and comments, and what is indented: it belongs to a value that is no scalar.
        guard let first = line.first, !first.isWhitespace, first != "#" else { return true }
        endList()
        guard let colon = Self.colon(in: line) else { return false }
        let key = Self.unquoted(String(line[..<colon]))
        let rest = String(line[line.index(after: colon)...]).trimming
        if rest.isEmpty {
            listKey = key
        } else if let value = Self.value(rest) {
            entries.append(FrontMatter.Entry(key: key, value: value))
        }
        return true
    }

    consuming func finish() -> [FrontMatter.Entry] {
        endList()
        return entries
    }

    private mutating func endList() {
        if let listKey, !list.isEmpty { entries.append(FrontMatter.Entry(key: listKey, value: .list(list))) }
        listKey = nil
        list = []
    }

    /// The first colon that ends a key: one at the line's end or before a space, so that a URL is no key.
    private static func colon(in line: String) -> String.Index? {
        for index in line.indices where line[index] == ":" {
            let next = line.index(after: index)
            if next == line.endIndex || line[next] == " " || line[next] == "\t" { return index }
        }
        return nil
    }

    /// A scalar or a list in square brackets; nil for null, for a text block and for a mapping.
    private static func value(_ text: String) -> FrontMatter.Value? {
        if text.hasPrefix("["), text.hasSuffix("]") {
            return .list(text.dropFirst().dropLast().split(separator: ",").map { unquoted(String($0)) }.filter { !$0.isEmpty })
        }
        if text.hasPrefix("{") || text.hasPrefix("|") || text.hasPrefix(">") || text.hasPrefix("#") { return nil }
        let scalar = unquoted(text)
        return scalar.isEmpty || scalar == "~" || scalar == "null" ? nil : .scalar(scalar)
    }

    /// Without quotes around it, or without a comment behind it.
    private static func unquoted(_ text: String) -> String {
        let text = text.trimming
        if let quote = text.first, quote == "\"" || quote == "'", let end = text.dropFirst().firstIndex(of: quote) {
            return String(text[text.index(after: text.startIndex)..<end])
        }
        for index in text.indices where text[index] == "#" && index > text.startIndex && text[text.index(before: index)] == " " {
            return String(text[..<index]).trimming
        }
        return text
    }
}

extension String {
    var trimmingEnd: String {
        var text = self[...]
        while let last = text.last, last.isWhitespace { text.removeLast() }
        return String(text)
    }

    var trimming: String { String(trimmingEnd.drop { $0.isWhitespace }) }
}
