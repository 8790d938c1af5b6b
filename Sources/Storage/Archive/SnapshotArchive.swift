// A snapshot as a stream of bytes that can be asked for from any place, again and again, without anything being kept.
import Memory

/// The archive of one snapshot. Its bytes are a function of the snapshot (and of the one it goes on from) alone, for as long as the
/// snapshot keeps its files: whoever reads it in pieces, over any time, gets pieces of one archive. Any number of threads.
package struct SnapshotArchive: Sendable {
    private let disk: any Disk
    private let parts: [Part]
    /// Of the whole archive, uncompressed.
    package let byteCount: Int

    private struct Part: Sendable {
        enum Source: Sendable {
            case bytes([UInt8])
            case file(String)
        }

        var start: Int
        var byteCount: Int
        var source: Source
    }

    /// - Parameter since: A snapshot whose archive is there already: column files that it names are left to it.
    package init(_ snapshot: ManifestSnapshot, since earlier: ManifestSnapshot?, databaseID: UInt64, disk: any Disk) {
        self.disk = disk
        let manifest = Self.manifest(of: snapshot, databaseID)
        let known = Set(earlier.map { $0.version.columnFiles } ?? [])
        var entries = [ArchiveEntry(name: manifest.name, byteCount: UInt64(manifest.bytes.count), checksum: 0, place: .here)]
        for file in snapshot.version.columnFiles {
            entries.append(ArchiveEntry(
                name: file.name, byteCount: file.reference.byteCount, checksum: file.reference.checksum,
                place: known.contains(file) ? .earlier : .here))
        }
        for extent in snapshot.log {
            entries.append(ArchiveEntry(name: FileKind.log.name(extent.number), byteCount: extent.byteCount, checksum: 0, place: .here))
        }
        let header = ArchiveHeader(
            databaseID: databaseID, snapshot: snapshot.name, createdMilliseconds: snapshot.createdMilliseconds, sequence: snapshot.sequence,
            entries: entries)
        let headerBytes = header.encoded()
        var parts = [Part(start: 0, byteCount: headerBytes.count, source: .bytes(headerBytes))]
        for (index, entry) in entries.enumerated() where entry.place == .here {
            let start = parts[parts.count - 1].start + parts[parts.count - 1].byteCount
            parts.append(Part(start: start, byteCount: Int(entry.byteCount), source: index == 0 ? .bytes(manifest.bytes) : .file(entry.name)))
        }
        self.parts = parts
        byteCount = header.byteCount
    }

    /// What the database will be that is made of the archive: this snapshot and no other. The salt is no secret and only has to
    /// be the same every time.
    private static func manifest(of snapshot: ManifestSnapshot, _ databaseID: UInt64) -> (name: String, bytes: [UInt8]) {
        let contents = ManifestContents(databaseID: databaseID, version: snapshot.version, logFiles: snapshot.log.map(\.number))
        return Manifest.encode(contents, salt: databaseID ^ snapshot.sequence &* 0x9E37_79B9_7F4A_7C15)
    }

    /// The bytes from `offset` on, `count` of them or as many as there are.
    package func read(offset: Int, count: Int) throws(ArchiveError) -> [UInt8] {
        precondition(offset >= 0 && offset <= byteCount && count >= 0, "a piece begins within its archive")
        let end = offset + min(count, byteCount - offset)
        var writer = ByteWriter(capacity: end - offset)
        for part in parts where part.start < end && part.start + part.byteCount > offset {
            let range = max(0, offset - part.start)..<min(part.byteCount, end - part.start)
            switch part.source {
            // Sound: bytes have no invalid pattern.
            case .bytes(let bytes): writer.write(unsafe bytes.span.bytes.extracting(range))
            case .file(let name): try read(range, of: name, into: &writer)
            }
        }
        return writer.finish()
    }

    /// The same as one zstd frame, with a checksum of its content: frames one behind the other are a whole `.zst` file.
    package func frame(offset: Int, count: Int) throws(ArchiveError) -> [UInt8] {
        let bytes = try read(offset: offset, count: count)
        // Sound: bytes have no invalid pattern.
        return CompressedFrame.of(unsafe bytes.span.bytes)
    }

    private func read(_ range: Range<Int>, of name: String, into writer: inout ByteWriter) throws(ArchiveError) {
        let bytes: RecordFileBytes
        do { bytes = try RecordFileBytes(reading: disk.open(name), from: range.lowerBound, to: range.upperBound) } catch { throw .disk(error) }
        guard bytes.bytes.byteCount == range.count else {
            throw .corruption(Corruption(file: name, offset: range.lowerBound + bytes.bytes.byteCount, expected: "a file of at least \(range.upperBound) bytes"))
        }
        writer.write(bytes.bytes)
    }
}

/// A column file and its name.
package struct NamedColumnFile: Equatable, Hashable, Sendable {
    package var kind: ColumnFileKind
    package var reference: FileReference

    package var name: String { kind.fileName(reference.number) }
}

extension ManifestVersion {
    /// The catalogs, segments and indexes that it names, collection by collection, always in the same order.
    package var columnFiles: [NamedColumnFile] {
        collections.values.sorted { $0.number < $1.number }.flatMap { collection in
            collection.catalog.map { NamedColumnFile(kind: .catalog, reference: $0) }
                + collection.segments.flatMap(\.columnFiles)
        }
    }
}

extension ManifestSegment {
    fileprivate var columnFiles: [NamedColumnFile] {
        [NamedColumnFile(kind: .segment, reference: file)] + indexes.map { NamedColumnFile(kind: .index, reference: $0.file) }
    }
}
