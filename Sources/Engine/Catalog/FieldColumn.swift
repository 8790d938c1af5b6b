// One declared field of all documents of a collection, as a column that filters read.
import Memory

/// A value of a field's own type.
enum FieldValue: Equatable, Sendable {
    case keyword(String)
    case keywords([String])
    /// `int`, and `time` in Unix milliseconds.
    case int(Int64)
    case float(Double)
    case bool(Bool)

    /// Texts are equal if their bytes are; Swift's own comparison takes composed and decomposed letters for the same.
    static func == (one: FieldValue, other: FieldValue) -> Bool {
        switch (one, other) {
        case (.keyword(let one), .keyword(let other)): one.utf8.elementsEqual(other.utf8)
        case (.keywords(let one), .keywords(let other)):
            one.count == other.count && zip(one, other).allSatisfy { $0.utf8.elementsEqual($1.utf8) }
        case (.int(let one), .int(let other)): one == other
        case (.float(let one), .float(let other)): one == other
        case (.bool(let one), .bool(let other)): one == other
        default: false
        }
    }
}

/// A field's values by document number. Keywords are dense numbers into a table of the field's own, lists are
/// ranges of such numbers; about 9 bytes a document.
struct FieldColumn: Sendable {
    let schema: FieldSchema
    private(set) var values = PagedColumn<UInt64>()
    private(set) var present = PagedColumn<UInt8>()
    private(set) var keywords = InternTable()
    private(set) var lists = PagedColumn<UInt32>()

    init(schema: FieldSchema) { self.schema = schema }

    /// A column that begins with the next document, which has no value yet.
    mutating func appendAbsent() {
        values.append(0)
        present.append(0)
    }

    mutating func set(_ document: Int, to value: FieldValue?) {
        guard let value else {
            if present[document] != 0 { present.set(document, to: 0) }
            return
        }
        values.set(document, to: pack(value))
        if present[document] == 0 { present.set(document, to: 1) }
    }

    func value(_ document: Int) -> FieldValue? {
        guard present[document] != 0 else { return nil }
        let packed = values[document]
        switch schema.type {
        case .keyword: return .keyword(keywords.string(UInt32(packed)))
        case .keywords: return .keywords(list(packed).map { keywords.string(lists[$0]) })
        case .int, .time: return .int(Int64(bitPattern: packed))
        case .float: return .float(Double(bitPattern: packed))
        case .bool: return .bool(packed != 0)
        }
    }

    /// The places in `lists` that a list value names.
    func list(_ packed: UInt64) -> Range<Int> {
        let start = Int(packed >> 32)
        return start..<start + Int(packed & 0xFFFF_FFFF)
    }

    /// The number of a keyword, if any document ever had it.
    func number(of keyword: String) -> UInt32? {
        // Sound: bytes have no invalid pattern.
        keywords.find(unsafe Array(keyword.utf8).span.bytes)
    }

    private mutating func pack(_ value: FieldValue) -> UInt64 {
        switch value {
        case .keyword(let text): return UInt64(intern(text))
        case .keywords(let texts):
            let start = UInt64(lists.count)
            for text in texts { lists.append(intern(text)) }
            return start << 32 | UInt64(texts.count)
        case .int(let number): return UInt64(bitPattern: number)
        case .float(let number): return number.bitPattern
        case .bool(let flag): return flag ? 1 : 0
        }
    }

    private mutating func intern(_ text: String) -> UInt32 {
        // Sound: bytes have no invalid pattern.
        keywords.intern(unsafe Array(text.utf8).span.bytes).number
    }

    var byteCount: Int { values.byteCount + present.byteCount + lists.byteCount + keywords.byteCount }
}
