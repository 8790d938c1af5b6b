// How much of a document somebody may know.

/// From nothing to everything; each includes those below it.
package enum Grade: UInt8, CaseIterable, Comparable, Sendable {
    /// As if it were not there.
    case none
    /// That it exists: its title and whom to ask, where that is asked for.
    case exists
    /// It ranks, and its text goes to requests made by an agent, marked as such. To a person who asks it is `exists`.
    case derive
    case read

    package static func < (a: Grade, b: Grade) -> Bool { a.rawValue < b.rawValue }

    package init?(name: String) {
        guard let grade = Self.allCases.first(where: { $0.name == name }) else { return nil }
        self = grade
    }

    package var name: String {
        switch self {
        case .none: "none"
        case .exists: "exists"
        case .derive: "derive"
        case .read: "read"
        }
    }
}
