// Where a load goes: a daemon, over its connections, or a database in this process.
package import Client
package import Engine
import Synchronization
package import Wire

/// Takes the batches of a load.
package protocol LoadTarget: Sendable {
    /// Whether batches are stored one after the other, as they come from the source.
    var isOrdered: Bool { get }
    /// Stores documents, all of them or none; what is refused is a `WireError`.
    func store(_ documents: [OutgoingDocument], in collection: String) async throws -> StoredBatch
}

/// What became of a batch.
package struct StoredBatch: Equatable, Sendable {
    package var sequence: Int
    package var inserted: Int
    package var replaced: Int
    package var unchanged: Int
}

/// A daemon. Batches take the connections in turn, and come in any order.
package final class DaemonTarget: LoadTarget {
    private let clients: [Client]
    private let batches = Atomic(0)

    package init(_ clients: [Client]) {
        precondition(!clients.isEmpty, "a load needs a connection")
        self.clients = clients
    }

    package var isOrdered: Bool { false }

    package func store(_ documents: [OutgoingDocument], in collection: String) async throws -> StoredBatch {
        let number = batches.add(1, ordering: .relaxed).oldValue
        let answer = try await clients[number % clients.count].ask("upsert") { request in
            request.string("collection", collection)
            request.documents(documents)
        }
        let root = answer.root
        return StoredBatch(
            sequence: root["seq"]?.int ?? 0, inserted: root["inserted"]?.int ?? 0, replaced: root["replaced"]?.int ?? 0,
            unchanged: root["unchanged"]?.int ?? 0)
    }
}

/// A database in this process. In order, so that what a crash leaves of a load is its beginning.
package struct DatabaseTarget: LoadTarget {
    private let database: Database

    package init(_ database: Database) { self.database = database }

    package var isOrdered: Bool { true }

    package func store(_ documents: [OutgoingDocument], in collection: String) throws -> StoredBatch {
        let write = Write.upsert(try UpsertInput(documents, into: collection))
        let outcome: WriteOutcome
        do throws(EngineError) { outcome = try database.write(write) } catch { throw WireError(error) }
        let counts = outcome.counts
        return StoredBatch(sequence: Int(outcome.sequence), inserted: counts.inserted, replaced: counts.replaced, unchanged: counts.unchanged)
    }
}
