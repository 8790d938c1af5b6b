// needletail load: files of every kind into a collection.
#if canImport(Glibc)
import Engine
import Glibc
#else
import Darwin
#endif
import ArgumentParser
import Client
import Embedding
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

    @Option(help: "Connections to load over.")
    var connections = 2

    @Option(help: "Documents in a batch.")
    var batch = 256

    @Option(help: "Where rejected rows go; PATH.rejected.jsonl by default, in the current folder.")
    var rejects: String?

    @OptionGroup(title: "Daemon") var connection: ConnectionOptions

    func validate() throws {
        guard (1...64).contains(connections) else { throw ValidationError("--connections must be 1 to 64") }
        guard (1...10_000).contains(batch) else { throw ValidationError("--batch must be 1 to 10000") }
    }

    func run() async throws {
        let embedder = embed ? try embedding.make() : nil
        let client = try await connection.connect()
        let declared = try await prepareCollection(client, embedder)
        var clients = [client]
        for _ in 1..<connections { clients.append(try await connection.connect()) }
        let rejects = RejectSink(path: rejects ?? defaultRejectPath)
        let loader = Loader(loadOptions(embedder), clients: clients) { try rejects.add($0) }
        let start = ContinuousClock.now
        let ticker = ProgressLine.start(of: loader, since: start)
        do {
            let result = try await loader.run(try openSource(path, sourceOptions(declared)))
            await ticker.stop()
            for client in clients { try await client.close() }
            try await embedder?.finish()
            report(result, took: ContinuousClock.now - start, rejects)
        } catch {
            await ticker.stop()
            printError("stopped after \(loader.progress.documents.grouped) documents were stored")
            throw error
        }
        if loader.progress.documents == 0, loader.progress.rejected > 0 { throw ExitCode.failure }
    }

    private func loadOptions(_ embedder: (any Embedder)?) -> LoadOptions {
        var options = LoadOptions(collection: collection)
        options.embedder = embedder
        options.batchDocumentsMax = batch
        options.batchesInFlight = 4 * connections
        return options
    }

    // MARK: The collection

    /// The declared fields of the collection, which is created first where that was asked for.
    private func prepareCollection(_ client: Client, _ embedder: (any Embedder)?) async throws -> [String: FieldType] {
        var answer = try await client.send("collection.describe") { $0.string("name", collection) }
        if let failure = answer.failure {
            guard create, failure.code == "unknown_collection" else { throw failure }
            let dimension = try await newDimension(embedder)
            _ = try await client.ask("collection.create") { request in
                shape.write(to: &request, name: collection, dimension: dimension)
            }
            if !connection.json { printError("created \(collection): \(dimension) dimensions, \(shape.metric)") }
            answer = try await client.ask("collection.describe") { $0.string("name", collection) }
        }
        return (answer.root["collection"]?["fields"]?.object ?? [:]).compactMapValues { $0.string.flatMap(FieldType.init(rawValue:)) }
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

    private func report(_ result: LoadProgress, took: Duration, _ rejects: RejectSink) {
        let seconds = took / .seconds(1)
        if connection.json {
            print(
                #"{"documents":\#(result.documents),"chunks":\#(result.chunks),"inserted":\#(result.inserted),"replaced":\#(result.replaced),"unchanged":\#(result.unchanged),"rejected":\#(result.rejected),"skipped":\#(result.skipped),"without_vector":\#(result.withoutVector),"seq":\#(result.sequence),"seconds":\#(seconds.shown(3))}"#)
            return
        }
        let rate = Int(Double(result.chunks) / max(seconds, 0.001))
        print("loaded \(result.documents.grouped) documents, \(result.chunks.grouped) chunks in \(seconds.shown(1)) s (\(rate.grouped) chunks/s): \(result.inserted.grouped) new, \(result.replaced.grouped) replaced, \(result.unchanged.grouped) unchanged")
        if result.withoutVector > 0 { print("\(result.withoutVector.counted("chunk")) without a vector: the embedder knows nothing in their text") }
        if result.skipped > 0 { print("\(result.skipped.counted("file")) skipped; see \(rejects.path)") }
        if result.rejected > 0 { print("\(result.rejected.counted("row")) rejected; see \(rejects.path)") }
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

    static func start(of loader: Loader, since start: ContinuousClock.Instant) -> ProgressLine {
        guard isatty(STDERR_FILENO) == 1 else { return ProgressLine(task: nil) }
        return ProgressLine(task: Task {
            while !Task.isCancelled {
                do { try await Task.sleep(for: .milliseconds(300)) } catch {
                    // Cancelled: the load is over.
                    break
                }
                printError("\r\u{1B}[K" + text(loader.progress, ContinuousClock.now - start), terminator: "")
            }
            printError("\r\u{1B}[K", terminator: "")
        })
    }

    func stop() async {
        task?.cancel()
        await task?.value
    }

    private static func text(_ progress: LoadProgress, _ took: Duration) -> String {
        let seconds = max(took / .seconds(1), 0.001)
        var text = "\(progress.documents.grouped) documents, \(progress.chunks.grouped) chunks, \(Int(Double(progress.chunks) / seconds).grouped)/s, \(progress.bytesRead.bytesShown)"
        if let total = progress.bytesTotal, total > 0, progress.bytesRead > 0 {
            let left = Double(total - progress.bytesRead) * seconds / Double(progress.bytesRead)
            text += " of \(total.bytesShown), \(Int(left.rounded(.up))) s left"
        }
        return text
    }
}
