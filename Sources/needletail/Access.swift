// needletail access: what is given to whom, who sees a document, what somebody sees, and why.
import ArgumentParser
import Wire

struct Access: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Look after access objects, and see what comes of them.",
        discussion: """
            needletail access put handbook --grant group:company=read --contact people@example.com
            needletail access grant handbook user:ana derive
            needletail access who kb travel-policy
            needletail access explain kb travel-policy --as-user user:ana
            """,
        subcommands: [List.self, Show.self, Put.self, Grant.self, Deny.self, Revoke.self, Drop.self, Who.self, What.self, Explain.self])

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Show access objects, in the order in which they were first named.")

        @OptionGroup var page: PageOptions
        @OptionGroup var connection: ConnectionOptions

        func run() async throws {
            try await connection.ask("access.list") { page.write(to: &$0) } show: { root in
                let objects = root["objects"]?.array ?? []
                if objects.isEmpty { return print("no access objects") }
                var table = Table(["access", "grants", "denials", "inherits", "contact"], alignsRight: [1, 2])
                for object in objects {
                    let (grants, denials) = (object["grants"]?.array.count ?? 0, object["denials"]?.array.count ?? 0)
                    table.add([object["access"]?.string ?? "", grants.grouped, denials.grouped, object["inherits"]?.string ?? "", object["contact"]?.string ?? ""])
                }
                table.show()
                page.showNext(root)
            }
        }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Show what an access object gives to whom.")

        @Argument(help: "The access object.")
        var name: String

        @OptionGroup var connection: ConnectionOptions

        func run() async throws {
            try await connection.ask("access.get") { $0.string("access", name) } show: { root in
                print(root["access"]?.string ?? "")
                if let above = root["inherits"]?.string { print("inherits: \(above)") }
                if let contact = root["contact"]?.string { print("contact: \(contact)") }
                let (grants, denials) = (root["grants"]?.array ?? [], root["denials"]?.array ?? [])
                if grants.isEmpty && denials.isEmpty { return print("nothing for anybody") }
                var table = Table(["principal", "grade"])
                for grant in grants { table.add([grant["principal"]?.string ?? "", grant["grade"]?.string ?? ""]) }
                for principal in denials { table.add([principal.string ?? "", "denied"]) }
                table.show()
            }
        }
    }

    struct Put: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Make an access object, or put it in the place of what it was.")

        @Argument(help: "The access object.")
        var name: String

        @Option(name: .customLong("grant"), help: "PRINCIPAL=GRADE; GRADE is exists, derive or read. Again for more.")
        var grants: [GivenGrade] = []

        @Option(name: .customLong("deny"), help: "A principal that is denied. Again for more.")
        var denials: [String] = []

        @Option(help: "The object whose grants and denials hold here too.")
        var inherits: String?

        @Option(help: "Whom to ask, for those who may know that something exists and no more.")
        var contact: String?

        @OptionGroup var connection: ConnectionOptions

        func run() async throws {
            try await connection.ask("access.put") { request in
                request.string("access", name)
                var list = JSONWriter()
                list.beginArray()
                for grant in grants {
                    list.beginObject()
                    list.member("principal", grant.principal)
                    list.member("grade", grant.grade)
                    list.endObject()
                }
                list.endArray()
                try request.verbatim("grants", list.text)
                request.strings("denials", denials)
                request.string("inherits", inherits)
                request.string("contact", contact)
            } show: { root in
                root.showInForce("put \(name): \(grants.count.counted("grant")), \(denials.count.counted("denial"))")
            }
        }
    }

    struct Grant: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Give somebody a grade in an access object.")

        @OptionGroup var entry: EntryArguments

        @Argument(help: "exists, derive or read.")
        var grade: String

        @OptionGroup var connection: ConnectionOptions

        func run() async throws {
            try await connection.ask("access.grant") { request in
                entry.write(to: &request)
                request.string("grade", grade)
            } show: { root in root.showInForce("\(entry.principal) has \(grade) in \(entry.name)") }
        }
    }

    struct Deny: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Deny somebody in an access object, whatever is granted.")

        @OptionGroup var entry: EntryArguments
        @OptionGroup var connection: ConnectionOptions

        func run() async throws {
            try await connection.ask("access.deny") { entry.write(to: &$0) } show: { root in root.showInForce("\(entry.principal) is denied in \(entry.name)") }
        }
    }

    struct Revoke: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Take out what an access object says of somebody, grant or denial.")

        @OptionGroup var entry: EntryArguments
        @OptionGroup var connection: ConnectionOptions

        func run() async throws {
            try await connection.ask("access.revoke") { entry.write(to: &$0) } show: { root in root.showInForce("\(entry.name) says nothing of \(entry.principal)") }
        }
    }

    struct Drop: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Forget an access object: what refers to it is nobody's.")

        @Argument(help: "The access object.")
        var name: String

        @OptionGroup var connection: ConnectionOptions

        func run() async throws {
            try await connection.ask("access.drop") { $0.string("access", name) } show: { root in root.showInForce("dropped \(name)") }
        }
    }

    struct Who: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Show who may know something of a document.")

        @OptionGroup var document: DocumentArguments
        @OptionGroup var page: PageOptions
        @OptionGroup var connection: ConnectionOptions

        func run() async throws {
            try await connection.ask("access.readers") { request in
                document.write(to: &request)
                page.write(to: &request)
            } show: { root in
                var table = Table(["who", "grade"])
                table.add(["public", root["public"]?.string ?? ""])
                for user in root["users"]?.array ?? [] { table.add([user["user"]?.string ?? "", user["grade"]?.string ?? ""]) }
                table.show()
                page.showNext(root)
            }
        }
    }
}

/// A grade and to whom it is given.
struct GivenGrade: ExpressibleByArgument {
    let principal: String
    let grade: String

    /// The last `=` counts: names may have some.
    init?(argument: String) {
        guard let place = argument.lastIndex(of: "=") else { return nil }
        principal = String(argument[..<place])
        grade = String(argument[argument.index(after: place)...])
    }
}

/// One principal in one access object.
struct EntryArguments: ParsableArguments {
    @Argument(help: "The access object.")
    var name: String

    @Argument(help: "user:NAME, group:NAME, agent:NAME or public.")
    var principal: String

    func write(to request: inout RequestWriter) {
        request.string("access", name)
        request.string("principal", principal)
    }
}

struct DocumentArguments: ParsableArguments {
    @Argument(help: "The collection.")
    var collection: String

    @Argument(help: "The id of a document or folder.")
    var document: String

    func write(to request: inout RequestWriter) {
        request.string("collection", collection)
        request.string("document", document)
    }
}

/// A page of names.
struct PageOptions: ParsableArguments {
    @Option(help: "The last name of the page before.")
    var after: String?

    @Option(help: "How many.")
    var limit = 100

    func write(to request: inout RequestWriter) {
        request.string("after", after)
        request.int("limit", limit)
    }

    func showNext(_ root: JSONTree) {
        if let next = root["next"]?.string { print("there are more: --after \(next)") }
    }
}

extension JSONTree {
    /// What has been changed, and from when on.
    func showInForce(_ text: String) { print("\(text), from sequence \(count("seq")) on") }
}
