// JSONL, compressed or not, as documents: one object a line.
import Memory

/// Reads a JSONL file. A line that is no record is rejected with its reason and its text, and reading goes on.
package struct RecordSource: DocumentSource, ~Copyable {
    private var lines: LineReader
    private var decoder: RecordDecoder
    private let firstRecord: Int
    private let lineBytesMax: Int
    /// Lines that are not blank so far: the number of the next record, and the row of a matrix beside the file.
    package private(set) var recordCount = 0

    /// `-` is standard input.
    package init(path: String, options: RecordOptions = RecordOptions()) throws(IngestError) {
        try self.init(path: path, options: options, isVectorBeside: false)
    }

    init(path: String, options: RecordOptions, isVectorBeside: Bool) throws(IngestError) {
        lines = LineReader(try ByteSource(path: path), lineBytesMax: options.lineBytesMax)
        decoder = RecordDecoder(options: options, isVectorBeside: isVectorBeside)
        firstRecord = options.firstRecord
        lineBytesMax = options.lineBytesMax
    }

    package var name: String { lines.name }
    package var progress: SourceProgress { lines.progress }

    package mutating func next() throws(IngestError) -> SourceItem? {
        while let mark = try nextRecordLine() {
            if recordCount > firstRecord { return item(mark) }
        }
        return nil
    }

    /// How many records follow, read but not decoded.
    mutating func countRest() throws(IngestError) -> Int {
        let before = recordCount
        while try nextRecordLine() != nil {}
        return recordCount - before
    }

    /// The next line that is not blank. One over the limit counts: it was meant to be a record.
    private mutating func nextRecordLine() throws(IngestError) -> LineReader.Mark? {
        while let mark = try lines.next() {
            guard mark.isTooLong || !lines.line.isBlank else { continue }
            recordCount += 1
            return mark
        }
        return nil
    }

    private mutating func item(_ mark: LineReader.Mark) -> SourceItem {
        let position = SourcePosition(row: mark.number, offset: mark.offset)
        guard !mark.isTooLong else {
            let reason = "the line has \(mark.byteCount) bytes; the limit is \(lineBytesMax)"
            return .rejected(Rejection(.invalid, at: position, reason: reason))
        }
        do {
            return .document(try decoder.decode(lines.line, number: recordCount - 1), position)
        } catch {
            let text = String(validatingUTF8: lines.line)
            return .rejected(Rejection(.invalid, at: position, reason: error.reason, row: text))
        }
    }
}

extension RawSpan {
    /// Nothing but spaces and tabs.
    fileprivate var isBlank: Bool {
        for offset in 0..<byteCount {
            let byte = byte(at: offset)
            if byte != UInt8(ascii: " "), byte != UInt8(ascii: "\t") { return false }
        }
        return true
    }
}
