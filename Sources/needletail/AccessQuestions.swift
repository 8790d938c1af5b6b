// needletail access what, explain: what comes of rights for somebody.
import ArgumentParser
import Wire

/// Who is asked about.
struct SubjectOptions: ParsableArguments {
    @Option(help: ArgumentHelp("This person: user:NAME.", valueName: "user"))
    var asUser: String?

    @Option(help: ArgumentHelp("This agent, or it for the person: agent:NAME.", valueName: "agent"))
    var asAgent: String?

    func validate() throws {
        guard asUser != nil || asAgent != nil else { throw ValidationError("say for whom: --as-user, --as-agent or both") }
    }

    /// user:ana, agent:weekly, or agent:weekly for user:ana
    var shown: String { [asAgent, asUser].compactMap { $0 }.joined(separator: " for ") }
}

extension Access {
    struct What: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show what somebody sees of a collection: how much, and the newest documents.",
            discussion: "Asks as them, so it takes a token with the role service. With --json: the answers to count and to list, a line each.")

        @Argument(help: "The collection.")
        var collection: String

        @Option(help: "How many documents are shown.")
        var limit = 20

        @OptionGroup var subject: SubjectOptions
        @OptionGroup var connection: ConnectionOptions

        func run() async throws {
            try await connection.ask("count") { request in begin(&request) } show: { root in
                print("\(subject.shown) sees \((root["documents"]?.int ?? 0).counted("document")), \((root["chunks"]?.int ?? 0).counted("chunk"))")
            }
            try await connection.ask("list") { request in
                begin(&request)
                request.int("limit", limit)
                request.strings("with", ["title", "time"])
            } show: { root in
                let documents = root["documents"]?.array ?? []
                if documents.isEmpty { return }
                // No grade where nobody's rights are asked: all may be read.
                var table = Table(["id", "title", "time", "grade"])
                for document in documents {
                    table.add([
                        document["id"]?.string ?? "", (document["title"]?.string ?? "").firstWords(bytesMax: 60), document["time"]?.string ?? "",
                        document["grade"]?.string ?? "read",
                    ])
                }
                table.show()
            }
        }

        private func begin(_ request: inout RequestWriter) {
            request.string("collection", collection)
            request.object("as", [("user", subject.asUser), ("agent", subject.asAgent)].compactMap { name, value in value.map { (name, $0) } })
        }
    }

    struct Explain: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Show why somebody may see a document, or not.")

        @OptionGroup var document: DocumentArguments
        @OptionGroup var subject: SubjectOptions

        @Option(help: "One of its chunks, by its own number.")
        var chunk: Int?

        @OptionGroup var connection: ConnectionOptions

        func run() async throws {
            try await connection.ask("access.explain") { request in
                document.write(to: &request)
                request.int("chunk", chunk)
                request.string("user", subject.asUser)
                request.string("agent", subject.asAgent)
            } show: { root in show(root) }
        }

        private func show(_ root: JSONTree) {
            print("\(subject.shown): \(root["grade"]?.string ?? "")")
            print("because \(root["reason"]?.string ?? "")\n")
            var path = Table(["node", "access"])
            for node in root["nodes"]?.array ?? [] { path.add([node["id"]?.string ?? "", node["access"]?.string ?? ""]) }
            path.show()
            show(objects: root["objects"]?.array ?? [], "access")
            show(objects: root["chunk_objects"]?.array ?? [], "access of the chunk")
            guard let agent = root["agent"] else { return }
            print("\nby rights \(root["granted"]?.string ?? ""); \(agent["agent"]?.string ?? "") may know \(agent["grade"]?.string ?? "") at most, and this is \(agent["in_scope"]?.bool == true ? "in" : "outside of") its scope")
        }

        /// What each says of the subject, the one that guards first, then those that it inherits from.
        private func show(objects: [JSONTree], _ title: String) {
            if objects.isEmpty { return }
            print("")
            var table = Table([title, "principal", "grade", "by way of"])
            for object in objects {
                let name = object["access"]?.string ?? ""
                let matches = object["matches"]?.array ?? []
                if object["exists"]?.bool == false {
                    table.add([name, "", "not there: denied", ""])
                } else if matches.isEmpty {
                    table.add([name, "", "nothing", ""])
                }
                for match in matches {
                    let via = (match["via"]?.array ?? []).compactMap(\.string).joined(separator: " in ")
                    table.add([name, match["principal"]?.string ?? "", match["grade"]?.string ?? "", via])
                }
            }
            table.show()
        }
    }
}
