// What every decoder throws when bytes are not what their format says.

/// Bytes that cannot be what their format promises. `file` is filled in by whoever knows it.
package struct Corruption: Error, Equatable, Sendable, CustomStringConvertible {
    package var file: String
    /// Byte offset of the first byte that does not fit, from the start of `file` (or of the buffer).
    package var offset: Int
    package var expected: String

    package init(file: String = "", offset: Int, expected: String) {
        self.file = file
        self.offset = offset
        self.expected = expected
    }

    package var description: String {
        "\(file.isEmpty ? "bytes" : file): damaged at byte \(offset): expected \(expected)"
    }

    /// The same finding, told from the start of `file`, in which the decoded buffer began at `base`.
    package func located(in file: String, base: Int) -> Corruption {
        Corruption(file: file, offset: base + offset, expected: expected)
    }
}
