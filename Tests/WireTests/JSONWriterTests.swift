// What is written is read back as it was, and is the shortest text that is.
import Engine
import Testing
import TestSupport
import Wire

@Suite struct JSONWriterTests {
    @Test func `random trees come back as they were`() throws {
        let seed = TestSeed(41)
        var random = seed.random
        for round in 0..<500 {
            let written = random.tree(depth: 6)
            let line = text { $0.write(written) }
            #expect(try tree(line) == written, "round \(round), \(seed)")
            #expect(!line.utf8.contains(UInt8(ascii: "\n")), "a value never ends its own line")
        }
    }

    @Test func `every character is written so that it is read back`() throws {
        for plane in [0...0xD7FF, 0xE000...0xFFFF, 0x1F600...0x1F640, 0x10FFF0...0x10FFFF] as [ClosedRange<UInt32>] {
            // In runs, so that what stands beside a character is tried as well.
            for start in stride(from: plane.lowerBound, through: plane.upperBound, by: 64) {
                let scalars = (start...min(start + 63, plane.upperBound)).compactMap(UnicodeScalar.init)
                let original = String(String.UnicodeScalarView(scalars))
                let read = try tree(text { $0.string(original) }).string
                #expect(read.map { Array($0.utf8) } == Array(original.utf8), "from U+\(String(start, radix: 16))")
            }
        }
    }

    @Test func `only what must be escaped is`() {
        #expect(text { $0.string("a\"b\\c/d\n\r\t\u{8}\u{C}\u{0}\u{1F}\u{7F}é😀\u{2028}") } == #""a\"b\\c/d\n\r\t\u0008\u000c\u0000\u001f"# + "\u{7F}é😀\u{2028}\"")
    }

    @Test func `a float32 is written as the shortest decimal that reads back as itself`() throws {
        let seed = TestSeed(42)
        var random = seed.random
        let edges: [Float] = [0, -0.0, 1, -1, 0.1, 0.2, 0.3, 1e-5, 1e16, 123456.79, 16_777_216, .greatestFiniteMagnitude, .leastNonzeroMagnitude, .leastNormalMagnitude, .ulpOfOne, .pi]
        let others = (0..<20_000).map { _ in Float(bitPattern: UInt32(truncatingIfNeeded: random.next())) }.filter(\.isFinite)
        for value in edges + others {
            let written = text { $0.float(value) }
            let read = try #require(try tree(written).double)
            #expect(Float(read).bitPattern == value.bitPattern, "\(written), \(seed)")
            #expect(digits(written) <= 9, "\(written)")
        }
        #expect(text { $0.float(0.1) } == "0.1")
        #expect(text { $0.float(16_777_216) } == "16777216.0")
    }

    @Test func `a double is written as the shortest decimal that reads back as itself`() throws {
        let seed = TestSeed(43)
        var random = seed.random
        let edges: [Double] = [0, -0.0, 0.1, 0.1 + 0.2, 1e-7, 1e22, 1e23, 0x1p53, .greatestFiniteMagnitude, .leastNonzeroMagnitude, .leastNormalMagnitude, .pi]
        let others = (0..<20_000).map { _ in Double(bitPattern: random.next()) }.filter(\.isFinite)
        for value in edges + others {
            let written = text { $0.double(value) }
            #expect(try tree(written).double?.bitPattern == value.bitPattern, "\(written), \(seed)")
            #expect(digits(written) <= 17, "\(written)")
        }
    }

    @Test func `what follows has room, however full the writer is`() {
        for count in 0..<1200 {
            let filler = String(repeating: "x", count: count)
            let line = text { writer in
                writer.beginObject()
                writer.key(named: "filler")
                writer.string(filler)
                writer.key("known")
                writer.beginArray()
                writer.int(-12)
                writer.string("\"")
                writer.string("")
                writer.float(0.5)
                writer.bool(true)
                writer.null()
                writer.endArray()
                writer.key("last")
                writer.beginObject()
                writer.endObject()
                writer.endObject()
            }
            #expect(line == #"{"filler":"\#(filler)","known":[-12,"\"","",0.5,true,null],"last":{}}"#, "after \(count) bytes")
        }
    }

    @Test func `integers are written whole`() throws {
        for value in [0, 1, -1, 1 << 53, 1 << 53 + 1, Int.max, Int.min] { #expect(try tree(text { $0.int(value) }) == .integer(value)) }
        #expect(text { $0.int(UInt64.max) } == "18446744073709551615")
    }

    @Test func `a vector is written as base64 that is read back to the last bit`() throws {
        let seed = TestSeed(44)
        var random = seed.random
        for count in Array(0...70) + [384, 768, 8192] {
            let vector = (0..<count).map { _ in random.float() }
            let members = text { writer in
                writer.beginObject()
                for (key, value) in [("id", "1"), ("op", "search"), ("collection", "kb")] {
                    writer.key(named: key)
                    writer.string(value)
                }
                writer.key("vector")
                writer.vector(vector)
                writer.endObject()
            }
            guard case .search(let search) = try request(members).operation else { throw WriterMismatch() }
            #expect(search.input.floats.map(\.bitPattern) == vector.map(\.bitPattern), "\(count) numbers, \(seed)")
        }
    }

    @Test func `infinity and NaN are a bug of the caller`() async {
        await #expect(processExitsWith: .failure) { _ = text { $0.float(.infinity) } }
        await #expect(processExitsWith: .failure) { _ = text { $0.double(.nan) } }
    }

    @Test func `a writer that is emptied begins anew`() {
        var writer = JSONWriter()
        writer.beginArray()
        writer.int(1)
        writer.removeAll()
        writer.beginObject()
        writer.endObject()
        #expect(bytes(writer) == Array("{}".utf8))
    }

    /// Significant digits of a decimal: leading zeros place the point, trailing ones fill up to it.
    private func digits(_ text: String) -> Int {
        let mantissa = text.prefix { $0 != "e" }.filter(\.isNumber)
        return mantissa.drop { $0 == "0" }.reversed().drop { $0 == "0" }.count
    }
}

private struct WriterMismatch: Error {}

extension JSONWriter {
    mutating func write(_ tree: JSONTree) {
        switch tree {
        case .object(let members):
            beginObject()
            for (name, value) in members {
                key(named: name)
                write(value)
            }
            endObject()
        case .array(let elements):
            beginArray()
            for element in elements { write(element) }
            endArray()
        case .string(let text): string(text)
        case .integer(let number): int(number)
        case .number(let number): double(number)
        case .bool(let flag): bool(flag)
        case .null: null()
        }
    }
}

extension SeededRandom {
    /// A finite float of any size.
    mutating func float() -> Float {
        let value = Float(bitPattern: UInt32(truncatingIfNeeded: next()))
        return value.isFinite ? value : 0.5
    }

    mutating func text(countMax: Int = 12) -> String {
        let alphabet: [UnicodeScalar] = ["a", "b", "z", "0", " ", "\"", "\\", "/", "\n", "\r", "\t", "\0", "\u{1F}", "\u{7F}", "é", "\u{301}", "€", "\u{FFFF}", "😀", "\u{10FFFF}", "{", "}", "[", "]", ":", ","]
        let count = Int.random(in: 0...countMax, using: &self)
        return String(String.UnicodeScalarView((0..<count).map { _ in alphabet.randomElement(using: &self)! }))  // It has elements.
    }

    mutating func tree(depth: Int) -> JSONTree {
        switch Int.random(in: 0..<(depth > 0 ? 9 : 7), using: &self) {
        case 0: .null
        case 1: .bool(oneIn(2))
        case 2: .integer(Int(truncatingIfNeeded: next()))
        case 3: .integer(Int.random(in: -100...100, using: &self))
        case 4: .number(finiteDouble())
        case 5, 6: .string(text())
        case 7: .array((0..<Int.random(in: 0...5, using: &self)).map { _ in tree(depth: depth - 1) })
        default: .object(object(depth: depth - 1))
        }
    }

    private mutating func finiteDouble() -> Double {
        let value = Double(bitPattern: next())
        return value.isFinite ? value : 0.25
    }

    private mutating func object(depth: Int) -> [String: JSONTree] {
        var members: [String: JSONTree] = [:]
        for _ in 0..<Int.random(in: 0...20, using: &self) { members[text()] = tree(depth: depth) }
        return members
    }
}
