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

    /// Whether one of its chunks has an access object of its own.
    var hasAccess: Bool {
        switch rows {
        case .memory(let rows): rows.access.count > 0
        case .segment(let segment): segment.hasAccess
        }
    }

    /// The access object that a chunk has of its own; 0 where it has none.
    func ownAccess(_ row: Int) throws(EngineError) -> UInt32 {
        switch rows {
        case .memory(let rows): rows.ownAccess(row)
        case .segment(let segment): try segment.ownAccess(row)
        }
    }

    var byteCount: Int {
        if case .memory(let rows) = rows { rows.byteCount } else { 0 }
    }
}

extension CollectionState {
    /// The sealed part that a chunk number belongs to, by binary search; nil where there is none any more.
    func sealedIndex(ofChunk chunk: Int) -> Int? {
        var low = 0
        var high = sealed.count - 1
        while low < high {
            let middle = (low + high + 1) / 2
            if sealed[middle].chunks.lowerBound <= chunk { low = middle } else { high = middle - 1 }
        }
        return low <= high && sealed[low].chunks.contains(chunk) ? low : nil
    }
}

/// A row of one part.
struct ChunkPlace: Equatable, Sendable {
    var part: Int
    var row: Int
}
