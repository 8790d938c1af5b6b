// A change of a manifest: one value, appended to the file and applied in memory by the same rules.
import Memory

/// One step from what a manifest said to what it says.
package enum ManifestEdit: Equatable, Sendable {
    /// The database up to a sequence has gone into files. `changed` collections are told whole; `logFiles` are those
    /// of the log that are still needed.
    case checkpoint(
        coveredSequence: UInt64, nextCollectionNumber: UInt32, changed: [ManifestCollection], dropped: [UInt32], logFiles: [UInt64])
    /// Segments, by the numbers of their files, give way to others that hold the same chunks.
    case replaceSegments(collection: UInt32, removed: [UInt64], added: [ManifestSegment])
    /// A log file, newer than all others, is about to get its first record.
    case startLogFile(UInt64)
    case addSnapshot(ManifestSnapshot)
    case dropSnapshot(name: String)
    /// A segment, by the number of its file, gets an index for one of its spaces, in the place of an earlier one; or, with nil,
    /// loses the one it has.
    case setIndex(collection: UInt32, segment: UInt64, space: UInt16, file: FileReference?)
}

extension ManifestContents {
    /// Changes the contents, or says why that makes no sense and leaves them in between. What is true of the whole is left to
    /// `check`: a long row of edits is checked once.
    mutating func apply(_ edit: ManifestEdit) throws(Corruption) {
        switch edit {
        case .checkpoint(let coveredSequence, let nextCollectionNumber, let changed, let dropped, let logFiles):
            try require(coveredSequence >= version.coveredSequence, "a checkpoint at \(version.coveredSequence) or later")
            try require(nextCollectionNumber >= version.nextCollectionNumber, "a next collection of at least \(version.nextCollectionNumber)")
            try require(Set(logFiles).isSubset(of: self.logFiles), "log files that the manifest names")
            version.coveredSequence = coveredSequence
            version.nextCollectionNumber = nextCollectionNumber
            try version.drop(dropped)
            try version.change(changed)
            self.logFiles = logFiles
        case .replaceSegments(let collection, let removed, let added):
            try version.replaceSegments(of: collection, removed, with: added)
        case .startLogFile(let number):
            try require(number > logFiles.last ?? 0, "a log file after \(logFiles.last ?? 0)")
            logFiles.append(number)
        case .addSnapshot(let snapshot):
            try require(!snapshots.contains { $0.name == snapshot.name }, "a name that no snapshot has")
            try require(snapshot.namedFiles().isSubset(of: namedFiles()), "a snapshot of files that count")
            snapshots.append(snapshot)
        case .dropSnapshot(let name):
            let index = snapshots.firstIndex { $0.name == name }
            guard let index else { throw Corruption(offset: 0, expected: "the name of a snapshot") }
            snapshots.remove(at: index)
        case .setIndex(let collection, let segment, let space, let file):
            try version.setIndex(of: collection, segment, space, file)
        }
        let number = edit.fileNumberMax
        try require(number < FileKind.numberEnd, "numbers of files with others after them")
        nextFileNumber = max(nextFileNumber, number + 1)
    }
}

extension ManifestEdit {
    /// The highest number of any file that it names for the first time; 0 where there is none.
    fileprivate var fileNumberMax: UInt64 {
        switch self {
        case .checkpoint(_, _, let changed, _, _): changed.reduce(0) { max($0, $1.fileNumberMax) }
        case .replaceSegments(_, _, let added): added.reduce(0) { max($0, $1.fileNumberMax) }
        case .startLogFile(let number): number
        case .addSnapshot, .dropSnapshot: 0
        case .setIndex(_, _, _, let file): file?.number ?? 0
        }
    }
}

extension ManifestVersion {
    fileprivate mutating func drop(_ dropped: [UInt32]) throws(Corruption) {
        for number in dropped {
            try require(collections.removeValue(forKey: number) != nil, "a collection \(number) to drop")
        }
    }

    fileprivate mutating func change(_ changed: [ManifestCollection]) throws(Corruption) {
        try require(Set(changed.map(\.number)).count == changed.count, "each changed collection once")
        for collection in changed { collections[collection.number] = collection }
    }

    fileprivate mutating func replaceSegments(of number: UInt32, _ removed: [UInt64], with added: [ManifestSegment]) throws(Corruption) {
        guard var collection = collections[number] else { throw Corruption(offset: 0, expected: "a collection \(number)") }
        for file in removed {
            let index = collection.segments.firstIndex { $0.file.number == file }
            guard let index else { throw Corruption(offset: 0, expected: "a segment \(file) in collection \(number)") }
            collection.segments.remove(at: index)
        }
        collection.segments += added
        collection.segments.sort { ($0.firstChunk, $0.file.number) < ($1.firstChunk, $1.file.number) }
        collections[number] = collection
    }

    fileprivate mutating func setIndex(of number: UInt32, _ file: UInt64, _ space: UInt16, _ index: FileReference?) throws(Corruption) {
        guard let place = collections[number]?.segments.firstIndex(where: { $0.file.number == file }) else {
            throw Corruption(offset: 0, expected: "a segment \(file) in collection \(number)")
        }
        if let index {
            collections[number]?.segments[place].set(ManifestIndex(space: space, file: index))
        } else {
            let removed = collections[number]?.segments[place].indexes.firstIndex { $0.space == space }
            guard let removed else { throw Corruption(offset: 0, expected: "an index of space \(space) to remove") }
            collections[number]?.segments[place].indexes.remove(at: removed)
        }
    }
}

extension ManifestSegment {
    /// Gives a space its index, in the place of an earlier one.
    package mutating func set(_ index: ManifestIndex) {
        indexes.removeAll { $0.space == index.space }
        indexes.insert(index, at: indexes.firstIndex { $0.space > index.space } ?? indexes.count)
    }
}

// MARK: What a manifest may say

/// Bounds of a manifest. What is beyond them was not written by us.
package enum ManifestLimits {
    /// A manifest's whole contents are one record, and half of one, so that any edit between two of them is one as well.
    package static let encodedBytesMax = RecordFormat.payloadBytesMax / 2
    package static let snapshotsMax = 1024
    package static let snapshotNameBytesMax = 255
    package static let collectionBlobBytesMax = 1 << 20
    package static let segmentIndexesMax = 16
    /// No file is longer, so that lengths can be added up.
    package static let fileBytesMax: UInt64 = 1 << 48
}

extension ManifestContents {
    /// Everything, as after reading it: there must also be numbers left for what comes.
    func checkAsFound() throws(Corruption) {
        try check()
        try require(nextFileNumber < FileKind.foundEnd, "a next file number with others after it, found \(nextFileNumber)")
    }

    /// Everything.
    func check() throws(Corruption) {
        try require(isRising(logFiles), "rising numbers of log files")
        try require(snapshots.count <= ManifestLimits.snapshotsMax, "at most \(ManifestLimits.snapshotsMax) snapshots")
        try version.check()
        for snapshot in snapshots { try snapshot.check() }
        try require(Set(snapshots.map(\.name)).count == snapshots.count, "snapshots of different names")
        try require(
            nextFileNumber > fileNumberMax && nextFileNumber <= FileKind.numberEnd,
            "a next file number above \(fileNumberMax), found \(nextFileNumber)")
    }
}

extension ManifestSnapshot {
    fileprivate func check() throws(Corruption) {
        let bytes = name.utf8.count
        let bytesMax = ManifestLimits.snapshotNameBytesMax
        try require(bytes > 0 && bytes <= bytesMax, "a snapshot's name of 1 to \(bytesMax) bytes")
        try require(sequence >= version.coveredSequence, "a snapshot at \(version.coveredSequence) or later")
        try require(isRising(log.map(\.number)), "rising numbers of a snapshot's log files")
        try require(log.allSatisfy { $0.byteCount <= ManifestLimits.fileBytesMax }, "lengths that files have")
        try version.check()
    }
}

extension ManifestVersion {
    fileprivate func check() throws(Corruption) {
        try require(coveredSequence < RecordFormat.sequenceEnd, "a sequence with others after it")
        var catalogFiles: Set<UInt64> = []
        var segmentFiles: Set<UInt64> = []
        var indexFiles: Set<UInt64> = []
        for (number, collection) in collections {
            try require(number == collection.number && number < nextCollectionNumber, "a collection below \(nextCollectionNumber), found \(number)")
            let bytesMax = ManifestLimits.collectionBlobBytesMax
            try require(max(collection.schema.count, collection.state.count) <= bytesMax, "at most \(bytesMax) bytes of schema and of state")
            for file in collection.catalog {
                try require(catalogFiles.insert(file.number).inserted, "catalog file \(file.number) once")
                try file.check()
            }
            for segment in collection.segments {
                try require(segmentFiles.insert(segment.file.number).inserted, "segment file \(segment.file.number) once")
                for index in segment.indexes {
                    try require(indexFiles.insert(index.file.number).inserted, "index file \(index.file.number) once")
                }
                try segment.check()
            }
        }
    }
}

extension FileReference {
    fileprivate func check() throws(Corruption) { try require(byteCount <= ManifestLimits.fileBytesMax, "a length that files have, found \(byteCount)") }
}

extension ManifestSegment {
    fileprivate func check() throws(Corruption) {
        try file.check()
        try require(firstChunk <= endChunk && UInt64(rowCount) <= endChunk - firstChunk, "a segment with no more rows than chunks")
        try require(indexes.count <= ManifestLimits.segmentIndexesMax, "at most \(ManifestLimits.segmentIndexesMax) indexes of a segment")
        try require(isRising(indexes.map { UInt64($0.space) }), "one index of a space, spaces rising")
        for index in indexes { try index.file.check() }
    }
}

private func isRising(_ numbers: [UInt64]) -> Bool {
    zip(numbers, numbers.dropFirst()).allSatisfy { $0 < $1 }
}

private func require(_ condition: Bool, _ expected: @autoclosure () -> String) throws(Corruption) {
    if !condition { throw Corruption(offset: 0, expected: expected()) }
}
