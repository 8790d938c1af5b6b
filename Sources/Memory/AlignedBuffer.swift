// Owned memory at cache-line alignment, lent out as spans.
#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// Zeroed bytes aligned to 64, freed when the owner goes. Large buffers come straight from the kernel,
/// which gives their pages zeroed and only when they are first touched.
@safe
package struct AlignedBuffer: ~Copyable, @unchecked Sendable {
    // Sendable: the pointer is uniquely owned, and mutation needs the owner mutably.
    private let base: UnsafeMutableRawPointer
    package let byteCount: Int

    /// Below this, zeroing by hand is cheaper than a mapping (one page fault costs about 0.25 us).
    private static let mappedBytesMin = 1 << 18

    package init(byteCount: Int) {
        precondition(byteCount > 0, "an empty buffer needs no memory")
        self.byteCount = byteCount
        if byteCount >= Self.mappedBytesMin {
            let mapped = unsafe mmap(nil, byteCount, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
            guard let mapped = unsafe mapped, unsafe mapped != MAP_FAILED else {
                preconditionFailure("out of memory: \(byteCount) bytes")
            }
            unsafe base = mapped
        } else {
            var allocated: UnsafeMutableRawPointer?
            let code = unsafe posix_memalign(&allocated, 64, byteCount)
            guard code == 0, let allocated = unsafe allocated else {
                preconditionFailure("out of memory: \(byteCount) bytes")
            }
            unsafe memset(allocated, 0, byteCount)
            unsafe base = allocated
        }
    }

    deinit {
        if byteCount >= Self.mappedBytesMin {
            unsafe munmap(base, byteCount)
        } else {
            unsafe free(base)
        }
    }

    package var bytes: RawSpan {
        @_lifetime(borrow self)
        get {
            // Sound: the memory is initialised (zeroed) and lives as long as self.
            let span = unsafe RawSpan(_unsafeStart: UnsafeRawPointer(base), byteCount: byteCount)
            return unsafe _overrideLifetime(span, borrowing: self)
        }
    }

    /// For `ColumnPage`, which outlives every use of it.
    var address: UnsafeRawPointer { unsafe UnsafeRawPointer(base) }

    /// Asks for pages of 2 MiB, of which fewer addresses have to be looked up. A wish: nothing depends on it.
    func adviseHugePages() {
        #if os(Linux)
        guard byteCount >= Self.hugePageBytes else { return }
        let start = unsafe UnsafeMutableRawPointer(bitPattern: (UInt(bitPattern: base) + 4095) & ~4095)
        // Sound: advice about memory that is ours; it changes no content.
        unsafe _ = madvise(start, byteCount - 4096, MADV_HUGEPAGE)
        #endif
    }

    private static let hugePageBytes = 2 << 20

    /// The buffer as elements of `T`, for which every bit pattern must be valid.
    @_lifetime(borrow self)
    package func span<T: BitwiseCopyable>(of type: T.Type) -> Span<T> {
        // Sound: 64-byte aligned, initialised, and sized by whole elements.
        let start = unsafe UnsafePointer<T>(OpaquePointer(base))
        let span = unsafe Span(_unsafeStart: start, count: byteCount / MemoryLayout<T>.stride)
        return unsafe _overrideLifetime(span, borrowing: self)
    }

    @_lifetime(&self)
    package mutating func mutableSpan<T: BitwiseCopyable>(of type: T.Type) -> MutableSpan<T> {
        // Sound: as above, and the owner is held mutably for as long as the span lives.
        let start = unsafe UnsafeMutablePointer<T>(OpaquePointer(base))
        let span = unsafe MutableSpan(_unsafeStart: start, count: byteCount / MemoryLayout<T>.stride)
        return unsafe _overrideLifetime(span, mutating: &self)
    }

    /// Overwrites the first bytes with those of another buffer.
    func copyStart(of other: borrowing AlignedBuffer, byteCount count: Int) {
        precondition(count >= 0 && count <= byteCount && count <= other.byteCount, "copies stay inside both buffers")
        // Sound: both are that large; the caller owns self alone.
        unsafe base.copyMemory(from: other.base, byteCount: count)
    }

    /// Overwrites the first bytes with borrowed ones.
    package mutating func copyStart(of source: RawSpan) {
        precondition(source.byteCount <= byteCount, "copies stay inside the buffer")
        // Sound: checked above; the owner is held mutably, so the span is of other memory.
        unsafe source.withUnsafeBytes { unsafe UnsafeMutableRawBufferPointer(start: base, count: byteCount).copyMemory(from: $0) }
    }

    /// Writes elements at an index that no reader has been told of yet.
    ///
    /// This is what lets one writer extend memory that readers hold: the caller promises that nobody reads
    /// `index..<index + elements.count` before the new count is published to them.
    func writeUnpublished<T: BitwiseCopyable>(_ elements: Span<T>, at index: Int) {
        let stride = MemoryLayout<T>.stride
        precondition(index >= 0 && (index + elements.count) * stride <= byteCount, "writes stay inside the buffer")
        unsafe elements.withUnsafeBytes { source in
            // Sound: bounds checked above; readers do not look here yet.
            guard let start = source.baseAddress else { return }
            unsafe (base + index * stride).copyMemory(from: start, byteCount: source.count)
        }
    }
}
