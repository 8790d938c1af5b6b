// Borrowed memory as arrays, which expectations can hold and print.

extension Array where Element: BitwiseCopyable {
    package init(copying span: Span<Element>) {
        self = []
        reserveCapacity(span.count)
        for index in span.indices { append(span[index]) }
    }
}

extension Array where Element == UInt8 {
    package init(copying span: RawSpan) {
        // Sound: copied before the closure ends.
        self = unsafe span.withUnsafeBytes { unsafe Array($0) }
    }
}

extension Array where Element == UInt8 {
    /// The bytes, lent.
    package var rawSpan: RawSpan {
        // Sound: bytes have no invalid pattern.
        @_lifetime(borrow self) get { unsafe span.bytes }
    }
}
