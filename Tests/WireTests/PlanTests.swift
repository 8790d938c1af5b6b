// How an answer says in which way it was found.
@testable import Engine
import Index
import Memory
import Testing
import TestSupport
@testable import Wire

@Suite struct PlanTests {
    private static func answer(_ plan: SearchPlan) throws -> String {
        let database = try Database(disk: FaultyDisk(), randomness: { 7 })
        _ = try database.write(.createCollection(CollectionSchema(name: "kb", spaces: [SpaceSchema(dimension: 2, metric: .dot)], fields: [])))
        var writer = ResponseWriter()
        try writer.search(
            .integer(1), sequence: 1, try database.snapshot().collection("kb"), SearchRequest(), SearchResult(hits: [[]], plan: plan), microseconds: 5)
        return writer.withBytes { String(decoding: Array(copying: $0), as: UTF8.self) }
    }

    @Test func `a plan says how sure the answer is, and what it expects of one that is not`() throws {
        let plans: [(SearchPlan, String)] = [
            (.exact(visited: 812), #"{"kind":"exact","exact":true,"visited":812}"#),
            (SearchPlan(kind: .graph, expectedRecall: 0.95, visited: 40), #"{"kind":"graph","exact":false,"expected_recall":0.95,"visited":40}"#),
            (SearchPlan(kind: .lists, expectedRecall: 0.5, visited: 0), #"{"kind":"lists","exact":false,"expected_recall":0.5,"visited":0}"#),
            (SearchPlan(kind: .codes, expectedRecall: 0.98, visited: 13), #"{"kind":"codes","exact":false,"expected_recall":0.98,"visited":13}"#),
            (SearchPlan(kind: .mixed, expectedRecall: nil, visited: 3), #"{"kind":"mixed","exact":true,"visited":3}"#),
        ]
        for (plan, text) in plans {
            #expect(try Self.answer(plan) == #"{"id":1,"ok":true,"seq":1,"hits":[],"plan":\#(text),"took_us":5}"# + "\n")
        }
    }
}
