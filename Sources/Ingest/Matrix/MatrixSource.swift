// A file of vectors as documents: the row's number is the id, the row is the vector.
import Wire

/// Vectors without anything else. A row with a number that is not finite is rejected, and reading goes on.
package struct MatrixSource: DocumentSource, ~Copyable {
    private var rows: MatrixReader
    private let firstRow: Int

    /// - Parameter firstRow: rows before it are passed over: where a load that stopped goes on.
    package init(path: String, format: MatrixFormat, firstRow: Int = 0) throws(IngestError) {
        rows = try MatrixReader(path: path, format: format)
        self.firstRow = firstRow
    }

    package var dimension: Int { rows.dimension }
    package var rowCountDeclared: Int? { rows.rowCountDeclared }
    package var progress: SourceProgress { rows.progress }

    package mutating func next() throws(IngestError) -> SourceItem? {
        if rows.rowCount < firstRow { _ = try rows.skipRows(firstRow - rows.rowCount) }
        let number = rows.rowCount
        let offset = rows.offset
        guard let row = try rows.next() else { return nil }
        let position = SourcePosition(row: number, offset: offset)
        switch row {
        case .invalid(let reason): return .rejected(Rejection(.invalid, at: position, reason: reason))
        case .vector(let vector):
            var document = OutgoingDocument(id: number.description)
            document.chunks = [OutgoingChunk(vector: vector)]
            return .document(document, position)
        }
    }
}
