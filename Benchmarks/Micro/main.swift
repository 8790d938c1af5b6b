// What one kernel call costs here, in cache and beyond it, each variant beside the others in the same run.
import CKernels
#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif
import Index

/// The least of several rounds, which take turns so that a disturbance hits all alike, in nanoseconds a call.
/// A body makes as many calls as it is told; its spans are then made once, outside of what is measured.
func nanoseconds(rounds: Int = 9, calls: Int, _ bodies: [(Int) -> Void]) -> [Double] {
    let clock = ContinuousClock()
    var least = [Double](repeating: .infinity, count: bodies.count)
    for _ in 0..<rounds {
        for (place, body) in bodies.enumerated() {
            let (seconds, attoseconds) = clock.measure { body(calls) }.components
            least[place] = min(least[place], (Double(seconds) * 1e9 + Double(attoseconds) / 1e9) / Double(calls))
        }
    }
    return least
}

func fixed(_ value: Double, _ digits: Int = 1) -> String {
    let scale = digits == 1 ? 10 : 100
    let scaled = Int((abs(value) * Double(scale)).rounded())
    let fraction = String(scaled % scale)
    return "\(value < 0 ? "-" : "")\(scaled / scale)."
        + String(repeating: "0", count: digits - fraction.count) + fraction
}

func line(_ label: String, _ cells: [String]) {
    print(label + String(repeating: " ", count: max(0, 28 - label.count))
        + cells.map { String(repeating: " ", count: max(1, 12 - $0.count)) + $0 }.joined())
}

let variants = Kernels.all

/// One line: every variant's time or rate, and avx2's as a multiple of the widest's.
func report(_ label: String, _ values: [Double]) {
    let against = variants.firstIndex { $0.name == "avx2" } ?? 0
    line(label, values.map { fixed($0) } + ["x " + fixed(values[against] / values[values.count - 1], 2)])
}

func pattern(_ count: Int) -> [Float] { (0..<count).map { Float($0 % 977) * 0x1p-10 } }

/// Floats from a cache line's start on, or so many behind one.
@safe
final class Floats: @unchecked Sendable {
    // Sendable: written in init alone.
    private let memory: UnsafeMutableRawBufferPointer
    private let start: UnsafeMutablePointer<Float>
    private let count: Int

    init(count: Int, offset: Int = 0) {
        self.count = count
        unsafe memory = .allocate(byteCount: 4 * (count + offset), alignment: 64)
        unsafe start = memory.bindMemory(to: Float.self).baseAddress! + offset
        for i in 0..<count { unsafe start[i] = Float(i % 977) * 0x1p-10 }
    }

    deinit { unsafe memory.deallocate() }

    var span: Span<Float> {
        @_lifetime(borrow self)
        get {
            // Sound: initialised above, and freed with self.
            let span = unsafe Span(_unsafeStart: start, count: count)
            return unsafe _overrideLifetime(span, borrowing: self)
        }
    }
}

/// 8 rows are one block of the widest variant; 32 by index are what a graph's vertex has.
func inCache(dim: Int) {
    let query = Floats(count: dim), rows = Floats(count: 8 * dim), shifted = Floats(count: 8 * dim, offset: 1)
    let indices = (0..<32).map { UInt32(($0 * 5) % 8) }
    let calls = 4_000_000 / dim
    func inOrder(_ label: String, _ rows: Floats) {
        report("dot, 8 \(label) x \(dim)", nanoseconds(calls: calls, variants.map { kernels in { calls in
            var scores = [Float](repeating: 0, count: 8)
            var span = scores.mutableSpan
            for _ in 0..<calls { kernels.dot(query.span, rows: rows.span, stride: dim, count: 8, into: &span) }
        } }).map { $0 / 8 })
    }
    inOrder("rows", rows)
    inOrder("unaligned", shifted)
    report("l2, 8 rows x \(dim)", nanoseconds(calls: calls, variants.map { kernels in { calls in
        var scores = [Float](repeating: 0, count: 8)
        var span = scores.mutableSpan
        for _ in 0..<calls { kernels.squaredDistance(query.span, rows: rows.span, stride: dim, count: 8, into: &span) }
    } }).map { $0 / 8 })
    report("dot, 32 by index x \(dim)", nanoseconds(calls: calls / 4, variants.map { kernels in { calls in
        var scores = [Float](repeating: 0, count: 32)
        var span = scores.mutableSpan
        for _ in 0..<calls { kernels.dot(query.span, rows: rows.span, stride: dim, at: indices.span, into: &span) }
    } }).map { $0 / 32 })
    report("dot, one pair x \(dim)", nanoseconds(calls: calls * 4, variants.map { kernels in { calls in
        var sum: Float = 0
        for _ in 0..<calls { sum += kernels.dot(query.span, rows.span.extracting(first: dim)) }
        precondition(sum > 0)
    } }))
    report("sum of squares x \(dim)", nanoseconds(calls: calls * 4, variants.map { kernels in { calls in
        var sum = 0.0
        for _ in 0..<calls { sum += kernels.sumOfSquares(query.span) }
        precondition(sum > 0)
    } }))
}

/// Half a gigabyte, walked in order and at random.
func beyondCache(dim: Int, _ values: Floats) {
    let query = Floats(count: dim)
    let rowCount = values.span.count / dim
    var first = 0
    let inOrder = nanoseconds(rounds: 7, calls: 400, variants.map { kernels in { calls in
        var scores = [Float](repeating: 0, count: 256)
        var span = scores.mutableSpan
        for _ in 0..<calls {
            first = first + 512 > rowCount ? 0 : first + 256
            let rows = values.span.extracting(first * dim..<(first + 256) * dim)
            kernels.dot(query.span, rows: rows, stride: dim, count: 256, into: &span)
        }
    } })
    report("dot, 256 rows x \(dim)", inOrder.map { Double(256 * dim * 4) / $0 })

    var generator = SystemRandomNumberGenerator()
    let random = (0..<1 << 18).map { _ in UInt32.random(in: 0..<UInt32(rowCount), using: &generator) }
    var at = 0
    let byIndex = nanoseconds(rounds: 7, calls: 400, variants.map { kernels in { calls in
        var scores = [Float](repeating: 0, count: 32)
        var span = scores.mutableSpan
        for _ in 0..<calls {
            at = at + 64 > random.count ? 0 : at + 32
            let indices = random.span.extracting(at..<at + 32)
            kernels.dot(query.span, rows: values.span, stride: dim, at: indices, into: &span)
        }
    } })
    report("dot, 32 at random x \(dim)", byIndex.map { Double(32 * dim * 4) / $0 })
}

func base64() {
    let values = pattern(768)
    report("encode", nanoseconds(calls: 2000, variants.map { kernels in { calls in
        var text = [UInt8](repeating: 0, count: 4096)
        var span = text.mutableSpan
        for _ in 0..<calls { unsafe kernels.encodeBase64(values.span.bytes, into: &span) }
    } }))
    var text = [UInt8](repeating: 0, count: 4096)
    var textSpan = text.mutableSpan
    unsafe Kernels.best.encodeBase64(values.span.bytes, into: &textSpan)
    report("decode and check finite", nanoseconds(calls: 2000, variants.map { kernels in { calls in
        var decoded = [Float](repeating: 0, count: 768)
        var span = decoded.mutableSpan
        for _ in 0..<calls {
            let allFinite = try? unsafe kernels.decodeBase64(text.span.bytes, count: 768, into: &span)
            precondition(allFinite == true)
        }
    } }))
    report("all finite alone", nanoseconds(calls: 20000, variants.map { kernels in { calls in
        for _ in 0..<calls { precondition(kernels.allFinite(values.span)) }
    } }))
}

/// Dimension 1, so that the kernel itself is nearly nothing: the same calls through Swift and straight into C.
func callCost() {
    let query = pattern(1), rows = pattern(32)
    let indices = (0..<32).map { UInt32($0) }
    // Sound: every pointer stays within its closure, and as much is read and written as the arrays hold.
    typealias Call = (
        UnsafePointer<Float>, UnsafePointer<Float>, UnsafePointer<UInt32>, UnsafeMutablePointer<Float>
    ) -> Void
    func straight(_ call: @escaping Call) -> (Int) -> Void {
        { calls in
            var scores = [Float](repeating: 0, count: 32)
            unsafe query.withUnsafeBufferPointer { query in
                unsafe rows.withUnsafeBufferPointer { rows in
                    unsafe indices.withUnsafeBufferPointer { indices in
                        unsafe scores.withUnsafeMutableBufferPointer { scores in
                            for _ in 0..<calls {
                                unsafe call(
                                    query.baseAddress!, rows.baseAddress!, indices.baseAddress!, scores.baseAddress!)
                            }
                        }
                    }
                }
            }
        }
    }
    let kernels = Kernels.best
    let table = unsafe nt_kernels_best()!
    for count in [1, 32] {
        let times = unsafe nanoseconds(calls: 200_000, [
            { calls in
                var scores = [Float](repeating: 0, count: 32)
                var span = scores.mutableSpan
                for _ in 0..<calls { kernels.dot(query.span, rows: rows.span, stride: 1, count: count, into: &span) }
            },
            straight { unsafe table.pointee.dot_rows($0, $1, 1, 1, count, $3) },
            { calls in
                var scores = [Float](repeating: 0, count: 32)
                var span = scores.mutableSpan
                let some = indices.span.extracting(first: count)
                for _ in 0..<calls { kernels.dot(query.span, rows: rows.span, stride: 1, at: some, into: &span) }
            },
            straight { unsafe table.pointee.dot_gather($0, $1, 1, 1, $2, count, $3) },
        ])
        line("\(count) rows", times.map { fixed($0) })
    }
}

func checksums() {
    let values = pattern(16384)
    for count in [256, 1024, 4096, 65536] {
        // Sound: the array holds as many bytes as the largest count.
        let times = unsafe values.withUnsafeBytes { bytes in
            nanoseconds(calls: 1 + 1_000_000 / count, [
                { calls in
                    var checksum: UInt32 = 0
                    for _ in 0..<calls { unsafe checksum = nt_crc32c(checksum, bytes.baseAddress, count) }
                },
                { calls in
                    var checksum: UInt32 = 0
                    for _ in 0..<calls { unsafe checksum = nt_crc32c_portable(checksum, bytes.baseAddress, count) }
                },
            ])
        }
        line("\(count) bytes", times.map { fixed(Double(count) / $0, 2) })
    }
}

func matrixProducts() {
    for (queryCount, rowCount, dim) in [(1024, 1024, 1024), (1000, 1000, 768), (32, 10000, 768), (8, 10000, 384)] {
        let queries = pattern(queryCount * dim), rows = pattern(rowCount * dim)
        let times = nanoseconds(rounds: 7, calls: 1, [MatrixProduct.multiply, MatrixProduct.multiplyByKernels].map {
            multiply in { _ in
                var products = [Float](repeating: 0, count: queryCount * rowCount)
                var span = products.mutableSpan
                multiply(queries.span, queryCount, dim, rows.span, rowCount, dim, dim, 1, 0, &span, rowCount)
            }
        })
        line("\(queryCount) x \(rowCount) x \(dim)", times.map { fixed(2 * Double(queryCount * rowCount * dim) / $0) })
    }
}

// Micro reads DIRECTORY: nothing but what documents without vectors cost, in a new database there.
if CommandLine.arguments.count == 3, CommandLine.arguments[1] == "reads" {
    try reads(directory: CommandLine.arguments[2])
    exit(0)
}
let choosing = ContinuousClock().measure { _ = Kernels.best }
print("best: \(Kernels.best.name), chosen in \(choosing)")
line("", variants.map(\.name) + ["avx2/widest"])
print("\nin cache, ns a row")
for dim in [128, 384, 768] { inCache(dim: dim) }
print("\nbeyond cache, GB/s")
let large = Floats(count: 1 << 27)
for dim in [128, 384, 768] { beyondCache(dim: dim, large) }
print("\nbase64 of 768 floats (4,096 characters), ns")
base64()
print("\ncodes in cache, ns: a row, a line, a candidate")
codeKernels()
print("\na call with 1 dimension, ns: rows, straight into C; by index (every one checked), straight into C")
callCost()
print("\nCRC-32C, GB/s: by instruction, by table")
checksums()
print("\nmatrix products, GFLOP/s: \(MatrixProduct.library); then the kernels in its place")
matrixProducts()
print("\na request from its line")
requests()
print("\na search of rows without an index, ms: x 768, 10 nearest")
heads()
print("\nan audited answer, ns")
audits()
