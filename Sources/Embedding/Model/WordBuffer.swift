// The word under way, folded, as the bytes the vocabulary is asked for.

/// Room for the longest word that is looked up; a longer one is only known to be too long.
struct WordBuffer: ~Copyable {
    /// More scalars than this make a word unknown, whatever they are.
    static let scalarsMax = 100
    /// A scalar takes four bytes at most.
    static let bytesMax = 4 * scalarsMax

    private var storage = InlineArray<400, UInt8>(repeating: 0)
    private(set) var count = 0
    private(set) var hash = PieceHash(continues: false)
    private var scalars = 0

    var isEmpty: Bool { scalars == 0 }
    var isTooLong: Bool { scalars > Self.scalarsMax }

    var bytes: Span<UInt8> {
        @_lifetime(borrow self)
        borrowing get { storage.span.extracting(first: count) }
    }

    @inline(__always)
    mutating func removeAll() {
        count = 0
        scalars = 0
        hash = PieceHash(continues: false)
    }

    /// Adds one ASCII scalar.
    @inline(__always)
    mutating func append(ascii byte: UInt8) {
        scalars &+= 1
        guard !isTooLong else { return }
        add(byte)
    }

    /// Adds one scalar as UTF-8.
    mutating func append(_ scalar: UInt32) {
        scalars &+= 1
        guard !isTooLong else { return }
        switch scalar {
        case 0..<0x80:
            add(UInt8(scalar))
        case 0x80..<0x800:
            add(0xC0 | UInt8(scalar >> 6))
            add(trailing(scalar, 0))
        case 0x800..<0x1_0000:
            add(0xE0 | UInt8(scalar >> 12))
            add(trailing(scalar, 6))
            add(trailing(scalar, 0))
        default:
            add(0xF0 | UInt8(scalar >> 18))
            add(trailing(scalar, 12))
            add(trailing(scalar, 6))
            add(trailing(scalar, 0))
        }
    }

    @inline(__always)
    private mutating func add(_ byte: UInt8) {
        storage[count] = byte
        count &+= 1
        hash.add(byte)
    }

    private func trailing(_ scalar: UInt32, _ shift: UInt32) -> UInt8 {
        0x80 | UInt8(scalar >> shift & 0x3F)
    }
}
