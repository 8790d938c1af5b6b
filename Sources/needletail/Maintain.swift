// needletail flush, optimize, jobs, snapshot.
import ArgumentParser
import Wire

struct Flush: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Bring everything into files, so that a start has nothing to replay.")

    @OptionGroup var connection: ConnectionOptions

    func run() async throws {
        try await connection.ask("flush") { _ in } show: { root in print("in files up to sequence \(root.count("seq"))") }
    }
}

struct Optimize: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Make collections as few segments as may be, and wait for it.")

    @Option(help: "One collection; all of them by default.")
    var collection: String?

    @OptionGroup var connection: ConnectionOptions

    func run() async throws {
        try await connection.ask("optimize") { $0.string("collection", collection) } show: { root in
            print("optimized, in files up to sequence \(root.count("seq"))")
        }
    }
}

struct Jobs: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Show the background work under way.")

    @OptionGroup var connection: ConnectionOptions

    func run() async throws {
        try await connection.ask("jobs") { _ in } show: { root in
            for job in root["jobs"]?.array ?? [] { print(job.jobShown) }
            print("\(root.count("finished")) done since the start")
        }
    }
}

struct Snapshot: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Keep states of the whole database under names.", subcommands: [Create.self, List.self, Drop.self])

    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Keep what is in force now; instant, whatever its size.")

        @Argument(help: "The snapshot's name.")
        var name: String

        @OptionGroup var connection: ConnectionOptions

        func run() async throws {
            try await connection.ask("snapshot.create") { $0.string("name", name) } show: { root in
                print("created \(name) at sequence \(root.count("seq")): \((root["files"]?.int ?? 0).counted("file")), \(root.bytes("bytes"))")
            }
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Show the snapshots, oldest first.")

        @OptionGroup var connection: ConnectionOptions

        func run() async throws {
            try await connection.ask("snapshot.list") { _ in } show: { root in
                var table = Table(["snapshot", "created", "sequence", "files", "bytes"], alignsRight: [2, 3, 4])
                for snapshot in root["snapshots"]?.array ?? [] {
                    table.add([
                        snapshot["name"]?.string ?? "", snapshot["created"]?.string ?? "", snapshot.count("seq"), snapshot.count("files"),
                        snapshot.bytes("bytes"),
                    ])
                }
                table.show()
            }
        }
    }

    struct Drop: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Give a snapshot up.")

        @Argument(help: "The snapshot's name.")
        var name: String

        @OptionGroup var connection: ConnectionOptions

        func run() async throws {
            try await connection.ask("snapshot.drop") { $0.string("name", name) } show: { _ in print("dropped \(name)") }
        }
    }
}
