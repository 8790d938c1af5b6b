// Which tokens let in whom, and that no other lets in anybody.
import Crypto
import Foundation
import Testing
import TestSupport
import Wire

@Suite struct TokenTests {
    private let forge = Forge()
    private let served: ServedDatabase
    private let front: String

    init() throws {
        var credentials = Credentials()
        front = credentials.key("front", ["service", "reader"], #""collections":["kb"]"#, #""agent":"agent:front""#)
        _ = credentials.key("other", ["admin"])
        for signer in forge.signers { credentials.signer(signer) }
        served = try ServedDatabase(authentication: credentials.json)
    }

    private func hello(_ token: String) throws -> String { try served.daemon.connect().hello(token) }

    @Test func `a key lets in whom the configuration says`() throws {
        #expect(try hello(front) == #"{"name":"front","roles":["service","reader"],"agent":"agent:front","collections":["kb"]}"#)
        #expect(try hello("key-of-other") == #"{"name":"other","roles":["admin"]}"#)
    }

    @Test func `a signed token lets in whom it says`() throws {
        #expect(try hello(forge.hs256(Forge.claims())) == #"{"name":"jwt:h","roles":["reader"]}"#)
        #expect(try hello(forge.edDSA(Forge.claims(#""role":["writer","cook","service"],"sub":"user:ana","agent":"agent:weekly","collections":["kb"],"iss":"x""#)))
            == #"{"name":"jwt:e","roles":["service","writer"],"user":"user:ana","agent":"agent:weekly","collections":["kb"]}"#)
        #expect(try hello(forge.hs256(Forge.claims(#""collections":[],"nbf":0"#))) == #"{"name":"jwt:h","roles":[],"collections":[]}"#, "no role is no rights, and no error")
        #expect(try hello(forge.hs256(#"{"exp":1e300,"role":["reader"],"x":[1e300,{"y":null}]}"#, header: #"{"x":1e300,"kid":"h","alg":"HS256"}"#)) == #"{"name":"jwt:h","roles":["reader"]}"#)
    }

    @Test func `every other token is refused in the same words`() throws {
        let good = Forge.claims()
        let valid = forge.hs256(good)
        let parts = valid.split(separator: ".").map(String.init)
        let unsigned = Forge.signed(#"{"alg":"none","kid":"h"}"#, good) { _ in [] }
        let wrong: [(what: String, token: String)] = [
            ("nothing", ""), ("a word", "x"), ("a key cut short", String(front.dropLast())), ("a key and more", front + " "), ("another case", front.uppercased()),
            ("a digest instead of its key", Credentials.digest(front)), ("dots", ".."), ("dot", "."), ("two parts", parts[0] + "." + parts[1]), ("four parts", valid + "." + parts[2]),
            ("expired", forge.hs256(Forge.claims(endingIn: -1))), ("without an end", forge.hs256(#"{"role":"reader"}"#)), ("an end as text", forge.hs256(#"{"exp":"4000000000","role":"reader"}"#)),
            ("an end of null", forge.hs256(#"{"exp":null}"#)), ("an end before all times", forge.hs256(#"{"exp":-1e308}"#)), ("not yet", forge.hs256(Forge.claims(#""nbf":4000000000"#))),
            ("unsigned", unsigned), ("unsigned, with the signature of another", unsigned + parts[2]),
            ("said to be None", forge.hs256(good, header: #"{"alg":"None","kid":"h"}"#)), ("no algorithm", forge.hs256(good, header: #"{"kid":"h"}"#)),
            ("another algorithm's name", forge.hs256(good, header: #"{"alg":"HS512","kid":"h"}"#)), ("another algorithm", forge.hs512(good, header: #"{"alg":"HS512","kid":"h"}"#)),
            ("another algorithm by the right name", forge.hs512(good, header: #"{"alg":"HS256","kid":"h"}"#)), ("another case of its name", forge.hs256(good, header: #"{"alg":"hs256","kid":"h"}"#)),
            ("the public key taken for a secret", forge.hs256(good, header: #"{"alg":"HS256","kid":"e"}"#, secret: forge.publicKey)),
            ("the same, said to be EdDSA", forge.hs256(good, header: #"{"alg":"EdDSA","kid":"e"}"#, secret: forge.publicKey)),
            ("the same, under the secret's name", forge.hs256(good, secret: forge.publicKey)), ("a secret's signature said to be EdDSA", forge.hs256(good, header: #"{"alg":"EdDSA","kid":"h"}"#)),
            ("a curve's signature said to be HS256", try forge.edDSA(good, header: #"{"alg":"HS256","kid":"e"}"#)), ("a wrong secret", forge.hs256(good, secret: Array(repeating: 7, count: 32))),
            ("somebody else's curve key", try Forge().edDSA(good)), ("an unknown kid", forge.hs256(good, header: #"{"alg":"HS256","kid":"x"}"#)), ("no kid", forge.hs256(good, header: #"{"alg":"HS256"}"#)),
            ("a kid of null", forge.hs256(good, header: #"{"alg":"HS256","kid":null}"#)), ("a key of its own along", forge.hs256(good, header: #"{"alg":"HS256","jwk":{"kty":"oct","k":"AAAA"}}"#)),
            ("what must be understood and is not", forge.hs256(good, header: #"{"alg":"HS256","kid":"h","crit":["b64"],"b64":true}"#)),
            ("other claims", parts[0] + "." + Forge.base64URL(Array(Forge.claims(#""role":"admin""#).utf8)) + "." + parts[2]), ("no signature", parts[0] + "." + parts[1] + "."),
            ("half a signature", String(valid.dropLast(20))), ("a byte more of signature", valid + "AAAA"), ("a newline", valid + "\n"), ("a space", " " + valid),
            ("a role twice", forge.hs256(Forge.claims(#""role":"reader","role":"admin""#))), ("an algorithm twice", forge.hs256(good, header: #"{"alg":"none","alg":"HS256","kid":"h"}"#)),
            ("claims that are none", forge.hs256("[]")), ("claims that are no JSON", forge.hs256("{")), ("a header that is none", forge.hs256(good, header: "5")),
            ("claims nested deep", forge.hs256(Forge.claims(#""x":"# + String(repeating: "[", count: 100) + String(repeating: "]", count: 100)))),
            ("a role that is a number", forge.hs256(Forge.claims(#""role":5"#))), ("collections that are no list", forge.hs256(Forge.claims(#""collections":"kb""#))),
            ("a person without the word", forge.hs256(Forge.claims(#""sub":"ana""#))), ("a person who is an agent", forge.hs256(Forge.claims(#""sub":"agent:ana""#))),
            ("a person without a name", forge.hs256(Forge.claims(#""sub":"user:""#))), ("a person with a NUL", forge.hs256(Forge.claims(#""sub":"user:a\u0000""#))),
            ("an agent who is a person", forge.hs256(Forge.claims(#""agent":"user:a""#))), ("a name that is too long", forge.hs256(Forge.claims(#""sub":"user:\#(String(repeating: "x", count: 508))""#))),
            ("a header that no integer holds", unsigned.replacing(/^[^.]*/, with: Forge.base64URL(Array(#"{"alg":"HS256","kid":"h","x":1e300}"#.utf8)))),
            ("padded", valid + "="), ("another alphabet", valid.replacing("-", with: "+").replacing("_", with: "/") + "+"), ("a beginning as text", forge.hs256(Forge.claims(#""nbf":"0""#))),
            ("an audience of nobody, unsigned", Forge.signed(#"{"alg":"HS256","kid":"h"}"#, Forge.claims(#""aud":[]"#)) { _ in [] }), ("an audience of nobody", forge.hs256(Forge.claims(#""aud":[]"#))),
            ("made for somebody else", forge.hs256(Forge.claims(#""aud":"payroll""#))),
        ]
        for (what, token) in wrong { #expect(try served.daemon.connect().isTurnedAway(token), "\(what)") }
        #expect(try hello(valid) == #"{"name":"jwt:h","roles":["reader"]}"#)
    }

    @Test func `a token says whom it is for, and the configuration for whom it listens`() throws {
        var credentials = Credentials()
        credentials.signer(#"{"algorithm":"HS256","secret_base64":"\#(Data(forge.secret).base64EncodedString())","audience":"needletail"}"#)
        let daemon = try ServedDatabase(authentication: credentials.json)
        for aud in [#""needletail""#, #"["payroll","needletail"]"#] { #expect(try daemon.daemon.connect().hello(forge.hs256(Forge.claims(#""aud":\#(aud)"#))) == #"{"name":"jwt:HS256","roles":[]}"#) }
        for aud in [#""payroll""#, "[]", #""needletai""#, "null"] { #expect(try daemon.daemon.connect().isTurnedAway(forge.hs256(Forge.claims(#""aud":\#(aud)"#)))) }
        #expect(try daemon.daemon.connect().isTurnedAway(forge.hs256(Forge.claims())))
        // A key without kid takes tokens whatever they name.
        #expect(try daemon.daemon.connect().hello(forge.hs256(Forge.claims(#""aud":"needletail""#), header: #"{"alg":"HS256"}"#)) == #"{"name":"jwt:HS256","roles":[]}"#)
    }

    @Test func `bytes of a token changed at random let nobody else in`() throws {
        let seed = TestSeed(71)
        var random = seed.random
        let originals = [forge.hs256(Forge.claims(#""role":"reader","sub":"user:ana""#)), try forge.edDSA(Forge.claims(#""role":"reader","sub":"user:ana""#)), front]
        let identities = try originals.map { try hello($0) }
        var refused = 0
        for round in 0..<300 {
            let which = round % originals.count
            var bytes = Array(originals[which].utf8)
            for _ in 0..<Int.random(in: 1...3, using: &random) { random.change(&bytes) }
            let token = String(decoding: bytes, as: UTF8.self)
            let connection = try served.daemon.connect()
            do {
                // The last letter of base64 has bits that mean nothing: what is read is then what was signed.
                #expect(try connection.hello(token) == identities[which] && meaning(token) == meaning(originals[which]), "\(token), \(seed)")
            } catch let error as WireError {
                #expect(error.code == "unauthenticated" && error.message == "the token is not valid", "\(token), \(seed)")
                #expect(try connection.receiveLine() == nil)
                refused += 1
            }
        }
        #expect(refused > 250, "\(seed)")
    }

    /// The bytes that a token's parts stand for; of a key, the key.
    private func meaning(_ token: String) -> [Data?] {
        let parts = token.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 3 else { return [Data(token.utf8)] }
        return parts.map { part in
            let plain = part.replacing("-", with: "+").replacing("_", with: "/")
            return Data(base64Encoded: plain + String(repeating: "=", count: (4 - plain.utf8.count % 4) % 4))
        }
    }
}

extension SeededRandom {
    fileprivate mutating func change(_ bytes: inout [UInt8]) {
        guard !bytes.isEmpty else { return bytes.append(UInt8.random(in: 33...126, using: &self)) }
        let place = Int.random(in: bytes.indices, using: &self)
        switch Int.random(in: 0..<5, using: &self) {
        case 0: bytes[place] = UInt8.random(in: 32...126, using: &self)
        case 1: bytes.remove(at: place)
        case 2: bytes.insert(Array(".-_=Aa0+/".utf8).randomElement(using: &self)!, at: place)  // It has elements.
        case 3: bytes.removeLast(bytes.count - place)
        default: bytes.swapAt(place, Int.random(in: bytes.indices, using: &self))
        }
    }
}
