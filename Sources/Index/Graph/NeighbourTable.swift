// The nearest rows that each row has met so far.
import Memory

/// By row, at most `capacity` keys of distance and row, sorted.
final class NeighbourTable: Sendable {
    private let keys: CellBuffer<UInt64>
    private let counts: CellBuffer<UInt32>
    let capacity: Int

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

    /// Takes in rows met, sorted; returns how many of the nearest were not known before. `merged` has room for `capacity`.
    func merge(_ new: Cells<UInt64>, into row: Int, _ merged: MutableCells<UInt64>) -> Int {
        guard new.count > 0 else { return 0 }
        let old = sorted(row)
        var (a, b, count, unknown) = (0, 0, 0, 0)
        while count < capacity, a < old.count || b < new.count {
            // A row met twice has the same key twice, side by side.
            let key: UInt64
            if b == new.count || a < old.count && old[a] <= new[b] {
                key = old[a]
                if b < new.count, new[b] == key { b += 1 }
                a += 1
            } else {
                key = new[b]
                b += 1
                if count < Self.nearestCount { unknown += 1 }
            }
            merged[count] = key
            count += 1
        }
        keys.cells.copy(merged.readOnly.part(0..<count), at: row * capacity)
        counts.cells[row] = UInt32(count)
        return unknown
    }

    /// What is counted as nearest.
    static let nearestCount = 16
}
