// Counts by value, against counting.
@testable import Engine
import Testing
import TestSupport

@Suite struct FacetTests {
    @Test func `each value is counted once a document, and the most frequent come first`() throws {
        var witness = try ReadWitness(seed: 78)
        for round in 0..<200 {
            for _ in 0..<4 { try witness.writeAtRandom() }
            let (collection, expected) = (try witness.collection, witness.expected)
            for field in ["k", "ks", "i", "b"] {
                let filter = witness.random.oneIn(3) ? nil : RandomInput.filter(expected.schema, depth: 1, using: &witness.random)
                let under = witness.random.oneIn(4) ? RandomInput.ids(using: &witness.random) : nil
                let limit = Int.random(in: 1...5, using: &witness.random)
                let found = try collection.facet(field, filter: filter, under: under, limit: limit)
                let matching = expected.matching(filter, under: under)
                var counts: [ModelValue: Int] = [:]
                for node in matching { for value in node.fields[field]?.each ?? [] { counts[value, default: 0] += 1 } }
                let values = counts.sorted { ($1.value, $0.key.sortKey) < ($0.value, $1.key.sortKey) }.prefix(limit)
                #expect(found.documents == matching.count && found.distinct == counts.count, "\(field), round \(round), \(witness.seed)")
                #expect(found.without == matching.count { $0.fields[field] == nil }, "\(field), round \(round), \(witness.seed)")
                #expect(found.values.map(\.count) == values.map(\.value), "\(field), round \(round), \(witness.seed)")
                #expect(found.values.map { ModelValue($0.value, field == "ks" ? .keyword : expected.schema.fields.first { $0.name == field }!.type) } == values.map(\.key))  // Declared.
            }
        }
    }

    @Test(arguments: [("f", EngineError.Code.invalidValue), ("t", .invalidValue), ("nowhere", .undeclaredField)])
    func `a field of too many values is refused`(field: String, code: EngineError.Code) throws {
        let collection = try ReadWitness(seed: 79).collection
        let error = #expect(throws: EngineError.self) { try collection.facet(field, filter: nil, under: nil, limit: 3) }
        #expect(error?.code == code && error?.field == "field")
    }
}

extension ModelValue {
    /// The values of a list, each once.
    fileprivate var each: Set<ModelValue> { if case .keywords(let texts) = self { Set(texts.map { .keyword($0) }) } else { [self] } }

    fileprivate var sortKey: SortKey {
        switch self {
        case .keyword(let text): SortKey(bytes: text.bytes)
        case .int(let number): SortKey(number: number)
        case .bool(let flag): SortKey(number: flag ? 1 : 0)
        case .keywords, .float: preconditionFailure("not counted")
        }
    }
}

private struct SortKey: Comparable {
    var number: Int64 = 0
    var bytes: [UInt8] = []

    static func < (a: SortKey, b: SortKey) -> Bool { a.number != b.number ? a.number < b.number : a.bytes.lexicographicallyPrecedes(b.bytes) }
}
