// Reads one file of the audit log, record by record, and says where and how it ends.
import Memory
import Storage

/// What reading a file came to.
struct AuditFileEnd {
    /// nil where it has none that is valid.
    var header: AuditFileHeader?
    /// Where the good bytes end, and where the file does.
    var offset = 0
    var fileBytes: Int
    /// Number that the next record would have, and the hash that it would go on from.
    var nextNumber: UInt64 = 1
    var hash = AuditHash.zero
    /// Where the last group of records begins of which nothing in front proves that they are on the device.
    var lastGroupOffset = 0
    /// Highest record that anything in the file proves to have been on the device.
    var durableNumber: UInt64 = 0
    /// What was wrong at `offset`; nil where the file simply ends.
    var damage: Corruption?

    /// Whether what is wrong cannot be what a crash leaves: records that had been on the device are damaged or gone.
    var isLoss: Bool { header == nil ? fileBytes > AuditFormat.headerBytes : durableNumber >= nextNumber }

    /// The bytes of records that nothing proves to be on the device.
    var unproven: Range<Int>? { durableNumber + 1 < nextNumber ? lastGroupOffset..<offset : nil }
}

/// An open file, read through a window: its size does not matter.
struct AuditFile {
    let number: UInt64
    let file: any DiskFile
    var name: String { file.name }

    init(_ number: UInt64, on disk: any Disk) throws(DiskError) {
        self.number = number
        file = try disk.open(AuditFormat.name(number))
    }

    /// The numbers of the files in a directory, rising.
    static func numbers(on disk: any Disk) throws(DiskError) -> [UInt64] { try disk.list().compactMap(AuditFormat.number) }

    /// Hands each record to `body`, in order, until the file ends or stops making sense, or `body` is false.
    ///
    /// - Parameter end: where the file ends for this reader.
    /// - Parameter checksChain: whether each hash is worked out again: about a second a gigabyte. Without, checksums alone are.
    func read(
        upTo end: Int = .max, checksChain: Bool, _ body: (_ frame: AuditFrame, _ payload: borrowing AuditPayload, _ offset: Int) -> Bool
    ) throws(DiskError) -> AuditFileEnd {
        var window = AuditWindow(file, end: min(end, try file.size()))
        var result = AuditFileEnd(fileBytes: window.end)
        try window.reach(0, AuditFormat.headerBytes)
        do throws(Corruption) {
            let (header, hash) = try AuditFileHeader.decode(window.bytes(from: 0), number: number)
            result.header = header
            result.nextNumber = header.firstRecord
            result.hash = hash
            result.durableNumber = header.firstRecord - 1
        } catch {
            result.damage = error.located(in: name, base: 0)
            return result
        }
        result.offset = AuditFormat.headerBytes
        result.lastGroupOffset = result.offset
        while result.offset < window.end {
            try window.reach(result.offset, AuditFormat.recordBytesMax)
            do throws(Corruption) {
                guard try next(window.bytes(from: result.offset), &result, checksChain, body) else { return result }
            } catch {
                result.damage = error.located(in: name, base: result.offset)
                result.durableNumber = max(result.durableNumber, try highestProof(&window, from: result.offset))
                return result
            }
        }
        return result
    }

    private func next(
        _ bytes: RawSpan, _ end: inout AuditFileEnd, _ checksChain: Bool, _ body: (AuditFrame, borrowing AuditPayload, Int) -> Bool
    ) throws(Corruption) -> Bool {
        let frame = try AuditFrame.decode(bytes)
        guard frame.number == end.nextNumber else { throw Corruption(offset: 8, expected: "record \(end.nextNumber), found \(frame.number)") }
        let payloadBytes = bytes.extracting(AuditFormat.frameBytes..<frame.recordBytes)
        if checksChain {
            guard frame.hash == AuditHash(after: end.hash, bytes.extracting(first: AuditFormat.chainedFrameBytes), payloadBytes) else {
                throw Corruption(offset: AuditFormat.chainedFrameBytes, expected: "the hash that follows from the record before")
            }
        }
        let payload: AuditPayload
        do { payload = try AuditPayload(frame.kind, payloadBytes) } catch { throw Corruption(offset: AuditFormat.frameBytes + error.offset, expected: error.expected) }
        let offset = end.offset
        if frame.number == frame.durableNumber + 1 { end.lastGroupOffset = offset }
        end.durableNumber = max(end.durableNumber, frame.durableNumber)
        end.nextNumber += 1
        end.offset += frame.recordBytes
        end.hash = frame.hash
        return body(frame, payload, offset)
    }

    /// The highest record that any valid one from here on says was on the device. Only run once reading has stopped.
    private func highestProof(_ window: inout AuditWindow, from start: Int) throws(DiskError) -> UInt64 {
        var highest: UInt64 = 0
        for offset in start..<max(start, window.end - AuditFormat.frameBytes) {
            try window.reach(offset, AuditFormat.recordBytesMax)
            // Most places are no record's beginning, which three bytes that are zero tell.
            let bytes = window.bytes(from: offset)
            guard bytes.byte(at: 5) | bytes.byte(at: 6) | bytes.byte(at: 7) == 0 else { continue }
            do throws(Corruption) { highest = max(highest, try AuditFrame.decode(bytes).durableNumber) } catch {
                // Not a record: look at the next place one could begin. This is a search, not an error.
            }
        }
        return highest
    }
}

/// A part of a file in memory, which moves on as the reader does.
private struct AuditWindow: ~Copyable {
    let end: Int
    private let file: any DiskFile
    private var buffer = AlignedBuffer(byteCount: byteCount)
    private var start = 0
    private var count = 0

    private static let byteCount = 1 << 20

    init(_ file: any DiskFile, end: Int) {
        self.file = file
        self.end = end
    }

    /// Sees to it that `count` bytes from `offset` on are there, or all that the file has.
    mutating func reach(_ offset: Int, _ count: Int) throws(DiskError) {
        precondition(count <= Self.byteCount, "a window holds what is read at once")
        guard offset < start || min(offset + count, end) > start + self.count else { return }
        start = offset
        self.count = min(try Self.fill(&buffer, from: file, at: offset), max(end - offset, 0))
    }

    private static func fill(_ buffer: inout AlignedBuffer, from file: any DiskFile, at offset: Int) throws(DiskError) -> Int {
        var target = buffer.mutableSpan(of: UInt8.self)
        // Sound: any bit pattern is a byte.
        var raw = unsafe target.mutableBytes
        return try file.read(into: &raw, at: offset)
    }

    /// What has been reached from `offset` on.
    @_lifetime(borrow self)
    func bytes(from offset: Int) -> RawSpan { buffer.bytes.extracting(min(offset - start, count)..<count) }
}
