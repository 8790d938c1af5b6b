// What every test of the daemon begins with: an empty database, and somebody serving it.
import Testing
import TestSupport
import Wire

/// A daemon on a directory of its own, which outlives it: it can be stopped, killed and started again.
final class ServedDatabase {
    let directory: TemporaryDirectory
    let path: String
    private let arguments: [String]
    private(set) var daemon: DaemonProcess

    convenience init(_ arguments: [String] = [], environment: [String: String] = [:]) throws {
        let directory = try TemporaryDirectory()
        try self.init(at: directory.file("db"), in: directory, arguments, environment: environment)
    }

    /// Serves those alone whom the configuration, given as JSON, lets in.
    convenience init(authentication: String, _ arguments: [String] = []) throws {
        let directory = try TemporaryDirectory()
        try self.init(at: directory.file("db"), in: directory, ["--auth", try directory.secretFile("auth.json", authentication)] + arguments)
    }

    /// `directory` is what `path` goes with.
    init(at path: String, in directory: TemporaryDirectory, _ arguments: [String] = [], environment: [String: String] = [:]) throws {
        self.directory = directory
        self.path = path
        self.arguments = arguments
        daemon = try DaemonProcess(data: path, arguments, environment: environment)
    }

    /// Starts a daemon again where one has ended.
    func start(environment: [String: String] = [:]) throws {
        daemon = try DaemonProcess(data: path, arguments, environment: environment)
    }
}

extension LineConnection {
    /// The next answer.
    func receive() throws -> Answer {
        guard let line = try receiveLine() else { throw ConversationError(description: "the daemon closed the connection") }
        return try Answer(line: Array(line.utf8))
    }

    func answer(_ request: String) throws -> Answer {
        try sendLine(request)
        return try receive()
    }

    /// The answer to a request that must succeed.
    @discardableResult
    func ok(_ request: String) throws -> Answer {
        let answer = try answer(request)
        if let failure = answer.failure { throw failure }
        return answer
    }

    /// What is wrong with a request that must not succeed.
    func failure(_ request: String) throws -> WireError {
        let answer = try answer(request)
        guard let failure = answer.failure else { throw ConversationError(description: "answered: \(answer.text)") }
        return failure
    }
}

struct ConversationError: Error, CustomStringConvertible {
    var description: String
}
