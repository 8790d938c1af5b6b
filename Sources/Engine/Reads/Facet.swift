// How often each value of a field occurs among the documents that match.
import Memory

/// Counts by value, exact.
package struct FacetCounts: Sendable {
    /// Most frequent first, equal ones by value.
    package var values: [(value: InputValue, count: Int)]
    /// How many different values there are, told or not.
    package var distinct: Int
    /// Documents that match.
    package var documents: Int
    /// Those of them that have no value.
    package var without: Int
}

extension CollectionSnapshot {
    /// The values of a `keyword`, `keyword[]`, `bool` or `int` field among the documents that match. A document counts once for each
    /// different value it has. O(documents that match + different values ever stored).
    package func facet(
        _ field: String, filter: Filter?, under: [String]?, prepared: [PreparedFilter] = [], limit: Int
    ) throws(EngineError) -> FacetCounts {
        guard let index = schema.fieldIndex(field) else { throw UpsertEncoder.undeclared(field, schema, field: "field") }
        guard (1...Limits.facetValuesMax).contains(limit) else {
            throw EngineError(.invalidValue, "limit must be 1 to \(Limits.facetValuesMax), got \(limit)", field: "limit")
        }
        let documents = try documents(filter: filter, under: under, prepared: prepared) ?? state.liveDocuments()
        let column = state.fields[index]
        switch schema.fields[index].type {
        case .keyword, .keywords: return column.keywordCounts(documents, limit: limit)
        case .int, .bool: return column.numberCounts(documents, limit: limit)
        case .float, .time:
            throw EngineError(.invalidValue, "a \(schema.fields[index].type.rawValue) field has as many values as documents: facet takes keyword, keyword[], bool and int", field: "field")
        }
    }
}

extension FieldColumn {
    fileprivate func keywordCounts(_ documents: Bitmap, limit: Int) -> FacetCounts {
        var counts = [UInt32](repeating: 0, count: keywords.count)
        // A list may have a value twice.
        var counted = [UInt32](repeating: 0, count: schema.type == .keywords ? keywords.count : 0)
        var (total, without) = (0, 0)
        documents.forEach { document in
            total += 1
            guard present[document] != 0 else { return without += 1 }
            let packed = values[document]
            guard schema.type == .keywords else { return counts[Int(packed)] += 1 }
            for place in list(packed) {
                let keyword = Int(lists[place])
                guard counted[keyword] != UInt32(document) + 1 else { continue }
                counted[keyword] = UInt32(document) + 1
                counts[keyword] += 1
            }
        }
        var page = BoundedSelection<Int>(limit: limit) { one, other in
            if counts[one] != counts[other] { return counts[one] > counts[other] }
            return keywords.bytes(UInt32(one)).order(to: keywords.bytes(UInt32(other))) < 0
        }
        for keyword in counts.indices where counts[keyword] > 0 { page.offer(keyword) }
        return FacetCounts(
            values: page.sorted().map { (.string(keywords.string(UInt32($0))), Int(counts[$0])) }, distinct: counts.count { $0 > 0 }, documents: total,
            without: without)
    }

    fileprivate func numberCounts(_ documents: Bitmap, limit: Int) -> FacetCounts {
        var counts: [UInt64: Int] = [:]
        var (total, without) = (0, 0)
        documents.forEach { document in
            total += 1
            guard present[document] != 0 else { return without += 1 }
            counts[values[document], default: 0] += 1
        }
        var page = BoundedSelection<(value: UInt64, count: Int)>(limit: limit) { one, other in
            one.count != other.count ? one.count > other.count : Int64(bitPattern: one.value) < Int64(bitPattern: other.value)
        }
        for (value, count) in counts { page.offer((value, count)) }
        let isBool = schema.type == .bool
        return FacetCounts(
            values: page.sorted().map { (isBool ? .bool($0.value != 0) : .integer(Int64(bitPattern: $0.value)), $0.count) }, distinct: counts.count,
            documents: total, without: without)
    }
}
