// needletail group: who is in which.
import ArgumentParser
import Wire

struct Group: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Look after groups.", discussion: "needletail group add group:eng user:ana group:contractors", subcommands: [Show.self, Add.self, Remove.self])

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Show a group's direct members, and the groups that it is directly in itself.")

        @Argument(help: "group:NAME")
        var group: String

        @OptionGroup var connection: ConnectionOptions

        func run() async throws {
            try await connection.ask("group.get") { $0.string("group", group) } show: { root in
                let (members, groups) = (root["members"]?.array ?? [], root["groups"]?.array ?? [])
                print("\(group): \(members.count.counted("member"))")
                for member in members { print("  \(member.string ?? "")") }
                for group in groups { print("in \(group.string ?? "")") }
            }
        }
    }

    struct Add: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Add members to a group, which comes to be where it is not there.")

        @OptionGroup var members: MemberArguments
        @OptionGroup var connection: ConnectionOptions

        func run() async throws {
            try await connection.ask("group.add") { members.write(to: &$0) } show: { root in root.showInForce("\(members.shown) in \(members.group)") }
        }
    }

    struct Remove: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Take members out of a group.")

        @OptionGroup var members: MemberArguments
        @OptionGroup var connection: ConnectionOptions

        func run() async throws {
            try await connection.ask("group.remove") { members.write(to: &$0) } show: { root in root.showInForce("\(members.shown) not in \(members.group)") }
        }
    }
}

struct MemberArguments: ParsableArguments {
    @Argument(help: "group:NAME")
    var group: String

    @Argument(help: "user:NAME, group:NAME or agent:NAME, one or more.")
    var members: [String]

    func write(to request: inout RequestWriter) {
        request.string("group", group)
        request.strings("members", members)
    }

    var shown: String { members.joined(separator: ", ") }
}
