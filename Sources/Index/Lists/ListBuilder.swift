// Which row goes into which list: k-means over all rows, and where they are many, once more over the rows of each group so found.
import Memory
import Synchronization

/// Rows in list order, where lists begin, and what stands in their middle.
struct Lists: Sendable {
    /// By position: the row's number among those that were given.
    fileprivate(set) var order: [UInt32]
    /// Where each list begins, and the number of rows behind the last.
    fileprivate(set) var starts: [UInt32]
    /// By list: the position of its middle row.
    fileprivate(set) var medoids: [UInt32]
    /// The first list of each group, and the number of lists behind the last; empty where one table holds all lists.
    fileprivate(set) var groupStarts: [UInt32] = []
    /// By group: the position of its middle row.
    fileprivate(set) var groupMedoids: [UInt32] = []

    /// What every search scores first: groups' medoids, or lists' where there are no groups.
    var tableMedoids: [UInt32] { groupMedoids.isEmpty ? medoids : groupMedoids }
}

/// Sorts rows into lists of about `settings.listRows`; into groups first where their table would be longer than `settings.tableMax`.
struct ListBuilder: Sendable {
    let count: Int
    let dimension: Int
    let settings: IndexSettings
    let workers: Workers
    /// Writes a row as the index sees it.
    let prepare: @Sendable (_ row: Int, _ out: MutableCells<Float>) -> Void

    /// nil where it was cancelled. O(count · table · dimension): within a group, rows are compared with its own lists alone.
    func lists(sample: Cells<Float>) -> Lists? {
        let wanted = max(1, count / settings.listRows)
        let table = min(wanted, settings.tableMax)
        let rows = min(sample.count / dimension, max(Self.sampleRowsMin, Self.centreRows * table))
        let centres = ListCentres(
            sample: sample.part(0..<rows * dimension), dimension: dimension, count: table, seed: settings.seed &+ 1, workers: workers)
        guard let groups = divide(Division(count), among: [centres]) else { return nil }
        guard wanted > table else { return Lists(order: groups.order, starts: groups.starts, medoids: groups.medoids) }
        guard let centres = self.centres(of: groups), let lists = divide(groups, among: centres) else { return nil }
        return lists.within(groups)
    }

    private static let sampleRowsMin = 4096
    /// Rows of a sample for each centre.
    private static let centreRows = 32

    /// The centres of each group's lists, found on a sample of its rows; nil where it was cancelled.
    private func centres(of groups: Division) -> [ListCentres]? {
        let found = FoundCentres(groups.count)
        let builder = self
        workers.forEach(groups.count) { group in found.set(group, builder.centres(of: group, groups)) }
        return workers.isCancelled() ? nil : found.all
    }

    private func centres(of group: Int, _ groups: Division) -> ListCentres {
        let positions = groups.positions(of: group)
        let wanted = max(1, min((positions.count + settings.listRows / 2) / settings.listRows, settings.tableMax))
        var random = SplitMix64(seed: settings.seed &+ 2 &+ UInt64(group))
        let chosen = random.sample(Self.centreRows * wanted, below: positions.count)
        let sample = CellBuffer<Float>(count: chosen.count * dimension)
        for (i, place) in chosen.enumerated() {
            prepare(Int(groups.order[positions.lowerBound + place]), sample.cells.part(i * dimension..<(i + 1) * dimension))
        }
        return withExtendedLifetime(sample) {
            ListCentres(
                sample: sample.cells.readOnly, dimension: dimension, count: wanted, seed: random.next(),
                workers: Workers(isCancelled: workers.isCancelled))
        }
    }

    /// Each list's rows among centres of its own; nil where it was cancelled.
    private func divide(_ lists: Division, among centres: [ListCentres]) -> Division? {
        let nearest = CellBuffer<UInt32>(count: count), distances = CellBuffer<Float>(count: count)
        // As if no centre were left without rows.
        var firstCentres = [0]
        for own in centres { firstCentres.append(firstCentres[firstCentres.count - 1] + own.count) }
        let (builder, firsts, most) = (self, firstCentres, centres.reduce(0) { max($0, $1.count) })
        // By block: one list may have most of the rows.
        workers.forEachBlock(count, size: ListCentres.blockRows, room: { ListRoom(builder.dimension, centres: most) }) { block, room in
            lists.forEachPart(of: block) { list, positions in
                let numbers = nearest.cells.part(positions)
                builder.assign(lists.order[positions], to: centres[list], into: numbers, distances.cells.part(positions), room)
                for i in 0..<numbers.count { numbers[i] += UInt32(firsts[list]) }
            }
        }
        return workers.isCancelled() ? nil : Division(lists.order, nearest, distances, count: firsts[centres.count])
    }

    /// The nearest centre of each row, and the squared distance from it.
    private func assign(
        _ rows: ArraySlice<UInt32>, to centres: ListCentres, into nearest: MutableCells<UInt32>, _ distances: MutableCells<Float>, _ room: ListRoom
    ) {
        let values = room.rows.cells.part(0..<rows.count * dimension)
        for (i, row) in rows.enumerated() { prepare(Int(row), values.part(i * dimension..<(i + 1) * dimension)) }
        centres.assign(values.readOnly, into: nearest, distances: distances, products: room.products.cells)
        for i in 0..<rows.count {
            distances[i] += Float(Kernels.best.sumOfSquares(values.part(i * dimension..<(i + 1) * dimension).span))
        }
    }
}

/// What a thread needs to assign a block.
private final class ListRoom {
    let rows: CellBuffer<Float>
    let products: CellBuffer<Float>

    init(_ dimension: Int, centres: Int) {
        rows = CellBuffer(count: ListCentres.blockRows * dimension)
        products = CellBuffer(count: ListCentres.blockRows * centres)
    }
}

private final class FoundCentres: Sendable {
    private let centres: Mutex<[ListCentres?]>

    init(_ count: Int) { centres = Mutex([ListCentres?](repeating: nil, count: count)) }
    func set(_ group: Int, _ found: ListCentres) { centres.withLock { $0[group] = found } }
    var all: [ListCentres] { centres.withLock { $0.compactMap { $0 } } }
}

/// Rows sorted by their lists, none of which is empty.
private struct Division: Sendable {
    /// By position: the row.
    let order: [UInt32]
    let starts: [UInt32]
    /// By list: the position of the row nearest to its centre.
    let medoids: [UInt32]

    var count: Int { starts.count - 1 }

    /// All rows in one list, their middle not sought.
    init(_ rows: Int) { (order, starts, medoids) = (Array(0..<UInt32(rows)), [0, UInt32(rows)], []) }

    /// Rows in the order of their centres' numbers, and of equal ones in the order they had. Centres that got none are left out.
    init(_ rows: [UInt32], _ nearest: CellBuffer<UInt32>, _ distances: CellBuffer<Float>, count: Int) {
        var all = [UInt32](repeating: 0, count: count + 1)
        for place in rows.indices { all[Int(nearest.cells[place]) + 1] += 1 }
        for list in 0..<count { all[list + 1] += all[list] }
        var (next, places) = (all, [UInt32](repeating: 0, count: rows.count))
        for place in rows.indices {
            let list = Int(nearest.cells[place])
            places[Int(next[list])] = UInt32(place)
            next[list] += 1
        }
        let used = (0..<count).filter { all[$0] < all[$0 + 1] }
        medoids = used.map { list in
            (all[list]..<all[list + 1]).min { distances.cells[Int(places[Int($0)])] < distances.cells[Int(places[Int($1)])] }!  // Not empty.
        }
        order = places.map { rows[Int($0)] }
        starts = used.map { all[$0] } + [UInt32(rows.count)]
    }

    func positions(of list: Int) -> Range<Int> { Int(starts[list])..<Int(starts[list + 1]) }

    /// Calls `body` for each list that has positions of the block, with those.
    func forEachPart(of block: Range<Int>, _ body: (_ list: Int, _ positions: Range<Int>) -> Void) {
        var (list, end) = (0, count)
        while list + 1 < end {
            let middle = (list + end) / 2
            if Int(starts[middle]) <= block.lowerBound { list = middle } else { end = middle }
        }
        while list < count, Int(starts[list]) < block.upperBound {
            body(list, positions(of: list).clamped(to: block))
            list += 1
        }
    }

    /// These lists as parts of the groups they were made from, whose rows are where they were but for their order.
    func within(_ groups: Division) -> Lists {
        var groupStarts: [UInt32] = []
        for (list, start) in starts.enumerated() where start == groups.starts[groupStarts.count] { groupStarts.append(UInt32(list)) }
        let groupMedoids = (0..<groups.count).map { group in
            let middle = groups.order[Int(groups.medoids[group])]
            return UInt32(order[groups.positions(of: group)].firstIndex(of: middle)!)  // The same rows.
        }
        return Lists(order: order, starts: starts, medoids: medoids, groupStarts: groupStarts, groupMedoids: groupMedoids)
    }
}
