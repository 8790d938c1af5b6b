// The best candidates of a search so far, sorted, each marked once its links have been followed.
import CKernels
import Memory

/// A candidate in 64 bits: the distance's order-preserving image above, then the number, and the mark last, where it does not
/// change the order.
enum CandidateKey {
    static let mark = UInt64(NT_POOL_MARK)
    /// Numbers are below this.
    static let numberEnd = 1 << 31

    @inline(__always)
    static func make(_ distance: Float, _ number: UInt32) -> UInt64 { nt_candidate_key(distance, number) }

    @inline(__always)
    static func number(_ key: UInt64) -> UInt32 { UInt32(truncatingIfNeeded: key) >> 1 }

    @inline(__always)
    static func distance(_ key: UInt64) -> Float { nt_candidate_distance(key) }
}

/// At most `capacity` keys, nearest first. An insertion moves what lies behind it: for the few dozen that a walk keeps,
/// cheaper than a heap, and the next one to follow is found by stepping on.
@safe
struct CandidatePool {
    private let keys: MutableCells<UInt64>
    private var pool: nt_pool

    /// Keys that a pool needs room for beyond its capacity.
    static let spareKeys = 8

    init(keys: MutableCells<UInt64>, capacity: Int) {
        assert(capacity > 0 && keys.count >= capacity + Self.spareKeys, "a pool has room for what it keeps")
        self.keys = keys
        unsafe pool = nt_pool(keys: keys.address, capacity: capacity, count: 0, next: 0)
    }

    var count: Int { unsafe pool.count }
    subscript(_ place: Int) -> UInt64 { keys[place] }

    /// Takes in what is nearer than what it has; asks for the links of what will be followed soon.
    @inline(__always)
    mutating func offer(_ ids: Cells<UInt32>, _ distances: MutableCells<Float>, links: Cells<UInt32>, degree: Int, by kernels: CodeKernels) {
        assert(ids.count <= Int(NT_POOL_BATCH_MAX) && distances.count >= ids.count, "candidates come a few at a time, with their distances")
        guard ids.count > 0 else { return }
        // Sound: the pool's keys have room; numbers are positions, which have links.
        unsafe kernels.table.pointee.offer(&pool, ids.address, distances.address, ids.count, links.address, degree)
    }

    /// The same without links.
    @inline(__always)
    mutating func offer(_ ids: Cells<UInt32>, _ distances: Cells<Float>, by kernels: CodeKernels) {
        for first in stride(from: 0, to: ids.count, by: Int(NT_POOL_BATCH_MAX)) {
            let count = min(Int(NT_POOL_BATCH_MAX), ids.count - first)
            // Sound: as above.
            unsafe kernels.table.pointee.offer(&pool, ids.address + first, distances.address + first, count, nil, 0)
        }
    }

    /// Asks for the rows that the nearest candidate not yet followed leads to. Mostly it is followed next, and its rows have then
    /// come while those of the one before were waited for: an eighth of a walk's time (96,000 x 384).
    @inline(__always)
    func prefetchAhead(_ links: Cells<UInt32>, degree: Int, rows: Cells<UInt8>, stride: Int) {
        // Sound: numbers are positions, which have links; asking for memory in advance reads nothing.
        unsafe withUnsafePointer(to: pool) { unsafe nt_prefetch_ahead($0, links.address, degree, rows.address, stride, stride) }
    }

    /// The nearest candidate whose links have not been followed, which is marked.
    @inline(__always)
    mutating func takeNext() -> UInt32? {
        // Sound: `next` and `count` stay within the keys.
        while unsafe pool.next < pool.count {
            let place = unsafe pool.next
            let key = keys[place]
            unsafe pool.next = place &+ 1
            if key & CandidateKey.mark == 0 {
                keys[place] = key | CandidateKey.mark
                return CandidateKey.number(key)
            }
        }
        return nil
    }
}
