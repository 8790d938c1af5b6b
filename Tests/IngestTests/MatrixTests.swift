// Files of vectors: every element type, every truncation, and both files of a pair in step.
@testable import Ingest
import Memory
import Testing
import Wire

/// A `.npy` file as numpy writes it.
func npy(_ descr: String, _ shape: String, _ rows: [UInt8], version: UInt8 = 1, fortran: String = "False") -> [UInt8] {
    npy(header: "{'descr': '\(descr)', 'fortran_order': \(fortran), 'shape': \(shape), }", rows, version: version)
}

func npy(header: String, _ rows: [UInt8], version: UInt8 = 1) -> [UInt8] {
    let lengthBytes = version == 1 ? 2 : 4
    let padding = (64 - (8 + lengthBytes + header.utf8.count + 1) % 64) % 64
    let text = Array((header + String(repeating: " ", count: padding) + "\n").utf8)
    let length = version == 1 ? UInt16(text.count).littleEndianBytes : UInt32(text.count).littleEndianBytes
    return [0x93] + Array("NUMPY".utf8) + [version, 0] + length + text + rows
}

struct MatrixTests {
    private let scratch: Scratch
    init() throws { scratch = try Scratch() }

    private func vectors(_ name: String, _ bytes: [UInt8], dimension: Int? = nil) throws -> [[Float]?] {
        let path = try scratch.write(name, bytes)
        let format = try #require(try MatrixFormat(path: path, dimension: dimension))
        return try drain(MatrixSource(path: path, format: format)).map { $0.document?.chunks[0].vector }
    }

    private let rows: [[Float]] = [[1, 2, 3], [-4, 0.5, 6], [7, 8, 1e-3]]
    private var rowBytes: [UInt8] { rows.flatMap { $0.flatMap(\.littleEndianBytes) } }

    @Test func `rows become documents with their numbers for ids`() throws {
        let path = try scratch.write("a.npy", npy("<f4", "(3, 3)", rowBytes))
        let items = try drain(MatrixSource(path: path, format: .npy))
        #expect(items.map { $0.document?.id } == ["0", "1", "2"])
        #expect(items.map { $0.document?.chunks } == rows.map { [OutgoingChunk(vector: $0)] })
        #expect(try drain(MatrixSource(path: path, format: .npy, firstRow: 2)).map { $0.document?.id } == ["2"])
    }

    @Test func `every format gives the same rows, compressed or not`() throws {
        #expect(try vectors("a.npy", npy("<f4", "(3, 3)", rowBytes)) == rows)
        #expect(try vectors("b.npy", npy("<f4", "(3,3)", rowBytes, version: 2)) == rows)
        #expect(try vectors("a.npy.gz", scratch.gzip(npy("<f4", "(3, 3)", rowBytes))) == rows)
        #expect(try vectors("a.f32", rowBytes, dimension: 3) == rows)
        #expect(try vectors("a.f32.zst", zstd(rowBytes), dimension: 3) == rows)
        #expect(try vectors("a.fvecs", rows.flatMap { Int32(3).littleEndianBytes + $0.flatMap(\.littleEndianBytes) }) == rows)
    }

    @Test func `narrower and wider elements become float32`() throws {
        let doubles = rows.flatMap { $0.flatMap { Double($0).bitPattern.littleEndianBytes } }
        #expect(try vectors("a.npy", npy("<f8", "(3, 3)", doubles)) == rows)
        let halves = rows.flatMap { $0.flatMap { Float16($0).bitPattern.littleEndianBytes } }
        let expected = rows.map { $0.map { Float(Float16($0)) } }
        #expect(try vectors("b.npy", npy("<f2", "(3, 3)", halves)) == expected)
        #expect(try vectors("a.f16", halves, dimension: 3) == expected)
        let bytes: [UInt8] = [0, 1, 255, 7]
        #expect(try vectors("c.npy", npy("|u1", "(2, 2)", bytes)) == [[0, 1], [255, 7]])
        #expect(try vectors("a.u8.gz", scratch.gzip(bytes), dimension: 4) == [[0, 1, 255, 7]])
        #expect(try vectors("a.bvecs", [2, 0, 0, 0, 9, 8, 2, 0, 0, 0, 7, 6]) == [[9, 8], [7, 6]])
        let integers = [Int32(2), -5, 1 << 24].flatMap(\.littleEndianBytes)
        #expect(try vectors("a.ivecs", integers) == [[-5, 16_777_216]])
    }

    @Test func `every binary16 widens to the number it is`() {
        for bits in UInt16.min...UInt16.max {
            let (ours, expected) = (widenedHalf(bits), Float(Float16(bitPattern: bits)))
            #expect(ours.bitPattern == expected.bitPattern || (ours.isNaN && expected.isNaN), "\(bits)")
        }
    }

    @Test func `a row with a number that float32 does not hold is rejected, and the next is read`() throws {
        let bad: [[Float]] = [[1, .nan], [2, 3], [.infinity, 1], [4, -.infinity]]
        #expect(try vectors("a.f32", bad.flatMap { $0.flatMap(\.littleEndianBytes) }, dimension: 2) == [nil, [2, 3], nil, nil])
        #expect(try vectors("a.npy", npy("<f8", "(2, 1)", [1e300, 5].flatMap { $0.bitPattern.littleEndianBytes })) == [nil, [5]])
        #expect(try vectors("a.ivecs", [Int32(1), 16_777_217, 1, 3].flatMap(\.littleEndianBytes)) == [nil, [3]])
        let path = try scratch.write("b.f32", bad.flatMap { $0.flatMap(\.littleEndianBytes) })
        let rejection = try drain(MatrixSource(path: path, format: .raw(.float32, dimension: 2)))[2].rejection
        #expect(rejection?.position == SourcePosition(row: 2, offset: 16) && rejection?.reason.contains("number 0") == true)
    }

    @Test func `every truncation of an npy file is an error`() throws {
        for (descr, rows) in [("<f4", rowBytes), ("|u1", Array(rowBytes.prefix(9)))] {
            let whole = npy(descr, "(3, 3)", rows)
            for count in 0..<whole.count {
                #expect(throws: IngestError.self, "cut to \(count) of \(whole.count)") { try vectors("a.npy", Array(whole.prefix(count))) }
            }
        }
    }

    @Test func `bytes behind the last row of an npy file are an error`() throws {
        let error = try failure { try drain(MatrixSource(path: scratch.write("a.npy", npy("<f4", "(3, 3)", rowBytes) + [0]), format: .npy)) }
        #expect(error?.place == .row(3) && error?.problem.contains("more bytes") == true)
    }

    @Test(arguments: ["fvecs", "bvecs", "ivecs"])
    func `a truncation within a row is an error, and one between rows is a shorter file`(ending: String) throws {
        let width = ending == "bvecs" ? 1 : 4
        let row = Int32(3).littleEndianBytes + [UInt8](repeating: 1, count: 3 * width)
        let whole = row + row + row
        for count in 0..<whole.count {
            let cut = Array(whole.prefix(count))
            if count > 0, count % row.count == 0 {
                #expect(try vectors("a.\(ending)", cut).count == count / row.count)
            } else {
                #expect(throws: IngestError.self, "cut to \(count) of \(whole.count)") { try vectors("a.\(ending)", cut) }
            }
        }
    }

    @Test func `a raw file that ends within a row says so`() throws {
        let error = try failure { try drain(MatrixSource(path: scratch.write("a.f32", Array(rowBytes.dropLast())), format: .raw(.float32, dimension: 3))) }
        #expect(error?.place == .row(2))
        #expect(error?.problem == "expected 12 bytes for row 2, found 11")
        #expect(try vectors("b.f32", [], dimension: 3).isEmpty)
    }

    @Test(arguments: [Int32(0), -1, 1 << 30, .min])
    func `a length that no vector has is refused before memory is asked for`(length: Int32) throws {
        for ending in ["fvecs", "bvecs", "ivecs"] {
            #expect(throws: IngestError.self) { try vectors("a.\(ending)", length.littleEndianBytes + [1, 2, 3, 4]) }
        }
    }

    @Test func `rows of different lengths are an error that names the row`() throws {
        let bytes = Int32(1).littleEndianBytes + [9] + Int32(2).littleEndianBytes + [9, 9]
        let error = try failure { try drain(MatrixSource(path: scratch.write("a.bvecs", bytes), format: .prefixed(.uint8))) }
        #expect(error?.place == .row(1) && error?.problem.contains("found 2") == true)
    }

    private static let headers = [
        "{'descr': '>f4', 'fortran_order': False, 'shape': (1, 1), }", "{'descr': '<i8', 'fortran_order': False, 'shape': (1, 1), }",
        "{'descr': '<f4', 'fortran_order': True, 'shape': (1, 1), }", "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 1, 1), }", "{'descr': '<f4', 'fortran_order': False, 'shape': (), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 0), }", "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 65537), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 99999999999999999999), }", "{'descr': '<f4', 'fortran_order': False, 'shape': (-1, 1), }",
        "{'descr': '<f4', 'fortran_order': False}", "{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (1, 1)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 1), 'more': 1}", "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1, 1), }",
        "{'descr': '<f4', 'fortran_order': Maybe, 'shape': (1, 1), }", "{'descr': '<f4' 'fortran_order': False, 'shape': (1, 1), }",
        "{'descr': '<f4", "{", "", "}", "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 1), } x",
    ]

    @Test(arguments: headers)
    func `a header that names no matrix of floats is refused`(header: String) throws {
        #expect(throws: IngestError.self) { try vectors("a.npy", npy(header: header, [0, 0, 0, 0])) }
    }

    @Test func `keys of a header may come in any order and with either quote`() throws {
        let header = #"{ "shape":(1,1),"fortran_order":False , "descr":"<f4"}"#
        #expect(try vectors("a.npy", npy(header: header, Float(2).littleEndianBytes)) == [[2]])
    }

    @Test func `no flipped byte of an npy file is a crash`() throws {
        let whole = npy("<f4", "(3, 3)", rowBytes)
        for position in whole.indices {
            for mask: UInt8 in [0x01, 0x10, 0x80, 0xFF] {
                var flipped = whole
                flipped[position] ^= mask
                do {
                    #expect(try vectors("a.npy", flipped).count <= 3)
                } catch is IngestError {}
            }
        }
    }

    @Test func `a huge number of rows that the file does not hold costs nothing`() throws {
        let error = try failure { try drain(MatrixSource(path: scratch.write("a.npy", npy("<f4", "(9223372036854775807, 3)", rowBytes)), format: .npy)) }
        #expect(error?.place == .row(3))
    }

    @Test func `a file of bare numbers needs its dimension`() throws {
        #expect(throws: IngestError.self) { try MatrixFormat(path: "a.f32") }
        #expect(try MatrixFormat(path: "dir.f32/A.U8.gz", dimension: 4) == .raw(.uint8, dimension: 4))
        #expect(try MatrixFormat(path: "a.parquet") == nil)
        #expect(try MatrixFormat(path: ".npy") == nil)
    }
}

struct PairedSourceTests {
    private let scratch: Scratch
    init() throws { scratch = try Scratch() }

    private func items(_ lines: String, rows: Int, first: Int = 0) throws -> [SourceItem] {
        var options = RecordOptions()
        options.firstRecord = first
        let vectors = try scratch.write("v.f32", (0..<rows).flatMap { Float($0).littleEndianBytes })
        return try drain(PairedSource(records: scratch.write("r.jsonl", lines), options: options, vectors: vectors, format: .raw(.float32, dimension: 1)))
    }

    private func lines(_ count: Int) -> String { (0..<count).map { "{\"id\":\($0),\"text\":\"t\($0)\"}\n" }.joined() }

    @Test func `row i is the vector of record i`() throws {
        let documents = try items(lines(5), rows: 5).map(\.document)
        #expect(documents.map { $0?.id } == ["0", "1", "2", "3", "4"])
        #expect(documents.map { $0?.chunks } == (0..<5).map { [OutgoingChunk(text: "t\($0)", vector: [Float($0)])] })
    }

    @Test func `a rejected line uses up its row, a blank one does not`() throws {
        let text = "{\"id\":0}\nrubbish\n\n{\"id\":2,\"vector\":[1]}\n{\"id\":3,\"chunks\":[{\"heading\":\"h\"}]}\n{\"id\":4,\"chunks\":[{},{}]}\n"
        let items = try items(text, rows: 5)
        #expect(items.map { $0.document?.chunks[0].vector } == [[0], nil, nil, [3], nil])
        #expect(items[2].rejection?.reason.contains("file beside it") == true)
        #expect(items[4].rejection?.reason.contains("found 2") == true)
    }

    @Test(arguments: [(5, 4), (4, 5), (1, 0), (0, 1), (2, 9), (9, 2)])
    func `files of different lengths are an error at the end that names both counts`(records: Int, rows: Int) throws {
        let error = try #require(try failure { try items(lines(records), rows: rows) })
        #expect(error.problem.contains(" \(records) records") && error.problem.hasSuffix("found \(rows)"), "\(error)")
    }

    @Test func `empty beside empty is nothing`() throws {
        #expect(try items("\n\n", rows: 0).isEmpty)
    }

    @Test func `a vector that is not finite rejects its record by name`() throws {
        let vectors = try scratch.write("v.f32", [Float(1), .nan].flatMap(\.littleEndianBytes))
        let items = try drain(PairedSource(records: scratch.write("r.jsonl", lines(2)), vectors: vectors, format: .raw(.float32, dimension: 1)))
        #expect(items[0].document != nil)
        #expect(items[1].rejection?.reason.contains("the vector of \"1\"") == true)
        #expect(items[1].rejection?.position.row == 2)
    }

    @Test func `a load that goes on passes over both`() throws {
        let documents = try items(lines(5), rows: 5, first: 3).map(\.document)
        #expect(documents.map { $0?.id } == ["3", "4"])
        #expect(documents.map { $0?.chunks[0].vector } == [[3], [4]])
        #expect(try items(lines(5), rows: 5, first: 5).isEmpty)
        #expect(throws: IngestError.self) { try items(lines(5), rows: 6, first: 5) }
        #expect(throws: IngestError.self) { try items(lines(5), rows: 4, first: 5) }
    }

    @Test func `a dimension that is not the expected one is an error before the first row`() throws {
        var options = RecordOptions()
        options.dimension = 2
        let vectors = try scratch.write("v.f32", [])
        #expect(throws: IngestError.self) {
            try drain(PairedSource(records: scratch.write("r.jsonl", ""), options: options, vectors: vectors, format: .raw(.float32, dimension: 3)))
        }
    }
}
