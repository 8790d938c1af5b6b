// What every test of the daemon begins with: an empty database, and somebody serving it.
import Testing
import TestSupport
import Wire

/// A daemon on a directory of its own, which outlives it: it can be stopped, killed and started again.
final class ServedDatabase {
    private let directory: TemporaryDirectory
    private let arguments: [String]
    private(set) var daemon: DaemonProcess

    init(_ arguments: [String] = []) throws {
        directory = try TemporaryDirectory()
        self.arguments = arguments
        daemon = try DaemonProcess(data: directory.file("db"), arguments)
    }

    var path: String { directory.file("db") }

    /// Starts a daemon again where one has ended.
    func start() throws { daemon = try DaemonProcess(data: path, arguments) }
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
