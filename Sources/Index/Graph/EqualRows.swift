// Rows with one and the same code: neighbours of each other that would crowd out all others.
import Memory
#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// Only the first of equal rows takes part in the making of a graph; the others hang on it.
///
/// Were all of them to take part, a few dozen equal rows would fill each other's links, and a walk would not get away from them.
struct EqualRows {
    /// Rising; of equal rows, the first.
    let distinct: [UInt32]
    /// By first row: the others, rising.
    private let others: [UInt32: [UInt32]]

    /// O(bytes of the rows).
    init(_ rows: CodeRows, threads: Int) {
        let checksums = CellBuffer<UInt32>(count: rows.count)
        Workers(threads: threads).forEachBlock(rows.count, size: 4096) { block in
            // Sound: the span's memory is the rows'.
            for row in block { checksums.cells[row] = unsafe Checksum.of(rows.row(row).span.bytes) }
        }
        // Open addressing: a free place ends a search.
        let placeCount = UInt32(2 * rows.count).nextPowerOfTwo
        let places = CellBuffer<UInt32>(count: Int(placeCount))
        places.cells.fill(VectorIndex.noLink)
        var (distinct, others) = ([UInt32](), [UInt32: [UInt32]]())
        distinct.reserveCapacity(rows.count)
        for row in 0..<rows.count {
            var place = Int(checksums.cells[row] & (placeCount - 1))
            while true {
                let first = places.cells[place]
                if first == VectorIndex.noLink {
                    places.cells[place] = UInt32(row)
                    distinct.append(UInt32(row))
                    break
                }
                if checksums.cells[Int(first)] == checksums.cells[row], rows.areEqual(Int(first), row) {
                    others[first, default: []].append(UInt32(row))
                    break
                }
                place = (place + 1) & Int(placeCount - 1)
            }
        }
        (self.distinct, self.others) = (distinct, others)
    }

    /// Links the others to the first and it to them, as a tree with as many branches as rows have links. The first, whose
    /// links lead elsewhere, gives up a few; of equally near rows the lowest comes first, so walks do go through it.
    func hang(into table: LinkTable) {
        for first in distinct {
            guard let equal = others[first] else { continue }
            let links = table.links(Int(first))
            let branches = min(equal.count, table.degree / 8)
            let place = min(table.used(Int(first)).count, table.degree - branches)
            for i in 0..<branches { links[place + i] = equal[i] }
            var next = branches
            for row in equal {
                let links = table.links(Int(row))
                links[0] = first
                let count = min(table.degree - 1, equal.count - next)
                for i in 0..<count { links[1 + i] = equal[next + i] }
                next += count
            }
        }
    }
}

extension CodeRows {
    func areEqual(_ a: Int, _ b: Int) -> Bool {
        // Sound: rows are `stride` bytes each.
        unsafe memcmp(row(a).address, row(b).address, stride) == 0
    }
}

extension UInt32 {
    /// The least power of two that is not less; the number is at most 2^31.
    var nextPowerOfTwo: UInt32 { self <= 1 ? 1 : 1 << UInt32(32 - (self - 1).leadingZeroBitCount) }
}
