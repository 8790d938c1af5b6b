// Requests: their ids, their members, and what is said of those that are wrong.
import Engine
import Index
import Testing
import Wire

@Suite struct RequestDecodingTests {
    // MARK: Ids

    @Test(arguments: [
        ("7", RequestID.integer(7)), ("0", .integer(0)), ("-1", .integer(-1)), ("9223372036854775807", .integer(.max)), ("-9223372036854775808", .integer(.min)),
        (#""""#, .string("")), (#""a\u0000\n\"é""#, .string("a\0\n\"é")), ("\"\(String(repeating: "x", count: 256))\"", .string(String(repeating: "x", count: 256))),
    ])
    func `an id is an integer or a short string`(json: String, id: RequestID) throws {
        #expect(try request(#"{"id":\#(json),"op":"ping"}"#).id == id)
    }

    @Test(arguments: ["null", "true", "1.0", "1e3", "9223372036854775808", "[]", "{}", "[1]", "\"\(String(repeating: "x", count: 257))\"", "\"\(String(repeating: "é", count: 129))\""])
    func `any other id is refused under none`(json: String) throws {
        let refused = try #require(refusal(#"{"id":\#(json),"op":"ping"}"#))
        #expect(refused.id == .none && refused.error.code == "invalid_value" && refused.error.field == "id")
    }

    @Test func `a request without an id is one`() throws {
        #expect(try request(#"{"op":"ping"}"#).id == .none)
    }

    @Test(arguments: [
        #"{"op":5,"id":7}"#, #"{"deadline_ms":0,"op":"ping","id":7}"#, #"{"min_seq":-1,"id":7,"op":"ping"}"#, #"{"op":"ping","op":"ping","id":7}"#, #"{"op":"nothing","id":7}"#,
        #"{"op":"search","vector":[1],"k":0,"id":7,"collection":"kb"}"#, #"{"x":{"y":[1,2]},"z":"id","op":"ping","id":7}"#, #"{"op":"ping","i\u0064":7,"x":1}"#, #"{"id":7}"#,
    ])
    func `whatever is wrong, and wherever, is told under the id`(line: String) throws {
        #expect(try #require(refusal(line)).id == .integer(7))
    }

    @Test func `what is no request at all is told under none`() throws {
        for line in ["", "{", #"{"id":7,"op":"ping""#, #"{"id":7,"op":"ping"}}"#, "nonsense"] {
            let refused = try #require(refusal(line))
            #expect(refused.id == .none && refused.error.code == "bad_json" && refused.error.field == nil, "\(line)")
        }
        for line in ["[]", "1", "null", #""id""#, #"[{"id":7,"op":"ping"}]"#] {
            let refused = try #require(refusal(line))
            #expect(refused.id == .none && refused.error.code == "invalid_value" && refused.error.field == nil, "\(line)")
        }
    }

    @Test func `a request is made as a person, an agent, or an agent for a person`() throws {
        func caller(_ json: String) throws -> Caller? { try request(#"{"op":"count","as":\#(json),"collection":"kb"}"#).claimed }
        let long = "user:" + String(repeating: "x", count: 507)
        #expect(try caller(#"{"user":"user:ana"}"#) == Caller(user: "user:ana"))
        #expect(try caller(#"{"agent":"agent:weekly"}"#) == Caller(user: nil, agent: "agent:weekly"))
        #expect(try caller(#"{"agent":"agent:agent:x","user":"\#(long)"}"#) == Caller(user: long, agent: "agent:agent:x"))
        #expect(try request(#"{"op":"count","collection":"kb"}"#).claimed == nil)
    }

    @Test func `of all operations those that look at documents and change them are made as somebody`() {
        #expect(Set(OperationName.allCases.filter(\.hasCaller)) == [.get, .read, .search, .count, .list, .facet, .nodes, .prepareFilter, .patch, .delete])
    }

    // MARK: Every error names its field

    private static let wrong: [(line: String, code: String, field: String)] = [
        // The envelope.
        (#"{}"#, "missing_field", "op"), (#"{"op":null}"#, "invalid_value", "op"), (#"{"op":""}"#, "unknown_op", "op"), (#"{"op":"Ping"}"#, "unknown_op", "op"), (#"{"op":"search "}"#, "unknown_op", "op"),
        (#"{"op":"ping","deadline_ms":0}"#, "invalid_value", "deadline_ms"), (#"{"op":"ping","deadline_ms":600001}"#, "invalid_value", "deadline_ms"),
        (#"{"op":"ping","deadline_ms":1.0}"#, "invalid_value", "deadline_ms"), (#"{"op":"ping","deadline_ms":"5"}"#, "invalid_value", "deadline_ms"),
        (#"{"op":"ping","deadline_ms":null}"#, "invalid_value", "deadline_ms"), (#"{"op":"ping","min_seq":-1}"#, "invalid_value", "min_seq"),
        (#"{"op":"ping","min_seq":1.5}"#, "invalid_value", "min_seq"), (#"{"op":"ping","min_seq":18446744073709551615}"#, "invalid_value", "min_seq"),
        (#"{"op":"ping","x":1}"#, "unknown_field", "x"), (#"{"op":"ping","ID":1}"#, "unknown_field", "ID"), (#"{"op":"ping","":1}"#, "unknown_field", ""), (#"{"op":"ping","op":"ping"}"#, "duplicate_key", "op"),
        (#"{"op":"ping","id":1,"id":1}"#, "duplicate_key", "id"),
        (#"{"op":"hello","client":5}"#, "invalid_value", "client"), (#"{"op":"hello","token":5}"#, "invalid_value", "token"), (#"{"op":"hello","tokens":"x"}"#, "unknown_field", "tokens"), (#"{"op":"server.info","collection":"kb"}"#, "unknown_field", "collection"),
        (#"{"op":"hello","token":"\#(String(repeating: "x", count: 4097))"}"#, "invalid_value", "token"),
        // On whose behalf.
        (#"{"op":"count","collection":"kb","as":null}"#, "invalid_value", "as"), (#"{"op":"count","collection":"kb","as":[]}"#, "invalid_value", "as"), (#"{"op":"count","collection":"kb","as":{}}"#, "missing_field", "as.user"),
        (#"{"op":"count","collection":"kb","as":{"user":null}}"#, "invalid_value", "as.user"), (#"{"op":"count","collection":"kb","as":{"user":"user:"}}"#, "invalid_value", "as.user"),
        (#"{"op":"count","collection":"kb","as":{"user":"User:a"}}"#, "invalid_value", "as.user"), (#"{"op":"count","collection":"kb","as":{"user":"user:a","agent":"user:a"}}"#, "invalid_value", "as.agent"),
        (#"{"op":"count","collection":"kb","as":{"user":"user:\u0000"}}"#, "invalid_value", "as.user"), (#"{"op":"count","collection":"kb","as":{"user":"user:\#(String(repeating: "x", count: 508))"}}"#, "invalid_value", "as.user"),
        (#"{"op":"count","collection":"kb","as":{"user":"user:a","user":"user:b"}}"#, "duplicate_key", "as.user"), (#"{"op":"count","collection":"kb","as":{"user":"user:a"},"as":{"user":"user:b"}}"#, "duplicate_key", "as"),
        (#"{"op":"count","collection":"kb","as":{"role":"admin"}}"#, "unknown_field", "as.role"), (#"{"op":"ping","as":{"user":"user:a"}}"#, "invalid_value", "as"), (#"{"op":"hello","as":{"user":"user:a"}}"#, "invalid_value", "as"),
        // collection.create
        (#"{"op":"collection.create"}"#, "missing_field", "name"), (#"{"op":"collection.create","name":""}"#, "missing_field", "name"), (#"{"op":"collection.create","name":5}"#, "invalid_value", "name"),
        (#"{"op":"collection.create","name":"a","collection":"b"}"#, "invalid_value", "collection"), (#"{"op":"collection.create","collection":"a","name":"b"}"#, "invalid_value", "name"),
        (#"{"op":"collection.create","name":"a","dim":2}"#, "missing_field", "metric"), (#"{"op":"collection.create","name":"a","metric":"dot"}"#, "missing_field", "dim"),
        (#"{"op":"collection.create","name":"a","index":"flat"}"#, "missing_field", "dim"), (#"{"op":"collection.create","name":"a","dim":0,"metric":"dot"}"#, "invalid_value", "dim"),
        (#"{"op":"collection.create","name":"a","dim":8193,"metric":"dot"}"#, "invalid_value", "dim"), (#"{"op":"collection.create","name":"a","dim":2.0,"metric":"dot"}"#, "invalid_value", "dim"),
        (#"{"op":"collection.create","name":"a","dim":2,"metric":"euclid"}"#, "invalid_value", "metric"), (#"{"op":"collection.create","name":"a","dim":2,"metric":"dot","index":"tree"}"#, "invalid_value", "index"),
        (#"{"op":"collection.create","name":"a","dim":2,"metric":"dot","index":null}"#, "invalid_value", "index"), (#"{"op":"collection.create","name":"a","dim":2,"metric":"dot","quantization":8}"#, "invalid_value", "quantization"),
        (#"{"op":"collection.create","name":"a","quantization":"int8"}"#, "missing_field", "dim"), (#"{"op":"collection.create","name":"a","spaces":{"x":{"dim":2,"metric":"dot","quantization":"INT8"}}}"#, "invalid_value", "spaces.x.quantization"),
        (#"{"op":"collection.create","name":"a","quantization":"auto","spaces":{"x":{"dim":2,"metric":"dot"}}}"#, "invalid_value", "spaces"),
        (#"{"op":"collection.create","name":"a","dim":2,"metric":"dot","spaces":{"x":{"dim":2,"metric":"dot"}}}"#, "invalid_value", "spaces"),
        (#"{"op":"collection.create","name":"a","index":"flat","spaces":{"x":{"dim":2,"metric":"dot"}}}"#, "invalid_value", "spaces"),
        (#"{"op":"collection.create","name":"a","spaces":[]}"#, "invalid_value", "spaces"), (#"{"op":"collection.create","name":"a","spaces":{"x":5}}"#, "invalid_value", "spaces.x"),
        (#"{"op":"collection.create","name":"a","spaces":{"x":{"dim":2}}}"#, "missing_field", "spaces.x.metric"), (#"{"op":"collection.create","name":"a","spaces":{"x":{"metric":"l2"}}}"#, "missing_field", "spaces.x.dim"),
        (#"{"op":"collection.create","name":"a","spaces":{"x":{"dim":2,"metric":"l2","m":5}}}"#, "unknown_field", "spaces.x.m"),
        (#"{"op":"collection.create","name":"a","spaces":{"x":{"dim":2,"dim":2}}}"#, "duplicate_key", "spaces.x.dim"), (#"{"op":"collection.create","name":"a","spaces":{"x":{},"x":{}}}"#, "missing_field", "spaces.x.dim"),
        (#"{"op":"collection.create","name":"a","fields":["a"]}"#, "invalid_value", "fields"), (#"{"op":"collection.create","name":"a","fields":{"b":"text"}}"#, "invalid_value", "fields.b"),
        (#"{"op":"collection.create","name":"a","fields":{"b":5}}"#, "invalid_value", "fields.b"), (#"{"op":"collection.create","name":"a","fields":{"b":"int","b":"int"}}"#, "duplicate_key", "fields.b"),
        (#"{"op":"collection.create","name":"a","access":"closed"}"#, "invalid_value", "access"), (#"{"op":"collection.create","name":"a","access":true}"#, "invalid_value", "access"),
        (#"{"op":"collection.describe"}"#, "missing_field", "name"), (#"{"op":"collection.drop","name":"a","collection":"a"}"#, "invalid_value", "collection"), (#"{"op":"collection.drop","names":["a"]}"#, "unknown_field", "names"),
        // upsert
        (#"{"op":"upsert","records":[]}"#, "missing_field", "collection"), (#"{"op":"upsert","collection":"kb"}"#, "missing_field", "records"), (#"{"op":"upsert","collection":5}"#, "invalid_value", "collection"),
        (#"{"op":"upsert","collection":"kb","records":[],"documents":[]}"#, "invalid_value", "documents"), (#"{"op":"upsert","collection":"kb","records":{}}"#, "invalid_value", "records"),
        (#"{"op":"upsert","collection":"kb","record":{}}"#, "unknown_field", "record"), (#"{"op":"upsert","collection":"kb","records":[1]}"#, "invalid_value", "records[0]"),
        (#"{"op":"upsert","collection":"kb","records":[{"id":"a"},{}]}"#, "missing_field", "records[1].id"), (#"{"op":"upsert","collection":"kb","records":[{"id":7}]}"#, "invalid_value", "records[0].id"),
        (#"{"op":"upsert","collection":"kb","records":[{"id":"a"},{"id":"b","id":"b"}]}"#, "duplicate_key", "records[1].id"), (#"{"op":"upsert","collection":"kb","records":[{"id":"a","chunks":[]}]}"#, "unknown_field", "records[0].chunks"),
        (#"{"op":"upsert","collection":"kb","records":[{"id":"a","text":null}]}"#, "invalid_value", "records[0].text"), (#"{"op":"upsert","collection":"kb","records":[{"id":"a","kind":"file"}]}"#, "invalid_value", "records[0].kind"),
        (#"{"op":"upsert","collection":"kb","records":[{"id":"a","if_version":-1}]}"#, "invalid_value", "records[0].if_version"), (#"{"op":"upsert","collection":"kb","records":[{"id":"a","time":{}}]}"#, "invalid_value", "records[0].time"),
        (#"{"op":"upsert","collection":"kb","records":[{"id":"a","fields":[]}]}"#, "invalid_value", "records[0].fields"), (#"{"op":"upsert","collection":"kb","records":[{"id":"a","fields":{"b":{}}}]}"#, "invalid_value", "records[0].fields.b"),
        (#"{"op":"upsert","collection":"kb","records":[{"id":"a","fields":{"b":1,"b":1}}]}"#, "duplicate_key", "records[0].fields.b"),
        (#"{"op":"upsert","collection":"kb","records":[{"id":"a","fields":{"b":[1]}}]}"#, "invalid_value", "records[0].fields.b[0]"), (#"{"op":"upsert","collection":"kb","records":[{"id":"a","fields":{"b":9223372036854775808}}]}"#, "invalid_value", "records[0].fields.b"),
        (#"{"op":"upsert","collection":"kb","records":[{"id":"a","vector":{}}]}"#, "invalid_value", "records[0].vector"), (#"{"op":"upsert","collection":"kb","records":[{"id":"a","vector":[1,"2"]}]}"#, "invalid_value", "records[0].vector"),
        (#"{"op":"upsert","collection":"kb","records":[{"id":"a","vector":"****"}]}"#, "invalid_value", "records[0].vector"), (#"{"op":"upsert","collection":"kb","records":[{"id":"a","vectors":{"x":"AA=="}}]}"#, "invalid_value", "records[0].vectors.x"),
        (#"{"op":"upsert","collection":"kb","documents":[{"id":"a","text":"b"}]}"#, "unknown_field", "documents[0].text"), (#"{"op":"upsert","collection":"kb","documents":[{"id":"a","chunks":{}}]}"#, "invalid_value", "documents[0].chunks"),
        (#"{"op":"upsert","collection":"kb","documents":[{"id":"a","chunks":["b"]}]}"#, "invalid_value", "documents[0].chunks[0]"),
        (#"{"op":"upsert","collection":"kb","documents":[{"id":"a","chunks":[{},{"text":5}]}]}"#, "invalid_value", "documents[0].chunks[1].text"),
        (#"{"op":"upsert","collection":"kb","documents":[{"id":"a","chunks":[{"text":"a","text":"a"}]}]}"#, "duplicate_key", "documents[0].chunks[0].text"),
        (#"{"op":"upsert","collection":"kb","documents":[{"id":"a","chunks":[{"title":"b"}]}]}"#, "unknown_field", "documents[0].chunks[0].title"),
        // delete, get, read, count
        (#"{"op":"delete","ids":["a"]}"#, "missing_field", "collection"), (#"{"op":"delete","collection":"kb","ids":"a"}"#, "invalid_value", "ids"), (#"{"op":"delete","collection":"kb","ids":[1]}"#, "invalid_value", "ids[0]"),
        (#"{"op":"delete","collection":"kb","under":5}"#, "invalid_value", "under"),
        (#"{"op":"patch","ids":["a"]}"#, "missing_field", "collection"), (#"{"op":"patch","collection":"kb","ids":"a"}"#, "invalid_value", "ids"), (#"{"op":"patch","collection":"kb","under":[5]}"#, "invalid_value", "under[0]"),
        (#"{"op":"patch","collection":"kb","filter":[]}"#, "invalid_value", "filter"), (#"{"op":"patch","collection":"kb","id":1,"ids":null}"#, "invalid_value", "ids"), (#"{"op":"patch","collection":"kb","if_version":-1}"#, "invalid_value", "if_version"),
        (#"{"op":"patch","collection":"kb","if_version":null}"#, "invalid_value", "if_version"), (#"{"op":"patch","collection":"kb","set":null}"#, "invalid_value", "set"), (#"{"op":"patch","collection":"kb","set":["a"]}"#, "invalid_value", "set"),
        (#"{"op":"patch","collection":"kb","set":{"a":null}}"#, "invalid_value", "set.a"), (#"{"op":"patch","collection":"kb","set":{"a":{}}}"#, "invalid_value", "set.a"), (#"{"op":"patch","collection":"kb","set":{"a":[1]}}"#, "invalid_value", "set.a[0]"),
        (#"{"op":"patch","collection":"kb","set":{"a":1,"a":1}}"#, "duplicate_key", "set.a"), (#"{"op":"patch","collection":"kb","unset":"a"}"#, "invalid_value", "unset"), (#"{"op":"patch","collection":"kb","unset":["a",null]}"#, "invalid_value", "unset[1]"),
        (#"{"op":"patch","collection":"kb","parent":5}"#, "invalid_value", "parent"), (#"{"op":"patch","collection":"kb","title":["a"]}"#, "invalid_value", "title"), (#"{"op":"patch","collection":"kb","url":false}"#, "invalid_value", "url"),
        (#"{"op":"patch","collection":"kb","mime":{}}"#, "invalid_value", "mime"), (#"{"op":"patch","collection":"kb","time":{}}"#, "invalid_value", "time"), (#"{"op":"patch","collection":"kb","title":null,"title":"a"}"#, "duplicate_key", "title"),
        (#"{"op":"patch","collection":"kb","text":"a"}"#, "unknown_field", "text"), (#"{"op":"patch","collection":"kb","fields":{}}"#, "unknown_field", "fields"), (#"{"op":"patch","collection":"kb","kind":"folder"}"#, "unknown_field", "kind"),
        (#"{"op":"patch","collection":"kb","vector":[1]}"#, "unknown_field", "vector"), (#"{"op":"patch","collection":"kb","access":1}"#, "invalid_value", "access"),
        (#"{"op":"get","collection":"kb"}"#, "missing_field", "ids"), (#"{"op":"get","ids":[]}"#, "missing_field", "collection"), (#"{"op":"get","collection":"kb","ids":["a",null]}"#, "invalid_value", "ids[1]"),
        (#"{"op":"get","collection":"kb","ids":[],"with":["score"]}"#, "invalid_value", "with"), (#"{"op":"get","collection":"kb","ids":[],"with":"text"}"#, "invalid_value", "with"),
        (#"{"op":"read","collection":"kb"}"#, "missing_field", "document"), (#"{"op":"read","document":"a"}"#, "missing_field", "collection"), (#"{"op":"read","collection":"kb","document":"a","limit":0}"#, "invalid_value", "limit"),
        (#"{"op":"read","collection":"kb","document":"a","limit":1001}"#, "invalid_value", "limit"), (#"{"op":"read","collection":"kb","document":"a","from_chunk":-1}"#, "invalid_value", "from_chunk"),
        (#"{"op":"read","collection":"kb","document":"a","to_chunk":10001}"#, "invalid_value", "to_chunk"), (#"{"op":"count"}"#, "missing_field", "collection"), (#"{"op":"count","collection":"kb","ids":[]}"#, "unknown_field", "ids"),
        // rights
        (#"{"op":"group.put","group":"group:a"}"#, "missing_field", "members"), (#"{"op":"group.add","members":[]}"#, "missing_field", "group"), (#"{"op":"group.remove","group":"group:a","members":"user:b"}"#, "invalid_value", "members"),
        (#"{"op":"group.drop"}"#, "missing_field", "group"), (#"{"op":"group.list","limit":0}"#, "invalid_value", "limit"), (#"{"op":"access.put","access":"x","grants":{}}"#, "invalid_value", "grants"),
        (#"{"op":"access.put","access":"x","grants":[{"principal":"user:a"}]}"#, "missing_field", "grants[0].grade"), (#"{"op":"access.put","access":"x","grants":[{"principal":"user:a","grade":"none"}]}"#, "invalid_value", "grants[0].grade"),
        (#"{"op":"access.put","access":"x","grants":[{"grade":"read"}]}"#, "missing_field", "grants[0].principal"), (#"{"op":"access.put","access":"x","grants":[{"principal":"user:a","grade":"read","until":1}]}"#, "unknown_field", "grants[0].until"),
        (#"{"op":"access.grant","access":"x","principal":"user:a"}"#, "missing_field", "grade"), (#"{"op":"access.deny","access":"x","principal":"user:a","grade":"read"}"#, "unknown_field", "grade"),
        (#"{"op":"access.revoke","access":"x"}"#, "missing_field", "principal"), (#"{"op":"agent.put","agent":"agent:a"}"#, "missing_field", "grade"), (#"{"op":"agent.put","agent":"agent:a","grade":"read","scope":5}"#, "invalid_value", "scope"),
        (#"{"op":"access.explain","collection":"kb","document":"a"}"#, "missing_field", "user"), (#"{"op":"access.readers","collection":"kb"}"#, "missing_field", "document"),
        (#"{"op":"group.put","group":"group:a","members":[],"as":{"user":"user:a"}}"#, "invalid_value", "as"),
        // search
        (#"{"op":"search","vector":[1]}"#, "missing_field", "collection"), (#"{"op":"search","collection":"kb"}"#, "missing_field", "vector"), (#"{"op":"search","collection":"kb","vector":"x"}"#, "invalid_value", "vector"),
        (#"{"op":"search","collection":"kb","vector":[1],"k":0}"#, "invalid_value", "k"), (#"{"op":"search","collection":"kb","vector":[1],"k":1025}"#, "invalid_value", "k"), (#"{"op":"search","collection":"kb","vector":[1],"k":10.0}"#, "invalid_value", "k"),
        (#"{"op":"search","collection":"kb","vector":[1],"min_score":"0"}"#, "invalid_value", "min_score"), (#"{"op":"search","collection":"kb","vector":[1],"min_score":1e39}"#, "invalid_value", "min_score"),
        (#"{"op":"search","collection":"kb","vector":[1],"with":["text","texts"]}"#, "invalid_value", "with"), (#"{"op":"search","collection":"kb","vector":[1],"exact":1}"#, "invalid_value", "exact"),
        (#"{"op":"search","collection":"kb","vector":[1],"recall":0}"#, "invalid_value", "recall"), (#"{"op":"search","collection":"kb","vector":[1],"recall":1.01}"#, "invalid_value", "recall"),
        (#"{"op":"search","collection":"kb","vector":[1],"recall":0.4999}"#, "invalid_value", "recall"), (#"{"op":"search","collection":"kb","vector":[1],"recall":"0.9"}"#, "invalid_value", "recall"),
        (#"{"op":"search","collection":"kb","vector":[1],"effort":64.0}"#, "invalid_value", "effort"), (#"{"op":"search","collection":"kb","vector":[1],"effort":null}"#, "invalid_value", "effort"),
        (#"{"op":"search","collection":"kb","vector":[1],"recall":0.9,"effort":64}"#, "invalid_value", "effort"), (#"{"op":"search","collection":"kb","vector":[1],"effort":64,"recall":0.9}"#, "invalid_value", "recall"),
        (#"{"op":"search","collection":"kb","vector":[1],"recall":1,"exact":true}"#, "invalid_value", "exact"), (#"{"op":"search","collection":"kb","vector":[1],"exact":true,"effort":1}"#, "invalid_value", "effort"),
        (#"{"op":"search","collection":"kb","vector":[1],"space":5}"#, "invalid_value", "space"), (#"{"op":"search","collection":"kb","vector":[1],"text":"x"}"#, "unknown_field", "text"),
        (#"{"op":"search","collection":"kb","vector":[1],"searches":[{"vector":[1]}]}"#, "invalid_value", "searches"), (#"{"op":"search","collection":"kb","searches":[{"vector":[1]}],"vector":[1]}"#, "invalid_value", "vector"),
        (#"{"op":"search","collection":"kb","searches":[]}"#, "invalid_value", "searches"), (#"{"op":"search","collection":"kb","searches":{}}"#, "invalid_value", "searches"),
        (#"{"op":"search","collection":"kb","searches":[{"vector":[1]},{}]}"#, "missing_field", "searches[1].vector"), (#"{"op":"search","collection":"kb","searches":[{"vector":[1],"k":5}]}"#, "unknown_field", "searches[0].k"),
        (#"{"op":"search","collection":"kb","searches":[{"vector":[1],"vector":[1]}]}"#, "duplicate_key", "searches[0].vector"), (#"{"op":"search","collection":"kb","searches":[{"vector":[1]},{"vector":[1e39]}]}"#, "invalid_value", "searches[1].vector"),
    ]

    @Test(arguments: wrong)
    func `what is wrong is named`(line: String, code: String, field: String) throws {
        let error = try #require(refusal(line)?.error)
        #expect(error.code == code && error.field == field, "\(error)")
        #expect(error.retry == "after_fix" && !error.message.isEmpty)
    }

    @Test func `an unknown operation is told which there are`() throws {
        let error = try #require(refusal(#"{"op":"find"}"#)?.error)
        for known in ["search", "upsert", "collection.create"] { #expect(error.message.contains(known)) }
    }

    // MARK: What is left out

    @Test func `what is left out has its default`() throws {
        guard case .search(let search) = try request(#"{"op":"search","collection":"kb","vector":[1,2]}"#).operation else { throw OtherOperation() }
        #expect(search.input.k == 10 && search.input.space == nil && search.input.minScore == nil && !search.isBatch)
        #expect(search.with == [.text, .title, .heading])
        guard case .read(let read) = try request(#"{"op":"read","collection":"kb","document":"a"}"#).operation else { throw OtherOperation() }
        #expect(read.fromChunk == 0 && read.toChunk == nil && read.limit == 100)
        guard case .get(let get) = try request(#"{"op":"get","collection":"kb","ids":[]}"#).operation else { throw OtherOperation() }
        #expect(get.with == [.text, .title, .url, .mime, .fields, .heading, .parent, .time] && get.ids.isEmpty)
        let bare = try request(#"{"op":"ping"}"#)
        #expect(bare.deadlineMilliseconds == nil && bare.minSequence == nil)
    }

    @Test func `a search says in one way how hard to look, or leaves it`() throws {
        let efforts: [(String, SearchEffort)] = [
            ("", .standard), (#","exact":false"#, .standard), (#","exact":true"#, .exact), (#","recall":1"#, .exact), (#","recall":1.0"#, .exact),
            (#","recall":0.5"#, .recall(0.5)), (#","recall":0.95"#, .recall(0.95)), (#","effort":1"#, .width(1)), (#","effort":10000"#, .width(10_000)),
            (#","exact":false,"recall":0.9"#, .recall(0.9)), (#","effort":7,"exact":false"#, .width(7)),
            // As near to 1 as float32 has no number for.
            (#","recall":0.999999999"#, .exact),
        ]
        for (members, effort) in efforts {
            guard case .search(let search) = try request(#"{"op":"search","collection":"kb","vector":[1]\#(members)}"#).operation else { throw OtherOperation() }
            #expect(search.input.effort == effort, "\(members)")
        }
    }

    @Test func `a space says what its indexes are to be like, or leaves it`() throws {
        func spaces(_ members: String) throws -> [SpaceSchema] {
            guard case .createCollection(let schema) = try request(#"{"op":"collection.create","name":"a",\#(members)}"#).operation else { throw OtherOperation() }
            return schema.spaces
        }
        #expect(try spaces(#""dim":2,"metric":"dot""#) == [SpaceSchema(dimension: 2, metric: .dot, index: .auto, quantization: .auto)])
        for index in IndexKind.allCases {
            for quantization in QuantizationKind.allCases {
                let members = #""dim":2,"metric":"dot","index":"\#(index.rawValue)","quantization":"\#(quantization.rawValue)""#
                #expect(try spaces(members) == [SpaceSchema(dimension: 2, metric: .dot, index: index, quantization: quantization)])
                #expect(try spaces(#""spaces":{"x":{\#(members)}}"#) == [SpaceSchema(name: "x", dimension: 2, metric: .dot, index: index, quantization: quantization)])
            }
        }
        #expect(IndexKind.allCases.map(\.rawValue) == ["auto", "hnsw", "ivf", "flat"] && QuantizationKind.allCases.map(\.rawValue) == ["auto", "none", "int8", "line"])
    }

    @Test func `members come in any order, and names may be escaped`() throws {
        let one = try request(#"{"vector":[1,2],"k":3,"collection":"kb","op":"search","min_seq":4,"id":5,"deadline_ms":6}"#)
        #expect(one.id == .integer(5) && one.minSequence == 4 && one.deadlineMilliseconds == 6)
        guard case .search(let search) = try request(#"{"\u006fp":"se\u0061rch","v\u0065ctor":[1],"collection":"\u006bb"}"#).operation else { throw OtherOperation() }
        #expect(search.collection == "kb" && search.input.floats == [1])
    }

    @Test func `under is one id or a list of them`() throws {
        guard case .count(let one) = try request(#"{"op":"count","collection":"kb","under":"a"}"#).operation else { throw OtherOperation() }
        guard case .count(let two) = try request(#"{"op":"count","collection":"kb","under":["a","b"]}"#).operation else { throw OtherOperation() }
        #expect(one.under == ["a"] && two.under == ["a", "b"])
    }

    @Test func `of what a patch names, null is removed, and what it leaves out is kept`() throws {
        guard case .patch(let one) = try request(#"{"op":"patch","collection":"kb","ids":["a","b"],"title":"","parent":null,"time":5,"set":{"y":1,"x":["s"]},"unset":["z"],"if_version":0}"#).operation else { throw OtherOperation() }
        #expect(one.collection == "kb" && one.selection.ids == ["a", "b"] && one.selection.filter == nil && one.selection.under == nil && one.ifVersion == 0)
        #expect(Self.text(one.title) == "set " && Self.text(one.parent) == "removed" && Self.text(one.url) == "kept" && Self.text(one.mime) == "kept")
        guard case .set(.integer(5)) = one.time else { throw OtherOperation() }
        #expect(one.set.map(\.name) == ["y", "x"] && one.set.map(\.value) == [.integer(1), .strings(["s"])] && one.unset == ["z"])
        guard case .patch(let other) = try request(#"{"op":"patch","collection":"kb","filter":{"y":1},"under":"f","url":"u","mime":null,"time":null}"#).operation else { throw OtherOperation() }
        #expect(other.selection.ids == nil && other.selection.filter != nil && other.selection.under == ["f"] && other.ifVersion == nil)
        #expect(Self.text(other.url) == "set u" && Self.text(other.mime) == "removed" && Self.text(other.title) == "kept" && Self.text(other.parent) == "kept")
        guard case .remove = other.time else { throw OtherOperation() }
        #expect(other.set.isEmpty && other.unset.isEmpty)
    }

    private static func text(_ change: Change<String>) -> String {
        switch change {
        case .keep: "kept"
        case .set(let text): "set \(text)"
        case .remove: "removed"
        }
    }

    @Test func `a plain record has a chunk where it says anything of one`() throws {
        guard case .upsert(let input) = try request(#"{"op":"upsert","collection":"kb","records":[{"id":"a"},{"id":"b","text":""},{"id":"c","vectors":{}},{"id":"d","fields":{"x":null,"y":1}}]}"#).operation else { throw OtherOperation() }
        #expect(input.documents.map(\.chunks.count) == [0, 1, 1, 0])
        #expect(input.documents[3].fields.map(\.name) == ["y"], "null is a field that is left out")
    }

    // MARK: Limits

    @Test func `lists go to their limit and no further`() throws {
        func list(_ element: String, _ count: Int) -> String { "[" + Array(repeating: element, count: count).joined(separator: ",") + "]" }
        func upsert(_ records: String) -> String { #"{"op":"upsert","collection":"kb","records":\#(records)}"# }
        func document(_ chunks: Int) -> String { #"{"op":"upsert","collection":"kb","documents":[{"id":"a","chunks":\#(list("{}", chunks))}]}"# }
        func keywords(_ count: Int) -> String { upsert(#"[{"id":"a","fields":{"b":\#(list("\"c\"", count))}}]"#) }
        let limits: [(name: String, max: Int, field: String, line: (Int) -> String)] = [
            ("batch", Limits.batchMax, "records", { upsert(list(#"{"id":"a"}"#, $0)) }),
            ("chunks", Limits.chunksPerDocumentMax, "documents[0].chunks", document),
            ("keywords", Limits.keywordsPerFieldMax, "records[0].fields.b", keywords),
            ("ids of get", WireLimits.idsMax, "ids", { #"{"op":"get","collection":"kb","ids":\#(list("\"a\"", $0))}"# }),
            ("ids of delete", WireLimits.idsMax, "ids", { #"{"op":"delete","collection":"kb","ids":\#(list("\"a\"", $0))}"# }),
            ("ids of patch", WireLimits.idsMax, "ids", { #"{"op":"patch","collection":"kb","ids":\#(list("\"a\"", $0))}"# }),
            ("unset", Limits.fieldsMax, "unset", { #"{"op":"patch","collection":"kb","unset":\#(list("\"a\"", $0))}"# }),
            ("under", WireLimits.idsMax, "under", { #"{"op":"count","collection":"kb","under":\#(list("\"a\"", $0))}"# }),
            ("searches", Limits.searchesMax, "searches", { #"{"op":"search","collection":"kb","searches":\#(list(#"{"vector":[1]}"#, $0))}"# }),
        ]
        for (name, max, field, line) in limits {
            #expect(refusal(line(max)) == nil, "\(name)")
            let error = try #require(refusal(line(max + 1))?.error, "\(name)")
            #expect(error.code == "limit_exceeded" && error.field == field, "\(name): \(error)")
        }
        #expect(refusal(#"{"op":"get","collection":"kb","ids":[],"with":\#(list("\"text\"", 9))}"#) == nil)
        #expect(refusal(#"{"op":"get","collection":"kb","ids":[],"with":\#(list("\"text\"", 10))}"#)?.error.code == "limit_exceeded")
    }

    @Test func `numbers go to their limit and no further`() throws {
        for (name, range) in [("deadline_ms", 1...600_000), ("k", 1...1024), ("effort", 1...10_000)] {
            for value in [range.lowerBound, range.upperBound] { #expect(refusal(#"{"op":"search","collection":"kb","vector":[1],"\#(name)":\#(value)}"#) == nil) }
            for value in [range.lowerBound - 1, range.upperBound + 1, Int.min, Int.max] {
                #expect(refusal(#"{"op":"search","collection":"kb","vector":[1],"\#(name)":\#(value)}"#)?.error.field == name)
            }
        }
        #expect(try request(#"{"op":"ping","min_seq":9223372036854775807}"#).minSequence == UInt64(Int64.max))
    }

    @Test func `nesting counts from the request's own brace`() throws {
        // {"filter": is one level, each $not another, the condition on a field the last: filters end at their own limit first.
        func line(_ depth: Int) -> String { #"{"id":7,"op":"count","collection":"kb","filter":\#(String(repeating: "[", count: depth))\#(String(repeating: "]", count: depth))}"# }
        #expect(refusal(line(31))?.error.code == "invalid_value")
        let refused = try #require(refusal(line(32)))
        #expect(refused.error.code == "bad_json" && refused.id == .none)
    }
}

private struct OtherOperation: Error {}
