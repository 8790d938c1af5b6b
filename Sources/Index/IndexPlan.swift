// The ways through an index that a search can take.

/// How an index is gone through. Where `elsewhere` is not 0 and hardly a visible row is near to the query, so many visible rows of the
/// nearest lists are compared instead, and twice as many ranked.
package enum IndexPlan: Equatable, Sendable {
    /// Along links from the nearest medoids, keeping `width` candidates; the best `refined` are ranked by their codes.
    case walk(width: Int, refined: Int, elsewhere: Int = 0)
    /// All visible rows of the nearest lists: at least `lists` of them, and on until `rows` were compared.
    case lists(lists: Int, rows: Int, refined: Int, elsewhere: Int = 0)
    /// All visible rows.
    case scan(refined: Int)
}

extension IndexPlan {
    var refined: Int {
        switch self {
        case .walk(_, let refined, _), .lists(_, _, let refined, _), .scan(let refined): refined
        }
    }

    var width: Int { if case .walk(let width, _, _) = self { width } else { 1 } }

    var elsewhere: Int {
        switch self {
        case .walk(_, _, let elsewhere), .lists(_, _, _, let elsewhere): elsewhere
        case .scan: 0
        }
    }
}
