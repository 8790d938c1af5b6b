// zstd, blocks of column files and frames of archives: every call of the library that this module makes stands in this file.
import CZstd
import Memory
import Synchronization

/// Compresses blocks, with a dictionary or without. One owner, one thread.
@safe
final class Compressor {
    private let context: OpaquePointer
    private let dictionary: OpaquePointer?
    private let level: Int32

    /// A dictionary that is empty is none.
    init(level: Int, dictionary bytes: RawSpan) {
        guard let context = unsafe ZSTD_createCCtx() else { preconditionFailure("out of memory") }
        unsafe self.context = context
        self.level = Int32(level)
        // Sound: the library copies the dictionary before the closure ends.
        unsafe dictionary = bytes.isEmpty ? nil : bytes.withUnsafeBytes { unsafe ZSTD_createCDict($0.baseAddress, $0.count, Int32(level)) }
    }

    deinit {
        unsafe ZSTD_freeCCtx(context)
        unsafe ZSTD_freeCDict(dictionary)
    }

    /// The bytes of the block put into `target`, or nil where they would not be fewer than `raw`'s. Whatever else the
    /// library may fail of comes to the same: the block is stored as it is.
    func compress(_ raw: RawSpan, into target: inout AlignedBuffer) -> Int? {
        guard raw.byteCount > 1 else { return nil }
        let capacity = raw.byteCount - 1
        if target.byteCount < capacity { target = AlignedBuffer(byteCount: capacity) }
        var output = target.mutableSpan(of: UInt8.self)
        let count = unsafe output.withUnsafeMutableBytes { target in
            unsafe raw.withUnsafeBytes { source in
                // Sound: the target has the capacity, the source the bytes; neither is used after this closure.
                guard let dictionary = unsafe dictionary else {
                    return unsafe ZSTD_compressCCtx(context, target.baseAddress, capacity, source.baseAddress, source.count, level)
                }
                return unsafe ZSTD_compress_usingCDict(
                    context, target.baseAddress, capacity, source.baseAddress, source.count, dictionary)
            }
        }
        return ZSTD_isError(count) == 0 ? count : nil
    }

    /// A dictionary of at most `byteCountMax` bytes for blocks like these, which lie one behind the other; nothing
    /// where the library finds too little in common.
    static func trainDictionary(on blocks: RawSpan, byteCounts: [Int], byteCountMax: Int) -> [UInt8] {
        precondition(byteCounts.reduce(0, +) == blocks.byteCount, "blocks are as long as they are said to be")
        return unsafe [UInt8](unsafeUninitializedCapacity: byteCountMax) { target, count in
            // Sound: the library writes at most that many bytes, and reads as many as the counts add up to.
            let trained = unsafe blocks.withUnsafeBytes { source in
                unsafe ZDICT_trainFromBuffer(target.baseAddress, byteCountMax, source.baseAddress, byteCounts, UInt32(byteCounts.count))
            }
            count = ZDICT_isError(trained) == 0 ? trained : 0
        }
    }
}

// MARK: Streams

/// Frames that are read one behind the other: what the `zstd` command reads and writes.
enum CompressedFrame {
    /// Level 3 asks for windows of 2 MiB; one who compressed an archive anew with level 19 for 8.
    static let windowLogMax: Int32 = 23

    /// One frame of `raw`, with its length and a checksum of its content.
    static func of(_ raw: RawSpan, level: Int = 3) -> [UInt8] {
        guard let context = unsafe ZSTD_createCCtx() else { preconditionFailure("out of memory") }
        defer { unsafe ZSTD_freeCCtx(context) }
        unsafe ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, Int32(level))
        unsafe ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1)
        let capacity = ZSTD_compressBound(raw.byteCount)
        return unsafe [UInt8](unsafeUninitializedCapacity: capacity) { target, count in
            // Sound: the target has the capacity, the source the bytes; neither is used after this closure.
            count = unsafe raw.withUnsafeBytes { source in
                unsafe ZSTD_compress2(context, target.baseAddress, capacity, source.baseAddress, source.count)
            }
            precondition(ZSTD_isError(count) == 0, "a frame fits its bound")
        }
    }
}

/// Turns frames into bytes, as they come in. One owner, one thread.
@safe
final class FrameDecompressor {
    private let context: OpaquePointer
    /// True where the stream may end: behind a whole frame, or before the first.
    private(set) var isBetweenFrames = true

    init() {
        guard let created = unsafe ZSTD_createDCtx() else { preconditionFailure("out of memory") }
        unsafe context = created
        // A frame that asks for more memory than any of ours is refused.
        unsafe ZSTD_DCtx_setParameter(context, ZSTD_d_windowLogMax, CompressedFrame.windowLogMax)
    }

    deinit { unsafe ZSTD_freeDCtx(context) }

    /// What one step came to.
    struct Step {
        /// How much of the input is used up.
        var used: Int
        /// How many of the target's first bytes were written.
        var made: Int
    }

    /// Decompresses as much as there is input for, or room.
    func decompress(_ input: RawSpan, into target: inout AlignedBuffer) throws(Corruption) -> Step {
        let capacity = target.byteCount
        var output = target.mutableSpan(of: UInt8.self)
        var step = Step(used: 0, made: 0)
        let result = unsafe output.withUnsafeMutableBytes { target in
            unsafe input.withUnsafeBytes { source in
                // Sound: the library reads `size` bytes of the input and writes at most `capacity` of the output, and
                // keeps neither pointer.
                var from = unsafe ZSTD_inBuffer(src: source.baseAddress, size: source.count, pos: 0)
                var to = unsafe ZSTD_outBuffer(dst: target.baseAddress, size: capacity, pos: 0)
                let result = unsafe ZSTD_decompressStream(context, &to, &from)
                step = unsafe Step(used: from.pos, made: to.pos)
                return result
            }
        }
        guard ZSTD_isError(result) == 0 else {
            // Sound: a static NUL-terminated text.
            let reason = unsafe String(cString: ZSTD_getErrorName(result))
            throw Corruption(offset: step.used, expected: "a whole zstd frame: \(reason)")
        }
        // 0 says that a frame has ended and all of it was handed out.
        if step.used > 0 || step.made > 0 { isBetweenFrames = result == 0 }
        return step
    }
}

// MARK: Decompression of blocks

/// A dictionary made ready for decompression. Never changed, so any number of threads use it at once.
@safe
final class DecompressionDictionary: @unchecked Sendable {
    // Sendable: the library only reads it.
    fileprivate let handle: OpaquePointer

    /// Nil where the bytes are no dictionary.
    init?(_ bytes: RawSpan) {
        // Sound: the library copies the bytes before the closure ends.
        let created = unsafe bytes.withUnsafeBytes { unsafe ZSTD_createDDict($0.baseAddress, $0.count) }
        guard let created = unsafe created else { return nil }
        unsafe handle = created
    }

    deinit { unsafe ZSTD_freeDDict(handle) }
}

/// What decompression needs of memory, about 150 KB. Held by one owner at a time.
@safe
final class DecompressionContext: @unchecked Sendable {
    // Sendable: it has no thread of its own, and only its owner reaches it.
    private let handle: OpaquePointer

    private init() {
        guard let created = unsafe ZSTD_createDCtx() else { preconditionFailure("out of memory") }
        unsafe handle = created
    }

    deinit { unsafe ZSTD_freeDCtx(handle) }

    /// Decompresses `stored` into the first bytes of `target`; says whether exactly `count` came out.
    func decompress(
        _ stored: RawSpan, dictionary: DecompressionDictionary?, into target: inout AlignedBuffer, count: Int
    ) -> Bool {
        precondition(count <= target.byteCount, "a block fits its buffer")
        var output = target.mutableSpan(of: UInt8.self)
        let got = unsafe output.withUnsafeMutableBytes { target in
            unsafe stored.withUnsafeBytes { source in
                // Sound: the target has `count` bytes or more, the source its own; neither is used after this closure.
                guard let dictionary else {
                    return unsafe ZSTD_decompressDCtx(handle, target.baseAddress, count, source.baseAddress, source.count)
                }
                return unsafe ZSTD_decompress_usingDDict(
                    handle, target.baseAddress, count, source.baseAddress, source.count, dictionary.handle)
            }
        }
        // An error is a number above any length.
        return got == count
    }

    // MARK: The pool

    private static let idle = Mutex<[DecompressionContext]>([])
    /// More than this are freed: it bounds what a burst of readers leaves behind.
    private static let idleMax = 16

    /// One that nobody uses, or a new one.
    static func take() -> DecompressionContext { idle.withLock { $0.popLast() } ?? DecompressionContext() }

    func giveBack() {
        DecompressionContext.idle.withLock { if $0.count < DecompressionContext.idleMax { $0.append(self) } }
    }
}
