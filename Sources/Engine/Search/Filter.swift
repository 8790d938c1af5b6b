// Filters as a caller states them.
import Memory

/// A condition on documents. It is evaluated into a bitmap before any vector is compared (`FilterProgram`).
package indirect enum Filter: Sendable {
    case all([Filter])
    case any([Filter])
    case not(Filter)
    case field(String, Condition)
    /// At or under one of these nodes.
    case under([String])

    package enum Condition: Sendable {
        /// The value is one of these; on a list field, the list contains one of these.
        case isIn([InputValue])
        /// The list contains each of these.
        case containsAll([InputValue])
        case range(lower: Bound?, upper: Bound?)
        /// The text, or one of the list's, begins with these bytes.
        case prefix(String)
        /// Every word of this occurs as a word of the text, or of one of the list's (see `Words`).
        case match(String)
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
    func checkLimits(termsMax: Int = Limits.filterTermsMax) throws(EngineError) {
        var terms = 0
        try count(&terms, termsMax, depth: 1)
    }

    private func count(_ terms: inout Int, _ termsMax: Int, depth: Int) throws(EngineError) {
        guard depth <= Limits.filterDepthMax else {
            throw EngineError(.limitExceeded, "at most \(Limits.filterDepthMax) conditions inside one another", field: "filter")
        }
        terms += 1
        switch self {
        case .field(_, .isIn(let values)), .field(_, .containsAll(let values)): terms += values.count
        case .under(let ids): terms += ids.count
        default: break
        }
        guard terms <= termsMax else { throw EngineError(.limitExceeded, "at most \(termsMax) terms a filter", field: "filter") }
        switch self {
        case .all(let parts), .any(let parts): for part in parts { try part.count(&terms, termsMax, depth: depth + 1) }
        case .not(let part): try part.count(&terms, termsMax, depth: depth + 1)
        case .field, .under: break
        }
    }
}
