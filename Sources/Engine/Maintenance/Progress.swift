// What background work is under way, for whoever asks.
import Synchronization

/// A piece of background work and how far it has come.
package struct Job: Equatable, Sendable {
    package enum Kind: String, Sendable { case checkpoint, compaction, index }
    package var kind: Kind
    /// nil where it is about all of them.
    package var collection: String?
    /// Of `total`: collections of a checkpoint, bytes of a compaction, rows of an index, as far as they can be told before.
    package var done: Int
    package var total: Int
}

/// The work under way. Written by whoever works, read by anybody.
final class Progress: Sendable {
    private struct State {
        var job: Job?
        var finished = 0
    }

    private let state = Mutex(State())

    var job: Job? { state.withLock { $0.job } }
    /// Pieces of work ended since the database was opened.
    var finished: Int { state.withLock { $0.finished } }

    func begin(_ kind: Job.Kind, collection: String?, total: Int) {
        state.withLock { $0.job = Job(kind: kind, collection: collection, done: 0, total: total) }
    }

    /// What there is to do is reckoned; more than that is never said to be done.
    func advance(by count: Int) {
        state.withLock { state in
            guard let job = state.job else { return }
            state.job?.done = min(job.done + count, job.total)
        }
    }

    func end() {
        state.withLock {
            $0.job = nil
            $0.finished += 1
        }
    }
}
