// How much work a search will be, told before it is begun.
import Index

extension CollectionSnapshot {
    /// About how many numbers a search compares, in time: where it goes by an index, what waiting for memory takes is counted as numbers
    /// too. None where the search will be refused. With a filter it is what comparing everything takes, for what the filter leaves is
    /// not known yet. O(parts).
    package func work(of input: SearchInput) -> Int {
        let number = input.space.map { schema.spaceIndex($0) } ?? schema.defaultSpaceIndex
        guard let number else { return 0 }
        let dimension = schema.spaces[number].dimension
        let isFree = input.filter == nil && input.under == nil && input.prepared.isEmpty && rights?.isWhole ?? true
        let effort = isFree ? input.effort.indexEffort : nil
        var work = 0
        // By number: to take a part out of the list is to count dozens of references up and down.
        for part in parts.indices where parts[part].liveCount > 0 {
            let plan = effort.flatMap { parts[part].segment?.indexes[number]?.index?.plan(k: input.k, effort: $0) }
            work += plan.map { $0.work(rowCount: parts[part].rowCount, dimension: dimension) } ?? parts[part].rowCount * dimension
        }
        return work * input.vectors.count
    }
}

extension VectorIndex {
    fileprivate func plan(k: Int, effort: Effort) -> IndexPlan? { plan(k: k, effort: effort, visibleCount: count)?.plan }
}

extension IndexPlan {
    /// Rows met on a walk for each candidate kept, and what the wait for one is counted as.
    private static let rowsPerCandidate = 16
    private static let numbersPerWait = 1024
    /// Numbers that are compared by their codes in the time of one.
    private static let codesPerNumber = 8

    fileprivate func work(rowCount: Int, dimension: Int) -> Int {
        switch self {
        case .walk(let width, let refined, _): width * Self.rowsPerCandidate * (Self.numbersPerWait + dimension / Self.codesPerNumber) + refined * dimension
        case .lists(_, let rows, let refined, _): rows * dimension / Self.codesPerNumber + refined * dimension
        case .scan(let refined): rowCount * dimension / Self.codesPerNumber + refined * dimension
        }
    }
}
