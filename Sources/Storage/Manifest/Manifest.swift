// The manifest: the one file that says which files count.
package import Memory

/// How long a manifest grows. Not part of the format.
package struct ManifestFileSizes: Sendable {
    /// A manifest with this many bytes of edits, if they are also more than twice its contents, gives way to a new one.
    package var editBytesMax: Int
    /// Space is taken in steps of this many bytes.
    package var zeroedStep: Int

    package init(editBytesMax: Int = 4 << 20, zeroedStep: Int = 4 << 10) {
        self.editBytesMax = editBytesMax
        self.zeroedStep = zeroedStep
    }
}

/// What a database consists of, on disk and in memory. One owner, one thread: the caller serialises.
///
/// - Opening finds the newest whole manifest, drops a torn last edit, and refuses damage before it. A directory without any
///   file of a database becomes one.
/// - `append` returns once the edit is on the device, and every later open finds it.
/// - A file that was found is never appended to. The first edit after an open, and one that finds the file grown too
///   long, goes to a new file that begins with the whole contents; the old one is gone for good before.
package final class Manifest {
    private let disk: any Disk
    private let sizes: ManifestFileSizes
    private let randomness: () -> UInt64
    /// What it says now.
    package private(set) var contents: ManifestContents
    private var nextSequence: UInt64
    private var nextFileNumber: UInt64
    /// The file that counts: the one being written to, or one that was found.
    private var name: String?
    private var current: RecordFileWriter?
    /// The offset at which the edits of `current` begin.
    private var editsOffset = 0
    /// Files to remove, durably, before the next edit: as long as one is there, it may come to count after a crash.
    private var leftovers: [String] = []
    private var isRemovalDurable = true
    private let stop = WriteStop()
    /// Whether an earlier failure has stopped all edits. The one that failed may be found by the next open, or not.
    package var stopped: LogError? { stop.reason.map { .stopped($0) } }

    /// Opens the manifest in `disk`, or creates it, with a random database id, where no file of a database is.
    package init(disk: any Disk, sizes: ManifestFileSizes = ManifestFileSizes(), randomness: @escaping () -> UInt64) throws(LogError) {
        self.disk = disk
        self.sizes = sizes
        self.randomness = randomness
        let recovered = try ManifestRecovery(disk: disk).run()
        leftovers = recovered.leftovers
        nextFileNumber = recovered.fileNumberMax + 1
        if let found = recovered.found {
            name = found.name
            contents = found.contents
            nextSequence = found.end.nextSequence
            try onDisk { () throws(DiskError) in try found.end.settle(found.name, on: disk) }
            try removeLeftovers()
        } else {
            name = nil
            contents = ManifestContents(databaseID: randomness())
            nextSequence = 1
            do { try prepare() } catch {
                // Nothing was promised yet: the next open begins again.
                if case .outcomeUnknown(let reason) = error { throw .disk(reason) }
                throw error
            }
        }
    }

    /// What the manifest in `disk` says, or nil where no file of a database is. Writes nothing: for tools that look.
    package static func load(_ disk: any Disk) throws(LogError) -> ManifestContents? {
        try ManifestRecovery(disk: disk).run().found?.contents
    }

    /// Why an edit cannot be appended; nil if it can.
    package func refusal(of edit: ManifestEdit) -> Corruption? {
        do throws(Corruption) {
            _ = try contents.applying(edit)
            return nil
        } catch { return error }
    }

    /// Writes and syncs an edit, and applies it. With `.disk` it will not be seen again.
    ///
    /// The edit must make sense: see `refusal(of:)`.
    package func append(_ edit: ManifestEdit) throws(LogError) {
        try stop.check()
        let next: ManifestContents
        do throws(Corruption) { next = try contents.applying(edit) } catch {
            preconditionFailure("an edit makes sense to its manifest: expected \(error.expected)")
        }
        try stop.guardingPreparation { () throws(LogError) in try prepare() }
        guard let file = current else { preconditionFailure("preparing leaves a file to write to") }
        _ = try stop.guarding { () throws(LogError) in try file.append([edit.record]) }
        contents = next
        nextSequence = file.nextSequence
        prove(file)
    }

    /// Leaves a file to append to, and no other.
    private func prepare() throws(LogError) {
        try removeLeftovers()
        if let current, !isOutgrown(current) { return }
        do { try startFile() } catch {
            guard case .disk(let reason) = error, reason.isFull else { throw error }
            try removeLeftovers()
            // A disk too full for a new file may have room for an edit in the one at hand.
            if current == nil { throw error }
        }
    }

    private func isOutgrown(_ file: RecordFileWriter) -> Bool {
        let editBytes = file.offset - editsOffset
        return editBytes > sizes.editBytesMax && editBytes > 2 * editsOffset
    }

    /// Begins a new file with the whole contents, on the device before the old one goes.
    private func startFile() throws(LogError) {
        let number = nextFileNumber
        // A name is used once only, even if creating the file fails half way.
        nextFileNumber += 1
        let header = RecordFileHeader(databaseID: contents.databaseID, fileNumber: number, firstSequence: nextSequence, salt: randomness())
        let file = try onDisk { () throws(DiskError) in
            try RecordFileWriter(creating: header, as: .manifest, on: disk, zeroedStep: sizes.zeroedStep)
        }
        let newName = FileKind.manifest.name(number)
        do { _ = try file.append([contents.record]) } catch {
            leftovers.append(newName)
            throw error
        }
        if let name { leftovers.append(name) }
        (name, current) = (newName, file)
        (nextSequence, editsOffset) = (file.nextSequence, file.offset)
        prove(file)
        try removeLeftovers()
    }

    /// Says behind the last record that it is on the device, and makes this durable as well: there may be no other
    /// edit for hours, and until then one flipped bit would make this one look torn.
    private func prove(_ file: RecordFileWriter) {
        do { try file.writeMark() } catch {
            // On a full disk the mark is only missing.
            if !error.isFull { stop.note(error) }
            return
        }
        do { try file.sync() } catch { stop.note(error) }
    }

    private func removeLeftovers() throws(LogError) {
        try onDisk { () throws(DiskError) in
            while let leftover = leftovers.last {
                try disk.remove(leftover)
                leftovers.removeLast()
                isRemovalDurable = false
            }
            if !isRemovalDurable { try disk.syncDirectory() }
            isRemovalDurable = true
        }
    }
}

// MARK: Archives

extension Manifest {
    /// A whole manifest file that says `contents`: its name and its bytes.
    package static func encode(_ contents: ManifestContents, number: UInt64 = 1, salt: UInt64) -> (name: String, bytes: [UInt8]) {
        let header = RecordFileHeader(databaseID: contents.databaseID, fileNumber: number, firstSequence: 1, salt: salt)
        var writer = header.encoded(as: .manifest)
        let entry = contents.record
        let record = RecordHeader(payloadBytes: entry.payload.count, type: entry.type, sequence: 1, durableSequence: 0, previousChecksum: 0)
        // Sound: bytes have no invalid pattern.
        let checksum = record.encode(unsafe entry.payload.span.bytes, salt: salt, into: &writer)
        RecordHeader.mark(durableSequence: 1, previousChecksum: checksum).encode(RawSpan(), salt: salt, into: &writer)
        return (FileKind.manifest.name(number), writer.finish())
    }
}

extension ManifestContents {
    fileprivate func applying(_ edit: ManifestEdit) throws(Corruption) -> ManifestContents {
        var next = self
        try next.apply(edit)
        try next.check()
        guard next.encodedBytes <= ManifestLimits.encodedBytesMax else {
            throw Corruption(offset: 0, expected: "contents of at most \(ManifestLimits.encodedBytesMax) bytes")
        }
        return next
    }
}
