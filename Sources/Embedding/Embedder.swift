// What every source of vectors can do, the built-in model and a service alike.

/// Turns texts into vectors of one dimension.
///
/// Vectors of different embedders are not comparable: a space that was filled by one is asked through the same one.
package protocol Embedder: Sendable {
    /// What the vectors come from, for people and for the record kept beside a vector space.
    var name: String { get }

    /// How many numbers a vector has; 0 as long as a service that was told no dimension has not answered once.
    var dimension: Int { get }

    /// One place per text, in the order of the texts; nil where a text has no vector, such as an empty one.
    func embed(_ texts: [String]) async throws(EmbeddingError) -> [[Float]?]
}
