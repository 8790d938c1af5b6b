// What there is to know of a snapshot without opening it.
package import Storage

/// A named state of the whole database, kept until it is dropped.
package struct SnapshotInfo: Equatable, Sendable {
    package var name: String
    /// Unix milliseconds.
    package var createdMilliseconds: Int64
    /// RFC 3339.
    package var created: String { Timestamp.rfc3339(milliseconds: createdMilliseconds) }
    package var sequence: UInt64
    package var fileCount: Int
    /// Of its files, some of which the database or other snapshots may share.
    package var byteCount: UInt64

    package init(_ snapshot: ManifestSnapshot) {
        name = snapshot.name
        createdMilliseconds = snapshot.createdMilliseconds
        sequence = snapshot.sequence
        let files = snapshot.version.columnFiles.map(\.reference)
        fileCount = files.count + snapshot.log.count
        byteCount = files.reduce(0) { $0 + $1.byteCount } + snapshot.log.reduce(0) { $0 + $1.byteCount }
    }
}

extension EngineError {
    static func unknownSnapshot(_ name: String) -> EngineError {
        EngineError(.unknownSnapshot, "there is no snapshot \"\(name)\"", field: "name")
    }
}
