// Valid requests with bytes changed at random: each is a request or one error, and the decoder lives on.
import Memory
import Testing
import TestSupport
import Wire

@Suite struct RequestFuzzTests {
    private static let requests = [
        #"{"id":1,"op":"hello","client":"a test","token":"needletail_0123456789abcdef"}"#,
        #"{"id":"x","op":"ping","deadline_ms":100,"min_seq":3}"#,
        #"{"op":"server.info","id":-5}"#,
        #"{"id":1,"op":"collection.create","name":"kb","dim":4,"metric":"cosine","fields":{"team":"keyword","tags":"keyword[]","year":"int","due":"time"},"access":"open"}"#,
        #"{"id":1,"op":"collection.create","name":"kb","spaces":{"small":{"dim":2,"metric":"l2"},"large":{"dim":3,"metric":"dot","index":"hnsw","quantization":"int8"}}}"#,
        #"{"id":2,"op":"upsert","collection":"kb","records":[{"id":"a","vector":[0.5,-1e-3,2,3e2],"text":"a \"b\" \u00e9","fields":{"team":"cs","tags":["x","y"],"year":2026,"due":"2026-10-01T00:00:00Z"}},{"id":"b","vector":"AACAPwAAAEAAAEBAAACAQA=="}]}"#,
        #"{"id":3,"op":"upsert","collection":"kb","documents":[{"id":"d","kind":"document","parent":"f","title":"T","url":"u","mime":"text/plain","time":1760000000000,"if_version":0,"chunks":[{"text":"one","heading":"A > B","vectors":{"small":[1,2],"large":[3,4,5]}},{"text":"two"}]}]}"#,
        #"{"id":4,"op":"search","collection":"kb","vector":[1,2,3,4],"k":5,"filter":{"$or":[{"team":{"$in":["cs","hr"]}},{"$not":{"year":{"$gte":2020,"$lt":2026}}}],"due":{"$exists":true}},"under":["f"],"min_score":0.25,"with":["text","vector"],"exact":true}"#,
        #"{"id":5,"op":"search","collection":"kb","space":"small","searches":[{"vector":[1,2]},{"vector":"AACAPwAAAEA="}],"recall":0.9}"#,
        #"{"id":6,"op":"read","collection":"kb","document":"d","from_chunk":0,"to_chunk":3,"limit":2}"#,
        #"{"id":7,"op":"get","collection":"kb","ids":["a","b"],"with":["fields"]}"#,
        #"{"id":8,"op":"delete","collection":"kb","under":"f","filter":{"team":"cs"}}"#,
        #"{"id":8,"op":"patch","collection":"kb","ids":["a"],"if_version":2,"title":"T","url":null,"parent":"f","time":"2026-10-01","set":{"team":"cs","tags":["x"]},"unset":["year"]}"#,
        #"{"id":9,"op":"count","collection":"kb","filter":{"time":{"$gt":0}},"as":{"user":"user:ana","agent":"agent:weekly"}}"#,
    ].map { Array($0.utf8) }

    @Test(arguments: [1, 2, 3, 8])
    func `bytes changed at random make a request or one error`(changes: Int) throws {
        let seed = TestSeed(61)
        var random = SeededRandom(seed: seed.value &+ UInt64(changes))
        var decoder = RequestDecoder()
        var writer = ResponseWriter()
        var outcomes = Outcomes()
        for _ in 0..<10_000 {
            var line = Self.requests.randomElement(using: &random)!  // There are some.
            for _ in 0..<changes { random.change(&line, splicing: Self.requests) }
            do throws(RefusedLine) {
                _ = try decoder.decode(unsafe line.span.bytes)
                outcomes.requests += 1
            } catch {
                outcomes.count(error.error)
                try expectAnswerable(error, &writer, "\(String(decoding: line, as: UTF8.self)), \(seed)")
            }
        }
        // Many changes leave no JSON; few leave requests and meet many kinds of error.
        #expect(outcomes.refusals["bad_json", default: 0] > 0 && (changes > 1 || outcomes.requests > 0 && outcomes.refusals.count >= 5), "\(outcomes)")
    }

    @Test func `every single byte changed to every other makes a request or one error`() throws {
        var decoder = RequestDecoder()
        for original in Self.requests {
            for place in original.indices {
                var line = original
                // All values at some places, a few telling ones at the others: 256 everywhere would take a minute.
                let values: [UInt8] = place % 16 == 0 ? Array(0...255) : [0, 0x0A, 0x20, 0x22, 0x2C, 0x2D, 0x30, 0x5B, 0x5C, 0x7D, 0x7F, 0x80, 0xC3, 0xED, 0xFF]
                for value in values {
                    line[place] = value
                    do throws(RefusedLine) { _ = try decoder.decode(unsafe line.span.bytes) } catch { #expect(!error.error.code.isEmpty) }
                }
            }
            // Undamaged, it is still understood by the same decoder.
            _ = try decoder.decode(unsafe original.span.bytes)
        }
    }

    @Test func `a structure of random members makes a request or one error`() throws {
        let seed = TestSeed(62)
        var random = seed.random
        var decoder = RequestDecoder()
        var outcomes = Outcomes()
        for _ in 0..<5000 {
            let line = random.request()
            do throws(RefusedLine) {
                _ = try decoder.decode(unsafe Array(line.utf8).span.bytes)
                outcomes.requests += 1
            } catch {
                outcomes.count(error.error)
                #expect(error.error.code != "bad_json", "it is JSON: \(line), \(seed)")
            }
        }
        #expect(outcomes.requests > 0 && outcomes.refusals.count >= 4, "\(outcomes)")
    }

    /// An error is answered by one line of JSON that says what it is.
    private func expectAnswerable(_ refused: RefusedLine, _ writer: inout ResponseWriter, _ comment: String) throws {
        writer.failure(refused.id, refused.error)
        let line = writer.withBytes { bytes in (0..<bytes.byteCount).map { bytes.byte(at: $0) } }
        guard line.last == UInt8(ascii: "\n"), !line.dropLast().contains(UInt8(ascii: "\n")) else { throw NotOneLine(comment: comment) }
        let answer = try tree(Array(line.dropLast()))
        guard answer["ok"] == .bool(false), answer["error"]?["code"] == .string(refused.error.code) else { throw NotOneLine(comment: comment) }
    }
}

private struct NotOneLine: Error { var comment: String }

private struct Outcomes: CustomStringConvertible {
    var requests = 0
    var refusals: [String: Int] = [:]
    mutating func count(_ error: WireError) { refusals[error.code, default: 0] += 1 }
    var description: String { "\(requests) requests, refused \(refusals)" }
}

extension SeededRandom {
    /// One small change of the kinds that parsers trip over.
    fileprivate mutating func change(_ line: inout [UInt8], splicing others: [[UInt8]]) {
        guard !line.isEmpty else { return }
        let place = Int.random(in: line.indices, using: &self)
        switch Int.random(in: 0..<8, using: &self) {
        case 0: line[place] = UInt8(truncatingIfNeeded: next())
        case 1: line[place] ^= 1 << UInt8.random(in: 0..<8, using: &self)
        case 2: line.remove(at: place)
        case 3: line.insert(Array("{}[]\",:\\019.-eutfn$ \0\u{7F}".utf8).randomElement(using: &self)!, at: place)  // It has elements.
        case 4: line.removeSubrange(place..<min(line.count, place + Int.random(in: 1...10, using: &self)))
        case 5: line.insert(contentsOf: line[place..<min(line.count, place + Int.random(in: 1...10, using: &self))], at: place)
        case 6: line.swapAt(place, Int.random(in: line.indices, using: &self))
        default:
            let other = others.randomElement(using: &self)!  // There are some.
            let start = Int.random(in: other.indices, using: &self)
            line.insert(contentsOf: other[start..<min(other.count, start + Int.random(in: 1...30, using: &self))], at: place)
        }
    }

    /// Well-formed JSON out of the protocol's own names, put together without sense.
    fileprivate mutating func request() -> String {
        let ops = ["ping", "hello", "search", "upsert", "get", "read", "delete", "patch", "count", "collection.create", "collection.drop", "nothing"]
        var members = ["\"op\":\"\(ops.randomElement(using: &self)!)\""]  // It has elements.
        let names = ["id", "collection", "name", "records", "documents", "vector", "searches", "filter", "under", "ids", "with", "k", "dim", "metric", "document", "min_seq", "set", "unset", "title", "parent", "x"]
        for name in names.shuffled(using: &self).prefix(Int.random(in: 0...6, using: &self)) { members.append("\"\(name)\":\(value(depth: 4))") }
        return "{\(members.shuffled(using: &self).joined(separator: ","))}"
    }

    private mutating func value(depth: Int) -> String {
        let names = ["id", "text", "vector", "vectors", "chunks", "fields", "kind", "time", "team", "$in", "$gte", "$and", "$or", "$not", "$exists"]
        let leaves = ["1", "-1", "0.5", "true", "null", "\"a\"", "\"kb\"", "\"text\"", "\"cosine\"", "[]", "{}", "[1,2]", "\"AACAPw==\"", "9223372036854775807", "1e300"]
        guard depth > 0, !oneIn(2) else { return leaves.randomElement(using: &self)! }  // It has elements.
        let count = Int.random(in: 0...3, using: &self)
        if oneIn(2) { return "[\((0..<count).map { _ in value(depth: depth - 1) }.joined(separator: ","))]" }
        return "{\(names.shuffled(using: &self).prefix(count).map { "\"\($0)\":\(value(depth: depth - 1))" }.joined(separator: ","))}"
    }
}
