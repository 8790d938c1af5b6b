// Gathers byte strings into blocks, decides whether a dictionary is worth its bytes, and writes the blocks compressed.
import Memory

/// A packed column while it is written. The first blocks are held back as the sample that a dictionary is trained on.
struct PackedColumnWriter: ~Copyable {
    private let id: UInt32
    private let level: Int
    private var block = PackedBlockWriter()
    private var sample: PackedSample? = PackedSample()
    private var compressor: Compressor
    private var dictionary: [UInt8] = []
    private var compressed = AlignedBuffer(byteCount: ColumnFormat.packedBlockBytes)

    private var table = ByteWriter()
    private var blockCount = 0
    private var itemCount = 0
    private var storedBytes = 0
    private var rawBytes = 0

    init(id: UInt32, level: Int) {
        self.id = id
        self.level = level
        compressor = Compressor(level: level, dictionary: RawSpan())
    }

    mutating func append(_ item: RawSpan, to output: ColumnOutput) throws(DiskError) {
        precondition(item.byteCount <= ColumnFormat.itemBytesMax, "an item has 4 MiB at most")
        if !block.hasRoom(for: item.byteCount) { try endBlock(output) }
        block.append(item)
        rawBytes += item.byteCount
    }

    consuming func finish(to output: ColumnOutput) throws(DiskError) -> FinishedColumn {
        if block.itemCount > 0 { try endBlock(output) }
        try settle(output)
        let entry = ColumnEntry(
            id: id, shape: .packed, elementBytes: 0, blockCount: blockCount, count: itemCount, storedBytes: storedBytes,
            rawBytes: rawBytes, tableChecksum: Checksum.of(table.bytes), dictionaryBytes: dictionary.count,
            dictionaryChecksum: Checksum.of(dictionary.rawBytes))
        return FinishedColumn(entry: entry, table: table, dictionary: dictionary)
    }

    private mutating func endBlock(_ output: ColumnOutput) throws(DiskError) {
        let raw = block.finish()
        guard sample != nil else { return try write(raw.block.bytes, itemCount: raw.itemCount, to: output) }
        sample?.append(raw.block.bytes, itemCount: raw.itemCount)
        if sample?.isLargeEnough == true { try settle(output) }
    }

    /// Ends sampling: decides on the dictionary and writes what was held back.
    private mutating func settle(_ output: ColumnOutput) throws(DiskError) {
        guard let sample = sample.take() else { return }
        if let (trained, trainedCompressor) = sample.dictionary(level: level, against: compressor) {
            dictionary = trained
            compressor = trainedCompressor
        }
        for index in sample.blocks.indices {
            try write(sample.bytes(of: index), itemCount: sample.blocks[index].itemCount, to: output)
        }
    }

    private mutating func write(_ raw: RawSpan, itemCount: Int, to output: ColumnOutput) throws(DiskError) {
        if let count = compressor.compress(raw, into: &compressed) {
            let checksum = Checksum.of(compressed.bytes.extracting(first: count))
            record(storedBytes: count, rawBytes: raw.byteCount, checksum, itemCount: itemCount)
            try output.write(compressed.bytes.extracting(first: count))
        } else {
            record(storedBytes: raw.byteCount, rawBytes: raw.byteCount, Checksum.of(raw), itemCount: itemCount)
            try output.write(raw)
        }
    }

    private mutating func record(storedBytes blockBytes: Int, rawBytes: Int, _ checksum: UInt32, itemCount blockItems: Int) {
        precondition(itemCount + blockItems <= UInt32.max, "an item's number fits 32 bits")
        let entry = PackedBlock(
            offset: UInt64(storedBytes), firstItem: UInt32(itemCount), storedBytes: UInt32(blockBytes), rawBytes: UInt32(rawBytes),
            checksum: checksum)
        entry.write(to: &table)
        blockCount += 1
        storedBytes += blockBytes
        itemCount += blockItems
    }
}

/// The items of one block: where each ends, then all their bytes.
private struct PackedBlockWriter {
    private var ends = ByteWriter()
    private var bytes = ByteWriter()
    private(set) var itemCount = 0

    func hasRoom(for byteCount: Int) -> Bool {
        itemCount == 0 || ends.count + ColumnFormat.itemEndBytes + bytes.count + byteCount <= ColumnFormat.packedBlockBytes
    }

    mutating func append(_ item: RawSpan) {
        bytes.write(item)
        ends.write(UInt32(bytes.count))
        itemCount += 1
    }

    /// The block as it is compressed; the writer is empty afterwards.
    mutating func finish() -> (block: ByteWriter, itemCount: Int) {
        defer { self = PackedBlockWriter() }
        var block = ends
        block.write(bytes.bytes)
        return (block, itemCount)
    }
}

/// Blocks held back until it is known whether a dictionary pays.
private struct PackedSample {
    private var content = ByteWriter()
    private(set) var blocks: [(end: Int, itemCount: Int)] = []

    private static let bytesMax = 8 << 20
    /// A dictionary needs to be trained on many times its size: its authors advise a hundred.
    private static let bytesPerDictionaryByte = 64
    private static let dictionaryBytesMin = 1 << 10

    var isLargeEnough: Bool { content.count >= Self.bytesMax }

    mutating func append(_ raw: RawSpan, itemCount: Int) {
        content.reserve(raw.byteCount)
        content.write(raw)
        blocks.append((content.count, itemCount))
    }

    @_lifetime(borrow self)
    func bytes(of index: Int) -> RawSpan {
        content.bytes.extracting((index == 0 ? 0 : blocks[index - 1].end)..<blocks[index].end)
    }

    /// A dictionary, and what compresses with it, if it pays: trained on the first half of the blocks, it makes the second
    /// smaller by more than its own size. On blocks it has seen, even one of noise would seem to.
    func dictionary(level: Int, against plain: Compressor) -> (bytes: [UInt8], compressor: Compressor)? {
        let middle = blocks.count / 2
        let seen = content.bytes.extracting(first: middle == 0 ? 0 : blocks[middle - 1].end)
        let byteCountMax = min(ColumnFormat.dictionaryBytesMax, seen.byteCount / Self.bytesPerDictionaryByte)
        guard byteCountMax >= Self.dictionaryBytesMin else { return nil }
        let trained = Compressor.trainDictionary(
            on: seen, byteCounts: (0..<middle).map { bytes(of: $0).byteCount }, byteCountMax: byteCountMax)
        guard !trained.isEmpty else { return nil }
        let compressor = Compressor(level: level, dictionary: trained.rawBytes)
        let unseen = middle..<blocks.count
        let isWorthIt = compressedBytes(unseen, with: compressor) + trained.count < compressedBytes(unseen, with: plain)
        return isWorthIt ? (trained, compressor) : nil
    }

    private func compressedBytes(_ blocks: Range<Int>, with compressor: Compressor) -> Int {
        var scratch = AlignedBuffer(byteCount: ColumnFormat.packedBlockBytes)
        return blocks.reduce(0) { sum, index in
            let raw = bytes(of: index)
            return sum + (compressor.compress(raw, into: &scratch) ?? raw.byteCount)
        }
    }
}

extension [UInt8] {
    /// The bytes, lent.
    var rawBytes: RawSpan {
        // Sound: bytes have no invalid pattern.
        @_lifetime(borrow self) get { unsafe span.bytes }
    }
}
