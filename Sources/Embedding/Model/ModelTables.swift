// The only door to the C side: the model's tables as views, its two kernels as functions of spans.

import CMiniLM

enum ModelTables {
    static let dimension = Int(MINILM_DIMENSION)

    /// The id of a word that no sequence of tokens spells; it has no vector.
    static let unknown: UInt32 = 100

    /// How many rows the table of vectors has.
    static var rows: Int { minilm_rows() }

    /// The vocabulary's text, one token a line.
    @_lifetime(immortal)
    static func vocabulary() -> Span<UInt8> {
        var count = 0
        // Sound: C writes the size through the pointer during the call only.
        let start = unsafe minilm_vocabulary(&count)
        // Sound: the table is `count` read-only bytes of the binary itself, so it outlives everyone.
        let bytes = unsafe Span(_unsafeStart: start, count: count)
        return unsafe _overrideLifetime(bytes, copying: ())
    }

    /// The bytes of the folding table; `Folding` knows their layout.
    @_lifetime(immortal)
    static func folding() -> Span<UInt8> {
        var count = 0
        // Sound: as above.
        let start = unsafe minilm_folding(&count)
        // Sound: as above.
        let bytes = unsafe Span(_unsafeStart: start, count: count)
        return unsafe _overrideLifetime(bytes, copying: ())
    }

    /// Adds each token's row, times its scale, to `sum`.
    static func addRows(_ ids: Span<UInt32>, to sum: inout MutableSpan<Float>) {
        precondition(sum.count == dimension, "a sum has as many places as the model has dimensions")
        unsafe ids.withUnsafeBufferPointer { ids in
            unsafe sum.withUnsafeMutableBufferPointer { sum in
                guard let first = ids.baseAddress, let sum = sum.baseAddress else { return }
                // Sound: the sum's size was checked above, and every id is a vocabulary's, whose size
                // `Vocabulary.init` compared with the number of rows.
                unsafe minilm_add_rows(sum, first, ids.count)
            }
        }
    }

    /// Makes `vector` unit length, or answers false if it has no direction.
    static func makeUnit(_ vector: inout MutableSpan<Float>) -> Bool {
        precondition(vector.count == dimension, "a vector has as many places as the model has dimensions")
        return unsafe vector.withUnsafeMutableBufferPointer { vector in
            guard let vector = vector.baseAddress else { return false }
            // Sound: the size was checked above.
            return unsafe minilm_make_unit(vector)
        }
    }
}
