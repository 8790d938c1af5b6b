// Reads an archive from front to back, decompressing as it goes.
import Memory

/// One archive file: its header, and then its bytes in order. One owner, one thread; two buffers, however long the archive is.
///
/// Offsets in errors are those of the uncompressed archive, except where a zstd frame is damaged: then they are the file's.
final class ArchiveReader {
    let header: ArchiveHeader
    private var bytes: DecompressedBytes

    init(_ file: any DiskFile) throws(ArchiveError) {
        var bytes = DecompressedBytes(file)
        var head = ByteWriter()
        try bytes.read(ArchiveFormat.prefixBytes) { (piece) throws(ArchiveError) in head.write(piece) }
        let length: Int
        do { length = try ArchiveHeader.length(head.bytes) } catch { throw .corruption(error.located(in: file.name, base: 0)) }
        try bytes.read(length - ArchiveFormat.prefixBytes) { (piece) throws(ArchiveError) in head.write(piece) }
        do { header = try ArchiveHeader(decoding: head.bytes) } catch { throw .corruption(error.located(in: file.name, base: 0)) }
        self.bytes = bytes
    }

    var name: String { bytes.name }

    /// Hands out each file that is here, in order and in pieces; afterwards the archive must be at its end.
    func forEachFile(_ body: (ArchiveEntry, (_ piece: (RawSpan) throws(ArchiveError) -> Void) throws(ArchiveError) -> Void) throws(ArchiveError) -> Void)
        throws(ArchiveError)
    {
        for entry in header.entries where entry.place == .here {
            let end = bytes.offset + Int(entry.byteCount)
            try body(entry) { (piece) throws(ArchiveError) in try bytes.read(end - bytes.offset, piece) }
            // What nobody wanted is passed over.
            try bytes.read(end - bytes.offset) { (_) throws(ArchiveError) in }
        }
        try bytes.checkEnd()
    }
}

/// The bytes that a file of zstd frames stands for.
private struct DecompressedBytes: ~Copyable {
    let name: String
    private let file: any DiskFile
    private let decompressor = FrameDecompressor()
    private var input = AlignedBuffer(byteCount: 1 << 17)
    private var output = AlignedBuffer(byteCount: 1 << 20)
    /// What of the buffers has not been used yet.
    private var waiting = 0..<0
    private var made = 0..<0
    /// Where in the file the next read begins.
    private var fileOffset = 0
    /// How many bytes have been handed out.
    private(set) var offset = 0

    init(_ file: any DiskFile) {
        name = file.name
        self.file = file
    }

    /// Exactly that many bytes more.
    mutating func read(_ count: Int, _ body: (RawSpan) throws(ArchiveError) -> Void) throws(ArchiveError) {
        var left = count
        while left > 0 {
            guard try refill() else {
                throw .corruption(Corruption(file: name, offset: offset, expected: "\(left) more bytes: the archive is cut short"))
            }
            let piece = min(left, made.count)
            try body(output.bytes.extracting(made.lowerBound..<made.lowerBound + piece))
            made = made.lowerBound + piece..<made.upperBound
            offset += piece
            left -= piece
        }
    }

    mutating func checkEnd() throws(ArchiveError) {
        guard try !refill() else { throw .corruption(Corruption(file: name, offset: offset, expected: "the end of the archive")) }
        guard decompressor.isBetweenFrames else {
            throw .corruption(Corruption(file: name, offset: fileOffset, expected: "the rest of a zstd frame: the archive is cut short"))
        }
    }

    /// Whether there is something to hand out, now or after decompressing more.
    private mutating func refill() throws(ArchiveError) -> Bool {
        while made.isEmpty {
            if waiting.isEmpty { try readFile() }
            let atEnd = waiting.isEmpty
            if atEnd, decompressor.isBetweenFrames { return false }
            let step: FrameDecompressor.Step
            do { step = try Self.decompress(input, waiting, with: decompressor, into: &output) } catch {
                throw .corruption(error.located(in: name, base: fileOffset - waiting.count))
            }
            waiting = waiting.lowerBound + step.used..<waiting.upperBound
            made = 0..<step.made
            if atEnd, made.isEmpty { return false }
        }
        return true
    }

    private static func decompress(
        _ input: borrowing AlignedBuffer, _ waiting: Range<Int>, with decompressor: FrameDecompressor, into output: inout AlignedBuffer
    ) throws(Corruption) -> FrameDecompressor.Step {
        try decompressor.decompress(input.bytes.extracting(waiting), into: &output)
    }

    private mutating func readFile() throws(ArchiveError) {
        do { waiting = 0..<(try Self.fill(&input, from: file, at: fileOffset)) } catch { throw .disk(error) }
        fileOffset += waiting.count
    }

    private static func fill(_ input: inout AlignedBuffer, from file: any DiskFile, at offset: Int) throws(DiskError) -> Int {
        var target = input.mutableSpan(of: UInt8.self)
        // Sound: any bit pattern is a byte.
        var raw = unsafe target.mutableBytes
        return try file.read(into: &raw, at: offset)
    }
}
