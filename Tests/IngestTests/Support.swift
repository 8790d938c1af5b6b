// What the tests of readers share: folders that vanish, files in every dress, numbers that repeat.
import CZlib
import CZstd
import Foundation
import Ingest
import Testing
import Wire

/// A folder of its own for one test, gone with it.
final class Scratch {
    let path: String

    init() throws {
        path = NSTemporaryDirectory() + "ingest-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit {
        do {
            try FileManager.default.removeItem(atPath: path)
        } catch {
            Issue.record("the test's folder stays behind: \(error)")
        }
    }

    func write(_ name: String, _ bytes: [UInt8]) throws -> String {
        let file = path + "/" + name
        try FileManager.default.createDirectory(atPath: (file as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
        try Data(bytes).write(to: URL(fileURLWithPath: file))
        return file
    }

    func write(_ name: String, _ text: String) throws -> String { try write(name, Array(text.utf8)) }

    func read(_ name: String) throws -> String { try String(contentsOfFile: path + "/" + name, encoding: .utf8) }

    /// One gzip member.
    func gzip(_ bytes: [UInt8]) throws -> [UInt8] {
        let file = path + "/" + UUID().uuidString
        guard let target = unsafe gzopen(file, "wb") else { throw IngestError(file: file, "cannot be created") }
        // Sound: zlib reads the array's bytes within the closure, then closes what it opened.
        let written = unsafe bytes.withUnsafeBytes { unsafe gzwrite(target, $0.baseAddress, UInt32($0.count)) }
        #expect(Int(written) == bytes.count)
        #expect(unsafe gzclose(target) == Z_OK)
        return try Array(Data(contentsOf: URL(fileURLWithPath: file)))
    }
}

/// One zstd frame.
func zstd(_ bytes: [UInt8]) -> [UInt8] {
    var frame = [UInt8](repeating: 0, count: ZSTD_compressBound(bytes.count))
    let capacity = frame.count
    // Sound: zstd reads the one array and writes the other within these closures, each up to its length.
    let count = unsafe frame.withUnsafeMutableBytes { target in
        unsafe bytes.withUnsafeBytes { unsafe ZSTD_compress(target.baseAddress, capacity, $0.baseAddress, $0.count, 3) }
    }
    precondition(ZSTD_isError(count) == 0, "zstd compresses into a buffer of its own bound")
    return Array(frame.prefix(count))
}

/// SplitMix64: the same numbers for the same seed, everywhere.
struct SeededNumbers: RandomNumberGenerator {
    private var state: UInt64
    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}

/// No source in a test has more items; a source that does not end fails instead of hanging.
let itemsMax = 100_000

func drain(_ source: consuming some DocumentSource & ~Copyable) throws -> [SourceItem] {
    var items: [SourceItem] = []
    while let item = try source.next() {
        items.append(item)
        try #require(items.count <= itemsMax)
    }
    return items
}

/// The error that reading a source to its end throws, if it throws one.
func failure(_ read: () throws -> [SourceItem]) throws -> IngestError? {
    do {
        _ = try read()
        return nil
    } catch let error as IngestError {
        return error
    }
}

extension SourceItem {
    var document: OutgoingDocument? {
        if case .document(let document, _) = self { document } else { nil }
    }
    var rejection: Rejection? {
        if case .rejected(let rejection) = self { rejection } else { nil }
    }
}

extension FixedWidthInteger {
    var littleEndianBytes: [UInt8] { (0..<Self.bitWidth / 8).map { UInt8(truncatingIfNeeded: self >> (8 * $0)) } }
}

extension Float {
    var littleEndianBytes: [UInt8] { bitPattern.littleEndianBytes }
}

func base64(_ floats: [Float]) -> String { Data(floats.flatMap(\.littleEndianBytes)).base64EncodedString() }
