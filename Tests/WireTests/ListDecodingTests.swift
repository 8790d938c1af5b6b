// Requests without a question, as they arrive; and cursors as text.
import Engine
@testable import Wire
import Testing
import TestSupport

@Suite struct ListDecodingTests {
    @Test func `a list arrives with all it was given`() throws {
        let line = #"{"op":"list","collection":"kb","filter":{"a":1},"under":"f","prepared":["p"],"order_by":"year","descending":true,"limit":7,"with":["text"],"cursor":"AAEC"}"#
        guard case .list(let list) = try request(line).operation else { throw OtherOperation() }
        #expect(list.collection == "kb" && list.input.filter != nil && list.input.under == ["f"] && list.prepared == ["p"] && list.input.orderBy == "year")
        #expect(list.input.isDescending == true && list.input.limit == 7 && list.with == .text && list.input.cursor == [0, 1, 2])
        guard case .list(let bare) = try request(#"{"op":"list","collection":"kb"}"#).operation else { throw OtherOperation() }
        #expect(bare.input.limit == 100 && bare.input.orderBy == nil && bare.input.isDescending == nil && bare.input.cursor == nil)
    }

    @Test func `the tree is asked for by a parent, its root, or ids`() throws {
        func nodes(_ members: String) throws -> NodesRequest {
            guard case .nodes(let nodes) = try request(#"{"op":"nodes","collection":"kb"\#(members)}"#).operation else { throw OtherOperation() }
            return nodes
        }
        #expect(try nodes("").input.parent == nil && nodes(#","parent":null"#).input.parent == nil && nodes(#","parent":"f""#).input.parent == "f")
        #expect(try nodes(#","ids":["a"]"#).ids == ["a"] && nodes(#","kind":"folder""#).input.areFolders == true && nodes(#","kind":"document""#).input.areFolders == false)
        #expect(try nodes(#","with":["path","time"]"#).with == [.path, .time])
    }

    @Test(arguments: [
        (#"{"op":"list"}"#, "missing_field", "collection"), (#"{"op":"list","collection":"kb","limit":0}"#, "invalid_value", "limit"),
        (#"{"op":"list","collection":"kb","cursor":"a"}"#, "invalid_value", "cursor"), (#"{"op":"list","collection":"kb","cursor":"AAF="}"#, "invalid_value", "cursor"),
        (#"{"op":"list","collection":"kb","with":["path"]}"#, "invalid_value", "with"), (#"{"op":"list","collection":"kb","k":1}"#, "unknown_field", "k"),
        (#"{"op":"facet","collection":"kb"}"#, "missing_field", "field"), (#"{"op":"facet","collection":"kb","field":"a","limit":10001}"#, "invalid_value", "limit"),
        (#"{"op":"nodes","collection":"kb","ids":["a"],"cursor":"AAEC"}"#, "invalid_value", "cursor"), (#"{"op":"nodes","collection":"kb","parent":"f","ids":[]}"#, "invalid_value", "parent"),
        (#"{"op":"count","collection":"kb","prepared":"p"}"#, "invalid_value", "prepared"), (#"{"op":"search","collection":"kb","vector":[1],"prepared":[1]}"#, "invalid_value", "prepared[0]"),
        (#"{"op":"filter.prepare","collection":"kb"}"#, "missing_field", "filter"), (#"{"op":"filter.drop","handle":""}"#, "missing_field", "handle"),
    ])
    func `what cannot be asked is named`(line: String, code: String, field: String) {
        let refused = refusal(line)
        #expect(refused?.error.code == code && refused?.error.field == field, "\(refused?.error.description ?? "accepted")")
    }

    @Test func `a prepared filter may be longer than one that is sent along`() throws {
        let values = (0...Limits.filterTermsMax).map(String.init).joined(separator: ",")
        #expect(refusal(#"{"op":"count","collection":"kb","filter":{"a":{"$in":[\#(values)]}}}"#)?.error.code == "limit_exceeded")
        #expect(refusal(#"{"op":"filter.prepare","collection":"kb","filter":{"a":{"$in":[\#(values)]}}}"#) == nil)
        let nodes = (0...Limits.filterNodesMax).map { #""\#($0)""# }.joined(separator: ",")
        #expect(refusal(#"{"op":"filter.prepare","collection":"kb","filter":{"$under":[\#(nodes)]}}"#)?.error.code == "limit_exceeded")
    }

    @Test func `a cursor's text is its bytes, and no other text is`() throws {
        let seed = TestSeed(83)
        var random = seed.random
        for count in 0..<200 {
            let bytes = (0..<count).map { _ in UInt8.random(in: .min ... .max, using: &random) }
            let text = Array(CursorText.encode(bytes).utf8)
            #expect(CursorText.decode(text.rawSpan) == bytes, "\(seed)")
            for last in UInt8.min ... .max where text.last != last {
                let other: [UInt8] = text.dropLast() + [last]
                guard let decoded = CursorText.decode(other.rawSpan), !text.isEmpty else { continue }
                #expect(decoded != bytes, "two texts for the same bytes, \(seed)")
            }
        }
    }
}

private struct OtherOperation: Error {}
