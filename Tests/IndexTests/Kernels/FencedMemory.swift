// Test memory between two pages that may not be touched: whoever reads one element too many crashes there.
#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif
import Memory

/// Pages that may be touched, between two that may not.
@safe
final class FencedPages {
    private let mapping: UnsafeMutableRawPointer
    private let mappedBytes: Int
    /// Where the forbidden page behind begins.
    let end: UnsafeMutableRawPointer

    init(bytes: Int) {
        let page = Int(sysconf(Int32(_SC_PAGESIZE)))
        let usable = (bytes + page - 1) / page * page
        mappedBytes = usable + 2 * page
        let mapped = unsafe mmap(nil, mappedBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        guard let mapped = unsafe mapped, unsafe mapped != MAP_FAILED else { preconditionFailure("out of memory") }
        unsafe mapping = mapped
        unsafe end = mapped + page + usable
        unsafe mprotect(mapped, page, PROT_NONE)
        unsafe mprotect(end, page, PROT_NONE)
    }

    deinit { unsafe munmap(mapping, mappedBytes) }
}

/// Room for `capacity` elements whose last one ends where a forbidden page begins; pages before are forbidden too.
@safe
struct FencedMemory<T: BitwiseCopyable>: ~Copyable {
    let capacity: Int
    private let pages: FencedPages
    private let start: UnsafeMutablePointer<T>

    init(capacity: Int) {
        let bytes = capacity * MemoryLayout<T>.stride
        self.capacity = capacity
        pages = FencedPages(bytes: bytes)
        unsafe start = (pages.end - bytes).bindMemory(to: T.self, capacity: capacity)
    }

    /// The values, flush against the fence.
    init(_ values: [T]) {
        self.init(capacity: values.count)
        write(values, at: 0)
    }

    mutating func write(_ values: [T], at index: Int) {
        precondition(index >= 0 && index + values.count <= capacity)
        guard !values.isEmpty else { return }
        // Sound: bounds checked above.
        unsafe values.withUnsafeBufferPointer { unsafe (start + index).update(from: $0.baseAddress!, count: $0.count) }
    }

    /// The elements from `index` on.
    @_lifetime(borrow self)
    func span(from index: Int, count: Int) -> Span<T> {
        precondition(index >= 0 && count >= 0 && index + count <= capacity)
        // Sound: bounds checked above; mapped memory is initialised.
        let span = unsafe Span(_unsafeStart: start + index, count: count)
        return unsafe _overrideLifetime(span, borrowing: self)
    }

    @_lifetime(&self)
    mutating func mutableSpan(from index: Int, count: Int) -> MutableSpan<T> {
        precondition(index >= 0 && count >= 0 && index + count <= capacity)
        // Sound: as above, and self is held mutably.
        let span = unsafe MutableSpan(_unsafeStart: start + index, count: count)
        return unsafe _overrideLifetime(span, mutating: &self)
    }

    /// The last `count` elements: the ones that touch the fence.
    @_lifetime(borrow self)
    func last(_ count: Int) -> Span<T> { span(from: capacity - count, count: count) }

    @_lifetime(&self)
    mutating func mutableLast(_ count: Int) -> MutableSpan<T> { mutableSpan(from: capacity - count, count: count) }
}

/// Fenced memory for kernels that take cells: all of it is there until the object goes.
@safe
final class Fences {
    private var pages: [FencedPages] = []

    /// The values, so many bytes before a fence; what lies between is of no good to anybody.
    func cells<T>(_ values: [T], gap: Int = 0) -> Cells<T> {
        let room = room(values.count, of: T.self, gap: gap)
        for (place, value) in values.enumerated() { room[place] = value }
        return room.readOnly
    }

    /// Room for so many elements, its bytes all ones.
    func room<T>(_ count: Int, of type: T.Type, gap: Int = 0) -> MutableCells<T> {
        let bytes = count * MemoryLayout<T>.stride
        let fenced = FencedPages(bytes: bytes + gap)
        pages.append(fenced)
        // Sound: the pages have so many bytes before their end, and are kept.
        unsafe memset(fenced.end - bytes - gap, 0xff, bytes + gap)
        return unsafe MutableCells(start: (fenced.end - bytes - gap).bindMemory(to: T.self, capacity: count), count: count)
    }
}

func withFences(_ body: (Fences) throws -> Void) rethrows {
    let fences = Fences()
    try withExtendedLifetime(fences) { try body(fences) }
}
