// Documents as they arrive, before the collection's schema has been held against them.

/// One document to store, replacing whatever has its id.
package struct DocumentInput: Sendable {
    package var id: String
    package var isFolder = false
    package var parent: String?
    package var title: String?
    package var url: String?
    package var mime: String?
    package var time: InputValue?
    /// The document's own access object. Kept as it is where the request does not speak of it: content and rights change by themselves.
    package var access = Change<String>.keep
    /// Store only if the document's version is this; 0 means that it must not exist.
    package var ifVersion: UInt64?
    package var fields: [(name: String, value: InputValue)] = []
    package var chunks: [ChunkInput] = []

    package init(id: String) { self.id = id }
}

/// One passage of a document to store.
package struct ChunkInput: Sendable {
    package var text: String?
    package var heading: String?
    /// An access object of its own, which can only narrow what the document's says.
    package var access: String?
    package var vectors: [VectorInput] = []

    package init() {}
}

/// A vector for one space; its numbers lie in the batch's shared array.
package struct VectorInput: Sendable {
    /// nil means the default space.
    package var space: String?
    package var floats: Range<Int>

    package init(space: String?, floats: Range<Int>) {
        self.space = space
        self.floats = floats
    }
}

/// A value as JSON has it, before a field's type is known.
package enum InputValue: Equatable, Sendable {
    case string(String)
    case integer(Int64)
    case number(Double)
    case bool(Bool)
    case strings([String])
}

/// Many documents for one collection, applied as one: all of them are stored or none.
package struct UpsertInput: Sendable {
    package var collection: String
    /// What the request calls its documents, for error messages: `records` or `documents`.
    package var listName: String
    package var documents: [DocumentInput] = []
    /// The numbers of all vectors, one after the other.
    package var floats: [Float] = []

    package init(collection: String, listName: String = "documents") {
        self.collection = collection
        self.listName = listName
    }
}
