// One reader's view into packed columns: a decompressed block, and what it takes to decompress the next.
import Memory

/// Holds the block it read last, so that neighbours cost nothing. Takes its context from a pool and gives it back.
///
/// One thread at a time, and best one column at a time: another column's block takes the place of the one held.
/// It keeps the file of that block mapped. Memory: the context of 150 KB, and a buffer as large as the largest block met.
package struct BlockReader: ~Copyable, Sendable {
    /// Taken with the first block: most readers never see one.
    private var context: DecompressionContext?
    private var store: PackedStore?
    private var dictionary: DecompressionDictionary?
    private var buffer = AlignedBuffer(byteCount: 64)
    private var block = 0
    private var byteCount = 0
    /// The items of the block held; none before the first and after damage.
    private var items = 0..<0

    package init() {}

    deinit { context?.giveBack() }

    func holds(_ item: Int, of store: PackedStore) -> Bool { items.contains(item) && self.store === store }

    /// Brings in the block of an item.
    mutating func load(_ store: PackedStore, item: Int) throws(Corruption) {
        items = 0..<0
        if self.store !== store {
            dictionary = try store.prepare()
            self.store = store
        }
        try load(store.block(of: item), of: store)
    }

    /// The table was checked, and with it the block's lengths.
    private mutating func load(_ block: Int, of store: PackedStore) throws(Corruption) {
        items = 0..<0
        let source = store.source
        let entry = store.blocks[block]
        let start = source.place.data.lowerBound + Int(entry.offset)
        let range = start..<start + Int(entry.storedBytes)
        try source.check(range, entry.checksum, "block \(block)")
        byteCount = Int(entry.rawBytes)
        if buffer.byteCount < byteCount { buffer = AlignedBuffer(byteCount: max(byteCount, ColumnFormat.packedBlockBytes)) }
        guard decompress(source.bytes(range)) else { throw source.damage(at: start, "block \(block) of \(byteCount) bytes") }
        let found = store.items(of: block)
        guard end(found.count - 1) == byteCount - contentStart(found) else {
            throw source.damage(at: start, "items that fill block \(block)")
        }
        self.block = block
        items = found
    }

    /// Into the first `byteCount` bytes of the buffer.
    private mutating func decompress(_ stored: RawSpan) -> Bool {
        guard stored.byteCount < byteCount else {
            buffer.copyStart(of: stored)
            return true
        }
        let context = context ?? DecompressionContext.take()
        self.context = context
        return context.decompress(stored, dictionary: dictionary, into: &buffer, count: byteCount)
    }

    /// An item of the block held.
    @_lifetime(&self)
    mutating func item(_ index: Int) throws(Corruption) -> RawSpan {
        let local = index - items.lowerBound
        let start = local == 0 ? 0 : end(local - 1)
        let end = end(local)
        let content = contentStart(items)
        guard start <= end, end <= byteCount - content else {
            throw damage("item \(index) within block \(block)")
        }
        return buffer.bytes.extracting(content + start..<content + end)
    }

    /// Where an item of the block in the buffer ends, counted from the first item's first byte.
    private func end(_ local: Int) -> Int {
        Int(buffer.span(of: UInt32.self)[local])
    }

    private func contentStart(_ items: Range<Int>) -> Int { items.count * ColumnFormat.itemEndBytes }

    private func damage(_ expected: String) -> Corruption {
        guard let store else { preconditionFailure("a block that is held is some column's") }
        return store.source.damage(at: store.source.place.data.lowerBound + Int(store.blocks[block].offset), expected)
    }

    /// Reads every byte of a column again and finds every item.
    mutating func verify(_ store: PackedStore) throws(Corruption) {
        items = 0..<0
        self.store = nil
        dictionary = try store.check()
        self.store = store
        for block in store.blocks.indices {
            try load(block, of: store)
            for item in items { _ = try self.item(item) }
        }
    }
}
