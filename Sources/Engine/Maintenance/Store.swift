// The files of a database: which of them count, what the next one is called, and which may go.
import Memory
import Storage
import Synchronization

/// Owner of the manifest. Safe from any thread; the lock is held for one edit.
final class Store: Sendable {
    let disk: any Disk
    let databaseID: UInt64
    private let manifest: Mutex<Manifest>
    private let nextNumber: Atomic<UInt64>
    /// The highest number of a log file that was named or found: one with a higher number may be about to be named.
    private let lastLogNumber: Atomic<UInt64>
    private let isStopped = Atomic<Bool>(false)
    private let stop = Mutex<LogError?>(nil)

    init(disk: any Disk, manifest: sending Manifest) throws(LogError) {
        self.disk = disk
        databaseID = manifest.contents.databaseID
        do {
            // Above every number there is: a file that was never named may still lie about.
            let names = try disk.list()
            nextNumber = Atomic(max(manifest.contents.nextFileNumber, (names.compactMap { Self.columnFileNumber($0) }.max() ?? 0) + 1))
            lastLogNumber = Atomic(max(manifest.contents.logFiles.last ?? 0, names.compactMap { FileKind.log.number($0) }.max() ?? 0))
        } catch { throw .disk(error) }
        self.manifest = Mutex(manifest)
    }

    private static func columnFileNumber(_ name: String) -> UInt64? { FileKind.segment.number(name) ?? FileKind.catalog.number(name) }

    func nextFileNumber() -> UInt64 { nextNumber.add(1, ordering: .relaxed).oldValue }

    var contents: ManifestContents { manifest.withLock { $0.contents } }

    /// Makes an edit durable: from then on what it names counts. It is made of the contents that it will change.
    func edit(_ make: (ManifestContents) throws(EngineError) -> ManifestEdit) throws(EngineError) {
        try manifest.withLock { manifest throws(EngineError) in
            let edit = try make(manifest.contents)
            defer { note(manifest.stopped) }
            do throws(LogError) { try manifest.append(edit) } catch { throw EngineError(maintaining: error) }
        }
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

    /// Removes the files that count no more. None is being written meanwhile, but for a log file. Once an edit's outcome is
    /// unknown nothing is removed: it may name what `contents` do not.
    func sweep() throws(EngineError) {
        do { try removeUnnamed() } catch { throw EngineError(maintaining: error) }
    }

    private func removeUnnamed() throws(DiskError) {
        let lastLog = lastLogNumber.load(ordering: .relaxed)
        let names = try disk.list()
        let (contents, isStopped) = manifest.withLock { ($0.contents, $0.stopped != nil) }
        guard !isStopped else { return }
        let named = contents.namedFiles()
        for name in names where !named.contains(name) {
            let isOldLog = FileKind.log.number(name).map { $0 <= lastLog } ?? false
            if isOldLog || Self.columnFileNumber(name) != nil { try disk.remove(name) }
        }
    }
}
