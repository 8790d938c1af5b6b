// What is JSON and what is not: every class of well-formed and malformed text that RFC 8259 knows, and the places
// where it leaves the choice to us.
import Testing
import TestSupport
import Wire

@Suite struct JSONReaderTests {
    // MARK: Accepted

    @Test func `every kind of value stands at the root`() throws {
        #expect(try tree("{}") == .object([:]))
        #expect(try tree("[]") == .array([]))
        #expect(try tree(#""""#) == .string(""))
        #expect(try tree("0") == .integer(0))
        #expect(try tree("0.5") == .number(0.5))
        #expect(try tree("true") == .bool(true))
        #expect(try tree("false") == .bool(false))
        #expect(try tree("null") == .null)
    }

    @Test func `structures nest and keep their order`() throws {
        #expect(try tree(#"[1,[2,[3,[]],{}],{"a":[{"b":null}]}]"#) == .array([
            .integer(1), .array([.integer(2), .array([.integer(3), .array([])]), .object([:])]),
            .object(["a": .array([.object(["b": .null])])]),
        ]))
        #expect(try tree(#"{"":0,"a":{"a":{"a":1}}}"#) == .object(["": .integer(0), "a": .object(["a": .object(["a": .integer(1)])])]))
    }

    @Test func `white space is space, tab, newline and carriage return, anywhere between`() throws {
        #expect(try tree(" \t\r\n{ \"a\"\t:\n[\r1 , 2 ] }\n ") == .object(["a": .array([.integer(1), .integer(2)])]))
    }

    @Test(arguments: [
        ("0", 0), ("-0", 0), ("1", 1), ("-1", -1), ("9007199254740993", 9_007_199_254_740_993),
        ("9223372036854775807", Int.max), ("-9223372036854775808", Int.min),
    ])
    func `an integer within 64 bits is exact`(text: String, value: Int) throws {
        #expect(try tree(text) == .integer(value))
    }

    @Test(arguments: [
        ("0.0", 0), ("-0.0", -0.0), ("1.0", 1), ("1e0", 1), ("1E+2", 100), ("1e-2", 0.01), ("-1.5e3", -1500), ("0e5", 0),
        ("0.1", 0.1), ("123456789.123456789", 123456789.123456789), ("1.7976931348623157e308", Double.greatestFiniteMagnitude),
        ("5e-324", Double.leastNonzeroMagnitude), ("2.2250738585072011e-308", Double(bitPattern: 0x000F_FFFF_FFFF_FFFF)), ("1e-400", 0), ("1e00000000000000000000001", 10),
        ("0.30000000000000004", 0.1 + 0.2), ("9223372036854775807.0", 9.223372036854776e18), ("1e15", 1e15), ("-0e-0", -0.0),
    ])
    func `a number with fraction or exponent is the nearest double`(text: String, value: Double) throws {
        guard case .number(let read) = try tree(text) else { throw JSONMismatch() }
        #expect(read.bitPattern == value.bitPattern)
    }

    @Test func `an integer above what a sign leaves is a number and no integer`() throws {
        #expect(try tree("18446744073709551615") == .number(0x1p64))
        #expect(try tree("9223372036854775808").int == nil)
    }

    @Test(arguments: [
        (#""\"\\\/\b\f\n\r\t""#, "\"\\/\u{8}\u{C}\n\r\t"), (#""\u0000""#, "\0"), (#""a\u0000b""#, "a\0b"), (#""\u00e9""#, "\u{E9}"), (#""\u00E9""#, "\u{E9}"),
        (#""\uFFFF""#, "\u{FFFF}"), (#""\uD83D\uDE00""#, "\u{1F600}"), (#""\ud800\udc00""#, "\u{10000}"), (#""\uDBFF\uDFFF""#, "\u{10FFFF}"),
        ("\"\u{E9}\u{20AC}\u{1F600}\u{10FFFF}\"", "\u{E9}\u{20AC}\u{1F600}\u{10FFFF}"), ("\"\u{7F}\u{80}\u{2028}\u{2029}\u{FEFF}\"", "\u{7F}\u{80}\u{2028}\u{2029}\u{FEFF}"),
        (#""\\u0061""#, "\\u0061"), (#""{[]}:,""#, "{[]}:,"), (#""/* no comment */ // none""#, "/* no comment */ // none"),
    ])
    func `a string is read with all its escapes`(json: String, value: String) throws {
        let read = try tree(json).string
        #expect(read.map { Array($0.utf8) } == Array(value.utf8))
    }

    @Test func `long strings and long lists are read to their end`() throws {
        for count in [31, 32, 33, 63, 64, 65, 127, 128, 129, 4095, 4096, 4097, 70_000] {
            let text = String(repeating: "x", count: count)
            #expect(try tree("\"\(text)\"") == .string(text))
            let numbers = (0..<count).map(String.init).joined(separator: ",")
            #expect(try tree("[\(numbers)]") == .array((0..<count).map(JSONTree.integer)))
        }
    }

    @Test func `nesting goes to the limit and no further`() throws {
        let deep = nested(32)
        #expect(try depth(tree(deep.arrays)) == 32)
        #expect(try depth(tree(deep.objects)) == 32)
        let deeper = nested(33)
        #expect(throws: JSONError.self) { try tree(deeper.arrays) }
        #expect(throws: JSONError.self) { try tree(deeper.objects) }
        // The limit is the parser's own, not its library's.
        #expect(try depth(tree(deeper.arrays, depthMax: 33)) == 33)
        #expect(throws: JSONError.self) { try tree(String(repeating: "[", count: 1_000_000)) }
        #expect(throws: JSONError.self) { try tree(String(repeating: #"{"a":"#, count: 100_000)) }
    }

    // MARK: Refused

    @Test(arguments: [
        "", " ", "\n", "{", "}", "[", "]", "[[", "]]", "[}", "{]", "[1}", "{\"a\":1]", "[1", "[1,", "[,1]", "[1,]", "[1,,2]", "[,]", "[1 2]", "[1:2]", "[\"a\":1]",
        "{\"a\"}", "{\"a\":}", "{\"a\" 1}", "{\"a\",1}", "{\"a\":1,}", "{,\"a\":1}", "{\"a\":1,,\"b\":2}", "{\"a\":1 \"b\":2}", "{\"a\"::1}", "{:1}", "{\"a\":1:2}",
        "{a:1}", "{'a':1}", "['a']", "{1:1}", "{null:1}", "{[]:1}", "{{}:1}", "{\"a\":\"b\":1}", ",", ":", "\"a\":1", "[1]]", "[1][", "{}}", "{}{", "[[[]]", "*",
    ])
    func `a structure that does not close, or closes wrongly, is refused`(text: String) {
        #expect(throws: JSONError.self) { try tree(text) }
    }

    @Test(arguments: [
        "1 2", "{} {}", "{}x", "[] []", "{},", "null null", "\"a\" \"b\"", "{}\0", "{}#", "{}//", "[1]x", "{}\u{FEFF}", "\u{FEFF}{}", "\u{FEFF}", "/**/{}", "{}/**/",
        "{/**/}", "[1//\n]", "# x\n{}", "\u{A0}{}", "\u{2028}{}", "\u{B}{}", "\u{C}{}", "{}\u{C}", "\u{85}{}", "\0", "\0{}", "{\0}",
    ])
    func `anything around or between that is no white space is refused`(text: String) {
        #expect(throws: JSONError.self) { try tree(text) }
    }

    @Test(arguments: [
        "+1", "-", "--1", "-+1", "01", "-01", "00", "007", "1.", "-1.", ".5", "-.5", "1.e5", ".e1", "1e", "1e+", "1e-", "1E", "1ee5", "1e5.0", "1e5e5", "1.2.3", "1..2",
        "0x10", "0X1", "0b1", "0o7", "1f", "1L", "1_000", "1,000.5", "1 000", "Infinity", "-Infinity", "+Infinity", "inf", "NaN", "-NaN", "nan", "1a", "1\u{661}",
        "\u{661}", "\u{FF11}", "0.1.2e3", "-e5", "e5", "1e0x", "0e", "0e+", "1/2", "(1)", "$1", "--0", "-a", "-\u{20}1",
    ])
    func `what is not quite a number is refused, alone and in a list`(text: String) {
        #expect(throws: JSONError.self) { try tree(text) }
        #expect(throws: JSONError.self) { try tree("[\(text)]") }
        #expect(throws: JSONError.self) { try tree("{\"a\":\(text)}") }
    }

    @Test(arguments: [
        "1e309", "-1e309", "1e400", "1e999999999999", "1.8e308", "18446744073709551616", "-9223372036854775809", "100000000000000000000000000000",
        "-1" + String(repeating: "0", count: 40),
    ])
    func `a number that neither 64 bits nor a double hold is refused, not rounded`(text: String) {
        #expect(throws: JSONError.self) { try tree(text) }
        #expect(throws: JSONError.self) { try tree("[0,\(text)]") }
    }

    @Test(arguments: [
        "True", "TRUE", "False", "Null", "NULL", "nul", "tru", "fals", "nulll", "truee", "true1", "nill", "undefined", "none", "yes", "t", "n", "f", "[tru]", "[nul",
        "{\"a\":truth}", "[true false]",
    ])
    func `literals are three words in small letters`(text: String) {
        #expect(throws: JSONError.self) { try tree(text) }
    }

    @Test(arguments: [
        #"""#, #""a"#, #"a""#, #""a""b""#, #""\"#, #""\""#, #""\a""#, #""\x41""#, #""\0""#, #""\'""#, #""\U0041""#, #""\u""#, #""\u1""#, #""\u12""#, #""\u123""#, #""\u123g""#, #""\u 123""#,
        #""\u-123""#, #""\u+041""#, #""\u{41}""#, #"["\u00"]"#, #""\e""#, #""\ ""#, "\"\\\u{E9}\"", "\"\\\n\"", #"'a'"#, "`a`", "\u{201C}a\u{201D}",
    ])
    func `an escape that does not exist or does not end is refused`(text: String) {
        #expect(throws: JSONError.self) { try tree(text) }
    }

    @Test func `a control character must be escaped, each of them`() throws {
        for control in UInt8(0)..<0x20 {
            #expect(throws: JSONError.self) { try tree([UInt8(ascii: "\""), control, UInt8(ascii: "\"")]) }
            #expect(throws: JSONError.self) { try tree(Array("{\"a".utf8) + [control] + Array("\":1}".utf8)) }
            let escaped = "\"\\u00\(control < 16 ? "0" : "")\(String(control, radix: 16))\""
            #expect(try tree(escaped) == .string(String(UnicodeScalar(control))))
        }
    }

    @Test(arguments: [
        #"\ud800"#, #"\udbff"#, #"\udc00"#, #"\udfff"#, #"\ud800\ud800"#, #"\ud800x"#, #"\ud800\n"#, #"\ud800\u0041"#, #"\udc00\ud800"#, #"\ud83d\ude"#, #"\ud83d\u"#, #"\ud83d\\ude00"#,
        #"x\uDEADy"#, #"\uD834\uD834\uDD1E"#,
    ])
    func `half of a surrogate pair is refused, in values and in keys`(escape: String) {
        #expect(throws: JSONError.self) { try tree("\"\(escape)\"") }
        #expect(throws: JSONError.self) { try tree("{\"\(escape)\":1}") }
    }

    @Test(arguments: [
        [0x80], [0xBF], [0xFE], [0xFF], [0xC0], [0xC0, 0x80], [0xC0, 0xAF], [0xC1, 0xBF], [0xC3], [0xC3, 0x28], [0xC3, 0x22], [0xE0, 0x80, 0xAF], [0xE0, 0x9F, 0xBF], [0xE2, 0x82],
        [0xE2, 0x28, 0xA1], [0xED, 0xA0, 0x80], [0xED, 0xBF, 0xBF], [0xED, 0xA0, 0xBD, 0xED, 0xB8, 0x80], [0xF0, 0x80, 0x80, 0xAF], [0xF0, 0x8F, 0xBF, 0xBF], [0xF0, 0x9F, 0x98],
        [0xF0, 0x28, 0x8C, 0xBC], [0xF4, 0x90, 0x80, 0x80], [0xF5, 0x80, 0x80, 0x80], [0xF8, 0x88, 0x80, 0x80, 0x80], [0xFC, 0x84, 0x80, 0x80, 0x80, 0x80], [0x61, 0xE9, 0x62],
    ] as [[UInt8]])
    func `bytes that are not UTF-8 are refused, in values, in keys and outside`(bad: [UInt8]) {
        let quote = UInt8(ascii: "\"")
        #expect(throws: JSONError.self) { try tree([quote] + bad + [quote]) }
        #expect(throws: JSONError.self) { try tree(Array("{\"".utf8) + bad + Array("\":1}".utf8)) }
        #expect(throws: JSONError.self) { try tree(Array("[1]".utf8) + bad) }
        // At every place of the 64-byte blocks in which text is checked.
        for before in 0..<70 {
            #expect(throws: JSONError.self) { try tree([quote] + [UInt8](repeating: 0x61, count: before) + bad + [quote]) }
        }
    }

    @Test func `UTF-16 and UTF-32 are refused`() {
        #expect(throws: JSONError.self) { try tree([0x5B, 0x00, 0x5D, 0x00]) }
        #expect(throws: JSONError.self) { try tree([0x00, 0x5B, 0x00, 0x5D]) }
        #expect(throws: JSONError.self) { try tree([0xFF, 0xFE, 0x5B, 0x00, 0x5D, 0x00]) }
        #expect(throws: JSONError.self) { try tree([0x5B, 0, 0, 0, 0x5D, 0, 0, 0]) }
    }

    @Test func `no document can be cut short`() throws {
        let whole = #"{"a":[1,-2.5e3,"x\u00e9\"",true,null,{"b":[]}],"c":{"d":"e"}}"#
        _ = try tree(whole)
        for length in 0..<whole.utf8.count {
            #expect(throws: JSONError.self, "the first \(length) bytes") { try tree(Array(whole.utf8.prefix(length))) }
        }
    }

    // MARK: Duplicate keys

    @Test(arguments: [
        #"{"a":1,"a":1}"#, #"{"a":1,"b":2,"a":3}"#, #"{"":1,"":2}"#, #"{"x":{"a":1,"a":2}}"#, #"[[{"a":1,"a":2}]]"#, #"{"x":[{"y":{"a":1,"b":[],"a":{}}}]}"#,
        #"{"a":1,"\u0061":2}"#, #"{"\u0061":1,"\u0061":2}"#, #"{"a\/b":1,"a/b":2}"#, #"{"\ud83d\ude00":1,"😀":2}"#, #"{"a\u0000":1,"a\u0000":2}"#, #"{"\n":1,"\u000a":2}"#,
    ])
    func `a key that comes twice is refused at every level and however it is spelled`(text: String) {
        #expect(throws: JSONError.self) { try tree(text) }
    }

    @Test func `a key that comes twice is found among any number of others`() throws {
        for count in [1, 2, 15, 16, 17, 18, 100, 1000] {
            let members = (0..<count).map { "\"key-\($0)\":\($0)" }
            #expect(try tree("{\(members.joined(separator: ","))}").object.count == count)
            for twice in Set([0, count / 2, count - 1]) {
                let text = "{\((members + ["\"\\u006bey-\(twice)\":0"]).joined(separator: ","))}"
                #expect(throws: JSONError.self, "\(twice) of \(count)") { try tree(text) }
            }
        }
    }

    @Test func `keys are their bytes: other letters, other cases and other forms are other keys`() throws {
        let pairs = [#""a":1,"A":2"#, #""a":1,"a ":2"#, #""a":1,"a\u0000":2"#, "\"caf\u{E9}\":1,\"cafe\u{301}\":2", "\"\u{212B}\":1,\"\u{C5}\":2"]
        for pair in pairs {
            for extra in [0, 20] {
                let others = (0..<extra).map { "\"other-\($0)\":0," }.joined()
                var parser = JSONParser(bytesMax: 1 << 20, depthMax: 8)
                var members = try parser.parse(unsafe Array("{\(others)\(pair)}".utf8).span.bytes).members!  // It is an object.
                var count = 0
                while try members.next() != nil { count += 1 }
                #expect(count == extra + 2, "\(pair)")
            }
        }
    }

    // MARK: The parser's own life

    @Test func `a parser goes on after every refusal, and after documents of any size`() throws {
        var parser = JSONParser(bytesMax: 4 << 20, depthMax: 32)
        let large = "[\(String(repeating: "1,", count: 1 << 20))1]"
        for bad in ["", "{", "[1e999]", "\"\\ud800\"", nested(40).arrays, String(repeating: " ", count: (4 << 20) + 1), "\u{FEFF}{}"] {
            #expect(throws: JSONError.self) { _ = try JSONTree(try parser.parse(unsafe Array(bad.utf8).span.bytes)) }
            let small = try JSONTree(try parser.parse(unsafe Array(#"{"a":[1,"b"]}"#.utf8).span.bytes))
            #expect(small == .object(["a": .array([.integer(1), .string("b")])]))
            let many = try JSONTree(try parser.parse(unsafe Array(large.utf8).span.bytes))
            #expect(many.array.count == 1 << 20 + 1)
        }
    }

    @Test func `a document may be as long as the parser allows and not a byte longer`() throws {
        var parser = JSONParser(bytesMax: 1000, depthMax: 32)
        func document(_ count: Int) -> [UInt8] { Array("[1]".utf8) + [UInt8](repeating: UInt8(ascii: " "), count: count - 3) }
        let longest = try JSONTree(try parser.parse(unsafe document(1000).span.bytes))
        #expect(longest == .array([.integer(1)]))
        #expect(throws: JSONError.self) { _ = try JSONTree(try parser.parse(unsafe document(1001).span.bytes)) }
    }

    // MARK: Floats

    @Test func `a list of numbers becomes float32, each rounded once`() throws {
        #expect(try floats("[0,1,-1,0.5,1e-3,16777217,3.4028234e38,1e-46,-0.0,18446744073709551615]") == [
            0, 1, -1, 0.5, 1e-3, 16_777_216, .greatestFiniteMagnitude, 0, -0.0, 0x1p64,
        ])
        #expect(try floats("[]") == [])
    }

    @Test(arguments: [
        ("[1,3.5e38]", "number 1"), ("[-3.5e38]", "number 0"), ("[1,2,\"3\"]", "element 2"), ("[null]", "element 0"), ("[1,true,2]", "element 1"), ("[[1]]", "element 0"),
        ("[1,{}]", "element 1"), ("{}", "array of numbers"), ("1", "array of numbers"),
    ])
    func `what float32 cannot hold and what is no number is named by its place`(text: String, place: String) {
        let error = #expect(throws: JSONError.self) { try floats(text) }
        #expect(error?.description.contains(place) == true)
    }

    private func floats(_ text: String) throws -> [Float] {
        var parser = JSONParser(bytesMax: 1 << 20, depthMax: 32)
        var floats: [Float] = []
        try parser.parse(unsafe Array(text.utf8).span.bytes).appendFloats(to: &floats)
        return floats
    }

    private func nested(_ depth: Int) -> (arrays: String, objects: String) {
        (
            String(repeating: "[", count: depth) + String(repeating: "]", count: depth),
            String(repeating: #"{"a":"#, count: depth - 1) + "{}" + String(repeating: "}", count: depth - 1)
        )
    }

    private func depth(_ tree: JSONTree) -> Int {
        switch tree {
        case .array(let elements): 1 + (elements.map(depth).max() ?? 0)
        case .object(let members): 1 + (members.values.map(depth).max() ?? 0)
        default: 0
        }
    }
}

private struct JSONMismatch: Error {}
