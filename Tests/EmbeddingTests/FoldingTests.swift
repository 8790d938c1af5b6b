// The folding table, scalar by scalar, against the properties it was made from.

@testable import Embedding
import Foundation
import Testing

@Suite struct FoldingTests {
    private let folding = Folding()

    @Test func `every scalar folds as its Unicode properties say`() {
        var seen: Set<Folding.Kind> = []
        for value in UInt32(0)...0x10FFFF {
            guard let scalar = Unicode.Scalar(value) else { continue }
            seen.insert(folding(value).kind)
            // One expectation per scalar would take minutes.
            if folded(value) != expected(scalar) {
                Issue.record("U+\(String(value, radix: 16)): \(folded(value)), not \(expected(scalar))")
            }
        }
        #expect(seen.count == 7)
    }

    @Test func `numbers past the last scalar are dropped`() {
        #expect(folding(0x11_0000).kind == .drop)
        #expect(folding(.max).kind == .drop)
    }

    private enum Folded: Equatable {
        case drop, space, sigma
        case alone(UInt32)
        case letters([UInt32])
    }

    private func folded(_ scalar: UInt32) -> Folded {
        let (kind, payload) = folding(scalar)
        return switch kind {
        case .drop: .drop
        case .space: .space
        case .letter: .letters([payload])
        case .alone: .alone(payload)
        case .hangul: .letters(letters(Folding.hangul(scalar)))
        case .sequence: .letters(letters(folding.sequence(payload)))
        case .capitalSigma: .sigma
        }
    }

    private func letters(_ places: [3 of UInt32]) -> [UInt32] {
        places.indices.map { places[$0] }.filter { $0 != 0 }
    }

    private func expected(_ scalar: Unicode.Scalar) -> Folded {
        if scalar == "\t" || scalar == "\n" || scalar == "\r" { return .space }
        if PlainModel.isDropped(scalar) { return .drop }
        if scalar.properties.isWhitespace { return .space }
        if scalar == "Σ" { return .sigma }
        let values = PlainModel.bare([scalar]).map(\.value)
        guard let first = values.first else { return .drop }
        let isAlone = PlainModel.isIdeograph(scalar) || Unicode.Scalar(first).map(PlainModel.isPunctuation) == true
        return isAlone ? .alone(first) : .letters(values)
    }
}
