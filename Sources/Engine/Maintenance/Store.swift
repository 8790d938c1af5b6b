// The files of a database: which of them count, what the next one is called, and which may go.
import Memory
import Storage
import Synchronization

/// Owner of the manifest. Safe from any thread; the lock is held for one edit.
final class Store: Sendable {
    let disk: any Disk
    let databaseID: UInt64
    private let manifest: Mutex<Manifest>
    private let numbers: Mutex<Numbers>
    /// The highest number of a log file that was named or found: one with a higher number may be about to be named.
    private let lastLogNumber: Atomic<UInt64>
    private let isStopped = Atomic<Bool>(false)
    private let stop = Mutex<LogError?>(nil)

    /// Of column files.
    private struct Numbers {
        var next: UInt64
        /// Of files that are being written, or that an edit is about to name.
        var begun: Set<UInt64> = []
    }

    init(disk: any Disk, manifest: sending Manifest) throws(LogError) {
        self.disk = disk
        databaseID = manifest.contents.databaseID
        do {
            // Above every number there is: a file that was never named may still lie about.
            let names = try disk.list()
            numbers = Mutex(Numbers(next: max(manifest.contents.nextFileNumber, (names.compactMap { Self.columnFileNumber($0) }.max() ?? 0) + 1)))
            lastLogNumber = Atomic(max(manifest.contents.logFiles.last ?? 0, names.compactMap { FileKind.log.number($0) }.max() ?? 0))
        } catch { throw .disk(error) }
        self.manifest = Mutex(manifest)
    }

    private static func columnFileNumber(_ name: String) -> UInt64? {
        FileKind.segment.number(name) ?? FileKind.catalog.number(name) ?? FileKind.index.number(name)
    }

    /// A number for a new column file, which no sweep removes until `endFile`.
    func beginFile() -> UInt64 {
        numbers.withLock { numbers in
            defer { numbers.next += 1 }
            numbers.begun.insert(numbers.next)
            return numbers.next
        }
    }

    /// The file is named now, or nobody's.
    func endFile(_ number: UInt64) {
        let wasBegun = numbers.withLock { $0.begun.remove(number) != nil }
        precondition(wasBegun, "a file ends once")
    }

    var contents: ManifestContents { manifest.withLock { $0.contents } }

    /// Makes an edit durable: from then on what it names counts. It is made of the contents that it will change.
    func edit(_ make: (ManifestContents) throws(EngineError) -> ManifestEdit) throws(EngineError) {
        try manifest.withLock { manifest throws(EngineError) in
            try append(try make(manifest.contents), to: &manifest)
        }
    }

    /// Names a finished file as the index of a segment, which is told by the number of its file, in the place of an earlier one. False,
    /// and nothing is named, where the segment has gone meanwhile.
    func installIndex(collection: UInt32, segment: UInt64, space: UInt16, file: FileReference) throws(EngineError) -> Bool {
        try syncNames()
        return try manifest.withLock { manifest throws(EngineError) in
            let segments = manifest.contents.version.collections[collection]?.segments ?? []
            guard segments.contains(where: { $0.file.number == segment }) else { return false }
            try append(.setIndex(collection: collection, segment: segment, space: space, file: file), to: &manifest)
            return true
        }
    }

    private func append(_ edit: ManifestEdit, to manifest: inout Manifest) throws(EngineError) {
        defer { note(manifest.stopped) }
        do throws(LogError) { try manifest.append(edit) } catch { throw EngineError(maintaining: error) }
    }

    /// Names a new log file. Called by the log, within a commit.
    func startLogFile(_ number: UInt64) throws(LogError) {
        try manifest.withLock { manifest throws(LogError) in
            defer { note(manifest.stopped) }
            try manifest.append(.startLogFile(number))
        }
        lastLogNumber.store(number, ordering: .relaxed)
    }

    /// What has stopped all edits. One load where nothing has: every group of writes asks, since a device that failed a sync
    /// of the manifest is not trusted with the log either.
    var stopped: LogError? { isStopped.load(ordering: .acquiring) ? stop.withLock { $0 } : nil }

    private func note(_ stopped: LogError?) {
        guard let stopped else { return }
        stop.withLock { $0 = stopped }
        isStopped.store(true, ordering: .releasing)
    }

    /// Makes the names of finished files durable.
    func syncNames() throws(EngineError) {
        do { try disk.syncDirectory() } catch { throw EngineError(maintaining: error) }
    }

    /// Removes the files that count no more, and none that has been begun. Once an edit's outcome is unknown nothing is removed: it
    /// may name what `contents` do not.
    func sweep() throws(EngineError) {
        do { try removeUnnamed() } catch { throw EngineError(maintaining: error) }
    }

    private func removeUnnamed() throws(DiskError) {
        let lastLog = lastLogNumber.load(ordering: .relaxed)
        // In this order: a file that is there and not begun any more has been named before, or never will be.
        let names = try disk.list()
        let begun = numbers.withLock { $0.begun }
        let (contents, isStopped) = manifest.withLock { ($0.contents, $0.stopped != nil) }
        guard !isStopped else { return }
        let named = contents.namedFiles()
        for name in names where !named.contains(name) {
            let isOldLog = FileKind.log.number(name).map { $0 <= lastLog } ?? false
            let isEnded = Self.columnFileNumber(name).map { !begun.contains($0) } ?? false
            if isOldLog || isEnded { try disk.remove(name) }
        }
    }
}
