// A field's value in JSON, alike in requests and answers.
import Engine

extension JSONWriter {
    mutating func value(_ value: InputValue) {
        switch value {
        case .string(let text): string(text)
        case .integer(let number): int(Int(number))
        case .number(let number): double(number)
        case .bool(let flag): bool(flag)
        case .strings(let texts):
            beginArray()
            for text in texts { string(text) }
            endArray()
        }
    }
}
