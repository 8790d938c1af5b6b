// The order in which a search goes through lists.
import Memory

/// Lists, nearest first. Where they are in groups, those of the nearest groups come first, nearest first, and then those of the next.
struct ListOrder<S: WalkScorer> {
    private let index: VectorIndex
    private let space: SearchSpace
    private let table: S
    private let medoids: S
    private let wanted: Int
    /// The table's nearest, as many as mostly are enough or all, and how many of them were taken.
    private var nearest: CandidatePool
    private var taken = 0
    /// Lists of the groups taken last, and how many of them were handed out.
    private var ordered: CandidatePool
    private var handed = 0
    /// Medoids that were compared.
    private(set) var compared: Int

    /// - Parameter wanted: lists that will be gone through at least.
    @inline(__always)
    init(_ index: VectorIndex, by scorer: S, wanted: Int, _ space: SearchSpace) {
        self.index = index
        self.space = space
        self.wanted = wanted
        table = scorer.table(index.tableCodes)
        medoids = scorer.table(index.columns.medoidCodes)
        nearest = CandidatePool(keys: space.tableKeys, capacity: min(index.tableCount, max(2 * wanted, 32)))
        ordered = CandidatePool(keys: space.listKeys, capacity: 1)
        compared = index.tableCount
        orderTable()
    }

    /// nil behind the last.
    @inline(__always)
    mutating func next() -> Int? {
        guard index.hasGroups else { return nextOfTable() }
        if handed == ordered.count { orderMore() }
        guard handed < ordered.count else { return nil }
        handed += 1
        return Int(CandidateKey.number(ordered[handed - 1]))
    }

    @inline(__always)
    private mutating func nextOfTable() -> Int? {
        if taken == nearest.count, taken < index.tableCount {
            // Mostly few are gone through; where they held too little, all are put in order.
            nearest = CandidatePool(keys: space.tableKeys, capacity: index.tableCount)
            orderTable()
        }
        guard taken < nearest.count else { return nil }
        taken += 1
        return Int(CandidateKey.number(nearest[taken - 1]))
    }

    @inline(__always)
    private mutating func orderTable() {
        table.score(0..<index.tableCount, into: space.estimates)
        nearest.offer(index.listNumbers.part(0..<index.tableCount), space.estimates.readOnly, by: index.kernels)
    }

    /// Takes so many groups that the nearest lists are mostly among theirs, and puts those in order.
    private mutating func orderMore() {
        // Rows that were gathered meanwhile wait in `ids`.
        let ids = space.touched
        var (count, groups) = (0, 0)
        // Gathered: groups may have but a list or two, and each call of a kernel has its price.
        while groups < Self.groupsMin || count < Self.spare * wanted, let group = nextOfTable() {
            for list in index.columns.groupStarts[group]..<index.columns.groupStarts[group + 1] {
                ids[count] = list
                count += 1
            }
            groups += 1
        }
        let lists = ids.readOnly.part(0..<count)
        prefetchRows(medoids.bytes, stride: medoids.stride, bytes: medoids.stride, ids: lists)
        medoids.score(lists, into: space.estimates)
        ordered = CandidatePool(keys: space.listKeys, capacity: max(count, 1))
        ordered.offer(lists, space.estimates.readOnly, by: index.kernels)
        handed = 0
        compared += count
    }

    // Twice as many found what all lists put in order do (1,000,000 x 768, 32 lists and more); of fewer, four groups lacked a twentieth.
    private static var spare: Int { 2 }
    private static var groupsMin: Int { 8 }
}
