// What an answer names, gathered as bytes while the answer is written.
import Memory

/// The items of one answer. Kept and cleared between answers, it stops allocating.
///
/// Whoever writes an id into an answer adds it here in the same breath, so that what is recorded is what was sent.
package struct AuditItems: Sendable {
    private var bytes = ByteAccumulator()
    /// Where each part but the last ends, and how many items it has: nearly always none.
    private var ended: [(bytes: Int, items: Int)] = []
    private var lastStart = 0
    private var lastCount = 0

    package init() {}

    package mutating func removeAll() {
        bytes.removeAll()
        if !ended.isEmpty { ended.removeAll(keepingCapacity: true) }
        lastStart = 0
        lastCount = 0
    }

    package var isEmpty: Bool { lastCount == 0 }

    /// - Parameter ordinal: the chunk's, or nil for the document as a whole.
    ///
    /// An id that is too long for any document is passed over: nothing can have been returned under it.
    package mutating func append(_ id: RawSpan, ordinal: Int?, grade: Grade) {
        guard id.byteCount <= Limits.idBytesMax else { return }
        if bytes.count - lastStart + 8 + id.byteCount > AuditFormat.itemBytesMax { endPart() }
        lastCount += 1
        bytes.append(AuditFormat.item(idBytes: id.byteCount, ordinal: ordinal, grade: grade), id)
    }

    /// The same for an id that a request holds.
    package mutating func append(_ id: String, ordinal: Int?, grade: Grade) {
        var id = id
        id.withUTF8 { utf8 in
            // Sound: copied before the closure ends.
            unsafe append(RawSpan(_unsafeBytes: UnsafeRawBufferPointer(utf8)), ordinal: ordinal, grade: grade)
        }
    }

    private mutating func endPart() {
        ended.append((bytes.count, lastCount))
        lastStart = bytes.count
        lastCount = 0
    }

    // MARK: Parts

    /// One at least, be it empty.
    var partCount: Int { ended.count + 1 }

    func itemCount(ofPart part: Int) -> Int { part < ended.count ? ended[part].items : lastCount }

    @_lifetime(borrow self)
    func bytes(ofPart part: Int) -> RawSpan {
        let start = part == 0 ? 0 : ended[part - 1].bytes
        return bytes.bytes.extracting(start..<(part < ended.count ? ended[part].bytes : bytes.count))
    }
}
