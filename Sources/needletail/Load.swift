// needletail load: files of every kind into a collection.
#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif
import ArgumentParser
import Embedding
import Engine
import Ingest
import Server
import Synchronization
import Wire

struct Load: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Load a file or a folder into a collection.",
        discussion: """
            PATH is JSONL (.jsonl, .ndjson, .json, or - for standard input), a matrix of vectors (.npy .fvecs .bvecs .ivecs .f32 .f16 .u8), \
            or a folder of Markdown, text and chat exports. Files may end in .gz or .zst.

            needletail load handbook/ --collection kb --create --embed
            needletail load corpus.jsonl.gz --vectors base.f32 --dim 384 --collection papers --create
            needletail load base.npy --collection papers --create --offline ./data

            With --offline everything goes straight into a database's directory, which no daemon may hold: as large segments with their indexes, \
            all of it durable at the end. What a crash leaves is the beginning of the load, or what was there before.
            """)

    @Argument(help: "What to load.")
    var path: String

    @Option(help: "The collection to load into.")
    var collection: String

    @Flag(help: "Create the collection if it is not there, with --metric and --field, its dimension taken from the embedder or the first vectors.")
    var create = false

    @OptionGroup(title: "Creating") var shape: ShapeOptions

    @Option(help: "A matrix whose row i is the vector of JSONL record i.")
    var vectors: String?

    @Option(help: "Numbers in a row, for files of bare numbers (.f32 .f16 .u8).")
    var dim: Int?

    @Flag(help: "Make vectors of texts that come without one.")
    var embed = false

    @OptionGroup(title: "Embedding") var embedding: EmbeddingOptions

    @Option(help: "The JSON key that holds the id.")
    var idKey: String?

    @Option(help: "The JSON key that holds the text.")
    var textKey = "text"

    @Option(help: "The JSON key that holds the title.")
    var titleKey = "title"

    @Option(help: "The JSON key that holds the vector.")
    var vectorKey = "vector"

    @Flag(help: "Number records that have no id, from 0.")
    var numberIds = false

    @Option(help: "Put before the id of everything in a folder.")
    var idPrefix = ""

    @Option(help: "Connections to load over. (default: 2)")
    var connections: Int?

    @Option(help: "Load into this database directory instead of a daemon; it is made where it is missing.")
    var offline: String?

    @Option(help: "With --offline: MiB of documents to gather in memory before they are written. (default: 512)")
    var memoryMib: Double?

    @Option(help: "With --offline: threads that build indexes; as many as there are processors by default.")
    var threads: Int?

    @Option(help: "Documents in a batch.")
    var batch = 256

    @Option(help: "Where rejected rows go; PATH.rejected.jsonl by default, in the current folder.")
    var rejects: String?

    @OptionGroup(title: "Daemon") var connection: ConnectionOptions

    func validate() throws {
        guard (1...64).contains(connections ?? 1) else { throw ValidationError("--connections must be 1 to 64") }
        guard (0.001...Self.memoryMibMax).contains(memoryMib ?? 1) else { throw ValidationError("--memory-mib must be 0.001 to \(Int(Self.memoryMibMax))") }
        guard (1...1024).contains(threads ?? 1) else { throw ValidationError("--threads must be 1 to 1024") }
        if offline == nil {
            guard memoryMib == nil, threads == nil else { throw ValidationError("--memory-mib and --threads are for --offline: a daemon has its own") }
        } else {
            guard !connection.isGiven, connections == nil else {
                throw ValidationError("--offline loads into a directory, --host, --port and --connections into a daemon: give one of the two")
            }
        }
        guard (1...10_000).contains(batch) else { throw ValidationError("--batch must be 1 to 10000") }
    }

    /// What is gathered becomes a segment, and compaction makes none larger.
    private static let memoryMibMax = 4096.0

    func run() async throws {
        let embedder = embed ? try embedding.make() : nil
        let destination = try await openDestination()
        let declared = try await prepareCollection(destination, embedder)
        let rejects = RejectSink(path: rejects ?? defaultRejectPath)
        let loader = Loader(loadOptions(embedder), into: destination.target) { try rejects.add($0) }
        let phases = LoadPhases()
        let ticker = ProgressLine.start(of: loader, phases)
        do {
            let start = ContinuousClock.now
            let result = try await loader.run(try openSource(path, sourceOptions(declared)))
            let figures = try await destination.finish(phases)
            await ticker.stop()
            try await embedder?.finish()
            report(result, took: ContinuousClock.now - start, rejects, figures)
        } catch {
            await ticker.stop()
            await reportFailure(of: loader, destination)
            throw error
        }
        if loader.progress.documents == 0, loader.progress.rejected > 0 { throw ExitCode.failure }
    }

    private func openDestination() async throws -> any LoadDestination {
        guard let offline else { return try await DaemonDestination(connection, connections: connections ?? 2) }
        return try DirectoryDestination(
            offline, memoryBytes: Int((memoryMib ?? 512) * 0x1p20), threads: threads ?? max(1, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN)))))
    }

    private func loadOptions(_ embedder: (any Embedder)?) -> LoadOptions {
        var options = LoadOptions(collection: collection)
        options.embedder = embedder
        options.batchDocumentsMax = batch
        options.batchesInFlight = 4 * (connections ?? 2)
        return options
    }

    /// What was stored before a failure stays, and is to be told from what was not.
    private func reportFailure(of loader: Loader, _ destination: any LoadDestination) async {
        let documents = loader.progress.documents.grouped
        do {
            try await destination.keep()
            printError("stopped after \(documents) documents were stored")
        } catch {
            printError("stopped after \(documents) documents, and the last of them could not be stored: \(error)")
        }
    }

    // MARK: The collection

    /// The declared fields of the collection, which is created first where that was asked for.
    private func prepareCollection(_ destination: any LoadDestination, _ embedder: (any Embedder)?) async throws -> [String: FieldType] {
        if let fields = try await destination.fields(of: collection) { return fields }
        guard create else { throw WireError(EngineError.unknownCollection(collection)) }
        let dimension = try await newDimension(embedder)
        try await destination.create(collection, dimension: dimension, shape)
        if !connection.json { printError("created \(collection): \(dimension) dimensions, \(shape.metric)") }
        return try await destination.fields(of: collection) ?? [:]
    }

    private func newDimension(_ embedder: (any Embedder)?) async throws -> Int {
        if let embedder { return try await embedder.learnedDimension() }
        if let dim { return dim }
        guard path != "-" else { throw ValidationError("--create needs --dim when reading from standard input") }
        var source = try openSource(path, sourceOptions([:]))
        // The first vectors are near the beginning or nowhere: a file without any is not read through for it.
        for _ in 0..<1000 {
            guard let item = try source.next() else { break }
            if case .document(let document, _) = item, let vector = document.chunks.lazy.compactMap(\.vector).first { return vector.count }
        }
        throw ValidationError("--create finds no vector near the beginning of \(path): give --dim, or --embed to make vectors of the texts")
    }

    // MARK: The source

    private func sourceOptions(_ declared: [String: FieldType]) -> SourceOptions {
        var tree = TreeOptions { StaticModel.builtIn.tokenCount($0) }
        tree.fields = declared
        tree.idPrefix = idPrefix
        var options = SourceOptions(tree: tree)
        options.vectors = vectors
        options.dimension = dim
        options.records.idKey = idKey
        options.records.textKey = textKey
        options.records.titleKey = titleKey
        options.records.vectorKey = vectorKey
        options.records.numbersMissingIDs = numberIds
        options.records.extraFields = .named(Set(declared.keys))
        return options
    }

    private var defaultRejectPath: String {
        let name = path == "-" ? "standard-input" : path.split(separator: "/").last.map(String.init) ?? "root"
        return name + ".rejected.jsonl"
    }

    // MARK: The result

    private func report(_ result: LoadProgress, took: Duration, _ rejects: RejectSink, _ figures: OfflineFigures?) {
        let seconds = took / .seconds(1)
        if connection.json {
            print(json(result, seconds, figures))
            return
        }
        let rate = Int(Double(result.chunks) / max(seconds, 0.001))
        print("loaded \(result.documents.grouped) documents, \(result.chunks.grouped) chunks in \(seconds.shown(1)) s (\(rate.grouped) chunks/s): \(result.inserted.grouped) new, \(result.replaced.grouped) replaced, \(result.unchanged.grouped) unchanged")
        if result.withoutVector > 0 { print("\(result.withoutVector.counted("chunk")) without a vector: the embedder knows nothing in their text") }
        if result.skipped > 0 { print("\(result.skipped.counted("file")) skipped; see \(rejects.path)") }
        if result.rejected > 0 { print("\(result.rejected.counted("row")) rejected; see \(rejects.path)") }
        if let figures {
            let phases = figures.phases.map { "\($0.name) \($0.seconds.shown(1)) s" }.joined(separator: ", ")
            print("\(phases); the database is \(figures.bytes.bytesShown) on disk in \(figures.segments.counted("segment")) with \(figures.indexes == 1 ? "1 index" : "\(figures.indexes) indexes")")
        }
    }

    private func json(_ result: LoadProgress, _ seconds: Double, _ figures: OfflineFigures?) -> String {
        var line = JSONWriter()
        line.beginObject()
        line.member("documents", result.documents)
        line.member("chunks", result.chunks)
        line.member("inserted", result.inserted)
        line.member("replaced", result.replaced)
        line.member("unchanged", result.unchanged)
        line.member("rejected", result.rejected)
        line.member("skipped", result.skipped)
        line.member("without_vector", result.withoutVector)
        line.member("seq", result.sequence)
        line.key("seconds")
        line.double(seconds)
        if let figures {
            line.key("phase_seconds")
            line.beginObject()
            for phase in figures.phases {
                line.key(named: phase.name)
                line.double(phase.seconds)
            }
            line.endObject()
            line.member("disk_bytes", figures.bytes)
            line.member("segments", figures.segments)
            line.member("indexes", figures.indexes)
        }
        line.endObject()
        return line.text
    }
}

/// The reject file, written to from whichever task meets a bad row.
private final class RejectSink: Sendable {
    let path: String
    private let file: Mutex<RejectFile>

    init(path: String) {
        self.path = path
        file = Mutex(RejectFile(path: path))
    }

    func add(_ rejection: Rejection) throws {
        try file.withLock { try $0.append(rejection) }
    }
}

/// One line on a terminal that tells how far a load has come; silent elsewhere.
private struct ProgressLine {
    private let task: Task<Void, Never>?

    static func start(of loader: Loader, _ phases: LoadPhases) -> ProgressLine {
        guard isatty(STDERR_FILENO) == 1 else { return ProgressLine(task: nil) }
        return ProgressLine(task: Task {
            while !Task.isCancelled {
                do { try await Task.sleep(for: .milliseconds(300)) } catch {
                    // Cancelled: the load is over.
                    break
                }
                printError("\r\u{1B}[K" + text(loader.progress, phases), terminator: "")
            }
            printError("\r\u{1B}[K", terminator: "")
        })
    }

    func stop() async {
        task?.cancel()
        await task?.value
    }

    private static func text(_ progress: LoadProgress, _ phases: LoadPhases) -> String {
        let (phase, took) = phases.current
        let seconds = max(took / .seconds(1), 0.001)
        var text = "\(phase): \(progress.documents.grouped) documents, \(progress.chunks.grouped) chunks"
        guard phase == LoadPhases.first else { return text + ", \(Int(seconds)) s" }
        text += ", \(Int(Double(progress.chunks) / seconds).grouped)/s, \(progress.bytesRead.bytesShown)"
        if let total = progress.bytesTotal, total > 0, progress.bytesRead > 0 {
            let left = Double(total - progress.bytesRead) * seconds / Double(progress.bytesRead)
            text += " of \(total.bytesShown), \(Int(left.rounded(.up))) s left"
        }
        return text
    }
}
