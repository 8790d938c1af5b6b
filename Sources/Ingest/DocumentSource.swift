// What every source is to the loader: documents and rejected rows, pulled one at a time.
package import Wire

/// Documents out of a file or a tree, in an order that repeats from run to run.
///
/// Pull until nil. A row that makes no document is an item too, so that nothing is dropped unseen. A thrown error
/// ends the source: what came before it stands, and nothing follows.
package protocol DocumentSource: ~Copyable, Sendable {
    mutating func next() throws(IngestError) -> SourceItem?
    var progress: SourceProgress { get }
}

package enum SourceItem: Equatable, Sendable {
    case document(OutgoingDocument, SourcePosition)
    case rejected(Rejection)
}

/// Where an item stands in its source.
package struct SourcePosition: Equatable, Sendable {
    /// Path of the file within a tree; nil where the source is one file.
    package var file: String?
    /// The line of a text, from 1; the row of a matrix or the message of a chat file, from 0; 0 for a whole file.
    package var row: Int
    /// Where the row begins, in bytes of the decompressed file.
    package var offset: Int

    package init(file: String? = nil, row: Int, offset: Int) {
        self.file = file
        self.row = row
        self.offset = offset
    }
}

/// A row or file that makes no document, and why.
package struct Rejection: Equatable, Sendable {
    package enum Kind: Equatable, Sendable {
        /// It should have made a document and cannot.
        case invalid
        /// It was never going to: a file of another kind, a symbolic link.
        case skipped
    }

    package var kind: Kind
    package var position: SourcePosition
    package var reason: String
    /// The row as it was, where it is UTF-8 text and within the line limit: what a person repairs and loads again.
    package var row: String?

    package init(_ kind: Kind, at position: SourcePosition, reason: String, row: String? = nil) {
        self.kind = kind
        self.position = position
        self.reason = reason
        self.row = row
    }
}

/// How far a source has read, in bytes as they lie on disk (compressed ones for a compressed file).
package struct SourceProgress: Equatable, Sendable {
    package var bytesRead: Int
    /// nil where the end is not known in advance, as on a pipe.
    package var bytesTotal: Int?

    package init(bytesRead: Int, bytesTotal: Int?) {
        self.bytesRead = bytesRead
        self.bytesTotal = bytesTotal
    }
}
