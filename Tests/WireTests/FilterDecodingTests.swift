// Filters: what they mean, and what is no filter.
import Engine
import Testing
import Wire

@Suite struct FilterDecodingTests {
    @Test(arguments: [
        (#"{}"#, "all()"),
        (#"{"a":"x"}"#, "a in [x]"), (#"{"a":5}"#, "a in [5]"), (#"{"a":5.5}"#, "a in [5.5]"), (#"{"a":true}"#, "a in [true]"),
        (#"{"a":{"$eq":"x"}}"#, "a in [x]"), (#"{"a":{"$ne":"x"}}"#, "not(a in [x])"), (#"{"a":{"$in":["x",2]}}"#, "a in [x,2]"), (#"{"a":{"$in":[]}}"#, "a in []"), (#"{"a":{"$nin":["x"]}}"#, "not(a in [x])"),
        (#"{"a":{"$gt":1}}"#, "a (1..)"), (#"{"a":{"$gte":1}}"#, "a [1..)"), (#"{"a":{"$lt":1}}"#, "a (..1)"), (#"{"a":{"$lte":1}}"#, "a (..1]"), (#"{"a":{"$gte":1,"$lt":2}}"#, "a [1..2)"), (#"{"a":{"$lt":2,"$gt":1}}"#, "a (1..2)"),
        (#"{"a":{"$exists":true}}"#, "a exists"), (#"{"a":{"$exists":false}}"#, "not(a exists)"), (#"{"a":{"$ne":1,"$gte":0}}"#, "all(not(a in [1]),a [0..))"),
        (#"{"a":1,"b":2}"#, "all(a in [1],b in [2])"), (#"{"$and":[{"a":1},{"b":2}]}"#, "all(a in [1],b in [2])"), (#"{"$or":[{"a":1},{"b":2}]}"#, "any(a in [1],b in [2])"), (#"{"$or":[]}"#, "any()"), (#"{"$and":[]}"#, "all()"),
        (#"{"$not":{"a":1}}"#, "not(a in [1])"), (#"{"$not":{}}"#, "not(all())"), (#"{"$or":[{},{"$not":{"$and":[{"a":1,"b":2}]}}],"c":3}"#, "all(any(all(),not(all(all(a in [1],b in [2])))),c in [3])"),
        (#"{"a":{"$all":["x","y"]}}"#, "a has [x,y]"), (#"{"a":{"$all":[]}}"#, "a has []"), (#"{"a":{"$prefix":"x"}}"#, "a begins x"), (#"{"title":{"$match":"x y"}}"#, "title matches x y"),
        (#"{"$under":["f","g"]}"#, "under f,g"), (#"{"$under":"f"}"#, "under f"), (#"{"$or":[{"$under":["f"]},{"$not":{"$under":[]}}]}"#, "any(under f,not(under ))"),
        (#"{"":1}"#, " in [1]"), (#"{"a.b":1}"#, "a.b in [1]"), (#"{"time":{"$gte":"2026-10-01T00:00:00Z"}}"#, "time [2026-10-01T00:00:00Z..)"),
    ])
    func `a filter means what it says`(json: String, meaning: String) throws {
        guard case .count(let input) = try request(#"{"op":"count","collection":"kb","filter":\#(json)}"#).operation else { throw NoFilter() }
        #expect(input.filter.map(describe) == meaning)
    }

    @Test(arguments: [
        ("5", "invalid_value", "filter"), ("null", "invalid_value", "filter"), ("[]", "invalid_value", "filter"), (#""a=1""#, "invalid_value", "filter"),
        (#"{"a":null}"#, "invalid_value", "filter.a"), (#"{"a":{}}"#, "invalid_value", "filter.a"), (#"{"a":[1,2]}"#, "invalid_value", "filter.a"), (#"{"a":["x"]}"#, "invalid_value", "filter.a"), (#"{"a":{"$ne":["x"]}}"#, "invalid_value", "filter.a.$ne"), (#"{"a":{"$gt":[]}}"#, "invalid_value", "filter.a.$gt"), (#"{"a":{"$eq":null}}"#, "invalid_value", "filter.a.$eq"),
        (#"{"a":{"$eq":{}}}"#, "invalid_value", "filter.a.$eq"), (#"{"a":{"eq":1}}"#, "unknown_field", "filter.a.eq"), (#"{"a":{"$regex":"x"}}"#, "unknown_field", "filter.a.$regex"), (#"{"$nor":[]}"#, "unknown_field", "filter.$nor"),
        (#"{"a":{"$in":"x"}}"#, "invalid_value", "filter.a.$in"), (#"{"a":{"$in":[[]]}}"#, "invalid_value", "filter.a.$in[0]"), (#"{"a":{"$in":[1,null]}}"#, "invalid_value", "filter.a.$in[1]"), (#"{"a":{"$exists":1}}"#, "invalid_value", "filter.a.$exists"),
        (#"{"a":{"$gt":1,"$gte":1}}"#, "invalid_value", "filter.a.$gte"), (#"{"a":{"$lte":1,"$lt":1}}"#, "invalid_value", "filter.a.$lt"),
        (#"{"a":{"$all":"x"}}"#, "invalid_value", "filter.a.$all"), (#"{"a":{"$all":[null]}}"#, "invalid_value", "filter.a.$all[0]"), (#"{"a":{"$prefix":1}}"#, "invalid_value", "filter.a.$prefix"), (#"{"a":{"$match":["x"]}}"#, "invalid_value", "filter.a.$match"),
        (#"{"$under":1}"#, "invalid_value", "filter.$under"), (#"{"$under":[1]}"#, "invalid_value", "filter.$under[0]"), (#"{"a":{"$under":["f"]}}"#, "unknown_field", "filter.a.$under"), (#"{"$prefix":"x"}"#, "unknown_field", "filter.$prefix"),
        (#"{"$and":{}}"#, "invalid_value", "filter.$and"), (#"{"$or":[1]}"#, "invalid_value", "filter.$or[0]"), (#"{"$or":[{"a":1},{"$and":[{"b":{"$x":1}}]}]}"#, "unknown_field", "filter.$or[1].$and[0].b.$x"), (#"{"$not":[]}"#, "invalid_value", "filter.$not"),
        (#"{"$or":[{"a":1},{"$and":[{"b":null}]}]}"#, "invalid_value", "filter.$or[1].$and[0].b"),
        (#"{"a":1,"a":1}"#, "duplicate_key", "filter.a"), (#"{"a":{"$eq":1,"\u0024eq":1}}"#, "duplicate_key", "filter.a.$eq"), (#"{"$or":[{"a":1,"a":2}]}"#, "duplicate_key", "filter.$or[0].a"),
    ])
    func `what is no filter is named`(json: String, code: String, field: String) throws {
        let refused = refusal(#"{"op":"count","collection":"kb","filter":\#(json)}"#)
        #expect(refused?.error.code == code && refused?.error.field == field, "\(refused?.error.description ?? "accepted")")
    }

    @Test(arguments: ["count", "search", "delete", "list", "filter.prepare"])
    func `the operations that take a filter take the same`(op: String) throws {
        let vector = op == "search" ? #","vector":[1]"# : ""
        #expect(refusal(#"{"op":"\#(op)","collection":"kb"\#(vector),"filter":{"a":1}}"#) == nil)
        #expect(refusal(#"{"op":"\#(op)","collection":"kb"\#(vector),"filter":{"a":null}}"#)?.error.field == "filter.a")
    }

    @Test func `terms and nesting have their limits`() throws {
        func terms(_ count: Int) -> String { #"{"op":"count","collection":"kb","filter":{"a":{"$in":[\#((1..<count).map(String.init).joined(separator: ","))]}}}"# }
        #expect(refusal(terms(Limits.filterTermsMax)) == nil)
        #expect(refusal(terms(Limits.filterTermsMax + 1))?.error.code == "limit_exceeded")
        func nots(_ count: Int) -> String { #"{"op":"count","collection":"kb","filter":\#(String(repeating: #"{"$not":"#, count: count - 1)){"a":1}\#(String(repeating: "}", count: count - 1))}"# }
        #expect(refusal(nots(Limits.filterDepthMax)) == nil)
        let error = try #require(refusal(nots(Limits.filterDepthMax + 1))?.error)
        #expect(error.code == "limit_exceeded" && error.field?.hasPrefix("filter.$not") == true)
    }

    private func describe(_ filter: Filter) -> String {
        switch filter {
        case .all(let parts): "all(\(parts.map(describe).joined(separator: ",")))"
        case .any(let parts): "any(\(parts.map(describe).joined(separator: ",")))"
        case .not(let part): "not(\(describe(part)))"
        case .field(let name, .isIn(let values)): "\(name) in [\(values.map(describe).joined(separator: ","))]"
        case .field(let name, .exists): "\(name) exists"
        case .field(let name, .containsAll(let values)): "\(name) has [\(values.map(describe).joined(separator: ","))]"
        case .field(let name, .prefix(let text)): "\(name) begins \(text)"
        case .field(let name, .match(let text)): "\(name) matches \(text)"
        case .under(let ids): "under \(ids.joined(separator: ","))"
        case .field(let name, .range(let lower, let upper)):
            "\(name) \(lower?.isInclusive == true ? "[" : "(")\(lower.map { describe($0.value) } ?? "")..\(upper.map { describe($0.value) } ?? "")\(upper?.isInclusive == true ? "]" : ")")"
        }
    }

    private func describe(_ value: InputValue) -> String {
        switch value {
        case .string(let text): text
        case .integer(let number): "\(number)"
        case .number(let number): "\(number)"
        case .bool(let flag): "\(flag)"
        case .strings(let texts): "[\(texts.joined(separator: ","))]"
        }
    }
}

private struct NoFilter: Error {}
