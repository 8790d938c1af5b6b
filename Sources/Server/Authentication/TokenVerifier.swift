// Signed tokens: JWT by HS256 or EdDSA, each key with its own algorithm whatever a token says of itself.
import Crypto
#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif
import Engine
import JWTKit
import Wire

/// The keys that signed tokens are held against.
struct TokenVerifier: Sendable {
    fileprivate struct Key: Sendable {
        let kid: String?
        let audience: String?
        /// JWTKit's, for this key: it verifies without waiting, where the library's own collection of keys is an actor.
        let algorithm: any JWTAlgorithm
    }

    private let keys: [Key]

    init(_ signers: [AuthenticationConfiguration.Signer]) async throws {
        var keys: [Key] = []
        for signer in signers {
            let collection = JWTKeyCollection()
            switch signer.material {
            case .hs256(let secret): await collection.add(hmac: HMACKey(from: secret), digestAlgorithm: .sha256)
            case .edDSA(let publicKey):
                await collection.add(eddsa: EdDSA.PublicKey(backing: try Curve25519.Signing.PublicKey(rawRepresentation: publicKey)))
            }
            keys.append(Key(kid: signer.kid, audience: signer.audience, algorithm: try await collection.getKey()))
        }
        self.keys = keys
    }

    /// Claims are not looked at before a key has been found that signed them.
    func identity(of token: String, nowMilliseconds: Int64) -> Identity? {
        guard let token = SignedToken(token), case .object(let header) = JSONTree(bytes: token.header) else { return nil }
        // What must be understood (RFC 7515, 4.1.11) is not: this understands nothing beyond the standard.
        guard header["crit"] == nil, let algorithm = header["alg"]?.string else { return nil }
        for key in keys where key.algorithm.name == algorithm && (key.kid == nil || key.kid == header["kid"]?.string) {
            guard key.hasSigned(token) else { continue }
            guard let claims = JSONTree(bytes: token.claims).flatMap(Claims.init), claims.isInForce(at: nowMilliseconds), claims.isMade(for: key.audience)
            else { return nil }
            return claims.identity(name: "jwt:\(key.kid ?? key.algorithm.name)")
        }
        return nil
    }
}

extension TokenVerifier.Key {
    fileprivate func hasSigned(_ token: SignedToken) -> Bool {
        do { return try algorithm.verify(token.signature, signs: token.signed) } catch {
            // Bytes that cannot be a signature are none.
            return false
        }
    }
}

/// The parts of a token (RFC 7515, 7.1), decoded and not yet believed.
private struct SignedToken {
    let header: [UInt8]
    let claims: [UInt8]
    let signature: [UInt8]
    /// What the signature is about: the first two parts as they came.
    let signed: [UInt8]

    init?(_ token: String) {
        let parts = token.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard parts.count == 3, let header = Self.bytes(parts[0]), let claims = Self.bytes(parts[1]), let signature = Self.bytes(parts[2]) else { return nil }
        (self.header, self.claims, self.signature) = (header, claims, signature)
        signed = Array(parts[0]) + [UInt8(ascii: ".")] + Array(parts[1])
    }

    /// Base64 in the alphabet of URLs, without padding.
    private static func bytes(_ part: Substring.UTF8View) -> [UInt8]? {
        var plain: [UInt8] = []
        for byte in part {
            switch byte {
            case UInt8(ascii: "-"): plain.append(UInt8(ascii: "+"))
            case UInt8(ascii: "_"): plain.append(UInt8(ascii: "/"))
            case UInt8(ascii: "+"), UInt8(ascii: "/"), UInt8(ascii: "="): return nil
            default: plain.append(byte)
            }
        }
        while !plain.count.isMultiple(of: 4) { plain.append(UInt8(ascii: "=")) }
        return Data(base64Encoded: Data(plain)).map { Array($0) }
    }
}

/// What a token says. Claims that are not here are not looked at.
private struct Claims {
    private let caller: Caller?
    private let collections: [String]?
    private let roles: Set<Role>
    private let audiences: [String]?
    /// Seconds since 1970, as RFC 7519 has them: fractions are allowed. A token without an end is not taken.
    private let end: Double
    private let start: Double?

    /// Nil where one of the claims is not what it must be.
    init?(_ claims: JSONTree) {
        guard let end = claims["exp"]?.double else { return nil }
        self.end = end
        start = claims["nbf"]?.double
        guard start != nil || claims["nbf"] == nil else { return nil }
        guard let audiences = Self.texts(claims["aud"]), let roles = Self.texts(claims["role"]), let collections = Self.list(claims["collections"]) else { return nil }
        (self.audiences, self.collections) = (audiences, collections)
        // Roles that are not this daemon's may stand beside those that are.
        self.roles = Set((roles ?? []).compactMap(Role.init(rawValue:)))
        guard let user = Self.principal(claims["sub"], .user), let agent = Self.principal(claims["agent"], .agent) else { return nil }
        caller = user == nil && agent == nil ? nil : Caller(user: user, agent: agent)
    }

    func isInForce(at milliseconds: Int64) -> Bool {
        let now = Double(milliseconds) / 1000
        return now < end && now >= start ?? now
    }

    /// A token made for others is not taken, even where the same key signs for both (RFC 7519, 4.1.3).
    func isMade(for audience: String?) -> Bool {
        guard let audience else { return audiences == nil }
        return audiences?.contains { $0.utf8.elementsEqual(audience.utf8) } ?? false
    }

    func identity(name: String) -> Identity {
        // Beyond 2^43 seconds lies no time that anybody means.
        Identity(name: name, roles: roles, caller: caller, collections: collections, expires: Int64((min(end, 0x1p43) * 1000).rounded(.up)))
    }

    // MARK: Values

    // Each is nil where it is wrong, and holds nil where it is not there.

    private static func list(_ value: JSONTree?) -> [String]?? {
        guard let value else { return .some(nil) }
        guard case .array(let elements) = value else { return nil }
        let texts = elements.compactMap(\.string)
        return texts.count == elements.count ? .some(texts) : nil
    }

    /// A list, or one text.
    private static func texts(_ value: JSONTree?) -> [String]?? {
        value?.string.map { .some([$0]) } ?? list(value)
    }

    private static func principal(_ value: JSONTree?, _ kind: PrincipalKind) -> String?? {
        guard let value else { return .some(nil) }
        return value.string.flatMap { kind.isName($0) ? .some($0) : nil }
    }
}

extension JSONTree {
    /// Nil for what the protocol's own reader does not take.
    fileprivate init?(bytes: [UInt8]) {
        do { try self.init(parsing: bytes) } catch {
            // Whatever it lacks, the token is not valid, and whoever sent it is told no more.
            return nil
        }
    }
}
