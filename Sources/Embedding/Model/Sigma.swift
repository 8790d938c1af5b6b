// The lower case of a capital sigma, the only one that depends on the letters around it (Unicode, table 3-17).

enum Sigma {
    private static let medial: UInt32 = 0x3C3
    private static let final: UInt32 = 0x3C2

    /// The lower case of the capital sigma at `position`: final if a letter with case stands before it and none after,
    /// case-ignorable scalars between them not counted. Two neighbours at most are read past such scalars, and a sigma
    /// is itself one that stops the reading, so a text is not read more often than three times.
    static func lowercased(at position: Int, in text: Span<UInt8>, folding: Folding) -> UInt32 {
        let next = UTF8Walk.scalar(at: position, in: text).next
        let isFinal = hasCaseBefore(position, text, folding) && !hasCaseAfter(next, text, folding)
        return isFinal ? final : medial
    }

    private static func hasCaseBefore(_ position: Int, _ text: Span<UInt8>, _ folding: Folding) -> Bool {
        var position = position
        while position > 0 {
            position = UTF8Walk.position(before: position, in: text)
            let scalar = UTF8Walk.scalar(at: position, in: text).scalar
            if !isPassed(scalar, folding) { return isCased(scalar) }
        }
        return false
    }

    private static func hasCaseAfter(_ position: Int, _ text: Span<UInt8>, _ folding: Folding) -> Bool {
        var position = position
        while position < text.count {
            let (scalar, next) = UTF8Walk.scalar(at: position, in: text)
            if !isPassed(scalar, folding) { return isCased(scalar) }
            position = next
        }
        return false
    }

    /// Dropped scalars are gone before the lower case is taken.
    private static func isPassed(_ scalar: UInt32, _ folding: Folding) -> Bool {
        folding(scalar).kind == .drop || properties(scalar).isCaseIgnorable
    }

    private static func isCased(_ scalar: UInt32) -> Bool { properties(scalar).isCased }

    private static func properties(_ scalar: UInt32) -> Unicode.Scalar.Properties {
        // The scalars come from well-formed UTF-8, so each has a value.
        Unicode.Scalar(scalar)!.properties
    }
}
