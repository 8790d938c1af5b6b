// Views for inner loops: a pointer and a count, checked where builds are checked.

/// Elements lent for reading. Not owned: whoever makes one keeps the memory alive for as long as it is used.
///
/// An index out of bounds is caught in debug builds only. Inner loops use it for indices that were checked when their
/// file was opened, or that the loop itself bounds.
@safe @frozen @usableFromInline
package struct Cells<T: BitwiseCopyable>: @unchecked Sendable {
    // Sendable: nobody writes while it is lent.
    /// Where there are no elements: anywhere.
    @usableFromInline let start: UnsafePointer<T>
    @usableFromInline package let count: Int

    /// The memory outlives every use of the view.
    @unsafe @inlinable @_transparent package init(start: UnsafePointer<T>?, count: Int) {
        precondition(unsafe count == 0 || start != nil, "elements have a place")
        unsafe self.start = start ?? UnsafePointer(bitPattern: MemoryLayout<T>.alignment)!
        self.count = count
    }

    package static var none: Cells { unsafe Cells(start: nil, count: 0) }

    package subscript(_ index: Int) -> T {
        @inlinable @_transparent get {
            assert(index >= 0 && index < count, "an element must lie within its view")
            // Sound: the caller's promise, checked in debug builds.
            return unsafe start[index]
        }
    }

    @inlinable @_transparent package func part(_ range: Range<Int>) -> Cells {
        assert(range.lowerBound >= 0 && range.upperBound <= count, "a part must lie within its view")
        // Sound: as above.
        return unsafe Cells(start: start + range.lowerBound, count: range.count)
    }

    /// For kernels, which are told how much there is.
    @unsafe @inlinable @_transparent package var address: UnsafePointer<T> { unsafe start }

    /// The same memory as bytes.
    package var bytes: Cells<UInt8> {
        // Sound: any value is its bytes, which need no alignment.
        unsafe Cells<UInt8>(start: UnsafeRawPointer(start).assumingMemoryBound(to: UInt8.self), count: count * MemoryLayout<T>.stride)
    }

    /// The same memory as elements of another type, for which every bit pattern is valid. The memory is aligned for it.
    package func rebound<U: BitwiseCopyable>(to type: U.Type) -> Cells<U> {
        guard count > 0 else { return .none }
        precondition(count * MemoryLayout<T>.stride % MemoryLayout<U>.stride == 0, "elements are read whole")
        precondition(unsafe UInt(bitPattern: start) % UInt(MemoryLayout<U>.alignment) == 0, "elements lie where their type may")
        // Sound: checked above; both types are plain bits.
        return unsafe Cells<U>(start: UnsafeRawPointer(start).assumingMemoryBound(to: U.self), count: count * MemoryLayout<T>.stride / MemoryLayout<U>.stride)
    }

    @inlinable @_transparent package var span: Span<T> {
        @_lifetime(borrow self)
        get {
            let span = unsafe Span(_unsafeElements: UnsafeBufferPointer(start: start, count: count))
            // Sound: the memory outlives the view.
            return unsafe _overrideLifetime(span, borrowing: self)
        }
    }
}

/// Elements lent for writing, by promise to one user at a time for each of them.
@safe @frozen @usableFromInline
package struct MutableCells<T: BitwiseCopyable>: @unchecked Sendable {
    // Sendable: threads that share one write to places of their own.
    /// Where there are no elements: anywhere.
    @usableFromInline let start: UnsafeMutablePointer<T>
    @usableFromInline package let count: Int

    /// The memory outlives every use of the view.
    @unsafe @inlinable @_transparent package init(start: UnsafeMutablePointer<T>?, count: Int) {
        precondition(unsafe count == 0 || start != nil, "elements have a place")
        unsafe self.start = start ?? UnsafeMutablePointer(bitPattern: MemoryLayout<T>.alignment)!
        self.count = count
    }

    package static var none: MutableCells { unsafe MutableCells(start: nil, count: 0) }

    package subscript(_ index: Int) -> T {
        @inlinable @_transparent get {
            assert(index >= 0 && index < count, "an element must lie within its view")
            // Sound: the caller's promise, checked in debug builds.
            return unsafe start[index]
        }
        @inlinable @_transparent nonmutating set {
            assert(index >= 0 && index < count, "an element must lie within its view")
            // Sound: as above.
            unsafe start[index] = newValue
        }
    }

    @inlinable @_transparent package func part(_ range: Range<Int>) -> MutableCells {
        assert(range.lowerBound >= 0 && range.upperBound <= count, "a part must lie within its view")
        // Sound: as above.
        return unsafe MutableCells(start: start + range.lowerBound, count: range.count)
    }

    @inlinable @_transparent package var readOnly: Cells<T> { unsafe Cells(start: UnsafePointer(start), count: count) }

    /// Makes room at a place: the elements behind it, up to `end`, move up by one.
    @inlinable @_transparent package func moveUp(from place: Int, to end: Int) {
        assert(place >= 0 && place <= end && end < count, "moved elements stay within their view")
        // Sound: as above; memmove is for overlapping ranges.
        unsafe (start + (place &+ 1)).update(from: start + place, count: end &- place)
    }

    @inlinable @_transparent package func copy(_ source: Cells<T>, at place: Int) {
        assert(place >= 0 && place + source.count <= count, "copies stay within their view")
        guard source.count > 0 else { return }
        // Sound: as above.
        unsafe (start + place).update(from: source.address, count: source.count)
    }

    @inlinable @_transparent package func fill(_ value: T) {
        // Sound: as above.
        unsafe start.update(repeating: value, count: count)
    }

    /// For kernels, which are told how much room there is.
    @unsafe @inlinable @_transparent package var address: UnsafeMutablePointer<T> { unsafe start }

    @inlinable @_transparent package var span: Span<T> {
        @_lifetime(borrow self)
        get {
            let span = unsafe Span(_unsafeElements: UnsafeBufferPointer(start: UnsafePointer(start), count: count))
            // Sound: the memory outlives the view.
            return unsafe _overrideLifetime(span, borrowing: self)
        }
    }

    @inlinable @_transparent package var mutableSpan: MutableSpan<T> {
        @_lifetime(borrow self)
        get {
            let span = unsafe MutableSpan(_unsafeElements: UnsafeMutableBufferPointer(start: start, count: count))
            // Sound: the memory outlives the view; that nobody else uses these elements is the user's promise.
            return unsafe _overrideLifetime(span, borrowing: self)
        }
    }
}

/// Elements of its own, zero at first, aligned to 64 bytes; on huge pages where they are many and the kernel agrees.
@safe @usableFromInline
package final class CellBuffer<T: BitwiseCopyable>: @unchecked Sendable {
    // Sendable: the memory is the object's own, and who writes where is the users' promise.
    private let buffer: AlignedBuffer
    @usableFromInline let start: UnsafeMutablePointer<T>
    @usableFromInline package let count: Int

    package init(count: Int) {
        precondition(count >= 0, "a buffer has room for some elements")
        self.count = count
        buffer = AlignedBuffer(byteCount: max(count * MemoryLayout<T>.stride, 64))
        buffer.adviseHugePages()
        // Sound: 64-byte aligned, initialised, and sized by whole elements.
        unsafe start = UnsafeMutablePointer<T>(OpaquePointer(buffer.address))
    }

    /// Valid for as long as the buffer is kept: see `withExtendedLifetime`.
    @inlinable @inline(__always) package var cells: MutableCells<T> { unsafe MutableCells(start: start, count: count) }

    package var bytes: RawSpan {
        @_lifetime(borrow self)
        get {
            // Sound: the buffer is that long, and self holds it.
            let span = unsafe RawSpan(_unsafeStart: buffer.address, byteCount: count * MemoryLayout<T>.stride)
            return unsafe _overrideLifetime(span, borrowing: self)
        }
    }
}
