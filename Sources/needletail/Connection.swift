// What every command that speaks to a daemon shares: where it is, and how answers are shown.
import ArgumentParser
import Client
import Foundation
import Storage
import Wire

struct ConnectionOptions: ParsableArguments {
    @Option(name: .customLong("host"), help: ArgumentHelp("Where the daemon listens. (default: \(defaultHost))", valueName: "host"))
    var givenHost: String?

    @Option(name: .customLong("port"), help: ArgumentHelp("The daemon's port. (default: \(defaultPort))", valueName: "port"))
    var givenPort: Int?

    @Option(help: ArgumentHelp("A file that holds the token to say hello with. (default: the variable NEEDLETAIL_TOKEN)", valueName: "file"))
    var tokenFile: String?

    @Flag(help: "Print the daemon's answer as it is, one JSON object a line.")
    var json = false

    private static let defaultHost = "127.0.0.1"
    private static let defaultPort = 7621
    var host: String { givenHost ?? Self.defaultHost }
    var port: Int { givenPort ?? Self.defaultPort }
    /// Whether a daemon was named, be it the one there would be anyway.
    var isGiven: Bool { givenHost != nil || givenPort != nil }

    func connect() async throws -> Client { try await Client.connect(host: host, port: port, token: try token()) }

    /// Never an argument: those are seen by everybody on the machine.
    private func token() throws -> String? {
        guard let tokenFile else { return Token.fromEnvironment }
        let text: String
        do { text = String(decoding: try SecretFile.read(tokenFile), as: UTF8.self) } catch { throw CommandFailure(description: error.description) }
        guard let token = Token(text) else { throw CommandFailure(description: "\(tokenFile) holds no token") }
        return token.text
    }

    /// Asks once; with `--json` the answer is printed, whatever it says, and otherwise shown by `show`.
    func ask(_ op: StaticString, _ members: (inout RequestWriter) throws -> Void = { _ in }, show: (JSONTree) -> Void) async throws {
        let client = try await connect()
        let answer = try await client.send(op, members)
        try await client.close()
        if json { print(answer.text) }
        if let failure = answer.failure {
            if json { throw ExitCode.failure }
            throw failure
        }
        if !json { show(answer.root) }
    }
}

/// What a connection says who it is with.
struct Token {
    let text: String

    /// Nil for nothing but space. The newline that editors leave belongs to the file.
    init?(_ text: String) {
        self.text = text.trimmingCharacters(in: .whitespacesAndNewlines)
        if self.text.isEmpty { return nil }
    }

    static var fromEnvironment: String? { ProcessInfo.processInfo.environment["NEEDLETAIL_TOKEN"].flatMap(Token.init)?.text }
}

/// On whose behalf a command reads.
struct CallerOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Read as this person: user:NAME. Takes a token with the role service.", valueName: "user"))
    var asUser: String?

    @Option(help: ArgumentHelp("Read as this agent, or as it for the person: agent:NAME.", valueName: "agent"))
    var asAgent: String?

    func write(to request: inout RequestWriter) {
        request.object("as", [("user", asUser), ("agent", asAgent)].compactMap { name, value in value.map { (name, $0) } })
    }
}

/// Why a command did not do what it was asked to, for the person who asked.
struct CommandFailure: Error, CustomStringConvertible {
    var description: String
}

/// Columns as wide as their widest cell; numbers to the right.
struct Table {
    private var rows: [[String]]
    private let alignsRight: Set<Int>

    init(_ header: [String], alignsRight: Set<Int> = []) {
        rows = [header]
        self.alignsRight = alignsRight
    }

    mutating func add(_ cells: [String]) { rows.append(cells) }

    func show() {
        let widths = rows[0].indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
        for row in rows {
            let cells = row.enumerated().map { column, cell in
                let space = String(repeating: " ", count: widths[column] - cell.count)
                return alignsRight.contains(column) ? space + cell : cell + space
            }
            print(cells.joined(separator: "  ").trimmedEnd)
        }
    }
}

extension String {
    var trimmedEnd: String {
        var text = self[...]
        while text.last == " " { text.removeLast() }
        return String(text)
    }
}

extension BinaryInteger {
    /// 1234567 as 1,234,567.
    var grouped: String {
        let digits = String(magnitude)
        var result = ""
        for (index, digit) in digits.enumerated() {
            if index > 0, (digits.count - index) % 3 == 0 { result.append(",") }
            result.append(digit)
        }
        return (self < 0 ? "-" : "") + result
    }

    /// 1 row, 2 rows.
    func counted(_ noun: String) -> String { "\(grouped) \(noun)\(self == 1 ? "" : "s")" }

    /// Bytes as people read them: 1.5 MB.
    var bytesShown: String {
        var value = Double(self)
        for unit in ["B", "kB", "MB", "GB"] {
            if value < 1000 { return unit == "B" ? "\(self) B" : "\(value.shown(1)) \(unit)" }
            value /= 1000
        }
        return "\(value.shown(1)) TB"
    }
}

extension Double {
    /// With so many digits behind the point.
    func shown(_ digits: Int) -> String {
        var scale = 1.0
        for _ in 0..<digits { scale *= 10 }
        let scaled = Int((magnitude * scale).rounded())
        let whole = "\(scaled / Int(scale))"
        guard digits > 0 else { return (self < 0 ? "-" : "") + whole }
        let fraction = String(scaled % Int(scale))
        return (self < 0 ? "-" : "") + whole + "." + String(repeating: "0", count: digits - fraction.count) + fraction
    }
}
