// Random partitions into leaves of rows that lie together: each is a chance for neighbours to meet.
import Memory
import Synchronization

/// Splits rows among random leaders, again and again, until every leaf is small.
struct LeafPartition: Sendable {
    let points: CodePoints
    let workers: Workers
    /// Rows of the largest leaf.
    static let leafRowsMax = 1000

    /// The leaves of one partition; every row is in one of them. Equal seeds give equal leaves.
    func leaves(_ rows: [UInt32], seed: UInt64) -> [[UInt32]] {
        guard rows.count > Self.leafRowsMax else { return [rows] }
        let groups = split(rows, seed: seed, workers)
        let found = LeafLists(count: groups.count)
        workers.forEach(groups.count) { found.set($0, leaves(of: groups[$0], seed: seed &+ UInt64($0) &+ 1)) }
        return found.all
    }

    private func leaves(of rows: [UInt32], seed: UInt64) -> [[UInt32]] {
        var (todo, leaves) = ([rows], [[UInt32]]())
        var next = seed &* 0x9e37_79b9
        while let group = todo.popLast() {
            if group.count <= Self.leafRowsMax { leaves.append(group) } else {
                next &+= 1
                todo += split(group, seed: next, Workers())
            }
        }
        return leaves
    }

    /// Each row to the nearest of a few random leaders; small groups are joined.
    private func split(_ rows: [UInt32], seed: UInt64, _ workers: Workers) -> [[UInt32]] {
        var random = SplitMix64(seed: seed)
        let leaderCount = min(64, max(4, rows.count * 2 / Self.leafRowsMax))
        let leaders = random.sample(leaderCount, below: rows.count).map { rows[$0] }
        let leaderCodes = CellBuffer<UInt8>(count: leaderCount * points.rows.stride)
        let leaderNorms = CellBuffer(leaders.map { points.norms[Int($0)] })
        for (i, leader) in leaders.enumerated() { leaderCodes.cells.copy(points.rows.row(Int(leader)), at: i * points.rows.stride) }
        let nearest = CellBuffer<UInt8>(count: rows.count)
        let leaderRows = CodeRows(bytes: leaderCodes.cells.readOnly, stride: points.rows.stride)
        workers.forEachBlock(rows.count, size: 4096) { block in assign(rows, block, leaderRows, leaderNorms.cells.readOnly, nearest.cells) }
        var groups = [[UInt32]](repeating: [], count: leaderCount)
        for (i, row) in rows.enumerated() { groups[Int(nearest.cells[i])].append(row) }
        return joined(groups, of: rows)
    }

    private func assign(_ rows: [UInt32], _ block: Range<Int>, _ leaders: CodeRows, _ leaderNorms: Cells<Int32>, _ nearest: MutableCells<UInt8>) {
        let query = CellBuffer<Int8>(count: points.rows.stride), dots = CellBuffer<Int32>(count: leaders.count)
        for i in block {
            let row = Int(rows[i])
            let signed = points.signed(row, into: query.cells)
            CodeKernels.best.dots(signed, leaders, 0..<leaders.count, into: dots.cells)
            var (best, bestDistance) = (0, Int32.max)
            for leader in 0..<leaders.count {
                let distance = leaderNorms[leader] - 2 * dots.cells[leader]
                if distance < bestDistance { (best, bestDistance) = (leader, distance) }
            }
            nearest[i] = UInt8(best)
        }
    }

    /// Groups too small to be worth a leaf together. Where all rows went to one leader (they are equal, say), the group is cut.
    private func joined(_ groups: [[UInt32]], of rows: [UInt32]) -> [[UInt32]] {
        var (result, small) = ([[UInt32]](), [UInt32]())
        for group in groups where !group.isEmpty {
            if group.count == rows.count { return stride(from: 0, to: rows.count, by: Self.leafRowsMax).map { Array(rows[$0..<min(rows.count, $0 + Self.leafRowsMax)]) } }
            guard group.count < Self.leafRowsMax / 8 else {
                result.append(group)
                continue
            }
            small += group
            if small.count > Self.leafRowsMax / 2 {
                result.append(small)
                small = []
            }
        }
        if !small.isEmpty { result.append(small) }
        return result
    }
}

/// Leaves by group, filled in by threads in any order.
private final class LeafLists: Sendable {
    private let lists: Mutex<[[[UInt32]]]>

    init(count: Int) { lists = Mutex([[[UInt32]]](repeating: [], count: count)) }
    func set(_ index: Int, _ leaves: [[UInt32]]) { lists.withLock { $0[index] = leaves } }
    var all: [[UInt32]] { lists.withLock { $0.flatMap { $0 } } }
}
