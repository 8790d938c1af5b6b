// Single JSON values into Swift ones, each refusal naming the field.
import Engine
import Memory

extension JSONValue {
    func decodeString(_ field: String) throws(WireError) -> String {
        guard let string else { throw .invalid(field, "a string") }
        return string
    }

    /// A string is the new value, null is none.
    func decodeTextChange(_ field: String) throws(WireError) -> Change<String> {
        isNull ? .remove : .set(try decodeString(field))
    }

    func decodeInt(_ field: String, in range: ClosedRange<Int>) throws(WireError) -> Int {
        guard let int, let value = Int(exactly: int), range.contains(value) else {
            throw .invalid(field, "an integer from \(range.lowerBound) to \(range.upperBound)")
        }
        return value
    }

    func decodeSequence(_ field: String) throws(WireError) -> UInt64 {
        guard let int, int >= 0 else { throw .invalid(field, "an integer of 0 or more") }
        return UInt64(int)
    }

    /// Unix milliseconds, given as such or as RFC 3339.
    func decodeTime(_ field: String) throws(WireError) -> Int64 {
        if let int { return int }
        guard let milliseconds = Timestamp.milliseconds(rfc3339: string ?? "") else {
            throw .invalid(field, "an RFC 3339 time with an offset, a date, or Unix milliseconds")
        }
        return milliseconds
    }

    func decodeBool(_ field: String) throws(WireError) -> Bool {
        guard let bool else { throw .invalid(field, "true or false") }
        return bool
    }

    func decodeFloat(_ field: String) throws(WireError) -> Float {
        guard let double, Float(double).isFinite else { throw .invalid(field, "a number that float32 can hold") }
        return Float(double)
    }

    /// One of a type's names.
    func decodeCase<T: RawRepresentable<String> & CaseIterable>(_ field: String) throws(WireError) -> T {
        guard let named = T(rawValue: string ?? "") else {
            throw .invalid(field, "one of \(T.allCases.map(\.rawValue).joined(separator: ", "))")
        }
        return named
    }

    /// An array of strings.
    func decodeStrings(_ field: String, max: Int) throws(WireError) -> [String] {
        guard var elements else { throw .invalid(field, "an array of strings") }
        var strings: [String] = []
        while let element = elements.next() {
            guard strings.count < max else { throw .tooManyElements(max, field) }
            strings.append(try element.decodeString("\(field)[\(strings.count)]"))
        }
        return strings
    }

    /// A string, or an array of them.
    func decodeOneOrMoreStrings(_ field: String, max: Int) throws(WireError) -> [String] {
        if let string { return [string] }
        return try decodeStrings(field, max: max)
    }

    func decodeInputValue(_ field: String) throws(WireError) -> InputValue {
        switch kind {
        case .string: return .string(try decodeString(field))
        case .integer, .unsigned:
            guard let int else { throw .invalid(field, "an integer within 64 bits") }
            return .integer(int)
        case .double:
            guard let double else { throw .invalid(field, "a number") }
            return .number(double)
        case .yes, .no: return .bool(kind == .yes)
        case .array: return .strings(try decodeStrings(field, max: Limits.keywordsPerFieldMax))
        case .null, .object: throw .invalid(field, "a string, a number, true, false or a list of strings")
        }
    }

    /// Appends a vector, given as numbers or as base64 of little-endian float32; returns where it lies.
    func decodeVector(_ field: String, to floats: inout [Float]) throws(WireError) -> Range<Int> {
        let start = floats.count
        do { try appendVector(to: &floats) } catch { throw WireError(code: "invalid_value", message: error.description, field: field) }
        return start..<floats.count
    }

    func decodeParts(_ field: String, of names: [(name: String, part: Parts)] = Parts.names) throws(WireError) -> Parts {
        var parts: Parts = []
        for name in try decodeStrings(field, max: names.count) {
            guard let known = names.first(where: { $0.name == name }) else {
                throw .invalid(field, "names of \(names.map(\.name).joined(separator: ", ")); \"\(name)\" is none")
            }
            parts.insert(known.part)
        }
        return parts
    }

    /// Walks an object's members, turning the reader's complaints into the wire's. `place` is empty for the request.
    /// - Parameter areDistinct: its keys have been checked.
    func forEachMember(
        _ place: String, areDistinct: Bool = false, _ body: (String, borrowing JSONValue) throws(WireError) -> Void
    ) throws(WireError) {
        guard var members = areDistinct ? distinctMembers : members else { throw .invalid(place, "an object") }
        while true {
            let member: JSONMember
            do {
                guard let next = try members.next() else { return }
                member = next
            } catch { throw .badJSON(error, in: place) }
            try body(member.key, member.value)
        }
    }
}
