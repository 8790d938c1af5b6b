// What a Unicode scalar becomes before words are looked up: dropped, a space, or its bare lower-case form.

/// Rules 1 to 3 of the tokenizer as one look-up, read from the table that `tools/make-folding-table.py` writes.
///
/// | bytes | content |
/// | --- | --- |
/// | 4 x 4 | pages, blocks, values, sequences: how many of each follow |
/// | 2 x pages | number of the block for the 32 scalars of a page |
/// | 2 x 32 x blocks | number of the value for a scalar |
/// | 4 x values | kind in the top byte; below, the folded scalar (0: itself) or a sequence's number, from 1 |
/// | 4 x 3 x sequences | up to three folded scalars, 0 where there is none |
///
/// The table pins Unicode 14: the standard library's own properties grow with the toolchain, and then a text would be
/// asked for with other tokens than it was indexed with.
struct Folding: Sendable {
    enum Kind: UInt8, Sendable {
        /// Leaves no trace: controls, format characters, marks, scalars without a meaning.
        case drop
        /// Ends a word.
        case space
        /// Belongs to a word.
        case letter
        /// Is a word of its own: punctuation and ideographs.
        case alone
        /// A Hangul syllable, which decomposes by arithmetic.
        case hangul
        /// Becomes two or three letters.
        case sequence
        /// Becomes one of two letters, depending on what stands around it.
        case capitalSigma
    }

    private static let pageBits = 5

    private let pages: [UInt16]
    private let blocks: [UInt16]
    private let values: [UInt32]
    private let sequences: [UInt32]

    init() {
        var reader = TableReader()
        let counts = (0..<4).map { _ in Int(reader.next32()) }
        pages = (0..<counts[0]).map { _ in reader.next16() }
        blocks = (0..<counts[1] << Self.pageBits).map { _ in reader.next16() }
        values = (0..<counts[2]).map { _ in reader.next32() }
        sequences = (0..<counts[3] * 3).map { _ in reader.next32() }
        precondition(reader.isAtEnd, "the folding table is as long as its header says")
    }

    /// The kind of a scalar, and what belongs to it: the folded scalar, or the number of a sequence.
    @inline(__always)
    func callAsFunction(_ scalar: UInt32) -> (kind: Kind, payload: UInt32) {
        let page = Int(scalar >> Self.pageBits)
        guard page < pages.count else { return (.drop, 0) }
        let place = Int(pages[page]) << Self.pageBits | Int(scalar) & (1 << Self.pageBits - 1)
        let value = values[Int(blocks[place])]
        let payload = value & 0xFF_FFFF
        // The generator writes no other kinds, and a test walks all values.
        return (Kind(rawValue: UInt8(value >> 24))!, payload == 0 ? scalar : payload)
    }

    /// The letters of a sequence; 0 where there is none.
    func sequence(_ number: UInt32) -> [3 of UInt32] {
        let first = (Int(number) - 1) * 3
        return [sequences[first], sequences[first + 1], sequences[first + 2]]
    }

    /// The two or three letters of a Hangul syllable (Unicode, section 3.12); 0 where there is none.
    static func hangul(_ syllable: UInt32) -> [3 of UInt32] {
        let index = syllable - 0xAC00
        let trailing = index % 28
        return [0x1100 + index / 588, 0x1161 + index % 588 / 28, trailing == 0 ? 0 : 0x11A7 + trailing]
    }
}

/// Reads the table's little-endian numbers one after the other.
private struct TableReader {
    private var offset = 0

    var isAtEnd: Bool { offset == ModelTables.folding().count }

    mutating func next16() -> UInt16 {
        let bytes = ModelTables.folding()
        defer { offset += 2 }
        return UInt16(bytes[offset]) | UInt16(bytes[offset + 1]) << 8
    }

    mutating func next32() -> UInt32 {
        let low = next16()
        return UInt32(low) | UInt32(next16()) << 16
    }
}
