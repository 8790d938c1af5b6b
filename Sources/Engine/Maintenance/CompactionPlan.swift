// Which segments are worth being made into one.

/// What the plan knows of a sealed part.
struct PartSize: Equatable {
    var byteCount: Int
    var rowCount: Int
    var liveCount: Int
    /// Heads are made into segments by checkpoints.
    var isSegment = true
    /// Damaged segments are not read; they can be let go once nothing in them is in force.
    var isReadable: Bool
    /// Chunk numbers covered.
    var chunks = 0..<0

    /// What would be left of it.
    var liveBytes: Int { rowCount == 0 ? 0 : byteCount / rowCount * liveCount }
}

/// Size-tiered compaction of neighbours: chunk numbers rise from part to part, and are to go on doing so.
enum CompactionPlan {
    /// So many segments of one size make one of the next: a chunk is rewritten once per factor of eight that its collection grows.
    static let fanIn = 8
    /// A segment is not made larger than this, which also bounds the space a compaction needs for a while.
    static let segmentBytesMax = 4 << 30
    private static let tierBytes = 1 << 20
    /// A segment counts its chunks with 32 bits from its first on. Numbers are not given again, so parts may lie further apart.
    static let chunksMax = Int(UInt32.max)

    /// The parts to rewrite as one; nil when all is well. Half-dead segments come first: they cost space and time for nothing.
    static func next(_ parts: [PartSize]) -> Range<Int>? {
        if let dead = parts.firstIndex(where: { $0.isSegment && $0.liveCount == 0 }) { return dead..<dead + 1 }
        if let wasteful = parts.firstIndex(where: { $0.isReadable && 2 * $0.liveCount < $0.rowCount }) { return wasteful..<wasteful + 1 }
        return tieredRun(parts)
    }

    /// For a person who asks for it: everything that can be joined is, and no dead row stays.
    static func optimal(_ parts: [PartSize]) -> Range<Int>? {
        firstRun(parts, from: 0) { $0.count > 1 || $0.count == 1 && parts[$0.lowerBound].liveCount < parts[$0.lowerBound].rowCount }
    }

    /// After a load in bulk: of what came with it, from this chunk on, everything that can be joined is.
    static func loaded(_ parts: [PartSize], since chunk: Int) -> Range<Int>? {
        firstRun(parts, from: parts.firstIndex { $0.chunks.lowerBound >= chunk } ?? parts.count) { $0.count > 1 }
    }

    private static func firstRun(_ parts: [PartSize], from first: Int, where condition: (Range<Int>) -> Bool) -> Range<Int>? {
        var start = first
        while start < parts.count {
            let run = run(parts, from: start)
            if condition(run) { return run }
            start = max(run.upperBound, start + 1)
        }
        return nil
    }

    /// The readable parts from `start` on that fit into one segment.
    private static func run(_ parts: [PartSize], from start: Int) -> Range<Int> {
        var end = start
        var bytes = 0
        while end < parts.count, parts[end].isReadable, end == start || bytes + parts[end].liveBytes <= segmentBytesMax && areNear(parts[start], parts[end]) {
            bytes += parts[end].liveBytes
            end += 1
        }
        return start..<end
    }

    /// The newest run of `fanIn` neighbours none of which is of a higher tier than its newest.
    private static func tieredRun(_ parts: [PartSize]) -> Range<Int>? {
        for last in parts.indices.reversed() where parts[last].isReadable {
            let limit = tier(parts[last].liveBytes)
            var first = last
            var bytes = parts[last].liveBytes
            while first > 0, parts[first - 1].isReadable, tier(parts[first - 1].liveBytes) <= limit, bytes + parts[first - 1].liveBytes <= segmentBytesMax,
                areNear(parts[first - 1], parts[last])
            {
                first -= 1
                bytes += parts[first].liveBytes
            }
            if last - first + 1 >= fanIn { return first..<last + 1 }
        }
        return nil
    }

    private static func areNear(_ first: PartSize, _ last: PartSize) -> Bool { last.chunks.upperBound - first.chunks.lowerBound <= chunksMax }

    private static func tier(_ bytes: Int) -> Int {
        var tier = 0
        var size = tierBytes
        while size < bytes {
            size *= fanIn
            tier += 1
        }
        return tier
    }
}
