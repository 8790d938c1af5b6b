// Text from front matter as a value of the type that the collection declares for it.
import Engine
import Wire

extension FieldType {
    /// The value, or what was expected instead: a field left out in silence would make filters lie.
    func value(_ written: FrontMatter.Value) throws(RowError) -> InputValue {
        switch (self, written) {
        case (.keywords, .list(let texts)): return .strings(texts)
        case (.keywords, .scalar(let text)): return .strings([text])
        case (_, .scalar(let text)):
            if let value = value(text) { return value }
            throw RowError("expected \(expectation), found \"\(text)\"")
        case (_, .list): throw RowError("expected \(expectation), found a list")
        }
    }

    private func value(_ text: String) -> InputValue? {
        switch self {
        case .keyword, .keywords: .string(text)
        case .int: Int64(text).map { .integer($0) }
        case .float: Double(text).flatMap { $0.isFinite ? .number($0) : nil }
        case .bool: Bool(text).map { .bool($0) }
        case .time: SourceTime.written(text).map { .string($0) }
        }
    }

    private var expectation: String {
        switch self {
        case .keyword, .keywords: "a text"
        case .int: "an integer"
        case .float: "a number"
        case .bool: "true or false"
        case .time: "a date or an RFC 3339 time"
        }
    }
}
