// How many requests there were of each operation, how long they took, and how many connections there are.
import Synchronization
import Wire

/// Counted by any thread, without a lock.
final class RequestStatistics: Sendable {
    private let histograms: [OperationName: LatencyHistogram]
    private let openConnections = Atomic<Int>(0)

    init() { histograms = Dictionary(uniqueKeysWithValues: OperationName.allCases.map { ($0, LatencyHistogram()) }) }

    var connections: Int { openConnections.load(ordering: .relaxed) }
    func connectionOpened() { openConnections.add(1, ordering: .relaxed) }
    func connectionClosed() { openConnections.subtract(1, ordering: .relaxed) }

    /// `took` is counted from when the line was read.
    func answered(_ operation: OperationName, took: Duration) { histograms[operation]?.add(Int(took / .microseconds(1))) }

    /// Of the operations that have been asked for.
    var operations: [OperationStatistics] {
        OperationName.allCases.compactMap { name in
            guard let counts = histograms[name]?.counts(), let total = counts.last, total > 0 else { return nil }
            return OperationStatistics(
                name: name, count: total, p50Microseconds: LatencyHistogram.percentile(0.50, of: counts),
                p99Microseconds: LatencyHistogram.percentile(0.99, of: counts))
        }
    }
}

/// Counts of microseconds in buckets of a quarter of a power of two: what it tells is at most a quarter too much.
private final class LatencyHistogram: Sendable {
    private static let bucketCount = 128
    private let buckets = InlineArray<128, Atomic<Int>> { _ in Atomic(0) }

    func add(_ microseconds: Int) { buckets[Self.bucket(of: microseconds)].add(1, ordering: .relaxed) }

    /// How many lie in each bucket or a lower one.
    func counts() -> [Int] {
        var total = 0
        return (0..<Self.bucketCount).map { index in
            total += buckets[index].load(ordering: .relaxed)
            return total
        }
    }

    static func percentile(_ fraction: Double, of counts: [Int]) -> Int {
        let rank = max(1, Int((Double(counts[bucketCount - 1]) * fraction).rounded(.up)))
        return end(of: counts.firstIndex { $0 >= rank } ?? bucketCount - 1)
    }

    /// 0, 1, 2, 3 have one each; from 4 on four share a power of two.
    private static func bucket(of microseconds: Int) -> Int {
        guard microseconds >= 4 else { return max(0, microseconds) }
        let power = 63 - microseconds.leadingZeroBitCount
        return min(bucketCount - 1, 4 * (power - 1) + microseconds >> (power - 2) & 3)
    }

    /// The largest number of microseconds in it.
    private static func end(of bucket: Int) -> Int {
        guard bucket >= 4 else { return bucket }
        let power = bucket / 4 + 1
        return (bucket % 4 + 5) << (power - 2) - 1
    }
}
