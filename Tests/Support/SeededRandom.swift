// Chance that can be had again: every random test prints its seed and takes one from the environment.
#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif
import Synchronization

/// SplitMix64: equal seeds, equal sequences, on every machine.
package struct SeededRandom: RandomNumberGenerator, Sendable {
    private var state: UInt64

    package init(seed: UInt64) { state = seed }

    package mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    /// True once in `count` times.
    package mutating func oneIn(_ count: Int) -> Bool { Int.random(in: 0..<count, using: &self) == 0 }
}

/// The seed of a test.
package struct TestSeed: Sendable, CustomStringConvertible {
    package let value: UInt64

    /// `NEEDLETAIL_SEED` where it is set, otherwise the seed that the test names.
    package init(_ fallback: UInt64) { value = Self.fromEnvironment ?? fallback }

    /// For the comment of every expectation.
    package var description: String { "NEEDLETAIL_SEED=\(value)" }
    package var random: SeededRandom { SeededRandom(seed: value) }

    private static let fromEnvironment = environmentNumber("NEEDLETAIL_SEED")
}

/// How often a test does what gets better with repetition.
package struct TestCycles: Sendable {
    package let count: Int

    /// The environment variable's number where it is set, otherwise what a run before every merge can afford.
    package init(_ variable: String, otherwise fallback: Int) {
        count = environmentNumber(variable).map { Int(clamping: $0) } ?? fallback
    }
}

private func environmentNumber(_ variable: String) -> UInt64? {
    // Sound: a NUL-terminated text, read before anybody could change the environment.
    guard let text = unsafe getenv(variable) else { return nil }
    let digits = unsafe String(cString: text)
    guard let value = UInt64(digits) else { preconditionFailure("\(variable) is a number, not \(digits)") }
    return value
}

/// A source of numbers that threads may share: what a database takes for its randomness.
package final class SharedRandom: Sendable {
    private let random: Mutex<SeededRandom>

    package init(seed: UInt64) { random = Mutex(SeededRandom(seed: seed)) }
    package func next() -> UInt64 { random.withLock { $0.next() } }
}
