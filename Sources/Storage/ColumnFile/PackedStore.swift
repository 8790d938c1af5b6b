// The blocks of a packed column as its table tells them, checked as a whole before the first is read.
import Memory
import Synchronization

/// What all readers of a packed column share.
final class PackedStore: Sendable {
    let source: ColumnSource
    /// Set once table and dictionary are found whole. Two threads may check them at the same time, harmlessly.
    private let checked = Mutex<Checked?>(nil)

    private struct Checked { let dictionary: DecompressionDictionary? }

    init(_ source: ColumnSource) { self.source = source }

    /// The dictionary of the column, if it has one. The first call reads the whole table: O(blocks).
    func prepare() throws(Corruption) -> DecompressionDictionary? {
        if let known = checked.withLock({ $0 }) { return known.dictionary }
        let found = Checked(dictionary: try check())
        checked.withLock { $0 = found }
        return found.dictionary
    }

    /// One entry per block; of use once they were checked.
    var blocks: Span<PackedBlock> {
        @_lifetime(borrow self)
        get {
            let source = source
            let span = Span<PackedBlock>(_bytes: source.bytes(source.place.table))
            // Sound: self holds the mapping.
            return unsafe _overrideLifetime(span, borrowing: self)
        }
    }

    /// The items of a block.
    func items(of block: Int) -> Range<Int> {
        let next = block + 1 < blocks.count ? Int(blocks[block + 1].firstItem) : source.entry.count
        return Int(blocks[block].firstItem)..<next
    }

    /// The block that holds an item of the column. O(log blocks).
    func block(of item: Int) -> Int {
        var low = 0
        var high = blocks.count
        while high - low > 1 {
            let middle = (low + high) / 2
            if blocks[middle].firstItem <= item { low = middle } else { high = middle }
        }
        return low
    }

    /// Checks table and dictionary, whatever was checked before: afterwards no entry leads out of the column.
    func check() throws(Corruption) -> DecompressionDictionary? {
        let source = source
        try source.check(source.place.table, source.entry.tableChecksum, "the block table")
        try checkEntries()
        guard source.entry.dictionaryBytes > 0 else { return nil }
        try source.check(source.place.dictionary, source.entry.dictionaryChecksum, "the dictionary")
        guard let dictionary = DecompressionDictionary(source.bytes(source.place.dictionary)) else {
            throw source.damage(at: source.place.dictionary.lowerBound, "a dictionary")
        }
        return dictionary
    }

    /// The blocks follow one another without a gap, in the data and in their items, and are no longer than blocks get.
    private func checkEntries() throws(Corruption) {
        var storedBytes = 0
        var rawBytes = 0
        var firstItem = 0
        for index in blocks.indices {
            let block = blocks[index]
            let itemEnd = index + 1 < blocks.count ? Int(blocks[index + 1].firstItem) : source.entry.count
            let endBytes = (itemEnd - firstItem) * ColumnFormat.itemEndBytes
            guard block.offset == storedBytes, block.firstItem == firstItem, itemEnd > firstItem,
                block.rawBytes >= endBytes, block.rawBytes <= ColumnFormat.packedBlockBytesMax,
                block.storedBytes > 0, block.storedBytes <= block.rawBytes
            else {
                throw source.damage(
                    at: source.place.table.lowerBound + index * ColumnFormat.packedTableEntryBytes, "a block behind the one before")
            }
            storedBytes += Int(block.storedBytes)
            rawBytes += Int(block.rawBytes) - endBytes
            firstItem = itemEnd
        }
        guard storedBytes == source.entry.storedBytes, rawBytes == source.entry.rawBytes else {
            throw source.damage(at: source.place.table.lowerBound, "blocks of \(source.entry.storedBytes) bytes")
        }
    }
}
