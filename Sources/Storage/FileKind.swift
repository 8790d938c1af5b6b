// The names of a database's files: a kind, and a number that is used once.

/// What a numbered file of a database is.
package enum FileKind: String, CaseIterable, Sendable {
    case log, segment, catalog, index, manifest

    /// Numbers stay below, so that there is always a next one.
    package static let numberEnd: UInt64 = 1 << 62

    /// Numbers that are found stay below: what a database makes of them can go on for ever.
    package static let foundEnd = numberEnd / 2

    /// The kind, a dash, and 16 hexadecimal digits, so that names sort as their numbers do.
    package func name(_ number: UInt64) -> String {
        let digits = String(number, radix: 16)
        return rawValue + "-" + String(repeating: "0", count: 16 - digits.count) + digits
    }

    /// The number in the name of a file of this kind, or nil for any other name. No database ever gets to `foundEnd`.
    package func number(_ name: String) -> UInt64? {
        guard name.hasPrefix(rawValue + "-"), name.utf8.count == rawValue.utf8.count + 17 else { return nil }
        let number = UInt64(name.dropFirst(rawValue.utf8.count + 1), radix: 16)
        return number.flatMap { $0 < Self.foundEnd && self.name($0) == name ? $0 : nil }
    }
}
