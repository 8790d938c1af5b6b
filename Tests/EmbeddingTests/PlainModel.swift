// The model as its description reads: no tables, no fast path, one rule after the other. The real one must agree.

import Foundation

struct PlainModel {
    private let ids: [String: UInt32]
    private let codes: [Int8]
    private let scales: [Float]

    init() throws {
        let tokens = String(decoding: try Fixtures.model("vocab.txt"), as: UTF8.self).split(separator: "\n")
        ids = Dictionary(uniqueKeysWithValues: zip(tokens.map(String.init), 0...))
        codes = try Fixtures.model("embeddings.i8").map { Int8(bitPattern: $0) }
        let bytes = [UInt8](try Fixtures.model("scales.f16"))
        scales = stride(from: 0, to: bytes.count, by: 2).map {
            Float(Float16(bitPattern: UInt16(bytes[$0]) | UInt16(bytes[$0 + 1]) << 8))
        }
    }

    // MARK: Tokens

    func tokenIDs(_ text: String) -> [UInt32] {
        Self.words(Self.bare(Self.cleaned(text))).flatMap(pieces)
    }

    /// Rule 1.
    static func cleaned(_ text: String) -> [Unicode.Scalar] {
        text.unicodeScalars.flatMap { scalar -> [Unicode.Scalar] in
            if "\t\n\r".unicodeScalars.contains(scalar) { return [" "] }
            if isDropped(scalar) { return [] }
            if scalar.properties.generalCategory == .spaceSeparator { return [" "] }
            return isIdeograph(scalar) ? [" ", scalar, " "] : [scalar]
        }
    }

    /// Rule 2, but for the final sigma.
    static func bare(_ scalars: [Unicode.Scalar]) -> [Unicode.Scalar] {
        let text = String(String.UnicodeScalarView(scalars)).decomposedStringWithCanonicalMapping
        return text.unicodeScalars
            .filter { !isMark($0) }
            .flatMap { $0.properties.lowercaseMapping.unicodeScalars }
    }

    /// Rule 3.
    static func words(_ scalars: [Unicode.Scalar]) -> [[Unicode.Scalar]] {
        scalars.split(whereSeparator: \.properties.isWhitespace).flatMap { part -> [[Unicode.Scalar]] in
            var words: [[Unicode.Scalar]] = [[]]
            for scalar in part {
                if isPunctuation(scalar) {
                    words += [[scalar], []]
                } else {
                    words[words.count - 1].append(scalar)
                }
            }
            return words.filter { !$0.isEmpty }
        }
    }

    /// Rule 4.
    private func pieces(_ word: [Unicode.Scalar]) -> [UInt32] {
        if word.count > 100 { return [100] }
        var (pieces, start): ([UInt32], Int) = ([], 0)
        while start < word.count {
            let ends = stride(from: word.count, to: start, by: -1)
            guard let end = ends.first(where: { id(word, start..<$0) != nil }), let id = id(word, start..<end) else {
                return [100]
            }
            pieces.append(id)
            start = end
        }
        return pieces
    }

    private func id(_ word: [Unicode.Scalar], _ range: Range<Int>) -> UInt32? {
        let piece = String(String.UnicodeScalarView(word[range]))
        return ids[range.lowerBound > 0 ? "##" + piece : piece]
    }

    // MARK: Scalars

    /// Unicode 14 is the version the model's tokenizer is pinned to.
    static func isKnown(_ scalar: Unicode.Scalar) -> Bool {
        guard let age = scalar.properties.age else { return false }
        return age.major <= 14
    }

    static func isDropped(_ scalar: Unicode.Scalar) -> Bool {
        if scalar == "\0" || scalar == "\u{FFFD}" || !isKnown(scalar) { return true }
        let dropped: [Unicode.GeneralCategory] = [.control, .format, .unassigned, .privateUse, .surrogate]
        return dropped.contains(scalar.properties.generalCategory)
    }

    /// U+1171E was such a mark in Unicode 14 and is none in later versions.
    static func isMark(_ scalar: Unicode.Scalar) -> Bool {
        scalar.properties.generalCategory == .nonspacingMark || scalar == "\u{1171E}"
    }

    static func isIdeograph(_ scalar: Unicode.Scalar) -> Bool {
        let ranges: [ClosedRange<UInt32>] = [
            0x4E00...0x9FFF, 0x3400...0x4DBF, 0x20000...0x2A6DF, 0x2A700...0x2B73F, 0x2B740...0x2B81F,
            0x2B920...0x2CEAF, 0xF900...0xFAFF, 0x2F800...0x2FA1F,
        ]
        return ranges.contains { $0.contains(scalar.value) }
    }

    static func isPunctuation(_ scalar: Unicode.Scalar) -> Bool {
        let ascii: [ClosedRange<UInt32>] = [33...47, 58...64, 91...96, 123...126]
        let categories: [Unicode.GeneralCategory] = [
            .connectorPunctuation, .dashPunctuation, .openPunctuation, .closePunctuation, .initialPunctuation,
            .finalPunctuation, .otherPunctuation,
        ]
        return ascii.contains { $0.contains(scalar.value) } || categories.contains(scalar.properties.generalCategory)
    }

    // MARK: Vectors

    /// v = sum of scale times row, at unit length; the length is summed in the same shape as the real one sums it.
    func vector(_ ids: [UInt32]) -> [Float]? {
        var sum = [Float](repeating: 0, count: 256)
        for id in ids where id != 100 {
            for place in 0..<256 {
                sum[place] += scales[Int(id)] * Float(codes[Int(id) * 256 + place])
            }
        }
        var squares = [Double](repeating: 0, count: 8)
        for place in 0..<256 {
            squares[place % 8] += Double(sum[place]) * Double(sum[place])
        }
        let halves = (0..<4).map { squares[$0] + squares[$0 + 4] }
        let total = (halves[0] + halves[1]) + (halves[2] + halves[3])
        return total > 0 ? sum.map { $0 * Float(1 / total.squareRoot()) } : nil
    }
}
