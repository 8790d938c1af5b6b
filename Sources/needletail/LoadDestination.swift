// Where `needletail load` puts documents: a daemon, or a directory that none holds.
#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif
import Client
import Engine
import Ingest
import Storage
import Synchronization
import Wire

/// One of the two, as the command sees it.
protocol LoadDestination {
    var target: any LoadTarget { get }
    /// The declared fields of a collection; nil where there is none of this name.
    func fields(of collection: String) async throws -> [String: FieldType]?
    func create(_ collection: String, dimension: Int, _ shape: ShapeOptions) async throws
    /// What there is to do once all is loaded.
    func finish(_ phases: LoadPhases) async throws -> OfflineFigures?
    /// Whether what was loaded before a failure is safe; afterwards nothing more is loaded.
    func keep() async throws
}

// MARK: A daemon

/// Over several connections, the first of which also asks.
struct DaemonDestination: LoadDestination {
    private let clients: [Client]
    let target: any LoadTarget

    init(_ connection: ConnectionOptions, connections: Int) async throws {
        var clients: [Client] = []
        for _ in 0..<connections { clients.append(try await connection.connect()) }
        self.clients = clients
        target = DaemonTarget(clients)
    }

    func fields(of collection: String) async throws -> [String: FieldType]? {
        let answer = try await clients[0].send("collection.describe") { $0.string("name", collection) }
        if let failure = answer.failure {
            guard failure.code == EngineError.Code.unknownCollection.rawValue else { throw failure }
            return nil
        }
        return (answer.root["collection"]?["fields"]?.object ?? [:]).compactMapValues { $0.string.flatMap(FieldType.init(rawValue:)) }
    }

    func create(_ collection: String, dimension: Int, _ shape: ShapeOptions) async throws {
        _ = try await clients[0].ask("collection.create") { shape.write(to: &$0, name: collection, dimension: dimension) }
    }

    func finish(_ phases: LoadPhases) async throws -> OfflineFigures? {
        for client in clients { try await client.close() }
        return nil
    }

    /// A daemon keeps what it has acknowledged.
    func keep() async throws {}
}

// MARK: A directory

/// A database of this process's own: documents go to it as they are, without a log, and end as large segments with their indexes.
struct DirectoryDestination: LoadDestination {
    private let database: Database
    private let threads: Int
    let target: any LoadTarget

    /// Opens the database in the directory, which is made where it is missing.
    init(_ path: String, memoryBytes: Int, threads: Int) throws {
        var sizes = DatabaseSizes()
        sizes.checkpointBytes = memoryBytes
        do throws(LogError) {
            let disk: FileSystemDisk
            do { disk = try FileSystemDisk(path: path) } catch { throw LogError.disk(error) }
            database = try Database(disk: disk, sizes: sizes, durability: .checkpoint, randomness: { UInt64.random(in: .min ... .max) })
        } catch { throw CommandFailure(description: Self.refusal(of: path, error)) }
        self.threads = threads
        target = DatabaseTarget(database)
    }

    private static func refusal(of path: String, _ error: LogError) -> String {
        if case .disk(let disk) = error, disk.errno == EWOULDBLOCK {
            return "another process holds the database in \(path): load through its daemon, with --host and --port, or stop it first"
        }
        return "cannot open the database in \(path): \(error)"
    }

    func fields(of collection: String) throws -> [String: FieldType]? {
        let snapshot = database.snapshot()
        guard snapshot.collectionNames.contains(collection) else { return nil }
        return Dictionary(uniqueKeysWithValues: try snapshot.overview(of: collection).schema.fields.map { ($0.name, $0.type) })
    }

    /// Says it as a daemon is told, so that what is wrong is told as by one.
    func create(_ collection: String, dimension: Int, _ shape: ShapeOptions) throws {
        var request = RequestWriter("collection.create", id: 0)
        shape.write(to: &request, name: collection, dimension: dimension)
        let line = request.finish()
        var decoder = RequestDecoder()
        let decoded: Request
        // Sound: bytes have no invalid pattern.
        do { decoded = try decoder.decode(unsafe line.span.bytes) } catch { throw error.error }
        guard case .createCollection(let schema) = decoded.operation else { preconditionFailure("a request is decoded as what it was written as") }
        do throws(EngineError) { _ = try database.write(.createCollection(schema)) } catch { throw WireError(error) }
    }

    func finish(_ phases: LoadPhases) throws -> OfflineFigures? {
        try database.checkpoint()
        phases.begin("join")
        try database.joinLoaded()
        phases.begin("index")
        while try database.maintainIndexes(threads: threads) {}
        phases.end()
        let statistics = database.statistics
        try database.close()
        return OfflineFigures(
            phases: phases.finished, bytes: statistics.segmentBytes + statistics.catalogBytes + statistics.indexBytes,
            segments: statistics.segments, indexes: statistics.indexes)
    }

    func keep() throws { try database.checkpoint() }
}

/// What a load into a directory took, and what the whole database has become by it.
struct OfflineFigures {
    var phases: [(name: String, seconds: Double)]
    /// Segments, catalogs and indexes on disk.
    var bytes: UInt64
    var segments: Int
    var indexes: Int
}

/// What a load is at, for whoever watches, and how long each part took.
final class LoadPhases: Sendable {
    /// Reading, storing, and writing to files.
    static let first = "load"

    private struct State {
        var name = LoadPhases.first
        var start = ContinuousClock.now
        var finished: [(name: String, seconds: Double)] = []
    }

    private let state = Mutex(State())

    var current: (name: String, took: Duration) { state.withLock { ($0.name, ContinuousClock.now - $0.start) } }
    var finished: [(name: String, seconds: Double)] { state.withLock { $0.finished } }

    /// Ends the one at hand.
    func begin(_ name: String) {
        end()
        state.withLock { ($0.name, $0.start) = (name, .now) }
    }

    func end() {
        state.withLock { state in state.finished.append((state.name, (ContinuousClock.now - state.start) / .seconds(1))) }
    }
}
