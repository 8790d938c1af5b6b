// Ties in what no walk would get to: rows that no row kept a link to, and clusters so far apart that they know nobody else.
import Memory

/// Sees to it that every row can be reached from every medoid, which is where walks begin.
///
/// A tree of links from the first medoid to every row is grown, and its links are never given up: a row that is not in it gets
/// a link from a near one that is, in place of one that is not part of the tree where there is no room. Not all links of all
/// rows can be the tree's, for it has fewer links than there are rows. Then every medoid gets a way to the first.
struct Reachability {
    private let points: CodePoints
    private let table: LinkTable
    private let medoids: [UInt32]
    private var root: UInt32 { medoids[0] }
    /// By row, the one whose link reaches it; `noLink` until there is one.
    private let parents: CellBuffer<UInt32>
    private let queue: CellBuffer<UInt32>
    private var search: NearSearch

    init(_ points: CodePoints, _ table: LinkTable, medoids: [UInt32]) {
        self.points = points
        self.table = table
        self.medoids = medoids
        parents = CellBuffer(count: table.rows)
        parents.cells.fill(VectorIndex.noLink)
        queue = CellBuffer(count: table.rows)
        search = NearSearch(points, table, medoids: medoids)
    }

    /// Returns how many links were made. O(rows · degree), and a short walk for each link made.
    @discardableResult
    mutating func complete() -> Int {
        var made = 0
        spread(from: root, through: root)
        for row in 0..<UInt32(table.rows) where !isReached(row) {
            let host = host(for: row)
            setLink(host, to: row)
            spread(from: row, through: host)
            made += 1
        }
        return made + openWaysHome()
    }

    // MARK: From the root

    private func isReached(_ row: UInt32) -> Bool { parents.cells[Int(row)] != VectorIndex.noLink }

    /// Takes a row and all that it leads to into the tree, nearest by links first.
    private func spread(from first: UInt32, through parent: UInt32) {
        parents.cells[Int(first)] = parent
        queue.cells[0] = first
        var (head, end) = (0, 1)
        while head < end {
            let row = queue.cells[head]
            head += 1
            let links = table.used(Int(row))
            for i in 0..<links.count where !isReached(links[i]) {
                parents.cells[Int(links[i])] = row
                queue.cells[end] = links[i]
                end += 1
            }
        }
    }

    /// A row of the tree, near, that can take one more link.
    private mutating func host(for row: UInt32) -> UInt32 {
        let parents = parents.cells
        let near = search.nearest(to: row) { parents[Int($0)] != VectorIndex.noLink }
        if let host = near.first(where: { place(in: $0) != nil }) { return host }
        // There is one: see above.
        return (0..<UInt32(table.rows)).first { isReached($0) && place(in: $0) != nil }!
    }

    /// Where a row's next link goes: the first free place, or the last whose link the tree can do without.
    private func place(in row: UInt32) -> Int? {
        let used = table.used(Int(row))
        if used.count < table.degree { return used.count }
        return (0..<used.count).last { parents.cells[Int(used[$0])] != row }
    }

    private func setLink(_ row: UInt32, to other: UInt32) {
        table.links(Int(row))[place(in: row)!] = other  // Asked before.
    }

    // MARK: To the root

    /// Returns how many links were made.
    private mutating func openWaysHome() -> Int {
        let reverse = ReverseLinks(table)
        let leadsHome = CellBuffer<UInt8>(count: table.rows)
        spreadBack(from: root, reverse, leadsHome.cells)
        var made = 0
        for medoid in medoids where leadsHome.cells[Int(medoid)] == 0 {
            let row = firstWithPlace(from: medoid)
            let home = search.nearest(to: row) { leadsHome.cells[Int($0)] != 0 }
            setLink(row, to: home.first ?? root)
            spreadBack(from: row, reverse, leadsHome.cells)
            made += 1
        }
        return made
    }

    private func spreadBack(from first: UInt32, _ reverse: ReverseLinks, _ leadsHome: MutableCells<UInt8>) {
        leadsHome[Int(first)] = 1
        queue.cells[0] = first
        var (head, end) = (0, 1)
        while head < end {
            let sources = reverse.links(Int(queue.cells[head]))
            head += 1
            for i in 0..<sources.count where leadsHome[Int(sources[i])] == 0 {
                leadsHome[Int(sources[i])] = 1
                queue.cells[end] = sources[i]
                end += 1
            }
        }
    }

    /// The first row on the ways from a medoid that can take one more link: mostly the medoid.
    private func firstWithPlace(from medoid: UInt32) -> UInt32 {
        var (seen, rows) = (Set([medoid]), [medoid])
        var next = 0
        while place(in: rows[next]) == nil {
            let links = table.used(Int(rows[next]))
            for i in 0..<links.count where seen.insert(links[i]).inserted { rows.append(links[i]) }
            next += 1
        }
        return rows[next]
    }
}

/// Walks along links for the rows nearest to a row.
private struct NearSearch {
    private let points: CodePoints
    private let table: LinkTable
    private let medoids: [UInt32]
    /// By row, the number of the search that came by last.
    private let seen: CellBuffer<UInt32>
    private var number: UInt32 = 0
    private let query: CellBuffer<Int8>
    private let keys = CellBuffer<UInt64>(count: Self.width + CandidatePool.spareKeys)
    private let fresh: CellBuffer<UInt32>
    private let dots: CellBuffer<Int32>
    private let distances: CellBuffer<Float>

    private static let width = 32

    init(_ points: CodePoints, _ table: LinkTable, medoids: [UInt32]) {
        self.points = points
        self.table = table
        self.medoids = medoids
        seen = CellBuffer(count: table.rows)
        query = CellBuffer(count: points.rows.stride)
        let room = medoids.count + table.degree
        fresh = CellBuffer(count: room)
        dots = CellBuffer(count: room)
        distances = CellBuffer(count: room)
    }

    /// The nearest of those that may be, nearest first. Rows that may be lead to others of their kind, or all may be passed by.
    mutating func nearest(to row: UInt32, where mayBe: (UInt32) -> Bool) -> [UInt32] {
        number += 1
        seen.cells[Int(row)] = number
        var pool = CandidatePool(keys: keys.cells, capacity: Self.width)
        let query = points.signed(Int(row), into: query.cells)
        offer(medoids.span, query, &pool, mayBe)
        offer(table.used(Int(row)).span, query, &pool, mayBe)
        while let next = pool.takeNext() { offer(table.used(Int(next)).span, query, &pool, mayBe) }
        return (0..<pool.count).map { CandidateKey.number(pool[$0]) }
    }

    private func offer(_ rows: Span<UInt32>, _ query: CodeQuery, _ pool: inout CandidatePool, _ mayBe: (UInt32) -> Bool) {
        var count = 0
        for i in rows.indices where seen.cells[Int(rows[i])] != number {
            seen.cells[Int(rows[i])] = number
            guard mayBe(rows[i]) else { continue }
            fresh.cells[count] = rows[i]
            count += 1
        }
        let ids = fresh.cells.readOnly.part(0..<count)
        CodeKernels.best.dots(query, points.rows, ids: ids, into: dots.cells)
        for i in 0..<count { distances.cells[i] = Float(points.norms[Int(ids[i])]) - 2 * Float(dots.cells[i]) }
        pool.offer(ids, distances.cells.readOnly, by: .best)
    }
}
