// The layouts that files of vectors come in, and which one a file's name announces.

/// Numbers as they lie in a file, little-endian; all become float32.
package enum MatrixElement: Equatable, Sendable {
    case float16, float32, float64, uint8, int32

    var byteCount: Int {
        switch self {
        case .uint8: 1
        case .float16: 2
        case .float32, .int32: 4
        case .float64: 8
        }
    }
}

package enum MatrixFormat: Equatable, Sendable {
    /// numpy's: a header that names element and shape, then the rows.
    case npy
    /// Rows and nothing else.
    case raw(MatrixElement, dimension: Int)
    /// Each row behind its own length, an int32: fvecs, bvecs, ivecs.
    case prefixed(MatrixElement)

    /// The format that a file's name announces, or nil if it announces none. `.gz` and `.zst` may follow.
    /// - Parameter dimension: the numbers in a row, which raw files do not tell.
    package init?(path: String, dimension: Int? = nil) throws(IngestError) {
        switch fileExtension(of: path) {
        case "npy": self = .npy
        case "fvecs": self = .prefixed(.float32)
        case "bvecs": self = .prefixed(.uint8)
        case "ivecs": self = .prefixed(.int32)
        case "f32": self = .raw(.float32, dimension: try Self.required(dimension, path))
        case "f16": self = .raw(.float16, dimension: try Self.required(dimension, path))
        case "u8": self = .raw(.uint8, dimension: try Self.required(dimension, path))
        default: return nil
        }
    }

    private static func required(_ dimension: Int?, _ path: String) throws(IngestError) -> Int {
        guard let dimension else {
            throw IngestError(file: path, "expected the dimension, which a file of bare numbers does not tell", remedy: "give it")
        }
        return dimension
    }
}

/// What follows the last dot of a file's name, in small letters, once an ending for compression is taken off.
func fileExtension(of path: String) -> String {
    var name = path.split(separator: "/").last.map { $0.lowercased() } ?? ""
    for ending in [".gz", ".zst"] where name.hasSuffix(ending) { name.removeLast(ending.utf8.count) }
    guard let dot = name.lastIndex(of: "."), dot != name.startIndex else { return "" }
    return String(name[name.index(after: dot)...])
}
