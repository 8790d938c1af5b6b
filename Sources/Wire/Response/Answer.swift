// Answers as a client reads them: an owned tree, for the places where ease matters more than speed.
import Memory

/// One line from the daemon.
package struct Answer: Sendable {
    /// The line as it came, without its newline.
    package let line: [UInt8]
    package let root: JSONTree

    package init(line: [UInt8]) throws(JSONError) {
        self.line = line
        var parser = JSONParser(bytesMax: WireLimits.answerBytesMax * 2, depthMax: 1024)
        // Sound: bytes have no invalid pattern.
        root = try JSONTree(try parser.parse(unsafe line.span.bytes))
    }

    package var id: Int? { root["id"]?.int }
    package var text: String { String(decoding: line, as: UTF8.self) }

    /// What went wrong, where something did.
    package var failure: WireError? {
        guard root["ok"]?.bool != true else { return nil }
        let error = root["error"]
        return WireError(
            code: error?["code"]?.string ?? "bad_answer", message: error?["message"]?.string ?? "the answer says neither ok nor why not",
            field: error?["field"]?.string, retry: error?["retry"]?.string ?? "never")
    }
}

/// A JSON value that owns all it holds.
package enum JSONTree: Hashable, Sendable {
    case object([String: JSONTree])
    case array([JSONTree])
    case string(String)
    case integer(Int)
    case number(Double)
    case bool(Bool)
    case null

    /// A whole document in bytes, within bounds.
    package init(parsing bytes: [UInt8], depthMax: Int = WireLimits.depthMax) throws(JSONError) {
        var parser = JSONParser(bytesMax: WireLimits.lineBytesMax, depthMax: depthMax)
        // Sound: bytes have no invalid pattern.
        try self.init(try parser.parse(unsafe bytes.span.bytes))
    }

    package init(_ value: borrowing JSONValue) throws(JSONError) {
        if var members = value.members {
            var object: [String: JSONTree] = [:]
            while let member = try members.next() { object[member.key] = try JSONTree(member.value) }
            self = .object(object)
        } else if var elements = value.elements {
            var array: [JSONTree] = []
            while let element = elements.next() { array.append(try JSONTree(element)) }
            self = .array(array)
        } else if let string = value.string {
            self = .string(string)
        } else if let int = value.int {
            self = .integer(Int(int))
        } else if let double = value.double {
            self = .number(double)
        } else if let bool = value.bool {
            self = .bool(bool)
        } else {
            self = .null
        }
    }

    package subscript(key: String) -> JSONTree? {
        if case .object(let members) = self { members[key] } else { nil }
    }

    package var array: [JSONTree] { if case .array(let elements) = self { elements } else { [] } }
    package var object: [String: JSONTree] { if case .object(let members) = self { members } else { [:] } }
    package var string: String? { if case .string(let text) = self { text } else { nil } }
    package var int: Int? { if case .integer(let number) = self { number } else { nil } }
    package var bool: Bool? { if case .bool(let flag) = self { flag } else { nil } }
    package var double: Double? {
        switch self {
        case .integer(let number): Double(number)
        case .number(let number): number
        default: nil
        }
    }
}
