// What a filter asks of one text, and its answers for all texts of a table at once.
import Memory

/// A condition on the bytes of a keyword, an id or a title.
enum TextTest: Sendable {
    case anyOf(InternTable)
    case prefix([UInt8])
    /// In the order of bytes.
    case range(lower: Bound?, upper: Bound?)
    case words(WordQuery)

    struct Bound: Sendable {
        var bytes: [UInt8]
        var isInclusive: Bool
    }

    static func anyOf(_ texts: [String]) -> TextTest {
        var table = InternTable()
        // Sound: bytes have no invalid pattern.
        for text in texts { _ = table.intern(unsafe Array(text.utf8).span.bytes) }
        return .anyOf(table)
    }

    func holds(_ text: RawSpan) -> Bool {
        switch self {
        case .anyOf(let wanted): return wanted.find(text) != nil
        case .prefix(let prefix): return text.starts(with: prefix)
        case .range(let lower, let upper):
            if let lower, text.isOrdered(before: lower.bytes, orEqual: !lower.isInclusive) { return false }
            if let upper, !text.isOrdered(before: upper.bytes, orEqual: upper.isInclusive) { return false }
            return true
        case .words(let query): return query.holds(text)
        }
    }

    var byteCount: Int {
        switch self {
        case .anyOf(let wanted): wanted.byteCount
        case .prefix, .range, .words: 256
        }
    }
}

/// Which texts of a table a condition holds of. A text's number never changes its meaning, so each is asked about once, when it is new.
struct TextMatches: Sendable {
    private let test: TextTest
    private let testBytes: Int
    /// Texts asked about.
    private var known = 0
    private var accepted = Bitmap(count: 0)
    /// The number of the only text that the condition can hold of, once it is there.
    private var only: UInt32?

    init(_ test: TextTest) {
        self.test = test
        testBytes = test.byteCount
    }

    /// Asks about the texts that came since.
    mutating func extend(to table: InternTable) {
        // What an older state does not know of, it has nowhere.
        guard table.count > known else { return }
        defer { known = table.count }
        if case .anyOf(let wanted) = test {
            if wanted.count == 1 { return only = only ?? table.find(wanted.bytes(0)) }
            grow(to: table.count)
            if wanted.count < table.count - known {
                for text in 0..<UInt32(wanted.count) { if let number = table.find(wanted.bytes(text)) { accepted[Int(number)] = true } }
                return
            }
        }
        grow(to: table.count)
        for number in known..<table.count where test.holds(table.bytes(UInt32(number))) { accepted[number] = true }
    }

    private mutating func grow(to count: Int) {
        // By half more than is needed: tables grow by a few texts with each write.
        if count > accepted.count { accepted = Bitmap(accepted, count: max(count, accepted.count + accepted.count / 2)) }
    }

    /// Whether the condition holds of a text that has been asked about.
    func contains(_ number: UInt32) -> Bool {
        if let only { return number == only }
        return Int(number) < known && Int(number) < accepted.count && accepted[Int(number)]
    }

    /// The same of 64 texts, from a multiple of 64 on.
    func word(_ index: Int) -> UInt64 {
        if let only { return Int(only) >> 6 == index ? 1 << UInt64(only & 63) : 0 }
        return index < accepted.wordCount ? accepted[word: index] : 0
    }

    var byteCount: Int { testBytes + accepted.wordCount * 8 }
}

extension RawSpan {
    func starts(with prefix: [UInt8]) -> Bool {
        guard byteCount >= prefix.count else { return false }
        // Sound: bytes have no invalid pattern.
        return extracting(first: prefix.count).isEqual(to: unsafe prefix.span.bytes)
    }

    /// Whether these bytes come before others, or are the same where that is asked for.
    func isOrdered(before other: [UInt8], orEqual: Bool) -> Bool {
        // Sound: bytes have no invalid pattern.
        let order = order(to: unsafe other.span.bytes)
        return order < 0 || orEqual && order == 0
    }

    /// Below zero where these bytes come first, in the order of bytes, and above where the others do.
    func order(to other: RawSpan) -> Int {
        for offset in 0..<Swift.min(byteCount, other.byteCount) {
            let (one, two) = (byte(at: offset), other.byte(at: offset))
            if one != two { return one < two ? -1 : 1 }
        }
        return byteCount - other.byteCount
    }
}
