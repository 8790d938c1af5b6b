// Short ways from text to what the wire makes of it.
import Memory
import Testing
import Wire

// A span's `bytes` counts as unsafe because elements may have padding; those of UInt8 have none.

/// The tree of a document, every member of every object walked.
func tree(_ bytes: [UInt8], depthMax: Int = WireLimits.depthMax) throws(JSONError) -> JSONTree {
    var parser = JSONParser(bytesMax: WireLimits.lineBytesMax, depthMax: depthMax)
    return try JSONTree(try parser.parse(unsafe bytes.span.bytes))
}

func tree(_ text: String, depthMax: Int = WireLimits.depthMax) throws(JSONError) -> JSONTree {
    try tree(Array(text.utf8), depthMax: depthMax)
}

/// The request of a line.
func request(_ bytes: [UInt8]) throws(RefusedLine) -> Request {
    var decoder = RequestDecoder()
    return try decoder.decode(unsafe bytes.span.bytes)
}

func request(_ line: String) throws(RefusedLine) -> Request { try request(Array(line.utf8)) }

/// Why a line is refused, or nil where it is not.
func refusal(_ line: String) -> RefusedLine? {
    do throws(RefusedLine) {
        _ = try request(line)
        return nil
    } catch { return error }
}

/// What a writer wrote.
func text(_ body: (inout JSONWriter) -> Void) -> String {
    var writer = JSONWriter()
    body(&writer)
    return String(decoding: bytes(writer), as: UTF8.self)
}

func bytes(_ writer: borrowing JSONWriter) -> [UInt8] {
    let span = writer.bytes
    return (0..<span.byteCount).map { span.byte(at: $0) }
}
