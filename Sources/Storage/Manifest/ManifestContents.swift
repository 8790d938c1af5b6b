// What a manifest says: which files count, and what the database was when they did.

/// A file that a segment can be searched by in one of its vector spaces. It is made of the segment and can be made again.
package struct ManifestIndex: Equatable, Sendable {
    /// The space's place in the collection's schema.
    package var space: UInt16
    package var file: FileReference

    package init(space: UInt16, file: FileReference) {
        self.space = space
        self.file = file
    }
}

/// A stretch of a collection's chunks in one immutable file.
package struct ManifestSegment: Equatable, Sendable {
    package var file: FileReference
    /// The chunk numbers covered, half-open.
    package var firstChunk: UInt64
    package var endChunk: UInt64
    /// How many of them have a row.
    package var rowCount: UInt32
    /// By space, each of which has one at most.
    package var indexes: [ManifestIndex]

    package init(file: FileReference, firstChunk: UInt64, endChunk: UInt64, rowCount: UInt32, indexes: [ManifestIndex] = []) {
        self.file = file
        self.firstChunk = firstChunk
        self.endChunk = endChunk
        self.rowCount = rowCount
        self.indexes = indexes
    }
}

/// A collection as of a checkpoint.
package struct ManifestCollection: Equatable, Sendable {
    package var number: UInt32
    /// The engine's to read; opaque here.
    package var schema: [UInt8]
    /// Small things that the engine keeps with the collection; opaque here.
    package var state: [UInt8]
    package var catalog: [FileReference]
    /// By first chunk.
    package var segments: [ManifestSegment]

    package init(number: UInt32, schema: [UInt8], state: [UInt8], catalog: [FileReference], segments: [ManifestSegment]) {
        self.number = number
        self.schema = schema
        self.state = state
        self.catalog = catalog
        self.segments = segments
    }
}

/// What a database is at one sequence.
package struct ManifestVersion: Equatable, Sendable {
    /// Everything up to it is in catalogs and segments; the log is needed from the next on.
    package var coveredSequence: UInt64
    package var nextCollectionNumber: UInt32
    package var collections: [UInt32: ManifestCollection]

    package init(coveredSequence: UInt64 = 0, nextCollectionNumber: UInt32 = 1, collections: [UInt32: ManifestCollection] = [:]) {
        self.coveredSequence = coveredSequence
        self.nextCollectionNumber = nextCollectionNumber
        self.collections = collections
    }
}

/// A version kept under a name, with the stretch of log that leads from it to the sequence of the snapshot.
package struct ManifestSnapshot: Equatable, Sendable {
    package var name: String
    /// Since 1970, UTC.
    package var createdMilliseconds: Int64
    package var sequence: UInt64
    package var version: ManifestVersion
    package var log: [LogFileExtent]

    package init(name: String, createdMilliseconds: Int64, sequence: UInt64, version: ManifestVersion, log: [LogFileExtent]) {
        self.name = name
        self.createdMilliseconds = createdMilliseconds
        self.sequence = sequence
        self.version = version
        self.log = log
    }
}

/// All that a manifest says.
package struct ManifestContents: Equatable, Sendable {
    package var databaseID: UInt64
    package var version: ManifestVersion
    /// The log files that count, rising.
    package var logFiles: [UInt64]
    /// By age.
    package var snapshots: [ManifestSnapshot]
    /// Above the number of every log, segment, catalog or index file that was ever named, so that no name is used twice.
    package var nextFileNumber: UInt64

    package init(
        databaseID: UInt64, version: ManifestVersion = ManifestVersion(), logFiles: [UInt64] = [], snapshots: [ManifestSnapshot] = [],
        nextFileNumber: UInt64 = 1
    ) {
        self.databaseID = databaseID
        self.version = version
        self.logFiles = logFiles
        self.snapshots = snapshots
        self.nextFileNumber = nextFileNumber
        self.nextFileNumber = max(nextFileNumber, min(fileNumberMax, FileKind.numberEnd) + 1)
    }

    /// The names of all log, segment, catalog and index files that the version, the log or a snapshot needs.
    package func namedFiles() -> Set<String> {
        var names = Set(logFiles.map { FileKind.log.name($0) })
        version.name(into: &names)
        for snapshot in snapshots { names.formUnion(snapshot.namedFiles()) }
        return names
    }

    /// The highest number of any file that is named; 0 where none is.
    var fileNumberMax: UInt64 {
        max(logFiles.last ?? 0, version.fileNumberMax, snapshots.reduce(0) { max($0, $1.fileNumberMax) })
    }
}

extension ManifestSnapshot {
    /// The names of all files that it needs.
    package func namedFiles() -> Set<String> {
        var names = Set(log.map { FileKind.log.name($0.number) })
        version.name(into: &names)
        return names
    }

    var fileNumberMax: UInt64 { max(version.fileNumberMax, log.last?.number ?? 0) }
}

extension ManifestVersion {
    fileprivate func name(into names: inout Set<String>) {
        for collection in collections.values {
            names.formUnion(collection.catalog.map { FileKind.catalog.name($0.number) })
            for segment in collection.segments {
                names.insert(FileKind.segment.name(segment.file.number))
                names.formUnion(segment.indexes.map { FileKind.index.name($0.file.number) })
            }
        }
    }

    var fileNumberMax: UInt64 { collections.values.reduce(0) { max($0, $1.fileNumberMax) } }
}

extension ManifestCollection {
    var fileNumberMax: UInt64 {
        segments.reduce(catalog.reduce(0) { max($0, $1.number) }) { max($0, $1.fileNumberMax) }
    }
}

extension ManifestSegment {
    var fileNumberMax: UInt64 { indexes.reduce(file.number) { max($0, $1.file.number) } }
}
