// Builds the links between rows: neighbours met in leaves, thinned out so that those kept point in different directions.
import Memory

/// The choices that a graph is built by.
struct GraphSettings: Sendable {
    /// Links of a row at most: two cache lines of them.
    var degree = 32
    /// Random partitions whose leaves are gone through.
    var partitions: Int
    /// Neighbours that a row takes from each of its leaves.
    var leafNeighbours = 30
    /// Neighbours kept of all leaves.
    var candidates = 128
    /// Whether links that thinning would drop fill what room is left.
    var isFilled: Bool
}

/// Links over rows of codes, whose tails hold nothing yet. Distances are those of the codes, exact in integers, so equal
/// seeds build equal graphs on any number of threads.
struct GraphBuilder: Sendable {
    let codes: CodeRows
    /// Sums of squares and sums of each row's values.
    let norms: Cells<Int32>
    let sums: Cells<Int32>
    let settings: GraphSettings
    let threads: Int
    let seed: UInt64

    /// By row, `degree` links, the list ended early by `VectorIndex.noLink`. O(rows · partitions · leaf · dimension).
    func links() -> CellBuffer<UInt32> {
        let candidates = nearest()
        let forward = LinkTable(rows: codes.count, degree: settings.degree)
        let builder = self
        forEachBlockInParallel(codes.count, size: 256, threads: threads) { block in
            let work = PruneScratch(builder)
            for row in block { builder.prune(row, candidates.sorted(row), into: forward, work) }
        }
        let links = LinkTable(rows: codes.count, degree: settings.degree)
        let reverse = ReverseLinks(forward)
        forEachBlockInParallel(codes.count, size: 256, threads: threads) { block in
            let work = PruneScratch(builder)
            for row in block { builder.join(row, forward, reverse.links(row), into: links, work) }
        }
        return links.cells
    }

    // MARK: Neighbours

    /// The nearest rows that each row meets in the leaves.
    private func nearest() -> NeighbourTable {
        let table = NeighbourTable(rows: codes.count, capacity: min(settings.candidates, max(1, codes.count - 1)))
        let partition = LeafPartition(codes: codes, norms: norms, sums: sums, threads: threads)
        let builder = self
        for round in 0..<settings.partitions {
            let leaves = partition.leaves(seed: seed &+ UInt64(round) &* 0x1_0000_0001)
            // The largest first: the last to finish is then a small one.
            let ordered = leaves.sorted { $0.count > $1.count }
            forEachInParallel(ordered.count, threads: threads) { builder.meet(ordered[$0], table) }
            if leaves.count == 1 { break }
        }
        return table
    }

    /// All pairs of a leaf: each row's nearest go to its neighbours. A row is in one leaf of a partition, so no two threads
    /// write to one row.
    private func meet(_ leaf: [UInt32], _ table: NeighbourTable) {
        guard leaf.count > 1 else { return }
        let work = LeafScratch(leaf, codes: codes, norms: norms, sums: sums)
        let kernels = CodeKernels.best
        for first in stride(from: 0, to: leaf.count, by: 4) {
            let rows = first..<min(first + 4, leaf.count)
            kernels.pairDots(work.rows, rows, sums: work.sums.cells.readOnly, with: 0..<leaf.count, into: work.dots.cells, stride: leaf.count)
            for row in rows {
                let count = work.selectNear(row, dots: work.dots.cells.readOnly.part((row - first) * leaf.count..<(row - first + 1) * leaf.count),
                    wanted: settings.leafNeighbours, limit: table.limit(Int(leaf[row])))
                table.merge(work.found.part(0..<count), into: Int(leaf[row]), work.merged)
            }
        }
    }

    // MARK: Thinning

    /// Keeps candidates, nearest first, that are nearer to the row than to any kept before (the rule of relative neighbourhoods).
    private func prune(_ row: Int, _ candidates: Cells<UInt64>, into table: LinkTable, _ work: PruneScratch) {
        let links = table.links(row)
        var (count, skipped) = (0, 0)
        for i in 0..<candidates.count {
            let other = UInt32(truncatingIfNeeded: candidates[i])
            if count == settings.degree { break }
            if isHidden(other, at: Int32(candidates[i] >> 32), behind: links.readOnly.part(0..<count), work) {
                work.skipped[skipped] = other
                skipped += 1
            } else {
                links[count] = other
                count += 1
            }
        }
        if settings.isFilled {
            for i in 0..<min(skipped, settings.degree - count) { links[count + i] = work.skipped[i] }
            count = min(settings.degree, count + skipped)
        }
        for i in count..<settings.degree { links[i] = VectorIndex.noLink }
    }

    /// Whether a kept row is nearer to the candidate than the row itself is.
    private func isHidden(_ candidate: UInt32, at distance: Int32, behind kept: Cells<UInt32>, _ work: PruneScratch) -> Bool {
        guard kept.count > 0 else { return false }
        let query = codes.signed(Int(candidate), sum: sums[Int(candidate)], into: work.query.cells)
        let own = norms[Int(candidate)]
        // Four at a time: the nearest, which come first, hide most.
        for first in stride(from: 0, to: kept.count, by: 4) {
            let ids = kept.part(first..<min(first + 4, kept.count))
            CodeKernels.best.dots(query, codes, ids: ids, into: work.dots.cells)
            for i in 0..<ids.count where own + norms[Int(ids[i])] - 2 * work.dots.cells[i] < distance { return true }
        }
        return false
    }

    /// The row's own links and those of rows that link to it, thinned out again where they are too many.
    private func join(_ row: Int, _ forward: LinkTable, _ reverse: Cells<UInt32>, into table: LinkTable, _ work: PruneScratch) {
        let own = forward.links(row)
        var count = 0
        while count < settings.degree, own[count] != VectorIndex.noLink { count += 1 }
        work.reserve(count + reverse.count, self)
        let all = work.ids.cells
        all.copy(own.readOnly.part(0..<count), at: 0)
        let ownCount = count
        for i in 0..<reverse.count where !own.readOnly.part(0..<ownCount).contains(reverse[i]) {
            all[count] = reverse[i]
            count += 1
        }
        let links = table.links(row)
        guard count > settings.degree else {
            links.copy(all.readOnly.part(0..<count), at: 0)
            for i in count..<settings.degree { links[i] = VectorIndex.noLink }
            return
        }
        let query = codes.signed(row, sum: sums[row], into: work.query.cells)
        let (ids, dots, keys) = (all.readOnly.part(0..<count), work.dots.cells, work.keys.cells)
        CodeKernels.best.dots(query, codes, ids: ids, into: dots)
        for i in 0..<count { keys[i] = UInt64(norms[row] + norms[Int(ids[i])] - 2 * dots[i]) << 32 | UInt64(ids[i]) }
        keys.part(0..<count).sort()
        prune(row, keys.readOnly.part(0..<count), into: table, work)
    }
}

/// By row, the nearest rows met so far: keys of distance and row, sorted.
private final class NeighbourTable: Sendable {
    private let keys: CellBuffer<UInt64>
    private let counts: CellBuffer<UInt32>
    private let capacity: Int

    init(rows: Int, capacity: Int) {
        self.capacity = capacity
        keys = CellBuffer(count: rows * capacity)
        counts = CellBuffer(count: rows)
    }

    func sorted(_ row: Int) -> Cells<UInt64> { keys.cells.readOnly.part(row * capacity..<row * capacity + Int(counts.cells[row])) }

    /// No row at this distance or further is taken any more.
    func limit(_ row: Int) -> Int32 {
        Int(counts.cells[row]) == capacity ? Int32(keys.cells[(row + 1) * capacity - 1] >> 32) : .max
    }

    /// A row met twice has the same key twice, side by side.
    func merge(_ new: Cells<UInt64>, into row: Int, _ merged: MutableCells<UInt64>) {
        let old = sorted(row)
        var (a, b, count) = (0, 0, 0)
        while count < capacity, a < old.count || b < new.count {
            let key: UInt64
            if b == new.count || a < old.count && old[a] <= new[b] {
                key = old[a]
                if b < new.count, new[b] == key { b += 1 }
                a += 1
            } else {
                key = new[b]
                b += 1
            }
            merged[count] = key
            count += 1
        }
        keys.cells.copy(merged.readOnly.part(0..<count), at: row * capacity)
        counts.cells[row] = UInt32(count)
    }
}

/// A leaf's rows side by side, and room for their products.
private struct LeafScratch {
    private let leaf: [UInt32]
    private let codeBuffer: CellBuffer<UInt8>
    let rows: CodeRows
    let sums: CellBuffer<Int32>
    private let norms: CellBuffer<Int32>
    let dots: CellBuffer<Int32>
    private let indices: CellBuffer<UInt32>
    private let distances: CellBuffer<Int32>
    private let foundKeys: CellBuffer<UInt64>
    private let mergedKeys = CellBuffer<UInt64>(count: 1024)

    var found: Cells<UInt64> { foundKeys.cells.readOnly }
    var merged: MutableCells<UInt64> { mergedKeys.cells }

    init(_ leaf: [UInt32], codes: CodeRows, norms allNorms: Cells<Int32>, sums allSums: Cells<Int32>) {
        self.leaf = leaf
        codeBuffer = CellBuffer(count: leaf.count * codes.stride)
        sums = CellBuffer(count: leaf.count)
        norms = CellBuffer(count: leaf.count)
        for (i, row) in leaf.enumerated() {
            codeBuffer.cells.copy(codes.row(Int(row)), at: i * codes.stride)
            sums.cells[i] = allSums[Int(row)]
            norms.cells[i] = allNorms[Int(row)]
        }
        rows = CodeRows(bytes: codeBuffer.cells.readOnly, stride: codes.stride)
        dots = CellBuffer(count: 4 * leaf.count)
        indices = CellBuffer(count: leaf.count)
        distances = CellBuffer(count: leaf.count)
        foundKeys = CellBuffer(count: leaf.count + 1)
    }

    /// The nearest `wanted` rows of the leaf to one of them, nearer than `limit`, sorted, into `found`; returns how many.
    ///
    /// A limit read off a sample lets through little more than is wanted, so that choosing costs a pass over the products:
    /// selecting the nearest by comparison took more time than the products themselves.
    func selectNear(_ row: Int, dots: Cells<Int32>, wanted: Int, limit: Int32) -> Int {
        let own = norms.cells[row]
        let most = limit == .max ? Int32.max : limit &- own &- 1
        var tried = min(most, sampledLimit(dots, wanted: wanted))
        while true {
            let count = CodeKernels.best.selectNear(dots, norms: norms.cells.readOnly.part(0..<leaf.count), limit: tried, indices: indices.cells, distances: distances.cells)
            // Itself is among them.
            if count > wanted || tried == most { return keepNearest(wanted, of: count, except: row, own) }
            tried = most
        }
    }

    /// A number that somewhat more than `wanted` of the distances are below.
    private func sampledLimit(_ dots: Cells<Int32>, wanted: Int) -> Int32 {
        let count = dots.count
        let step = count / 64
        guard step > 0, wanted * 2 < count else { return .max }
        var sample = [64 of Int32](repeating: 0)
        for i in 0..<64 { sample[i] = norms.cells[i * step] - 2 * dots[i * step] }
        let rank = min(63, 64 * wanted / count + 64 * wanted / (2 * count) + 2)
        // The first of the sample, by selection: the rank is small.
        for place in 0...rank {
            var least = place
            for i in place + 1..<64 where sample[i] < sample[least] { least = i }
            (sample[place], sample[least]) = (sample[least], sample[place])
        }
        return sample[rank]
    }

    private func keepNearest(_ wanted: Int, of count: Int, except row: Int, _ own: Int32) -> Int {
        let keys = foundKeys.cells
        var kept = 0
        for i in 0..<count where Int(indices.cells[i]) != row {
            let key = UInt64(distances.cells[i] + own) << 32 | UInt64(leaf[Int(indices.cells[i])])
            if kept == wanted {
                guard key < keys[kept - 1] else { continue }
                kept -= 1
            }
            var (low, length) = (0, kept)
            while length > 0 {
                let half = (length + 1) / 2
                low = keys[low + half - 1] < key ? low + half : low
                length -= half
            }
            keys.moveUp(from: low, to: kept)
            keys[low] = key
            kept += 1
        }
        return kept
    }
}

/// By row, `degree` links.
private struct LinkTable: Sendable {
    let cells: CellBuffer<UInt32>
    let degree: Int
    let rows: Int

    init(rows: Int, degree: Int) {
        self.rows = rows
        self.degree = degree
        cells = CellBuffer(count: rows * degree)
    }

    func links(_ row: Int) -> MutableCells<UInt32> { cells.cells.part(row * degree..<(row + 1) * degree) }
}

/// Who links to each row.
private struct ReverseLinks: Sendable {
    private let starts: CellBuffer<UInt32>
    private let sources: CellBuffer<UInt32>

    init(_ table: LinkTable) {
        let count = table.rows
        starts = CellBuffer(count: count + 1)
        let links = table.cells.cells
        for i in 0..<links.count where links[i] != VectorIndex.noLink { starts.cells[Int(links[i]) + 1] += 1 }
        for row in 0..<count { starts.cells[row + 1] += starts.cells[row] }
        sources = CellBuffer(count: Int(starts.cells[count]))
        let next = CellBuffer<UInt32>(count: count)
        next.cells.copy(starts.cells.readOnly.part(0..<count), at: 0)
        for i in 0..<links.count where links[i] != VectorIndex.noLink {
            let target = Int(links[i])
            sources.cells[Int(next.cells[target])] = UInt32(i / table.degree)
            next.cells[target] += 1
        }
    }

    func links(_ row: Int) -> Cells<UInt32> { sources.cells.readOnly.part(Int(starts.cells[row])..<Int(starts.cells[row + 1])) }
}

/// Room for thinning out one row's candidates at a time.
private final class PruneScratch {
    let query: CellBuffer<Int8>
    private(set) var dots: CellBuffer<Int32>
    private(set) var ids: CellBuffer<UInt32>
    private(set) var keys: CellBuffer<UInt64>
    private var skippedIDs: CellBuffer<UInt32>
    var skipped: MutableCells<UInt32> { skippedIDs.cells }

    init(_ builder: GraphBuilder) {
        query = CellBuffer(count: builder.codes.stride)
        let count = max(builder.settings.candidates, builder.settings.degree) * 2
        dots = CellBuffer(count: count)
        ids = CellBuffer(count: count)
        keys = CellBuffer(count: count)
        skippedIDs = CellBuffer(count: count)
    }

    /// Rows in the middle of many others are linked to by very many.
    func reserve(_ count: Int, _ builder: GraphBuilder) {
        guard ids.count < count else { return }
        dots = CellBuffer(count: 2 * count)
        ids = CellBuffer(count: 2 * count)
        keys = CellBuffer(count: 2 * count)
        skippedIDs = CellBuffer(count: 2 * count)
    }
}

extension Cells where T: Equatable {
    func contains(_ value: T) -> Bool {
        for i in 0..<count where self[i] == value { return true }
        return false
    }
}

extension MutableCells where T: Comparable {
    func sort() {
        var elements = (0..<count).map { self[$0] }
        elements.sort()
        for i in 0..<count { self[i] = elements[i] }
    }
}
