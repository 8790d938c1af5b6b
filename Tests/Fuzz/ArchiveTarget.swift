// Archives of any bytes: they are read to their end or refused, the same way every time.
import Memory
@testable import Storage
import TestSupport

extension FuzzTarget {
    /// An input is either the file itself, or a header and files that are compressed as an archive is, with checksums that fit.
    static let archive = FuzzTarget(name: "archive", seeds: { ArchiveScript.seeds }) { input in
        let disk = FaultyDisk()
        var script = ArchiveScript(input)
        disk["archive"] = script.file()
        guard read(disk) == read(disk) else { violated("an archive is read the same way every time") }
    }

    /// The files' names, lengths and checksums, and what was wrong, if anything.
    private static func read(_ disk: FaultyDisk) -> [String] {
        var found: [String] = []
        do throws(ArchiveError) {
            let file: any DiskFile
            do { file = try disk.open("archive") } catch { throw .disk(error) }
            let reader = try ArchiveReader(file)
            try reader.forEachFile { (entry, pieces) throws(ArchiveError) in
                var checksum = Checksum()
                var count = 0
                try pieces { (piece) throws(ArchiveError) in
                    checksum.update(piece)
                    count += piece.byteCount
                }
                guard count == Int(entry.byteCount), FileKind.allCases.contains(where: { $0.number(entry.name) != nil }) else {
                    violated("a file has its length, and a name that stays in its directory")
                }
                found.append("\(entry.name) \(checksum.value)")
            }
        } catch {
            if case .disk = error { violated("only the archive keeps it from being read on a disk that works: \(error)") }
            found.append("\(error)")
        }
        return found
    }
}

/// An archive as an input describes it.
private struct ArchiveScript {
    private let input: [UInt8]
    private var choices: Choices

    init(_ input: [UInt8]) {
        self.input = input
        choices = Choices(input)
    }

    /// Bytes as they are; two files here and one in an earlier archive; a header with a byte that is another.
    static let seeds: [[UInt8]] = [
        [0, 0x28, 0xB5, 0x2F, 0xFD, 4, 1, 0, 0], [1, 0, 3, 3, 1, 9, 0, 1, 2, 5, 1, 2, 3, 1, 7, 7, 7, 7, 7, 7, 7], [1, 5, 9, 1, 3, 0, 0, 0, 0, 1, 1, 4, 0],
    ]

    mutating func file() -> [UInt8] {
        guard choices.byte() % 2 == 1 else { return Array(input.dropFirst()) }
        var raw = header()
        change(&raw)
        raw += choices.bytes(input.count)
        // Two frames, as a file has that came in pieces.
        let (first, second) = (Array(raw.prefix(raw.count / 2)), Array(raw.dropFirst(raw.count / 2)))
        return CompressedFrame.of(first.rawSpan) + CompressedFrame.of(second.rawSpan)
    }

    private mutating func header() -> [UInt8] {
        var header = ArchiveHeader(databaseID: 5, snapshot: "s", createdMilliseconds: 1, sequence: UInt64(choices.byte()), entries: [])
        for index in 0..<Int(choices.byte() % 5) {
            let kinds = FileKind.allCases
            let kind = index == 0 && choices.byte() % 4 != 0 ? FileKind.manifest : kinds[Int(choices.byte()) % kinds.count]
            let place = choices.byte() % 4 == 0 ? ArchivePlace.earlier : .here
            header.entries.append(ArchiveEntry(
                name: kind.name(UInt64(choices.byte())), byteCount: UInt64(choices.byte() % 16), checksum: UInt32(choices.byte()), place: place))
        }
        return header.encoded()
    }

    /// Any bytes of the header are others, and its checksum fits them.
    private mutating func change(_ header: inout [UInt8]) {
        for _ in 0..<Int(choices.byte() % 4) {
            let place = choices.word() % header.count
            header[place] = choices.byte()
        }
        let covered = Array(header.dropLast(4))
        let checksum = Checksum.of(covered.rawSpan)
        for byte in 0..<4 { header[header.count - 4 + byte] = UInt8(truncatingIfNeeded: checksum >> (8 * byte)) }
    }
}
