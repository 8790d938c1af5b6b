// The protocol's JSON Schemas, and as much of JSON Schema 2020-12 as they use.
import Foundation
import Wire

/// Holds values against the schemas in `proto/schema`. A keyword that it does not know is an error, so that no schema can
/// ask for something that nobody looks at. Its own hundred lines are less than a dependency, and the tests need no other
/// language to run.
struct Schemas {
    private let documents: [String: JSONTree]

    init() throws {
        var documents: [String: JSONTree] = [:]
        for name in try ProtocolFiles.names(in: "schema") {
            let text = try ProtocolFiles.text("schema/\(name)")
            do { documents[name] = try Answer(line: Array(text.utf8)).root } catch { throw SchemaError(description: "\(name): \(error)") }
        }
        self.documents = documents
    }

    var names: [String] { documents.keys.sorted() }

    func document(_ name: String) -> JSONTree? { documents[name] }

    /// What is wrong with a value, by the schema of that file; nil if nothing is.
    func complaint(_ value: JSONTree, _ name: String) throws -> String? {
        guard let schema = documents[name] else { throw SchemaError(description: "there is no schema \(name)") }
        return try complaint(value, schema, in: name, at: "value")
    }

    private func complaint(_ value: JSONTree, _ schema: JSONTree, in document: String, at path: String) throws -> String? {
        if case .bool(let isAllowed) = schema { return isAllowed ? nil : "\(path) must not be there" }
        for (keyword, argument) in schema.object.sorted(by: { $0.key < $1.key }) {
            if let complaint = try complaint(value, keyword, argument, schema, in: document, at: path) { return complaint }
        }
        return nil
    }

    private func complaint(
        _ value: JSONTree, _ keyword: String, _ argument: JSONTree, _ schema: JSONTree, in document: String, at path: String
    ) throws -> String? {
        switch keyword {
        case "$schema", "$id", "$defs", "title", "description": return nil
        case "$ref":
            let (name, target) = try resolve(argument.string ?? "", in: document)
            return try complaint(value, target, in: name, at: path)
        case "type":
            let names = argument.string.map { [$0] } ?? argument.array.compactMap(\.string)
            return try names.contains { try value.isOfType($0) } ? nil : "\(path) is \(value), not \(names)"
        case "const": return value == argument ? nil : "\(path) is \(value), not \(argument)"
        case "enum": return argument.array.contains(value) ? nil : "\(path) is \(value), none of \(argument.array)"
        case "anyOf", "oneOf":
            let complaints = try argument.array.map { try complaint(value, $0, in: document, at: path) }
            let matching = complaints.count { $0 == nil }
            return matching == 1 || (keyword == "anyOf" && matching > 1) ? nil : "\(path) matches \(matching) of \(keyword): \(complaints.compactMap(\.self))"
        case "not": return try complaint(value, argument, in: document, at: path) == nil ? "\(path) matches what it must not" : nil
        case "properties", "patternProperties", "additionalProperties", "propertyNames", "required", "dependentRequired", "minProperties", "maxProperties":
            guard case .object(let members) = value else { return nil }
            return try memberComplaint(members, keyword, argument, schema, in: document, at: path)
        case "items", "minItems", "maxItems":
            guard case .array(let elements) = value else { return nil }
            return try elementComplaint(elements, keyword, argument, in: document, at: path)
        case "minLength", "maxLength", "pattern":
            guard let text = value.string else { return nil }
            return try textComplaint(text, keyword, argument, at: path)
        case "minimum", "maximum", "exclusiveMinimum":
            guard let number = value.double, let bound = argument.double else { return nil }
            let holds = keyword == "minimum" ? number >= bound : keyword == "maximum" ? number <= bound : number > bound
            return holds ? nil : "\(path) is \(number): \(keyword) \(bound)"
        default: throw SchemaError(description: "\(document): the keyword \"\(keyword)\" is not understood")
        }
    }

    private func memberComplaint(
        _ members: [String: JSONTree], _ keyword: String, _ argument: JSONTree, _ schema: JSONTree, in document: String, at path: String
    ) throws -> String? {
        switch keyword {
        case "required":
            return argument.array.compactMap(\.string).first { members[$0] == nil }.map { "\(path) has no \"\($0)\"" }
        case "dependentRequired":
            for (name, needed) in argument.object where members[name] != nil {
                if let missing = needed.array.compactMap(\.string).first(where: { members[$0] == nil }) { return "\(path) has \"\(name)\" and no \"\(missing)\"" }
            }
            return nil
        case "minProperties": return members.count >= argument.int ?? 0 ? nil : "\(path) has \(members.count) members"
        case "maxProperties": return members.count <= argument.int ?? 0 ? nil : "\(path) has \(members.count) members"
        case "propertyNames": return try members.keys.lazy.compactMap { try complaint(.string($0), argument, in: document, at: "\(path).\($0)") }.first
        default: break
        }
        for (name, value) in members.sorted(by: { $0.key < $1.key }) {
            let applying: [JSONTree] = switch keyword {
            case "properties": [argument[name]].compactMap(\.self)
            case "patternProperties": try Self.patterns(argument, matching: name)
            // What neither of the other two speaks of.
            default: try schema["properties"]?[name] == nil && Self.patterns(schema["patternProperties"], matching: name).isEmpty ? [argument] : []
            }
            for schema in applying { if let complaint = try complaint(value, schema, in: document, at: "\(path).\(name)") { return complaint } }
        }
        return nil
    }

    private static func patterns(_ argument: JSONTree?, matching name: String) throws -> [JSONTree] {
        try (argument?.object ?? [:]).filter { try name.contains(Regex($0.key)) }.map(\.value)
    }

    private func elementComplaint(_ elements: [JSONTree], _ keyword: String, _ argument: JSONTree, in document: String, at path: String) throws -> String? {
        switch keyword {
        case "minItems": return elements.count >= argument.int ?? 0 ? nil : "\(path) has \(elements.count) elements"
        case "maxItems": return elements.count <= argument.int ?? 0 ? nil : "\(path) has \(elements.count) elements"
        default:
            for (index, element) in elements.enumerated() {
                if let complaint = try complaint(element, argument, in: document, at: "\(path)[\(index)]") { return complaint }
            }
            return nil
        }
    }

    private func textComplaint(_ text: String, _ keyword: String, _ argument: JSONTree, at path: String) throws -> String? {
        let count = text.unicodeScalars.count
        switch keyword {
        case "minLength": return count >= argument.int ?? 0 ? nil : "\(path) has \(count) characters"
        case "maxLength": return count <= argument.int ?? 0 ? nil : "\(path) has \(count) characters"
        default: return try text.contains(Regex(argument.string ?? "")) ? nil : "\(path) is \"\(text)\", not \(argument)"
        }
    }

    /// `common.json#/$defs/name`, or `#/$defs/name` in the same file.
    private func resolve(_ reference: String, in document: String) throws -> (document: String, schema: JSONTree) {
        let parts = reference.split(separator: "#", omittingEmptySubsequences: false).map(String.init)
        let name = parts[0].isEmpty ? document : parts[0]
        let path = parts.count == 2 ? parts[1].split(separator: "/").map(String.init) : []
        guard let target = path.reduce(documents[name], { $0?[$1] }) else { throw SchemaError(description: "\(document): \(reference) leads nowhere") }
        return (name, target)
    }
}

struct SchemaError: Error, CustomStringConvertible {
    var description: String
}

extension JSONTree {
    fileprivate func isOfType(_ name: String) throws -> Bool {
        switch (name, self) {
        case ("object", .object), ("array", .array), ("string", .string), ("boolean", .bool), ("null", .null), ("integer", .integer),
            ("number", .integer), ("number", .number):
            true
        case ("object", _), ("array", _), ("string", _), ("boolean", _), ("null", _), ("integer", _), ("number", _): false
        default: throw SchemaError(description: "\"\(name)\" is no type")
        }
    }
}
