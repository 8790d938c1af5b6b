// The command line: serve, load, create, describe, search, get, list, and what whoever runs a daemon needs.
import ArgumentParser
import Server

struct Needletail: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "needletail",
        abstract: "A retrieval engine for AI agents: serve a database, load it, ask it.",
        version: Daemon.version,
        subcommands: [
            Serve.self, Load.self, Create.self, Describe.self, Search.self, Get.self, ListDocuments.self, Nodes.self, Facet.self, Count.self, Status.self, Flush.self,
            Optimize.self, Jobs.self, Access.self, Group.self,
            Snapshot.self, RestoreArchive.self, Verify.self, AuditCommand.self, Inspect.self, Key.self, Bench.self,
        ])
}

@main
enum Main {
    static func main() async { await Needletail.runToExit() }
}

struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Run the daemon, as needletaild does.")

    @OptionGroup var options: DaemonOptions

    func run() async throws { try await options.run() }
}
