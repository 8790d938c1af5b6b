// Texts told apart by their bytes.

extension String {
    /// Whether both are the same bytes. Swift's `==` calls texts equal that only mean the same character: é alone, and
    /// e with an accent behind it. Ids, names and keywords are bytes to everybody else, and in the log.
    func isExactly(_ other: String) -> Bool {
        utf8.count == other.utf8.count && utf8.elementsEqual(other.utf8)
    }
}

/// A text as the key of a set or a dictionary.
struct ExactText: Hashable, Sendable {
    let text: String

    init(_ text: String) { self.text = text }

    static func == (a: ExactText, b: ExactText) -> Bool { a.text.isExactly(b.text) }
    // Texts that only look alike share a hash, which is harmless.
    func hash(into hasher: inout Hasher) { hasher.combine(text) }
}
