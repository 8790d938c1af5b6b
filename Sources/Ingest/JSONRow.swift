// JSON errors as faults of one row: what record and chat files are read with.
import Memory
import Wire

extension JSONParser {
    /// `parse`, with its error told as a fault of the row.
    @_lifetime(&self)
    mutating func parseRow(_ line: RawSpan) throws(RowError) -> JSONValue {
        do {
            return try parse(line)
        } catch {
            throw RowError("expected JSON: \(error.description)")
        }
    }
}

extension JSONMembers {
    /// `next`, with a key met twice told as a fault of the row.
    @_lifetime(copy self)
    mutating func nextInRow() throws(RowError) -> JSONMember? {
        do {
            return try next()
        } catch {
            throw RowError(error.description)
        }
    }
}

extension JSONValue.Kind {
    var name: String {
        switch self {
        case .object: "an object"
        case .array: "an array"
        case .string: "a string"
        case .integer, .unsigned: "an integer"
        case .double: "a number"
        case .yes, .no: "a boolean"
        case .null: "null"
        }
    }
}
