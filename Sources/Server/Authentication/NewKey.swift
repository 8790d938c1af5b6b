// A fresh key and the entry that lets its owner in.
import Crypto
import Wire

/// 256 bits of chance, and what the configuration has to say of them. The key itself is nowhere but here.
package struct NewKey {
    package let key: String
    /// An element of `keys` in the configuration.
    package let entry: String

    /// - Throws: where the configuration would not take the entry.
    package init(name: String, roles: [String], collections: [String]?, user: String?, agent: String?) throws {
        var random = SystemRandomNumberGenerator()
        // Begins so that whoever finds it in a place where it does not belong knows what it is.
        key = "needletail_" + Self.hexadecimal((0..<32).map { _ in UInt8.random(in: .min ... .max, using: &random) })
        var json = JSONWriter()
        json.beginObject()
        Self.write(&json, "name", name)
        Self.write(&json, "sha256", Self.hexadecimal(SHA256.hash(data: Array(key.utf8))))
        Self.write(&json, "roles", roles)
        if let collections { Self.write(&json, "collections", collections) }
        if let user { Self.write(&json, "user", user) }
        if let agent { Self.write(&json, "agent", agent) }
        json.endObject()
        entry = String(decoding: json.finish(), as: UTF8.self)
        _ = try AuthenticationConfiguration(Array(#"{"keys":[\#(entry)]}"#.utf8))
    }

    private static func write(_ json: inout JSONWriter, _ name: StaticString, _ text: String) {
        json.key(name)
        json.string(text)
    }

    private static func write(_ json: inout JSONWriter, _ name: StaticString, _ texts: [String]) {
        json.key(name)
        json.beginArray()
        for text in texts { json.string(text) }
        json.endArray()
    }

    private static func hexadecimal(_ bytes: some Sequence<UInt8>) -> String {
        bytes.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
    }
}
