// Finds the end of an audit log's chain, where the next record goes.
import Memory
import Storage

/// What an open found.
struct AuditRecovery {
    /// The file to go on in; nil where a new one is to be made under `fileNumber`.
    var file: (any DiskFile)?
    var fileNumber: UInt64 = 1
    /// Those before it, oldest first.
    var closed: [(number: UInt64, bytes: Int)] = []
    var offset = 0
    /// Where the file's bytes end, records or not.
    var tornEnd = 0
    var nextNumber: UInt64 = 1
    var hash = AuditHash.zero
    /// What no crash explains. The file is left as it is, and a new one goes on from its last good record.
    var damage: Corruption?
    /// For people: what was found besides a torn end.
    var note = ""

    /// Reads the last file. Those before it are read by whoever verifies or asks.
    init(_ disk: any Disk) throws(DiskError) {
        var numbers = try AuditFile.numbers(on: disk)
        try removeUnfinished(&numbers, on: disk)
        for number in numbers.dropLast() { closed.append((number, try AuditFile(number, on: disk).file.size())) }
        guard let last = numbers.last else { return }
        fileNumber = last
        let found = try AuditFile(last, on: disk)
        let end = try found.read(checksChain: true) { (_, _, _) in true }
        nextNumber = end.nextNumber
        hash = end.hash
        // What a file was to follow had been on the device to its end.
        if end.isLoss || end.damage != nil && !note.isEmpty {
            damage = end.damage
            note = "\(end.damage.map { "\($0)" } ?? "")"
            closed.append((last, end.fileBytes))
            fileNumber += 1
            return
        }
        try Self.settle(found.file, end)
        // A process that was killed may not have come to it: without its name a synced file can vanish with the power.
        try disk.syncDirectory()
        file = found.file
        offset = end.offset
        tornEnd = end.fileBytes
    }

    /// A file without a whole header, and without room for a record behind one, was being made when the power went.
    private mutating func removeUnfinished(_ numbers: inout [UInt64], on disk: any Disk) throws(DiskError) {
        guard let last = numbers.last else { return }
        let end = try AuditFile(last, on: disk).read(checksChain: false) { (_, _, _) in false }
        guard end.header == nil, end.fileBytes <= AuditFormat.headerBytes else { return }
        try disk.remove(AuditFormat.name(last))
        numbers.removeLast()
        note = "\(AuditFormat.name(last)) had been begun and held nothing"
    }

    /// Makes sure that the records to go on from are on the device. After a sync that failed, the page cache holds what the device
    /// does not and calls it clean: writing the same bytes again makes them dirty.
    private static func settle(_ file: any DiskFile, _ end: AuditFileEnd) throws(DiskError) {
        if let unproven = end.unproven {
            var buffer = AlignedBuffer(byteCount: 1 << 20)
            for start in stride(from: unproven.lowerBound, to: unproven.upperBound, by: buffer.byteCount) {
                let count = try fill(&buffer, from: file, at: start)
                try file.write(buffer.bytes.extracting(first: min(count, unproven.upperBound - start)), at: start)
            }
        }
        try file.sync()
    }

    private static func fill(_ buffer: inout AlignedBuffer, from file: any DiskFile, at offset: Int) throws(DiskError) -> Int {
        var target = buffer.mutableSpan(of: UInt8.self)
        // Sound: any bit pattern is a byte.
        var raw = unsafe target.mutableBytes
        return try file.read(into: &raw, at: offset)
    }
}
