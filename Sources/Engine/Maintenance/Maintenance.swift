// What is done behind the writer's back: heads become segments, segments are joined, and the log is cut short.
import Memory
import Storage
import Synchronization

/// Background work, one piece at a time, on whatever thread calls. The writer is asked for its state, and told of a new file, in
/// steps of microseconds; readers hear of neither.
final class Maintenance: Sendable {
    /// What the catalog files of each collection, and those of the directory, hold. Their pages are kept so that the next difference can
    /// be told from them.
    private struct Persisted {
        var catalogs: [UInt32: Catalog]
        var directory: Directory?
    }

    private let store: Store
    private let queue: CommitQueue
    /// Held for as long as a piece of work takes.
    private let working: Mutex<Persisted>
    /// Files that count no more may lie about.
    private let isSweepDue = Atomic<Bool>(false)
    private let lastFailure = Mutex<EngineError?>(nil)
    private let lastIndexFailure = Mutex<EngineError?>(nil)
    let progress = Progress()
    /// Of work on indexes, which goes on beside the rest.
    let indexProgress = Progress()

    init(store: Store, queue: CommitQueue, persisted: [UInt32: Catalog], directory: Directory?) {
        self.store = store
        self.queue = queue
        working = Mutex(Persisted(catalogs: persisted, directory: directory))
    }

    // MARK: Sweeping

    /// Removes what counts no more: now, or where work is under way once that has ended. What a disk does not let go of
    /// does no harm and is tried again.
    func sweepWhenIdle() {
        isSweepDue.store(true, ordering: .relaxed)
        do {
            _ = try working.withLockIfAvailable { _ throws(EngineError) in try sweepLocked() }
        } catch { note(error) }
    }

    func sweepIfDue() throws(EngineError) {
        guard isSweepDue.load(ordering: .relaxed) else { return }
        try working.withLock { _ throws(EngineError) in try sweepLocked() }
    }

    /// Work that fails leaves files that nothing names, on a disk that may be full because of them.
    private func tidying(_ pace: Pace, _ work: (OutputFiles) throws(EngineError) -> Void) throws(EngineError) {
        let files = OutputFiles(store, pace)
        do {
            defer { files.end() }
            try work(files)
        } catch {
            isSweepDue.store(true, ordering: .relaxed)
            // What the disk does not let go of now stays due.
            do { try sweepLocked() } catch let leftover { note(leftover) }
            throw error
        }
    }

    private func sweepLocked() throws(EngineError) {
        guard isSweepDue.exchange(false, ordering: .relaxed) else { return }
        do { try store.sweep() } catch {
            isSweepDue.store(true, ordering: .relaxed)
            throw error
        }
    }

    /// The last failure of work that nobody waits for; nil once work has succeeded again.
    var failure: EngineError? { lastFailure.withLock { $0 } ?? lastIndexFailure.withLock { $0 } }
    func note(_ error: EngineError?) { lastFailure.withLock { $0 = error } }
    func noteIndexes(_ error: EngineError?) { lastIndexFailure.withLock { $0 = error } }

    // MARK: Checkpoint

    /// Brings everything that is in force now into files, so that the log up to here is not needed any more.
    func checkpoint(_ pace: Pace) throws(EngineError) {
        try working.withLock { persisted throws(EngineError) in
            try tidying(pace) { (files) throws(EngineError) in try checkpoint(&persisted, files) }
        }
    }

    private func checkpoint(_ persisted: inout Persisted, _ files: OutputFiles) throws(EngineError) {
        let frozen = try queue.freeze()
        let before = store.contents
        guard frozen.sequence > before.version.coveredSequence else { return }
        var made: [Checkpointed] = []
        progress.begin(.checkpoint, collection: nil, total: frozen.collections.count)
        defer { progress.end() }
        for state in frozen.collections.values.sorted(by: { $0.number < $1.number }) {
            if let collection = try checkpoint(state, stored: before.version.collections[state.number], persisted.catalogs[state.number], files) {
                made.append(collection)
            }
            progress.advance(by: 1)
        }
        let directory = try checkpoint(frozen.directory, stored: before.version.collections[DirectoryChange.collectionNumber], persisted.directory, files)
        try store.syncNames()
        try commit(made, directory, frozen)
        for collection in made { persisted.catalogs[collection.state.number] = collection.state.catalog }
        persisted.catalogs = persisted.catalogs.filter { frozen.collections[$0.key] != nil }
        if directory != nil { persisted.directory = frozen.directory }
        try store.sweep()
    }

    /// What a checkpoint made of one collection.
    private struct Checkpointed {
        var state: CollectionState
        /// Its catalog files.
        var catalog: [FileReference]
        /// The heads that became a segment, and the segment, unless none of their chunks was left.
        var sealed: Range<Int>?
        var segment: Segment?

        /// What the manifest is to say of it. `stored` is what it says until then: segments are as they were when the work
        /// began, since no other work replaces them meanwhile, but may have got indexes.
        func manifest(_ stored: ManifestCollection?) -> ManifestCollection {
            var schema = ByteWriter()
            state.schema.encode(to: &schema)
            var rest = ByteWriter()
            rest.write(UInt64(state.head.firstChunk))
            return ManifestCollection(
                number: state.number, schema: schema.finish(), state: rest.finish(), catalog: catalog,
                segments: (stored?.segments ?? []) + (segment.map { [$0.record] } ?? []))
        }
    }

    /// nil where its files hold all of it already.
    private func checkpoint(
        _ state: CollectionState, stored: ManifestCollection?, _ persisted: Catalog?, _ files: OutputFiles
    ) throws(EngineError) -> Checkpointed? {
        let waiting = state.sealed.firstIndex { $0.segment == nil }.map { $0..<state.sealed.count }
        let changed = CatalogFile.changedBytes(of: state.catalog, since: persisted)
        if stored != nil, waiting == nil, changed == 0 { return nil }
        var result = Checkpointed(state: state, catalog: stored?.catalog ?? [])
        if let waiting {
            result.sealed = state.sealed[waiting].first!.chunks.lowerBound..<state.head.firstChunk  // Not empty: one was found.
            result.segment = try writeSegment(of: state, waiting, files)
        }
        if changed > 0 { try write(state.catalog, persisted, changedBytes: changed, into: &result.catalog, files) }
        return result
    }

    /// The directory is kept as a collection is that has a catalog and no chunk; nil where its files hold all of it already.
    private func checkpoint(
        _ directory: Directory, stored: ManifestCollection?, _ persisted: Directory?, _ files: OutputFiles
    ) throws(EngineError) -> ManifestCollection? {
        let changed = CatalogFile.changedBytes(of: directory, since: persisted)
        guard changed > 0 else { return nil }
        var chain = stored?.catalog ?? []
        // Files add pages and replace them, and take none away.
        if let persisted, directory.hasShrunk(since: persisted) { chain = [] }
        try write(directory, persisted, changedBytes: changed, into: &chain, files)
        return ManifestCollection(number: DirectoryChange.collectionNumber, schema: [], state: [], catalog: chain, segments: [])
    }

    private func writeSegment(of state: CollectionState, _ parts: Range<Int>, _ files: OutputFiles) throws(EngineError) -> Segment? {
        let writer = try SegmentWriter(parts: state.sealed[parts], of: state)
        guard writer.rowCount > 0 else { return nil }
        let record = try writer.write(to: try files.begin(.segment))
        // Mapped before the manifest names it: were it not to be read, nothing would have changed.
        let segment = Segment(record, schema: state.schema, documentCount: state.documents.count, disk: store.disk, databaseID: store.databaseID)
        if let corruption = segment.corruption { throw EngineError(.diskFailed, "a segment just written cannot be read (\(corruption))") }
        return segment
    }

    /// The pages that have changed go into a file of their own, until those files are many or half as large as the first;
    /// then everything is written anew. A page is so written down about twice, however large the catalog grows.
    private func write<Contents: PagedContents>(
        _ contents: Contents, _ persisted: Contents?, changedBytes: Int, into chain: inout [FileReference], _ files: OutputFiles
    ) throws(EngineError) {
        let later = chain.dropFirst().reduce(changedBytes) { $0 + Int($1.byteCount) }
        let isAnew = chain.isEmpty || chain.count >= Limits.catalogFilesMax || 2 * later > Int(chain[0].byteCount)
        let output = try files.begin(.catalog)
        try CatalogFile.write(contents, since: isAnew ? nil : persisted, to: output)
        let file = try output.finish()
        chain = isAnew ? [file] : chain + [file]
    }

    private func commit(_ made: [Checkpointed], _ directory: ManifestCollection?, _ frozen: FrozenWriter) throws(EngineError) {
        try store.edit { contents in
            .checkpoint(
                coveredSequence: frozen.sequence, nextCollectionNumber: frozen.nextCollectionNumber, 
                changed: [directory].compactMap { $0 } + made.map { $0.manifest(contents.version.collections[$0.state.number]) },
                dropped: contents.version.collections.keys.filter { $0 != DirectoryChange.collectionNumber && frozen.collections[$0] == nil }.sorted(),
                logFiles: contents.logFiles.filter { $0 > frozen.lastLogFile })
        }
        let installed = made.compactMap { collection in
            collection.sealed.map { Replacement(collection: collection.state.number, chunks: $0, by: collection.segment) }
        }
        queue.install(installed)
        queue.retireLog(coveredBy: frozen)
    }

    // MARK: Compaction

    /// Makes one segment of some, where that is worth it; false where nothing is. `states` tells what is in force once it is
    /// this work's turn, `plan` chooses among a collection's parts.
    func compact(_ states: () -> [CollectionState], by plan: ([PartSize]) -> Range<Int>?, _ pace: Pace) throws(EngineError) -> Bool {
        try working.withLock { _ throws(EngineError) in
            for state in states() {
                guard let range = plan(state.sealed.map(PartSize.init)) else { continue }
                try tidying(counting(pace)) { (files) throws(EngineError) in try compact(state, range, files) }
                return true
            }
            return false
        }
    }

    private func compact(_ state: CollectionState, _ range: Range<Int>, _ files: OutputFiles) throws(EngineError) {
        let parts = state.sealed[range]
        let removed = parts.compactMap { $0.segment?.record }
        precondition(removed.count == parts.count, "a plan names segments only")
        progress.begin(.compaction, collection: state.schema.name, total: parts.reduce(0) { $0 + PartSize($1).liveBytes })
        defer { progress.end() }
        let isAllDead = parts.allSatisfy { $0.liveCount == 0 }
        let added = isAllDead ? nil : try writeSegment(of: state, range, files)
        if added != nil { try store.syncNames() }
        try store.edit { _ in .replaceSegments(collection: state.number, removed: removed.map(\.file.number), added: added.map { [$0.record] } ?? []) }
        let chunks = parts.first!.chunks.lowerBound..<parts.last!.chunks.upperBound  // A plan's range is not empty.
        queue.install([Replacement(collection: state.number, chunks: chunks, by: added)])
        try store.sweep()
    }

    /// A pace that tells the progress of what is under way.
    private func counting(_ pace: Pace) -> Pace {
        Pace { [progress] bytes throws(EngineError) in
            progress.advance(by: bytes)
            try pace.step(bytes: bytes)
        }
    }
}

/// Sealed parts that give way to a segment, or to nothing where none of their chunks is left.
struct Replacement: Sendable {
    var collection: UInt32
    var chunks: Range<Int>
    var by: Segment?
}

/// An index that the manifest names, on its way into what is in force.
struct InstalledIndex: Sendable {
    var collection: UInt32
    /// The number of the segment's file.
    var segment: UInt64
    var index: SegmentIndex
}

/// What the writer held at one sequence, its heads sealed.
struct FrozenWriter: Sendable {
    var sequence: UInt64
    var nextCollectionNumber: UInt32
    var collections: [UInt32: CollectionState]
    var directory: Directory
    /// The newest log file that holds a record up to `sequence`; 0 where there is none.
    var lastLogFile: UInt64
    /// `Log.bytesAppended` then.
    var appendedBytes: UInt64
}

extension PartSize {
    init(_ part: ChunkPart) {
        self.init(
            byteCount: part.segment?.byteCount ?? 0, rowCount: part.rowCount, liveCount: part.liveCount,
            isSegment: part.segment != nil, isReadable: part.segment.map { $0.corruption == nil } ?? false,
            chunks: part.chunks)
    }
}

extension EngineError {
    init(maintaining error: LogError) {
        switch error {
        case .disk(let disk): self.init(maintaining: disk)
        case .outcomeUnknown, .stopped, .corruption: self.init(error)
        }
    }
}
