// A vector written as base64 of little-endian float32: a third of the size of a JSON array and quicker to read.

enum Base64Floats {
    /// The numbers behind standard base64 with its padding. Anything that is not the one way to write them is refused.
    static func decode(_ text: RawSpan) throws(RowError) -> [Float] {
        guard text.byteCount % 4 == 0 else { throw RowError("its base64 has \(text.byteCount) characters, which is not a multiple of 4") }
        let characters = Span<UInt8>(_bytes: text)
        let padding = paddingCount(characters)
        let byteCount = characters.count / 4 * 3 - padding
        guard byteCount % 4 == 0 else { throw RowError("its base64 holds \(byteCount) bytes, which is no whole number of float32") }
        let sextets = sextets.span
        precondition(sextets.count == 256, "every byte has its place in the table")
        var seen: UInt32 = 0
        var leftOver: UInt64 = 0
        let floats = [Float](capacity: byteCount / 4) { output in
            let wholeCount = characters.count - padding
            var index = 0
            while index + 16 <= wholeCount {
                seen |= appendThree(characters.extracting(index..<index + 16), sextets, to: &output)
                index += 16
            }
            leftOver = appendRest(characters.extracting(index..<wholeCount), sextets, to: &output, &seen)
        }
        guard seen & notBase64 == 0 else { throw RowError("its base64 has a character that is none of base64's") }
        guard leftOver == 0 else { throw RowError("its base64 ends in bits that belong to no number") }
        return floats
    }

    /// Sixteen characters are three floats. Base64 writes bits from the left, floats lie with their lowest byte first:
    /// so 32 bits in the order written are a float with its bytes turned round. Returns all that was looked up, or-ed.
    @inline(__always)
    private static func appendThree(
        _ characters: Span<UInt8>, _ sextets: Span<UInt32>, to output: inout OutputSpan<Float>
    ) -> UInt32 {
        precondition(characters.count == 16, "three floats are sixteen characters")
        let first = group(characters, 0, sextets)
        let second = group(characters, 4, sextets)
        let third = group(characters, 8, sextets)
        let fourth = group(characters, 12, sextets)
        output.append(Float(bitPattern: (first << 8 | second >> 16 & 0xFF).byteSwapped))
        output.append(Float(bitPattern: (second << 16 | third >> 8 & 0xFFFF).byteSwapped))
        output.append(Float(bitPattern: (third << 24 | fourth & 0xFF_FFFF).byteSwapped))
        return first | second | third | fourth
    }

    /// Four characters are 24 bits, behind the marks of characters that are none of base64's.
    @inline(__always)
    private static func group(_ characters: Span<UInt8>, _ start: Int, _ sextets: Span<UInt32>) -> UInt32 {
        // Sound: four characters lie behind each start of a group, and the table has a place for every byte.
        unsafe sextets[unchecked: Int(characters[unchecked: start])] << 18
            | sextets[unchecked: Int(characters[unchecked: start + 1])] << 12
            | sextets[unchecked: Int(characters[unchecked: start + 2])] << 6
            | sextets[unchecked: Int(characters[unchecked: start + 3])]
    }

    /// The last one or two floats, bit by bit gathered. Returns the bits that are left over.
    private static func appendRest(
        _ characters: Span<UInt8>, _ sextets: Span<UInt32>, to output: inout OutputSpan<Float>, _ seen: inout UInt32
    ) -> UInt64 {
        var gathered: UInt64 = 0
        var gatheredBits = 0
        for index in characters.indices {
            let value = sextets[Int(characters[index])]
            seen |= value
            gathered = gathered << 6 | UInt64(value & 0x3F)
            gatheredBits += 6
            guard gatheredBits >= 32 else { continue }
            gatheredBits -= 32
            output.append(Float(bitPattern: UInt32(truncatingIfNeeded: gathered >> UInt64(gatheredBits)).byteSwapped))
        }
        return gathered & (1 << UInt64(gatheredBits) - 1)
    }

    private static func paddingCount(_ characters: Span<UInt8>) -> Int {
        let count = characters.count
        guard count >= 4, characters[count - 1] == UInt8(ascii: "=") else { return 0 }
        return characters[count - 2] == UInt8(ascii: "=") ? 2 : 1
    }

    /// The bits above a group's 24, where the mark of a character that is none of base64's shows.
    private static let notBase64: UInt32 = 0xFF00_0000
    /// That mark: some of its bits come to lie above the 24 wherever in a group the character stands.
    private static let mark: UInt32 = 0xFFFF_FFC0

    /// The six bits of each character.
    private static let sextets: [UInt32] = {
        var table = [UInt32](repeating: mark, count: 256)
        let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
        for (value, character) in alphabet.utf8.enumerated() { table[Int(character)] = UInt32(value) }
        return table
    }()
}

/// Index of the first number that is not finite: a vector with one has no distance to anything.
func firstNotFinite(_ floats: [Float]) -> Int? {
    // A float is infinite or NaN iff all bits of its exponent are set. Without an early exit the loop runs in SIMD.
    var largest: UInt32 = 0
    for float in floats { largest = max(largest, float.bitPattern & exponentBits) }
    return largest == exponentBits ? floats.firstIndex { !$0.isFinite } : nil
}

private let exponentBits: UInt32 = 0x7F80_0000
