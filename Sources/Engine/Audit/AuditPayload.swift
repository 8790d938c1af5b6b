// What records hold: written once by the thread that answers, read where somebody asks or verifies.
import Memory

/// Payloads that wait to be written, one behind the other, each behind its length and kind.
struct AuditBacklog: Sendable {
    private(set) var bytes = ByteAccumulator()
    /// Reads that came when there was no room any more, behind all that is here.
    var lost: UInt64 = 0

    var isEmpty: Bool { bytes.count == 0 && lost == 0 }

    mutating func removeAll() {
        removeEntries()
        lost = 0
    }

    /// Memory that one very large answer took is given back.
    mutating func removeEntries() {
        if bytes.capacity > Self.keptBytes { bytes = ByteAccumulator() } else { bytes.removeAll() }
    }

    private static let keptBytes = 32 << 20

    private mutating func end(_ kind: AuditKind, from start: Int) {
        bytes.overwrite(at: start, with: UInt64(kind.rawValue) << 32 | UInt64(bytes.count - start - 8))
    }

    /// A part of an answer. About 0.1 us and what copying its items takes.
    mutating func add(_ head: AuditHead, _ items: AuditItems, part: Int) {
        let start = bytes.count
        let shape = UInt64(items.itemCount(ofPart: part)) | UInt64(part) << 32 | (part + 1 == items.partCount ? 0 : 1 << 48)
        let words: InlineArray<7, UInt64> = [
            0, UInt64(bitPattern: head.milliseconds), head.connection, head.sequence, head.filterDigest, head.queryDigest, shape,
        ]
        let texts: InlineArray<7, String> = [head.user, head.agent, head.credential, head.operation, head.collection, head.plan, head.outcome]
        bytes.append(words.span, texts.span, bytesMax: AuditFormat.textBytesMax)
        bytes.append(items.bytes(ofPart: part))
        end(.read, from: start)
    }

    /// What becomes of the log itself.
    mutating func add(_ event: AuditEvent, milliseconds: Int64) {
        let start = bytes.count
        bytes.append(0)
        bytes.append(UInt64(bitPattern: milliseconds))
        switch event {
        case .read: preconditionFailure("a read comes with its items as bytes")
        case .opened(let dropped, let offset, let note):
            let (words, texts): (InlineArray<2, UInt64>, InlineArray<1, String>) = ([dropped, offset], [note])
            bytes.append(words.span, texts.span, bytesMax: AuditFormat.textBytesMax)
        case .closed: break
        case .lost(let count): bytes.append(count)
        case .removed(let file): bytes.append(file)
        }
        end(event.kind, from: start)
    }

    /// The entry that begins at `offset`; the next one does where its payload ends.
    func entry(at offset: Int) -> (kind: AuditKind, payload: Range<Int>) {
        var reader = ByteReader(bytes.bytes.extracting(offset..<offset + 8))
        do throws(Corruption) {
            let (count, kind) = (Int(try reader.read(UInt32.self)), try reader.read(UInt32.self))
            guard let kind = AuditKind(rawValue: UInt8(truncatingIfNeeded: kind)) else { preconditionFailure("entries are of a kind") }
            return (kind, offset + 8..<offset + 8 + count)
        } catch { preconditionFailure("entries are written whole") }
    }

    /// What the record of the entry at `offset` takes in a file.
    func recordBytes(at offset: Int) -> Int { AuditFormat.frameBytes + entry(at: offset).payload.count }

    /// How many reads are told of from `offset` on; one in several parts counts once.
    func readCount(from offset: Int) -> UInt64 {
        var (at, count) = (offset, UInt64(0))
        while at < bytes.count {
            let (kind, payload) = entry(at: at)
            if kind == .read, bytes.bytes.byte(at: payload.lowerBound + AuditFormat.readHeadBytes - 2) & 1 == 0 { count += 1 }
            at = payload.upperBound
        }
        return count
    }
}

extension AuditEvent {
    var kind: AuditKind {
        switch self {
        case .read: .read
        case .opened: .opened
        case .closed: .closed
        case .lost: .lost
        case .removed: .removed
        }
    }
}

/// A payload read where it lies; everything in it has been checked.
struct AuditPayload: ~Escapable {
    private let kind: AuditKind
    private let bytes: RawSpan
    let milliseconds: Int64

    @_lifetime(copy bytes)
    init(_ kind: AuditKind, _ bytes: RawSpan) throws(Corruption) {
        self.kind = kind
        self.bytes = bytes
        var reader = ByteReader(bytes)
        milliseconds = try reader.read()
        try check()
    }

    private func check() throws(Corruption) {
        var reader = ByteReader(bytes)
        _ = try reader.read(Int64.self)
        switch kind {
        case .read: try checkRead()
        case .opened:
            _ = try reader.read(UInt64.self)
            _ = try reader.read(UInt64.self)
            try Self.checkText(&reader)
            try reader.finish()
        case .closed: try reader.finish()
        case .lost, .removed:
            _ = try reader.read(UInt64.self)
            try reader.finish()
        }
    }

    private static func checkText(_ reader: inout ByteReader) throws(Corruption) {
        let start = reader.offset
        let text = try reader.readShortBlob()
        guard text.byteCount <= AuditFormat.textBytesMax, text.isValidUTF8 else { throw Corruption(offset: start, expected: "UTF-8 text") }
    }

    private func checkRead() throws(Corruption) {
        let (count, _, _) = try readShape()
        var reader = ByteReader(bytes)
        _ = try reader.readBytes(AuditFormat.readHeadBytes)
        for _ in 0..<AuditFormat.textCount { try Self.checkText(&reader) }
        for _ in 0..<count {
            let start = reader.offset
            let word = try reader.read(UInt64.self)
            guard word & 0xFF00_0000 == 0, Grade(rawValue: UInt8(truncatingIfNeeded: word >> 16)) != nil, Int(word & 0xFFFF) <= Limits.idBytesMax else {
                throw Corruption(offset: start, expected: "an item")
            }
            guard try reader.readBytes(Int(word & 0xFFFF)).isValidUTF8 else { throw Corruption(offset: start + 8, expected: "UTF-8 text") }
        }
        try reader.finish()
    }

    private func readShape() throws(Corruption) -> (items: Int, part: Int, isLast: Bool) {
        var reader = ByteReader(bytes)
        _ = try reader.readBytes(AuditFormat.readHeadBytes - 8)
        let shape = try reader.read(UInt64.self)
        guard shape >> 49 == 0 else { throw Corruption(offset: AuditFormat.readHeadBytes - 2, expected: "known flags") }
        return (Int(shape & 0xFFFF_FFFF), Int(shape >> 32 & 0xFFFF), shape >> 48 & 1 == 0)
    }

    // MARK: Asking

    /// Whether a query is about it, numbers apart. Compares bytes, and makes nothing.
    func matches(_ query: AuditQuery) -> Bool {
        if let from = query.from, milliseconds < from { return false }
        if let to = query.to, milliseconds >= to { return false }
        guard query.isAboutReads else { return true }
        guard kind == .read else { return false }
        do throws(Corruption) { return try readMatches(query) } catch { preconditionFailure("a payload has been checked: \(error)") }
    }

    private func readMatches(_ query: AuditQuery) throws(Corruption) -> Bool {
        var reader = ByteReader(bytes)
        _ = try reader.readBytes(AuditFormat.readHeadBytes)
        for place in 0..<AuditFormat.textCount {
            let text = try reader.readShortBlob()
            let wanted = place == 0 ? query.user : place == 1 ? query.agent : place == 4 ? query.collection : nil
            if let wanted, !text.isEqual(to: wanted) { return false }
        }
        guard let document = query.document else { return true }
        while reader.remaining > 0 {
            let word = try reader.read(UInt64.self)
            if try reader.readBytes(Int(word & 0xFFFF)).isEqual(to: document) { return true }
        }
        return false
    }

    // MARK: Values

    func event() -> AuditEvent {
        do throws(Corruption) { return try decoded() } catch { preconditionFailure("a payload has been checked: \(error)") }
    }

    private func decoded() throws(Corruption) -> AuditEvent {
        var reader = ByteReader(bytes)
        _ = try reader.read(Int64.self)
        switch kind {
        case .read: return .read(try read())
        case .opened: return .opened(droppedBytes: try reader.read(), offset: try reader.read(), note: try Self.text(&reader))
        case .closed: return .closed
        case .lost: return .lost(count: try reader.read())
        case .removed: return .removed(file: try reader.read())
        }
    }

    private static func text(_ reader: inout ByteReader) throws(Corruption) -> String {
        let start = reader.offset
        guard let text = String(validatingUTF8: try reader.readShortBlob()) else { throw Corruption(offset: start, expected: "UTF-8 text") }
        return text
    }

    private func read() throws(Corruption) -> AuditedRead {
        let (count, part, isLast) = try readShape()
        var reader = ByteReader(bytes)
        var head = AuditHead()
        head.milliseconds = try reader.read()
        head.connection = try reader.read()
        head.sequence = try reader.read()
        head.filterDigest = try reader.read()
        head.queryDigest = try reader.read()
        _ = try reader.read(UInt64.self)
        head.user = try Self.text(&reader)
        head.agent = try Self.text(&reader)
        head.credential = try Self.text(&reader)
        head.operation = try Self.text(&reader)
        head.collection = try Self.text(&reader)
        head.plan = try Self.text(&reader)
        head.outcome = try Self.text(&reader)
        var items: [AuditItem] = []
        for _ in 0..<count {
            let word = try reader.read(UInt64.self)
            guard let id = String(validatingUTF8: try reader.readBytes(Int(word & 0xFFFF))), let grade = Grade(rawValue: UInt8(truncatingIfNeeded: word >> 16)) else {
                throw Corruption(offset: reader.offset, expected: "an item")
            }
            let ordinal = UInt32(truncatingIfNeeded: word >> 32)
            items.append(AuditItem(id: id, ordinal: ordinal == .max ? nil : Int(ordinal), grade: grade))
        }
        return AuditedRead(head: head, items: items, part: part, isLastPart: isLast)
    }
}

extension RawSpan {
    fileprivate func isEqual(to text: String) -> Bool {
        var text = text
        return text.withUTF8 { utf8 in
            // Sound: read within the closure only.
            unsafe isEqual(to: RawSpan(_unsafeBytes: UnsafeRawBufferPointer(utf8)))
        }
    }
}
