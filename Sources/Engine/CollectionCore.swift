// A collection at one sequence, whoever reads it: what its readers share, and what is told of it to those who run the database.
package import Memory
import Synchronization

/// A collection at one sequence, shared by all who read it. Nobody reads it but through a `CollectionSnapshot`.
final class CollectionCore: Sendable {
    let state: CollectionState
    /// The parts, the head last, and for each the number of its first row when all are counted through.
    let parts: [ChunkPart]
    let firstRows: [Int]
    let visibilities: VisibilityCache
    private let rights = Mutex<[Caller: Resolved]>([:])

    private struct Resolved {
        var directoryVersion: UInt64
        var rights: Rights
    }

    init(_ state: CollectionState) {
        self.state = state
        parts = state.parts
        var rows = 0
        firstRows = parts.map { part in
            defer { rows += part.rowCount }
            return rows
        }
        visibilities = VisibilityCache(documents: state.documents.count, rows: rows)
    }

    /// What a caller may see. Worked out at the first time of asking under this version of the directory.
    func rights(of caller: Caller, _ directory: Directory, _ cache: RightsCache) throws(EngineError) -> Rights {
        let known = rights.withLock { $0[caller] }
        if let known, known.directoryVersion == directory.version { return known.rights }
        let made = try cache.rights(of: caller, in: self, directory)
        rights.withLock { rights in
            if rights.count >= Self.callersMax { rights.removeAll() }
            rights[caller] = Resolved(directoryVersion: directory.version, rights: made)
        }
        return made
    }

    private static let callersMax = 1024

    /// The nodes in an agent's scope, kept as filters are.
    func nodes(inScope scope: Filter, of caller: Caller) throws(EngineError) -> Bitmap {
        let evaluation = try state.derived.evaluations.evaluation(of: VisibilityKey(scope: scope)) { () throws(EngineError) in
            try state.program(ofScope: scope, of: caller)
        }
        return evaluation.documents(of: state) { state.documents.find($0) }
    }
}

/// A collection as those see it who run the database: how large it is and how it is doing, and none of its documents.
package struct CollectionOverview: Sendable {
    let core: CollectionCore

    init(_ core: CollectionCore) { self.core = core }

    var state: CollectionState { @inline(__always) _read { yield core.state } }
    package var schema: CollectionSchema { state.schema }
    /// Documents that are there, folders not counted.
    package var documentCount: Int { state.documents.liveCount - state.documents.folderCount }
    package var folderCount: Int { state.documents.folderCount }
    package var chunkCount: Int { state.liveChunkCount }
    /// Memory held, in bytes.
    package var byteCount: Int { state.byteCount }

    /// Damaged segments, which are not searched: how many chunks in force they hold, and what is wrong with the first.
    package var damage: Damage? {
        let damaged = core.parts.filter { $0.segment?.corruption != nil }
        guard let first = damaged.first?.segment?.corruption else { return nil }
        return Damage(segments: damaged.count, chunks: damaged.reduce(0) { $0 + $1.liveCount }, first: first)
    }

    /// What is wrong with each of them.
    package var corruptions: [Corruption] { core.parts.compactMap { $0.segment?.corruption } }
}

/// What a collection cannot serve because the bytes on disk are damaged.
package struct Damage: Sendable {
    package var segments: Int
    /// In force; nil where that is not to be told.
    package var chunks: Int?
    package var first: Corruption
}
