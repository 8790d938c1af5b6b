// Lines of a text, each within a bound: what JSONL is read through.
import Memory

/// Splits a byte source at newlines. A line over the bound is passed over without being held, so that neither its
/// length nor a file without newlines costs memory.
package struct LineReader: ~Copyable, Sendable {
    /// What there is to know of a line besides its bytes.
    package struct Mark: Equatable, Sendable {
        /// From 1.
        package var number: Int
        /// Of the line's first byte in the plain bytes of the file.
        package var offset: Int
        /// Without the line's end; more than the bound if the line was passed over.
        package var byteCount: Int
        /// The line is over the bound, and its bytes are not at hand.
        package var isTooLong = false
    }

    private var source: ByteSource
    private let lineBytesMax: Int
    private var number = 0
    private var lineCount = 0
    private var lineStart = 0

    package init(_ source: consuming ByteSource, lineBytesMax: Int = Limits.lineBytesMax) {
        precondition(lineBytesMax > 0, "a line has at least room for one byte")
        self.source = source
        self.lineBytesMax = lineBytesMax
    }

    package var name: String { source.name }
    package var progress: SourceProgress { source.progress }

    /// The bytes of the line that `next` last returned, without its `\n` or `\r\n` and without a byte order mark.
    package var line: RawSpan {
        @_lifetime(borrow self) get { source.taken.extracting(lineStart..<lineStart + lineCount) }
    }

    /// The next line, empty ones included; nil at the end. A last line needs no newline.
    package mutating func next() throws(IngestError) -> Mark? {
        var scanned = 0
        while true {
            if let end = source.firstOffset(of: newline, from: scanned) { return try finish(lineBytes: end, endBytes: 1) }
            // What was looked at is not looked at again, so that a long line is scanned once.
            scanned = source.availableCount
            if scanned > lineBytesMax { return try passOver() }
            guard try source.fill() else { break }
        }
        return scanned == 0 ? nil : try finish(lineBytes: scanned, endBytes: 0)
    }

    private mutating func finish(lineBytes: Int, endBytes: Int) throws(IngestError) -> Mark {
        number += 1
        let offset = source.offset
        let taken = try source.take(lineBytes + endBytes)
        precondition(taken == lineBytes + endBytes, "the bytes of a line were found before they are taken")
        lineStart = 0
        lineCount = lineBytes
        guard lineBytes <= lineBytesMax else {
            lineCount = 0
            return Mark(number: number, offset: offset, byteCount: lineBytes, isTooLong: true)
        }
        dropByteOrderMark()
        dropCarriageReturn()
        return Mark(number: number, offset: offset, byteCount: lineCount)
    }

    /// Some editors begin a file with one; it is no part of the first line's JSON.
    private mutating func dropByteOrderMark() {
        guard number == 1, lineCount >= 3 else { return }
        let taken = source.taken
        guard taken.byte(at: 0) == 0xEF, taken.byte(at: 1) == 0xBB, taken.byte(at: 2) == 0xBF else { return }
        lineStart = 3
        lineCount -= 3
    }

    private mutating func dropCarriageReturn() {
        guard lineCount > 0, source.taken.byte(at: lineStart + lineCount - 1) == carriageReturn else { return }
        lineCount -= 1
    }

    /// Reads to the end of a line that is too long already, keeping nothing of it.
    private mutating func passOver() throws(IngestError) -> Mark {
        number += 1
        lineStart = 0
        lineCount = 0
        let offset = source.offset
        while true {
            if let end = source.firstOffset(of: newline, from: 0) {
                _ = try source.take(end + 1)
                return Mark(number: number, offset: offset, byteCount: source.offset - offset - 1, isTooLong: true)
            }
            _ = try source.take(source.availableCount)
            guard try source.fill() else {
                return Mark(number: number, offset: offset, byteCount: source.offset - offset, isTooLong: true)
            }
        }
    }
}

private let newline = UInt8(ascii: "\n")
private let carriageReturn = UInt8(ascii: "\r")
