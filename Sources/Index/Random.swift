// Random numbers from a seed: equal seeds build equal indexes.

/// Steele, Lea, Flood 2014: small, fast, and good enough to choose samples and leaders.
struct SplitMix64: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ z >> 30) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ z >> 27) &* 0x94d0_49bb_1331_11eb
        return z ^ z >> 31
    }

    /// Below `bound`, by multiplication (Lemire 2019): the bias is below bound / 2^64.
    mutating func next(below bound: Int) -> Int { Int(next().multipliedFullWidth(by: UInt64(bound)).high) }

    /// From the normal distribution, approximately: twelve uniform numbers.
    mutating func nextNormal() -> Float {
        var sum: Float = -6
        for _ in 0..<12 { sum += Float(next() >> 40) * 0x1p-24 }
        return sum
    }

    /// `count` different numbers below `bound`, rising (Vitter's selection sampling).
    mutating func sample(_ count: Int, below bound: Int) -> [Int] {
        var chosen: [Int] = []
        chosen.reserveCapacity(min(count, bound))
        var wanted = min(count, bound)
        for number in 0..<bound where wanted > 0 && next(below: bound - number) < wanted {
            chosen.append(number)
            wanted -= 1
        }
        return chosen
    }
}
