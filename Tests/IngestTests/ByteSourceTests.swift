// Compressed or not, a file gives the same bytes; a damaged one gives an error.
@testable import Ingest
import Memory
import Testing

struct ByteSourceTests {
    private let scratch: Scratch
    init() throws { scratch = try Scratch() }

    private func readAll(_ path: String, step: Int = 7777) throws -> [UInt8] {
        var source = try ByteSource(path: path)
        var bytes: [UInt8] = []
        while try source.take(step) > 0 {
            let taken = source.taken
            for offset in 0..<taken.byteCount { bytes.append(taken.byte(at: offset)) }
        }
        return bytes
    }

    /// Half noise, half repetition, over several blocks.
    private func sample(_ count: Int, seed: UInt64) -> [UInt8] {
        var numbers = SeededNumbers(seed: seed)
        return (0..<count).map { $0 % 1000 < 500 ? UInt8($0 % 7) : UInt8.random(in: 0...255, using: &numbers) }
    }

    @Test(arguments: [0, 1, 3, 4, 5, 1000, 400_000])
    func `plain, gzip and zstd files give the same bytes`(count: Int) throws {
        let bytes = sample(count, seed: 1)
        #expect(try readAll(scratch.write("plain", bytes)) == bytes)
        #expect(try readAll(scratch.write("a.gz", scratch.gzip(bytes))) == bytes)
        #expect(try readAll(scratch.write("a.zst", zstd(bytes))) == bytes)
        // The first bytes decide, not the name.
        #expect(try readAll(scratch.write("b", scratch.gzip(bytes))) == bytes)
    }

    @Test func `members and frames that follow each other are one stream`() throws {
        let (first, second) = (sample(200_000, seed: 2), sample(150_001, seed: 3))
        #expect(try readAll(scratch.write("a.gz", scratch.gzip(first) + scratch.gzip(second))) == first + second)
        #expect(try readAll(scratch.write("a.zst", zstd(first) + zstd(second))) == first + second)
        let skippable: [UInt8] = [0x50, 0x2A, 0x4D, 0x18, 3, 0, 0, 0, 9, 9, 9]
        #expect(try readAll(scratch.write("b.zst", skippable + zstd(first) + skippable)) == first)
    }

    @Test func `every truncation of a compressed file is an error`() throws {
        let bytes = sample(600, seed: 4)
        for (name, whole) in [("a.gz", try scratch.gzip(bytes)), ("a.zst", zstd(bytes))] {
            for count in 0..<whole.count {
                let path = try scratch.write(name, Array(whole.prefix(count)))
                #expect(throws: IngestError.self, "\(name) cut to \(count) of \(whole.count) bytes") { try readAll(path) }
            }
        }
    }

    @Test func `a second member that is cut short is an error too`() throws {
        let (first, second) = (try scratch.gzip([1, 2, 3]), try scratch.gzip([4, 5, 6]))
        for count in 1..<second.count {
            let path = try scratch.write("a.gz", first + second.prefix(count))
            #expect(throws: IngestError.self, "cut to \(count) bytes of the second member") { try readAll(path) }
        }
    }

    @Test func `no flipped byte of a gzip file changes what is read unnoticed`() throws {
        let bytes = sample(300, seed: 5)
        let whole = try scratch.gzip(bytes)
        for position in whole.indices {
            for mask: UInt8 in [0x01, 0x80, 0xFF] {
                var flipped = whole
                flipped[position] ^= mask
                do {
                    let read = try readAll(scratch.write("a.bin", flipped))
                    // Flipped magic bytes make it a plain file; the header's date is of no account.
                    #expect(read == bytes || read == flipped, "byte \(position) flipped by \(mask)")
                } catch is IngestError {}
            }
        }
    }

    @Test func `no flipped byte of a zstd file is a crash`() throws {
        let whole = zstd(sample(300, seed: 6))
        for position in whole.indices {
            for mask: UInt8 in [0x01, 0x80, 0xFF] {
                var flipped = whole
                flipped[position] ^= mask
                do {
                    #expect(try readAll(scratch.write("a.bin", flipped)).count < 10_000_000)
                } catch is IngestError {}
            }
        }
    }

    @Test func `rubbish behind a compressed stream is an error that tells its place`() throws {
        let whole = try scratch.gzip([1, 2, 3])
        let path = try scratch.write("a.gz", whole + Array("rubbish".utf8))
        let error = #expect(throws: IngestError.self) { try readAll(path) }
        guard case .byte(let place) = try #require(error).place else { throw try #require(error) }
        #expect(place >= whole.count && place <= whole.count + 7)
        #expect(throws: IngestError.self) { try readAll(scratch.write("a.zst", zstd([1]) + [1, 2, 3, 4, 5])) }
    }

    @Test func `a file that is not what its name says is refused`() throws {
        for name in ["a.gz", "a.zst"] {
            let path = try scratch.write(name, "{\"id\":1}")
            let error = #expect(throws: IngestError.self) { try readAll(path) }
            #expect(try #require(error).description.contains("as its name says"))
        }
    }

    @Test func `a missing file and a folder are errors that name them`() throws {
        for path in [scratch.path + "/missing", scratch.path] {
            let error = #expect(throws: IngestError.self) { try readAll(path) }
            #expect(try #require(error).file == path)
        }
    }

    @Test func `progress counts the bytes on disk and ends at their total`() throws {
        let whole = try scratch.gzip(sample(500_000, seed: 7))
        var source = try ByteSource(path: scratch.write("a.gz", whole))
        var last = 0
        while try source.take(10_000) > 0 {
            #expect(source.progress.bytesRead >= last && source.progress.bytesTotal == whole.count)
            last = source.progress.bytesRead
        }
        #expect(last == whole.count)
    }
}

struct LineReaderTests {
    private let scratch: Scratch
    init() throws { scratch = try Scratch() }

    private struct Line: Equatable {
        var number: Int
        var offset: Int
        /// nil for one that was too long.
        var text: String?
    }

    private func lines(_ text: [UInt8], name: String = "a.txt", lineBytesMax: Int = 1000) throws -> [Line] {
        var reader = LineReader(try ByteSource(path: scratch.write(name, text)), lineBytesMax: lineBytesMax)
        var lines: [Line] = []
        while let mark = try reader.next() {
            try #require(lines.count < itemsMax)
            let line = mark.isTooLong ? nil : String(validatingUTF8: reader.line)
            lines.append(Line(number: mark.number, offset: mark.offset, text: line))
        }
        return lines
    }

    @Test func `lines end with a newline, with or without a carriage return, or with the file`() throws {
        #expect(try lines(Array("a\nbc\r\n\n\r\nd".utf8)).map(\.text) == ["a", "bc", "", "", "d"])
        #expect(try lines(Array("a\n".utf8)).map(\.text) == ["a"])
        #expect(try lines([]).isEmpty)
        #expect(try lines(Array("\n".utf8)).map(\.text) == [""])
        #expect(try lines(Array("\r".utf8)).map(\.text) == [""])
    }

    @Test func `a byte order mark is no part of the first line`() throws {
        #expect(try lines([0xEF, 0xBB, 0xBF] + Array("a\n".utf8) + [0xEF, 0xBB, 0xBF]).map(\.text) == ["a", "\u{FEFF}"])
        #expect(try lines([0xEF, 0xBB, 0xBF]).map(\.text) == [""])
    }

    @Test func `a line over the limit is passed over, and the next one keeps its number and offset`() throws {
        let text = "abcd\n" + String(repeating: "x", count: 11) + "\nefgh"
        #expect(try lines(Array(text.utf8), lineBytesMax: 10) == [
            Line(number: 1, offset: 0, text: "abcd"), Line(number: 2, offset: 5, text: nil), Line(number: 3, offset: 17, text: "efgh"),
        ])
        #expect(try lines(Array(text.utf8), lineBytesMax: 11).map(\.text) == ["abcd", String(repeating: "x", count: 11), "efgh"])
    }

    @Test func `an over-long line may be the last and longer than any buffer`() throws {
        let long = [UInt8](repeating: UInt8(ascii: "x"), count: 1_000_000)
        #expect(try lines(Array("a\n".utf8) + long) == [Line(number: 1, offset: 0, text: "a"), Line(number: 2, offset: 2, text: nil)])
        #expect(try lines(long + Array("\nb".utf8)) == [Line(number: 1, offset: 0, text: nil), Line(number: 2, offset: 1_000_001, text: "b")])
    }

    @Test(arguments: ["a.txt", "a.gz", "a.zst"])
    func `any lengths across any block borders split as a plain split does`(name: String) throws {
        let seed: UInt64 = 11
        print("seed \(seed)")
        var numbers = SeededNumbers(seed: seed)
        var expected: [String] = []
        for _ in 0..<400 {
            let count = Bool.random(using: &numbers) ? Int.random(in: 0...80, using: &numbers) : Int.random(in: 0...5000, using: &numbers)
            expected.append(String(repeating: ["a", "é", "語"].randomElement(using: &numbers)!, count: count))
        }
        let bytes = Array(expected.joined(separator: "\n").utf8) + [UInt8(ascii: "\n")]
        let stored = name == "a.gz" ? try scratch.gzip(bytes) : name == "a.zst" ? zstd(bytes) : bytes
        #expect(try lines(stored, name: name, lineBytesMax: 20_000).map(\.text) == expected)
    }
}
