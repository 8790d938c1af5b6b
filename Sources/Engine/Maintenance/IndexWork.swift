// Indexes of segments: built where one is wanted, and checked where one was found, behind everybody's back.
import Index
import Memory
import Storage
import Synchronization

/// Background work on index files, one piece at a time. It goes on beside checkpoints and compaction, whose lock it does not take: a
/// segment that goes away meanwhile takes the work with it.
final class IndexWork: Sendable {
    private let store: Store
    private let queue: CommitQueue
    private let progress: Progress
    private let maintenance: Maintenance
    /// Segments of fewer rows get none.
    private let rowsMin: Int
    /// Held for as long as a piece of work takes. What is found to have no row to index, and will never have one.
    private let working = Mutex<Set<EmptySpace>>([])

    init(store: Store, queue: CommitQueue, maintenance: Maintenance, rowsMin: Int) {
        self.store = store
        self.queue = queue
        self.maintenance = maintenance
        self.rowsMin = rowsMin
        progress = maintenance.indexProgress
    }

    private struct EmptySpace: Hashable {
        var segment: UInt64
        var space: Int
    }

    /// An index that is to be checked or built.
    private struct Piece {
        var collection: CollectionState
        var segment: Segment
        var space: Int

        var emptySpace: EmptySpace { EmptySpace(segment: segment.fileNumber, space: space) }
    }

    /// Does one piece of work, on so many threads at most; false where there is none. `states` tells what is in force once it is
    /// this work's turn.
    func work(_ states: () -> [CollectionState], threads: Int, _ pace: Pace) throws(EngineError) -> Bool {
        try working.withLock { empty throws(EngineError) in
            let states = states()
            if let piece = first(of: states, where: { $0.segment.indexes[$0.space]?.isUnchecked ?? false }) {
                check(piece)
                return true
            }
            for state in states {
                guard let codes = state.missingHeadCodes() else { continue }
                queue.install(codes)
                return true
            }
            guard let piece = largest(of: states, where: { wantsIndex($0) && !empty.contains($0.emptySpace) }) else { return false }
            if try !build(piece, threads: threads, pace) { empty.insert(piece.emptySpace) }
            return true
        }
    }

    private func wantsIndex(_ piece: Piece) -> Bool {
        let schema = piece.collection.schema.spaces[piece.space]
        guard schema.index != .flat, schema.quantization != .none, piece.segment.rowCount >= rowsMin, piece.segment.corruption == nil else { return false }
        return piece.segment.indexes[piece.space]?.isDamaged ?? true
    }

    private func pieces(of states: [CollectionState]) -> [Piece] {
        states.flatMap { state in
            state.sealed.compactMap(\.segment).flatMap { segment in
                segment.indexes.indices.map { Piece(collection: state, segment: segment, space: $0) }
            }
        }
    }

    private func first(of states: [CollectionState], where condition: (Piece) -> Bool) -> Piece? { pieces(of: states).first(where: condition) }

    /// The segments that matter most come first.
    private func largest(of states: [CollectionState], where condition: (Piece) -> Bool) -> Piece? {
        pieces(of: states).filter(condition).max { $0.segment.rowCount < $1.segment.rowCount }
    }

    /// What is wrong with an index is of no more account than that another is built.
    private func check(_ piece: Piece) {
        guard let index = piece.segment.indexes[piece.space] else { preconditionFailure("an index is there to be checked") }
        // A damaged segment answers nothing, by an index or without.
        guard piece.segment.corruption == nil else { return index.refuse() }
        do {
            try piece.segment.touchForRanking(space: piece.space)
            try check(index, of: piece, wanted: indexedRows(of: piece))
        } catch { index.refuse() }
    }

    private func check(_ index: SegmentIndex, of piece: Piece, wanted: [UInt32]) throws(ColumnFileError) {
        let schema = piece.collection.schema.spaces[piece.space]
        try index.check(of: piece.segment, wanted: wanted, schema, disk: store.disk, databaseID: store.databaseID)
    }

    /// False where no row is in force that has a vector.
    private func build(_ piece: Piece, threads: Int, _ pace: Pace) throws(EngineError) -> Bool {
        let (segment, schema) = (piece.segment, piece.collection.schema.spaces[piece.space])
        progress.begin(.index, collection: piece.collection.schema.name, total: segment.rowCount)
        defer { progress.end() }
        try segment.touchAll(space: piece.space)
        let vectors = segment.vectors[piece.space]
        let rows = indexedRows(of: piece)
        guard !rows.isEmpty else { return false }
        let patience = Patience(pace)
        guard let built = IndexBuilder(vectors.rows, rows: rows, settings: IndexSettings(schema, threads: threads, patience)).build() else {
            throw patience.failure
        }
        let calibration = IndexCalibration(
            VectorIndex(built.columns, metric: schema.metric, owner: built), vectors: vectors.rows, seed: IndexSettings.commonSeed, threads: threads,
            isCancelled: { patience.isLost })
        built.calibrate(calibration.measure())
        try pace.step(bytes: 0)
        try install(built, of: piece, rows, pace)
        return true
    }

    /// Rows with a vector, in force now. Those that are not will never be again. All that tells has been touched.
    private func indexedRows(of piece: Piece) -> [UInt32] {
        let vectors = piece.segment.vectors[piece.space]
        var rows: [UInt32] = []
        rows.reserveCapacity(piece.segment.rowCount)
        for row in 0..<piece.segment.rowCount where !vectors.rows.hasNoVector(row) {
            guard piece.collection.isLive(vectors.documents[row], vectors.versions[row]) else { continue }
            rows.append(UInt32(row))
        }
        return rows
    }

    private func install(_ built: BuiltIndex, of piece: Piece, _ rows: [UInt32], _ pace: Pace) throws(EngineError) {
        let files = OutputFiles(store, pace)
        defer { files.end() }
        let file = try SegmentIndex.write(built, to: try files.begin(.index))
        let index = SegmentIndex(ManifestIndex(space: UInt16(piece.space), file: file))
        // Read before the manifest names it: were it not to be read, nothing would have changed.
        do { try check(index, of: piece, wanted: rows) } catch {
            throw EngineError(.diskFailed, "an index just written cannot be read (\(error))")
        }
        let isInstalled = try store.installIndex(
            collection: piece.collection.number, segment: piece.segment.fileNumber, space: UInt16(piece.space), file: file)
        if isInstalled { queue.install(InstalledIndex(collection: piece.collection.number, segment: piece.segment.fileNumber, index: index)) }
        maintenance.sweepWhenIdle()
    }
}

/// Asks a pace between the pieces of a build, which knows no errors, whether it is to go on.
private final class Patience: Sendable {
    private let pace: Pace
    private let lost = Mutex<EngineError?>(nil)

    init(_ pace: Pace) { self.pace = pace }

    var isLost: Bool {
        if lost.withLock({ $0 }) != nil { return true }
        do { try pace.step(bytes: 0) } catch { lost.withLock { $0 = error } }
        return lost.withLock { $0 } != nil
    }

    var failure: EngineError {
        guard let error = lost.withLock({ $0 }) else { preconditionFailure("a build is given up for a reason") }
        return error
    }
}

extension IndexSettings {
    /// The same for all: equal data, equal indexes.
    fileprivate static let commonSeed: UInt64 = 1

    fileprivate init(_ space: SpaceSchema, threads: Int, _ patience: Patience) {
        self.init()
        isCancelled = { patience.isLost }
        self.threads = threads
        seed = Self.commonSeed
        hasGraph = space.index != .ivf
        switch space.quantization {
        case .auto: hasLines = nil
        case .none: preconditionFailure("a space without codes has no index")
        case .int8: hasLines = false
        case .line: hasLines = true
        }
    }
}
