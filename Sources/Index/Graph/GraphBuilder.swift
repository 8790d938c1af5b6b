// Builds the links between rows: neighbours met in leaves, thinned out so that those kept point in different directions.
import Memory
import Synchronization

/// The choices that a graph is built by.
struct GraphSettings: Sendable {
    /// Links of a row at most: two cache lines of them.
    var degree = 32
    /// Random partitions whose leaves are gone through at most.
    var partitionsMax = 16
    /// Another is worth it while one row in so many still meets a new one of its nearest: 6 rounds for images, 12 for texts.
    var rowsPerNew = 3
    /// Neighbours that a row takes from each of its leaves.
    var leafNeighbours = 30
    /// Neighbours kept of all leaves.
    var candidates = 64
}

/// Links over rows of codes. Distances are those of the codes, exact in integers, so equal seeds build equal graphs on any
/// number of threads.
struct GraphBuilder: Sendable {
    let points: CodePoints
    /// Where walks begin.
    let medoids: [UInt32]
    let settings: GraphSettings
    let workers: Workers
    let seed: UInt64

    /// Links from which every row can be reached from every medoid; nil where it was cancelled. O(rows · partitions · leaf · dimension).
    func links() -> CellBuffer<UInt32>? {
        let equal = EqualRows(points.rows, threads: workers.threads)
        guard let links = links(between: equal.distinct), addFarLinks(equal.distinct, to: links) else { return nil }
        equal.hang(into: links)
        var reachability = Reachability(points, links, medoids: medoids)
        reachability.complete()
        return links.cells
    }

    /// Links of near rows among those given; nil where it was cancelled.
    private func links(between rows: [UInt32]) -> LinkTable? {
        let candidates = nearest(rows)
        let forward = LinkTable(rows: points.count, degree: settings.degree)
        forEach(rows) { row, work in thin(row, candidates.sorted(row), into: forward, work) }
        if workers.isCancelled() { return nil }
        let links = LinkTable(rows: points.count, degree: settings.degree)
        let reverse = ReverseLinks(forward)
        forEach(rows) { row, work in join(row, forward, reverse.links(row), into: links, work) }
        return workers.isCancelled() ? nil : links
    }

    // MARK: Far links

    /// Links a part of the rows as if there were no others, and a part of that, and so on: where clusters lie so far apart that all
    /// neighbours of a row are in its own, these lead from one to another.
    private func addFarLinks(_ rows: [UInt32], to links: LinkTable) -> Bool {
        var random = SplitMix64(seed: seed &+ 7)
        let isMedoid = Set(medoids)
        // Rows as they are numbered in `graph`, and their names.
        var (ids, graph, names) = (rows, links, Array(0..<UInt32(points.count)))
        while ids.count > 2 * medoids.count + settings.degree {
            let part = Self.part(of: ids, graph, with: ids.filter { isMedoid.contains(names[Int($0)]) }, &random).map { names[Int($0)] }
            guard part.count < ids.count * 3 / 4 else { break }
            guard let far = self.links(amongOnly: part) else { return false }
            for (i, row) in part.enumerated() { add(far.used(i), of: part, to: links, Int(row)) }
            (ids, graph, names) = (Array(0..<UInt32(part.count)), far, part)
        }
        return true
    }

    /// One row of sixteen, the first (walks begin there), and more until two links lead from some of them to any row: so no
    /// cluster is without. Rising.
    private static func part(of ids: [UInt32], _ graph: LinkTable, with first: [UInt32], _ random: inout SplitMix64) -> [UInt32] {
        let (isCovered, isTaken) = (CellBuffer<Bool>(count: graph.rows), CellBuffer<Bool>(count: graph.rows))
        func cover(_ id: UInt32, links: Int) {
            isCovered.cells[Int(id)] = true
            guard links > 0 else { return }
            let used = graph.used(Int(id))
            for i in 0..<used.count { cover(used[i], links: links - 1) }
        }
        let order = first + ids.shuffled(using: &random)
        for (i, id) in order.enumerated() where i < first.count + ids.count / 16 || !isCovered.cells[Int(id)] {
            isTaken.cells[Int(id)] = true
            cover(id, links: 2)
        }
        return ids.filter { isTaken.cells[Int($0)] }
    }

    private func links(amongOnly rows: [UInt32]) -> LinkTable? {
        let copied = CopiedPoints(points, rows)
        var settings = settings
        (settings.partitionsMax, settings.degree) = (2, Self.farDegree)
        let level = GraphBuilder(points: copied.points, medoids: [], settings: settings, workers: workers, seed: seed &+ 8)
        return withExtendedLifetime(copied) { level.links(between: (0..<UInt32(rows.count)).map { $0 }) }
    }

    private static let farDegree = 16

    /// In place of the furthest where there is no room.
    private func add(_ far: Cells<UInt32>, of sample: [UInt32], to links: LinkTable, _ row: Int) {
        let used = links.used(row)
        var new: [UInt32] = []
        for i in 0..<far.count where !used.contains(sample[Int(far[i])]) { new.append(sample[Int(far[i])]) }
        let place = min(used.count, links.degree - new.count)
        for (i, other) in new.enumerated() { links.links(row)[place + i] = other }
    }

    private func forEach(_ rows: [UInt32], _ body: @escaping @Sendable (Int, ThinningRoom) -> Void) {
        workers.forEachBlock(rows.count, size: 256, room: { ThinningRoom(points, settings) }) { block, work in
            for i in block { body(Int(rows[i]), work) }
        }
    }

    // MARK: Neighbours

    /// The nearest rows that each row meets in the leaves of one partition after another, until hardly any is new.
    private func nearest(_ rows: [UInt32]) -> NeighbourTable {
        let table = NeighbourTable(rows: points.count, capacity: min(settings.candidates, max(1, rows.count - 1)))
        let partition = LeafPartition(points: points, workers: workers)
        for round in 0..<settings.partitionsMax where !workers.isCancelled() {
            // The largest first: the last to finish is then a small one.
            let leaves = partition.leaves(rows, seed: seed &+ UInt64(round) &* 0x1_0000_0001).sorted { $0.count > $1.count }
            let new = Counter()
            workers.forEach(leaves.count, room: { LeafRoom(points, settings) }) { leaf, room in new.add(room.meet(leaves[leaf], table)) }
            if leaves.count == 1 || new.value < rows.count / settings.rowsPerNew { break }
        }
        return table
    }

    // MARK: Thinning

    /// Keeps candidates, nearest first, that are nearer to the row than to any kept before (the rule of relative neighbourhoods);
    /// the nearest of the others fill what room is left, which makes walks shorter.
    private func thin(_ row: Int, _ candidates: Cells<UInt64>, into table: LinkTable, _ work: ThinningRoom) {
        let links = table.links(row)
        work.take(candidates, points)
        var count = 0
        while count < settings.degree, let kept = work.keepNext(points) {
            links[count] = kept
            count += 1
        }
        for place in 0..<candidates.count where count < settings.degree && work.isHidden(place) {
            links[count] = UInt32(truncatingIfNeeded: candidates[place])
            count += 1
        }
    }

    /// The row's own links and those of rows that link to it, thinned out again where they are too many.
    private func join(_ row: Int, _ forward: LinkTable, _ reverse: Cells<UInt32>, into table: LinkTable, _ work: ThinningRoom) {
        let own = forward.used(row)
        work.reserve(own.count + reverse.count)
        let all = work.ids.cells
        all.copy(own, at: 0)
        var count = own.count
        for i in 0..<reverse.count where !own.contains(reverse[i]) {
            all[count] = reverse[i]
            count += 1
        }
        let links = table.links(row)
        guard count > settings.degree else {
            links.copy(all.readOnly.part(0..<count), at: 0)
            return
        }
        let query = points.signed(row, into: work.query.cells)
        let (ids, dots, keys) = (all.readOnly.part(0..<count), work.dots.cells, work.keys.cells)
        CodeKernels.best.dots(query, points.rows, ids: ids, into: dots)
        for i in 0..<count { keys[i] = UInt64(points.norms[row] + points.norms[Int(ids[i])] - 2 * dots[i]) << 32 | UInt64(ids[i]) }
        keys.part(0..<count).sort()
        thin(row, keys.readOnly.part(0..<count), into: table, work)
    }
}

private final class Counter: Sendable {
    private let sum = Atomic(0)

    func add(_ number: Int) { sum.add(number, ordering: .relaxed) }
    var value: Int { sum.load(ordering: .relaxed) }
}

/// Room for thinning out one row's candidates at a time.
final class ThinningRoom {
    let query: CellBuffer<Int8>
    private(set) var dots = CellBuffer<Int32>(count: 0)
    private(set) var ids = CellBuffer<UInt32>(count: 0)
    private(set) var keys = CellBuffer<UInt64>(count: 0)
    /// Candidates neither kept nor hidden: row, place among the candidates, distance.
    private var leftIDs = CellBuffer<UInt32>(count: 0)
    private var leftPlaces = CellBuffer<UInt32>(count: 0)
    private var leftDistances = CellBuffer<Int32>(count: 0)
    private var left = 0
    private var hidden = CellBuffer<Bool>(count: 0)

    init(_ points: CodePoints, _ settings: GraphSettings) {
        query = CellBuffer(count: points.rows.stride)
        reserve(max(settings.candidates, settings.degree))
    }

    /// Rows in the middle of many others are linked to by very many.
    func reserve(_ count: Int) {
        guard ids.count < count else { return }
        dots = CellBuffer(count: 2 * count)
        ids = CellBuffer(count: 2 * count)
        keys = CellBuffer(count: 2 * count)
        leftIDs = CellBuffer(count: 2 * count)
        leftPlaces = CellBuffer(count: 2 * count)
        leftDistances = CellBuffer(count: 2 * count)
        hidden = CellBuffer(count: 2 * count)
    }

    func take(_ candidates: Cells<UInt64>, _ points: CodePoints) {
        left = candidates.count
        for place in 0..<left {
            leftIDs.cells[place] = UInt32(truncatingIfNeeded: candidates[place])
            leftPlaces.cells[place] = UInt32(place)
            leftDistances.cells[place] = Int32(candidates[place] >> 32)
            hidden.cells[place] = false
        }
        prefetchRows(points.rows.bytes, stride: points.rows.stride, bytes: points.rows.stride, ids: leftIDs.cells.readOnly.part(0..<left))
    }

    func isHidden(_ place: Int) -> Bool { hidden.cells[place] }

    /// Takes the nearest that is left; those nearer to it than to the row are hidden from then on.
    func keepNext(_ points: CodePoints) -> UInt32? {
        guard left > 0 else { return nil }
        let (ids, places, distances, dots, hidden) = (leftIDs.cells, leftPlaces.cells, leftDistances.cells, dots.cells, hidden.cells)
        let kept = ids[0]
        let others = ids.readOnly.part(1..<left)
        CodeKernels.best.dots(points.signed(Int(kept), into: query.cells), points.rows, ids: others, into: dots)
        let own = points.norms[Int(kept)]
        var still = 0
        for i in 0..<others.count {
            if own + points.norms[Int(others[i])] - 2 * dots[i] < distances[1 + i] {
                hidden[Int(places[1 + i])] = true
            } else {
                (ids[still], places[still], distances[still]) = (ids[1 + i], places[1 + i], distances[1 + i])
                still += 1
            }
        }
        left = still
        return kept
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
        // Sound: the elements are this view's own; nobody else uses them meanwhile.
        var elements = unsafe UnsafeMutableBufferPointer(start: address, count: count)
        unsafe elements.sort()
    }
}
