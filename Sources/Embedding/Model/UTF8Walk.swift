// Steps over the scalars of a string's bytes, forwards and backwards.

/// Positions are those of scalars' first bytes. The bytes are a `String`'s, so they are well-formed UTF-8.
enum UTF8Walk {
    /// The scalar at `position`, and where the next one starts.
    @inline(__always)
    static func scalar(at position: Int, in text: Span<UInt8>) -> (scalar: UInt32, next: Int) {
        let first = UInt32(text[position])
        if first < 0x80 { return (first, position + 1) }
        if first < 0xE0 { return ((first & 0x1F) << 6 | low(text, position + 1), position + 2) }
        if first < 0xF0 {
            return ((first & 0xF) << 12 | low(text, position + 1) << 6 | low(text, position + 2), position + 3)
        }
        let high = (first & 0x7) << 18 | low(text, position + 1) << 12
        return (high | low(text, position + 2) << 6 | low(text, position + 3), position + 4)
    }

    /// Where the scalar before `position` starts. REQUIRES: there is one.
    static func position(before position: Int, in text: Span<UInt8>) -> Int {
        var start = position - 1
        while text[start] & 0xC0 == 0x80 {
            start -= 1
        }
        return start
    }

    @inline(__always)
    private static func low(_ text: Span<UInt8>, _ position: Int) -> UInt32 {
        UInt32(text[position] & 0x3F)
    }
}
