// Many queries by lists: each list is read once for all that want it, and what is found is what each finds alone, to the last bit.
import Memory

extension VectorIndex {
    /// Whether so many queries are sooner searched for together. Of ten hardly two want the same list, and the 7 % that it takes to remember which
    /// are lost; of a hundred each list that is wanted has two (1,000,000 x 768). Of lists with a few visible rows each nothing is gained:
    /// what is read once is not what takes time (one row of ten: 0.9 to 1.05 times as fast, one of two 1.1 to 1.3; 200,000 x 768).
    package static func isBatch(_ queries: Int, _ plan: IndexPlan) -> Bool {
        guard queries >= batchMin, case .lists(let lists, let rows, _, _) = plan else { return false }
        return rows >= batchRowsMin * lists
    }

    private static let batchMin = 48
    private static let batchRowsMin = 64
    /// More at a time are no faster, and what is kept of each no longer stays near.
    package static let batchMax = 256

    /// Carries out a plan of lists for up to `batchMax` queries as `search` does for each. Calls `body` for one after the other while `scratch`
    /// holds its candidates, with how many rows were compared for it.
    package func search<E: Error>(
        _ queries: ArraySlice<FlatQuery>, k: Int, plan: IndexPlan, visible: VisiblePositions?, scratch: SearchScratch,
        _ body: (_ query: Int, _ compared: Int) throws(E) -> Void
    ) throws(E) {
        guard case .lists(let lists, let rows, let refined, let elsewhere) = plan else { preconditionFailure("a batch goes by lists") }
        precondition(queries.count <= Self.batchMax, "a batch has so many queries at most")
        let wish = ListWish(lists: lists, rows: rows, refined: min(max(refined, k), count), elsewhere: elsewhere)
        var space = space(for: plan, refined: wish.refined, scratch)
        let room = scratch.batchRoom(queries: queries.count, stride: codes.stride, refined: wish.refined, lists: listCount)
        if hasLines {
            for (place, query) in queries.enumerated() {
                let prepared = prepare(query, refined: wish.refined, at: place, space, room)
                space.prepareLine(prepared, columns.lineAxes, into: room.lineQueries[place], by: kernels)
            }
            compare(wish, visible, space, room) { LineScorer(kernels: kernels, query: room.lineQueries[$0], lines: columns.lines) }
        } else {
            for (place, query) in queries.enumerated() { _ = prepare(query, refined: wish.refined, at: place, space, room) }
            compare(wish, visible, space, room) { CodeScorer(kernels: kernels, query: room.queries[$0].code, rows: codes, dots: space.dots) }
        }
        for (place, number) in queries.indices.enumerated() {
            let query = queries[number].cells
            guard let compared = room.queries[place].compared else {
                try body(number, search(query, k: k, plan: plan, visible: visible, scratch: scratch))
                continue
            }
            // Another search may have moved it.
            space = self.space(for: plan, refined: wish.refined, scratch)
            let found = Found(pool: room.queries[place].pool, refined: wish.refined, compared: compared, plan: plan)
            settle(found, k: k, room.queries[place].code, visible, nil, space, scratch)
            scratch.plan = plan
            try body(number, compared.count + searchIfRemote(query, k: k, plan: plan, visible: visible, scratch: scratch))
        }
    }

    /// Puts a query's code and an empty pool into its place; returns the query as rows are.
    private func prepare(_ query: FlatQuery, refined: Int, at place: Int, _ space: SearchSpace, _ room: BatchRoom) -> Cells<Float> {
        var own = space
        own.values = room.values(of: place)
        let (prepared, code) = prepare(query.cells, own)
        room.queries.append(BatchedQuery(code: code, pool: CandidatePool(keys: room.keys(of: place), capacity: refined)))
        return prepared
    }

    /// Finds out which lists each query wants, and goes through them as they lie.
    @inline(__always)
    private func compare<S: WalkScorer>(_ wish: ListWish, _ visible: VisiblePositions?, _ space: SearchSpace, _ room: BatchRoom, by scorer: (Int) -> S) {
        for place in room.queries.indices {
            let scorer = scorer(place)
            // One that is searched for in another way is left to that.
            if wish.elsewhere > 0, let visible, isElsewhere(visible, than: entries(by: scorer, space)) { continue }
            room.queries[place].compared = note(wish, by: scorer, of: place, visible, space, room)
        }
        var list = room.nextWanted(from: 0)
        while let present = list {
            list = room.nextWanted(from: present + 1)
            let (range, next) = (positions(of: present), list.map { positions(of: $0) } ?? 0..<0)
            if let visible {
                scan(range, next, visible, space) { ids in
                    room.forEachQuery(wanting: present) { place in
                        scorer(place).score(ids, into: space.scores)
                        room.queries[place].pool.offer(ids, space.scores.readOnly, by: kernels)
                    }
                }
            } else {
                // The first reads it, and asks for the next; the others find it near.
                var next = next
                room.forEachQuery(wanting: present) { place in
                    scan(range, ahead: next, by: scorer(place), &room.queries[place].pool, space)
                    next = 0..<0
                }
            }
            room.forget(present)
        }
    }

    /// Notes which lists a query wants: the nearest, until they are enough and hold enough rows.
    @inline(__always)
    private func note<S: WalkScorer>(
        _ wish: ListWish, by scorer: S, of place: Int, _ visible: VisiblePositions?, _ space: SearchSpace, _ room: BatchRoom
    ) -> Comparisons {
        var order = ListOrder(self, by: scorer, wanted: wish.lists, space)
        var (lists, rows) = (0, 0)
        while lists < wish.lists || rows < wish.rows, let list = order.next() {
            room.note(place, wants: list)
            rows += visible?.count(in: positions(of: list)) ?? positions(of: list).count
            lists += 1
        }
        return Comparisons(rows: rows, medoids: order.compared)
    }

    /// Calls `body` for the visible positions of a range, some at a time; the first of the next range's are asked for meanwhile.
    @inline(__always)
    private func scan(_ range: Range<Int>, _ next: Range<Int>, _ visible: VisiblePositions, _ space: SearchSpace, _ body: (Cells<UInt32>) -> Void) {
        let ahead = space.touched
        var (gathered, asked) = (0, 0)
        visible.forEach(in: next.prefix(Self.aheadRows)) { position in
            ahead[asked] = position
            asked += 1
        }
        let rows = hasLines ? columns.lines : codes.bytes, stride = hasLines ? LineColumn.lineBytes : codes.stride
        prefetchRows(rows, stride: stride, bytes: 64, ids: ahead.readOnly.part(0..<asked))
        visible.forEach(in: range) { position in
            space.ids[gathered] = position
            gathered += 1
            guard gathered == Self.gatheredMax else { return }
            body(space.ids.readOnly.part(0..<gathered))
            gathered = 0
        }
        if gathered > 0 { body(space.ids.readOnly.part(0..<gathered)) }
    }
}

/// What each query of a batch is to go through.
private struct ListWish {
    var lists: Int
    var rows: Int
    var refined: Int
    var elsewhere: Int
}

/// A query of a batch until it has been answered.
struct BatchedQuery {
    let code: PreparedCode
    var pool: CandidatePool
    /// nil where it goes its own way.
    var compared: Comparisons?
}

/// Memory for the queries of a batch, kept with a scratch so that none allocates.
final class BatchRoom {
    var queries: [BatchedQuery] = []
    private(set) var lineQueries: [LineQuery] = []
    private var values = CellBuffer<Int8>(count: 0)
    private var keys = CellBuffer<UInt64>(count: 0)
    /// By list, a bit for each query that wants it; all zero between batches.
    private var wanted = CellBuffer<UInt64>(count: 0)
    private var (stride, keysPerQuery, words, lists) = (0, 0, 0, 0)

    /// Makes room for a batch, and lets go of the last one's queries.
    func reserve(queries count: Int, stride: Int, refined: Int, lists: Int) {
        (self.stride, keysPerQuery, words, self.lists) = (stride, refined + CandidatePool.spareKeys, (count + 63) / 64, lists)
        queries.removeAll(keepingCapacity: true)
        queries.reserveCapacity(count)
        while lineQueries.count < count { lineQueries.append(LineQuery()) }
        if values.count < count * stride { values = CellBuffer(count: count * stride) }
        if keys.count < count * keysPerQuery { keys = CellBuffer(count: count * keysPerQuery) }
        if wanted.count < lists * words { wanted = CellBuffer(count: lists * words) }
    }

    func values(of place: Int) -> MutableCells<Int8> { values.cells.part(place * stride..<(place + 1) * stride) }
    func keys(of place: Int) -> MutableCells<UInt64> { keys.cells.part(place * keysPerQuery..<(place + 1) * keysPerQuery) }

    // MARK: Who wants which list

    func note(_ place: Int, wants list: Int) { wanted.cells[list * words + place >> 6] |= 1 << UInt64(place & 63) }

    func forget(_ list: Int) { wanted.cells.part(list * words..<(list + 1) * words).fill(0) }

    func nextWanted(from first: Int) -> Int? {
        for place in first * words..<lists * words where wanted.cells[place] != 0 { return place / words }
        return nil
    }

    @inline(__always)
    func forEachQuery(wanting list: Int, _ body: (Int) -> Void) {
        for word in 0..<words {
            var bits = wanted.cells[list * words + word]
            while bits != 0 {
                body(word << 6 + bits.trailingZeroBitCount)
                bits &= bits - 1
            }
        }
    }
}
