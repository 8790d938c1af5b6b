// The true neighbours of queries, and how many of them an answer has.
import Foundation
import Index

/// Row numbers of each query's true neighbours, nearest first; -1 where there are no more.
struct Neighbours: Sendable {
    let depth: Int
    let rows: [Int32]

    static let depthUsual = 100

    /// Nil where there is no such file.
    init?(file path: String, queryCount: Int) throws {
        guard FileManager.default.fileExists(atPath: path) else { return nil }
        let bytes = [UInt8](try Data(contentsOf: URL(filePath: path)))
        guard bytes.count >= queryCount * Self.depthUsual * 4 else {
            throw CommandFailure(description: "\(path): expected \(Self.depthUsual) rows for each of \(queryCount) queries")
        }
        depth = Self.depthUsual
        rows = (0..<queryCount * Self.depthUsual).map { number in
            Int32(bitPattern: (0..<4).reduce(UInt32(0)) { $0 | UInt32(bytes[number * 4 + $1]) << UInt32($1 * 8) })
        }
    }

    /// By comparing every row that a query may see. O(rows x queries).
    init(exactlyOf data: BenchData, filter: BenchFilter?) {
        depth = Self.depthUsual
        var found = [Int32](repeating: -1, count: data.queryCount * depth)
        // Queries that see the same rows are answered together, by matrix product.
        for (label, queries) in Dictionary(grouping: 0..<data.queryCount, by: { filter?.wanted[$0] }) {
            for (query, candidates) in zip(queries, Self.nearest(queries, in: data, labelled: label, filter)) {
                for (place, candidate) in candidates.enumerated() { found[query * depth + place] = Int32(candidate.row) }
            }
        }
        rows = found
    }

    private static func nearest(_ queries: [Int], in data: BenchData, labelled label: Int32?, _ filter: BenchFilter?) -> [[Candidate]] {
        let (base, factors, vectors) = (data.base, data.factors, data.queries)
        var search = FlatSearch(
            queries: queries.map { FlatQuery(vectors.span.extracting(data.rowRange($0)), metric: data.metric) }, k: depthUsual)
        let pageRows = 4096
        for first in stride(from: 0, to: data.count, by: pageRows) {
            let range = first..<min(first + pageRows, data.count)
            let ties = range.map { UInt32($0) }
            let page = FlatPage(
                rows: base.span.extracting(first * data.dimension..<range.upperBound * data.dimension), stride: data.dimension,
                factors: factors.span.extracting(range), ties: ties.span, firstRow: first)
            let selection = range.filter { filter?.labels[$0] == label }.map { UInt32($0 - first) }
            search.scan(page, selection: selection.span)
        }
        return search.finish()
    }

    func of(_ query: Int) -> [Int32] { rows[query * depth..<(query + 1) * depth].filter { $0 >= 0 } }

    /// Little-endian int32, as files have it: with rows of -1 for queries that are not asked.
    func bytes(queryCount: Int) -> Data {
        let all = rows + [Int32](repeating: -1, count: max(0, queryCount * depth - rows.count))
        return Data(all.flatMap { row in (0..<4).map { UInt8(truncatingIfNeeded: row >> Int32($0 * 8)) } })
    }
}

/// Counts how many of the true k neighbours answers have; rows at the distance of the k-th count like it.
struct Recall: Sendable {
    private let expected: [(wanted: Int, allowed: Set<Int32>)]

    init(_ neighbours: Neighbours, of data: BenchData, k: Int) {
        expected = (0..<data.queryCount).map { query in
            let rows = neighbours.of(query)
            let wanted = min(k, rows.count)
            guard wanted > 0 else { return (0, []) }
            let last = data.distance(Int(rows[wanted - 1]), query)
            return (wanted, Set(rows.filter { data.distance(Int($0), query) <= last + 1e-6 * last.magnitude }))
        }
    }

    /// Of the neighbours there are, over all answers.
    func share(_ answers: [[Int32]]) -> Double {
        var (found, wanted) = (0, 0)
        for (answer, expected) in zip(answers, expected) {
            wanted += expected.wanted
            found += min(expected.wanted, Set(answer).intersection(expected.allowed).count)
        }
        return wanted == 0 ? 1 : Double(found) / Double(wanted)
    }
}
