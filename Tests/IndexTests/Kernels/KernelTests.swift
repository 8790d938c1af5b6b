// The float32 kernels against their scalar twins, in every shape that reaches another branch.
import CKernels
import Index
import Testing

@Suite struct KernelTests {
    private static let countMax = 9

    @Test(arguments: Kernels.all)
    func `scores are the formula's within rounding`(kernels: Kernels) {
        var generator = SeededGenerator(seed: 1)
        for dim in KernelDims.all {
            let a = generator.floats(dim), b = generator.floats(dim)
            let aSquared = ScalarKernels.sumOfSquares(a.span), bSquared = ScalarKernels.sumOfSquares(b.span)
            let dot = kernels.dot(a.span, b.span), dotTrue = ScalarKernels.dot(a.span, b.span)
            #expect(abs(Double(dot - dotTrue)) <= 2 * roundingUnit(dim: dim, aSquared, bSquared), "dim \(dim)")

            // For a distance, a and b are both the difference; each term is rounded twice more.
            let distance = kernels.squaredDistance(a.span, b.span)
            let distanceTrue = ScalarKernels.squaredDistance(a.span, b.span)
            let unit = roundingUnit(dim: dim, Double(distanceTrue), Double(distanceTrue))
            #expect(abs(Double(distance - distanceTrue)) <= 4 * unit, "dim \(dim)")
        }
    }

    @Test(arguments: Kernels.all)
    func `a pair has the same bytes in order, by index, anywhere in memory, in any company`(kernels: Kernels) {
        var generator = SeededGenerator(seed: 2)
        for dim in KernelDims.all {
            let pairs = Pairs(dim: dim, count: Self.countMax, &generator, kernels)
            // Filled with NaN, so that an element from between two rows would show.
            let stride = dim + 3
            var query = FencedMemory<Float>(capacity: dim + 16)
            var rows = FencedMemory<Float>(capacity: Self.countMax * stride + 16)
            var scores = FencedMemory<Float>(capacity: Self.countMax + 16)
            for misalignment in 0..<16 {
                // Odd factors reach every misalignment of the other arrays too.
                let rowsAt = (7 * misalignment + 3) % 16, scoresAt = (5 * misalignment + 1) % 16
                query.write(pairs.query, at: misalignment)
                rows.write([Float](repeating: .nan, count: Self.countMax * stride + 16), at: 0)
                for i in 0..<Self.countMax { rows.write(pairs.rows[i], at: rowsAt + i * stride) }
                for count in 0...Self.countMax {
                    let faults = pairs.faults(
                        kernels, query.span(from: misalignment, count: dim),
                        rows.span(from: rowsAt, count: Self.countMax * stride), stride: stride,
                        indices: pairs.indices.span.extracting(first: count), &scores, at: scoresAt)
                    #expect(faults.isEmpty, "dim \(dim), misalignment \(misalignment), count \(count): \(faults)")
                }
            }
        }
    }

    @Test(arguments: Kernels.all)
    func `nothing past the last element is touched`(kernels: Kernels) {
        var generator = SeededGenerator(seed: 3)
        for dim in KernelDims.all {
            let pairs = Pairs(dim: dim, count: Self.countMax, &generator, kernels)
            let query = FencedMemory(pairs.query)
            for count in 0...Self.countMax {
                // The rows end at the fence, as do the query, the indices and the scores.
                let rows = FencedMemory(pairs.rows.prefix(count).flatMap { $0 })
                let indices = FencedMemory((0..<count).map { UInt32(count - 1 - $0) })
                var scores = FencedMemory<Float>(capacity: count)
                let faults = pairs.faults(
                    kernels, query.last(dim), rows.last(count * dim), stride: dim, indices: indices.last(count),
                    &scores, at: 0)
                #expect(faults.isEmpty, "dim \(dim), count \(count): \(faults)")
            }
            let sum = kernels.sumOfSquares(query.last(dim)), allFinite = kernels.allFinite(query.last(dim))
            #expect(sum > 0 && allFinite)
        }
    }

    @Test func `scores beyond the count stay as they were`() {
        let query: [Float] = [1, 2, 3], rows: [Float] = [1, 0, 0, 0, 1, 0]
        for kernels in Kernels.all {
            var scores: [Float] = [-7, -7, -7]
            var span = scores.mutableSpan
            kernels.dot(query.span, rows: rows.span, stride: 3, count: 2, into: &span)
            #expect(scores == [1, 2, -7])
        }
    }

    @Test(arguments: Kernels.all)
    func `squares are summed in double, to the same bytes everywhere`(kernels: Kernels) {
        var generator = SeededGenerator(seed: 4)
        for dim in KernelDims.all {
            let x = FencedMemory(generator.floats(dim))
            let sum = kernels.sumOfSquares(x.last(dim)), sumTrue = ScalarKernels.sumOfSquares(x.last(dim))
            #expect(abs(sum - sumTrue) <= Double(dim) * 0x1p-53 * sumTrue)
            let sumElsewhere = Kernels.all[0].sumOfSquares(x.last(dim))
            #expect(sum == sumElsewhere)
        }
        let none: [Float] = [], largest = [Float.greatestFiniteMagnitude]
        let nothing = kernels.sumOfSquares(none.span), huge = kernels.sumOfSquares(largest.span)
        #expect(nothing == 0 && huge.isFinite)
    }

    @Test(arguments: Kernels.all)
    func `a NaN or an infinity is found wherever it is`(kernels: Kernels) {
        for count in 0...67 {
            var x = FencedMemory([Float](repeating: -Float.greatestFiniteMagnitude, count: count))
            func isAllFinite() -> Bool { kernels.allFinite(x.last(count)) }
            #expect(isAllFinite())
            for place in 0..<count {
                for bad in [Float.nan, .signalingNaN, -.nan, .infinity, -.infinity] {
                    x.write([bad], at: place)
                    #expect(!isAllFinite(), "\(bad) at \(place) of \(count)")
                }
                x.write([.leastNonzeroMagnitude], at: place)
            }
        }
    }

    @Test(arguments: Kernels.all)
    func `the greatest index is found wherever it is`(kernels: Kernels) {
        var generator = SeededGenerator(seed: 5)
        for count in 1...67 {
            for place in 0..<count {
                // Above 2^31 too: the comparison is unsigned.
                var indices = (0..<count).map { _ in UInt32.random(in: 0..<0x9000_0000, using: &generator) }
                indices[place] = 0x9000_0000
                let fenced = FencedMemory(indices)
                let found = greatest(kernels, fenced.last(count))
                #expect(found == 0x9000_0000)
            }
        }
        let none: [UInt32] = []
        let found = greatest(kernels, none.span)
        #expect(found == 0)
    }

    @Test func `a row past the end is refused before it is read`() async {
        await #expect(processExitsWith: .failure) {
            let query: [Float] = [1, 2], rows: [Float] = [1, 2, 3, 4], indices: [UInt32] = [0, 2, 1]
            var scores: [Float] = [0, 0, 0]
            var span = scores.mutableSpan
            Kernels.best.dot(query.span, rows: rows.span, stride: 2, at: indices.span, into: &span)
        }
        await #expect(processExitsWith: .failure) {
            let query: [Float] = [1, 2], rows: [Float] = [1, 2, 3, 4]
            var scores: [Float] = [0, 0, 0]
            var span = scores.mutableSpan
            Kernels.best.squaredDistance(query.span, rows: rows.span, stride: 2, count: 3, into: &span)
        }
    }

    @Test func `the portable variant always runs, and the best is one of those listed`() async {
        #expect(Kernels.all.first?.name == "portable")
        #expect(Set(Kernels.all.map(\.name)).count == Kernels.all.count)
        let names = await withTaskGroup(of: String.self) { group in
            for _ in 0..<16 { group.addTask { Kernels.best.name } }
            return await group.reduce(into: Set<String>()) { $0.insert($1) }
        }
        #expect(names.count == 1 && Kernels.all.map(\.name).contains(names.first ?? ""))
    }

    private func greatest(_ kernels: Kernels, _ indices: Span<UInt32>) -> UInt32 {
        // Sound: the variant of that name exists, and the pointer stays within the closure.
        unsafe indices.withUnsafeBufferPointer { indices in
            let place = Kernels.all.firstIndex { $0.name == kernels.name }!
            return unsafe nt_kernels_at(place)!.pointee.max_index(indices.baseAddress, indices.count)
        }
    }
}

/// A query, some rows, and the bytes their scores must have.
private struct Pairs {
    let query: [Float]
    let rows: [[Float]]
    /// Not in order, and one of them twice.
    let indices: [UInt32]
    private let dots: [Float]
    private let distances: [Float]

    init(dim: Int, count: Int, _ generator: inout SeededGenerator, _ kernels: Kernels) {
        query = generator.floats(dim)
        rows = (0..<count).map { _ in generator.floats(dim) }
        indices = (0..<count).map { $0 == count - 1 ? 0 : UInt32(($0 * 4) % count) }
        let query = self.query
        dots = rows.map {
            kernels.isFused ? ScalarKernels.dotInLanes(query.span, $0.span) : kernels.dot(query.span, $0.span)
        }
        distances = rows.map {
            kernels.isFused
                ? ScalarKernels.squaredDistanceInLanes(query.span, $0.span)
                : kernels.squaredDistance(query.span, $0.span)
        }
    }

    /// Scores as many rows as there are indices, in order and by index, and names what has other bytes.
    func faults(
        _ kernels: Kernels, _ query: Span<Float>, _ rows: Span<Float>, stride: Int, indices: Span<UInt32>,
        _ memory: inout FencedMemory<Float>, at start: Int
    ) -> [String] {
        let count = indices.count
        var faults: [String] = []
        var scores = memory.mutableSpan(from: start, count: count)
        func compare(_ what: String, _ want: (Int) -> Float, _ scores: Span<Float>) {
            for i in 0..<count where scores[i].bitPattern != want(i).bitPattern {
                faults.append("\(what) \(i): \(scores[i]) is not \(want(i))")
            }
        }
        kernels.dot(query, rows: rows, stride: stride, count: count, into: &scores)
        compare("dot of row", { dots[$0] }, scores.span)
        kernels.dot(query, rows: rows, stride: stride, at: indices, into: &scores)
        compare("dot of index", { dots[Int(indices[$0])] }, scores.span)
        kernels.squaredDistance(query, rows: rows, stride: stride, count: count, into: &scores)
        compare("distance of row", { distances[$0] }, scores.span)
        kernels.squaredDistance(query, rows: rows, stride: stride, at: indices, into: &scores)
        compare("distance of index", { distances[Int(indices[$0])] }, scores.span)
        return faults
    }
}
