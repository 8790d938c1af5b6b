// The best k of a stream of scores.

/// A row with its score. `tie` decides between equal scores, the row between equal ties.
package struct Candidate: Equatable, Sendable {
    package var score: Float
    package var tie: UInt32
    package var row: UInt32

    package init(score: Float, tie: UInt32, row: UInt32) {
        self.score = score
        self.tie = tie
        self.row = row
    }

    /// Higher scores first; the order is total, so equal questions get equal answers.
    package func isBetter(than other: Candidate) -> Bool {
        if score != other.score { return score > other.score }
        if tie != other.tie { return tie < other.tie }
        return row < other.row
    }
}

/// Keeps the best `capacity` candidates in a heap whose root is the worst of them. O(log k) an insertion,
/// and most rows are turned away by one comparison with `threshold`.
package struct TopK: Sendable {
    package let capacity: Int
    private var heap: [Candidate] = []

    package init(capacity: Int) {
        precondition(capacity > 0, "a search asks for at least one row")
        self.capacity = capacity
        heap.reserveCapacity(min(capacity, 1024))
    }

    /// Rows that score below this need not be offered.
    package private(set) var threshold = -Float.infinity

    package mutating func offer(_ candidate: Candidate) {
        if heap.count < capacity {
            heap.append(candidate)
            siftUp()
            if heap.count == capacity { threshold = heap[0].score }
        } else if candidate.isBetter(than: heap[0]) {
            heap[0] = candidate
            siftDown()
            threshold = heap[0].score
        }
    }

    /// Best first.
    package consuming func sorted() -> [Candidate] {
        heap.sorted { $0.isBetter(than: $1) }
    }

    private mutating func siftUp() {
        var child = heap.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard heap[parent].isBetter(than: heap[child]) else { return }
            heap.swapAt(parent, child)
            child = parent
        }
    }

    private mutating func siftDown() {
        var parent = 0
        while true {
            var worst = parent
            for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count && heap[worst].isBetter(than: heap[child]) { worst = child }
            if worst == parent { return }
            heap.swapAt(parent, worst)
            parent = worst
        }
    }
}
