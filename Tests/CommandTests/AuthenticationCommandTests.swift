// Keys from the command line, and the command line with keys.
import Foundation
import Testing
import TestSupport
import Wire

@Suite struct AuthenticationCommandTests {
    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    /// The key and its entry.
    private func key(_ arguments: String...) throws -> (key: String, entry: String) {
        let run = try needletail(["key"] + arguments, in: directory)
        let lines = run.output.split(separator: "\n").map(String.init)
        try #require(run.code == 0 && lines.count == 2, "\(run)")
        return (lines[0], lines[1])
    }

    @Test func `a key lets its owner in, from a file or from the environment, and no one else`() throws {
        let all = try key("--name", "all", "--role", "service", "--role", "admin")
        let reader = try key("--name", "reader", "--role", "reader", "--collection", "kb", "--user", "user:ana")
        #expect(all.key != reader.key && all.key.utf8.count > 64 && !all.entry.contains(all.key))
        let auth = try directory.secretFile("auth.json", #"{"keys":[\#(all.entry),\#(reader.entry)]}"#)
        let daemon = try DaemonProcess(data: directory.file("data"), ["--auth", auth])
        let port = "\(daemon.port)"
        let file = try directory.secretFile("token", all.key + "\n")
        func run(_ arguments: String..., environment: [String: String] = [:]) throws -> CommandRun {
            try needletail(arguments + ["--port", port], in: directory, input: #"{"id":"a","vector":[1,2],"text":"here it is"}"#, environment: environment)
        }
        #expect(try run("create", "kb", "--dim", "2", "--metric", "cosine", "--access", "open", "--token-file", file).code == 0)
        #expect(try run("load", "-", "--collection", "kb", "--token-file", file).code == 0)
        let mine = ["NEEDLETAIL_TOKEN": reader.key]
        #expect(try run("search", "kb", "--vector", "[1,2]", environment: mine).output.contains("here it is"))
        // The file is what was said last and nearest.
        #expect(try run("get", "kb", "a", "--token-file", file, "--as-user", "user:ana", environment: mine).output.contains("here it is"))
        let unknown = try run("get", "kb", "a", "--token-file", file, "--as-user", "user:ana", "--as-agent", "agent:weekly")
        #expect(unknown.code == 1 && unknown.errors.contains("unknown_agent"), "\(unknown)")
        let forbidden = try run("search", "kb", "--vector", "[1,2]", "--as-user", "user:bo", environment: mine)
        #expect(forbidden.code == 1 && forbidden.errors.contains("forbidden"), "\(forbidden)")
        for (token, said) in [("", "unauthenticated"), ("nonsense", "does not let this client in: the token is not valid")] {
            let run = try run("describe", environment: ["NEEDLETAIL_TOKEN": token])
            #expect(run.code == 1 && run.errors.contains(said), "\(run)")
        }
        for (path, said) in [(try directory.secretFile("open", all.key, mode: 0o644), "chmod 600"), (try directory.secretFile("empty", "\n"), "holds no token"), (directory.file("none"), "No such file")] {
            let run = try run("describe", "--token-file", path)
            #expect(run.code == 1 && run.errors.contains(said), "\(run)")
        }
    }

    @Test func `a key that no daemon would take is not made`() throws {
        for arguments in [["--name", "a b", "--role", "reader"], ["--name", "a", "--role", "root"], ["--name", "a", "--role", "reader", "--user", "ana"], ["--name", "a"]] {
            let run = try needletail(["key"] + arguments, in: directory)
            #expect(run.code == 2 && run.output.isEmpty, "\(run)")
        }
    }
}
