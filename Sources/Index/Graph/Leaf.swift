// A leaf: rows that lie together, each of which is compared with all others.
import Memory

/// Room for one leaf at a time: its rows side by side, and their products.
final class LeafRoom {
    private let points: CodePoints
    private var leaf: [UInt32] = []
    private let bytes: CellBuffer<UInt8>
    private let norms = CellBuffer<Int32>(count: LeafPartition.leafRowsMax)
    private let sums = CellBuffer<Int32>(count: LeafPartition.leafRowsMax)
    private let dots = CellBuffer<Int32>(count: 4 * LeafPartition.leafRowsMax)
    private let indices = CellBuffer<UInt32>(count: LeafPartition.leafRowsMax)
    private let distances = CellBuffer<Int32>(count: LeafPartition.leafRowsMax)
    private let found: CellBuffer<UInt64>
    private let merged: CellBuffer<UInt64>
    /// Neighbours that a row takes from a leaf.
    private let wanted: Int

    init(_ points: CodePoints, _ settings: GraphSettings) {
        self.points = points
        wanted = settings.leafNeighbours
        bytes = CellBuffer(count: LeafPartition.leafRowsMax * points.rows.stride)
        found = CellBuffer(count: settings.leafNeighbours)
        merged = CellBuffer(count: settings.candidates)
    }

    /// Each row's nearest in the leaf go to its neighbours; returns how many of the nearest are new. O(leaf^2 · dimension).
    func meet(_ leaf: [UInt32], _ table: NeighbourTable) -> Int {
        guard leaf.count > 1 else { return 0 }
        gather(leaf)
        var new = 0
        let rows = CodeRows(bytes: bytes.cells.readOnly, stride: points.rows.stride)
        let dots = dots.cells
        for first in stride(from: 0, to: leaf.count, by: 4) {
            let four = first..<min(first + 4, leaf.count)
            CodeKernels.best.pairDots(rows, four, sums: sums.cells.readOnly, with: 0..<leaf.count, into: dots, stride: leaf.count)
            for i in four {
                let products = dots.readOnly.part((i - first) * leaf.count..<(i - first + 1) * leaf.count)
                let row = Int(leaf[i])
                let count = selectNear(i, dots: products, limit: table.limit(row))
                new += table.merge(found.cells.readOnly.part(0..<count), into: row, merged.cells)
            }
        }
        return new
    }

    private func gather(_ leaf: [UInt32]) {
        self.leaf = leaf
        let stride = points.rows.stride
        for (i, row) in leaf.enumerated() {
            bytes.cells.copy(points.rows.row(Int(row)), at: i * stride)
            sums.cells[i] = points.sums[Int(row)]
            norms.cells[i] = points.norms[Int(row)]
        }
    }

    /// The nearest `wanted` rows of the leaf to one of them, nearer than `limit`, sorted, into `found`; returns how many.
    ///
    /// What a row has met before tells how near is near enough; before that, a limit read off a sample lets through little more
    /// than is wanted. Choosing is then one pass over the products: by comparisons it took more time than the products.
    private func selectNear(_ member: Int, dots: Cells<Int32>, limit: Int32) -> Int {
        let own = norms.cells[member]
        let norms = norms.cells.readOnly.part(0..<dots.count)
        let most = limit == .max ? Int32.max : limit &- own &- 1
        var tried = limit == .max ? sampledLimit(dots, norms) : most
        while true {
            let count = CodeKernels.best.selectNear(dots, norms: norms, limit: tried, indices: indices.cells, distances: distances.cells)
            // Itself is among them.
            if count > wanted || tried == most { return keepNearest(of: count, except: member, own) }
            tried = most
        }
    }

    /// A number that somewhat more than `wanted` of the distances are below.
    private func sampledLimit(_ dots: Cells<Int32>, _ norms: Cells<Int32>) -> Int32 {
        let count = dots.count
        let step = count / 64
        guard step > 0, wanted * 2 < count else { return .max }
        let last = min(15, 64 * wanted / count + 32 * wanted / count + 2)
        // The least so far, rising: few of the sample get in.
        var least = [16 of Int32](repeating: .max)
        for i in 0..<64 {
            let distance = norms[i * step] - 2 * dots[i * step]
            guard distance < least[last] else { continue }
            var place = last
            while place > 0, distance < least[place - 1] {
                least[place] = least[place - 1]
                place -= 1
            }
            least[place] = distance
        }
        return least[last]
    }

    private func keepNearest(of count: Int, except member: Int, _ own: Int32) -> Int {
        let (keys, indices, distances) = (found.cells, indices.cells.readOnly, distances.cells.readOnly)
        var kept = 0
        for i in 0..<count where Int(indices[i]) != member {
            let key = UInt64(distances[i] &+ own) << 32 | UInt64(leaf[Int(indices[i])])
            if kept == wanted {
                guard key < keys[kept - 1] else { continue }
                kept -= 1
            }
            var place = kept
            while place > 0, key < keys[place - 1] {
                keys[place] = keys[place - 1]
                place -= 1
            }
            keys[place] = key
            kept += 1
        }
        return kept
    }
}
