// A collection's chunks in parts: segments on disk, heads waiting to become one, and the head that grows.
import Memory

/// A run of chunk numbers that is kept in one place. Numbers are given once and rise from part to part; compaction leaves
/// gaps where chunks have gone, so a number says in which part a chunk lies and roughly where.
struct ChunkPart: Sendable {
    enum Rows: Sendable {
        case memory(HeadRows)
        case segment(Segment)
    }

    var rows: Rows
    /// How many of its chunks are in force.
    var liveCount: Int

    var chunks: Range<Int> {
        switch rows {
        case .memory(let rows): rows.firstChunk..<rows.endChunk
        case .segment(let segment): segment.chunks
        }
    }

    var rowCount: Int {
        switch rows {
        case .memory(let rows): rows.count
        case .segment(let segment): segment.rowCount
        }
    }

    var segment: Segment? {
        if case .segment(let segment) = rows { segment } else { nil }
    }

    var byteCount: Int {
        if case .memory(let rows) = rows { rows.byteCount } else { 0 }
    }
}

extension CollectionState {
    /// The sealed part that a chunk lies in, by binary search; a live one lies in some (`checkChunks`).
    func sealedIndex(ofChunk chunk: Int) -> Int? {
        var low = 0
        var high = sealed.count - 1
        while low < high {
            let middle = (low + high + 1) / 2
            if sealed[middle].chunks.lowerBound <= chunk { low = middle } else { high = middle - 1 }
        }
        return low <= high && sealed[low].chunks.contains(chunk) ? low : nil
    }

    /// Every live document's chunks lie in one of the parts. Asked once the log has been replayed: compaction leaves out what is
    /// not in force any more, and the log behind the last checkpoint is where it went. O(documents).
    func checkChunks() throws(Corruption) {
        for number in 0..<documents.count where documents.isLive(number) {
            let row = documents.rows[number]
            guard row.chunkCount > 0, row.firstChunk < UInt64(head.firstChunk) else { continue }
            let end = Int(row.firstChunk) + Int(row.chunkCount)
            guard let part = sealedIndex(ofChunk: Int(row.firstChunk)), end <= sealed[part].chunks.upperBound else {
                throw Corruption(
                    file: "manifest", offset: 0,
                    expected: "a segment of \(schema.name) with the chunks \(row.firstChunk)..<\(end) of document \(number)")
            }
        }
    }
}

/// A row of one part.
struct ChunkPlace: Equatable, Sendable {
    var part: Int
    var row: Int
}
