// A column of byte strings in compressed blocks: reading one touches one block.
package import Memory

/// Byte strings of any length in a mapped file. A value that holds the file; any number of threads, each with its reader.
package struct PackedColumn: Sendable {
    fileprivate let store: PackedStore
    package let count: Int

    init(_ source: ColumnSource) {
        store = PackedStore(source)
        count = source.entry.count
    }

    /// The item of that index. One block is read, checked and decompressed, unless it is the one that `reader` holds.
    @_lifetime(&reader)
    package func read(_ index: Int, with reader: inout BlockReader) throws(Corruption) -> RawSpan {
        precondition(index >= 0 && index < count, "an item must lie within its column")
        if !reader.holds(index, of: store) { try reader.load(store, item: index) }
        return try reader.item(index)
    }

    /// Reads every byte again and decodes every item.
    func verify() throws(Corruption) {
        var reader = BlockReader()
        try reader.verify(store)
    }
}
