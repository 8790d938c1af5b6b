// Whether a walk can get from every place where it may begin to every row.
import Index
import Memory
import TestSupport
import Testing

struct ReachabilityTests {
    @Test(arguments: VectorKind.allCases)
    func `from every medoid every row can be reached`(_ kind: VectorKind) {
        let seed = TestSeed(71)
        var random = seed.random
        for (count, dimension, metric) in [(500, 8, Metric.l2), (1200, 20, .cosine)] {
            let fixture = IndexFixture(kind.rows(count, dimension, &random), metric)
            #expect(fixture.unreachableRows == [], "\(metric), \(seed)")
        }
    }

    @Test(arguments: [1, 2, 3, 32, 33, 34, 40])
    func `the fewest rows are linked`(_ count: Int) {
        let seed = TestSeed(72)
        var random = seed.random
        for kind in VectorKind.allCases {
            for metric in Metric.allCases {
                let fixture = IndexFixture(kind.rows(count, 5, &random), metric)
                #expect(fixture.unreachableRows == [], "\(kind), \(metric), \(seed)")
            }
        }
    }

    @Test func `thousands of equal rows are within reach`() {
        let seed = TestSeed(73)
        var random = seed.random
        var rows = [[Float]](repeating: [1, 2, 3, 4], count: 3000)
        rows += VectorKind.gaussian.rows(300, 4, &random)
        rows += [[Float]](repeating: [50, 2, 3, 4], count: 40)
        rows.shuffle(using: &random)
        for metric in [Metric.l2, .dot] {
            let fixture = IndexFixture(rows, metric)
            #expect(fixture.unreachableRows == [], "\(metric), \(seed)")
        }
    }

    @Test func `clusters with more rows than links and no medoid of their own are within reach`() {
        let seed = TestSeed(74)
        var random = seed.random
        // 2,000 rows have eight lists.
        let centres = VectorKind.gaussian.rows(40, 6, &random).map { $0.map { 1000 * $0 } }
        let rows = VectorKind.gaussian.rows(2000, 6, &random).enumerated().map { i, row in zip(centres[i % 40], row).map { $0 + $1 } }
        for metric in [Metric.l2, .cosine] {
            let fixture = IndexFixture(rows, metric)
            #expect(fixture.unreachableRows == [], "\(metric), \(seed)")
        }
    }
}

extension IndexFixture {
    /// Rows that cannot be reached from some medoid; links that lead nowhere count too.
    var unreachableRows: Set<UInt32> {
        var missing = Set<UInt32>()
        let degree = Int(built.parameters.degree)
        for medoid in 0..<built.medoids.count {
            var (seen, todo) = ([Bool](repeating: false, count: count), [built.medoids.cells[medoid]])
            seen[Int(todo[0])] = true
            while let row = todo.popLast() {
                for i in 0..<degree {
                    let other = built.links.cells[Int(row) * degree + i]
                    if other == VectorIndex.noLink { break }
                    guard other < count, other != row else {
                        missing.insert(row)
                        continue
                    }
                    if !seen[Int(other)] {
                        seen[Int(other)] = true
                        todo.append(other)
                    }
                }
            }
            for row in 0..<count where !seen[row] { missing.insert(UInt32(row)) }
        }
        return missing
    }
}
