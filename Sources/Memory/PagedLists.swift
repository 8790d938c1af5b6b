// Lists of numbers, each replaced as a whole, that one writer changes while readers keep what they saw.

/// Numbered lists with the sharing rules of `PagedColumn`: copying it is a snapshot, and pages tell what changed.
///
/// A list that is replaced leaves its old numbers behind; once those are more than all that count, everything is written anew. That
/// depends on what was set in which order alone, so that two histories alike give the same bytes.
@usableFromInline
package struct PagedLists: Sendable {
    /// By list: start << 32 | count.
    @usableFromInline package private(set) var ranges = PagedColumn<UInt64>()
    @usableFromInline package private(set) var numbers = PagedColumn<UInt32>()
    private var usedCount = 0
    /// Numbers left behind that are not worth writing the rest anew.
    private static let strayMin = 4096

    package init() {}

    /// Lists as they were stored; refuses what points outside.
    package init(ranges: PagedColumn<UInt64>, numbers: PagedColumn<UInt32>) throws(Corruption) {
        (self.ranges, self.numbers) = (ranges, numbers)
        for list in 0..<ranges.count {
            guard place(of: list).upperBound <= numbers.count else { throw Corruption(offset: list, expected: "a list within \(numbers.count) numbers") }
            usedCount += place(of: list).count
        }
        guard usedCount <= numbers.count else { throw Corruption(offset: 0, expected: "lists apart from one another") }
    }

    package var count: Int { ranges.count }
    package mutating func appendEmpty() { ranges.append(0) }

    package func count(of list: Int) -> Int { Int(ranges[list] & 0xFFFF_FFFF) }
    package subscript(list: Int) -> [UInt32] { place(of: list).map { numbers[$0] } }

    /// Visits a list's numbers in their order.
    @inline(__always)
    package func forEach(_ list: Int, _ body: (UInt32) -> Void) {
        for place in place(of: list) { body(numbers[place]) }
    }

    /// Whether a number of the list is such a one.
    @inline(__always)
    package func contains(_ list: Int, where condition: (UInt32) -> Bool) -> Bool {
        for place in place(of: list) where condition(numbers[place]) { return true }
        return false
    }

    /// Visits all lists in their order, each by runs of numbers that lie side by side: by one run, unless it goes on in another page. An empty
    /// list has none. For whoever reads everything: to find the page of each number by itself takes longer than to look at the number.
    @inlinable @inline(__always)
    package func forEachRun(_ body: (_ list: Int, _ numbers: Span<UInt32>) -> Void) {
        guard numbers.pageCount > 0 else { return }
        let (shift, mask) = (numbers.shift, numbers.pageCapacity - 1)
        var (number, page) = (0, numbers.page(0))
        for rangePage in 0..<ranges.pageCount {
            let (places, firstList) = (ranges.page(rangePage), rangePage << ranges.shift)
            for index in places.indices {
                var (start, left) = (Int(places[index] >> 32), Int(places[index] & 0xFFFF_FFFF))
                while left > 0 {
                    if start >> shift != number {
                        number = start >> shift
                        page = numbers.page(number)
                    }
                    let first = start & mask
                    let run = page.extracting(first..<min(first &+ left, page.count))
                    body(firstList &+ index, run)
                    (start, left) = (start &+ run.count, left &- run.count)
                }
            }
        }
    }

    /// Replaces a list. O(its length), and now and then O(all).
    package mutating func set(_ list: Int, to new: [UInt32]) {
        precondition(new.count <= Int(UInt32.max) && numbers.count + new.count <= Int(UInt32.max), "lists hold fewer than 2^32 numbers")
        usedCount += new.count - count(of: list)
        let start = new.isEmpty ? 0 : numbers.count
        for number in new { numbers.append(number) }
        ranges.set(list, to: UInt64(start) << 32 | UInt64(new.count))
        if numbers.count > 2 * usedCount + Self.strayMin { writeAnew() }
    }

    private mutating func writeAnew() {
        let old = numbers
        numbers = PagedColumn()
        for list in 0..<ranges.count {
            let place = place(of: list)
            guard !place.isEmpty else { continue }
            let start = numbers.count
            for index in place { numbers.append(old[index]) }
            ranges.set(list, to: UInt64(start) << 32 | UInt64(place.count))
        }
    }

    private func place(of list: Int) -> Range<Int> {
        let range = ranges[list]
        let start = Int(range >> 32)
        return start..<start + Int(range & 0xFFFF_FFFF)
    }

    package var byteCount: Int { ranges.byteCount + numbers.byteCount }
}
