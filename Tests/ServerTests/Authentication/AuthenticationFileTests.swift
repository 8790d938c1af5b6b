// What a daemon does not start with: a configuration that says less, or more, than whoever wrote it may have meant.
import Foundation
import Testing
import TestSupport
import Wire

@Suite struct AuthenticationFileTests {
    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    /// What a daemon says that is started with this file.
    private func refusal(_ text: String, mode: Int = 0o600) throws -> String {
        let path = try directory.secretFile("auth.json", text, mode: mode)
        let end = try DaemonProcess.runToEnd(["--data", directory.file("db"), "--port", "0", "--auth", path])
        #expect(end.code == 1 && end.log.contains("cannot use --auth") && end.log.contains(path), "\(end.log)")
        #expect(!FileManager.default.fileExists(atPath: directory.file("db")), "refused before anything is made")
        return end.log
    }

    private static let digest = Credentials.digest("k")
    private static func key(_ members: String = #""name":"front","sha256":"\#(digest)","roles":["reader"]"#) -> String { "{\(members)}" }
    private static func file(keys: String...) -> String { #"{"keys":[\#(keys.joined(separator: ","))]}"# }
    private static func file(jwt: String...) -> String { #"{"jwt":[\#(jwt.joined(separator: ","))]}"# }
    private static let secret = Data(repeating: 9, count: 32).base64EncodedString(), short = Data(repeating: 9, count: 31).base64EncodedString()

    private static let wrong: [(file: String, said: String)] = [
        ("", "not JSON"), ("{", "not JSON"), (#"{"keys":[],"keys":[]}"#, "appears twice"), ("[]", "must be an object"), ("{}", "names no credential"), (#"{"keys":[],"jwt":[]}"#, "names no credential"),
        (#"{"key":[]}"#, #"has a member "key""#), (#"{"keys":{}}"#, "must be an array"), (file(keys: "5"), "keys[0] must be an object"),
        (file(keys: key(), key(#""name":"b","sha256":"\#(Credentials.digest("b"))","roles":["reader"],"collection":["kb"]"#)), #"keys[1] has a member "collection""#),
        (file(keys: key(#""sha256":"\#(digest)","roles":["reader"]"#)), #"keys[0] needs "name""#), (file(keys: key(#""name":"a b","sha256":"\#(digest)","roles":["reader"]"#)), "keys[0].name"),
        (file(keys: key(#""name":"a","roles":["reader"]"#)), #"keys[0] needs "sha256""#), (file(keys: key(#""name":"a","sha256":"\#(digest)00","roles":["reader"]"#)), "keys[0].sha256"),
        (file(keys: key(#""name":"a","sha256":"\#(digest.dropLast())g","roles":["reader"]"#)), "keys[0].sha256"), (file(keys: key(#""name":"a","sha256":"\#(digest)""#)), "keys[0].roles"),
        (file(keys: key(#""name":"a","sha256":"\#(digest)","roles":[]"#)), "keys[0].roles"), (file(keys: key(#""name":"a","sha256":"\#(digest)","roles":["root"]"#)), "keys[0].roles"),
        (file(keys: key(#""name":"a","sha256":"\#(digest)","roles":"reader""#)), "keys[0].roles"), (file(keys: key(#""name":"a","sha256":"\#(digest)","roles":["reader"],"collections":"kb""#)), "keys[0].collections"),
        (file(keys: key(#""name":"a","sha256":"\#(digest)","roles":["reader"],"user":"ana""#)), "keys[0].user"), (file(keys: key(#""name":"a","sha256":"\#(digest)","roles":["reader"],"agent":"user:ana""#)), "keys[0].agent"),
        (file(keys: key(), key(#""name":"front","sha256":"\#(Credentials.digest("other"))","roles":["reader"]"#)), #"two keys are called "front""#),
        (file(keys: key(), key(#""name":"back","sha256":"\#(digest.uppercased())","roles":["admin"]"#)), #"the key of "back" has another name"#),
        (file(jwt: #"{"algorithm":"none"}"#), "jwt[0].algorithm"), (file(jwt: #"{"algorithm":"RS256","public_key_base64":"AAAA"}"#), "jwt[0].algorithm"), (file(jwt: #"{"secret_base64":"\#(secret)"}"#), "algorithm"),
        (file(jwt: #"{"algorithm":"HS256"}"#), "secret_base64"), (file(jwt: #"{"algorithm":"HS256","secret_base64":"\#(short)"}"#), "at least 32 bytes"), (file(jwt: #"{"algorithm":"HS256","secret_base64":"!"}"#), "base64"),
        (file(jwt: #"{"algorithm":"HS256","secret_base64":"\#(secret)","public_key_base64":"\#(secret)"}"#), "goes with EdDSA"), (file(jwt: #"{"algorithm":"EdDSA","secret_base64":"\#(secret)"}"#), "goes with HS256"),
        (file(jwt: #"{"algorithm":"EdDSA","public_key_base64":"\#(short)"}"#), "32 bytes"), (file(jwt: #"{"algorithm":"HS256","secret_base64":"\#(secret)","kid":5}"#), "jwt[0].kid"),
        (file(jwt: #"{"algorithm":"HS256","secret_base64":"\#(secret)","kid":"a"}"#, #"{"algorithm":"EdDSA","public_key_base64":"\#(secret)","kid":"a"}"#), #"the kid "a""#),
        (file(jwt: #"{"algorithm":"HS256","secret_base64":"\#(secret)"}"#, #"{"algorithm":"EdDSA","public_key_base64":"\#(secret)"}"#), "no kid"),
    ]

    @Test func `a file that is not what it should be is refused, and its place named`() throws {
        for (file, said) in Self.wrong {
            let log = try refusal(file)
            #expect(log.contains(said) && !log.contains(Self.secret) && !log.contains(Self.short), "\(file): \(log)")
        }
    }

    @Test(arguments: [0o604, 0o644, 0o602, 0o601, 0o620, 0o666, 0o777])
    func `a file that others can get at is refused`(mode: Int) throws {
        let log = try refusal(Self.file(keys: Self.key()), mode: mode)
        #expect(log.contains("chmod 600") && log.contains(String(mode, radix: 8)), "\(log)")
    }

    @Test(arguments: [0o600, 0o400, 0o640, 0o440])
    func `a file that only its owner writes and its group reads will do`(mode: Int) throws {
        let path = try directory.secretFile("auth.json", Self.file(keys: Self.key()), mode: mode)
        #expect(try DaemonProcess(data: directory.file("db"), ["--auth", path]).stop().code == 0)
    }

    @Test func `a file that is none is named`() throws {
        for path in [directory.file("none"), directory.path] {
            let end = try DaemonProcess.runToEnd(["--data", directory.file("db"), "--port", "0", "--auth", path])
            #expect(end.code == 1 && end.log.contains("cannot use --auth") && end.log.contains(path), "\(end.log)")
        }
    }

    @Test func `with authentication any address will do, and it is said what that means`() throws {
        // An address that is nobody's (RFC 5737): it cannot be listened on, but it is tried.
        let path = try directory.secretFile("auth.json", Self.file(keys: Self.key()))
        let end = try DaemonProcess.runToEnd(["--data", directory.file("db"), "--port", "0", "--auth", path, "--host", "192.0.2.1"])
        #expect(end.code == 1 && end.log.contains("in the clear") && end.log.contains("cannot listen on 192.0.2.1"), "\(end.log)")
    }

    @Test func `without authentication it is said that everybody may do everything`() throws {
        let end = try DaemonProcess(data: directory.file("db")).stop()
        #expect(end.log.contains("no authentication: every local connection is service, writer, reader and admin"), "\(end.log)")
    }
}
