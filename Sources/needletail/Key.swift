// needletail key.
import ArgumentParser
import Server

struct Key: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Make a key to say hello with.",
        discussion: """
            Prints the key, which is kept nowhere, and the entry that lets its owner in: that holds no secret, and belongs into "keys" of \
            the file that the daemon is started with (--auth).

            needletail key --name front --role service --collection kb
            """)

    @Option(help: "What the key is called in answers and logs.")
    var name: String

    @Option(help: "What it is good for: service, writer, reader or admin. Again for more.")
    var role: [String]

    @Option(help: "Only for this collection. Again for more. (default: all)")
    var collection: [String] = []

    @Option(help: "Whoever has it is this person: user:NAME.")
    var user: String?

    @Option(help: "Whoever has it is this agent: agent:NAME.")
    var agent: String?

    func run() throws {
        let made: NewKey
        do { made = try NewKey(name: name, roles: role, collections: collection.isEmpty ? nil : collection, user: user, agent: agent) } catch {
            throw ValidationError("the daemon would not take this key: \(error)")
        }
        print(made.key)
        print(made.entry)
        printError("The first line is the key, shown this once. The second is for \"keys\" in the daemon's --auth file.")
    }
}
