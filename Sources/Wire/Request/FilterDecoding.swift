// Filters from JSON: a structured language, so that nothing a caller writes is ever spliced into a query.
import Engine

/// Decodes one filter, counting its terms.
struct FilterDecoder {
    private var terms = 0
    private let termsMax: Int

    static func decode(_ value: borrowing JSONValue, field: String, termsMax: Int = Limits.filterTermsMax) throws(WireError) -> Filter {
        var decoder = FilterDecoder(termsMax: termsMax)
        return try decoder.object(value, field: field, depth: 0)
    }

    /// `{"team":"cs","year":{"$gte":2020},"$or":[…]}`: all members hold together.
    private mutating func object(_ value: borrowing JSONValue, field: String, depth: Int) throws(WireError) -> Filter {
        guard depth < Limits.filterDepthMax else {
            throw WireError(code: "limit_exceeded", message: "a filter nests at most \(Limits.filterDepthMax) deep", field: field)
        }
        guard var members = value.members else { throw .invalid(field, "an object of conditions") }
        var parts: [Filter] = []
        do {
            while let member = try members.next() {
                parts.append(try part(member.key, member.value, field: field, depth: depth))
            }
        } catch let error as WireError { throw error } catch let error as JSONError { throw .badJSON(error, in: field) } catch {
            preconditionFailure("decoding throws wire and JSON errors only: \(error)")
        }
        return parts.count == 1 ? parts[0] : .all(parts)
    }

    private mutating func part(_ key: String, _ value: borrowing JSONValue, field: String, depth: Int) throws(WireError) -> Filter {
        switch key {
        case "$and": return .all(try list(value, field: "\(field).$and", depth: depth))
        case "$or": return .any(try list(value, field: "\(field).$or", depth: depth))
        case "$under":
            let ids = try value.decodeOneOrMoreStrings("\(field).$under", max: Limits.filterNodesMax)
            for _ in 0...ids.count { try countTerm(field) }
            return .under(ids)
        case "$not": return .not(try object(value, field: "\(field).$not", depth: depth + 1))
        case _ where key.hasPrefix("$"): throw .unknown(key, in: "a filter", path: "\(field).\(key)")
        default: return try condition(on: key, value, field: "\(field).\(key)")
        }
    }

    private mutating func list(_ value: borrowing JSONValue, field: String, depth: Int) throws(WireError) -> [Filter] {
        guard var elements = value.elements else { throw .invalid(field, "an array of filters") }
        var filters: [Filter] = []
        while let element = elements.next() {
            try countTerm(field)
            filters.append(try object(element, field: "\(field)[\(filters.count)]", depth: depth + 1))
        }
        return filters
    }

    /// What must hold of one field: a bare value means `$eq`.
    private mutating func condition(on name: String, _ value: borrowing JSONValue, field: String) throws(WireError) -> Filter {
        guard var members = value.members else {
            try countTerm(field)
            return .field(name, .isIn([try compared(value, field)]))
        }
        var parts: [Filter] = []
        var lower: Filter.Bound?
        var upper: Filter.Bound?
        do {
            while let member = try members.next() {
                try countTerm(field)
                let place = "\(field).\(member.key)"
                switch member.key {
                case "$eq": parts.append(.field(name, .isIn([try compared(member.value, place)])))
                case "$ne": parts.append(.not(.field(name, .isIn([try compared(member.value, place)]))))
                case "$in": parts.append(.field(name, .isIn(try values(member.value, place))))
                case "$nin": parts.append(.not(.field(name, .isIn(try values(member.value, place)))))
                case "$all": parts.append(.field(name, .containsAll(try values(member.value, place))))
                case "$prefix": parts.append(.field(name, .prefix(try member.value.decodeString(place))))
                case "$match": parts.append(.field(name, .match(try member.value.decodeString(place))))
                case "$gt", "$gte":
                    guard lower == nil else { throw WireError.invalid(place, "the only lower bound") }
                    lower = Filter.Bound(try compared(member.value, place), isInclusive: member.key == "$gte")
                case "$lt", "$lte":
                    guard upper == nil else { throw WireError.invalid(place, "the only upper bound") }
                    upper = Filter.Bound(try compared(member.value, place), isInclusive: member.key == "$lte")
                case "$exists":
                    let exists = Filter.field(name, .exists)
                    parts.append(try member.value.decodeBool(place) ? exists : .not(exists))
                default: throw WireError.unknown(member.key, in: "a condition", path: place)
                }
            }
        } catch let error as WireError { throw error } catch let error as JSONError { throw .badJSON(error, in: field) } catch {
            preconditionFailure("decoding throws wire and JSON errors only: \(error)")
        }
        if lower != nil || upper != nil { parts.append(.field(name, .range(lower: lower, upper: upper))) }
        guard !parts.isEmpty else { throw .invalid(field, "a value or an object with an operator such as $eq, $in or $gte") }
        return parts.count == 1 ? parts[0] : .all(parts)
    }

    private mutating func values(_ value: borrowing JSONValue, _ field: String) throws(WireError) -> [InputValue] {
        guard var elements = value.elements else { throw .invalid(field, "an array of values") }
        var values: [InputValue] = []
        while let element = elements.next() {
            try countTerm(field)
            // Places are spelled out where something is wrong only: there may be a million values.
            if let text = element.string { values.append(.string(text)) } else { values.append(try compared(element, "\(field)[\(values.count)]")) }
        }
        return values
    }

    /// What a field is compared with: one value, also where the field is a list.
    private func compared(_ value: borrowing JSONValue, _ field: String) throws(WireError) -> InputValue {
        switch value.kind {
        case .array: throw .invalid(field, "one value; for any of several, {\"$in\": […]}")
        case .null, .object: throw .invalid(field, "a string, a number, true or false; {\"$exists\": false} asks for no value")
        default: return try value.decodeInputValue(field)
        }
    }

    private mutating func countTerm(_ field: String) throws(WireError) {
        terms += 1
        guard terms <= termsMax else {
            throw WireError(code: "limit_exceeded", message: "a filter has at most \(termsMax) terms\(termsMax == Limits.filterTermsMax ? "; prepare a longer one" : "")", field: field)
        }
    }
}
