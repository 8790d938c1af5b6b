// Writes JSON straight into a byte buffer: no tree, no intermediate strings for what is long.
import Index
import Memory

/// Appends JSON to bytes it owns. The caller is trusted to nest correctly; commas are the writer's business.
package struct JSONWriter: Sendable {
    /// Written up to `count`, and room behind it. Not a `ByteWriter`: an answer is hundreds of pieces of a few bytes, and a call into
    /// another module for each of them takes longer than the piece.
    private var storage = [UInt8](repeating: 0, count: 512)
    private var count = 0
    private var needsComma = false

    package init() {}

    package var bytes: RawSpan {
        // Sound: bytes have no invalid pattern; the array lives as long as self is borrowed.
        @_lifetime(borrow self) get { unsafe storage.span.bytes.extracting(first: count) }
    }

    package mutating func removeAll() {
        count = 0
        needsComma = false
    }

    package mutating func beginObject() { open(UInt8(ascii: "{")) }
    package mutating func endObject() { close(UInt8(ascii: "}")) }
    package mutating func beginArray() { open(UInt8(ascii: "[")) }
    package mutating func endArray() { close(UInt8(ascii: "]")) }

    /// The newline that ends a request or an answer.
    package mutating func endLine() {
        write(UInt8(ascii: "\n"))
        needsComma = false
    }

    package mutating func key(_ name: StaticString) {
        let length = name.utf8CodeUnitCount
        unsafe append(upTo: length + 3) { target in
            // Sound: there is room for them; a static string's bytes are there for ever; field names need no escaping.
            unsafe target[0] = UInt8(ascii: "\"")
            unsafe (target + 1).update(from: name.utf8Start, count: length)
            unsafe target[length + 1] = UInt8(ascii: "\"")
            unsafe target[length + 2] = UInt8(ascii: ":")
            return length + 3
        }
        needsComma = false
    }

    /// With a label: without one, a literal would be taken for a string that may need escaping.
    package mutating func key(named name: String) {
        string(name)
        write(UInt8(ascii: ":"))
        needsComma = false
    }

    package mutating func string(_ text: String) {
        var text = text
        text.withUTF8 { utf8 in
            // Sound: the buffer is read within the closure only.
            unsafe string(RawSpan(_unsafeBytes: UnsafeRawBufferPointer(utf8)))
        }
    }

    /// A string given as UTF-8 bytes.
    package mutating func string(_ utf8: RawSpan) {
        guard !utf8.needsEscapes else { return escape(utf8) }
        let length = utf8.byteCount
        unsafe append(upTo: length + 2) { target in
            // Sound: there is room for them.
            unsafe target[0] = UInt8(ascii: "\"")
            unsafe utf8.withUnsafeBytes { unsafe UnsafeMutableRawBufferPointer(start: target + 1, count: length).copyMemory(from: $0) }
            unsafe target[length + 1] = UInt8(ascii: "\"")
            return length + 2
        }
    }

    package mutating func int(_ value: Int) { integer(UInt64(value.magnitude), isNegative: value < 0) }
    package mutating func int(_ value: UInt64) { integer(value, isNegative: false) }
    package mutating func bool(_ value: Bool) { ascii(value ? "true" : "false") }
    package mutating func null() { ascii("null") }

    /// The shortest decimal that reads back as the same float32.
    package mutating func float(_ value: Float) {
        precondition(value.isFinite, "JSON has no number for infinity or NaN")
        ascii(value.description)
    }

    package mutating func double(_ value: Double) {
        precondition(value.isFinite, "JSON has no number for infinity or NaN")
        ascii(value.description)
    }

    package mutating func floats(_ values: Span<Float>) {
        beginArray()
        for index in values.indices { float(values[index]) }
        endArray()
    }

    /// A vector as base64 of little-endian float32: 5.3 bytes a number where decimals take about 11, and no rounding.
    package mutating func vector(_ floats: [Float]) {
        // Sound: a float is its four bytes; the formats are little-endian, as every machine this runs on is.
        base64(unsafe floats.span.bytes)
    }

    /// Bytes as base64 (RFC 4648, padded).
    package mutating func base64(_ bytes: RawSpan) {
        comma()
        write(UInt8(ascii: "\""))
        var text = [UInt8](repeating: 0, count: Kernels.base64Count(ofBytes: bytes.byteCount))
        var target = text.mutableSpan
        Kernels.best.encodeBase64(bytes, into: &target)
        // Sound: bytes have no invalid pattern.
        write(unsafe text.span.bytes)
        write(UInt8(ascii: "\""))
    }

    /// Bytes that are a JSON value already.
    mutating func raw(_ bytes: RawSpan) {
        comma()
        write(bytes)
    }

    /// The bytes written, ending the writer.
    package consuming func finish() -> [UInt8] {
        storage.removeLast(storage.count - count)
        return storage
    }

    // MARK: Bytes

    private mutating func makeRoom(_ more: Int) {
        if storage.count - count < more { storage.append(contentsOf: repeatElement(0, count: max(more, storage.count))) }
    }

    private mutating func write(_ byte: UInt8) {
        makeRoom(1)
        storage[count] = byte
        count += 1
    }

    private mutating func write(_ raw: RawSpan) {
        makeRoom(raw.byteCount)
        unsafe storage.withUnsafeMutableBytes { [count] storage in
            // Sound: there is room for them behind what was written.
            unsafe raw.withUnsafeBytes { unsafe UnsafeMutableRawBufferPointer(rebasing: storage[count...]).copyMemory(from: $0) }
        }
        count += raw.byteCount
    }

    /// A comma where one is due, and what `body` writes behind it, which says how much that was. In one piece: an answer is hundreds of
    /// pieces of a few bytes, and asking before each byte whether there is room for it takes longer than writing it.
    @inline(__always)
    private mutating func append(upTo most: Int, _ body: (UnsafeMutablePointer<UInt8>) -> Int) {
        makeRoom(most + 1)
        let start = count
        let hasComma = needsComma
        count += unsafe storage.withUnsafeMutableBufferPointer { storage in
            // Sound: there is room for a comma and `most` bytes behind what was written.
            guard let target = unsafe storage.baseAddress.map({ unsafe $0 + start }) else { preconditionFailure("there is always room") }
            guard hasComma else { return unsafe body(target) }
            unsafe target[0] = UInt8(ascii: ",")
            return unsafe 1 + body(target + 1)
        }
        needsComma = true
    }

    private mutating func integer(_ magnitude: UInt64, isNegative: Bool) {
        var width = 1
        var rest = magnitude
        while rest >= 10 {
            rest /= 10
            width += 1
        }
        let first = isNegative ? 1 : 0
        unsafe append(upTo: first + width) { target in
            // Sound: there is room for the sign and `width` digits.
            if isNegative { unsafe target[0] = UInt8(ascii: "-") }
            var rest = magnitude
            for place in stride(from: first + width - 1, through: first, by: -1) {
                unsafe target[place] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
                rest /= 10
            }
            return first + width
        }
    }

    private mutating func comma() {
        if needsComma { write(UInt8(ascii: ",")) }
        needsComma = true
    }

    private mutating func open(_ bracket: UInt8) {
        unsafe append(upTo: 1) { target in
            // Sound: there is room for it.
            unsafe target[0] = bracket
            return 1
        }
        needsComma = false
    }

    private mutating func close(_ bracket: UInt8) {
        write(bracket)
        needsComma = true
    }

    private mutating func ascii(_ text: String) {
        var text = text
        text.withUTF8 { utf8 in
            unsafe append(upTo: utf8.count) { target in
                // Sound: there is room for them.
                unsafe UnsafeMutableRawBufferPointer(start: target, count: utf8.count).copyMemory(from: UnsafeRawBufferPointer(utf8))
                return utf8.count
            }
        }
    }

    /// Quotes and escapes what RFC 8259 says must be. Runs between are copied whole.
    private mutating func escape(_ utf8: RawSpan) {
        comma()
        makeRoom(utf8.byteCount + 2)
        write(UInt8(ascii: "\""))
        var runStart = 0
        for offset in 0..<utf8.byteCount where utf8.byte(at: offset).needsEscape {
            write(utf8.extracting(runStart..<offset))
            writeEscape(utf8.byte(at: offset))
            runStart = offset + 1
        }
        write(utf8.extracting(runStart..<utf8.byteCount))
        write(UInt8(ascii: "\""))
    }

    private mutating func writeEscape(_ byte: UInt8) {
        write(UInt8(ascii: "\\"))
        switch byte {
        case UInt8(ascii: "\n"): write(UInt8(ascii: "n"))
        case UInt8(ascii: "\t"): write(UInt8(ascii: "t"))
        case UInt8(ascii: "\r"): write(UInt8(ascii: "r"))
        case UInt8(ascii: "\""), UInt8(ascii: "\\"): write(byte)
        default:
            for digit in [UInt8(ascii: "u"), UInt8(ascii: "0"), UInt8(ascii: "0"), hex(byte >> 4), hex(byte & 15)] { write(digit) }
        }
    }

    private func hex(_ nibble: UInt8) -> UInt8 { nibble < 10 ? UInt8(ascii: "0") + nibble : UInt8(ascii: "a") + nibble - 10 }
}

extension RawSpan {
    fileprivate var needsEscapes: Bool {
        for offset in 0..<byteCount where byte(at: offset).needsEscape { return true }
        return false
    }
}

extension UInt8 {
    /// The quote, the backslash and controls.
    fileprivate var needsEscape: Bool { self < 0x20 || self == UInt8(ascii: "\"") || self == UInt8(ascii: "\\") }
}
