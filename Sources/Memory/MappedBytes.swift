// The bytes of a file where the kernel keeps them: mapped once, lent out as spans, given back by the last owner.
#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// Read-only bytes that stay mapped while the object lives. They begin on a page.
///
/// Whoever maps a file promises that it is neither changed nor cut short: reading a page that is gone ends the process.
@safe @usableFromInline
package final class MappedBytes: @unchecked Sendable {
    // Sendable: nobody writes to the memory, and deinit alone gives it back.
    @usableFromInline let base: UnsafeRawPointer?
    @usableFromInline package let byteCount: Int

    /// Takes over a mapping of `byteCount` bytes that nobody else unmaps or writes to.
    @unsafe package init(adopting base: UnsafeRawPointer, byteCount: Int) {
        precondition(byteCount > 0, "a mapping has bytes")
        unsafe self.base = base
        self.byteCount = byteCount
    }

    /// A copy in pages of its own, which are as read-only as a file's: for disks that have no file to map.
    package init(copying bytes: RawSpan) {
        byteCount = bytes.byteCount
        guard byteCount > 0 else {
            unsafe base = nil
            return
        }
        let mapped = unsafe mmap(nil, byteCount, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        guard let mapped = unsafe mapped, unsafe mapped != MAP_FAILED else {
            preconditionFailure("out of memory: \(byteCount) bytes")
        }
        // Sound: both are that large, and the mapping is new.
        unsafe bytes.withUnsafeBytes { unsafe UnsafeMutableRawBufferPointer(start: mapped, count: $0.count).copyMemory(from: $0) }
        let code = unsafe mprotect(mapped, byteCount, PROT_READ)
        precondition(code == 0, "a mapping's rights can be narrowed")
        unsafe base = UnsafeRawPointer(mapped)
    }

    deinit {
        if let base = unsafe base { unsafe munmap(UnsafeMutableRawPointer(mutating: base), byteCount) }
    }

    @inlinable package var bytes: RawSpan {
        @_lifetime(borrow self)
        get {
            guard let base = unsafe base else { return RawSpan() }
            // Sound: that many bytes are mapped for as long as self lives.
            let span = unsafe RawSpan(_unsafeStart: base, byteCount: byteCount)
            return unsafe _overrideLifetime(span, borrowing: self)
        }
    }
}
