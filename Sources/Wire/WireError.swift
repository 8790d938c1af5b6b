// What an answer says when a request cannot be served.
package import Engine

/// One error on one request. Codes are stable; messages are for people.
package struct WireError: Error, Equatable, Sendable, CustomStringConvertible {
    package var code: String
    package var message: String
    /// The part of the request it is about: `records[3].vector`.
    package var field: String?
    /// `never`, `later` or `after_fix`: whether the same request may succeed another time.
    package var retry: String

    package init(code: String, message: String, field: String? = nil, retry: String = "after_fix") {
        self.code = code
        self.message = message
        self.field = field
        self.retry = retry
    }

    package init(_ error: EngineError) {
        self.init(code: error.code.rawValue, message: error.message, field: error.field, retry: error.retry.rawValue)
    }

    package var description: String { field.map { "\(code) (\($0)): \(message)" } ?? "\(code): \(message)" }

    /// `place` is the object that was being read, as a path; empty for the request itself.
    static func badJSON(_ error: JSONError, in place: String = "") -> WireError {
        guard let key = error.field else { return WireError(code: "bad_json", message: error.description) }
        return WireError(code: "duplicate_key", message: error.description, field: place.isEmpty ? key : "\(place).\(key)")
    }

    static func missing(_ field: String, _ op: String) -> WireError {
        WireError(code: "missing_field", message: "\(op) needs \"\(field)\"", field: field)
    }

    /// `path` says where in the request the key stands, where that is not its top.
    static func unknown(_ key: String, in place: String, path: String? = nil) -> WireError {
        WireError(code: "unknown_field", message: "\(place) has no field \"\(key)\"", field: path ?? key)
    }

    static func invalid(_ field: String, _ expected: String) -> WireError {
        WireError(code: "invalid_value", message: "must be \(expected)", field: field)
    }

    /// `document` is its path in the request.
    static func missingID(_ document: String) -> WireError {
        WireError(code: "missing_field", message: "\(document) needs an \"id\" of at least one byte", field: "\(document).id")
    }

    static func tooManyChunks(_ field: String) -> WireError {
        WireError(code: "limit_exceeded", message: "a document has at most \(Limits.chunksPerDocumentMax) chunks", field: field)
    }

    static func tooManyElements(_ max: Int, _ field: String) -> WireError {
        WireError(code: "limit_exceeded", message: "at most \(max) elements", field: field)
    }

    /// Nobody is known on this connection (any more). `message` says why as far as whoever asks may know.
    package static func unauthenticated(_ message: String) -> WireError { WireError(code: "unauthenticated", message: message) }

    /// Somebody is known, and may not do this.
    package static func forbidden(_ message: String, field: String? = nil) -> WireError { WireError(code: "forbidden", message: message, field: field) }

    package static func lineTooLong(_ limit: Int) -> WireError {
        WireError(code: "line_too_long", message: "a line has at most \(limit) bytes; the connection is closed, as what follows cannot be told apart")
    }
}
