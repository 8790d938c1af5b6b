// What a vector space asks of its indexes, said when its collection is created.

/// How the segments of a space are to be searched.
package enum IndexKind: String, CaseIterable, Sendable {
    /// As suits their size.
    case auto
    /// By a graph of near neighbours.
    case hnsw
    /// By lists of vectors around centres.
    case ivf
    /// Every vector is compared.
    case flat
}

/// How an index keeps the vectors that it compares first. Those that are stored stay as they are.
package enum QuantizationKind: String, CaseIterable, Sendable {
    /// As suits the index.
    case auto
    /// Not at all: every vector is compared, as with `flat`.
    case none
    /// A byte a number.
    case int8
    /// Beside the bytes, 64 bytes a vector: a few bits for each of its leading principal axes.
    case line
}
