// Writer and reader of bytes: what one writes the other reads, and any shorter input is refused, not trapped on.
import Memory
import Testing
import TestSupport

@Suite struct ByteCursorTests {
    /// One of each thing that can be written.
    private static let sample: [UInt8] = {
        var writer = ByteWriter()
        writer.write(0x81 as UInt8)
        writer.write(-2 as Int16)
        writer.write(0xDEAD_BEEF as UInt32)
        writer.write(Int64.min)
        writer.write(-0.0 as Float)
        writer.write(Double.greatestFiniteMagnitude)
        writer.writeBlob([1, 2, 3].rawSpan)
        writer.writeString("Größe 🐦")
        writer.writeString("")
        writer.write([9, 9].rawSpan)
        return writer.finish()
    }()

    /// Reads the sample from its start; throws where it ends too soon.
    private static func readAll(_ bytes: [UInt8]) throws(Corruption) {
        var reader = ByteReader(bytes.rawSpan)
        #expect(try reader.read(UInt8.self) == 0x81)
        #expect(try reader.read(Int16.self) == -2)
        #expect(try reader.read(UInt32.self) == 0xDEAD_BEEF)
        #expect(try reader.read(Int64.self) == .min)
        #expect(try reader.readFloat().bitPattern == 0x8000_0000)
        #expect(try reader.readDouble() == .greatestFiniteMagnitude)
        let blob = Array(copying: try reader.readBlob())
        #expect(blob == [1, 2, 3])
        #expect(try reader.readString() == "Größe 🐦")
        #expect(try reader.readString() == "")
        let tail = Array(copying: try reader.readBytes(2))
        #expect(tail == [9, 9])
        try reader.finish()
    }

    @Test func `what was written is read back`() throws {
        try Self.readAll(Self.sample)
    }

    @Test func `every truncation is refused inside the bytes that are there`() {
        for count in Self.sample.indices {
            let error = #expect(throws: Corruption.self) { try Self.readAll(Array(Self.sample.prefix(count))) }
            #expect((0...count).contains(error?.offset ?? -1), "cut to \(count)")
        }
    }

    @Test func `bytes left over are refused`() {
        let error = #expect(throws: Corruption.self) { try Self.readAll(Self.sample + [0]) }
        #expect(error?.offset == Self.sample.count)
    }

    @Test func `integers are little-endian`() {
        var writer = ByteWriter()
        writer.write(0x0102_0304_0506_0708 as UInt64)
        let bytes = writer.finish()
        #expect(bytes == [8, 7, 6, 5, 4, 3, 2, 1])
    }

    @Test func `a length beyond the end, even the largest, is refused and nothing is read`() {
        for length in [4, 5, 255, UInt32.max] as [UInt32] {
            var writer = ByteWriter()
            writer.write(length)
            writer.write([1, 2, 3].rawSpan)
            let bytes = writer.finish()
            #expect(throws: Corruption.self) {
                var reader = ByteReader(bytes.rawSpan)
                _ = try reader.readBlob().byteCount
            }
        }
    }

    @Test func `a negative count is refused`() {
        #expect(throws: Corruption.self) {
            var reader = ByteReader([1, 2, 3].rawSpan)
            _ = try reader.readBytes(-1).byteCount
        }
    }

    @Test func `text that is not UTF-8 is refused where its length began`() {
        for text in [[0x80], [0xC3], [0xED, 0xA0, 0x80], [0xF5, 0x80, 0x80, 0x80], [0xC0, 0xAF]] as [[UInt8]] {
            var writer = ByteWriter()
            writer.write(7 as UInt8)
            writer.writeBlob(text.rawSpan)
            let bytes = writer.finish()
            let error = #expect(throws: Corruption.self) {
                var reader = ByteReader(bytes.rawSpan)
                _ = try reader.read(UInt8.self)
                _ = try reader.readString()
            }
            #expect(error?.offset == 1)
            #expect(!Self.isValidUTF8(text))
        }
    }

    @Test func `valid UTF-8 is known wherever its first byte beyond ASCII stands`() {
        for prefix in 0...17 {
            let text = String(repeating: "a", count: prefix) + "é" + String(repeating: "b", count: 17 - prefix)
            let bytes = Array(text.utf8)
            #expect(Self.isValidUTF8(bytes))
            for cut in 0...bytes.count {
                let isWhole = cut != prefix + 1
                #expect(Self.isValidUTF8(Array(bytes.prefix(cut))) == isWhole)
            }
        }
    }

    @Test func `overwriting changes its own bytes and no others`() {
        let before = (0..<24).map { UInt8($0) }
        for offset in 0...16 {
            var writer = ByteWriter()
            writer.write(before.rawSpan)
            writer.overwrite(at: offset, with: -0x0102_0304_0506_0708 as Int64)
            var value = ByteWriter()
            value.write(-0x0102_0304_0506_0708 as Int64)
            var expected = before
            expected.replaceSubrange(offset..<offset + 8, with: value.finish())
            #expect(writer.finish() == expected)
        }
        for byte in [0, 1, 127, 128, 255] as [UInt8] {
            var writer = ByteWriter()
            writer.write(before.rawSpan)
            writer.overwrite(at: 23, with: byte)
            #expect(writer.finish() == before.dropLast() + [byte])
        }
    }

    @Test func `a cleared writer begins anew`() {
        var writer = ByteWriter(capacity: 3)
        writer.writeString("before")
        writer.removeAll()
        #expect(writer.count == 0)
        writer.reserve(100)
        writer.write(5 as UInt8)
        #expect(writer.finish() == [5])
    }

    @Test func `floats copied out of bytes are those written, at any alignment`() {
        let floats: [Float] = [0, -0.0, 1.5, .infinity, .leastNonzeroMagnitude, -3e38]
        for shift in 0..<4 {
            var writer = ByteWriter()
            for _ in 0..<shift { writer.write(0xFF as UInt8) }
            for float in floats { writer.write(float) }
            let bytes = writer.finish()
            var copied: [Float] = [7, 7, 7, 7, 7, 7, 7, 7, 7]
            bytes.rawSpan.extracting(shift..<bytes.count).copyFloats(to: &copied)
            #expect(copied.map(\.bitPattern) == floats.map(\.bitPattern))
        }
    }

    @Test func `spans are equal when their bytes are`() {
        #expect(Self.areEqual([1, 2, 3], [1, 2, 3]))
        #expect(!Self.areEqual([1, 2, 3], [1, 2, 4]))
        #expect(!Self.areEqual([1, 2, 3], [1, 2]))
        #expect(!Self.areEqual([1, 2], [1, 2, 3]))
        #expect(Self.areEqual([], []))
    }

    private static func areEqual(_ a: [UInt8], _ b: [UInt8]) -> Bool { a.rawSpan.isEqual(to: b.rawSpan) }
    private static func isValidUTF8(_ bytes: [UInt8]) -> Bool { bytes.rawSpan.isValidUTF8 }
}
