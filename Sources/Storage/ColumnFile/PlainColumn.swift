// A column read in place: elements of one size, checked block by block when they are first touched.
package import Memory

/// Elements of one size in a mapped file. A value that holds the file; any number of threads.
package struct PlainColumn: Sendable {
    private let store: PlainStore
    package let count: Int
    package let elementBytes: Int
    package let byteCount: Int

    init(_ source: ColumnSource) {
        store = PlainStore(source)
        count = source.entry.count
        elementBytes = source.entry.elementBytes
        byteCount = source.entry.storedBytes
    }

    /// Bytes of the column, whose first lies at a multiple of 64. The first touch of a block reads and checks all of its
    /// 64 KiB; afterwards a call costs a bit test for every block it touches.
    @_lifetime(borrow self)
    package func bytes(_ range: Range<Int>) throws(Corruption) -> RawSpan {
        precondition(range.lowerBound >= 0 && range.upperBound <= byteCount, "bytes must lie within their column")
        let store = store
        try store.touch(range)
        let span = store.bytes(range)
        // Sound: self holds the store, and that the mapping.
        return unsafe _overrideLifetime(span, borrowing: self)
    }

    /// The elements of a range, each as one or more of `T`: a column of rows of 384 floats hands out 384 for each of
    /// its elements. Any bit pattern must be a valid `T`.
    @_lifetime(borrow self)
    package func elements<T: BitwiseCopyable>(_ range: Range<Int>, as type: T.Type = T.self) throws(Corruption) -> Span<T> {
        precondition(elementBytes % MemoryLayout<T>.stride == 0, "an element is read as whole values")
        precondition(range.lowerBound >= 0 && range.upperBound <= count, "elements must lie within their column")
        let span = Span<T>(_bytes: try bytes(range.lowerBound * elementBytes..<range.upperBound * elementBytes))
        // Sound: as above.
        return unsafe _overrideLifetime(span, borrowing: self)
    }

    /// Makes sure that the elements of a range are whole, for whoever reads them through `lentElements`.
    package func touch(_ range: Range<Int>) throws(Corruption) {
        precondition(range.lowerBound >= 0 && range.upperBound <= count, "elements must lie within their column")
        try store.touch(range.lowerBound * elementBytes..<range.upperBound * elementBytes)
    }

    /// All elements for inner loops, valid for as long as the column's file is held. Nothing is checked: what was not touched
    /// before may be damaged.
    @unsafe package func lentElements<T: BitwiseCopyable>(as type: T.Type = T.self) -> Cells<T> {
        precondition(elementBytes % MemoryLayout<T>.stride == 0, "an element is read as whole values")
        return unsafe store.bytes(0..<byteCount).withUnsafeBytes { bytes in
            // Sound: a column begins at a multiple of 64 and stays mapped; any bit pattern is a valid value.
            unsafe Cells(start: bytes.baseAddress?.assumingMemoryBound(to: T.self), count: byteCount / MemoryLayout<T>.stride)
        }
    }

    /// All elements.
    @_lifetime(borrow self)
    package func elements<T: BitwiseCopyable>(as type: T.Type = T.self) throws(Corruption) -> Span<T> {
        let span = try elements(0..<count, as: type)
        // Sound: as above.
        return unsafe _overrideLifetime(span, borrowing: self)
    }

    /// Reads every byte again, whatever was checked before.
    func verify() throws(Corruption) { try store.verify() }
}

/// What all copies of a plain column share: its bytes, and which of them have been checked.
private final class PlainStore: Sendable {
    private let source: ColumnSource
    private let mapped: MappedBytes
    private let firstByte: Int
    /// A bit for each block found whole, and one behind them for the table. Two threads may check the same, harmlessly.
    private let verified: AtomicBitmap

    init(_ source: ColumnSource) {
        self.source = source
        mapped = source.mapped
        firstByte = source.place.data.lowerBound
        verified = AtomicBitmap(count: source.entry.blockCount + 1)
    }

    @_lifetime(borrow self)
    func bytes(_ range: Range<Int>) -> RawSpan {
        let mapped = mapped
        let span = mapped.bytes.extracting(firstByte + range.lowerBound..<firstByte + range.upperBound)
        // Sound: self holds the mapping.
        return unsafe _overrideLifetime(span, borrowing: self)
    }

    /// Makes sure that every block of the range was found whole.
    func touch(_ range: Range<Int>) throws(Corruption) {
        guard !range.isEmpty else { return }
        var block = range.lowerBound / ColumnFormat.plainBlockBytes
        let last = (range.upperBound - 1) / ColumnFormat.plainBlockBytes
        while block <= last {
            if !verified[block] { try checkOnce(block) }
            block += 1
        }
    }

    private func checkOnce(_ block: Int) throws(Corruption) {
        if !verified[source.entry.blockCount] { try checkTable() }
        try check(block)
        verified.set(block)
    }

    private func checkTable() throws(Corruption) {
        try source.check(source.place.table, source.entry.tableChecksum, "the block checksums")
        verified.set(source.entry.blockCount)
    }

    /// The table has been checked.
    private func check(_ block: Int) throws(Corruption) {
        let start = firstByte + block * ColumnFormat.plainBlockBytes
        let end = min(start + ColumnFormat.plainBlockBytes, source.place.data.upperBound)
        try source.check(start..<end, checksum(of: block), "block \(block)")
    }

    private func checksum(of block: Int) -> UInt32 {
        let source = source
        return Span<UInt32>(_bytes: source.bytes(source.place.table))[block]
    }

    func verify() throws(Corruption) {
        try checkTable()
        for block in 0..<source.entry.blockCount { try check(block) }
    }
}
