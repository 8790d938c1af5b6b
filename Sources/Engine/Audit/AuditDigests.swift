// What a question is told by in the audit log: enough to see that two were the same, nothing to read.
import Memory

extension SearchInput {
    /// Of the query vectors.
    package var queryDigest: UInt64 {
        var print = Fingerprint()
        print.add(UInt64(vectors.count))
        // Sound: a float is its four bytes.
        print.add(unsafe floats.span.bytes)
        return print.value
    }

    package var filterDigest: UInt64 { Filter.digest(filter, under: under) }
}

extension Filter {
    /// Of a filter and a subtree; 0 where neither is given. Byte by byte: texts that only look alike are different here. Allocates nothing.
    package static func digest(_ filter: Filter?, under: [String]?) -> UInt64 {
        guard filter != nil || under != nil else { return 0 }
        var print = Fingerprint()
        filter?.add(to: &print)
        if let under {
            print.add(9)
            print.add(UInt64(under.count))
            for id in under { print.add(id) }
        }
        return print.value
    }

    private func add(to print: inout Fingerprint) {
        switch self {
        case .all(let parts): Self.add(1, parts, to: &print)
        case .any(let parts): Self.add(2, parts, to: &print)
        case .not(let part):
            print.add(3)
            part.add(to: &print)
        case .field(let name, let condition):
            print.add(4)
            print.add(name)
            condition.add(to: &print)
        case .under(let ids):
            print.add(5)
            print.add(UInt64(ids.count))
            for id in ids { print.add(id) }
        }
    }

    private static func add(_ tag: UInt64, _ parts: [Filter], to print: inout Fingerprint) {
        print.add(tag)
        print.add(UInt64(parts.count))
        for part in parts { part.add(to: &print) }
    }
}

extension Filter.Condition {
    fileprivate func add(to print: inout Fingerprint) {
        switch self {
        case .isIn(let values):
            print.add(1)
            print.add(UInt64(values.count))
            for value in values { value.add(to: &print) }
        case .range(let lower, let upper):
            print.add(2)
            Self.add(lower, to: &print)
            Self.add(upper, to: &print)
        case .exists: print.add(3)
        case .containsAll(let values):
            print.add(4)
            print.add(UInt64(values.count))
            for value in values { value.add(to: &print) }
        case .prefix(let text):
            print.add(5)
            print.add(text)
        case .match(let text):
            print.add(6)
            print.add(text)
        }
    }

    private static func add(_ bound: Filter.Bound?, to print: inout Fingerprint) {
        guard let bound else { return print.add(0) }
        print.add(bound.isInclusive ? 1 : 2)
        bound.value.add(to: &print)
    }
}

extension InputValue {
    fileprivate func add(to print: inout Fingerprint) {
        switch self {
        case .string(let text):
            print.add(1)
            print.add(text)
        case .integer(let number):
            print.add(2)
            print.add(UInt64(bitPattern: number))
        case .number(let number):
            print.add(3)
            print.add(number.bitPattern)
        case .bool(let flag): print.add(flag ? 4 : 5)
        case .strings(let texts):
            print.add(6)
            print.add(UInt64(texts.count))
            for text in texts { print.add(text) }
        }
    }
}
