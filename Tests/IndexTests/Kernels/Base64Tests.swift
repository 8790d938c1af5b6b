// base64 of vectors: every length, every place a byte can be wrong, in every variant.
import Index
import Testing

// A span's `bytes` counts as unsafe because elements may have padding; those of UInt8 and Float have none.
@Suite struct Base64Tests {
    @Test(arguments: Kernels.all)
    func `the examples of RFC 4648 are encoded as it says`(kernels: Kernels) {
        let examples = ["": "", "f": "Zg==", "fo": "Zm8=", "foo": "Zm9v", "foob": "Zm9vYg==", "foobar": "Zm9vYmFy"]
        for (bytes, text) in examples {
            #expect(encoded(kernels, Array(bytes.utf8)) == Array(text.utf8))
            #expect(ScalarKernels.encodeBase64(Array(bytes.utf8)) == Array(text.utf8))
        }
    }

    @Test(arguments: Kernels.all)
    func `bytes of any length are encoded as the formula says`(kernels: Kernels) {
        var generator = SeededGenerator(seed: 1)
        for count in 0...200 {
            let bytes = (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }
            #expect(encoded(kernels, bytes) == ScalarKernels.encodeBase64(bytes), "\(count) bytes")
        }
    }

    @Test(arguments: Kernels.all)
    func `floats of any number come back`(kernels: Kernels) throws {
        var generator = SeededGenerator(seed: 2)
        for count in 0...200 {
            let floats = generator.floats(count)
            let text = FencedMemory(ScalarKernels.encodeBase64(bytes(of: floats)))
            var decoded = FencedMemory<Float>(capacity: count)
            var span = decoded.mutableLast(count)
            let allFinite = try unsafe kernels.decodeBase64(text.last(text.capacity).bytes, count: count, into: &span)
            #expect(allFinite && (0..<count).allSatisfy { span[$0] == floats[$0] }, "\(count) floats")
        }
    }

    @Test(arguments: Kernels.all)
    func `text is read at any alignment`(kernels: Kernels) throws {
        var generator = SeededGenerator(seed: 3)
        let floats = generator.floats(100)
        let text = ScalarKernels.encodeBase64(bytes(of: floats))
        var memory = FencedMemory<UInt8>(capacity: text.count + 64)
        for offset in 0..<64 {
            memory.write(text, at: offset)
            #expect(try decoded(kernels, memory.span(from: offset, count: text.count), count: 100) == floats)
        }
    }

    @Test(arguments: Kernels.all)
    func `a bad byte is named by its place, in every place`(kernels: Kernels) {
        var generator = SeededGenerator(seed: 4)
        for count in 1...200 {
            let text = ScalarKernels.encodeBase64(bytes(of: generator.floats(count)))
            var memory = FencedMemory(text)
            for place in text.indices {
                for bad in badBytes(at: place, &generator)
                where !ScalarKernels.base64Allows(bad, at: place, ofBytes: 4 * count) {
                    memory.write([bad], at: place)
                    let fault = fault(kernels, memory.last(text.count), count: count)
                    if fault != .badByte(offset: place) {
                        Issue.record("byte \(bad) at \(place) of \(text.count): \(String(describing: fault))")
                    }
                }
                memory.write([text[place]], at: place)
            }
        }
    }

    @Test(arguments: Kernels.all)
    func `every byte outside the alphabet is bad, and every one inside is good`(kernels: Kernels) {
        // 48 floats are 256 characters, so no padding; the first block of each width and the rest are reached.
        let text = [UInt8](repeating: UInt8(ascii: "A"), count: 256)
        for place in [0, 31, 32, 63, 64, 255] {
            for byte in UInt8.min...UInt8.max {
                var text = text
                text[place] = byte
                let isGood = ScalarKernels.base64Fault(text, ofBytes: 192) == nil
                #expect(fault(kernels, text.span, count: 48) == (isGood ? nil : .badByte(offset: place)))
            }
        }
    }

    @Test(arguments: Kernels.all)
    func `the first of several bad bytes is the one named`(kernels: Kernels) {
        var text = ScalarKernels.encodeBase64(bytes(of: [Float](repeating: 1, count: 100)))
        for place in text.indices.reversed() {
            text[place] = UInt8(ascii: "*")
            #expect(fault(kernels, text.span, count: 100) == .badByte(offset: place))
        }
    }

    @Test(arguments: Kernels.all)
    func `trailing bits that are not zero are refused`(kernels: Kernels) {
        // One float ends in one byte and "==", two end in two bytes and "=".
        for (count, padding, kept) in [(1, 2, 2), (2, 1, 4), (13, 2, 2), (14, 1, 4)] {
            var text = ScalarKernels.encodeBase64([UInt8](repeating: 0, count: 4 * count))
            let last = text.count - padding - 1
            for (value, character) in ScalarKernels.base64Alphabet.enumerated() {
                text[last] = character
                // `kept` of the six bits belong to a byte, the others must be zero.
                let isCanonical = value % (1 << (6 - kept)) == 0
                #expect(fault(kernels, text.span, count: count) == (isCanonical ? nil : .badByte(offset: last)))
            }
        }
    }

    @Test(arguments: Kernels.all)
    func `a text of another length is refused as such`(kernels: Kernels) {
        for count in 0...40 {
            let text = ScalarKernels.encodeBase64([UInt8](repeating: 0, count: 4 * count))
            for shorter in 0..<text.count {
                #expect(fault(kernels, text.span.extracting(first: shorter), count: count) == .tooShort)
            }
            for longer in 1...8 {
                let text = text + [UInt8](repeating: UInt8(ascii: "A"), count: longer)
                #expect(fault(kernels, text.span, count: count) == .tooLong)
            }
        }
    }

    @Test(arguments: Kernels.all)
    func `floats that are not finite are decoded and told of`(kernels: Kernels) throws {
        for count in 1...67 {
            for place in 0..<count {
                for bad in [Float.nan, -.infinity, Float(bitPattern: 0x7f80_0001)] {
                    var floats = [Float](repeating: 1, count: count)
                    floats[place] = bad
                    let text = ScalarKernels.encodeBase64(bytes(of: floats))
                    var decoded = [Float](repeating: 0, count: count)
                    var span = decoded.mutableSpan
                    let allFinite = try unsafe kernels.decodeBase64(text.span.bytes, count: count, into: &span)
                    #expect(!allFinite && decoded[place].bitPattern == bad.bitPattern)
                }
            }
        }
    }

    // MARK: helpers

    private func bytes(of floats: [Float]) -> [UInt8] {
        floats.flatMap { float in (0..<4).map { UInt8(truncatingIfNeeded: float.bitPattern >> (8 * $0)) } }
    }

    private func encoded(_ kernels: Kernels, _ bytes: [UInt8]) -> [UInt8] {
        let source = FencedMemory(bytes)
        let count = Kernels.base64Count(ofBytes: bytes.count)
        var text = FencedMemory<UInt8>(capacity: count)
        var span = text.mutableLast(count)
        unsafe kernels.encodeBase64(source.last(bytes.count).bytes, into: &span)
        return (0..<count).map { span[$0] }
    }

    private func decoded(_ kernels: Kernels, _ text: Span<UInt8>, count: Int) throws -> [Float] {
        var floats = [Float](repeating: 0, count: count)
        var span = floats.mutableSpan
        _ = try unsafe kernels.decodeBase64(text.bytes, count: count, into: &span)
        return floats
    }

    private func fault(_ kernels: Kernels, _ text: Span<UInt8>, count: Int) -> Base64Fault? {
        var floats = [Float](repeating: 0, count: count)
        var span = floats.mutableSpan
        do throws(Base64Fault) {
            _ = try unsafe kernels.decodeBase64(text.bytes, count: count, into: &span)
            return nil
        } catch {
            return error
        }
    }

    /// Neighbours of the alphabet's ranges, the other alphabet, white space, padding, bytes above 127; one by one.
    private func badBytes(at place: Int, _ generator: inout SeededGenerator) -> [UInt8] {
        let all = Array("@[`{-_ \n=.:,*".utf8) + [0, 0x80, 0xc1, 0xff]
        return [all[place % all.count], UInt8.random(in: 0x80...0xff, using: &generator)]
    }
}
