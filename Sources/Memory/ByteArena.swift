// Byte strings appended once and never changed: ids, titles and texts in memory.

/// Where a byte string lies in its arena. All zero means the empty string.
package struct ByteRange: BitwiseCopyable, Equatable, Sendable {
    package var page: UInt32 = 0
    package var offset: UInt32 = 0
    package var count: UInt32 = 0

    package init() {}
    init(page: Int, offset: Int, count: Int) {
        self.page = UInt32(page)
        self.offset = UInt32(offset)
        self.count = UInt32(count)
    }
}

/// An append-only store of byte strings with the sharing rules of `PagedColumn`: copying it is a snapshot.
package struct ByteArena: Sendable {
    private var pages: [ColumnPage] = []
    private var used = 0
    private let pageBytes: Int

    /// A string longer than `pageBytes` gets a page of its own.
    package init(pageBytes: Int = 1 << 16) { self.pageBytes = pageBytes }

    package mutating func append(_ bytes: RawSpan) -> ByteRange {
        guard bytes.byteCount > 0 else { return ByteRange() }
        precondition(bytes.byteCount <= UInt32.max, "a byte string's length must fit 32 bits")
        startPageUnlessFits(bytes.byteCount)
        let page = pages[pages.count - 1]
        page.buffer.writeUnpublished(Span<UInt8>(_bytes: bytes), at: used)
        let range = ByteRange(page: pages.count - 1, offset: used, count: bytes.byteCount)
        used += bytes.byteCount
        page.written = used
        return range
    }

    private mutating func startPageUnlessFits(_ count: Int) {
        if let last = pages.last, last.written == used, used + count <= last.buffer.byteCount { return }
        pages.append(ColumnPage(byteCount: max(pageBytes, count)))
        used = 0
    }

    @_lifetime(borrow self)
    package func bytes(_ range: ByteRange) -> RawSpan {
        guard range.count > 0 else { return RawSpan() }
        let page = pages[Int(range.page)]
        precondition(Int(range.offset) + Int(range.count) <= page.buffer.byteCount, "a range must lie within its arena")
        // Sound: checked above; self holds the page.
        let span = unsafe RawSpan(_unsafeStart: page.base + Int(range.offset), byteCount: Int(range.count))
        return unsafe _overrideLifetime(span, borrowing: self)
    }

    /// Asks for the bytes' memory, to be read a little later.
    package func prefetch(_ range: ByteRange) {
        guard range.count > 0 else { return }
        // Sound: nothing is read.
        unsafe Memory.prefetch(pages[Int(range.page)].base + Int(range.offset), byteCount: Int(range.count))
    }

    /// The text at `range`, which was validated as UTF-8 before it was appended.
    package func string(_ range: ByteRange) -> String {
        // Sound: read within the closure only. Decoded, not asserted: an arena may have come back from a file.
        unsafe bytes(range).withUnsafeBytes { unsafe String(decoding: $0, as: UTF8.self) }
    }

    /// Whether `range` lies within what has been appended: ranges read from a file are asked this before they are used.
    package func contains(_ range: ByteRange) -> Bool {
        if range.count == 0 { return range == ByteRange() }
        let page = Int(range.page)
        return page < pages.count && Int(range.offset) + Int(range.count) <= usedBytes(ofPage: page)
    }

    package var byteCount: Int { pages.reduce(0) { $0 + $1.buffer.byteCount } }
}

extension ByteArena: PagedBytes {
    package var pageCount: Int { pages.count }
    package func usedBytes(ofPage number: Int) -> Int { number + 1 == pages.count ? used : pages[number].written }
    package func isSamePage(_ number: Int, as other: Self) -> Bool { pages[number] === other.pages[number] }

    @_lifetime(borrow self)
    package func pageBytes(_ number: Int) -> RawSpan {
        let page = pages[number]
        // Sound: the page holds that many initialised bytes; self holds the page.
        let span = unsafe RawSpan(_unsafeStart: page.base, byteCount: usedBytes(ofPage: number))
        return unsafe _overrideLifetime(span, borrowing: self)
    }

    package mutating func restorePage(_ number: Int, from bytes: RawSpan) throws(Corruption) {
        guard number <= pages.count, bytes.byteCount > 0 else {
            throw Corruption(offset: 0, expected: "page \(number) of an arena, which has \(pages.count)")
        }
        let page = ColumnPage(byteCount: max(pageBytes, bytes.byteCount))
        page.buffer.writeUnpublished(Span<UInt8>(_bytes: bytes), at: 0)
        page.written = bytes.byteCount
        if number == pages.count { pages.append(page) } else { pages[number] = page }
        if number + 1 == pages.count { used = bytes.byteCount }
    }
}
