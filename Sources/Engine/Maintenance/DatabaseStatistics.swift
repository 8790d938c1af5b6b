// What a database holds and how it is doing, for those who run it.
import Storage

/// Figures of one moment, or nearly: those of files and of memory are read one after the other.
package struct DatabaseStatistics: Sendable {
    package var sequence: UInt64
    /// Everything up to here is in files.
    package var coveredSequence: UInt64
    /// Of the log, behind it: what the next open replays.
    package var uncoveredLogBytes: Int
    package var segments = 0
    /// In segments and heads, in force or not.
    package var rows = 0
    package var deadRows = 0
    /// On disk. Snapshots may hold other files besides.
    package var segmentBytes: UInt64 = 0
    package var catalogBytes: UInt64 = 0
    /// Files that segments are searched by, and their bytes on disk.
    package var indexes = 0
    package var indexBytes: UInt64 = 0
    /// In memory.
    package var headMemoryBytes = 0
    package var catalogMemoryBytes = 0
    package var snapshots: Int
    package var writes: WriteCondition
    /// Of background work; nil once a later piece has gone well.
    package var failure: EngineError?
    package var job: Job?
    /// Pieces of background work ended since the database was opened, well or not.
    package var finishedJobs: Int
    package var damages: [(collection: String, damage: Damage)]

    init(_ snapshot: DatabaseSnapshot, _ contents: ManifestContents, _ queue: CommitQueue, _ maintenance: Maintenance) {
        sequence = snapshot.sequence
        coveredSequence = contents.version.coveredSequence
        uncoveredLogBytes = queue.backlogBytes
        snapshots = contents.snapshots.count
        writes = queue.condition
        failure = maintenance.failure
        job = maintenance.progress.job
        finishedJobs = maintenance.progress.finished
        damages = snapshot.allCollections.compactMap { collection in collection.damage.map { (collection.schema.name, $0) } }
        for collection in snapshot.allCollections { add(collection.state) }
        for collection in contents.version.collections.values {
            segmentBytes += collection.segments.reduce(0) { $0 + $1.file.byteCount }
            catalogBytes += collection.catalog.reduce(0) { $0 + $1.byteCount }
            let files = collection.segments.flatMap(\.indexes)
            indexes += files.count
            indexBytes += files.reduce(0) { $0 + $1.file.byteCount }
        }
    }

    private mutating func add(_ state: CollectionState) {
        segments += state.sealed.count { $0.segment != nil }
        rows += state.rowCount
        deadRows += state.rowCount - state.liveChunkCount
        catalogMemoryBytes += state.catalog.byteCount
        headMemoryBytes += state.byteCount - state.catalog.byteCount
    }
}
