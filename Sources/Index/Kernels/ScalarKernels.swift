// What the kernels compute, in Swift that reads like the formula: their documentation, and the oracle of their tests.
#if canImport(Glibc)
import Glibc  // links fmaf, which `addProduct` becomes without a target CPU
#else
import Darwin
#endif

/// The scalar twins of `Kernels`. Slow, and closer to the true value: sums run in double.
package enum ScalarKernels {
    /// Σ aⱼ bⱼ
    package static func dot(_ a: Span<Float>, _ b: Span<Float>) -> Float {
        var sum = 0.0
        for j in a.indices { sum += Double(a[j]) * Double(b[j]) }
        return Float(sum)
    }

    /// Σ (aⱼ − bⱼ)²
    package static func squaredDistance(_ a: Span<Float>, _ b: Span<Float>) -> Float {
        var sum = 0.0
        for j in a.indices {
            let difference = Double(a[j]) - Double(b[j])
            sum += difference * difference
        }
        return Float(sum)
    }

    /// Σ xⱼ²
    package static func sumOfSquares(_ x: Span<Float>) -> Double {
        var sum = 0.0
        for j in x.indices { sum += Double(x[j]) * Double(x[j]) }
        return sum
    }

    package static func allFinite(_ x: Span<Float>) -> Bool {
        for j in x.indices where !x[j].isFinite { return false }
        return true
    }

    /// The order in which the fused variants sum, bit for bit: element j joins lane j mod 32, then the lanes fold
    /// by halves.
    package static func dotInLanes(_ a: Span<Float>, _ b: Span<Float>) -> Float {
        var lanes = [32 of Float](repeating: 0)
        for j in a.indices { lanes[j % 32].addProduct(a[j], b[j]) }
        return folded(lanes)
    }

    /// The same for Σ (aⱼ − bⱼ)².
    package static func squaredDistanceInLanes(_ a: Span<Float>, _ b: Span<Float>) -> Float {
        var lanes = [32 of Float](repeating: 0)
        for j in a.indices {
            let difference = a[j] - b[j]
            lanes[j % 32].addProduct(difference, difference)
        }
        return folded(lanes)
    }

    private static func folded(_ lanes: [32 of Float]) -> Float {
        var lanes = lanes
        for half in [16, 8, 4, 2, 1] {
            for lane in 0..<half { lanes[lane] += lanes[lane + half] }
        }
        return lanes[0] + 0  // never -0
    }

    /// RFC 4648: every three bytes are four numbers of six bits; what is missing of the last three is '='.
    package static func encodeBase64(_ bytes: [UInt8]) -> [UInt8] {
        var text: [UInt8] = []
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let group = bytes[start..<min(start + 3, bytes.count)]
            let bits = group.reduce(0) { $0 << 8 | Int($1) } << (8 * (3 - group.count))
            for place in 0..<4 {
                text.append(place <= group.count ? base64Alphabet[bits >> (18 - 6 * place) & 63] : UInt8(ascii: "="))
            }
        }
        return text
    }

    /// The first byte that cannot stand where it does in the base64 of so many bytes, if any.
    package static func base64Fault(_ text: [UInt8], ofBytes count: Int) -> Int? {
        text.indices.first { !base64Allows(text[$0], at: $0, ofBytes: count) }
    }

    /// Whether some base64 of so many bytes has this character there.
    package static func base64Allows(_ character: UInt8, at place: Int, ofBytes count: Int) -> Bool {
        let dataCount = (count * 8 + 5) / 6
        guard place < dataCount else { return character == UInt8(ascii: "=") }
        guard let value = base64Alphabet.firstIndex(of: character) else { return false }
        // The last character's bits beyond the last byte are zero.
        return place < dataCount - 1 || value % (1 << (dataCount * 6 - count * 8)) == 0
    }

    package static let base64Alphabet = Array(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
}
