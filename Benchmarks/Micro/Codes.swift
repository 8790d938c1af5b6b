// What the kernels over 8-bit codes and 64-byte lines cost in cache, and an insertion into a pool, each variant beside the others.
import CKernels
import Index
import Memory

/// One variant's functions, which outlive everything.
@safe
private struct CodeTable {
    let functions: UnsafePointer<nt_code_kernels>
}

func codeKernels() {
    var tables: [CodeTable] = []
    while let functions = unsafe nt_code_kernels_at(tables.count) { unsafe tables.append(CodeTable(functions: functions)) }
    line("", CodeKernels.all.map(\.name))
    codeProducts(tables)
    insertions(tables)
}

/// By variant, nanoseconds a call. So few calls a round that a busy machine lets one through undisturbed.
private func measure(_ tables: [CodeTable], calls: Int, _ body: @escaping (CodeTable, Int) -> Void) -> [Double] {
    nanoseconds(calls: calls, tables.map { table in { calls in body(table, calls) } })
}

private func codeProducts(_ tables: [CodeTable]) {
    // Sound, in all of these: as much is read and written as the buffers hold, which are captured.
    let (dim, rowCount) = (768, 1000)
    let query = CellBuffer<Int8>(count: 1024), rows = CellBuffer<UInt8>(count: rowCount * dim), ids = CellBuffer<UInt32>(count: 64)
    let dots = CellBuffer<Int32>(count: 4 * rowCount), estimates = CellBuffer<Float>(count: 64)
    for place in 0..<query.count { query.cells[place] = Int8(truncatingIfNeeded: place &* 37) }
    for place in 0..<rows.count { rows.cells[place] = UInt8(truncatingIfNeeded: place &* 101) }
    for place in 0..<ids.count { ids.cells[place] = UInt32(place * 5 % 16) }

    for (label, count) in [("one row at a time", 1), ("four at a time", 4)] {
        let times = measure(tables, calls: 2_000) { table, calls in
            for call in 0..<calls {
                unsafe table.functions.pointee.dot_codes(
                    query.cells.address, 0, rows.cells.address, dim, ids.cells.address + call & 15, count, dots.cells.address)
            }
        }
        line("dot x \(dim), \(label)", times.map { fixed($0 / Double(count)) })
    }

    let lineQuery = CellBuffer<nt_line_query>(count: 1)
    let lines = measure(tables, calls: 200) { table, calls in
        for _ in 0..<calls {
            unsafe table.functions.pointee.score_lines(lineQuery.cells.address, rows.cells.address, ids.cells.address, 32, estimates.cells.address)
        }
    }
    line("line, 32 by number", lines.map { fixed($0 / 32, 2) })

    let columns = Int(NT_LINE_VALUES)
    let blocks = CellBuffer<Int8>(count: 784 * columns), columnSums = CellBuffer<Int32>(count: columns)
    for dim in [784, 384] {
        let times = measure(tables, calls: 10) { table, calls in
            for _ in 0..<calls {
                unsafe table.functions.pointee.project(
                    query.cells.address, dim / 4, blocks.cells.address, columnSums.cells.address, dots.cells.address)
            }
        }
        line("projection x \(dim), us", times.map { fixed($0 / 1000, 2) })
    }

    let sums = CellBuffer<Int32>(count: 4)
    let pairs = measure(tables, calls: 1) { table, calls in
        for _ in 0..<calls {
            unsafe table.functions.pointee.dot_pairs(
                rows.cells.address, sums.cells.address, 4, rows.cells.address, rowCount, dim, dots.cells.address, rowCount)
        }
    }
    line("4 x \(rowCount) x \(dim), Gop/s", pairs.map { fixed(2 * Double(4 * rowCount * dim) / $0) })
}

/// Walks of 64 steps with 32 candidates each, whose distances fall slowly: most are refused in the end, as on a graph.
private func insertions(_ tables: [CodeTable]) {
    let (steps, batch) = (64, 32)
    let ids = CellBuffer<UInt32>(count: steps * batch), distances = CellBuffer<Float>(count: steps * batch), keys = CellBuffer<UInt64>(count: 108)
    var generator = SystemRandomNumberGenerator()
    for place in 0..<ids.count {
        ids.cells[place] = UInt32(place)
        distances.cells[place] = Float.random(in: 0..<10_000, using: &generator) - Float(place)
    }
    for capacity in [30, 100] {
        let times = measure(tables, calls: 5) { table, calls in
            for _ in 0..<calls {
                // Sound: the keys have room for the capacity and eight more; candidates are there.
                var pool = unsafe nt_pool(keys: keys.cells.address, capacity: capacity, count: 0, next: 0)
                for step in 0..<steps {
                    unsafe table.functions.pointee.offer(
                        &pool, ids.cells.address + step * batch, distances.cells.address + step * batch, batch, nil, 0)
                }
            }
        }
        line("candidate, pool of \(capacity)", times.map { fixed($0 / Double(steps * batch), 2) })
    }
}
