// Filters as a caller states them, and what they mean for a collection's declared fields.
import Memory

/// A condition on documents. It is evaluated into a bitmap before any vector is compared.
package indirect enum Filter: Sendable {
    case all([Filter])
    case any([Filter])
    case not(Filter)
    case field(String, Condition)

    package enum Condition: Sendable {
        /// The value is one of these; on a list field, the list contains one of these.
        case isIn([InputValue])
        case range(lower: Bound?, upper: Bound?)
        case exists
    }

    package struct Bound: Sendable {
        package var value: InputValue
        package var isInclusive: Bool

        package init(_ value: InputValue, isInclusive: Bool) {
            self.value = value
            self.isInclusive = isInclusive
        }
    }
}

extension Filter {
    /// Refuses what nests too deep to walk or is too long to evaluate. Parts and values count as terms alike.
    func checkLimits() throws(EngineError) {
        var terms = 0
        try count(&terms, depth: 1)
    }

    private func count(_ terms: inout Int, depth: Int) throws(EngineError) {
        guard depth <= Limits.filterDepthMax else {
            throw EngineError(.limitExceeded, "at most \(Limits.filterDepthMax) conditions inside one another", field: "filter")
        }
        terms += 1
        if case .field(_, .isIn(let values)) = self { terms += values.count }
        guard terms <= Limits.filterTermsMax else {
            throw EngineError(.limitExceeded, "at most \(Limits.filterTermsMax) terms a filter", field: "filter")
        }
        switch self {
        case .all(let parts), .any(let parts): for part in parts { try part.count(&terms, depth: depth + 1) }
        case .not(let part): try part.count(&terms, depth: depth + 1)
        case .field: break
        }
    }
}

extension CollectionState {
    /// The documents (folders are none) that match. O(documents) a condition.
    func documents(matching filter: Filter) throws(EngineError) -> Bitmap {
        try filter.checkLimits()
        var matching = try evaluate(filter)
        matching.formIntersection(liveDocuments())
        return matching
    }

    /// The nodes that match, folders among them.
    func nodes(matching filter: Filter) throws(EngineError) -> Bitmap {
        try filter.checkLimits()
        var matching = try evaluate(filter)
        matching.filter { documents.isLive($0) }
        return matching
    }

    /// The documents that are there, folders left out.
    func liveDocuments() -> Bitmap {
        var live = Bitmap(count: documents.count)
        let guards = documents.guards
        for number in 0..<guards.pageCount {
            let page = guards.page(number)
            live.fill(from: number * guards.pageCapacity, count: page.count) { page[$0] & Guard.kindMask == Guard.there }
        }
        return live
    }

    private func evaluate(_ filter: Filter) throws(EngineError) -> Bitmap {
        switch filter {
        case .all(let parts):
            var result = Bitmap(count: documents.count, filled: true)
            for part in parts { result.formIntersection(try evaluate(part)) }
            return result
        case .any(let parts):
            var result = Bitmap(count: documents.count)
            for part in parts { result.formUnion(try evaluate(part)) }
            return result
        case .not(let part):
            var result = try evaluate(part)
            result.invert()
            return result
        case .field(let name, let condition):
            return try evaluate(condition, on: name)
        }
    }

    private func evaluate(_ condition: Filter.Condition, on name: String) throws(EngineError) -> Bitmap {
        if name == "time" { return try evaluateTime(condition) }
        guard let index = schema.fieldIndex(name) else { throw UpsertEncoder.undeclared(name, schema, field: "filter.\(name)") }
        let column = fields[index]
        switch condition {
        case .exists: return column.matches { _ in true }
        case .isIn(let values): return try column.matches(anyOf: values, field: "filter.\(name)")
        case .range(let lower, let upper): return try column.matches(from: lower, to: upper, field: "filter.\(name)")
        }
    }

    /// `time` is every document's own, not a declared field.
    private func evaluateTime(_ condition: Filter.Condition) throws(EngineError) -> Bitmap {
        let isMatch: (Int64) -> Bool
        switch condition {
        case .exists: isMatch = { _ in true }
        case .isIn(let values):
            let times = try values.map { value throws(EngineError) in try UpsertEncoder.time(value, field: "filter.time") }
            isMatch = { times.contains($0) }
        case .range(let lower, let upper):
            isMatch = try Interval(lower, upper) { value throws(EngineError) in try UpsertEncoder.time(value, field: "filter.time") }.contains
        }
        var result = Bitmap(count: documents.count)
        result.fill {
            let row = documents.rows[$0]
            return row.has(DocumentRow.Present.time) && isMatch(row.time)
        }
        return result
    }
}

extension FieldColumn {
    /// The documents that have a value for which the test on its packed form holds.
    func matches(_ isMatch: (UInt64) -> Bool) -> Bitmap {
        var result = Bitmap(count: values.count)
        // Page by page: to find an element's page takes longer than to look at the element.
        for number in 0..<values.pageCount {
            let (page, present) = (values.page(number), present.page(number))
            result.fill(from: number * values.pageCapacity, count: page.count) { present[$0] != 0 && isMatch(page[$0]) }
        }
        return result
    }

    /// The same for values that are one of a few.
    private func matches(anyOf wanted: Set<UInt64>) -> Bitmap {
        guard wanted.count == 1, let only = wanted.first else { return matches { wanted.contains($0) } }
        return matches { $0 == only }
    }

    func matches(anyOf inputs: [InputValue], field: String) throws(EngineError) -> Bitmap {
        let typed = try inputs.map { input throws(EngineError) in try UpsertEncoder.typed(input, as: elementType, field: field) }
        switch schema.type {
        case .keyword:
            return matches(anyOf: Set(numbers(typed).map(UInt64.init)))
        case .keywords:
            let wanted = numbers(typed)
            return matches { packed in list(packed).contains { wanted.contains(lists[$0]) } }
        case .int, .time, .float, .bool:
            // Equality of numbers is equality of their packed form, but for the two zeros of a float.
            let wanted = Set(typed.map(\.packedNumber))
            guard schema.type == .float else { return matches(anyOf: wanted) }
            return matches { wanted.contains($0 == (-0.0 as Double).bitPattern ? 0 : $0) }
        }
    }

    func matches(from lower: Filter.Bound?, to upper: Filter.Bound?, field: String) throws(EngineError) -> Bitmap {
        switch schema.type {
        case .int, .time:
            let interval = try Interval(lower, upper) { value throws(EngineError) -> Int64 in try integer(value, field: field) }
            return matches { interval.contains(Int64(bitPattern: $0)) }
        case .float:
            let interval = try Interval(lower, upper) { value throws(EngineError) -> Double in try number(value, field: field) }
            return matches { interval.contains(Double(bitPattern: $0)) }
        case .keyword, .keywords, .bool:
            throw EngineError(.invalidValue, "a \(schema.type.rawValue) field has no order: use $eq or $in", field: field)
        }
    }

    /// What one element of a list field is compared with.
    private var elementType: FieldType { schema.type == .keywords ? .keyword : schema.type }

    private func numbers(_ values: [FieldValue]) -> Set<UInt32> {
        var numbers: Set<UInt32> = []
        for case .keyword(let text) in values { if let known = number(of: text) { numbers.insert(known) } }
        return numbers
    }

    private func integer(_ value: InputValue, field: String) throws(EngineError) -> Int64 {
        guard case .int(let number) = try UpsertEncoder.typed(value, as: schema.type, field: field) else { preconditionFailure("int and time fields hold integers") }
        return number
    }

    private func number(_ value: InputValue, field: String) throws(EngineError) -> Double {
        guard case .float(let number) = try UpsertEncoder.typed(value, as: .float, field: field) else { preconditionFailure("float fields hold numbers") }
        return number
    }
}

extension FieldValue {
    fileprivate var packedNumber: UInt64 {
        switch self {
        case .int(let number): UInt64(bitPattern: number)
        case .float(let number): number == 0 ? 0 : number.bitPattern
        case .bool(let flag): flag ? 1 : 0
        case .keyword, .keywords: preconditionFailure("keywords are compared by number")
        }
    }
}

/// A range with either end open, closed or absent.
private struct Interval<T: Comparable> {
    private let lower: (value: T, isInclusive: Bool)?
    private let upper: (value: T, isInclusive: Bool)?

    init(_ lower: Filter.Bound?, _ upper: Filter.Bound?, convert: (InputValue) throws(EngineError) -> T) throws(EngineError) {
        self.lower = if let lower { (try convert(lower.value), lower.isInclusive) } else { nil }
        self.upper = if let upper { (try convert(upper.value), upper.isInclusive) } else { nil }
    }

    func contains(_ value: T) -> Bool {
        if let lower, lower.isInclusive ? value < lower.value : value <= lower.value { return false }
        if let upper, upper.isInclusive ? value > upper.value : value >= upper.value { return false }
        return true
    }
}
