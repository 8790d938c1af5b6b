// Answers to searches: hits, what is known of their documents, and how they were found.
package import Engine
import Memory

extension ResponseWriter {
    package mutating func search(
        _ id: RequestID, sequence: UInt64, _ collection: CollectionSnapshot, _ request: SearchRequest, _ result: SearchResult,
        microseconds: Int
    ) throws(WireError) {
        begin(id, sequence: sequence)
        if request.isBatch {
            json.key("results")
            json.beginArray()
            for (index, hits) in result.hits.enumerated() {
                json.beginObject()
                try self.hits(hits, collection, with: request.with)
                if request.input.includesKnown { known(result.known[index]) }
                json.endObject()
            }
            json.endArray()
        } else {
            try hits(result.hits[0], collection, with: request.with)
            if request.input.includesKnown { known(result.known[0]) }
        }
        plan(result.plan)
        if let damage = result.damage { incomplete(damage) }
        json.key("took_us")
        json.int(microseconds)
        end()
    }

    private mutating func plan(_ plan: SearchPlan) {
        receipt.tell(plan.kind)
        json.key("plan")
        json.beginObject()
        json.key("kind")
        json.string(plan.kind.rawValue)
        json.key("exact")
        json.bool(plan.isExact)
        if let recall = plan.expectedRecall {
            json.key("expected_recall")
            json.float(recall)
        }
        json.key("visited")
        json.int(plan.visited)
        json.endObject()
    }

    private mutating func hits(_ hits: [Hit], _ collection: CollectionSnapshot, with: Parts) throws(WireError) {
        let details: HitDetails
        do { details = try collection.details(of: hits, withTexts: !with.isDisjoint(with: [.text, .heading])) } catch { throw WireError(error) }
        json.key("hits")
        json.beginArray()
        if with.contains(.vector) || details.haveTexts {
            try self.hits(hits, details, collection, with: with)
        } else {
            for index in hits.indices {
                begin(hits[index], index, details, with: with)
                json.endObject()
                try checkSize()
            }
        }
        json.endArray()
    }

    /// Those of which there may be more to say than where they are.
    private mutating func hits(_ hits: [Hit], _ details: HitDetails, _ collection: CollectionSnapshot, with: Parts) throws(WireError) {
        var reader = ChunkReader()
        for index in hits.indices {
            begin(hits[index], index, details, with: with)
            do { try content(of: details.chunk(index), collection, with: with, &reader) } catch { throw WireError(error) }
            json.endObject()
            try checkSize()
        }
    }

    private mutating func begin(_ hit: Hit, _ index: Int, _ details: HitDetails, with: Parts) {
        json.beginObject()
        json.key("document")
        json.string(details.id(index))
        json.key("chunk")
        json.int(details.ordinal(index))
        receipt.tell(details.id(index), ordinal: details.ordinal(index), grade: hit.grade)
        json.key("score")
        json.float(hit.score)
        if details.tellsGrades { grade(hit.grade) }
        if with.contains(.fields) || details.hasAttributes(index) { attributes(of: details.document(index), with: with) }
    }
}
