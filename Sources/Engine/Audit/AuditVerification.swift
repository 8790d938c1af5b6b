// Reads an audit log again, every byte, and holds each record against the one before it.
package import Memory
package import Storage

/// What reading everything again came to.
package struct AuditVerification: Equatable, Sendable {
    /// A record, by its number and its time in Unix milliseconds.
    package struct Place: Equatable, Sendable {
        package var number: UInt64
        package var milliseconds: Int64
    }

    package var files = 0
    package var bytes = 0
    /// Up to the break, if there is one.
    package var records = 0
    package var first: Place?
    package var last: Place?
    /// Reads that are in no record, as records say.
    package var lost: UInt64 = 0
    /// The hash of the last record: whoever keeps it elsewhere can prove later that all in front of it is still there.
    package var head = AuditHash.zero
    /// The first place where the chain does not hold.
    package var firstBreak: Corruption?
    /// Whether it is the end of the last file, as a crash, a full disk, or a daemon at work may leave it.
    package var isAtEnd = false
    /// Whether the hash that was expected is part of the chain; nil where none was.
    package var hasExpected: Bool?

    package var isSound: Bool { firstBreak == nil && hasExpected != false }

    package init() {}
}

extension AuditLog {
    /// Reads a log that nobody or somebody is writing to, and changes nothing. About a second a gigabyte.
    ///
    /// - Parameter expected: a hash that was the head once.
    package static func verify(_ disk: any Disk, expecting expected: AuditHash? = nil) throws(DiskError) -> AuditVerification {
        var walk = AuditWalk(expecting: expected)
        let files = try openAll(disk)
        for (place, file) in files.enumerated() {
            guard try walk.take(file, isLast: place == files.count - 1) else { break }
        }
        return walk.finish()
    }

    /// Opened together: the oldest may go while others are read.
    private static func openAll(_ disk: any Disk) throws(DiskError) -> [AuditFile] {
        for _ in 0..<10 {
            do throws(DiskError) {
                var files: [AuditFile] = []
                for number in try AuditFile.numbers(on: disk) { files.append(try AuditFile(number, on: disk)) }
                return files
            } catch {
                guard error.isAbsent else { throw error }
            }
        }
        throw DiskError(operation: "open", path: disk.path, errno: 0, reason: "the files change faster than they can be opened")
    }
}

private struct AuditWalk {
    private var found = AuditVerification()
    private let expected: AuditHash?
    private var previous: AuditFileEnd?
    private var oldestFile: UInt64 = 1
    private var removedFile: UInt64 = 0

    init(expecting expected: AuditHash?) {
        self.expected = expected
        if expected != nil { found.hasExpected = false }
    }

    /// False where the chain does not hold.
    mutating func take(_ file: AuditFile, isLast: Bool) throws(DiskError) -> Bool {
        let end = try file.read(checksChain: true) { (frame, payload, _) in
            let place = AuditVerification.Place(number: frame.number, milliseconds: payload.milliseconds)
            if found.first == nil { found.first = place }
            found.last = place
            found.records += 1
            switch payload.event() {
            case .lost(let count): found.lost &+= count
            case .removed(let number): removedFile = max(removedFile, number)
            default: break
            }
            if frame.hash == expected { found.hasExpected = true }
            return true
        }
        found.files += 1
        found.bytes += end.fileBytes
        if let header = end.header {
            if let damage = joint(header, file) { return breaks(damage) }
            found.head = end.hash
            if header.previousHash == expected { found.hasExpected = true }
        }
        if let damage = end.damage {
            found.isAtEnd = isLast && !end.isLoss
            return breaks(damage)
        }
        previous = end
        return true
    }

    /// What is wrong where a file follows the one before it.
    private mutating func joint(_ header: AuditFileHeader, _ file: AuditFile) -> Corruption? {
        guard let previous, let before = previous.header else {
            oldestFile = header.fileNumber
            guard header.fileNumber == 1, header.previousHash != .zero || header.firstRecord != 1 else { return nil }
            return Corruption(file: file.name, offset: 24, expected: "the first record of all")
        }
        guard header.fileNumber == before.fileNumber + 1 else {
            return Corruption(file: file.name, offset: 16, expected: "\(AuditFormat.name(before.fileNumber + 1)) before it, which is missing")
        }
        guard header.firstRecord == previous.nextNumber else {
            return Corruption(file: file.name, offset: 24, expected: "record \(previous.nextNumber) to be its first, found \(header.firstRecord)")
        }
        guard header.previousHash == previous.hash else {
            return Corruption(file: file.name, offset: 40, expected: "the hash of the last record of \(AuditFormat.name(before.fileNumber))")
        }
        return nil
    }

    private mutating func breaks(_ damage: Corruption) -> Bool {
        found.firstBreak = damage
        return false
    }

    consuming func finish() -> AuditVerification {
        var found = found
        // Whoever removes the oldest files without the log's knowledge leaves no record of it.
        if found.firstBreak == nil, oldestFile > 1, removedFile + 1 < oldestFile {
            found.firstBreak = Corruption(
                file: AuditFormat.name(oldestFile), offset: 16,
                expected: "\(AuditFormat.name(oldestFile - 1)) before it: no record says that it was removed")
        }
        return found
    }
}
