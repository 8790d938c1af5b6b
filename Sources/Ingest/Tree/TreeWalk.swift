// A folder and everything under it, in an order that repeats.

/// What the walk meets. Paths are relative to the root, with `/`; the root itself is the empty path.
enum TreeEntry: Equatable, Sendable {
    /// Comes before everything in it. `names` are those of its entries that are text.
    case folder(path: String, names: Set<String>)
    case file(path: String, FileStatus)
    /// Something that is not read, and why.
    case leftOut(path: String, reason: String)
}

/// Walks depth first, names in the order of their bytes. Hidden names are passed over in silence, symbolic links
/// with a word: following them would leave the tree or walk in circles.
struct TreeWalk: Sendable {
    private let root: String
    /// Longest path that still makes an id.
    private let pathBytesMax: Int
    private var hasStarted = false
    private var levels: [Level] = []

    private struct Level {
        var path: String
        /// Names still to visit, the next one last.
        var names: [[UInt8]]
    }

    init(root: String, pathBytesMax: Int = Limits.idBytesMax) throws(IngestError) {
        guard try FileStatus.of(root, followingLinks: true).kind == .directory else {
            throw IngestError(file: root, "expected a folder")
        }
        self.root = root
        self.pathBytesMax = pathBytesMax
    }

    /// Throws only if the root cannot be listed; below it, what cannot be read is left out by name.
    mutating func next() throws(IngestError) -> TreeEntry? {
        guard hasStarted else {
            hasStarted = true
            return try enter("")
        }
        while let level = levels.last {
            guard let name = levels[levels.count - 1].names.popLast() else {
                levels.removeLast()
                continue
            }
            if name.first == UInt8(ascii: ".") { continue }
            return visit(name, in: level.path)
        }
        return nil
    }

    private mutating func visit(_ name: [UInt8], in folder: String) -> TreeEntry {
        guard let text = String(validating: name, as: UTF8.self) else {
            return .leftOut(path: joined(folder, String(decoding: name, as: UTF8.self)), reason: "its name is not UTF-8, so it cannot be an id")
        }
        let path = joined(folder, text)
        guard path.utf8.count <= pathBytesMax else {
            return .leftOut(path: path, reason: "its path has \(path.utf8.count) bytes; as an id it may have \(pathBytesMax)")
        }
        do {
            return try entry(path)
        } catch {
            return .leftOut(path: path, reason: error.problem)
        }
    }

    private mutating func entry(_ path: String) throws(IngestError) -> TreeEntry {
        let status = try FileStatus.of(location(path), followingLinks: false)
        switch status.kind {
        case .file: return .file(path: path, status)
        case .link: return .leftOut(path: path, reason: "a symbolic link, not followed")
        case .other: return .leftOut(path: path, reason: "neither a file nor a folder")
        case .directory:
            guard levels.count < Limits.treeDepthMax else { return .leftOut(path: path, reason: "over \(Limits.treeDepthMax) folders deep") }
            return try enter(path)
        }
    }

    private mutating func enter(_ path: String) throws(IngestError) -> TreeEntry {
        let names = try Directory.names(in: location(path)).sorted { $1.lexicographicallyPrecedes($0) }
        levels.append(Level(path: path, names: names))
        return .folder(path: path, names: Set(names.compactMap { String(validating: $0, as: UTF8.self) }))
    }

    /// Where a path of the tree lies in the file system.
    func location(_ path: String) -> String { path.isEmpty ? root : root + "/" + path }

    private func joined(_ folder: String, _ name: String) -> String { folder.isEmpty ? name : folder + "/" + name }
}
