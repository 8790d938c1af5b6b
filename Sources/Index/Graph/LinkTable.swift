// Links in memory, by where they come from and by where they lead.
import Memory

/// By row, `degree` links, the list ended early by `VectorIndex.noLink`; none at first.
struct LinkTable: Sendable {
    let cells: CellBuffer<UInt32>
    let degree: Int
    let rows: Int

    init(rows: Int, degree: Int) {
        self.rows = rows
        self.degree = degree
        cells = CellBuffer(count: rows * degree)
        cells.cells.fill(VectorIndex.noLink)
    }

    /// All of a row's places.
    @inline(__always)
    func links(_ row: Int) -> MutableCells<UInt32> { cells.cells.part(row * degree..<(row + 1) * degree) }

    /// Those that lead somewhere.
    @inline(__always)
    func used(_ row: Int) -> Cells<UInt32> {
        let links = links(row).readOnly
        var count = 0
        while count < degree, links[count] != VectorIndex.noLink { count += 1 }
        return links.part(0..<count)
    }
}

/// Who links to each row.
struct ReverseLinks: Sendable {
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
