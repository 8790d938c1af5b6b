// From a path to the source that reads it: by what it is in the file system, then by its name.

/// What the caller of `openSource` decides, for whatever kind of source it turns out to be.
package struct SourceOptions: Sendable {
    package var records = RecordOptions()
    package var tree: TreeOptions
    /// A matrix beside JSONL.
    package var vectors: String?
    /// Numbers in a row, for files of bare numbers.
    package var dimension: Int?

    package init(tree: TreeOptions) { self.tree = tree }
}

/// The source for a path: a folder is a tree, `-` and `.jsonl`, `.ndjson`, `.json` are records, and the matrix formats go
/// by their endings. Anything else is refused, as a guess would load rubbish under ids that look right.
package func openSource(_ path: String, _ options: SourceOptions) throws(IngestError) -> any DocumentSource & ~Copyable {
    if path == "-" || recordEndings.contains(fileExtension(of: path)) { return try openRecords(path, options) }
    if let vectors = options.vectors {
        throw IngestError(file: vectors, "expected JSONL for these vectors to stand beside, found \(path)")
    }
    if try FileStatus.of(path, followingLinks: true).kind == .directory { return try TreeSource(path: path, options: options.tree) }
    guard let format = try MatrixFormat(path: path, dimension: options.dimension) else {
        throw IngestError(
            file: path, "expected a folder, JSONL (.jsonl, .ndjson, .json) or a matrix (\(matrixEndings)), by its name",
            remedy: "rename it, or pipe JSONL in as -")
    }
    return try MatrixSource(path: path, format: format, firstRow: options.records.firstRecord)
}

private func openRecords(_ path: String, _ options: SourceOptions) throws(IngestError) -> any DocumentSource & ~Copyable {
    guard let vectors = options.vectors else { return try RecordSource(path: path, options: options.records) }
    guard let format = try MatrixFormat(path: vectors, dimension: options.dimension) else {
        throw IngestError(file: vectors, "expected a matrix (\(matrixEndings)), by its name")
    }
    return try PairedSource(records: path, options: options.records, vectors: vectors, format: format)
}

private let recordEndings: Set<String> = ["jsonl", "ndjson", "json"]
private let matrixEndings = ".npy, .f32, .f16, .u8, .fvecs, .bvecs, .ivecs"
