// Every bound of the database in one place; what is beyond them is one clear error.

import Storage

/// The limits in force. `server.info` reports them.
package enum Limits {
    package static let idBytesMax = 512
    package static let nameBytesMax = 128
    package static let dimensionMax = 8192
    package static let spacesMax = 16
    package static let fieldsMax = 128
    package static let keywordBytesMax = 4096
    package static let keywordsPerFieldMax = 1024
    package static let textBytesMax = 4 << 20
    package static let titleBytesMax = 4096
    package static let urlBytesMax = 8192
    package static let chunksPerDocumentMax = 10_000
    package static let batchMax = 10_000
    package static let collectionsMax = 10_000
    package static let kMax = 1024
    package static let effortMax = 10_000
    package static let searchesMax = 1024
    package static let filterTermsMax = 10_000
    package static let filterDepthMax = 16
    /// Nodes that a filter names, in `$under` and `parent`.
    package static let filterNodesMax = 10_000
    /// Different words of a `$match`: a bit each.
    package static let matchWordsMax = 64
    /// Terms of a prepared filter; the line's length is what limits most.
    package static let preparedTermsMax = 4_000_000
    package static let preparedFiltersMax = 1024
    /// Memory of all prepared filters together.
    package static let preparedBytesMax = 512 << 20
    /// Prepared filters that a request names.
    package static let preparedPerRequestMax = 16
    package static let listMax = 1000
    package static let facetValuesMax = 10_000
    package static let treeDepthMax = 64
    package static let groupMembersMax = 1_000_000
    package static let accessEntriesMax = 10_000
    /// Objects that inherit one behind the other, the first included.
    package static let accessDepthMax = 32
    /// Names ever given in a database; numbers of principals lie beside two bits, those of objects too (`Guard`).
    package static let principalsMax = 1 << 24
    package static let accessObjectsMax = 1 << 24
    /// Squared length up to which dot products and distances of two vectors stay finite in float32:
    /// |a - b|^2 <= 2 (|a|^2 + |b|^2) < 2^128.
    package static let squaredLengthMax = 0x1p125
    /// Below this length a direction drowns in float32's smallest numbers, and cosine has nothing to compare.
    package static let cosineLengthMin = 1e-18
    /// A collection's catalog lies in at most so many files before they are made one.
    static let catalogFilesMax = 16
    package static let snapshotsMax = ManifestLimits.snapshotsMax
    /// A write becomes one record of the log.
    static let recordBytesMax = LogEntry.payloadBytesMax
    /// A commit group is synced once it holds this many bytes, however many wait.
    static let groupBytesMax = 16 << 20
    static let groupRecordsMax = 4096
}
