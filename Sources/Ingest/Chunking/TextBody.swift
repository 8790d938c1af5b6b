// A text as its UTF-8 bytes: places in it are plain offsets, and every cut is at a scalar's start.

struct TextBody: Sendable {
    let bytes: [UInt8]

    /// Drops a byte order mark and makes every line end a single newline.
    init(_ text: String) {
        var bytes = Array(text.utf8)
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { bytes.removeFirst(3) }
        if bytes.contains(UInt8(ascii: "\r")) { bytes = Self.withoutCarriageReturns(bytes) }
        self.bytes = bytes
    }

    /// Text that is known to be UTF-8.
    init(bytes: [UInt8]) { self.bytes = bytes }

    private static func withoutCarriageReturns(_ bytes: [UInt8]) -> [UInt8] {
        var kept: [UInt8] = []
        kept.reserveCapacity(bytes.count)
        for (index, byte) in bytes.enumerated() {
            if byte == UInt8(ascii: "\r"), index + 1 < bytes.count, bytes[index + 1] == UInt8(ascii: "\n") { continue }
            kept.append(byte)
        }
        return kept
    }

    /// The text of a range that begins and ends at a scalar's start.
    func text(_ range: Range<Int>) -> String { String(decoding: bytes[range], as: UTF8.self) }

    /// The range without white space at its end and blank lines at its start; its first line keeps its indentation.
    func trimmed(_ range: Range<Int>) -> Range<Int> {
        var end = range.upperBound
        while end > range.lowerBound, isWhite(bytes[end - 1]) { end -= 1 }
        var start = range.lowerBound
        var visible = start
        while visible < end, isWhite(bytes[visible]) {
            visible += 1
            if bytes[visible - 1] == UInt8(ascii: "\n") { start = visible }
        }
        return start..<end
    }

    /// Offset of the newline that ends the line which `start` lies in, or of the end of the text.
    func lineEnd(from start: Int) -> Int {
        var end = start
        while end < bytes.count, bytes[end] != UInt8(ascii: "\n") { end += 1 }
        return end
    }
}

/// ASCII white space. Other white space counts as text: it is rare, and keeping it loses nothing.
func isWhite(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }
