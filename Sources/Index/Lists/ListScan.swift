// Rows compared list by list, or all of them: in order of position, with memory asked for ahead.
import Memory

/// What a search has compared the query with.
struct Comparisons {
    var rows: Int
    /// Of lists and of groups.
    var medoids: Int

    var count: Int { rows + medoids }
}

extension VectorIndex {
    /// Goes through the nearest lists until enough lists and enough rows were seen: those wanted in any case as they lie, unless neither
    /// neighbours nor rows to be left out make that worth while, and what is lacking then nearest first.
    @inline(__always)
    func scanLists<S: WalkScorer>(
        by scorer: S, lists: Int, rows: Int, _ visible: VisiblePositions?, _ pool: inout CandidatePool, _ space: SearchSpace
    ) -> Comparisons {
        var order = ListOrder(self, by: scorer, wanted: lists, space)
        var (done, compared) = (0, 0)
        if hasGroups || visible != nil {
            let chosen = space.visited.part(0..<(listCount + 31) / 32)
            while done < lists, let list = order.next() {
                chosen[list >> 5] |= 1 << UInt32(list & 31)
                done += 1
            }
            compared = scan(chosen, by: scorer, visible, &pool, space)
        }
        var gathered = 0
        while done < lists || compared + gathered < rows, let list = order.next() {
            if let visible {
                compared += gather(positions(of: list), visible, &gathered, by: scorer, &pool, space)
            } else {
                compared += scan(positions(of: list), by: scorer, nil, &pool, space)
            }
            done += 1
        }
        compared += compare(&gathered, by: scorer, &pool, space)
        return Comparisons(rows: compared, medoids: order.compared)
    }

    /// Lists as they lie, not as they are near: those of a group are side by side, and memory that is read on from one to the next comes sooner:
    /// a quarter more searches of 1,000,000 x 768, a tenth fewer of 60,000 x 784, whose lists lie anywhere. Clears the bits; returns how many
    /// rows were compared.
    @inline(__always)
    private func scan<S: WalkScorer>(
        _ chosen: MutableCells<UInt32>, by scorer: S, _ visible: VisiblePositions?, _ pool: inout CandidatePool, _ space: SearchSpace
    ) -> Int {
        var (compared, gathered) = (0, 0)
        takeRuns(of: chosen) { run, next in
            if let visible {
                // Of each list but a few may be visible: those of many are asked for together.
                compared += gather(run, visible, &gathered, by: scorer, &pool, space)
            } else {
                scan(run, ahead: next, by: scorer, &pool, space)
                compared += run.count
            }
        }
        return compared + compare(&gathered, by: scorer, &pool, space)
    }

    /// Calls `body` for the positions of each run of lists side by side, with the first list of the next. Clears the bits.
    @inline(__always)
    private func takeRuns(of chosen: MutableCells<UInt32>, _ body: (_ run: Range<Int>, _ next: Range<Int>) -> Void) {
        var run = 0..<0
        for word in 0..<chosen.count where chosen[word] != 0 {
            var bits = chosen[word]
            chosen[word] = 0
            while bits != 0 {
                let next = positions(of: word << 5 + bits.trailingZeroBitCount)
                bits &= bits - 1
                if run.upperBound == next.lowerBound {
                    run = run.lowerBound..<next.upperBound
                } else {
                    body(run, next)
                    run = next
                }
            }
        }
        body(run, 0..<0)
    }

    func positions(of list: Int) -> Range<Int> { Int(columns.listStarts[list])..<Int(columns.listStarts[list + 1]) }

    /// Of a list of the table, or of all lists of a group.
    func positions(ofEntry entry: Int) -> Range<Int> {
        guard hasGroups else { return positions(of: entry) }
        return Int(columns.listStarts[Int(columns.groupStarts[entry])])..<Int(columns.listStarts[Int(columns.groupStarts[entry + 1])])
    }

    /// Compares the visible positions of a range; returns how many.
    @inline(__always)
    func scan<S: WalkScorer>(
        _ range: Range<Int>, by scorer: S, _ visible: VisiblePositions?, _ pool: inout CandidatePool, _ space: SearchSpace
    ) -> Int {
        guard let visible else {
            scan(range, ahead: 0..<0, by: scorer, &pool, space)
            return range.count
        }
        var gathered = 0
        let compared = gather(range, visible, &gathered, by: scorer, &pool, space)
        return compared + compare(&gathered, by: scorer, &pool, space)
    }

    /// Compares all positions of a range. `next`, which lies elsewhere in memory, is asked for block by block meanwhile: all at once
    /// would be more than the processor can wait for, and hold up what is being compared.
    @inline(__always)
    func scan<S: WalkScorer>(
        _ range: Range<Int>, ahead next: Range<Int>, by scorer: S, _ pool: inout CandidatePool, _ space: SearchSpace
    ) {
        let (ids, estimates) = (space.ids, space.scores)
        let size = next.isEmpty ? SearchScratch.blockRows : Self.aheadRows
        var ahead = next.lowerBound
        for first in stride(from: range.lowerBound, to: range.upperBound, by: size) {
            let block = first..<min(first + size, range.upperBound)
            let asked = min(Self.aheadRows, next.upperBound - ahead)
            if asked > 0 { scorer.bytes.prefetch(from: ahead * scorer.stride, count: asked * scorer.stride) }
            ahead += asked
            scorer.score(block, into: estimates)
            for (i, position) in block.enumerated() { ids[i] = UInt32(position) }
            pool.offer(ids.readOnly.part(0..<block.count), estimates.readOnly, by: kernels)
        }
    }

    /// Rows that are compared, and rows that are asked for, at a time.
    static let aheadRows = 64

    /// Adds the visible positions of a range to the `gathered` in `space.ids`, which are compared when there are many; returns how many were.
    @inline(__always)
    private func gather<S: WalkScorer>(
        _ range: Range<Int>, _ visible: VisiblePositions, _ gathered: inout Int, by scorer: S, _ pool: inout CandidatePool, _ space: SearchSpace
    ) -> Int {
        var compared = 0
        // Word by word: a run of rows that may not be seen costs a bit each.
        for word in range.lowerBound >> 6..<(range.upperBound + 63) >> 6 {
            var bits = visible.bits(ofWord: word, in: range)
            while bits != 0 {
                space.ids[gathered] = UInt32(word << 6 &+ bits.trailingZeroBitCount)
                gathered &+= 1
                bits &= bits &- 1
            }
            if gathered > Self.gatheredMax - 64 { compared += compare(&gathered, by: scorer, &pool, space) }
        }
        return compared
    }

    /// More at a time do not stay in the nearest cache until they are compared.
    static let gatheredMax = 256

    /// Compares what was gathered in `space.ids`; returns how many.
    @inline(__always)
    private func compare<S: WalkScorer>(_ gathered: inout Int, by scorer: S, _ pool: inout CandidatePool, _ space: SearchSpace) -> Int {
        let found = space.ids.readOnly.part(0..<gathered)
        prefetchRows(scorer.bytes, stride: scorer.stride, bytes: 64, ids: found)
        scorer.score(found, into: space.scores)
        pool.offer(found, space.scores.readOnly, by: kernels)
        gathered = 0
        return found.count
    }
}
