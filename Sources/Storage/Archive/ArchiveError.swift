// What goes wrong when a snapshot is carried out of a database or into a new one.
package import Memory

/// Why an archive cannot be made or restored.
package enum ArchiveError: Error, Equatable, Sendable, CustomStringConvertible {
    case disk(DiskError)
    case corruption(Corruption)
    /// The archives that were given are whole and do not make a database: why, for a person.
    case refused(String)
    /// All was read, and the database that it makes is not sound.
    case unsound(VerificationReport)

    package var description: String {
        switch self {
        case .disk(let error): "\(error)"
        case .corruption(let error): "\(error)"
        case .refused(let reason): reason
        case .unsound(let report):
            "what was restored is not sound: " + (report.problems.map(\.description) + report.notes).joined(separator: "; ")
        }
    }
}
