// How two vectors are compared.

/// Every metric yields a score that is larger for nearer vectors.
package enum Metric: UInt8, Sendable, CaseIterable {
    /// <q, x> / (|q| |x|), in [-1, 1] up to rounding.
    case cosine = 1
    /// <q, x>.
    case dot = 2
    /// -|q - x|, the negative Euclidean distance.
    case l2 = 3

    package var name: String {
        switch self {
        case .cosine: "cosine"
        case .dot: "dot"
        case .l2: "l2"
        }
    }

    package init?(name: String) {
        guard let metric = Metric.allCases.first(where: { $0.name == name }) else { return nil }
        self = metric
    }
}
