// JSONL with the vectors in a matrix beside it: row i is the vector of record i.
import Wire

/// Walks both files in step. A rejected record uses up its row all the same, so that the others keep theirs; blank
/// lines are no records. Files of different lengths are an error when the shorter one ends, because from some
/// unknown place on every vector may belong to another record.
package struct PairedSource: DocumentSource, ~Copyable {
    private var records: RecordSource
    private var rows: MatrixReader

    package init(
        records path: String, options: RecordOptions = RecordOptions(), vectors: String, format: MatrixFormat
    ) throws(IngestError) {
        let records = try RecordSource(path: path, options: options, isVectorBeside: true)
        let rows = try MatrixReader(path: vectors, format: format)
        if let dimension = options.dimension, dimension != rows.dimension {
            throw IngestError(file: vectors, "expected vectors of \(dimension) numbers, found \(rows.dimension)")
        }
        self.init(records, rows)
    }

    private init(_ records: consuming RecordSource, _ rows: consuming MatrixReader) {
        self.records = records
        self.rows = rows
    }

    package var dimension: Int { rows.dimension }

    package var progress: SourceProgress {
        let (left, right) = (records.progress, rows.progress)
        let total = left.bytesTotal.flatMap { left in right.bytesTotal.map { left + $0 } }
        return SourceProgress(bytesRead: left.bytesRead + right.bytesRead, bytesTotal: total)
    }

    package mutating func next() throws(IngestError) -> SourceItem? {
        let item = try records.next()
        // The records passed over, at the start or at the end, have their rows passed over too.
        let passed = records.recordCount - (item == nil ? 0 : 1) - rows.rowCount
        if passed > 0, try rows.skipRows(passed) < passed { throw try mismatch() }
        let row = try rows.next()
        switch (item, row) {
        case (nil, nil): return nil
        case (let item?, let row?): return Self.joined(item, row, number: rows.rowCount - 1, in: rows.name)
        default: throw try mismatch()
        }
    }

    private static func joined(_ item: SourceItem, _ row: MatrixRow, number: Int, in file: String) -> SourceItem {
        guard case .document(var document, let position) = item else { return item }
        switch row {
        case .invalid(let reason):
            let place = "row \(number) of \(file), the vector of \"\(document.id)\""
            return .rejected(Rejection(.invalid, at: position, reason: "\(place): \(reason)"))
        case .vector(let vector):
            document.chunks[0].vector = vector
            return .document(document, position)
        }
    }

    /// Reads both to their ends, to name both counts.
    private mutating func mismatch() throws(IngestError) -> IngestError {
        _ = try records.countRest()
        _ = try rows.skipRows(.max)
        return IngestError(
            file: rows.name, "expected a vector for each of the \(records.recordCount) records of \(records.name), found \(rows.rowCount)",
            remedy: "what was read so far may have been paired wrongly: find the row that is missing and load again")
    }
}
