// A data set on disk: vectors, queries, and the true neighbours of the queries.
import Foundation
import Index
import Ingest
import Wire

/// A data set directory in memory. Under cosine, vectors and queries have unit length.
///
/// | file | content |
/// |---|---|
/// | `meta.json` | `n`, `d` (or `dim`), `metric`: l2 or euclidean, cosine or angular, ip |
/// | `base*`, `query*` | a matrix in any format that `load` reads; files of bare numbers get `d` from `meta.json` |
/// | `gt100.i32` | 100 row numbers a query, nearest first; computed where it is missing |
final class BenchData: Sendable {
    let name: String
    let metric: Metric
    let dimension: Int
    let base: [Float]
    let queries: [Float]
    /// With those that are not asked.
    let storedQueryCount: Int
    /// What a comparison keeps beside each row.
    let factors: [Float]
    /// The file's true neighbours, for the queries that are asked.
    let truth: Neighbours?

    /// - Parameter queriesMax: of more queries than this, the first ones are asked.
    init(_ directory: String, queriesMax: Int) throws {
        let meta = try JSONTree(file: directory + "/meta.json")
        name = URL(filePath: directory).standardizedFileURL.lastPathComponent
        metric = try Self.metric(meta["metric"]?.string ?? "")
        let (base, dimension) = try Self.matrix("base", in: directory, meta["d"]?.int ?? meta["dim"]?.int)
        let (asked, queryDimension) = try Self.matrix("query", in: directory, dimension)
        guard queryDimension == dimension, meta["n"]?.int ?? base.count / dimension == base.count / dimension else {
            throw CommandFailure(description: "\(directory): base, queries and meta.json are of different shapes")
        }
        let queries = Array(asked.prefix(queriesMax * dimension))
        storedQueryCount = asked.count / dimension
        self.dimension = dimension
        self.base = metric == .cosine ? Self.unit(base, dimension) : base
        self.queries = metric == .cosine ? Self.unit(queries, dimension) : queries
        factors = stride(from: 0, to: base.count, by: dimension).map { [base = self.base, metric] row in
            metric.rowFactor(base.span.extracting(row..<row + dimension))
        }
        truth = try Neighbours(file: directory + "/gt100.i32", queryCount: queries.count / dimension)
    }

    var count: Int { base.count / dimension }
    var queryCount: Int { queries.count / dimension }
    func rowRange(_ row: Int) -> Range<Int> { row * dimension..<(row + 1) * dimension }
    func row(_ row: Int) -> [Float] { Array(base[rowRange(row)]) }
    func query(_ number: Int) -> [Float] { Array(queries[rowRange(number)]) }

    /// Smaller is nearer; in float64, so that equals are equal.
    func distance(_ row: Int, _ query: Int) -> Double {
        var sum = 0.0
        for (x, q) in zip(base[rowRange(row)], queries[rowRange(query)]) {
            let (x, q) = (Double(x), Double(q))
            sum += metric == .l2 ? (x - q) * (x - q) : -x * q
        }
        return sum
    }

    private static func metric(_ name: String) throws -> Metric {
        switch name.split(separator: " ").first {
        case "l2", "euclidean": .l2
        case "cosine", "angular": .cosine
        case "ip", "dot": .dot
        default: throw CommandFailure(description: "meta.json: expected a metric of l2, cosine or ip, found \"\(name)\"")
        }
    }

    private static func matrix(_ prefix: String, in directory: String, _ dimension: Int?) throws -> (numbers: [Float], dimension: Int) {
        for file in try FileManager.default.contentsOfDirectory(atPath: directory).sorted() where file.hasPrefix(prefix) {
            guard let format = try MatrixFormat(path: file, dimension: dimension) else { continue }
            var reader = try MatrixReader(path: directory + "/" + file, format: format)
            var numbers: [Float] = []
            while let row = try reader.next() {
                switch row {
                case .vector(let vector): numbers += vector
                case .invalid(let reason): throw CommandFailure(description: "\(file), row \(reader.rowCount - 1): \(reason)")
                }
            }
            return (numbers, reader.dimension)
        }
        throw CommandFailure(description: "\(directory): there is no matrix called \(prefix)")
    }

    private static func unit(_ rows: [Float], _ dimension: Int) -> [Float] {
        var rows = rows
        for first in stride(from: 0, to: rows.count, by: dimension) {
            let squared = Kernels.best.sumOfSquares(rows.span.extracting(first..<first + dimension))
            guard squared > 0 else { continue }
            let scale = Float(1 / squared.squareRoot())
            for at in first..<first + dimension { rows[at] *= scale }
        }
        return rows
    }
}

extension JSONTree {
    init(file path: String) throws {
        self = try Answer(line: [UInt8](Data(contentsOf: URL(filePath: path)))).root
    }
}
