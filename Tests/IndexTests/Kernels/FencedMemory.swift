// Test memory between two pages that may not be touched: whoever reads one element too many crashes there.
#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// Room for `capacity` elements whose last one ends where a forbidden page begins; pages before are forbidden too.
@safe
struct FencedMemory<T: BitwiseCopyable>: ~Copyable {
    let capacity: Int
    private let mapping: UnsafeMutableRawPointer
    private let mappedBytes: Int
    private let start: UnsafeMutablePointer<T>

    init(capacity: Int) {
        let page = Int(sysconf(Int32(_SC_PAGESIZE)))
        let bytes = capacity * MemoryLayout<T>.stride
        let usable = (bytes + page - 1) / page * page
        self.capacity = capacity
        mappedBytes = usable + 2 * page
        let mapped = unsafe mmap(nil, mappedBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        guard let mapped = unsafe mapped, unsafe mapped != MAP_FAILED else { preconditionFailure("out of memory") }
        unsafe mapping = mapped
        unsafe mprotect(mapped, page, PROT_NONE)
        unsafe mprotect(mapped + page + usable, page, PROT_NONE)
        unsafe start = (mapped + page + usable - bytes).bindMemory(to: T.self, capacity: capacity)
    }

    /// The values, flush against the fence.
    init(_ values: [T]) {
        self.init(capacity: values.count)
        write(values, at: 0)
    }

    deinit { unsafe munmap(mapping, mappedBytes) }

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
