// The best k of a stream, against sorting all of it.
import Index
import Testing
import TestSupport

@Suite struct TopKTests {
    @Test(arguments: 1...12)
    func `it keeps what a sort would put first, however the candidates arrive`(k: Int) {
        let seed = TestSeed(21)
        var random = SeededRandom(seed: seed.value &+ UInt64(k))
        for count in 0...40 {
            // Few scores and few ties, so that every way to be equal comes up.
            let candidates = (0..<count).map { row in
                Candidate(score: Float(Int.random(in: -2...2, using: &random)), tie: UInt32.random(in: 0..<4, using: &random), row: UInt32(row))
            }
            let expected = Array(candidates.sorted { Self.isFirst($0, $1) }.prefix(k))
            for order in [candidates, candidates.reversed(), candidates.shuffled(using: &random), expected, expected.reversed()] {
                var best = TopK(capacity: k)
                for candidate in order { best.offer(candidate) }
                #expect(best.sorted() == expected, "\(count) candidates, \(seed)")
            }
        }
    }

    @Test func `nothing that scores below the threshold could have entered`() {
        let seed = TestSeed(22)
        var random = seed.random
        for k in 1...6 {
            var best = TopK(capacity: k)
            var scores: [Float] = []
            for row in 0..<60 as Range<UInt32> {
                // The threshold is the k-th best score so far, and no bar at all before there are k.
                let expected = scores.count < k ? -Float.infinity : scores.sorted(by: >)[k - 1]
                #expect(best.threshold == expected, "\(seed)")
                let score = Float.random(in: -1...1, using: &random)
                best.offer(Candidate(score: score, tie: 0, row: row))
                scores.append(score)
            }
        }
    }

    @Test func `infinite scores have their places at the ends`() {
        var best = TopK(capacity: 3)
        for (row, score) in [0, -Float.infinity, .infinity, 1].enumerated() { best.offer(Candidate(score: score, tie: 0, row: UInt32(row))) }
        #expect(best.sorted().map(\.row) == [2, 3, 0])
    }

    private static func isFirst(_ a: Candidate, _ b: Candidate) -> Bool {
        (-a.score, a.tie, a.row) < (-b.score, b.tie, b.row)
    }
}
