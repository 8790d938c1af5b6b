// Rights from the command line: given, taken, asked about and explained.
import Foundation
import Testing
import TestSupport
import Wire

@Suite struct AccessCommandTests {
    private let directory: TemporaryDirectory
    private let daemon: DaemonProcess

    init() throws {
        directory = try TemporaryDirectory()
        daemon = try DaemonProcess(data: directory.file("data"))
    }

    private func run(_ arguments: String...) throws -> CommandRun { try needletail(arguments + ["--port", "\(daemon.port)"], in: directory) }

    /// What it printed, of a run that went well.
    private func output(_ arguments: String...) throws -> String {
        let run = try needletail(arguments + ["--port", "\(daemon.port)"], in: directory)
        #expect(run.code == 0, "\(arguments): \(run.errors)")
        return run.output
    }

    /// A folder that guards what is in it, a document that guards itself with a chunk that narrows, and who there is.
    private func company() throws {
        #expect(try output("create", "kb", "--dim", "2", "--access", "enforced", "--default-access", "everybody") == "created kb: 2 dimensions, cosine, enforced\n")
        #expect(try output("group", "add", "group:eng", "user:ana", "user:bo") == "user:ana, user:bo in group:eng, from sequence 2 on\n")
        #expect(try output("group", "add", "group:company", "group:eng").hasPrefix("group:eng in group:company"))
        #expect(try output("access", "put", "everybody", "--grant", "public=exists") == "put everybody: 1 grant, 0 denials, from sequence 4 on\n")
        #expect(try output("access", "put", "handbook", "--grant", "group:company=read", "--inherits", "everybody", "--contact", "people@example.com").hasPrefix("put handbook"))
        #expect(try output("access", "put", "salaries").hasPrefix("put salaries: 0 grants"))
        let connection = try daemon.connect()
        _ = try connection.ask(#"{"id":1,"op":"agent.put","agent":"agent:weekly","grade":"derive","scope":{"$under":["hb"]}}"#)
        _ = try connection.ask(
            #"{"id":2,"op":"upsert","collection":"kb","documents":[{"id":"hb","kind":"folder","access":"handbook"},{"id":"travel","parent":"hb","title":"Travel","chunks":[{"text":"economy","vector":[1,0]},{"text":"except for some","vector":[1,1],"access":"salaries"}]},{"id":"notes","title":"Notes","chunks":[{"text":"n","vector":[0,1]}]}]}"#)
    }

    @Test func `what is granted, denied and revoked is what somebody sees next`() throws {
        try company()
        func seen(_ user: String) throws -> String { try output("access", "what", "kb", "--as-user", user) }
        #expect(try seen("user:ana").hasPrefix("user:ana sees 1 document, 1 chunk\n"))
        #expect(try seen("user:ana").contains("travel  Travel        read"))
        #expect(try seen("user:eve") == "user:eve sees 0 documents, 0 chunks\n")
        #expect(try output("access", "deny", "handbook", "user:bo").hasPrefix("user:bo is denied in handbook, from sequence "))
        #expect(try seen("user:bo").hasPrefix("user:bo sees 0 documents"))
        #expect(try output("access", "who", "kb", "travel") == "who       grade\npublic    exists\nuser:ana  read\n")
        #expect(try output("access", "revoke", "handbook", "user:bo").hasPrefix("handbook says nothing of user:bo"))
        #expect(try seen("user:bo").hasPrefix("user:bo sees 1 document"))
        #expect(try output("access", "grant", "salaries", "user:bo", "read").hasPrefix("user:bo has read in salaries"))
        #expect(try seen("user:bo").hasPrefix("user:bo sees 1 document, 2 chunks"))
        #expect(try output("group", "remove", "group:eng", "user:bo").hasPrefix("user:bo not in group:eng"))
        #expect(try seen("user:bo").hasPrefix("user:bo sees 0 documents"))
        #expect(try output("group", "show", "group:eng") == "group:eng: 1 member\n  user:ana\nin group:company\n")
        let weekly = try output("access", "what", "kb", "--as-user", "user:ana", "--as-agent", "agent:weekly")
        #expect(weekly.hasPrefix("agent:weekly for user:ana sees 1 document") && weekly.contains("derive"))
        #expect(try output("access", "drop", "handbook").hasPrefix("dropped handbook"))
        #expect(try seen("user:ana").hasPrefix("user:ana sees 0 documents"))
    }

    @Test func `access objects are listed page by page and shown`() throws {
        try company()
        #expect(try output("access", "show", "handbook") == "handbook\ninherits: everybody\ncontact: people@example.com\nprincipal      grade\ngroup:company  read\n")
        #expect(try output("access", "deny", "everybody", "user:eve").hasPrefix("user:eve is denied"))
        #expect(try output("access", "show", "everybody") == "everybody\nprincipal  grade\npublic     exists\nuser:eve   denied\n")
        #expect(try output("access", "show", "salaries") == "salaries\nnothing for anybody\n")
        let first = try output("access", "list", "--limit", "2")
        #expect(first.contains("everybody       1        1") && first.hasSuffix("there are more: --after handbook\n"), "\(first)")
        let rest = try output("access", "list", "--after", "handbook")
        #expect(rest.contains("salaries") && !rest.contains("handbook") && !rest.contains("there are more"))
        #expect(try run("access", "list", "--json").json()["objects"]?.array.compactMap { $0["access"]?.string } == ["everybody", "handbook", "salaries"])
    }

    @Test func `an explanation leads from the document to the grant`() throws {
        try company()
        let explained = try output("access", "explain", "kb", "travel", "--as-user", "user:ana")
        #expect(explained.hasPrefix("user:ana: read\nbecause "))
        for line in ["travel\n", "hb      handbook\n", "handbook   group:company  read    user:ana in group:eng in group:company\n", "everybody  public         exists  public\n"] {
            #expect(explained.contains(line), "\(line) in \(explained)")
        }
        let chunk = try output("access", "explain", "kb", "travel", "--as-user", "user:ana", "--chunk", "1")
        #expect(chunk.hasPrefix("user:ana: none\n") && chunk.contains("access of the chunk") && chunk.contains("nothing"), "\(chunk)")
        let agent = try output("access", "explain", "kb", "notes", "--as-user", "user:ana", "--as-agent", "agent:weekly")
        #expect(agent.hasPrefix("agent:weekly for user:ana: none\n") && agent.hasSuffix("agent:weekly may know derive at most, and this is outside of its scope\n"), "\(agent)")
        #expect(try output("access", "drop", "everybody").hasPrefix("dropped"))
        #expect(try output("access", "explain", "kb", "travel", "--as-user", "user:ana").contains("not there: denied"))
        #expect(try run("access", "explain", "kb", "travel", "--as-user", "user:ana", "--json").json()["grade"]?.string == "none")
    }

    @Test func `what cannot be is refused with a word on it`() throws {
        try company()
        #expect(try run("access", "explain", "kb", "travel").code != 0)
        for (arguments, said) in [
            (["grant", "nothing", "user:ana", "read"], "not_found"), (["grant", "handbook", "ana", "read"], "invalid_value"),
            (["grant", "handbook", "user:ana", "write"], "invalid_value"), (["who", "kb", "nothing"], "not_found"),
            (["what", "kb", "--as-agent", "agent:nobody"], "unknown_agent"), (["put", "handbook", "--inherits", "handbook"], "invalid_value"),
        ] {
            let run = try needletail(["access"] + arguments + ["--port", "\(daemon.port)"], in: directory)
            #expect(run.code == 1 && run.errors.contains(said), "\(arguments): \(run)")
        }
        let circle = try run("group", "add", "group:eng", "group:company")
        #expect(circle.code == 1 && circle.errors.contains("member of itself"), "\(circle)")
        let open = try run("create", "other", "--dim", "2", "--access", "open", "--default-access", "everybody")
        #expect(open.code == 1 && open.errors.contains("default_access"), "\(open)")
        let unnamed = try run("count", "kb")
        #expect(unnamed.code == 1 && unnamed.errors.contains("caller_required"), "\(unnamed)")
    }
}
