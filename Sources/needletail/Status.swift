// needletail status: whether a daemon runs, what it is, what it holds and how it is doing.
import ArgumentParser
import Wire

struct Status: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show whether a daemon runs, what it is, what it holds and how it is doing.",
        discussion: "With --json: the answers to server.info and to server.stats, a line each.")

    @OptionGroup var connection: ConnectionOptions

    func run() async throws {
        try await connection.ask("server.info") { _ in } show: { root in show(info: root) }
        try await connection.ask("server.stats") { _ in } show: { root in show(stats: root) }
    }

    private func show(info: JSONTree) {
        print("needletail \(info["version"]?.string ?? "") on \(connection.host):\(connection.port), up \(info["uptime_s"]?.int ?? 0) s")
        line("data", info["data"]?.string ?? "")
        line("sequence", info.count("seq"))
        line("collections", info.count("collections"))
        line("workers", info.count("workers"))
        line("kernels", "\(info["kernels"]?.string ?? ""); json \(info["json"]?.string ?? "")")
        line("blas", info["blas"]?.string ?? "")
    }

    private func show(stats: JSONTree) {
        let (storage, memory, maintenance) = (stats["storage"] ?? .null, stats["memory"] ?? .null, stats["maintenance"] ?? .null)
        line("connections", stats.count("connections"))
        line("writes", writes(stats))
        line("in files", "up to sequence \(storage.count("covered_seq")); a start replays \(storage.bytes("uncovered_log_bytes")) of log")
        line("segments", "\(storage.count("segments")) of \(storage.bytes("segment_bytes")), catalogs of \(storage.bytes("catalog_bytes"))")
        line("indexes", "\(storage.count("indexes")) of \(storage.bytes("index_bytes"))")
        line("rows", "\(storage.count("rows")), \(storage.count("dead_rows")) of them deleted")
        line("memory", "\(memory.bytes("head_bytes")) of chunks in no file yet, \(memory.bytes("catalog_bytes")) of catalogs")
        line("snapshots", storage.count("snapshots"))
        line("background", background(maintenance))
        for damage in stats["quarantined"]?.array ?? [] {
            line("DAMAGED", "\(damage["collection"]?.string ?? ""): \(damage.count("segments")) segments with \(damage.count("chunks")) chunks: \(damage["reason"]?.string ?? "")")
        }
        show(operations: stats["operations"]?.object ?? [:])
    }

    private func writes(_ stats: JSONTree) -> String {
        let reserve = stats["reserve"]?.bool == true ? "" : "; no reserve for deletions on a full disk"
        guard let reason = stats["writes_reason"]?.string else { return (stats["writes"]?.string ?? "") + reserve }
        return "\(stats["writes"]?.string ?? ""): \(reason)\(reserve)"
    }

    private func background(_ maintenance: JSONTree) -> String {
        let now = maintenance["job"].map { job in job.jobShown } ?? "nothing to do"
        let failure = maintenance["failure"].map { "; the last try failed: \($0["message"]?.string ?? "")" } ?? ""
        return "\(now), \(maintenance.count("finished")) done\(failure)"
    }

    private func show(operations: [String: JSONTree]) {
        guard !operations.isEmpty else { return }
        print("")
        var table = Table(["operation", "answered", "median us", "p99 us"], alignsRight: [1, 2, 3])
        for (name, operation) in operations.sorted(by: { $0.key < $1.key }) {
            table.add([name, operation.count("count"), operation.count("p50_us"), operation.count("p99_us")])
        }
        table.show()
    }

    private func line(_ name: String, _ text: String) {
        print(name + String(repeating: " ", count: 13 - name.count) + text)
    }
}

extension JSONTree {
    /// A number of things, as people read it.
    func count(_ key: String) -> String { (self[key]?.int ?? 0).grouped }
    func bytes(_ key: String) -> String { (self[key]?.int ?? 0).bytesShown }

    /// compaction of kb: 1,200 of 5,000
    var jobShown: String {
        "\(self["kind"]?.string ?? "")\(self["collection"]?.string.map { " of \($0)" } ?? ""): \(count("done")) of \(count("total"))"
    }
}
