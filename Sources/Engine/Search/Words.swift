// Words of a text, as `$match` knows them: cut out, their case folded.
import Memory

/// Cuts texts into words.
///
/// A word is a run, as long as it can be, of letters, marks and digits (Unicode's Alphabetic, general category M, general category N); an
/// ideograph is a word by itself, its marks included. Folding is each character's uppercase mapping and of that each character's
/// lowercase mapping, in no language's ways: `ß` and `SS` are one, so are `σ` and `ς`. Words are the same where they are canonically
/// equivalent: `é` is one character or two.
enum Words {
    /// The words, folded, in their order; one that comes twice is there twice.
    static func folded(_ text: String) -> [String] {
        var words: [String] = []
        var word = String.UnicodeScalarView()
        var isIdeograph = false
        func end() {
            guard !word.isEmpty else { return }
            words.append(String(word))
            word = String.UnicodeScalarView()
        }
        for scalar in text.unicodeScalars {
            let properties = scalar.properties
            switch kind(scalar, properties) {
            case .none: end()
            case .mark: if !word.isEmpty { fold(properties, onto: &word) }
            case .ideograph:
                end()
                fold(properties, onto: &word)
                isIdeograph = true
            case .letter:
                if isIdeograph { end() }
                isIdeograph = false
                fold(properties, onto: &word)
            }
        }
        end()
        return words
    }

    private enum Kind { case none, mark, ideograph, letter }

    private static func kind(_ scalar: Unicode.Scalar, _ properties: Unicode.Scalar.Properties) -> Kind {
        switch properties.generalCategory {
        case .nonspacingMark, .spacingMark, .enclosingMark: .mark
        case .decimalNumber, .letterNumber, .otherNumber: properties.isIdeographic ? .ideograph : .letter
        default: properties.isIdeographic ? .ideograph : properties.isAlphabetic ? .letter : .none
        }
    }

    private static func fold(_ properties: Unicode.Scalar.Properties, onto word: inout String.UnicodeScalarView) {
        for upper in properties.uppercaseMapping.unicodeScalars { word.append(contentsOf: upper.properties.lowercaseMapping.unicodeScalars) }
    }
}

/// Words of which each is to occur in a text.
struct WordQuery: Sendable {
    /// Each once.
    private let words: Set<String>
    /// Those that can occur in a text of ASCII alone, as bytes; nil where one of them cannot.
    private let ascii: [[UInt8]]?
    private let all: UInt64

    /// nil where there are no words, or too many.
    init?(_ text: String) {
        words = Set(Words.folded(text))
        guard (1...Limits.matchWordsMax).contains(words.count) else { return nil }
        let bytes = words.map { Array($0.utf8) }
        ascii = bytes.allSatisfy { $0.allSatisfy { $0 < 0x80 } } ? bytes : nil
        all = words.count == 64 ? ~0 : (1 << UInt64(words.count)) - 1
    }

    func holds(_ text: RawSpan) -> Bool {
        if text.isASCII { return ascii.map { holds(text, $0) } ?? false }
        // Sound: read within the closure only. Decoded, not asserted, as in `ByteArena.string`.
        let decoded = unsafe text.withUnsafeBytes { unsafe String(decoding: $0, as: UTF8.self) }
        return words.isSubset(of: Words.folded(decoded))
    }

    /// Most texts, in a few nanoseconds a byte.
    private func holds(_ text: RawSpan, _ wanted: [[UInt8]]) -> Bool {
        var found: UInt64 = 0
        var at = 0
        while at < text.byteCount {
            while at < text.byteCount, !text.byte(at: at).isWordByte { at += 1 }
            let start = at
            while at < text.byteCount, text.byte(at: at).isWordByte { at += 1 }
            for (place, word) in wanted.enumerated() where word.count == at - start && text.hasWord(word, at: start) { found |= 1 << UInt64(place) }
            if found == all { return true }
        }
        return false
    }
}

extension UInt8 {
    /// Of ASCII: a letter or a digit.
    fileprivate var isWordByte: Bool { (0x30...0x39).contains(self) || (0x61...0x7A).contains(self | 0x20) }
}

extension RawSpan {
    fileprivate var isASCII: Bool {
        for offset in 0..<byteCount where byte(at: offset) >= 0x80 { return false }
        return true
    }

    /// Whether these bytes of a word are `word`, which is in lower case.
    fileprivate func hasWord(_ word: [UInt8], at start: Int) -> Bool {
        for (offset, wanted) in word.enumerated() {
            let byte = byte(at: start + offset)
            guard (byte >= 0x41 && byte <= 0x5A ? byte | 0x20 : byte) == wanted else { return false }
        }
        return true
    }
}
