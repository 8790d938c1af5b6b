// A growing table of equally long rows in pages, shared with readers like `PagedColumn`: how vectors are kept.

/// Rows of `width` elements, `pageRows` to a page, rows of a page side by side. Copying it is a snapshot.
package struct PagedRows<Element: BitwiseCopyable & Sendable>: Sendable {
    private var pages: [ColumnPage] = []
    package private(set) var count = 0
    package let width: Int
    /// Rows a page, a power of two.
    package let pageRows: Int

    package init(width: Int, pageRows: Int = 1024) {
        precondition(width > 0, "a row has elements")
        precondition(pageRows > 0 && pageRows & (pageRows - 1) == 0, "a page holds a power of two rows")
        self.width = width
        self.pageRows = pageRows
    }

    package var pageCount: Int { pages.count }

    /// Appends a row; elements missing at its end are zero.
    package mutating func append(_ row: Span<Element>) {
        precondition(row.count <= width, "a row is no longer than its table is wide")
        let local = count & (pageRows - 1)
        if local == 0 {
            pages.append(ColumnPage(byteCount: pageRows * width * MemoryLayout<Element>.stride))
        } else if pages[pages.count - 1].written != local {
            // Another copy of this table has already appended here: part ways.
            pages[pages.count - 1] = ColumnPage(copying: pages[pages.count - 1], keeping: local * width * MemoryLayout<Element>.stride)
        }
        let page = pages[pages.count - 1]
        // Pages begin zeroed and a place is written once, so a short row's end is zero already.
        page.buffer.writeUnpublished(row, at: local * width)
        page.written = local + 1
        count += 1
    }

    /// The rows of one page that this copy knows of, side by side.
    @_lifetime(borrow self)
    package func page(_ number: Int) -> Span<Element> {
        let rows = min(pageRows, count - number * pageRows)
        precondition(number >= 0 && rows > 0, "a page must lie within its table")
        // Sound: the page is initialised, aligned to 64 and as large as its capacity, and self holds it.
        let start = unsafe pages[number].base.assumingMemoryBound(to: Element.self)
        let span = unsafe Span(_unsafeStart: start, count: rows * width)
        return unsafe _overrideLifetime(span, borrowing: self)
    }

    /// The same for inner loops: valid for as long as a copy of this table is kept.
    @unsafe package func lentPage(_ number: Int) -> Cells<Element> {
        let rows = min(pageRows, count - number * pageRows)
        precondition(number >= 0 && rows > 0, "a page must lie within its table")
        // Sound: as above, but that the page outlives the view is the caller's promise.
        return unsafe Cells(start: pages[number].base.assumingMemoryBound(to: Element.self), count: rows * width)
    }

    /// One row of such a page.
    @unsafe package func lentRow(_ index: Int) -> Cells<Element> {
        let first = (index & (pageRows - 1)) * width
        // Sound: as above.
        return unsafe lentPage(index / pageRows).part(first..<first + width)
    }

    @_lifetime(borrow self)
    package func row(_ index: Int) -> Span<Element> {
        precondition(index >= 0 && index < count, "a row must lie within its table")
        let first = (index & (pageRows - 1)) * width
        return page(index / pageRows).extracting(first..<first + width)
    }

    package var byteCount: Int { pages.count * pageRows * width * MemoryLayout<Element>.stride }
}
