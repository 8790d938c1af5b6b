// Streams of gzip and zstd, a block at a time, on top of the system's libraries.
import CZlib
import CZstd

/// Why compressed bytes cannot be read on.
struct DecompressionError: Error {
    let problem: String
}

/// Turns compressed bytes into plain ones. Held by one owner, used by one thread at a time.
protocol Decompressor: AnyObject, Sendable {
    /// What the format is called.
    var name: String { get }
    /// True where the stream may end: behind a whole member or frame.
    var isComplete: Bool { get }
    /// Appends what it can to `output`; returns how much of `input` is used up.
    func decode(_ input: RawSpan, into output: inout OutputSpan<UInt8>) throws(DecompressionError) -> Int
}

/// The compression that a file's first bytes announce.
enum Compression: Equatable, Sendable {
    case none, gzip, zstd

    /// No format that is read here as plain bytes begins like one of these.
    init(firstBytes bytes: [UInt8]) {
        if bytes.starts(with: [0x1F, 0x8B]) {
            self = .gzip
        } else if bytes.starts(with: [0x28, 0xB5, 0x2F, 0xFD]) || Compression.isSkippableFrame(bytes) {
            self = .zstd
        } else {
            self = .none
        }
    }

    /// What a file's name promises.
    init(name: String) {
        if name.hasSuffix(".gz") {
            self = .gzip
        } else if name.hasSuffix(".zst") {
            self = .zstd
        } else {
            self = .none
        }
    }

    func makeDecompressor() -> (any Decompressor)? {
        switch self {
        case .none: nil
        case .gzip: GzipDecompressor()
        case .zstd: ZstdDecompressor()
        }
    }

    /// Parallel compressors put one of these before the data, with sizes in it.
    private static func isSkippableFrame(_ bytes: [UInt8]) -> Bool {
        bytes.count >= 4 && bytes[0] & 0xF0 == 0x50 && bytes[1...3] == [0x2A, 0x4D, 0x18]
    }
}

@safe
private final class GzipDecompressor: Decompressor, @unchecked Sendable {
    // Sendable: zlib keeps everything behind this pointer, which only the one owner of self reaches.
    // On the heap, because zlib refuses a stream that has moved.
    private let stream: UnsafeMutablePointer<z_stream>
    let name = "gzip"
    private(set) var isComplete = false

    init() {
        unsafe stream = .allocate(capacity: 1)
        unsafe stream.initialize(to: z_stream())
        let code = unsafe nt_gzip_begin(stream)
        precondition(code == Z_OK, "zlib prepares a stream unless memory is out")
    }

    deinit {
        unsafe inflateEnd(stream)
        unsafe stream.deallocate()
    }

    func decode(_ input: RawSpan, into output: inout OutputSpan<UInt8>) throws(DecompressionError) -> Int {
        // Another member follows, or rubbish: inflate will tell.
        if isComplete { unsafe inflateReset(stream) }
        isComplete = false
        let code = unsafe input.withUnsafeBytes { source in
            unsafe output.withUnsafeMutableBufferPointer { target, count in
                // Sound: zlib reads at most avail_in bytes of the input (its interface only lacks the const) and
                // writes at most avail_out behind the bytes in use; neither pointer is used after this closure.
                let readable = unsafe source.bindMemory(to: UInt8.self)
                unsafe stream.pointee.next_in = UnsafeMutablePointer(mutating: readable.baseAddress)
                unsafe stream.pointee.avail_in = UInt32(source.count)
                let start = count
                unsafe stream.pointee.next_out = target.baseAddress.map { unsafe $0 + start }
                unsafe stream.pointee.avail_out = UInt32(target.count - count)
                let code = unsafe inflate(stream, Z_NO_FLUSH)
                unsafe count = target.count - Int(stream.pointee.avail_out)
                return code
            }
        }
        let used = unsafe input.byteCount - Int(stream.pointee.avail_in)
        switch code {
        case Z_OK, Z_BUF_ERROR: break
        case Z_STREAM_END: isComplete = true
        default: throw DecompressionError(problem: message(code))
        }
        return used
    }

    private func message(_ code: Int32) -> String {
        // Sound: zlib's message is a static NUL-terminated text, or absent.
        guard let text = unsafe stream.pointee.msg else { return "zlib error \(code)" }
        return unsafe String(cString: text)
    }
}

@safe
private final class ZstdDecompressor: Decompressor, @unchecked Sendable {
    // Sendable: the context has no thread of its own, and only the one owner of self reaches it.
    private let context: OpaquePointer
    let name = "zstd"
    private(set) var isComplete = false

    init() {
        guard let created = unsafe ZSTD_createDStream() else { preconditionFailure("out of memory") }
        unsafe context = created
    }

    deinit { unsafe ZSTD_freeDStream(context) }

    func decode(_ input: RawSpan, into output: inout OutputSpan<UInt8>) throws(DecompressionError) -> Int {
        var used = 0
        let result = unsafe input.withUnsafeBytes { source in
            unsafe output.withUnsafeMutableBufferPointer { target, count in
                // Sound: zstd reads `size` bytes of the input and writes at most up to `size` of the output, behind
                // the bytes in use; neither pointer is used after this closure.
                var from = unsafe ZSTD_inBuffer(src: source.baseAddress, size: source.count, pos: 0)
                var to = unsafe ZSTD_outBuffer(dst: target.baseAddress, size: target.count, pos: count)
                let result = unsafe ZSTD_decompressStream(context, &to, &from)
                unsafe count = to.pos
                unsafe used = from.pos
                return result
            }
        }
        guard ZSTD_isError(result) == 0 else {
            // Sound: a static NUL-terminated text.
            throw DecompressionError(problem: unsafe String(cString: ZSTD_getErrorName(result)))
        }
        // 0 says that a frame has ended and all of it was handed out.
        isComplete = result == 0
        return used
    }
}
