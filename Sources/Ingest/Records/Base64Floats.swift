// A vector written as base64 of little-endian float32: a third of the size of a JSON array and far quicker to read.

enum Base64Floats {
    /// The numbers behind standard base64 with its padding. Anything that is not the one way to write them is refused.
    static func decode(_ text: RawSpan) throws(RowError) -> [Float] {
        guard text.byteCount % 4 == 0 else { throw RowError("its base64 has \(text.byteCount) characters, which is not a multiple of 4") }
        let characters = Span<UInt8>(_bytes: text)
        let padding = paddingCount(characters)
        let byteCount = characters.count / 4 * 3 - padding
        guard byteCount % 4 == 0 else { throw RowError("its base64 holds \(byteCount) bytes, which is no whole number of float32") }
        var invalid: UInt8 = 0
        var leftOver: UInt64 = 0
        let floats = [Float](capacity: byteCount / 4) { output in
            // Base64 writes bits from the left, floats lie with their lowest byte first: so bits are gathered on the
            // right, and 32 of them make a float with its bytes turned round.
            var gathered: UInt64 = 0
            var gatheredBits = 0
            for index in 0..<characters.count - padding {
                let value = sextets[Int(characters[index])]
                invalid |= value
                gathered = gathered << 6 | UInt64(value & 0x3F)
                gatheredBits += 6
                guard gatheredBits >= 32 else { continue }
                gatheredBits -= 32
                output.append(Float(bitPattern: UInt32(truncatingIfNeeded: gathered >> UInt64(gatheredBits)).byteSwapped))
            }
            leftOver = gathered & (1 << UInt64(gatheredBits) - 1)
        }
        guard invalid & 0x80 == 0 else { throw RowError("its base64 has a character that is none of base64's") }
        guard leftOver == 0 else { throw RowError("its base64 ends in bits that belong to no number") }
        return floats
    }

    private static func paddingCount(_ characters: Span<UInt8>) -> Int {
        let count = characters.count
        guard count >= 4, characters[count - 1] == UInt8(ascii: "=") else { return 0 }
        return characters[count - 2] == UInt8(ascii: "=") ? 2 : 1
    }

    /// The six bits of each character; the highest bit marks what is not base64.
    private static let sextets: InlineArray<256, UInt8> = {
        var table = InlineArray<256, UInt8>(repeating: 0x80)
        let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
        for (value, character) in alphabet.utf8.enumerated() { table[Int(character)] = UInt8(value) }
        return table
    }()
}

/// Index of the first number that is not finite: a vector with one has no distance to anything.
func firstNotFinite(_ floats: [Float]) -> Int? {
    // A float is infinite or NaN iff all bits of its exponent are set; without a branch a row goes through in SIMD.
    var allFinite = true
    for float in floats { allFinite = allFinite && float.bitPattern & exponentBits != exponentBits }
    return allFinite ? nil : floats.firstIndex { !$0.isFinite }
}

private let exponentBits: UInt32 = 0x7F80_0000
