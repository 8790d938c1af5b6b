// Names of those who can be given rights.

/// `public`, or a kind and a name behind a colon. Told apart byte by byte.
package enum PrincipalKind: String, CaseIterable, Sendable {
    case user, group, agent

    package var prefix: String { rawValue + ":" }

    /// Whether a text can be the name of somebody of this kind. Whether there is such a one is not asked.
    package func isName(_ text: String) -> Bool {
        let bytes = text.utf8
        return bytes.starts(with: prefix.utf8) && bytes.count > prefix.utf8.count && bytes.count <= Limits.idBytesMax && !bytes.contains(0)
    }

    /// Refuses what is no name of one of these kinds, naming the part of the request.
    package static func check(_ name: String, isOneOf kinds: [PrincipalKind], orPublic: Bool = false, field: String) throws(EngineError) {
        if orPublic, name.isExactly(Directory.publicName) { return }
        let kind = kinds.first { name.utf8.starts(with: $0.prefix.utf8) }
        guard let kind, name.utf8.count > kind.prefix.utf8.count else {
            let expected = kinds.map { "\"\($0.prefix)…\"" } + (orPublic ? ["\"\(Directory.publicName)\""] : [])
            throw EngineError(.invalidValue, "must be \(expected.joined(separator: " or ")), got \"\(name.prefix(64))\"", field: field)
        }
        try checkBytes(name, field: field)
    }

    /// What holds for all names in the directory.
    static func checkBytes(_ name: String, field: String) throws(EngineError) {
        guard (1...Limits.idBytesMax).contains(name.utf8.count) else {
            throw EngineError(.invalidValue, "a name is 1 to \(Limits.idBytesMax) bytes, got \(name.utf8.count)", field: field)
        }
        guard !name.utf8.contains(0) else { throw EngineError(.invalidValue, "a name holds no NUL", field: field) }
    }
}
