// The changes a database accepts, and the log records they become.
import Memory

/// A change on its way in, not yet held against the database.
package enum Write: Sendable {
    case createCollection(CollectionSchema)
    case dropCollection(name: String)
    case upsert(UpsertInput)
    case delete(DeleteInput)
    case patch(PatchInput)
    case changeDirectory(DirectoryChange)
}

/// What to delete from a collection.
package struct DeleteInput: Sendable {
    package var collection: String
    package var selection: Selection

    package init(collection: String, ids: [String]? = nil, filter: Filter? = nil, under: [String]? = nil) {
        self.collection = collection
        selection = Selection(ids: ids, filter: filter, under: under)
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
    /// See `PatchRecord`.
    case patch = 5
    /// See `DirectoryChange`.
    case changeDirectory = 6
}
