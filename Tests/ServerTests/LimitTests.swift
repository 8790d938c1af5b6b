// Every bound of the data: what lies on it is taken, what lies beyond is one clear error that names its place.
import Engine
import Testing
import TestSupport
import Wire

@Suite struct LimitTests {
    private let served: ServedDatabase
    private let connection: LineConnection

    init() throws {
        served = try ServedDatabase()
        connection = try served.daemon.connect()
        try connection.ok(#"{"id":1,"op":"collection.create","name":"kb","dim":2,"metric":"cosine","fields":{"team":"keyword","tags":"keyword[]","year":"int","price":"float","done":"bool","due":"time"}}"#)
    }

    private func x(_ count: Int) -> String { String(repeating: "x", count: count) }
    private func record(_ members: String) -> String { #"{"id":2,"op":"upsert","collection":"kb","records":[{\#(members)}]}"# }

    @Test func `texts are as long as their limit and no longer`() throws {
        let limits: [(max: Int, code: String, field: String, line: (Int) -> String)] = [
            (Limits.idBytesMax, "invalid_value", "records[0].id", { record(#""id":"\#(x($0))""#) }),
            (Limits.idBytesMax, "invalid_value", "records[0].parent", { record(#""id":"a","parent":"\#(x($0))""#) }),
            (Limits.titleBytesMax, "limit_exceeded", "records[0].title", { record(#""id":"a","title":"\#(x($0))""#) }),
            (Limits.titleBytesMax, "limit_exceeded", "records[0].heading", { record(#""id":"a","heading":"\#(x($0))""#) }),
            (Limits.urlBytesMax, "limit_exceeded", "records[0].url", { record(#""id":"a","url":"\#(x($0))""#) }),
            (Limits.nameBytesMax, "limit_exceeded", "records[0].mime", { record(#""id":"a","mime":"\#(x($0))""#) }),
            (Limits.textBytesMax, "limit_exceeded", "records[0].text", { record(#""id":"a","text":"\#(x($0))""#) }),
            (Limits.keywordBytesMax, "limit_exceeded", "records[0].fields.team", { record(#""id":"a","fields":{"team":"\#(x($0))"}"#) }),
            (Limits.keywordBytesMax, "limit_exceeded", "records[0].fields.tags", { record(#""id":"a","fields":{"tags":["\#(x($0))"]}"#) }),
        ]
        for (max, code, field, line) in limits {
            try connection.ok(line(max))
            let failure = try connection.failure(line(max + 1))
            #expect(failure.code == code && failure.field == field, "\(failure)")
        }
        // Counted in bytes, not in letters.
        try connection.ok(record(#""id":"\#(String(repeating: "é", count: 256))""#))
        #expect(try connection.failure(record(#""id":"\#(String(repeating: "é", count: 257))""#)).field == "records[0].id")
    }

    @Test func `names are short and plain`() throws {
        func create(_ name: String) -> String { #"{"id":2,"op":"collection.create","name":"\#(name)","dim":2,"metric":"l2"}"# }
        for name in ["a", "A-b_c.9", ".", x(128)] { try connection.ok(create(name)) }
        for name in [x(129), "a b", "a/b", "é", "a\\u0000", "a\\n", "\u{3A9}", "a:b"] {
            let failure = try connection.failure(create(name))
            #expect(failure.code == "invalid_value" && failure.field == "name", "\(name)")
        }
        for members in [#""spaces":{"a b":{"dim":2,"metric":"l2"}}"#, #""spaces":{"":{"dim":2,"metric":"l2"}}"#] {
            #expect(try connection.failure(#"{"id":2,"op":"collection.create","name":"s",\#(members)}"#).field == "spaces")
        }
        #expect(try connection.failure(#"{"id":2,"op":"collection.create","name":"s","dim":2,"metric":"l2","fields":{"a b":"int"}}"#).field == "fields")
        for builtIn in ["id", "kind", "parent", "title", "url", "mime", "time", "version", "text", "heading", "score"] {
            #expect(try connection.failure(#"{"id":2,"op":"collection.create","name":"s","dim":2,"metric":"l2","fields":{"\#(builtIn)":"int"}}"#).field == "fields.\(builtIn)")
        }
    }

    @Test func `a collection has so many spaces, fields and dimensions`() throws {
        func create(_ name: String, spaces: Int, fields: Int) -> String {
            let spaces = (0..<spaces).map { #""s\#($0)":{"dim":1,"metric":"dot"}"# }.joined(separator: ",")
            let fields = (0..<fields).map { #""f\#($0)":"int""# }.joined(separator: ",")
            return #"{"id":2,"op":"collection.create","name":"\#(name)","spaces":{\#(spaces)},"fields":{\#(fields)}}"#
        }
        try connection.ok(create("most", spaces: 16, fields: 128))
        let spaces = try connection.failure(create("more", spaces: 17, fields: 1))
        #expect(spaces.code == "limit_exceeded" && spaces.field == "spaces")
        let fields = try connection.failure(create("more", spaces: 1, fields: 129))
        #expect(fields.code == "limit_exceeded" && fields.field == "fields")
        let none = try connection.failure(#"{"id":2,"op":"collection.create","name":"none"}"#)
        #expect(none.code == "invalid_value" && none.field == "dim")

        try connection.ok(#"{"id":2,"op":"collection.create","name":"wide","dim":8192,"metric":"dot"}"#)
        func upsert(_ count: Int) -> String { #"{"id":2,"op":"upsert","collection":"wide","records":[{"id":"a","vector":[\#(Array(repeating: "1", count: count).joined(separator: ","))]}]}"# }
        try connection.ok(upsert(8192))
        let longer = try connection.failure(upsert(8193))
        #expect(longer.code == "dimension_mismatch" && longer.field == "records[0].vector")
    }

    @Test func `an id has a byte and no NUL`() throws {
        #expect(try connection.failure(record(#""id":"""#)).field == "records[0].id")
        #expect(try connection.failure(record(#""id":"a\u0000b""#)).field == "records[0].id")
        #expect(try connection.failure(record(#""id":"a","parent":"\u0000""#)).field == "records[0].parent")
        #expect(try connection.failure(record(#""id":"a","parent":"""#)).field == "records[0].parent")
        #expect(try connection.failure(record(#""id":"a","parent":"a""#)).field == "records[0].parent")
        // A text may hold one.
        try connection.ok(record(#""id":"a","text":"\u0000","title":"\u0000","fields":{"team":"\u0000"}"#))
    }

    @Test(arguments: [
        (#""team":5"#, "team"), (#""team":["a"]"#, "team"), (#""tags":5"#, "tags"), (#""tags":true"#, "tags"), (#""year":1.0"#, "year"), (#""year":"2026""#, "year"), (#""year":true"#, "year"),
        (#""price":"1""#, "price"), (#""price":[]"#, "price"), (#""done":1"#, "done"), (#""done":"true""#, "done"), (#""due":1.5"#, "due"), (#""due":"tomorrow""#, "due"), (#""due":true"#, "due"), (#""due":["2026-10-01"]"#, "due"),
    ])
    func `a field takes values of its type`(field: String, name: String) throws {
        let failure = try connection.failure(record(#""id":"a","fields":{\#(field)}"#))
        #expect(failure.code == "invalid_value" && failure.field == "records[0].fields.\(name)", "\(failure)")
    }

    @Test(arguments: [
        ("2026-10-01T12:30:00Z", "2026-10-01T12:30:00Z"), ("2026-10-01T12:30:00.25+02:00", "2026-10-01T10:30:00.250Z"), ("2026-10-01", "2026-10-01T00:00:00Z"), ("2026-10-01t00:00:00z", "2026-10-01T00:00:00Z"),
        ("2026-10-01 23:59:60Z", "2026-10-02T00:00:00Z"), ("2024-02-29", "2024-02-29T00:00:00Z"), ("1969-12-31T23:59:59.999Z", "1969-12-31T23:59:59.999Z"), ("0000-01-01", "0000-01-01T00:00:00Z"),
        ("9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999Z"), ("2026-10-01T00:00:00-23:59", "2026-10-01T23:59:00Z"),
    ])
    func `a time is kept to the millisecond and given back in UTC`(text: String, utc: String) throws {
        try connection.ok(record(#""id":"\#(text)","time":"\#(text)","fields":{"due":"\#(text)"}"#))
        let document = try connection.ok(#"{"id":3,"op":"get","collection":"kb","ids":["\#(text)"]}"#).root["documents"]?.array.first
        #expect(document?["time"]?.string == utc && document?["fields"]?["due"]?.string == utc)
    }

    @Test(arguments: ["", "2026", "2026-10", "2026-13-01", "2026-02-29", "2026-00-01", "2026-01-00", "2026-1-1", "20261001", "2026-10-01T", "2026-10-01T12", "2026-10-01T12:30", "2026-10-01T12:30:00", "2026-10-01T24:00:00Z",
        "2026-10-01T12:60:00Z", "2026-10-01T12:00:61Z", "2026-10-01T12:30:00.Z", "2026-10-01T12:30:00+2", "2026-10-01T12:30:00+24:00", "2026-10-01T12:30:00ZZ", "-2026-10-01", "+2026-10-01", "12026-10-01", "now", "1760000000000",
    ])
    func `any other text is no time`(text: String) throws {
        let failure = try connection.failure(record(#""id":"a","time":"\#(text)""#))
        #expect(failure.code == "invalid_value" && failure.field == "records[0].time")
        #expect(try connection.failure(#"{"id":3,"op":"count","collection":"kb","filter":{"time":{"$lt":"\#(text)"}}}"#).field == "filter.time")
    }

    @Test func `a vector has a direction where that is compared, and a length that float32 holds`() throws {
        let zero = try connection.failure(record(#""id":"a","vector":[0,0]"#))
        #expect(zero.code == "invalid_value" && zero.field == "records[0].vector")
        #expect(try connection.failure(record(#""id":"a","vector":[1e-30,0]"#)).field == "records[0].vector")
        #expect(try connection.failure(record(#""id":"a","vector":[1e19,1e19]"#)).field == "records[0].vector")
        #expect(try connection.failure(#"{"id":2,"op":"search","collection":"kb","vector":[0,0]}"#).field == "vector")
        #expect(try connection.failure(#"{"id":2,"op":"search","collection":"kb","searches":[{"vector":[1,0]},{"vector":[1,2,3]}]}"#).field == "searches[1].vector")
        try connection.ok(record(#""id":"a","vector":[1e-18,0]"#))
        try connection.ok(record(#""id":"b","vector":[6e18,0]"#))
        try connection.ok(#"{"id":2,"op":"collection.create","name":"dot","dim":2,"metric":"dot"}"#)
        try connection.ok(#"{"id":2,"op":"upsert","collection":"dot","records":[{"id":"a","vector":[0,0]},{"id":"b","vector":[6e18,0]}]}"#)
        let hits = try connection.ok(#"{"id":2,"op":"search","collection":"dot","vector":[6e18,0]}"#).root["hits"]?.array
        #expect(hits?.count == 2 && hits?.first?["document"]?.string == "b")
    }

    @Test func `a tree is as deep as its limit and has no circles`() throws {
        // Each level names the one above; the root of the 64 lies at the top.
        for level in 1..<64 { try connection.ok(record(#""id":"n\#(level)","parent":"n\#(level - 1)""#)) }
        let deeper = try connection.failure(record(#""id":"n64","parent":"n63""#))
        #expect(deeper.code == "limit_exceeded" && deeper.field == "records[0].parent", "\(deeper)")
        let circle = try connection.failure(record(#""id":"n0","parent":"n9""#))
        #expect(circle.code == "invalid_value" && circle.field == "records[0].parent", "\(circle)")
        let inBatch = try connection.failure(#"{"id":2,"op":"upsert","collection":"kb","records":[{"id":"p"},{"id":"q","parent":"r"},{"id":"r","parent":"q"}]}"#)
        #expect(inBatch.code == "invalid_value" && inBatch.field == "records[1].parent", "\(inBatch)")
        #expect(try connection.ok(#"{"id":2,"op":"get","collection":"kb","ids":["p"]}"#).root["missing"]?.array.count == 1, "none of a refused batch is stored")
    }

    @Test func `a filter has so many terms and levels, however they are spelled`() throws {
        func count(_ filter: String) -> String { #"{"id":2,"op":"count","collection":"kb","filter":\#(filter)}"# }
        func values(_ count: Int) -> String { #"{"year":{"$in":[\#((0..<count).map(String.init).joined(separator: ","))]}}"# }
        func branches(_ condition: String, _ count: Int) -> String { #"{"$or":[\#(Array(repeating: condition, count: count).joined(separator: ","))]}"# }
        func nots(_ condition: String, _ count: Int) -> String { String(repeating: #"{"$not":"#, count: count) + condition + String(repeating: "}", count: count) }
        let equal = #"{"year":1}"#, unequal = #"{"year":{"$ne":1}}"#
        // A condition and its value are two terms, a $not of them a third; each $not is a level.
        let most = [values(9999), branches(equal, 4999), branches(unequal, 3333), nots(equal, 15), nots(unequal, 14)]
        let more = [values(10_000), branches(equal, 5000), branches(unequal, 3334), nots(equal, 16), nots(unequal, 15)]
        for filter in most { try connection.ok(count(filter)) }
        for filter in more {
            let failure = try connection.failure(count(filter))
            #expect(failure.code == "limit_exceeded" && failure.field?.hasPrefix("filter") == true, "\(failure)")
        }
    }

    @Test func `an answer that would be too large is refused, and what fits is given`() throws {
        try connection.ok(record(#""id":"a","text":"\#(x(Limits.textBytesMax))""#))
        func get(_ count: Int) -> String { #"{"id":2,"op":"get","collection":"kb","ids":[\#(Array(repeating: "\"a\"", count: count).joined(separator: ","))]}"# }
        let failure = try connection.failure(get(17))
        #expect(failure.code == "limit_exceeded" && failure.message.contains("\(WireLimits.answerBytesMax)"), "\(failure)")
        #expect(try connection.ok(get(4)).root["documents"]?.array.count == 4)
    }

    @Test func `numbers as large as 64 bits come back to the last digit`() throws {
        for number in ["9223372036854775807", "-9223372036854775808", "9007199254740993"] {
            try connection.ok(record(#""id":"a","fields":{"year":\#(number)}"#))
            #expect(try connection.ok(#"{"id":2,"op":"get","collection":"kb","ids":["a"]}"#).text.contains(#""year":\#(number)"#))
            #expect(try connection.ok(#"{"id":2,"op":"count","collection":"kb","filter":{"year":\#(number)}}"#).root["documents"]?.int == 1)
        }
        for number in ["0.1", "5e-324", "1.7976931348623157e308", "-0.30000000000000004"] {
            try connection.ok(record(#""id":"a","fields":{"price":\#(number)}"#))
            let read = try connection.ok(#"{"id":2,"op":"get","collection":"kb","ids":["a"]}"#).root["documents"]?.array.first?["fields"]?["price"]?.double
            #expect(read == Double(number))
        }
    }
}
