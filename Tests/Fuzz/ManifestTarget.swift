// Manifest files of any bytes: they are read or refused, the same way every time, and what is read can be built upon.
import Memory
@testable import Storage
import TestSupport

extension FuzzTarget {
    /// An input is a list of steps that write files (`RecordFileScript`).
    static let manifest = FuzzTarget(name: "manifest", seeds: { seeds }) { input in
        var script = RecordFileScript(Choices(input), kind: .manifest)
        let disk = FaultyDisk()
        for (number, bytes) in script.files() { disk[FileKind.manifest.name(number)] = bytes }
        let (first, manifest) = (open(disk.afterRestart()), open(disk))
        guard first?.contents == manifest?.contents else { violated("a manifest is read the same way every time") }
        if let manifest { check(manifest, disk) }
    }

    private static func open(_ disk: FaultyDisk) -> Manifest? {
        do throws(LogError) {
            return try Manifest(disk: disk, sizes: ManifestFileSizes(editBytesMax: 100, zeroedStep: 48), randomness: { 9 })
        } catch .corruption {
            return nil
        } catch { violated("only corruption keeps a manifest from opening on a disk that works: \(error)") }
    }

    private static func check(_ manifest: Manifest, _ disk: FaultyDisk) {
        for _ in 0..<3 {
            let contents = manifest.contents
            let payload = contents.record.payload
            do throws(Corruption) {
                guard try ManifestContents(decoding: payload.rawSpan, .indexed) == contents, payload.count == contents.encodedBytes else {
                    violated("contents are read as they were written")
                }
            } catch { violated("contents that are written can be read: \(error)") }
            // A log takes the number that the manifest names as the next.
            let edit = ManifestEdit.startLogFile(contents.nextFileNumber)
            guard manifest.refusal(of: edit) == nil else { violated("there is always a next file number") }
            do { try manifest.append(edit) } catch { violated("a manifest that opens can be appended to: \(error)") }
            for next in [disk.afterRestart(), disk.afterCrash(.clean)] {
                guard open(next)?.contents == manifest.contents else { violated("what was appended is found by the next open") }
            }
        }
    }

    // MARK: Seeds

    /// Contents of every kind with every kind of edit behind them, and two files of which the newer is whole, or torn.
    private static let seeds: [[UInt8]] = [
        RecordFileScript.step(contents.record) + edits.flatMap { RecordFileScript.step($0.record) },
        RecordFileScript.step(contents.record) + [8] + RecordFileScript.step(contents.record),
        RecordFileScript.step(ManifestContents(databaseID: RecordFileScript.databaseID).record) + [2, 8, 3, 64],
    ]

    private static func file(_ number: UInt64) -> FileReference { FileReference(number: number, byteCount: 100, checksum: 7) }

    private static let collection = ManifestCollection(
        number: 1, schema: [1, 2], state: [3], catalog: [file(3)],
        segments: [ManifestSegment(file: file(4), firstChunk: 0, endChunk: 9, rowCount: 5, indexes: [ManifestIndex(space: 1, file: file(4))])])
    private static let version = ManifestVersion(coveredSequence: 10, nextCollectionNumber: 3, collections: [1: collection])
    private static let snapshot = ManifestSnapshot(
        name: "s", createdMilliseconds: 1, sequence: 12, version: version, log: [LogFileExtent(number: 2, byteCount: 640)])
    private static let contents = ManifestContents(
        databaseID: RecordFileScript.databaseID, version: version, logFiles: [2], snapshots: [snapshot], nextFileNumber: 5)
    private static let edits: [ManifestEdit] = [
        .startLogFile(5), .addSnapshot(ManifestSnapshot(name: "t", createdMilliseconds: 2, sequence: 11, version: version, log: [])),
        .replaceSegments(collection: 1, removed: [4], added: [ManifestSegment(file: file(6), firstChunk: 0, endChunk: 9, rowCount: 4)]),
        .setIndex(collection: 1, segment: 6, space: 2, file: file(7)), .setIndex(collection: 1, segment: 6, space: 2, file: nil),
        .dropSnapshot(name: "s"),
        .checkpoint(coveredSequence: 20, nextCollectionNumber: 4, changed: [], dropped: [1], logFiles: [5]),
    ]
}
