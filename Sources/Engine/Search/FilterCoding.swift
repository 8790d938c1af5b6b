// Filters as bytes: how agents' scopes are kept, and how equal questions are told to be equal.
import Memory

// Layout (str = u32 length + UTF-8, value below):
//
//   u8 1 all, 2 any: u32 n, n x filter | 3 not: filter | 4 field: str name | condition
//   | 5 under: u32 n, n x str
//   condition: u8 1 is in, 4 contains all: u32 n, n x value | 2 range: bound, bound | 3 exists | 5 prefix, 6 match: str
//   bound: u8 0 none, 1 inclusive, 2 exclusive, then a value
//   value: u8 1 str | 2 i64 | 3 f64 | 4 true | 5 false | 6 u32 n, n x str

extension Filter {
    func encode(to writer: inout ByteWriter) {
        switch self {
        case .all(let parts): writer.write(1, parts)
        case .any(let parts): writer.write(2, parts)
        case .not(let part):
            writer.write(UInt8(3))
            part.encode(to: &writer)
        case .field(let name, let condition):
            writer.write(UInt8(4))
            writer.writeString(name)
            writer.write(condition)
        case .under(let ids):
            writer.write(UInt8(5))
            writer.write(UInt32(ids.count))
            for id in ids { writer.writeString(id) }
        }
    }

    /// Refuses what nests deeper or is longer than a filter may be.
    init(decoding bytes: RawSpan) throws(Corruption) {
        var reader = ByteReader(bytes)
        self = try reader.readFilter(depth: 1)
        try reader.finish()
    }
}

extension ByteWriter {
    fileprivate mutating func write(_ kind: UInt8, _ parts: [Filter]) {
        write(kind)
        write(UInt32(parts.count))
        for part in parts { part.encode(to: &self) }
    }

    fileprivate mutating func write(_ condition: Filter.Condition) {
        switch condition {
        case .isIn(let values):
            write(UInt8(1))
            write(UInt32(values.count))
            for value in values { write(value) }
        case .range(let lower, let upper):
            write(UInt8(2))
            write(lower)
            write(upper)
        case .exists: write(UInt8(3))
        case .containsAll(let values):
            write(UInt8(4))
            write(UInt32(values.count))
            for value in values { write(value) }
        case .prefix(let text):
            write(UInt8(5))
            writeString(text)
        case .match(let text):
            write(UInt8(6))
            writeString(text)
        }
    }

    private mutating func write(_ bound: Filter.Bound?) {
        guard let bound else { return write(UInt8(0)) }
        write(UInt8(bound.isInclusive ? 1 : 2))
        write(bound.value)
    }

    private mutating func write(_ value: InputValue) {
        switch value {
        case .string(let text):
            write(UInt8(1))
            writeString(text)
        case .integer(let number):
            write(UInt8(2))
            write(number)
        case .number(let number):
            write(UInt8(3))
            write(number)
        case .bool(let flag): write(UInt8(flag ? 4 : 5))
        case .strings(let texts):
            write(UInt8(6))
            write(UInt32(texts.count))
            for text in texts { writeString(text) }
        }
    }
}

extension ByteReader {
    @_lifetime(self: copy self)
    fileprivate mutating func readFilter(depth: Int) throws(Corruption) -> Filter {
        guard depth <= Limits.filterDepthMax else { throw Corruption(offset: offset, expected: "at most \(Limits.filterDepthMax) conditions inside one another") }
        switch try read(UInt8.self) {
        case 1: return .all(try readFilters(depth: depth + 1))
        case 2: return .any(try readFilters(depth: depth + 1))
        case 3: return .not(try readFilter(depth: depth + 1))
        case 4:
            let name = try readString()
            return .field(name, try readCondition())
        case 5:
            var ids: [String] = []
            for _ in 0..<(try readTermCount()) { ids.append(try readString()) }
            return .under(ids)
        default: throw Corruption(offset: offset - 1, expected: "a kind of filter")
        }
    }

    @_lifetime(self: copy self)
    private mutating func readFilters(depth: Int) throws(Corruption) -> [Filter] {
        var filters: [Filter] = []
        for _ in 0..<(try readTermCount()) { filters.append(try readFilter(depth: depth)) }
        return filters
    }

    @_lifetime(self: copy self)
    private mutating func readTermCount() throws(Corruption) -> UInt32 {
        let count = try read(UInt32.self)
        guard count <= Limits.filterTermsMax else { throw Corruption(offset: offset - 4, expected: "at most \(Limits.filterTermsMax) terms") }
        return count
    }

    @_lifetime(self: copy self)
    private mutating func readCondition() throws(Corruption) -> Filter.Condition {
        let kind = try read(UInt8.self)
        switch kind {
        case 1, 4:
            var values: [InputValue] = []
            for _ in 0..<(try readTermCount()) { values.append(try readValue()) }
            return kind == 1 ? .isIn(values) : .containsAll(values)
        case 2:
            let lower = try readBound()
            return .range(lower: lower, upper: try readBound())
        case 3: return .exists
        case 5: return .prefix(try readString())
        case 6: return .match(try readString())
        default: throw Corruption(offset: offset - 1, expected: "a kind of condition")
        }
    }

    @_lifetime(self: copy self)
    private mutating func readBound() throws(Corruption) -> Filter.Bound? {
        let kind = try read(UInt8.self)
        guard kind <= 2 else { throw Corruption(offset: offset - 1, expected: "a bound") }
        return kind == 0 ? nil : Filter.Bound(try readValue(), isInclusive: kind == 1)
    }

    @_lifetime(self: copy self)
    private mutating func readValue() throws(Corruption) -> InputValue {
        switch try read(UInt8.self) {
        case 1: return .string(try readString())
        case 2: return .integer(try read())
        case 3: return .number(try readDouble())
        case 4: return .bool(true)
        case 5: return .bool(false)
        case 6:
            var texts: [String] = []
            for _ in 0..<(try readTermCount()) { texts.append(try readString()) }
            return .strings(texts)
        default: throw Corruption(offset: offset - 1, expected: "a kind of value")
        }
    }
}
