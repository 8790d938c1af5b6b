// How hard a search is to look, and how it was looked for in the end.

/// What a search may spend. Where no index is, or only small ones, every answer is exact all the same.
package enum SearchEffort: Equatable, Sendable {
    /// As much as most want.
    case standard
    /// So much that of the k nearest this share is found on average, from `recallMin` to below 1.
    case recall(Float)
    /// So many candidates kept during a walk, 1 to `Limits.effortMax`.
    case width(Int)
    /// Every vector that is allowed is compared.
    case exact

    /// Below it an answer is hardly one, and nobody has measured what it takes.
    package static let recallMin: Float = 0.5

    /// The effort for a recall of `recallMin` to 1, which only an exact answer reaches for certain.
    package static func reaching(_ recall: Float) -> SearchEffort { recall < 1 ? .recall(recall) : .exact }
}

/// How a search was carried out.
package struct SearchPlan: Equatable, Sendable {
    package enum Kind: String, Sendable {
        /// All vectors were compared.
        case exact
        /// Graphs were walked.
        case graph
        /// The lists of the nearest centres were read.
        case lists
        /// Codes of all vectors were compared, then the vectors of the best.
        case codes
        /// Segments were searched in different ways.
        case mixed
    }

    package var kind: Kind
    /// Share of the nearest that is found on average; nil where it is all of them for certain.
    package var expectedRecall: Float?
    /// Vectors compared, over all query vectors.
    package var visited: Int

    package var isExact: Bool { expectedRecall == nil }

    package init(kind: Kind, expectedRecall: Float?, visited: Int) {
        self.kind = kind
        self.expectedRecall = expectedRecall
        self.visited = visited
    }

    package static func exact(visited: Int) -> SearchPlan { SearchPlan(kind: .exact, expectedRecall: nil, visited: visited) }
}
