// A set of small integers, one bit each: how filters and rights are handed to a search.
import CKernels

/// A fixed-length set over `0..<count`. Bits beyond `count` are always zero, so counting needs no mask.
@usableFromInline
package struct Bitmap: Equatable, Sendable {
    @usableFromInline package let count: Int
    @usableFromInline package internal(set) var words: [UInt64]

    package init(count: Int, filled: Bool = false) {
        precondition(count >= 0, "a bitmap's length is not negative")
        self.count = count
        words = [UInt64](repeating: filled ? ~0 : 0, count: (count + 63) / 64)
        if filled { clearBeyondEnd() }
    }

    /// The same bits as far as both reach, and none behind.
    package init(_ other: Bitmap, count: Int) {
        precondition(count >= 0, "a bitmap's length is not negative")
        self.count = count
        let wordCount = (count + 63) / 64
        words = Array(other.words.prefix(wordCount))
        if words.count < wordCount { words.append(contentsOf: repeatElement(0, count: wordCount - words.count)) }
        clearBeyondEnd()
    }

    package subscript(index: Int) -> Bool {
        @inlinable @inline(__always) get {
            precondition(index >= 0 && index < count, "a bit must lie within its bitmap")
            return words[index >> 6] >> UInt64(index & 63) & 1 != 0
        }
        set {
            precondition(index >= 0 && index < count, "a bit must lie within its bitmap")
            let mask: UInt64 = 1 << UInt64(index & 63)
            if newValue { words[index >> 6] |= mask } else { words[index >> 6] &= ~mask }
        }
    }

    /// How many bits are set. O(count / 64).
    package var population: Int { words.reduce(0) { $0 + $1.nonzeroBitCount } }
    package var isEmpty: Bool { words.allSatisfy { $0 == 0 } }

    package mutating func formIntersection(_ other: Bitmap) {
        precondition(count == other.count, "bitmaps combine at equal length")
        for index in words.indices { words[index] &= other.words[index] }
    }

    package mutating func formUnion(_ other: Bitmap) {
        precondition(count == other.count, "bitmaps combine at equal length")
        for index in words.indices { words[index] |= other.words[index] }
    }

    package mutating func invert() {
        for index in words.indices { words[index] = ~words[index] }
        clearBeyondEnd()
    }

    /// Sets each bit for which `isMember` says so, a word at a time: the loop behind every column filter.
    package mutating func fill(_ isMember: (Int) throws -> Bool) rethrows {
        for wordIndex in words.indices {
            let first = wordIndex << 6
            var word: UInt64 = 0
            for bit in 0..<min(64, count - first) where try isMember(first + bit) { word |= 1 << UInt64(bit) }
            words[wordIndex] = word
        }
    }

    /// Sets those of `count` bits from `first` on, a multiple of 64, for which `isMember` says so, told their places from there.
    @inlinable @inline(__always)
    package mutating func fill(from first: Int, count: Int, _ isMember: (Int) -> Bool) {
        precondition(first & 63 == 0 && first >= 0 && count >= 0 && first + count <= self.count, "whole words are filled, within the bitmap")
        for start in stride(from: 0, to: count, by: 64) {
            var word: UInt64 = 0
            for bit in 0..<min(64, count - start) where isMember(start + bit) { word |= 1 << UInt64(bit) }
            words[(first + start) >> 6] = word
        }
    }

    /// Sets as many bits as there are cells from `first` on, a multiple of 64: those whose cell has `kind` in its lowest two bits and leads
    /// with the rest of it to a grade within bounds. About 0.7 ns a cell, where to ask a closure takes 3.7 (members lie at random, and
    /// no processor foresees them).
    ///
    /// - Parameter grades: by place; where a cell leads beyond them, the last is meant. Behind it lie `gradesPadding` more bytes.
    package mutating func fill(from first: Int, _ cells: Span<UInt32>, kind: UInt32, grades: Cells<UInt8>, _ bounds: ClosedRange<UInt8>) {
        precondition(first & 63 == 0 && first >= 0 && first + cells.count <= count, "whole words are filled, within the bitmap")
        precondition(grades.count > Self.gradesPadding && grades.count <= 1 << 30 && kind < 4, "there is a last grade")
        let last = UInt32(grades.count - Self.gradesPadding - 1)
        // Sound: as many words are written as the cells have bits for, checked above; no place beyond the last is read but the padding.
        unsafe words.withUnsafeMutableBufferPointer { words in
            unsafe cells.withUnsafeBufferPointer { cells in
                guard cells.count > 0, let words = words.baseAddress else { return }
                unsafe nt_mark_graded(
                    cells.baseAddress, cells.count, kind, grades.address, last, bounds.lowerBound, bounds.upperBound, words + first >> 6)
            }
        }
    }

    /// Bit i of `words` becomes whether the set has numbers[i], as far as `mask` has i; returns how many do. Every number lies below the
    /// set's count, which the caller has seen to. O(numbers), eight at a time where the processor looks up eight at once.
    package func mark(_ numbers: Cells<UInt32>, within mask: Bitmap, into words: MutableCells<UInt64>) -> Int {
        precondition(mask.count == numbers.count && words.count == mask.words.count, "a bit for each number")
        // Sound: checked above, and by the caller's promise.
        return unsafe self.words.withUnsafeBufferPointer { members in
            unsafe mask.words.withUnsafeBufferPointer { mask in
                guard let members = members.baseAddress, let mask = mask.baseAddress else { return 0 }
                return unsafe Int(nt_mark_members(numbers.address, numbers.count, members, mask, words.address))
            }
        }
    }

    /// Bytes behind the last grade, of any value.
    package static let gradesPadding = 3

    /// 64 bits from a multiple of 64 on; those beyond the end are zero, and stay so.
    package subscript(word index: Int) -> UInt64 {
        get { words[index] }
        set {
            words[index] = newValue
            if index == words.count - 1 { clearBeyondEnd() }
        }
    }

    package var wordCount: Int { words.count }

    /// Clears the set bits for which `isMember` says no.
    package mutating func filter(_ isMember: (Int) -> Bool) {
        for index in words.indices {
            var (left, kept) = (words[index], words[index])
            while left != 0 {
                let bit = left.trailingZeroBitCount
                if !isMember(index << 6 + bit) { kept &= ~(1 << UInt64(bit)) }
                left &= left - 1
            }
            words[index] = kept
        }
    }

    /// Visits set bits in rising order.
    package func forEach(_ body: (Int) throws -> Void) rethrows {
        for (wordIndex, whole) in words.enumerated() {
            var word = whole
            while word != 0 {
                try body(wordIndex << 6 + word.trailingZeroBitCount)
                word &= word - 1
            }
        }
    }

    /// Visits set bits in rising order, or in falling.
    package func forEach(reversed: Bool, _ body: (Int) throws -> Void) rethrows {
        guard reversed else { return try forEach(body) }
        for wordIndex in words.indices.reversed() {
            var word = words[wordIndex]
            while word != 0 {
                let bit = 63 - word.leadingZeroBitCount
                try body(wordIndex << 6 + bit)
                word ^= 1 << UInt64(bit)
            }
        }
    }

    private mutating func clearBeyondEnd() {
        let used = count & 63
        if used != 0 { words[words.count - 1] &= (1 << UInt64(used)) - 1 }
    }
}
