// What goes wrong at the database's edge, said by what the caller can do about it.
import Storage

/// An operation that was refused or failed. `code` is stable, `message` is for people and says what to do.
package struct EngineError: Error, Equatable, Sendable, CustomStringConvertible {
    package enum Code: String, CaseIterable, Sendable {
        case unknownCollection = "unknown_collection"
        case collectionExists = "collection_exists"
        case unknownSpace = "unknown_space"
        case undeclaredField = "undeclared_field"
        case invalidValue = "invalid_value"
        case dimensionMismatch = "dimension_mismatch"
        case limitExceeded = "limit_exceeded"
        case versionConflict = "version_conflict"
        case notFound = "not_found"
        case deadlineExceeded = "deadline_exceeded"
        case behind = "behind"
        case diskFull = "disk_full"
        case outcomeUnknown = "outcome_unknown"
        case readOnly = "read_only"
        case diskFailed = "disk_failed"
        case dataDamaged = "data_damaged"
        case snapshotExists = "snapshot_exists"
        case unknownSnapshot = "unknown_snapshot"
        case callerRequired = "caller_required"
        case unknownAgent = "unknown_agent"
        case unknownFilter = "unknown_filter"
        case cursorEnded = "cursor_ended"
    }

    /// Whether the same request may succeed another time.
    package enum Retry: String, Sendable {
        case never, later
        case afterFix = "after_fix"
    }

    package var code: Code
    package var message: String
    /// The part of the request it is about, as a path: `records[3].vector`.
    package var field: String?

    package init(_ code: Code, _ message: String, field: String? = nil) {
        self.code = code
        self.message = message
        self.field = field
    }

    package var retry: Retry {
        switch code {
        case .diskFull, .behind, .deadlineExceeded: .later
        case .outcomeUnknown, .readOnly, .diskFailed, .dataDamaged: .never
        default: .afterFix
        }
    }

    package var description: String { field.map { "\(code.rawValue) (\($0)): \(message)" } ?? "\(code.rawValue): \(message)" }

    /// The same error about a part of a larger request.
    func inside(_ prefix: String) -> EngineError {
        EngineError(code, message, field: field.map { "\(prefix).\($0)" } ?? prefix)
    }

    /// What a failed log append means to whoever asked for the write.
    init(_ error: LogError) {
        switch error {
        case .disk(let disk) where disk.isFull:
            self.init(.diskFull, "the disk is full: nothing of this request was stored; free space and send it again (\(disk))")
        case .outcomeUnknown(let disk):
            self.init(.outcomeUnknown, "the disk failed while storing this request: it may or may not be there after a restart; writes have stopped, reads go on (\(disk))")
        case .disk(let disk), .stopped(let disk):
            self.init(.readOnly, "writes have stopped after a disk failure, reads go on; repair the disk and restart (\(disk))")
        case .corruption(let corruption):
            self.init(.readOnly, "the log is damaged: \(corruption)")
        }
    }
}
