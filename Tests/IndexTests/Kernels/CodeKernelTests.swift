// The code kernels against their scalar twins, in every shape that reaches another branch, with all memory fenced.
import CKernels
@testable import Index
import Memory
import Testing
import TestSupport

@Suite struct CodeKernelTests {
    private static let countMax = 9
    private static let strides = [64, 128, 192, 256, 320, 384, 768, 832]

    @Test(arguments: CodeKernels.all)
    func `dot products are the formula's, of rows in order and by number`(kernels: CodeKernels) {
        let seed = TestSeed(31)
        var random = seed.random
        for stride in Self.strides {
            for bytes in Bytes.allCases {
                for gap in [0, 1, 33, 63] {
                    withFences { fences in
                        let query = fences.cells(bytes.values(stride, &random), gap: gap)
                        let codeQuery = CodeQuery(values: query, sum: Array(copying: query.span).reduce(0) { $0 + Int32($1) })
                        let rows = CodeRows(bytes: fences.cells(bytes.codes(Self.countMax * stride, &random), gap: gap * 3 % 64), stride: stride)
                        for count in 0...Self.countMax {
                            // The last rows, of which the last ends at the fence, and some of them more than once.
                            let range = Self.countMax - count..<Self.countMax
                            let ids = range.map { _ in UInt32.random(in: 0..<UInt32(Self.countMax), using: &random) }
                            let dots = fences.room(count, of: Int32.self)
                            kernels.dots(codeQuery, rows, range, into: dots)
                            let inOrder = range.map { ScalarCodeKernels.dot(query.span, rows.row($0).span) }
                            #expect(Array(copying: dots.span) == inOrder, "\(seed): \(count) x \(stride), \(bytes), gap \(gap)")
                            kernels.dots(codeQuery, rows, ids: fences.cells(ids), into: dots)
                            let byNumber = ids.map { ScalarCodeKernels.dot(query.span, rows.row(Int($0)).span) }
                            #expect(Array(copying: dots.span) == byNumber, "\(seed): \(ids) x \(stride), \(bytes), gap \(gap)")
                        }
                    }
                }
            }
        }
    }

    @Test(arguments: CodeKernels.all)
    func `dot products of pairs are the formula's, and what lies between them stays`(kernels: CodeKernels) {
        let seed = TestSeed(32)
        var random = seed.random
        for stride in Self.strides.prefix(5) {
            for bytes in Bytes.allCases {
                withFences { fences in
                    let gap = Int.random(in: 0..<64, using: &random)
                    for others in 0...Self.countMax {
                        for count in 1...4 {
                            // Either side may be the one at the fence.
                            let othersFirst = Bool.random(using: &random)
                            let first = othersFirst ? others..<others + count : 0..<count
                            let second = othersFirst ? 0..<others : count..<count + others
                            let codes = bytes.codes((count + others) * stride, &random)
                            let rows = CodeRows(bytes: fences.cells(codes, gap: others % 2 * gap), stride: stride)
                            let sums = fences.cells((0..<first.upperBound).map { ScalarCodeKernels.sums(rows.row($0).span).sum })
                            var want = [Int32](repeating: -1, count: (count - 1) * (others + 3) + others)
                            for i in 0..<count {
                                for j in 0..<others {
                                    want[i * (others + 3) + j] =
                                        ScalarCodeKernels.pairDot(rows.row(first.lowerBound + i).span, rows.row(second.lowerBound + j).span)
                                }
                            }
                            let dots = fences.room(want.count, of: Int32.self)
                            kernels.pairDots(rows, first, sums: sums, with: second, into: dots, stride: others + 3)
                            #expect(Array(copying: dots.span) == want, "\(seed): \(count) with \(others) x \(stride), \(bytes)")
                        }
                    }
                }
            }
        }
    }

    @Test(arguments: CodeKernels.all)
    func `rows of 65,536 values overflow nowhere`(kernels: CodeKernels) {
        let stride = 1 << 16
        for (value, code) in [(Int8.min, UInt8.min), (.min, .max), (.max, .min), (.max, .max)] {
            withFences { fences in
                let query = fences.cells([Int8](repeating: value, count: stride))
                let rows = CodeRows(
                    bytes: fences.cells([UInt8](repeating: code, count: stride) + [UInt8](repeating: UInt8(Int(value) + 128), count: stride)),
                    stride: stride)
                let dots = fences.room(1, of: Int32.self)
                let want = Int32(Int(value) * (Int(code) - 128) * stride)
                kernels.dots(CodeQuery(values: query, sum: Int32(value) * Int32(stride)), rows, 0..<1, into: dots)
                #expect(dots[0] == want, "\(value) with \(code)")
                let sums = kernels.sums(rows.row(0), dimension: stride)
                #expect(sums == ScalarCodeKernels.sums(rows.row(0).span), "\(code)")
                kernels.pairDots(rows, 0..<1, sums: fences.cells([sums.sum]), with: 1..<2, into: dots, stride: 1)
                #expect(dots[0] == want, "\(code) with \(value)")
            }
        }
    }

    @Test(arguments: CodeKernels.all)
    func `all that is near is selected, also what is at the limit`(kernels: CodeKernels) {
        let seed = TestSeed(33)
        var random = seed.random
        for count in 0...70 {
            withFences { fences in
                // So few different distances that many are at every limit.
                let dots = (0..<count).map { _ in Int32.random(in: -3...3, using: &random) }
                let norms = (0..<count).map { _ in Int32.random(in: 0...4, using: &random) }
                let dotCells = fences.cells(dots), normCells = fences.cells(norms)
                for limit in Array(-7...11) + [Int32.min, .max] {
                    let indices = fences.room(count, of: UInt32.self), distances = fences.room(count, of: Int32.self)
                    let found = kernels.selectNear(dotCells, norms: normCells, limit: limit, indices: indices, distances: distances)
                    let want = ScalarCodeKernels.near(dots, norms: norms, limit: limit)
                    #expect(
                        Array(copying: indices.part(0..<found).span) == want.indices
                            && Array(copying: distances.part(0..<found).span) == want.distances,
                        "\(seed): limit \(limit) of \(count)")
                }
            }
        }
    }

    @Test(arguments: CodeKernels.all)
    func `estimates of lines are those of their decoded values, to the last bit`(kernels: CodeKernels) {
        let seed = TestSeed(34)
        var random = seed.random
        let query = LineQuery()
        for bytes in Bytes.allCases {
            for round in 0..<20 {
                withFences { fences in
                    let values = fences.cells(bytes.values(LineColumn.count, &random))
                    let scale = Float.random(in: -2...2, using: &random), bias = Float.random(in: -9999...9999, using: &random)
                    query.setValues(values, scale: scale, bias: bias)
                    // Random bytes for the two floats as well; some are infinite or no number.
                    let lines = fences.cells(bytes.codes(Self.countMax * LineColumn.planeBytes, &random), gap: round * 7 % 64)
                    let want = (0..<Self.countMax).map { line in
                        let bytes = lines.part(line * LineColumn.planeBytes..<(line + 1) * LineColumn.planeBytes)
                        return ScalarCodeKernels.estimate(values.span, scale: scale, bias: bias, line: bytes.span)
                    }
                    for count in 0...Self.countMax {
                        let range = Self.countMax - count..<Self.countMax
                        let estimates = fences.room(count, of: Float.self)
                        kernels.estimates(query, lines, range, into: estimates)
                        #expect(haveSameBits(Array(copying: estimates.span), Array(want[range])), "\(seed): \(range), \(bytes)")
                        let ids = range.map { _ in UInt32.random(in: 0..<UInt32(Self.countMax), using: &random) }
                        kernels.estimates(query, lines, ids: fences.cells(ids), into: estimates)
                        #expect(haveSameBits(Array(copying: estimates.span), ids.map { want[Int($0)] }), "\(seed): \(ids), \(bytes)")
                    }
                }
            }
        }
    }

    @Test(arguments: CodeKernels.all)
    func `a column's weight meets the column's value alone`(kernels: CodeKernels) {
        let query = LineQuery()
        withFences { fences in
            // Added to 0 with a factor of 1, an estimate is the weighted value itself.
            var line = [UInt8](repeating: 0xb1, count: LineColumn.valueBytes) + [0, 0, 0, 0, 0, 0, 0x80, 0x3f]
            for place in 0..<LineColumn.valueBytes { line[place] ^= UInt8(place) }
            let lines = fences.cells(line)
            for column in 0..<LineColumn.count {
                var values = [Int8](repeating: 0, count: LineColumn.count)
                values[column] = -7
                query.setValues(fences.cells(values), scale: 1, bias: 0)
                let estimates = fences.room(1, of: Float.self)
                kernels.estimates(query, lines, 0..<1, into: estimates)
                #expect(estimates[0] == Float(-7 * ScalarCodeKernels.level(lines.span, column)), "column \(column)")
            }
        }
    }

    @Test(arguments: CodeKernels.all)
    func `projections are the formula's`(kernels: CodeKernels) {
        let seed = TestSeed(35)
        var random = seed.random
        for groups in Array(0...9) + [96, 196] {
            for bytes in Bytes.allCases {
                withFences { fences in
                    let query = fences.cells(bytes.values(groups * 4, &random), gap: groups % 3)
                    let blocks = fences.cells(bytes.values(groups * 4 * LineColumn.count, &random), gap: groups % 5)
                    let ones = [Int8](repeating: 1, count: groups * 4)
                    func columns(_ query: Span<Int8>) -> [Int32] {
                        (0..<LineColumn.count).map { ScalarCodeKernels.projection(query, blocks: blocks.span, column: $0) }
                    }
                    let projections = fences.room(LineColumn.count, of: Int32.self)
                    kernels.project(query, blocks: blocks, columnSums: fences.cells(columns(ones.span)), into: projections)
                    #expect(Array(copying: projections.span) == columns(query.span), "\(seed): \(groups) groups, \(bytes)")
                }
            }
        }
    }

    @Test(arguments: CodeKernels.all)
    func `vectors are centred, and the greatest magnitude is found wherever it is`(kernels: CodeKernels) {
        let seed = TestSeed(36)
        var random = seed.random
        for count in [0] + KernelDims.all {
            withFences { fences in
                let x = fences.room(count, of: Float.self), out = fences.room(count, of: Float.self)
                let centre = fences.cells((0..<count).map { _ in Float.random(in: -1...1, using: &random) })
                for place in 0..<count { x[place] = Float.random(in: -1...1, using: &random) }
                // Every place in short vectors, some in long ones.
                for place in stride(from: 0, to: count, by: max(1, count / 67)) {
                    let old = x[place]
                    x[place] = Bool.random(using: &random) ? 5 : -5
                    let greatest = kernels.centre(x.readOnly, around: centre, into: out)
                    #expect(greatest == abs(x[place] - centre[place]), "\(seed): \(place) of \(count)")
                    x[place] = old
                }
                let greatest = kernels.centre(x.readOnly, around: centre, into: out)
                let want = (0..<count).map { x[$0] - centre[$0] }
                #expect(haveSameBits(Array(copying: out.span), want), "\(seed): dim \(count)")
                #expect(greatest == want.reduce(0) { max($0, abs($1)) }, "\(seed): dim \(count)")
            }
        }
        withFences { fences in
            let (huge, none) = ([Float.greatestFiniteMagnitude, -0.0], fences.room(2, of: Float.self))
            let greatest = kernels.centre(fences.cells(huge), around: fences.cells(huge.map { -$0 }), into: none)
            #expect(greatest == .infinity)
            let nothing = kernels.centre(fences.cells(huge), around: fences.cells(huge), into: none)
            #expect(nothing == 0 && nothing.sign == .plus)
        }
    }

    @Test(arguments: CodeKernels.all)
    func `values are rounded to even at ties and held to a byte`(kernels: CodeKernels) {
        let edges: [Float] = stride(from: -130, through: 130, by: 0.5).map { $0 } + [-0.0, .leastNonzeroMagnitude, 1e9, -1e9, 3e38, -3e38]
        let seed = TestSeed(37)
        var random = seed.random
        for count in [0] + KernelDims.all {
            for scale: Float in [1, -1, 0.5, 0.3, 100] {
                withFences { fences in
                    let x = (0..<count).map { _ in edges.randomElement(using: &random)! }
                    let out = fences.room(count, of: Int8.self)
                    let sum = kernels.quantize(fences.cells(x), scale: scale, into: out)
                    let want = x.map { ScalarCodeKernels.quantize($0, scale: scale) }
                    #expect(Array(copying: out.span) == want, "\(seed): dim \(count), scale \(scale)")
                    #expect(sum == want.reduce(0) { $0 + Int32($1) }, "\(seed): dim \(count), scale \(scale)")
                }
            }
        }
        withFences { fences in
            let out = fences.room(edges.count, of: Int8.self)
            _ = kernels.quantize(fences.cells(edges), scale: 1, into: out)
            #expect(Array(copying: out.span) == edges.map { ScalarCodeKernels.quantize($0, scale: 1) })
        }
    }

    @Test(arguments: CodeKernels.all)
    func `sums of codes are the formula's`(kernels: CodeKernels) {
        let seed = TestSeed(38)
        var random = seed.random
        for dimension in Array(0...200) + [384, 768, 784] {
            for bytes in Bytes.allCases {
                withFences { fences in
                    let codes = bytes.codes(dimension, &random)
                    let sums = kernels.sums(fences.cells(codes), dimension: dimension)
                    #expect(sums == ScalarCodeKernels.sums(codes.span), "\(seed): dim \(dimension), \(bytes)")
                }
            }
        }
    }

    @Test(arguments: CodeKernels.all)
    func `without rows nothing is touched`(kernels: CodeKernels) {
        withFences { fences in
            // One fenced address for everything: whoever reads or writes there crashes.
            let bytes = fences.room(0, of: UInt8.self), numbers = fences.room(0, of: UInt32.self)
            let floats = fences.room(0, of: Float.self), integers = fences.room(0, of: Int32.self), signed = fences.room(0, of: Int8.self)
            let query = LineQuery()
            // Sound: counts are 0.
            unsafe kernels.table.pointee.dot_codes(signed.address, 0, bytes.address, 64, numbers.address, 0, integers.address)
            unsafe kernels.table.pointee.dot_code_rows(signed.address, 0, bytes.address, 64, 0, integers.address)
            unsafe kernels.table.pointee.score_lines(query.planes, bytes.address, numbers.address, 0, floats.address)
            unsafe kernels.table.pointee.score_line_rows(query.planes, bytes.address, 0, floats.address)
            let near = unsafe kernels.table.pointee.select_near(integers.address, integers.address, 0, 0, numbers.address, integers.address)
            let greatest = unsafe kernels.table.pointee.centre(floats.address, floats.address, 0, floats.address)
            let sum = unsafe kernels.table.pointee.quantise(floats.address, 1, 0, signed.address)
            #expect(near == 0 && greatest == 0 && sum == 0)
        }
    }

    @Test func `the portable variant always runs, and the best is one of those listed`() {
        let names = CodeKernels.all.map(\.name)
        #expect(names.first == "portable" && Set(names).count == names.count)
        #expect(names.contains(CodeKernels.best.name))
    }
}

extension CodeKernels: CustomTestStringConvertible {
    package var testDescription: String { name }
}

/// Bytes that find out what overflows, saturates, or takes a sign for a value.
private enum Bytes: CaseIterable {
    case random, extreme, least, greatest

    func codes(_ count: Int, _ random: inout some RandomNumberGenerator) -> [UInt8] {
        (0..<count).map { _ in
            switch self {
            case .random: .random(in: .min ... .max, using: &random)
            case .extreme: [0, 1, 127, 128, 129, 255].randomElement(using: &random)!
            case .least: 0
            case .greatest: 255
            }
        }
    }

    func values(_ count: Int, _ random: inout some RandomNumberGenerator) -> [Int8] {
        codes(count, &random).map { Int8(truncatingIfNeeded: Int($0) - 128) }
    }
}

/// Any NaN is like another.
private func haveSameBits(_ a: [Float], _ b: [Float]) -> Bool {
    a.count == b.count && zip(a, b).allSatisfy { $0.bitPattern == $1.bitPattern || $0.isNaN && $1.isNaN }
}
