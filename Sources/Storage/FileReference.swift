// How one file of a database names another.

/// An immutable file, and enough to notice that it is not the one that was meant.
package struct FileReference: Equatable, Hashable, Sendable {
    /// The number in its name, which its kind completes.
    package var number: UInt64
    package var byteCount: UInt64
    /// The checksum of its header, which covers the directory's, which covers those of everything else.
    package var checksum: UInt32

    package init(number: UInt64, byteCount: UInt64, checksum: UInt32) {
        self.number = number
        self.byteCount = byteCount
        self.checksum = checksum
    }
}
