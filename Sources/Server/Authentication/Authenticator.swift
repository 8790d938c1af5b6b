// From a token to an identity, or to nothing at all.
import Crypto
import Engine
import JWTKit

/// Knows the credentials of one configuration. Any thread; nothing in it changes.
///
/// A static key costs a hash and as many comparisons as there are keys, a signed token a hash (HS256) or about 50 microseconds of curve
/// arithmetic (EdDSA): little enough for the worker whose turn it is.
struct Authenticator: Sendable {
    private let keys: [AuthenticationConfiguration.Key]
    private let tokens: TokenVerifier

    init(_ configuration: AuthenticationConfiguration) async throws {
        keys = configuration.keys
        tokens = try await TokenVerifier(configuration.signers)
    }

    /// Whose token this is, now; nil where it is nobody's, and why is not told.
    func identity(of token: String, nowMilliseconds: Int64) -> Identity? {
        key(token) ?? tokens.identity(of: token, nowMilliseconds: nowMilliseconds)
    }

    /// All digests are compared, each in constant time, so that time tells neither how near a guess came nor which key it was near to.
    private func key(_ token: String) -> Identity? {
        let digest = SHA256.hash(data: Array(token.utf8))
        var found: Identity?
        for key in keys where digest == key.digest { found = key.identity }
        return found
    }
}
