// JSON as borrowed values over simdjson's tape: parsed once, never copied, never trusted twice.
import CSimdjson
import Memory

/// Why bytes are not acceptable JSON.
package struct JSONError: Error, Equatable, Sendable, CustomStringConvertible {
    package var description: String
    /// The key concerned, where there is one.
    package var field: String?

    init(_ description: String, field: String? = nil) {
        self.description = description
        self.field = field
    }
}

/// One parser with its memory; use it again and again, one thread at a time.
///
/// Accepts exactly RFC 8259 documents that are objects or arrays or scalars, in valid UTF-8, within the limits
/// it was made with. Cost: about 1 ns a byte for numbers, less for text.
@safe
package struct JSONParser: ~Copyable, @unchecked Sendable {
    // Sendable: the C parser has no thread of its own and is owned here alone.
    private let parser: OpaquePointer
    private var isLarge = false
    /// A parser that has seen a larger document gives its memory back afterwards.
    private static let keptBytesMax = 1 << 20

    package init(bytesMax: Int, depthMax: Int) {
        guard let created = unsafe nt_json_parser_create(bytesMax, depthMax) else { preconditionFailure("out of memory") }
        unsafe parser = created
    }

    deinit { unsafe nt_json_parser_destroy(parser) }

    /// The root of the document. It borrows the parser until it is used no more.
    @_lifetime(&self)
    package mutating func parse(_ bytes: RawSpan) throws(JSONError) -> JSONValue {
        // Asked here because later versions of simdjson pass over one in silence, and this protocol does not.
        if bytes.startsWithByteOrderMark { throw JSONError("a byte order mark comes first: send UTF-8 without one") }
        if isLarge { unsafe nt_json_parser_shrink(parser) }
        isLarge = bytes.byteCount > Self.keptBytesMax
        var result = unsafe nt_json_tape()
        // Sound: the parser copies the bytes before the closure ends.
        let code = unsafe bytes.withUnsafeBytes { raw in
            unsafe nt_json_parse(parser, raw.baseAddress?.assumingMemoryBound(to: UInt8.self), raw.count, &result)
        }
        guard code == 0 else { throw JSONError(unsafe String(cString: nt_json_error(code))) }
        // Sound: tape and strings stay as they are until the next parse, which needs self mutably.
        let tape = unsafe Span(_unsafeStart: result.tape, count: result.tape_count)
        let strings = unsafe Span(_unsafeStart: result.strings, count: result.strings_count)
        let root = JSONValue(tape: tape, strings: strings, index: 1)
        return unsafe _overrideLifetime(root, mutating: &self)
    }

    /// The instruction set that simdjson runs on.
    package static var implementation: String { unsafe String(cString: nt_json_implementation()) }
}

/// One JSON value, borrowed from its parser.
package struct JSONValue: ~Escapable {
    fileprivate let tape: Span<UInt64>
    fileprivate let strings: Span<UInt8>
    fileprivate let index: Int

    @_lifetime(copy tape, copy strings)
    fileprivate init(tape: Span<UInt64>, strings: Span<UInt8>, index: Int) {
        self.tape = tape
        self.strings = strings
        self.index = index
    }

    @_lifetime(copy other)
    fileprivate init(_ other: JSONValue, at index: Int) {
        tape = other.tape
        strings = other.strings
        self.index = index
    }

    package enum Kind: UInt8 {
        case object = 0x7B, array = 0x5B, string = 0x22, integer = 0x6C, unsigned = 0x75, double = 0x64
        case yes = 0x74, no = 0x66, null = 0x6E
    }

    package var kind: Kind {
        guard let kind = Kind(rawValue: UInt8(tape[index] >> 56)) else { preconditionFailure("the tape holds JSON values only") }
        return kind
    }

    fileprivate var payload: Int { Int(tape[index] & 0x00FF_FFFF_FFFF_FFFF) }

    /// Tape index of the value after this one.
    fileprivate var nextIndex: Int {
        switch kind {
        case .object, .array: payload & 0xFFFF_FFFF
        case .integer, .unsigned, .double: index + 2
        case .string, .yes, .no, .null: index + 1
        }
    }

    /// The bytes of a string, valid UTF-8; nil for any other kind.
    package var stringBytes: RawSpan? {
        @_lifetime(copy self)
        get {
            guard kind == .string else { return nil }
            // Sound: bytes have no invalid pattern.
            let all = unsafe strings.bytes
            let start = payload + 4
            // Sound: the tape points at the length that simdjson wrote.
            let count = unsafe all.unsafeLoadUnaligned(fromByteOffset: payload, as: UInt32.self)
            return all.extracting(start..<start + Int(count))
        }
    }

    package var string: String? {
        guard let bytes = stringBytes else { return nil }
        // Sound: read within the closure only. The parser has found the bytes to be UTF-8, so there is nothing to repair.
        return unsafe bytes.withUnsafeBytes { unsafe String(decoding: $0, as: UTF8.self) }
    }

    /// An integer that fits; a number written with a fraction or exponent is not one, even if it is whole.
    package var int: Int64? {
        switch kind {
        case .integer: Int64(bitPattern: tape[index + 1])
        case .unsigned: Int64(exactly: tape[index + 1])
        default: nil
        }
    }

    /// Any number.
    package var double: Double? {
        switch kind {
        case .integer: Double(Int64(bitPattern: tape[index + 1]))
        case .unsigned: Double(tape[index + 1])
        case .double: Double(bitPattern: tape[index + 1])
        default: nil
        }
    }

    package var bool: Bool? {
        switch kind {
        case .yes: true
        case .no: false
        default: nil
        }
    }

    package var isNull: Bool { kind == .null }

    /// The value of the first member with this key, where this is an object that has one. Does not look for a second.
    @_lifetime(copy self)
    package func firstMember(_ key: StaticString) -> JSONValue? {
        guard kind == .object else { return nil }
        // Sound: a static string's bytes are there for ever.
        let wanted = unsafe RawSpan(_unsafeStart: key.utf8Start, byteCount: key.utf8CodeUnitCount)
        let end = nextIndex - 1
        var at = index + 1
        while at < end {
            let value = JSONValue(self, at: at + 1)
            if let name = JSONValue(self, at: at).stringBytes, name.isEqual(to: wanted) { return value }
            at = value.nextIndex
        }
        return nil
    }

    /// The elements of an array; nil for any other kind.
    package var elements: JSONElements? {
        @_lifetime(copy self) get { kind == .array ? JSONElements(self) : nil }
    }

    /// The members of an object; nil for any other kind.
    package var members: JSONMembers? {
        @_lifetime(copy self) get { kind == .object ? JSONMembers(self, areDistinct: false) : nil }
    }

    /// The same for an object that `checkKeys` has gone through.
    package var distinctMembers: JSONMembers? {
        @_lifetime(copy self) get { kind == .object ? JSONMembers(self, areDistinct: true) : nil }
    }

    /// Throws where an object has a key twice, as walking it would; for one that is walked more than once.
    package func checkKeys() throws(JSONError) {
        guard var members else { return }
        while try members.skip() {}
    }

    /// Appends an array of numbers as float32. Throws if it is not one, or holds a number beyond float32.
    package func appendFloats(to floats: inout [Float]) throws(JSONError) {
        guard kind == .array else { throw JSONError("must be an array of numbers or base64 of little-endian float32") }
        let first = index + 1
        let end = nextIndex - 1
        var written = 0
        var code: Int32 = 0
        let start = floats.count
        // A number takes two words, so this is exact for an array of nothing else.
        let capacity = (end - first + 1) / 2
        floats.append(contentsOf: repeatElement(0, count: capacity))
        unsafe floats.withUnsafeMutableBufferPointer { target in
            unsafe tape.withUnsafeBufferPointer { words in
                // Sound: reads the tape within [first, end), writes at most `capacity` floats behind `start`.
                code = unsafe nt_json_floats(
                    words.baseAddress, first, end, target.baseAddress.map { unsafe $0 + start }, capacity, &written)
            }
        }
        floats.removeLast(capacity - written)
        guard code == 0 else {
            let position = floats.count - start
            throw JSONError(code == 2 ? "number \(position) does not fit float32" : "element \(position) is not a number")
        }
    }
}

extension RawSpan {
    fileprivate var startsWithByteOrderMark: Bool {
        byteCount >= 3 && byte(at: 0) == 0xEF && byte(at: 1) == 0xBB && byte(at: 2) == 0xBF
    }
}

/// Walks an array.
package struct JSONElements: ~Escapable {
    private let array: JSONValue
    private var at: Int

    @_lifetime(copy array)
    fileprivate init(_ array: JSONValue) {
        self.array = array
        at = array.index + 1
    }

    /// How many elements, up to 16,777,215, where simdjson stops counting.
    package var countHint: Int { array.payload >> 32 }

    @_lifetime(copy self)
    package mutating func next() -> JSONValue? {
        guard at < array.nextIndex - 1 else { return nil }
        let element = JSONValue(array, at: at)
        at = element.nextIndex
        return element
    }
}

/// A key and its value.
package struct JSONMember: ~Escapable {
    package let key: String
    package let value: JSONValue

    @_lifetime(copy value)
    fileprivate init(key: String, value: JSONValue) {
        self.key = key
        self.value = value
    }
}

/// Walks an object, refusing a key that it has met before: two readers of one document could otherwise disagree
/// on which of the two counts.
package struct JSONMembers: ~Escapable {
    private let object: JSONValue
    private var at: Int
    private var position = 0
    private let areDistinct: Bool
    /// Keys met, as bytes, once there are too many to look back over.
    private var met: Set<[UInt8]> = []
    private static let lookBackMax = 16

    @_lifetime(copy object)
    fileprivate init(_ object: JSONValue, areDistinct: Bool) {
        self.object = object
        self.areDistinct = areDistinct
        at = object.index + 1
    }

    @_lifetime(copy self)
    package mutating func next() throws(JSONError) -> JSONMember? {
        let first = at
        guard try skip() else { return nil }
        return JSONMember(key: Self.name(JSONValue(object, at: first)), value: JSONValue(object, at: first + 1))
    }

    /// Goes past a member; false at the end.
    @_lifetime(self: copy self)
    fileprivate mutating func skip() throws(JSONError) -> Bool {
        guard at < object.nextIndex - 1 else { return false }
        if !areDistinct {
            let key = JSONValue(object, at: at)
            if isDuplicate(key) { throw JSONError("the key \"\(Self.name(key))\" appears twice", field: Self.name(key)) }
        }
        at = JSONValue(object, at: at + 1).nextIndex
        position += 1
        return true
    }

    private static func name(_ key: borrowing JSONValue) -> String {
        guard let name = key.string else { preconditionFailure("an object's keys are strings") }
        return name
    }

    @_lifetime(self: copy self)
    private mutating func isDuplicate(_ key: borrowing JSONValue) -> Bool {
        if position < Self.lookBackMax { return isAmongEarlier(key) }
        if position == Self.lookBackMax { collectEarlier() }
        return !met.insert(Array(Self.name(key).utf8)).inserted
    }

    private func isAmongEarlier(_ keyValue: borrowing JSONValue) -> Bool {
        guard let bytes = keyValue.stringBytes else { return false }
        var earlier = object.index + 1
        while earlier < at {
            if let other = JSONValue(object, at: earlier).stringBytes, other.isEqual(to: bytes) { return true }
            earlier = JSONValue(object, at: earlier + 1).nextIndex
        }
        return false
    }

    private mutating func collectEarlier() {
        var earlier = object.index + 1
        while earlier < at {
            if let key = JSONValue(object, at: earlier).string { met.insert(Array(key.utf8)) }
            earlier = JSONValue(object, at: earlier + 1).nextIndex
        }
    }
}
