// Where rejected rows go: one JSON object a line, with the row as it was, so that it can be repaired and loaded again.
import Wire

/// Appends to a file that comes into being with the first rejection; a load without one leaves nothing behind.
///
/// `{"line":7,"reason":"expected an id ...","row":"{\"text\":\"...\"}"}`. `line` is the position's row: the line of a
/// text from 1, the row of a matrix from 0. `row` is null where it is no text; `file` comes first where the row is of a
/// tree.
package struct RejectFile: ~Copyable, Sendable {
    package let path: String
    /// How many were appended by this value.
    package private(set) var count = 0
    private var file: OpenFile?
    private var writer = JSONWriter()

    package init(path: String) { self.path = path }

    /// The line is in the file's hands when this returns: a load that is killed keeps its rejections.
    package mutating func append(_ rejection: Rejection) throws(IngestError) {
        if file == nil { file = try OpenFile.appending(to: path) }
        encode(rejection)
        try file?.writeAll(writer.bytes)
        count += 1
    }

    private mutating func encode(_ rejection: Rejection) {
        writer.removeAll()
        writer.beginObject()
        if let file = rejection.position.file {
            writer.key("file")
            writer.string(file)
        }
        writer.key("line")
        writer.int(rejection.position.row)
        writer.key("reason")
        writer.string(rejection.reason)
        writer.key("row")
        if let row = rejection.row { writer.string(row) } else { writer.null() }
        writer.endObject()
        writer.endLine()
    }
}
