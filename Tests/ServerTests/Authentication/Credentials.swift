// Keys and tokens for tests, the forged ones included: put together byte by byte, by no library for tokens.
import Crypto
import Foundation
import TestSupport
import Wire

/// A configuration as it grows: the file's JSON, and what opens each of its locks.
struct Credentials {
    private var keys: [String] = []
    private var signers: [String] = []

    var json: String { #"{"keys":[\#(keys.joined(separator: ","))],"jwt":[\#(signers.joined(separator: ","))]}"# }

    /// The token of a new key; `members` are JSON and stand behind its roles.
    mutating func key(_ name: String, _ roles: [String], _ members: String...) -> String {
        let token = "key-of-\(name)"
        let texts = roles.map { #""\#($0)""# }.joined(separator: ",")
        let entry = [#""name":"\#(name)""#, #""sha256":"\#(Self.digest(token))""#, #""roles":[\#(texts)]"#] + members
        keys.append("{\(entry.joined(separator: ","))}")
        return token
    }

    mutating func signer(_ entry: String) { signers.append(entry) }

    static func digest(_ key: String) -> String { SHA256.hash(data: Data(key.utf8)).map { String(format: "%02x", $0) }.joined() }
}

/// Signs anything.
struct Forge {
    let secret = Array("a secret of the tests, 32 bytes and more".utf8)
    let privateKey = Curve25519.Signing.PrivateKey()

    var publicKey: [UInt8] { Array(privateKey.publicKey.rawRepresentation) }

    /// Knows the secret as `h` and the public key as `e`.
    var signers: [String] {
        [
            #"{"algorithm":"HS256","secret_base64":"\#(Data(secret).base64EncodedString())","kid":"h"}"#,
            #"{"algorithm":"EdDSA","public_key_base64":"\#(Data(publicKey).base64EncodedString())","kid":"e"}"#,
        ]
    }

    func hs256(_ claims: String, header: String = #"{"alg":"HS256","typ":"JWT","kid":"h"}"#, secret: [UInt8]? = nil) -> String {
        Self.signed(header, claims) { Array(HMAC<SHA256>.authenticationCode(for: $0, using: SymmetricKey(data: secret ?? self.secret))) }
    }

    func hs512(_ claims: String, header: String) -> String {
        Self.signed(header, claims) { Array(HMAC<SHA512>.authenticationCode(for: $0, using: SymmetricKey(data: secret))) }
    }

    func edDSA(_ claims: String, header: String = #"{"alg":"EdDSA","kid":"e"}"#) throws -> String {
        try Self.signed(header, claims) { Array(try privateKey.signature(for: $0)) }
    }

    static func signed(_ header: String, _ claims: String, _ sign: ([UInt8]) throws -> [UInt8]) rethrows -> String {
        let text = base64URL(Array(header.utf8)) + "." + base64URL(Array(claims.utf8))
        return text + "." + base64URL(try sign(Array(text.utf8)))
    }

    static func base64URL(_ bytes: [UInt8]) -> String {
        Data(bytes).base64EncodedString().replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
    }

    /// Claims that end in so many seconds.
    static func claims(endingIn seconds: Double = 600, _ more: String = #""role":"reader""#) -> String {
        #"{"exp":\#(Int(Date().timeIntervalSince1970 + seconds)),\#(more)}"#
    }
}

extension LineConnection {
    /// What the daemon takes whoever has this token for; throws where it lets nobody in.
    @discardableResult
    func hello(_ token: String) throws -> String {
        let answer = try ok(#"{"id":0,"op":"hello","token":\#(quoted(token))}"#)
        return answer.text.split(separator: #""identity":"#)[1].split(separator: #","limits""#).first.map(String.init) ?? ""
    }

    /// Whether a token is refused as every wrong one is: one answer that tells nothing, then the end.
    func isTurnedAway(_ token: String) throws -> Bool {
        try sendLine(#"{"id":0,"op":"hello","token":\#(quoted(token))}"#)
        guard try receiveLine() == #"{"id":0,"ok":false,"error":{"code":"unauthenticated","message":"the token is not valid","retry":"after_fix"}}"# else { return false }
        return try receiveLine() == nil
    }

    private func quoted(_ text: String) -> String {
        "\"" + text.unicodeScalars.map { $0.value < 32 || $0 == "\"" || $0 == "\\" ? String(format: "\\u%04x", $0.value) : String($0) }.joined() + "\""
    }
}
