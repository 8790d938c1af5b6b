// Names of files that are numbered and never reused: a word and sixteen hexadecimal digits, so that they sort by number.

struct NumberedNames {
    let prefix: String

    func name(_ number: UInt64) -> String {
        let digits = String(number, radix: 16)
        return prefix + String(repeating: "0", count: 16 - digits.count) + digits
    }

    /// The number in such a name, or nil for any other: a number has one name.
    func number(_ name: String) -> UInt64? {
        guard name.hasPrefix(prefix), name.utf8.count == prefix.utf8.count + 16 else { return nil }
        return UInt64(name.dropFirst(prefix.count), radix: 16).flatMap { self.name($0) == name ? $0 : nil }
    }
}
