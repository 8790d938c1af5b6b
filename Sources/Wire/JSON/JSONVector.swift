// A vector in JSON: an array of numbers, or base64 of little-endian float32.
import Index
import Memory

extension JSONValue {
    /// Appends the vector's numbers, all of them finite. Throws, with nothing appended that counts, if it is none.
    package func appendVector(to floats: inout [Float]) throws(JSONError) {
        guard let text = stringBytes else { return try appendFloats(to: &floats) }
        let numbers = try Self.decodeBase64(text)
        // A request of one vector takes it as it is.
        if floats.isEmpty { floats = numbers } else { floats += numbers }
    }

    private static func decodeBase64(_ text: RawSpan) throws(JSONError) -> [Float] {
        let wholeNumbers = JSONError("must be base64 of whole little-endian float32 numbers, padded with '='")
        var padding = 0
        while padding < 2, padding < text.byteCount, text.byte(at: text.byteCount - 1 - padding) == UInt8(ascii: "=") { padding += 1 }
        let byteCount = text.byteCount / 4 * 3 - padding
        guard text.byteCount % 4 == 0, byteCount >= 0, byteCount % 4 == 0 else { throw wholeNumbers }
        var floats = [Float](repeating: 0, count: byteCount / 4)
        let areFinite: Bool
        do {
            var target = floats.mutableSpan
            areFinite = try Kernels.best.decodeBase64(text, count: byteCount / 4, into: &target)
        } catch {
            if case .badByte(let offset) = error { throw JSONError("must be base64; character \(offset) is not") }
            throw wholeNumbers
        }
        guard areFinite else { throw JSONError("must be finite numbers") }
        return floats
    }
}
