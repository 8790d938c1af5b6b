// The daemon: flags, then `Server`.
import ArgumentParser
import Server

struct Needletaild: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "needletaild",
        abstract: "Serves a Needletail database over line-delimited JSON on TCP.",
        version: Daemon.version)

    @OptionGroup var options: DaemonOptions

    func run() async throws { try await options.run() }
}

@main
enum Main {
    static func main() async { await Needletaild.runToExit() }
}
