// Who is behind the ids in a chat export: its list of people.
import Wire

/// Names by user id.
struct ChatNames: Equatable, Sendable {
    private var names: [String: String] = [:]

    init() {}

    /// Reads the export's `users.json`. Entries without an id name nobody and are passed over.
    init(_ root: JSONValue) throws(RowError) {
        guard var people = root.elements else { throw RowError("expected an array of users, found \(root.kind.name)") }
        while let person = people.next() {
            guard var members = person.members else { throw RowError("expected a user, found \(person.kind.name)") }
            var id: String?
            var candidates = NameCandidates()
            while let member = try members.nextInRow() {
                switch member.key {
                case "id": id = member.value.string
                case "profile": try candidates.read(profile: member.value)
                case "real_name": candidates.realName = candidates.realName ?? member.value.string
                case "name": candidates.shortName = member.value.string
                default: break
                }
            }
            if let id { names[id] = candidates.best ?? id }
        }
    }

    subscript(id: String) -> String? { names[id] }
}

/// The names that a person or a message offers, of which people see the first that is not empty.
struct NameCandidates {
    var displayName: String?
    var realName: String?
    var shortName: String?

    mutating func read(profile: JSONValue) throws(RowError) {
        guard var members = profile.members else { return }
        while let member = try members.nextInRow() {
            switch member.key {
            case "display_name": displayName = member.value.string
            case "real_name": realName = member.value.string ?? realName
            case "name": shortName = member.value.string ?? shortName
            default: break
            }
        }
    }

    var best: String? { [displayName, realName, shortName].compactMap { $0 }.first { !$0.isEmpty } }
}
