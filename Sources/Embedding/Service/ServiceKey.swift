// The key to a service: it goes into one header and nowhere else.

/// Prints as nothing useful, whichever way it is printed.
struct ServiceKey: Sendable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    private let secret: String

    /// The key in `variable`; nil if there is none, as services on one's own machine often want none.
    init?(variable: String, environment: [String: String]) throws(EmbeddingError) {
        guard let value = environment[variable] else { return nil }
        // A key read from a file brings its line feed along; white space within one, or anything else that is not
        // visible, would be a broken header, or a second one.
        let parts = value.split(whereSeparator: \.isWhitespace)
        guard let secret = parts.first.map(String.init) else { return nil }
        guard parts.count == 1, secret.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            throw .configuration("the key in the environment variable \(variable) has characters that no key can have")
        }
        self.secret = secret
    }

    var authorization: String { "Bearer \(secret)" }

    /// `text` without the key, as services like to quote what they refuse.
    func removed(from text: String) -> String {
        text.replacing(secret, with: "[key]")
    }

    var description: String { "[key]" }
    var debugDescription: String { "[key]" }
    var customMirror: Mirror { Mirror(self, children: []) }
}
