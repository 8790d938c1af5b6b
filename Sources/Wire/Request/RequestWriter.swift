// Requests as lines, the way a client writes them.
import Engine
import Memory

/// Writes the members of one request; the client adds the id and the newline.
package struct RequestWriter: Sendable {
    private var json = JSONWriter()

    /// A request that needs no more than its name.
    package init(_ op: StaticString, id: Int) {
        json.beginObject()
        json.key("id")
        json.int(id)
        json.key("op")
        json.string("\(op)")
    }

    /// The line, its newline included. Ends the writer.
    package consuming func finish() -> [UInt8] {
        json.endObject()
        json.endLine()
        return json.finish()
    }

    package mutating func string(_ key: StaticString, _ value: String?) {
        guard let value else { return }
        json.key(key)
        json.string(value)
    }

    package mutating func int(_ key: StaticString, _ value: Int?) {
        guard let value else { return }
        json.key(key)
        json.int(value)
    }

    package mutating func float(_ key: StaticString, _ value: Float?) {
        guard let value else { return }
        json.key(key)
        json.float(value)
    }

    package mutating func bool(_ key: StaticString, _ value: Bool?) {
        guard let value else { return }
        json.key(key)
        json.bool(value)
    }

    package mutating func strings(_ key: StaticString, _ values: [String]?) {
        guard let values else { return }
        json.key(key)
        json.beginArray()
        for value in values { json.string(value) }
        json.endArray()
    }

    /// Members as an object of strings: declared fields and their types.
    package mutating func object(_ key: StaticString, _ members: [(name: String, value: String)]) {
        guard !members.isEmpty else { return }
        json.key(key)
        json.beginObject()
        for (name, value) in members {
            json.key(named: name)
            json.string(value)
        }
        json.endObject()
    }

    /// JSON that the caller has as text, a filter from a command line; it must be a whole value.
    package mutating func verbatim(_ key: StaticString, _ text: String?) throws(JSONError) {
        guard let text else { return }
        var parser = JSONParser(bytesMax: WireLimits.lineBytesMax, depthMax: WireLimits.depthMax)
        // Sound: bytes have no invalid pattern. Newlines between its parts would end the request's line early.
        let bytes = Array(text.utf8).map { $0 == UInt8(ascii: "\n") || $0 == UInt8(ascii: "\r") ? UInt8(ascii: " ") : $0 }
        _ = try parser.parse(unsafe bytes.span.bytes)
        json.key(key)
        json.raw(unsafe bytes.span.bytes)
    }

    package mutating func vector(_ key: StaticString, _ vector: [Float]?) {
        guard let vector else { return }
        json.key(key)
        json.vector(vector)
    }

    package mutating func vectors(_ vectors: [[Float]]) {
        json.key("searches")
        json.beginArray()
        for vector in vectors {
            json.beginObject()
            json.key("vector")
            json.vector(vector)
            json.endObject()
        }
        json.endArray()
    }

    package mutating func documents(_ documents: [OutgoingDocument]) {
        json.key("documents")
        json.beginArray()
        for document in documents { write(document) }
        json.endArray()
    }

    private mutating func write(_ document: OutgoingDocument) {
        json.beginObject()
        string("id", document.id)
        if document.isFolder { string("kind", "folder") }
        string("parent", document.parent)
        string("title", document.title)
        string("url", document.url)
        string("mime", document.mime)
        time("time", document.time)
        fields(document.fields)
        if !document.isFolder {
            json.key("chunks")
            json.beginArray()
            for chunk in document.chunks {
                json.beginObject()
                string("text", chunk.text)
                string("heading", chunk.heading)
                vector("vector", chunk.vector)
                json.endObject()
            }
            json.endArray()
        }
        json.endObject()
    }

    /// Milliseconds are a number on the wire, RFC 3339 a string.
    package mutating func time(_ key: StaticString, _ time: String?) {
        if let time, let milliseconds = Int(time) { int(key, milliseconds) } else { string(key, time) }
    }

    private mutating func fields(_ fields: [OutgoingField]) {
        guard !fields.isEmpty else { return }
        json.key("fields")
        json.beginObject()
        for field in fields {
            json.key(named: field.name)
            json.value(field.value)
        }
        json.endObject()
    }
}
