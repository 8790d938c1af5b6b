// Columns of an index that a file may hold under checksums that fit: what is refused before anything is searched.
import Index
import Memory
import TestSupport
import Testing

struct IndexFormatTests {
    private static let random = SeededRandom(seed: 91)

    /// An index's columns as a file would lend them, to be changed.
    private struct Stored {
        let fixture: IndexFixture
        var columns: [IndexColumn: [UInt8]]

        init(_ metric: Metric, whole: Bool = false, lines: Bool = false) {
            var random = IndexFormatTests.random
            let rows = (whole ? VectorKind.bytes : .gaussian).rows(300, lines ? 192 : 9, &random)
            fixture = IndexFixture(rows, metric) { $0.hasLines = lines }
            let lent = fixture.built.columns
            columns = Dictionary(uniqueKeysWithValues: IndexColumn.allCases.map { id in
                let bytes = lent.bytes(of: id)
                return (id, (0..<bytes.count).map { bytes[$0] })
            })
        }

        mutating func set(_ index: Int, of id: IndexColumn, to value: UInt32) {
            for byte in 0..<4 { columns[id]![4 * index + byte] = UInt8(truncatingIfNeeded: value >> UInt32(8 * byte)) }  // All are there.
        }

        func word(_ index: Int, of id: IndexColumn) -> UInt32 {
            (0..<4).reduce(0) { $0 | UInt32(columns[id]![4 * index + $1]) << UInt32(8 * $1) }  // As above.
        }

        func open() throws(Corruption) -> VectorIndex {
            let buffers = columns.mapValues { bytes in
                let buffer = CellBuffer<UInt8>(count: bytes.count)
                for (i, byte) in bytes.enumerated() { buffer.cells[i] = byte }
                return buffer
            }
            let vectors = fixture.vectors
            let columns = try IndexColumns(
                stored: { buffers[$0].map { $0.cells.readOnly } ?? .none }, rowCount: vectors.count, dimension: vectors.dimension, metric: vectors.metric, file: "index")
            return VectorIndex(columns, metric: vectors.metric, owner: buffers)
        }
    }

    private static func isRefused(_ metric: Metric, whole: Bool = false, lines: Bool = false, _ change: (inout Stored) -> Void) -> Bool {
        var stored = Stored(metric, whole: whole, lines: lines)
        change(&stored)
        do throws(Corruption) { _ = try stored.open() } catch { return true }
        return false
    }

    @Test(arguments: Metric.allCases, [false, true])
    func `an index is opened as it was stored`(metric: Metric, lines: Bool) {
        #expect(!Self.isRefused(metric, whole: !lines, lines: lines) { _ in })
    }

    @Test func `numbers that lead out of an index are refused`() {
        for (id, value) in [(IndexColumn.links, 300 as UInt32), (.rows, 300), (.medoids, 300), (.listStarts, 301)] {
            #expect(Self.isRefused(.l2) { $0.set(0, of: id, to: value) }, "\(id)")
        }
        #expect(!Self.isRefused(.l2) { $0.set(0, of: .links, to: VectorIndex.noLink) })
        #expect(Self.isRefused(.l2) { $0.set(1, of: .listStarts, to: 299) })
        #expect(Self.isRefused(.l2) { $0.columns[.exceptions] = [44, 1, 0, 0] })
        #expect(!Self.isRefused(.l2) { $0.columns[.exceptions] = [43, 1, 0, 0] })
    }

    @Test func `a row that is there twice is refused: it would be found twice`() {
        #expect(Self.isRefused(.l2) { $0.set(7, of: .rows, to: $0.word(200, of: .rows)) })
        #expect(Self.isRefused(.dot) { $0.columns[.exceptions] = [5, 0, 0, 0, 5, 0, 0, 0] })
    }

    @Test(arguments: [Float.nan, .infinity, -.infinity])
    func `numbers that nothing can be reckoned from are refused`(value: Float) {
        for id in [IndexColumn.centre, .lineMean, .lineScales] {
            #expect(Self.isRefused(.cosine, lines: true) { $0.set(3, of: id, to: value.bitPattern) }, "\(id)")
        }
        for word in 6...8 { #expect(Self.isRefused(.l2) { $0.set(word, of: .parameters, to: value.bitPattern) }, "\(word)") }
    }

    @Test func `squares below zero are refused, and a step of nothing`() {
        for (word, value) in [(6, -1 as Float), (7, 0), (7, -1), (8, -1)] {
            #expect(Self.isRefused(.dot) { $0.set(word, of: .parameters, to: value.bitPattern) }, "\(word), \(value)")
        }
    }

    /// Scores are then taken from the codes, without a look at the vectors.
    @Test func `codes are taken for exact on whole numbers alone`() {
        #expect(!Self.isRefused(.l2, whole: true) { $0.set(9, of: .parameters, to: $0.word(9, of: .parameters) | 1) })
        #expect(Self.isRefused(.l2) { $0.set(9, of: .parameters, to: $0.word(9, of: .parameters) | 1) })
        #expect(Self.isRefused(.cosine, whole: true) { $0.set(9, of: .parameters, to: $0.word(9, of: .parameters) | 1) })
        #expect(Self.isRefused(.l2, whole: true) { $0.set(0, of: .centre, to: (127.5 as Float).bitPattern) })
    }

    /// A search's memory was once reserved for as many candidates as a calibration said.
    @Test func `no calibration makes a search wider than the index`() throws {
        func point(_ method: UInt32, _ k: UInt32, _ width: UInt32) -> [UInt32] {
            [method, k, (1 as Float).bitPattern, (0.99 as Float).bitPattern, width, .max, 1 << 24 - 1, (0 as Float).bitPattern]
        }
        var stored = Stored(.l2)
        let words = point(0, 10, 1) + point(0, 100, 1 << 24 - 1) + point(1, 10, 1) + point(1, 100, 1 << 24 - 1)
        stored.columns[.calibration] = words.flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> UInt32(8 * $0)) } }
        let index = try stored.open()
        for k in [1, 10, 100, 149] {
            let (plan, _) = try #require(index.plan(k: k, effort: .recall(0.9), visibleCount: 300))
            let (width, refined) = switch plan {
            case .walk(let width, let refined), .lists(let width, _, let refined): (width, refined)
            case .scan(let refined): (1, refined)
            }
            #expect(width <= 300 && refined <= 300, "\(k), \(plan)")
        }
    }
}
