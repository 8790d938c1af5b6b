// Which pieces of words the model knows: the longest one a word starts with, in a few touches of memory.

/// A hash table over the lines of the vocabulary, open addressing with linear probing.
///
/// A slot is one number, so that a look-up costs one cache line for the slot and one for the text it is compared with:
///
/// | bits | content |
/// | --- | --- |
/// | 0–15 | id |
/// | 16–20 | length in bytes; 0 is an empty slot |
/// | 21 | the piece continues a word (written with `##`, which is not part of its bytes here) |
/// | 22–39 | where its bytes start in the vocabulary's text |
/// | 40–63 | the high bits of its hash |
struct Vocabulary: Sendable {
    /// A word longer than this is surely no token, and no longer prefix needs a look.
    let pieceBytesMax: Int
    let count: Int
    private let slots: [UInt64]

    /// A little over twice as many as tokens: a miss, the common answer for a prefix, looks at 1.5 on average.
    private static let slotCount = 1 << 16
    /// Everything but the id and the place: what two slots of the same piece have in common.
    private static let identity: UInt64 = ~0 << 40 | 0x3F << 16

    init() {
        let text = ModelTables.vocabulary()
        var slots = [UInt64](repeating: 0, count: Self.slotCount)
        var (id, lineStart, longest) = (0, 0, 0)
        for position in 0..<text.count where text[position] == UInt8(ascii: "\n") {
            let piece = Self.piece(from: lineStart, to: position, in: text)
            Self.insert(id, piece, in: text, into: &slots)
            longest = max(longest, piece.length)
            id += 1
            lineStart = position + 1
        }
        precondition(lineStart == text.count, "the vocabulary ends with a line feed")
        precondition(id == ModelTables.rows, "each token has a row, and the tables of rows belong together")
        count = id
        pieceBytesMax = longest
        self.slots = slots
    }

    /// The token that is exactly `length` bytes of `word` from `start`, whose hash the caller has.
    @inline(__always)
    func id(in word: Span<UInt8>, from start: Int, length: Int, hash: PieceHash) -> UInt32? {
        guard length <= pieceBytesMax else { return nil }
        let text = ModelTables.vocabulary()
        let slots = slots.span
        let wanted = hash.high | Self.marks(length: length, continues: start > 0)
        var slot = hash.slot
        // Ends, because half of the slots are empty.
        while slots[slot] != 0 {
            let entry = slots[slot]
            if entry & Self.identity == wanted, Self.isSame(word, start, text, Self.offset(entry), length) {
                return UInt32(truncatingIfNeeded: entry & 0xFFFF)
            }
            slot = (slot + 1) & (Self.slotCount - 1)
        }
        return nil
    }

    /// The longest token that `word` has at `start`.
    ///
    /// Whole scalars are taken without looking for their borders: a token is whole scalars, and no scalar's bytes
    /// start within another's.
    func longest(in word: Span<UInt8>, from start: Int) -> (id: UInt32, length: Int)? {
        let longest = min(word.count - start, pieceBytesMax)
        var hashes = InlineArray<32, PieceHash>(repeating: PieceHash(continues: start > 0))
        for length in 1...longest {
            hashes[length] = hashes[length - 1]
            hashes[length].add(word[start + length - 1])
        }
        for length in stride(from: longest, to: 0, by: -1) {
            if let id = id(in: word, from: start, length: length, hash: hashes[length]) {
                return (id, length)
            }
        }
        return nil
    }
}

// MARK: - Slots

extension Vocabulary {
    private typealias Piece = (offset: Int, length: Int, continues: Bool)

    private static func piece(from start: Int, to end: Int, in text: Span<UInt8>) -> Piece {
        let hashSign = UInt8(ascii: "#")
        let continues = end - start > 2 && text[start] == hashSign && text[start + 1] == hashSign
        return continues ? (start + 2, end - start - 2, true) : (start, end - start, false)
    }

    private static func insert(_ id: Int, _ piece: Piece, in text: Span<UInt8>, into slots: inout [UInt64]) {
        precondition(id < 1 << 16 && (1..<32).contains(piece.length) && piece.offset < 1 << 18, "a piece fits its slot")
        var hash = PieceHash(continues: piece.continues)
        for position in piece.offset..<piece.offset + piece.length {
            hash.add(text[position])
        }
        var slot = hash.slot
        while slots[slot] != 0 {
            slot = (slot + 1) & (slotCount - 1)
        }
        slots[slot] = hash.high | UInt64(piece.offset) << 22 | UInt64(id)
            | marks(length: piece.length, continues: piece.continues)
    }

    @inline(__always)
    private static func marks(length: Int, continues: Bool) -> UInt64 {
        UInt64(truncatingIfNeeded: length) << 16 | (continues ? 1 << 21 : 0)
    }

    @inline(__always)
    private static func offset(_ slot: UInt64) -> Int {
        Int(truncatingIfNeeded: slot >> 22 & 0x3FFFF)
    }

    @inline(__always)
    private static func isSame(
        _ word: Span<UInt8>, _ start: Int, _ text: Span<UInt8>, _ offset: Int, _ length: Int
    ) -> Bool {
        for position in 0..<length where word[start + position] != text[offset + position] {
            return false
        }
        return true
    }
}

/// The hash of a piece, grown byte by byte, so that all prefixes of a word are hashed in one pass.
///
/// The vocabulary is fixed, so no input can make its chains longer.
struct PieceHash {
    private var state: UInt64

    init(continues: Bool) {
        // Any two different numbers would do.
        state = continues ? 0x243F_6A88_85A3_08D3 : 0x1319_8A2E_0370_7344
    }

    @inline(__always)
    mutating func add(_ byte: UInt8) {
        state = (state ^ UInt64(byte)) &* 0x9E37_79B9_7F4A_7C15
    }

    /// The product's high bits depend on every byte, its low ones only on low bits of them: the slot takes both.
    @inline(__always)
    var slot: Int { Int(truncatingIfNeeded: (state ^ state >> 32) & 0xFFFF) }

    @inline(__always)
    var high: UInt64 { state & (~0 << 40) }
}
