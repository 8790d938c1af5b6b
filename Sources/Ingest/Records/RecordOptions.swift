// How lines of JSONL written by someone else become records: which key holds what, and what becomes of the rest.

/// The names of the keys and the caller's choices. The defaults read Needletail's own record form.
package struct RecordOptions: Equatable, Sendable {
    /// Keys of the record form that the file calls differently. A key named here no longer means what it did:
    /// with `textKey` "body", a key "text" is one the record form does not know.
    package var idKey: String?
    package var textKey = "text"
    package var titleKey = "title"
    package var vectorKey = "vector"

    /// What becomes of keys that the record form does not know.
    package enum ExtraFields: Equatable, Sendable {
        /// None is a field.
        case none
        /// These are: the ones the collection declares.
        case named(Set<String>)
        /// All are.
        case all
    }
    package var extraFields = ExtraFields.none

    package enum UnknownKeys: Equatable, Sendable { case ignored, rejected }
    /// For keys that are neither of the record form nor fields.
    package var unknownKeys = UnknownKeys.ignored
    /// Keys passed over whatever else is said, `access` and `vectors` among them.
    package var ignoredKeys: Set<String> = []

    /// A record without an id gets its number among the file's records, from 0: the row of a matrix beside it.
    package var numbersMissingIDs = false
    /// Rows with a vector of another length are rejected; nil accepts any.
    package var dimension: Int?
    package var lineBytesMax = Limits.lineBytesMax
    /// Records before this one, counted from 0 as above, are passed over unread: where a load that stopped goes on.
    package var firstRecord = 0

    package init() {}
}
