// Why reading had to stop: which file, where in it, what was expected and what can be done.

/// A file that cannot be read on. A single bad row is not one of these: it is a `Rejection`, and reading goes on.
package struct IngestError: Error, Equatable, Sendable, CustomStringConvertible {
    /// Where in the file.
    package enum Place: Equatable, Sendable {
        case whole
        /// Offset in the file as it lies on disk, so within the compressed bytes of a compressed file.
        case byte(Int)
        /// Counted from 0, as matrix rows are.
        case row(Int)
    }

    /// The file's path as it was given, or "standard input".
    package var file: String
    package var place: Place
    /// What was expected and what was there instead.
    package var problem: String
    /// What the caller can do, where there is something to be done.
    package var remedy: String?

    package init(file: String, at place: Place = .whole, _ problem: String, remedy: String? = nil) {
        self.file = file
        self.place = place
        self.problem = problem
        self.remedy = remedy
    }

    package var description: String {
        let position = switch place {
        case .whole: ""
        case .byte(let offset): ", byte \(offset)"
        case .row(let row): ", row \(row)"
        }
        return "\(file)\(position): \(problem)" + (remedy.map { "; \($0)" } ?? "")
    }
}

/// Why one row is not a document, without saying where it stands: whoever holds the row knows that.
struct RowError: Error, Equatable {
    let reason: String
    init(_ reason: String) { self.reason = reason }
}
