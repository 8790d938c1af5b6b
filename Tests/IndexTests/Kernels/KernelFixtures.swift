// What the kernel tests share: seeded vectors, their names, and the bound on a float sum's error.
import Index
import Testing
import TestSupport

/// The tests' own: the module under test has another of this name.
typealias SeededRandom = TestSupport.SeededRandom

extension Kernels: CustomTestStringConvertible {
    package var testDescription: String { name }

    /// Whether this variant promises the bytes of `ScalarKernels.dotInLanes`.
    var isFused: Bool {
        #if arch(arm64)
        true
        #else
        name != "portable"
        #endif
    }
}

/// SplitMix64: the same vectors in every run.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64
    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }

    mutating func floats(_ count: Int) -> [Float] {
        (0..<count).map { _ in Float(Int32(truncatingIfNeeded: next())) / 0x1p31 }
    }
}

/// The unit of the tests' tolerances: dim · 2⁻²⁴ · |a||b|, from the squares of |a| and |b|.
func roundingUnit(dim: Int, _ a: Double, _ b: Double) -> Double {
    Double(dim) * 0x1p-24 * (a * b).squareRoot()
}

enum KernelDims {
    /// Every tail of every vector width, and the dimensions models have.
    static let all = Array(1...67) + [96, 100, 128, 384, 768, 784, 1000, 1536]
}
