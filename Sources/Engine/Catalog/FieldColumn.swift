// One declared field of all documents of a collection, as a column that filters read.
import Memory

/// A value of a field's own type.
enum FieldValue: Sendable {
    case keyword(String)
    case keywords([String])
    /// `int`, and `time` in Unix milliseconds.
    case int(Int64)
    case float(Double)
    case bool(Bool)

    /// Whether both are the same to the last bit: what was sent is what is kept, so 0 and -0 differ.
    func isExactly(_ other: FieldValue) -> Bool {
        switch (self, other) {
        case (.keyword(let a), .keyword(let b)): a.isExactly(b)
        case (.keywords(let a), .keywords(let b)): a.elementsEqual(b) { $0.isExactly($1) }
        case (.int(let a), .int(let b)): a == b
        case (.float(let a), .float(let b)): a.bitPattern == b.bitPattern
        case (.bool(let a), .bool(let b)): a == b
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

    /// A column as it was stored; refuses what points outside it. O(documents).
    init(
        schema: FieldSchema, documents: Int, values: PagedColumn<UInt64>, present: PagedColumn<UInt8>, keywords: InternTable, lists: PagedColumn<UInt32>
    ) throws(Corruption) {
        self.init(schema: schema)
        (self.values, self.present, self.keywords, self.lists) = (values, present, keywords, lists)
        guard values.count == documents, present.count == documents else {
            throw Corruption(offset: 0, expected: "\(documents) values of the field \(schema.name), found \(values.count)")
        }
        for document in 0..<documents where present[document] != 0 {
            let isInside =
                switch schema.type {
                case .keyword: values[document] < UInt64(keywords.count)
                case .keywords: list(values[document]).upperBound <= lists.count
                case .float: Double(bitPattern: values[document]).isFinite
                case .int, .bool, .time: true
                }
            guard isInside else { throw Corruption(offset: document, expected: "a value that the field \(schema.name) has") }
        }
        for index in 0..<lists.count {
            guard Int(lists[index]) < keywords.count else { throw Corruption(offset: index, expected: "a keyword of the field \(schema.name)") }
        }
    }

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
