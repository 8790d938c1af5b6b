// The file given by `--auth`: which credentials there are, and what each is good for.
#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif
import Engine
import Storage
import Wire

/// What the file says, checked. See the module's page for its form.
struct AuthenticationConfiguration: Sendable {
    struct Key: Sendable {
        /// SHA-256 of the key.
        var digest: [UInt8]
        var identity: Identity
    }

    /// What signs tokens.
    struct Signer: Sendable {
        enum Material: Sendable {
            case hs256(secret: [UInt8])
            case edDSA(publicKey: [UInt8])
        }

        var material: Material
        /// Tokens name the signer by it; nil takes tokens whatever they name.
        var kid: String?
        /// Tokens must be made for it; nil takes only tokens that are made for nobody in particular.
        var audience: String?

        var algorithm: String {
            switch material {
            case .hs256: "HS256"
            case .edDSA: "EdDSA"
            }
        }
    }

    private(set) var keys: [Key] = []
    private(set) var signers: [Signer] = []

    static let keysMax = 1024
    static let signersMax = 16
    /// As long as what HS256 makes of it (RFC 7518, 3.2).
    private static let secretBytesMin = 32

    init(path: String) throws(AuthenticationError) {
        let bytes: [UInt8]
        do { bytes = try SecretFile.read(path) } catch { throw AuthenticationError(description: error.description) }
        do throws(AuthenticationError) { try self.init(bytes) } catch { throw AuthenticationError(description: "\(path): \(error)") }
    }

    init(_ bytes: [UInt8]) throws(AuthenticationError) {
        let root: JSONTree
        do { root = try JSONTree(parsing: bytes) } catch { throw AuthenticationError(description: "not JSON as it should be: \(error)") }
        let members = try Members(root, "the file", allowed: ["keys", "jwt"])
        for (place, entry) in try members.entries("keys", max: Self.keysMax) { keys.append(try Self.key(entry, place)) }
        for (place, entry) in try members.entries("jwt", max: Self.signersMax) { signers.append(try Self.signer(entry, place)) }
        guard !keys.isEmpty || !signers.isEmpty else { throw AuthenticationError(description: "names no credential, so nobody could ever come in") }
        try checkDistinct()
    }

    private static func key(_ entry: JSONTree, _ place: String) throws(AuthenticationError) -> Key {
        let members = try Members(entry, place, allowed: ["name", "sha256", "roles", "collections", "user", "agent"])
        let name = try members.required("name")
        guard isName(name) else { throw members.invalid("name", "1 to 128 of A-Z, a-z, 0-9, _, -, .") }
        guard let digest = bytes(ofHex: try members.required("sha256")), digest.count == 32 else { throw members.invalid("sha256", "64 hexadecimal digits: the SHA-256 of the key") }
        var roles: Set<Role> = []
        for role in try members.strings("roles") ?? [] {
            guard let role = Role(rawValue: role) else { throw members.invalid("roles", "names of \(Role.allCases.map(\.rawValue).joined(separator: ", "))") }
            roles.insert(role)
        }
        guard !roles.isEmpty else { throw members.invalid("roles", "at least one role: without, a key opens nothing") }
        let identity = Identity(
            name: name, roles: roles, caller: try members.caller(), collections: try members.strings("collections"))
        return Key(digest: digest, identity: identity)
    }

    private static func signer(_ entry: JSONTree, _ place: String) throws(AuthenticationError) -> Signer {
        let members = try Members(entry, place, allowed: ["algorithm", "secret_base64", "public_key_base64", "kid", "audience"])
        let material: Signer.Material
        switch try members.required("algorithm") {
        case "HS256":
            try members.checkAbsent("public_key_base64", "goes with EdDSA")
            let secret = try members.base64("secret_base64")
            guard secret.count >= secretBytesMin else { throw members.invalid("secret_base64", "at least \(secretBytesMin) bytes: a shorter secret can be guessed") }
            material = .hs256(secret: secret)
        case "EdDSA":
            try members.checkAbsent("secret_base64", "goes with HS256")
            let key = try members.base64("public_key_base64")
            guard key.count == 32 else { throw members.invalid("public_key_base64", "the 32 bytes of an Ed25519 public key") }
            material = .edDSA(publicKey: key)
        default: throw members.invalid("algorithm", "HS256 or EdDSA")
        }
        return Signer(material: material, kid: try members.string("kid"), audience: try members.string("audience"))
    }

    /// What is told apart by name in logs and answers must not share one.
    private func checkDistinct() throws(AuthenticationError) {
        var met: Set<String> = []
        for key in keys where !met.insert(key.identity.name).inserted {
            throw AuthenticationError(description: "two keys are called \"\(key.identity.name)\"")
        }
        var digests: Set<[UInt8]> = []
        for key in keys where !digests.insert(key.digest).inserted {
            throw AuthenticationError(description: "the key of \"\(key.identity.name)\" has another name as well")
        }
        var kids: Set<String> = []
        for signer in signers where !kids.insert(signer.kid ?? "").inserted {
            throw AuthenticationError(description: signer.kid.map { "two entries of jwt have the kid \"\($0)\"" } ?? "two entries of jwt have no kid")
        }
    }

    private static func isName(_ text: String) -> Bool {
        (1...Limits.nameBytesMax).contains(text.utf8.count)
            && text.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
                    UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "."):
                    true
                default: false
                }
            }
    }

    private static func bytes(ofHex text: String) -> [UInt8]? {
        let digits = text.utf8.map { Character(Unicode.Scalar($0)).hexDigitValue }
        guard digits.count.isMultiple(of: 2) else { return nil }
        var bytes: [UInt8] = []
        for at in stride(from: 0, to: digits.count, by: 2) {
            guard let high = digits[at], let low = digits[at + 1] else { return nil }
            bytes.append(UInt8(high << 4 | low))
        }
        return bytes
    }
}

/// Why a daemon does not start with this file, for the person who wrote it. Never shows a secret.
struct AuthenticationError: Error, CustomStringConvertible {
    var description: String
}

/// An object of the file, each refusal naming its place.
private struct Members {
    private let members: [String: JSONTree]
    private let place: String

    init(_ value: JSONTree, _ place: String, allowed: Set<String>) throws(AuthenticationError) {
        guard case .object(let members) = value else { throw AuthenticationError(description: "\(place) must be an object") }
        // A misspelt "collections" would open all of them.
        if let unknown = members.keys.sorted().first(where: { !allowed.contains($0) }) {
            throw AuthenticationError(description: "\(place) has a member \"\(unknown)\"; there are: \(allowed.sorted().joined(separator: ", "))")
        }
        self.members = members
        self.place = place
    }

    func invalid(_ name: String, _ expected: String) -> AuthenticationError {
        AuthenticationError(description: "\(place).\(name) must be \(expected)")
    }

    func string(_ name: String) throws(AuthenticationError) -> String? {
        guard let value = members[name] else { return nil }
        guard let text = value.string, !text.isEmpty else { throw invalid(name, "a string of at least one byte") }
        return text
    }

    func required(_ name: String) throws(AuthenticationError) -> String {
        guard let text = try string(name) else { throw AuthenticationError(description: "\(place) needs \"\(name)\"") }
        return text
    }

    func strings(_ name: String) throws(AuthenticationError) -> [String]? {
        guard let value = members[name] else { return nil }
        guard case .array(let elements) = value else { throw invalid(name, "an array of strings") }
        var texts: [String] = []
        for element in elements {
            guard let text = element.string else { throw invalid(name, "an array of strings") }
            texts.append(text)
        }
        return texts
    }

    func base64(_ name: String) throws(AuthenticationError) -> [UInt8] {
        guard let data = Data(base64Encoded: try required(name)) else { throw invalid(name, "base64 (RFC 4648, padded)") }
        return Array(data)
    }

    func checkAbsent(_ name: String, _ reason: String) throws(AuthenticationError) {
        if members[name] != nil { throw AuthenticationError(description: "\(place).\(name) \(reason)") }
    }

    func caller() throws(AuthenticationError) -> Caller? {
        let caller = Caller(user: try principal("user", .user), agent: try principal("agent", .agent))
        return caller.user == nil && caller.agent == nil ? nil : caller
    }

    private func principal(_ name: String, _ kind: PrincipalKind) throws(AuthenticationError) -> String? {
        guard let text = try string(name) else { return nil }
        guard kind.isName(text) else { throw invalid(name, "\"\(kind.prefix)\" and a name") }
        return text
    }

    func entries(_ name: String, max: Int) throws(AuthenticationError) -> [(place: String, entry: JSONTree)] {
        guard let value = members[name] else { return [] }
        guard case .array(let elements) = value else { throw AuthenticationError(description: "\"\(name)\" must be an array") }
        guard elements.count <= max else { throw AuthenticationError(description: "\"\(name)\" has \(elements.count) entries; there may be \(max)") }
        return elements.enumerated().map { ("\(name)[\($0.offset)]", $0.element) }
    }
}
