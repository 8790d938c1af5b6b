// What it costs to understand a request.
import Wire

/// A search with a vector of so many numbers, as clients write it.
func searchLine(dim: Int, base64: Bool) -> [UInt8] {
    let vector = (0..<dim).map { Float($0 * 7919 % 2003 - 1001) / 1001 }
    var line = #"{"id":7,"op":"search","collection":"kb","k":10,"vector":"#
    if base64 {
        var writer = RequestWriter("search", id: 7)
        writer.string("collection", "kb")
        writer.vector("vector", vector)
        return writer.finish().dropLast()
    }
    line += "[" + vector.map(\.description).joined(separator: ",") + "]}"
    return Array(line.utf8)
}

func upsertLine(dim: Int, records: Int) -> [UInt8] {
    var writer = RequestWriter("upsert", id: 7)
    writer.string("collection", "kb")
    writer.documents((0..<records).map { number in
        var document = OutgoingDocument(id: "document-\(number)")
        let text = String(repeating: "Refunds for annual plans are paid within five days. ", count: 8)
        document.chunks = [OutgoingChunk(text: text, vector: (0..<dim).map { Float($0 * 31 % 97) / 97 })]
        return document
    })
    return writer.finish().dropLast()
}

/// Microseconds from a line's bytes to a request.
func requests() {
    for (label, bytes, calls) in [
        ("search, 768 numbers", searchLine(dim: 768, base64: false), 100),
        ("search, 768 as base64", searchLine(dim: 768, base64: true), 400),
        ("upsert, 100 x 768 base64", upsertLine(dim: 768, records: 100), 5),
    ] {
        let time = nanoseconds(rounds: 200, calls: calls, [{ calls in decode(bytes, times: calls) }])[0]
        line(label, ["\(bytes.count) B", fixed(time / 1000, 2) + " us"])
    }
}

private func decode(_ bytes: [UInt8], times: Int) {
    var decoder = RequestDecoder()
    for _ in 0..<times {
        // Sound: bytes have no invalid pattern.
        do { _ = try decoder.decode(unsafe bytes.span.bytes) } catch { preconditionFailure("\(error.error)") }
    }
}
