// The header of numpy's `.npy` files, versions 1 and 2.
import Memory

/// What the header says about the rows that follow it.
///
/// | bytes | what |
/// |---|---|
/// | 6 | `\x93NUMPY` |
/// | 2 | version, major and minor |
/// | 2 or 4 | length of the text: 16 bits in version 1, 32 bits in version 2, little-endian |
/// | length | a Python dictionary: `{'descr': '<f4', 'fortran_order': False, 'shape': (5183, 384), }`, spaces, `\n` |
///
/// A flipped bit in the text is caught only where it makes no header: numpy has no checksum.
struct NpyHeader: Equatable {
    var element: MatrixElement
    var rowCount: Int
    var dimension: Int

    /// Magic and version.
    static let preambleBytes = 8

    /// How many bytes behind the preamble hold the text's length.
    static func lengthBytes(preamble: RawSpan) throws(Corruption) -> Int {
        var reader = ByteReader(preamble)
        for byte in [0x93] + Array("NUMPY".utf8) {
            let offset = reader.offset
            guard try reader.read(UInt8.self) == byte else { throw Corruption(offset: offset, expected: "numpy's magic bytes") }
        }
        switch (try reader.read(UInt8.self), try reader.read(UInt8.self)) {
        case (1, _): return 2
        case (2, _): return 4
        case (let major, let minor): throw Corruption(offset: 6, expected: "version 1 or 2 of the format, found \(major).\(minor)")
        }
    }

    static func textLength(_ bytes: RawSpan) throws(Corruption) -> Int {
        var reader = ByteReader(bytes)
        let length = bytes.byteCount == 2 ? Int(try reader.read(UInt16.self)) : Int(try reader.read(UInt32.self))
        guard length <= Limits.npyHeaderBytesMax else {
            throw Corruption(offset: 0, expected: "a header of at most \(Limits.npyHeaderBytesMax) bytes, found \(length)")
        }
        return length
    }

    /// Reads the dictionary. Keys may come in any order; each must come once, and no other.
    init(text: RawSpan) throws(Corruption) {
        var literal = PythonLiteral(text)
        var descr: String?
        var isFortran: Bool?
        var shape: [Int]?
        try literal.expect("{")
        while !literal.skip("}") {
            let start = literal.offset
            let key = try literal.string()
            try literal.expect(":")
            switch key {
            case "descr" where descr == nil: descr = try literal.string()
            case "fortran_order" where isFortran == nil: isFortran = try literal.bool()
            case "shape" where shape == nil: shape = try literal.tuple()
            default: throw Corruption(offset: start, expected: "descr, fortran_order and shape, each once, found \(key)")
            }
            if !literal.skip(",") { try literal.expect("}"); break }
        }
        try literal.finish()
        try self.init(descr: descr, isFortran: isFortran, shape: shape)
    }

    private init(descr: String?, isFortran: Bool?, shape: [Int]?) throws(Corruption) {
        guard let descr, let isFortran, let shape else { throw Corruption(offset: 0, expected: "descr, fortran_order and shape") }
        element = switch descr {
        case "<f2": .float16
        case "<f4": .float32
        case "<f8": .float64
        case "|u1": .uint8
        default: throw Corruption(offset: 0, expected: "elements <f4, <f2, <f8 or |u1, found \(descr)")
        }
        guard !isFortran else { throw Corruption(offset: 0, expected: "rows one after the other (C order; numpy.ascontiguousarray makes it so)") }
        guard shape.count == 2, (1...Limits.dimensionMax).contains(shape[1]) else {
            throw Corruption(offset: 0, expected: "two axes, rows and 1 to \(Limits.dimensionMax) columns, found \(shape)")
        }
        rowCount = shape[0]
        dimension = shape[1]
    }
}

/// As much of Python's syntax as a header uses.
private struct PythonLiteral: ~Escapable {
    private let bytes: RawSpan
    private(set) var offset = 0

    @_lifetime(copy bytes)
    init(_ bytes: RawSpan) { self.bytes = bytes }

    @_lifetime(self: copy self)
    mutating func expect(_ character: Unicode.Scalar) throws(Corruption) {
        guard skip(character) else { throw Corruption(offset: offset, expected: "\(character)") }
    }

    /// True if the next character is this one, which is then passed over.
    @_lifetime(self: copy self)
    mutating func skip(_ character: Unicode.Scalar) -> Bool {
        skipSpace()
        guard let next, next == UInt8(ascii: character) else { return false }
        offset += 1
        return true
    }

    @_lifetime(self: copy self)
    mutating func string() throws(Corruption) -> String {
        let quote: Unicode.Scalar = skip("\"") ? "\"" : "'"
        if quote == "'" { try expect(quote) }
        let start = offset
        while let next, next != UInt8(ascii: quote) {
            guard next != UInt8(ascii: "\\") else { throw Corruption(offset: offset, expected: "a plain string") }
            offset += 1
        }
        guard next != nil, let text = String(validatingUTF8: bytes.extracting(start..<offset)) else {
            throw Corruption(offset: start, expected: "a string and its closing quote")
        }
        offset += 1
        return text
    }

    @_lifetime(self: copy self)
    mutating func bool() throws(Corruption) -> Bool {
        skipSpace()
        let start = offset
        while let next, isLetter(next) { offset += 1 }
        switch String(validatingUTF8: bytes.extracting(start..<offset)) {
        case "True": return true
        case "False": return false
        default: throw Corruption(offset: start, expected: "True or False")
        }
    }

    /// Numbers in round brackets; Python writes a comma behind the only one.
    @_lifetime(self: copy self)
    mutating func tuple() throws(Corruption) -> [Int] {
        try expect("(")
        var numbers: [Int] = []
        while !skip(")") {
            numbers.append(try number())
            if !skip(",") { try expect(")"); break }
        }
        return numbers
    }

    @_lifetime(self: copy self)
    private mutating func number() throws(Corruption) -> Int {
        skipSpace()
        let start = offset
        while let next, UInt8(ascii: "0")...UInt8(ascii: "9") ~= next { offset += 1 }
        guard let text = String(validatingUTF8: bytes.extracting(start..<offset)), let number = Int(text) else {
            throw Corruption(offset: start, expected: "a whole number")
        }
        return number
    }

    /// Nothing but padding may follow.
    @_lifetime(self: copy self)
    mutating func finish() throws(Corruption) {
        skipSpace()
        guard next == nil else { throw Corruption(offset: offset, expected: "the end of the header") }
    }

    private var next: UInt8? { offset < bytes.byteCount ? bytes.byte(at: offset) : nil }

    @_lifetime(self: copy self)
    private mutating func skipSpace() {
        while let next, next == UInt8(ascii: " ") || next == UInt8(ascii: "\n") { offset += 1 }
    }

    private func isLetter(_ byte: UInt8) -> Bool { UInt8(ascii: "a")...UInt8(ascii: "z") ~= byte | 0x20 }
}
