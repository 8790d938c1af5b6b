// A growing array in fixed pages that one writer extends and changes while readers keep what they saw.
import CKernels
import Synchronization

/// A column of plain values with value semantics at the price of a page.
///
/// Copying the struct is the way to take a snapshot: O(1), it shares all pages. Afterwards
/// - `append` writes into the shared last page, behind the end that any copy knows of: no page is copied;
/// - `set` copies the one page it touches, if a copy of the column still holds it.
///
/// One writer at a time; any number of readers on other threads, each with its own copy, none locking.
/// A copy learns of appended values only by being taken again, and handing it over is what orders the memory.
@frozen @usableFromInline
package struct PagedColumn<Element: BitwiseCopyable & Sendable>: Sendable {
    @usableFromInline package private(set) var pages: [ColumnPage] = []
    @usableFromInline package private(set) var count = 0
    /// Elements a page; a power of two, so that an index splits by shift and mask.
    @usableFromInline package let pageCapacity: Int
    @usableFromInline let shift: Int

    package init(pageCapacity: Int = 1024) {
        precondition(pageCapacity > 0 && pageCapacity & (pageCapacity - 1) == 0, "a page holds a power of two elements")
        self.pageCapacity = pageCapacity
        shift = pageCapacity.trailingZeroBitCount
    }

    @inlinable
    package subscript(index: Int) -> Element {
        precondition(index >= 0 && index < count, "an element must lie within its column")
        // Sound: the page holds pageCapacity initialised (zeroed) elements and outlives the load.
        return unsafe pages[index >> shift].load(index & (pageCapacity - 1), as: Element.self)
    }

    /// Asks for an element's memory, to be read a little later.
    @inlinable
    package func prefetch(_ index: Int) {
        precondition(index >= 0 && index < count, "an element must lie within its column")
        let stride = MemoryLayout<Element>.stride
        // By its address: to call the page itself is to count a reference, for which the processor waits until it has the page at hand.
        // Sound: checked above; nothing is read.
        unsafe Memory.prefetch(pages[index >> shift].base + (index & (pageCapacity - 1)) * stride, byteCount: stride)
    }

    /// How many pages have elements.
    @inlinable package var pageCount: Int { pages.count }

    /// The elements of one page that this copy of the column knows of.
    @inlinable
    @_lifetime(borrow self)
    package func page(_ number: Int) -> Span<Element> {
        let first = number << shift
        precondition(number >= 0 && first < count, "a page must lie within its column")
        // Sound: the page is initialised, aligned to 64 and as large as its capacity, and self holds it.
        let start = unsafe pages[number].base.assumingMemoryBound(to: Element.self)
        let span = unsafe Span(_unsafeStart: start, count: min(pageCapacity, count - first))
        return unsafe _overrideLifetime(span, borrowing: self)
    }

    package mutating func append(_ element: Element) {
        let one: [1 of Element] = [element]
        append(contentsOf: one.span)
    }

    /// Appends elements that end up side by side: they must fit the current page or start a new one,
    /// which rows do whose length divides the page.
    package mutating func append(contentsOf elements: Span<Element>) {
        let local = count & (pageCapacity - 1)
        precondition(local + elements.count <= pageCapacity, "one append stays within one page")
        if local == 0 {
            pages.append(ColumnPage(byteCount: pageCapacity * MemoryLayout<Element>.stride))
        } else if pages[count >> shift].written != local {
            // Another copy of this column has already appended here: part ways.
            pages[count >> shift] = ColumnPage(copying: pages[count >> shift])
        }
        let page = pages[count >> shift]
        page.buffer.writeUnpublished(elements, at: local)
        page.written = local + elements.count
        count += elements.count
    }

    /// Replaces one element; every copy taken before keeps the old one.
    package mutating func set(_ index: Int, to element: Element) {
        precondition(index >= 0 && index < count, "an element must lie within its column")
        let number = index >> shift
        if isKnownUniquelyReferenced(&pages[number]) { pages[number].restamp() } else { pages[number] = ColumnPage(copying: pages[number]) }
        let one: [1 of Element] = [element]
        pages[number].buffer.writeUnpublished(one.span, at: index & (pageCapacity - 1))
    }

    /// Bytes of memory held by the pages, shared ones included.
    package var byteCount: Int { pages.count * pageCapacity * MemoryLayout<Element>.stride }

    /// What tells a page's contents from what they were before and after, and from any other page's: two that have one stamp agree in
    /// the elements that both know of. So whoever has read a page can tell whether it is to be read again without keeping it from
    /// being changed in place, as a copy would.
    package func pageStamp(_ number: Int) -> UInt64 { pages[number].stamp }
}

extension PagedColumn: PagedBytes {
    package func usedBytes(ofPage number: Int) -> Int { min(pageCapacity, count - number << shift) * MemoryLayout<Element>.stride }
    package func isSamePage(_ number: Int, as other: Self) -> Bool { pages[number] === other.pages[number] }

    @_lifetime(borrow self)
    package func pageBytes(_ number: Int) -> RawSpan {
        // Sound: elements are plain values without padding that matters; the page is initialised to its end.
        unsafe page(number).bytes
    }

    package mutating func restorePage(_ number: Int, from bytes: RawSpan) throws(Corruption) {
        let stride = MemoryLayout<Element>.stride
        guard number <= pages.count, bytes.byteCount > 0, bytes.byteCount % stride == 0, bytes.byteCount <= pageCapacity * stride else {
            throw Corruption(offset: 0, expected: "page \(number) of a column with up to \(pageCapacity) elements of \(stride) bytes, found \(bytes.byteCount) bytes")
        }
        // Only the last page is ever short.
        guard number + 1 >= pages.count || bytes.byteCount == pageCapacity * stride else {
            throw Corruption(offset: 0, expected: "a full page \(number)")
        }
        guard number < pages.count || count == number << shift else { throw Corruption(offset: 0, expected: "a full page \(number - 1)") }
        let page = ColumnPage(byteCount: pageCapacity * stride)
        page.buffer.writeUnpublished(Span<UInt8>(_bytes: bytes), at: 0)
        page.written = bytes.byteCount / stride
        if number == pages.count { pages.append(page) } else { pages[number] = page }
        if number + 1 == pages.count { count = number << shift + page.written }
    }
}

/// One page: memory, and how many elements any copy of the column has put there.
@safe @usableFromInline
package final class ColumnPage: @unchecked Sendable {
    // Sendable: `buffer` is read below every reader's count and written above it; `written` is the writer's alone.
    let buffer: AlignedBuffer
    var written = 0
    /// Another one after each change of an element that was there. The writer's alone as long as it changes: others read pages that
    /// they have a copy of, and those are not changed.
    private(set) var stamp = ColumnPage.nextStamp()
    @usableFromInline let base: UnsafeRawPointer

    init(byteCount: Int) {
        buffer = AlignedBuffer(byteCount: byteCount)
        unsafe base = buffer.address
    }

    /// A page of the same size with the first `keeping` bytes of another, or all of them. What lies behind stays
    /// zero: it belongs to the copy that wrote it.
    convenience init(copying other: ColumnPage, keeping: Int? = nil) {
        self.init(byteCount: other.buffer.byteCount)
        buffer.copyStart(of: other.buffer, byteCount: keeping ?? other.buffer.byteCount)
        written = other.written
    }

    func restamp() { stamp = Self.nextStamp() }

    private static let stamps = Atomic<UInt64>(0)
    private static func nextStamp() -> UInt64 { stamps.add(1, ordering: .relaxed).newValue }

    /// The caller has checked the index against the page's capacity.
    @inlinable
    @unsafe func load<T: BitwiseCopyable>(_ index: Int, as type: T.Type) -> T {
        unsafe base.load(fromByteOffset: index * MemoryLayout<T>.stride, as: T.self)
    }
}

/// Asks for bytes' cache lines.
@usableFromInline
func prefetch(_ address: UnsafeRawPointer, byteCount: Int) {
    // Sound: asking for memory in advance reads nothing.
    unsafe nt_prefetch(address, byteCount)
}
