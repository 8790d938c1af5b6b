// A document on its way to the daemon, as a client builds it.
package import Engine

/// One document with its chunks: what a source yields and an `upsert` request carries.
package struct OutgoingDocument: Equatable, Sendable {
    /// At most 512 bytes of UTF-8, no NUL.
    package var id: String
    /// True for a node of the tree that only groups others and has no chunks.
    package var isFolder = false
    package var parent: String?
    package var title: String?
    package var url: String?
    package var mime: String?
    /// Time at the source: RFC 3339 or Unix milliseconds in decimal.
    package var time: String?
    package var fields: [OutgoingField] = []
    package var chunks: [OutgoingChunk] = []

    package init(id: String) { self.id = id }
}

/// A declared field's value.
package struct OutgoingField: Equatable, Sendable {
    package var name: String
    package var value: InputValue

    package init(_ name: String, _ value: InputValue) {
        self.name = name
        self.value = value
    }
}

/// A passage: text, where in the document it stands, and its vector in the collection's default space.
package struct OutgoingChunk: Equatable, Sendable {
    package var text: String?
    /// Titles from the outermost heading to the innermost, joined by " > ".
    package var heading: String?
    package var vector: [Float]?

    package init(text: String? = nil, heading: String? = nil, vector: [Float]? = nil) {
        self.text = text
        self.heading = heading
        self.vector = vector
    }
}
