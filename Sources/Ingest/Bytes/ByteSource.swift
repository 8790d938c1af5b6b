// A file or standard input as a stream of plain bytes, whatever it is compressed with.

/// Reads a file once, front to back, decompressing gzip and zstd by their first bytes (members and frames that follow
/// each other are one stream), and lends out windows of what it has read.
package struct ByteSource: ~Copyable, Sendable {
    /// The path as given, or "standard input".
    package let name: String
    private let file: OpenFile
    private let decompressor: (any Decompressor)?
    private let bytesTotal: Int?
    private var bytesRead = 0
    private var isAtEnd = false
    /// Bytes as they lie on disk, from `compressedStart` on not yet decompressed. Unused for a plain file.
    private var compressed: [UInt8] = []
    private var compressedStart = 0
    /// Plain bytes, from `windowStart` on not yet taken.
    private var window: [UInt8] = []
    private var windowStart = 0
    /// How much before `windowStart` the last `take` took.
    private var takenCount = 0
    /// Offset of `windowStart` in the plain bytes of the file.
    package private(set) var offset = 0

    /// What one read asks for: large enough that the call costs nothing beside the copy, small enough for the cache.
    private static let blockBytes = 1 << 17

    /// `-` is standard input.
    package init(path: String) throws(IngestError) {
        try self.init(path == "-" ? .standardInput() : try OpenFile.reading(path))
    }

    init(_ file: consuming OpenFile) throws(IngestError) {
        let start = try Self.begin(file)
        self.init(file, start)
    }

    private init(_ file: consuming OpenFile, _ start: consuming Beginning) {
        name = file.name
        bytesTotal = start.bytesTotal
        bytesRead = start.first.count
        isAtEnd = start.isAtEnd
        decompressor = start.compression.makeDecompressor()
        if start.compression == .none { window = start.first } else { compressed = start.first }
        self.file = file
    }

    /// What the first read of a file tells.
    private struct Beginning {
        var bytesTotal: Int?
        var first: [UInt8] = []
        var isAtEnd = false
        var compression = Compression.none
    }

    private static func begin(_ file: borrowing OpenFile) throws(IngestError) -> Beginning {
        let status = try file.status()
        guard status.kind != .directory else {
            throw IngestError(file: file.name, "expected a file, found a directory")
        }
        var start = Beginning(bytesTotal: status.kind == .file ? status.byteCount : nil)
        // A pipe may hand over less than the four bytes that tell the format.
        while start.first.count < 4, !start.isAtEnd { start.isAtEnd = try append(to: &start.first, from: file) == 0 }
        start.compression = Compression(firstBytes: start.first)
        let promised = Compression(name: file.name)
        guard promised == .none || promised == start.compression else {
            throw IngestError(
                file: file.name, at: .byte(0), "expected the first bytes of a \(promised) file, as its name says",
                remedy: "fetch it again, or rename it if it is not compressed")
        }
        return start
    }

    package var progress: SourceProgress { SourceProgress(bytesRead: bytesRead, bytesTotal: bytesTotal) }

    /// How many bytes are at hand without reading.
    var availableCount: Int { window.count - windowStart }

    /// The bytes at hand.
    var available: RawSpan {
        // Sound: bytes have no invalid pattern; the array lives as long as self is borrowed.
        @_lifetime(borrow self) get { unsafe window.span.bytes.extracting(windowStart..<window.count) }
    }

    /// Offset of the first `byte` among those at hand, looking from `start` on.
    func firstOffset(of byte: UInt8, from start: Int) -> Int? {
        available.firstOffset(of: byte, from: start)
    }

    /// The bytes that the last `take` took.
    package var taken: RawSpan {
        // Sound: bytes have no invalid pattern; the array lives as long as self is borrowed.
        @_lifetime(borrow self) get { unsafe window.span.bytes.extracting(windowStart - takenCount..<windowStart) }
    }

    /// Takes the next `count` bytes, fewer at the end of the file, and returns how many: `taken` lends them out.
    package mutating func take(_ count: Int) throws(IngestError) -> Int {
        let given = try fill(atLeast: count) ? count : availableCount
        windowStart += given
        offset += given
        takenCount = given
        return given
    }

    /// Reads on until at least `count` bytes are at hand; false if the file ends before.
    mutating func fill(atLeast count: Int) throws(IngestError) -> Bool {
        while availableCount < count { guard try fill() else { return false } }
        return true
    }

    /// Brings at least one more byte to hand; false at the end of the file.
    mutating func fill() throws(IngestError) -> Bool {
        // What is left over moves to the front: a part of a line, so little beside the block that follows it.
        if windowStart > 0 { window.removeSubrange(0..<windowStart) }
        windowStart = 0
        takenCount = 0
        guard let decompressor else { return try fillPlain() }
        return try fill(by: decompressor)
    }

    private mutating func fillPlain() throws(IngestError) -> Bool {
        let got = try Self.append(to: &window, from: file)
        bytesRead += got
        return got > 0
    }

    private mutating func fill(by decompressor: any Decompressor) throws(IngestError) -> Bool {
        let before = window.count
        while window.count == before {
            if compressedStart == compressed.count { try fillCompressed() }
            if compressedStart == compressed.count, decompressor.isComplete { return false }
            let used = try decode(by: decompressor)
            // Nothing in and nothing out at the end of the file: the rest of the stream is missing.
            if used == 0, window.count == before { throw cutShort(decompressor) }
        }
        return true
    }

    private mutating func fillCompressed() throws(IngestError) {
        guard !isAtEnd else { return }
        compressed.removeAll(keepingCapacity: true)
        compressedStart = 0
        let got = try Self.append(to: &compressed, from: file)
        bytesRead += got
        isAtEnd = got == 0
    }

    private mutating func decode(by decompressor: any Decompressor) throws(IngestError) -> Int {
        do {
            let used = try Self.decode(compressed, from: compressedStart, by: decompressor, into: &window)
            compressedStart += used
            return used
        } catch {
            let position = bytesRead - (compressed.count - compressedStart)
            throw IngestError(
                file: name, at: .byte(position), "expected \(decompressor.name) data: \(error.problem)",
                remedy: "the file is damaged: fetch it again")
        }
    }

    private static func decode(
        _ compressed: [UInt8], from start: Int, by decompressor: any Decompressor, into window: inout [UInt8]
    ) throws(DecompressionError) -> Int {
        var used = 0
        try window.append(addingCapacity: blockBytes) { (output) throws(DecompressionError) in
            // Sound: bytes have no invalid pattern.
            used = try unsafe decompressor.decode(compressed.span.bytes.extracting(start..<compressed.count), into: &output)
        }
        return used
    }

    private func cutShort(_ decompressor: any Decompressor) -> IngestError {
        IngestError(
            file: name, at: .byte(bytesRead), "expected the rest of the \(decompressor.name) stream, found the end of the file",
            remedy: "the file is cut short: fetch it again")
    }

    private static func append(to bytes: inout [UInt8], from file: borrowing OpenFile) throws(IngestError) -> Int {
        var got = 0
        try bytes.append(addingCapacity: blockBytes) { (output) throws(IngestError) in
            got = try file.read(into: &output)
        }
        return got
    }
}
