// Who is at the other end of a connection, as far as its credential proves it.
import Engine
import Wire

/// What a credential is good for. Roles add up; none includes another.
enum Role: String, CaseIterable, Sendable {
    /// Asks on behalf of others: what readers and writers may, and `as`.
    case service
    /// Stores and changes documents.
    case writer
    /// Searches and reads.
    case reader
    /// Administers, which is not reading: everything but documents.
    case admin
}

/// The owner of a verified credential. A class, so that a request carries it for the price of one reference.
final class Identity: Sendable {
    /// Of the credential, not of a person: `front`, `jwt:2026-10`, `local`.
    let name: String
    let roles: Set<Role>
    /// Whom it is, where it is somebody.
    let caller: Caller?
    /// The only collections there are for it; nil for all.
    let collections: [String]?
    /// Unix milliseconds from which on it is nobody any more; nil where it lasts.
    let expires: Int64?

    init(name: String, roles: Set<Role>, caller: Caller? = nil, collections: [String]? = nil, expires: Int64? = nil) {
        self.name = name
        self.roles = roles
        self.caller = caller
        self.collections = collections
        self.expires = expires
    }

    /// Whoever connects where no authentication is configured.
    static let local = Identity(name: "local", roles: Set(Role.allCases))

    func isExpired(at milliseconds: Int64) -> Bool { expires.map { milliseconds >= $0 } ?? false }

    /// Compared as bytes: to Swift two strings that differ there can be equal.
    func mayKnow(collection name: String) -> Bool { collections?.contains { $0.utf8.elementsEqual(name.utf8) } ?? true }

    var info: IdentityInfo {
        IdentityInfo(name: name, roles: Role.allCases.filter(roles.contains).map(\.rawValue), caller: caller, collections: collections)
    }
}
