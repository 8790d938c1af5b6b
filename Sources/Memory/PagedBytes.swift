// What paged memory has in common when it is written to a file and read back: pages, and which of them are new.

/// Memory in pages that are replaced, never changed, once a copy of it is held: comparing two copies page by page tells what
/// changed between them, without anybody having kept a list.
package protocol PagedBytes {
    var pageCount: Int { get }
    /// Bytes of a page that this copy knows of.
    func usedBytes(ofPage number: Int) -> Int
    /// Whether both copies hold the very same page. Both must have it.
    func isSamePage(_ number: Int, as other: Self) -> Bool
    @_lifetime(borrow self)
    func pageBytes(_ number: Int) -> RawSpan
    /// Puts a page back: over an earlier one of that number, or as the next one.
    mutating func restorePage(_ number: Int, from bytes: RawSpan) throws(Corruption)
}

extension PagedBytes {
    /// The pages that an earlier copy lacks or has otherwise; all of them where there is none. O(pages).
    package func changedPages(since earlier: Self?) -> [Int] {
        guard let earlier else { return Array(0..<pageCount) }
        return (0..<pageCount).filter { number in
            number >= earlier.pageCount || !isSamePage(number, as: earlier) || usedBytes(ofPage: number) != earlier.usedBytes(ofPage: number)
        }
    }
}
