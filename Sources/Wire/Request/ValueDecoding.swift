// Single JSON values into Swift ones, each refusal naming the field.
import Engine
import Index
import Memory

extension JSONValue {
    func decodeString(_ field: String) throws(WireError) -> String {
        guard let string else { throw .invalid(field, "a string") }
        return string
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

    func decodeBool(_ field: String) throws(WireError) -> Bool {
        guard let bool else { throw .invalid(field, "true or false") }
        return bool
    }

    func decodeFloat(_ field: String) throws(WireError) -> Float {
        guard let double, Float(double).isFinite else { throw .invalid(field, "a number that float32 can hold") }
        return Float(double)
    }

    /// An array of strings.
    func decodeStrings(_ field: String, max: Int) throws(WireError) -> [String] {
        guard var elements else { throw .invalid(field, "an array of strings") }
        var strings: [String] = []
        while let element = elements.next() {
            guard strings.count < max else { throw WireError(code: "limit_exceeded", message: "at most \(max) elements", field: field) }
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
        if let text = stringBytes {
            try decodeBase64(text, field, to: &floats)
        } else {
            do { try appendFloats(to: &floats) } catch { throw WireError(code: "invalid_value", message: error.description, field: field) }
        }
        return start..<floats.count
    }

    private func decodeBase64(_ text: RawSpan, _ field: String, to floats: inout [Float]) throws(WireError) {
        var padding = 0
        while padding < 2, padding < text.byteCount, text.byte(at: text.byteCount - 1 - padding) == UInt8(ascii: "=") { padding += 1 }
        let bytes = text.byteCount / 4 * 3 - padding
        guard text.byteCount % 4 == 0, bytes >= 0, bytes % 4 == 0 else {
            throw .invalid(field, "base64 of whole little-endian float32 numbers, padded with '='")
        }
        var numbers = [Float](repeating: 0, count: bytes / 4)
        let isFinite: Bool
        do {
            var target = numbers.mutableSpan
            isFinite = try Kernels.best.decodeBase64(text, count: bytes / 4, into: &target)
        } catch {
            if case .badByte(let offset) = error { throw .invalid(field, "base64; character \(offset) is not") }
            throw .invalid(field, "base64 of whole little-endian float32 numbers, padded with '='")
        }
        guard isFinite else { throw .invalid(field, "finite numbers") }
        floats += numbers
    }

    func decodeParts(_ field: String) throws(WireError) -> Parts {
        var parts: Parts = []
        for name in try decodeStrings(field, max: Parts.names.count) {
            guard let known = Parts.names.first(where: { $0.name == name }) else {
                throw .invalid(field, "names of \(Parts.names.map(\.name).joined(separator: ", ")); \"\(name)\" is none")
            }
            parts.insert(known.part)
        }
        return parts
    }

    /// Walks an object's members, turning the reader's complaints into the wire's. `place` is empty for the request.
    func forEachMember(_ place: String, _ body: (String, borrowing JSONValue) throws(WireError) -> Void) throws(WireError) {
        guard var members else { throw .invalid(place, "an object") }
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
