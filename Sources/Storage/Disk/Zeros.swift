// Space taken with written zeros: unlike a hole or an extent that was only promised, it is there when it is needed.
import Memory

extension DiskFile {
    /// Writes zeros over `range`, at most a megabyte a call. Those before a failure stay written.
    func writeZeros(over range: Range<Int>) throws(DiskError) {
        var start = range.lowerBound
        while start < range.upperBound {
            let count = min(Zeros.block.count, range.upperBound - start)
            // Sound: bytes have no invalid pattern.
            try write(unsafe Zeros.block.span.bytes.extracting(first: count), at: start)
            start += count
        }
    }
}

private enum Zeros {
    static let block = [UInt8](repeating: 0, count: 1 << 20)
}
