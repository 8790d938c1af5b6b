// Damaged files in the daemon's log: each once, when it is found.
import Engine
import Logging
import Memory
import Synchronization

/// Remembers which files have been told of. Files are found to be damaged by whoever first touches them, so whoever is
/// told of damage reports it here.
final class DamageLog: Sendable {
    private let known = Mutex<Set<String>>([])
    private let logger: Logger

    init(logger: Logger) { self.logger = logger }

    /// O(segments).
    func report(_ snapshot: DatabaseSnapshot) {
        for collection in snapshot.allCollections { report(collection) }
    }

    func report(_ collection: CollectionOverview) {
        for corruption in collection.corruptions where known.withLock({ $0.insert(corruption.file).inserted }) {
            logger.warning("a damaged file is not searched any more: restore from a snapshot, or store its documents again", metadata: [
                "collection": "\(collection.schema.name)", "file": "\(corruption.file)", "offset": "\(corruption.offset)", "expected": "\(corruption.expected)",
            ])
        }
    }
}
