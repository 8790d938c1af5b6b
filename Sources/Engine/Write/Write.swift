// The changes a database accepts, and the log records they become.
import Memory

/// A change on its way in, not yet held against the database.
package enum Write: Sendable {
    case createCollection(CollectionSchema)
    case dropCollection(name: String)
    case upsert(UpsertInput)
    case delete(DeleteInput)
}

/// What to delete from a collection: nodes by id, or the documents matching everything that is given.
package struct DeleteInput: Sendable {
    package var collection: String
    package var ids: [String]?
    package var filter: Filter?
    package var under: [String]?

    package init(collection: String, ids: [String]? = nil, filter: Filter? = nil, under: [String]? = nil) {
        self.collection = collection
        self.ids = ids
        self.filter = filter
        self.under = under
    }
}

/// What a write came to.
package struct WriteOutcome: Equatable, Sendable {
    /// The sequence at which it is in force.
    package var sequence: UInt64
    package var counts: WriteCounts
}

/// The first byte of a record: which change it is.
enum RecordType: UInt8 {
    /// u32 number | schema.
    case createCollection = 1
    /// u32 number.
    case dropCollection = 2
    /// See `UpsertRecord`.
    case upsert = 3
    /// u32 collection number | u32 count | u32 node numbers, rising.
    case delete = 4
}
