// Runs manifests against disks, and knows at every moment what they must and may say.
import Memory
import Storage
import Testing
import TestSupport

/// What is known about a manifest from the answers it gave.
struct ManifestKnowledge {
    /// What it says; nil as long as nobody was told that it exists.
    var contents: ManifestContents?
    /// The edit whose append did not answer with success, and may be found.
    var inDoubt: ManifestEdit?

    /// Whether an open may find this. What is in doubt is found whole or not at all.
    func allows(_ found: ManifestContents) -> Bool {
        guard let contents else { return ManifestHarness.isFresh(found) }
        if found == contents { return true }
        return inDoubt.map { found == ManifestOracle.applying($0, to: contents) } ?? false
    }
}

/// The meaning of an edit, told a second time and naively.
enum ManifestOracle {
    static func applying(_ edit: ManifestEdit, to contents: ManifestContents) -> ManifestContents {
        var next = contents
        switch edit {
        case .checkpoint(let covered, let nextCollection, let changed, let dropped, let logFiles):
            next.version.coveredSequence = covered
            next.version.nextCollectionNumber = nextCollection
            next.version.collections = next.version.collections.filter { !dropped.contains($0.key) }
            for collection in changed {
                next.version.collections[collection.number] = collection
                for file in collection.catalog { next.nextFileNumber = max(next.nextFileNumber, file.number + 1) }
                for segment in collection.segments {
                    for file in [segment.file] + segment.indexes.map(\.file) { next.nextFileNumber = max(next.nextFileNumber, file.number + 1) }
                }
            }
            next.logFiles = logFiles
        case .replaceSegments(let number, let removed, let added):
            let before = next.version.collections[number]?.segments ?? []
            let segments = before.filter { !removed.contains($0.file.number) } + added
            next.version.collections[number]?.segments = segments.sorted { $0.firstChunk < $1.firstChunk }
            for segment in added {
                for file in [segment.file] + segment.indexes.map(\.file) { next.nextFileNumber = max(next.nextFileNumber, file.number + 1) }
            }
        case .startLogFile(let number):
            next.logFiles.append(number)
            next.nextFileNumber = max(next.nextFileNumber, number + 1)
        case .addSnapshot(let snapshot): next.snapshots.append(snapshot)
        case .dropSnapshot(let name): next.snapshots.removeAll { $0.name == name }
        case .setIndex(let number, let file, let space, let index):
            guard let place = next.version.collections[number]?.segments.firstIndex(where: { $0.file.number == file }) else { break }
            let others = next.version.collections[number]?.segments[place].indexes.filter { $0.space != space } ?? []
            let indexes = others + (index.map { [ManifestIndex(space: space, file: $0)] } ?? [])
            next.version.collections[number]?.segments[place].indexes = indexes.sorted { $0.space < $1.space }
            next.nextFileNumber = max(next.nextFileNumber, (index?.number ?? 0) + 1)
        }
        return next
    }
}

enum ManifestStep {
    case edit(ManifestEdit)
    case open
}

enum ManifestHarness {
    /// So short that two or three edits fill a file.
    static let smallFiles = ManifestFileSizes(editBytesMax: 100, zeroedStep: 48)
    static let oneFile = ManifestFileSizes(editBytesMax: 1 << 20, zeroedStep: 48)

    static func isFresh(_ contents: ManifestContents) -> Bool { contents == ManifestContents(databaseID: contents.databaseID) }

    static func open(_ disk: any Disk, _ sizes: ManifestFileSizes = oneFile, seed: UInt64 = 1) throws(LogError) -> Manifest {
        var random = SeededRandom(seed: seed)
        return try Manifest(disk: disk, sizes: sizes) { random.next() }
    }

    /// Runs a process's steps until they are done or its manifest fails, checking what each open finds.
    static func run(
        _ steps: [ManifestStep], on disk: FaultyDisk, sizes: ManifestFileSizes = smallFiles, seed: UInt64 = 1,
        knowing known: ManifestKnowledge = ManifestKnowledge()
    ) throws -> ManifestKnowledge {
        var known = known
        do throws(LogError) {
            var manifest = try open(disk, sizes, seed: seed, &known)
            for (index, step) in steps.enumerated() {
                switch step {
                case .open: manifest = try open(disk, sizes, seed: seed &+ UInt64(index) &+ 1, &known)
                case .edit(let edit): try append(edit, to: manifest, &known)
                }
            }
        } catch .corruption(let corruption) {
            throw corruption
        } catch .disk, .outcomeUnknown, .stopped {
            return known
        }
        return known
    }

    private static func open(_ disk: FaultyDisk, _ sizes: ManifestFileSizes, seed: UInt64, _ known: inout ManifestKnowledge) throws(LogError) -> Manifest {
        let manifest = try open(disk, sizes, seed: seed)
        #expect(known.allows(manifest.contents), "found \(manifest.contents), knew \(known)")
        known = ManifestKnowledge(contents: manifest.contents)
        #expect(manifestNames(disk).count == 1, "\(disk.names)")
        return manifest
    }

    static func append(_ edit: ManifestEdit, to manifest: Manifest, _ known: inout ManifestKnowledge) throws(LogError) {
        guard let contents = known.contents else { preconditionFailure("a manifest was opened") }
        #expect(manifest.refusal(of: edit) == nil)
        do {
            try manifest.append(edit)
            known.contents = ManifestOracle.applying(edit, to: contents)
        } catch {
            if case .outcomeUnknown = error { known.inDoubt = edit }
            #expect(manifest.contents == contents, "a refused edit changes nothing")
            throw error
        }
        #expect(manifest.contents == known.contents)
    }

    /// Opens what a crash left, checks it, goes on, opens again, and crashes once more.
    static func check(_ disk: FaultyDisk, knowing known: ManifestKnowledge, sizes: ManifestFileSizes = smallFiles, _ comment: @autoclosure () -> String) throws {
        do {
            let loaded = try Manifest.load(disk)
            #expect(loaded.map { known.allows($0) } ?? (known.contents == nil), "\(comment())")
            let log = (loaded?.logFiles.last ?? 0) + 1
            let steps: [ManifestStep] = [.edit(.startLogFile(log)), .open, .edit(.startLogFile(log + 1)), .edit(.startLogFile(log + 2))]
            let after = try run(steps, on: disk, sizes: sizes, seed: 100, knowing: known)
            #expect(after.inDoubt == nil && after.contents?.logFiles.suffix(3) == [log, log + 1, log + 2], "\(comment())")
            #expect(try open(disk.afterCrash(.clean), sizes, seed: 200).contents == after.contents, "\(comment())")
        } catch { Issue.record("\(error), \(comment())") }
    }

    static func manifestNames(_ disk: FaultyDisk) -> [String] { disk.names.filter { FileKind.manifest.number($0) != nil } }

    // MARK: Values

    static func file(_ number: UInt64) -> FileReference {
        FileReference(number: number, byteCount: number &+ 1000, checksum: UInt32(truncatingIfNeeded: number &* 0x9E37_79B9))
    }

    /// - Parameter indexes: By space, the numbers of their files.
    static func segment(_ number: UInt64, _ chunks: Range<UInt64>, indexes: [UInt16: UInt64] = [:]) -> ManifestSegment {
        ManifestSegment(
            file: file(number), firstChunk: chunks.lowerBound, endChunk: chunks.upperBound, rowCount: UInt32(chunks.count) / 2,
            indexes: indexes.sorted { $0.key < $1.key }.map { ManifestIndex(space: $0.key, file: file($0.value)) })
    }

    static func collection(_ number: UInt32, catalog: [UInt64] = [], segments: [ManifestSegment] = []) -> ManifestCollection {
        ManifestCollection(
            number: number, schema: [UInt8(number), 1, 2], state: Array(repeating: 7, count: Int(number)), catalog: catalog.map { file($0) },
            segments: segments)
    }

    static let firstVersion = ManifestVersion(
        coveredSequence: 10, nextCollectionNumber: 3,
        collections: [1: collection(1, catalog: [3], segments: [segment(2, 0..<10), segment(4, 10..<12, indexes: [1: 7])]), 2: collection(2)])
    static let snapshot = ManifestSnapshot(
        name: "before", createdMilliseconds: -5, sequence: 12, version: firstVersion, log: [LogFileExtent(number: 1, byteCount: 640)])

    /// Every kind of edit, some of which make it outgrow a file.
    static let edits: [ManifestEdit] = [
        .startLogFile(1),
        .checkpoint(
            coveredSequence: 10, nextCollectionNumber: 3,
            changed: [collection(1, catalog: [3], segments: [segment(2, 0..<10), segment(4, 10..<12, indexes: [1: 7])]), collection(2)], dropped: [],
            logFiles: [1]),
        .addSnapshot(snapshot),
        .startLogFile(5),
        .replaceSegments(collection: 1, removed: [2, 4], added: [segment(6, 0..<12)]),
        .setIndex(collection: 1, segment: 6, space: 2, file: file(10)),
        .startLogFile(6),
        .setIndex(collection: 1, segment: 6, space: 0, file: file(11)),
        .setIndex(collection: 1, segment: 6, space: 2, file: nil),
        .startLogFile(9),
        .checkpoint(coveredSequence: 20, nextCollectionNumber: 3, changed: [collection(2, segments: [segment(8, 3..<3)])], dropped: [1], logFiles: [6, 9]),
        .dropSnapshot(name: "before"),
        .checkpoint(coveredSequence: 20, nextCollectionNumber: 9, changed: [], dropped: [2], logFiles: []),
    ]

    static let workload: [ManifestStep] =
        edits.prefix(4).map { .edit($0) } + [.open] + edits.dropFirst(4).prefix(4).map { .edit($0) } + [.open, .open] + edits.dropFirst(8).map { .edit($0) }
}
