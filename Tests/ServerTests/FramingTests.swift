// Bytes into lines: however they arrive, the same lines.
import Testing
import TestSupport
import Wire
#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

@Suite struct FramingTests {
    private let served: ServedDatabase

    init() throws { served = try ServedDatabase() }

    @Test func `a conversation may be cut anywhere`() throws {
        let bytes = Array("{\"id\":1,\"op\":\"ping\"}\r\n{\"id\":\"é\",\"op\":\"ping\"}\n".utf8)
        for cut in 1..<bytes.count {
            let connection = try served.daemon.connect()
            try connection.send(Array(bytes[..<cut]))
            // Time for the first part to be read alone; were it not, the test would only see less.
            usleep(1000)
            try connection.send(Array(bytes[cut...]))
            #expect(try connection.receiveLine() == #"{"id":1,"ok":true}"#, "cut at \(cut)")
            #expect(try connection.receiveLine() == #"{"id":"é","ok":true}"#, "cut at \(cut)")
        }
    }

    @Test func `a conversation may come byte by byte`() throws {
        let connection = try served.daemon.connect()
        for byte in "{\"id\":1,\"op\":\"ping\"}\r\n{\"id\":2,\"op\":\"ping\"}\n".utf8 {
            try connection.send([byte])
            usleep(200)
        }
        #expect(try connection.receiveLine() == #"{"id":1,"ok":true}"#)
        #expect(try connection.receiveLine() == #"{"id":2,"ok":true}"#)
    }

    @Test func `many lines may come at once, and the last need not be whole`() throws {
        let connection = try served.daemon.connect()
        let lines = (0..<500).map { #"{"id":\#($0),"op":"ping"}"# }.joined(separator: "\n") + "\n"
        try connection.send(lines + #"{"id":500,"op"#)
        for id in 0..<500 { #expect(try connection.receiveLine() == #"{"id":\#(id),"ok":true}"#) }
        try connection.send("\":\"ping\"}\n")
        #expect(try connection.receiveLine() == #"{"id":500,"ok":true}"#)
    }

    @Test func `the last newline may be missing`() throws {
        for end in ["", "\r"] {
            let connection = try served.daemon.connect()
            try connection.send("{\"id\":1,\"op\":\"ping\"}\n{\"id\":2,\"op\":\"ping\"}\(end)")
            try connection.finishSending()
            #expect(try connection.receiveLine() == #"{"id":1,"ok":true}"#)
            #expect(try connection.receiveLine() == #"{"id":2,"ok":true}"#)
            #expect(try connection.receiveLine() == nil)
        }
    }

    @Test func `a line that is no request is one error, and the connection lives on`() throws {
        let connection = try served.daemon.connect()
        for bad in ["", " ", "\r", "nonsense", "{", "[1,2]", "{\"id\":1,\"op\":\"ping\"} x", "\u{FEFF}{\"id\":1,\"op\":\"ping\"}", "\0"] {
            let failure = try connection.failure(bad)
            #expect(["bad_json", "invalid_value"].contains(failure.code) && failure.retry == "after_fix", "\(bad)")
        }
        try connection.send(Array("{\"id\":1,\"op\":\"p".utf8) + [0xFF] + Array("ing\"}\n".utf8))
        #expect(try connection.receive().failure?.code == "bad_json")
        #expect(try connection.ask(#"{"id":2,"op":"ping"}"#) == #"{"id":2,"ok":true}"#)
    }

    // MARK: The longest line

    @Test func `a line may have as many bytes as the limit says`() throws {
        let connection = try served.daemon.connect()
        try sendLine(of: WireLimits.lineBytesMax, on: connection)
        #expect(try connection.receiveLine() == #"{"id":1,"ok":true}"#)
        #expect(try connection.ask(#"{"id":2,"op":"ping"}"#) == #"{"id":2,"ok":true}"#)
    }

    @Test(arguments: [1, 1000])
    func `a longer line is one error and the end, whether or not its newline has come`(excess: Int) throws {
        // One whose newline came in the read that passed the limit was once handed on, and called bad JSON.
        for newline in [true, false] {
            let connection = try served.daemon.connect()
            try connection.send("{\"id\":1,\"op\":\"ping\"}\n")
            try sendLine(of: WireLimits.lineBytesMax + excess, newline: newline, on: connection)
            #expect(try connection.receiveLine() == #"{"id":1,"ok":true}"#, "what came before is answered")
            let failure = try #require(try connection.receive().failure)
            #expect(failure.code == "line_too_long" && failure.message.contains("\(WireLimits.lineBytesMax)"))
            #expect(try connection.receiveLine() == nil)
        }
    }

    /// A ping in a line of so many bytes.
    private func sendLine(of count: Int, newline: Bool = true, on connection: LineConnection) throws {
        let ping = Array(#"{"id":1,"op":"ping"}"#.utf8)
        try connection.send(ping)
        let spaces = [UInt8](repeating: UInt8(ascii: " "), count: 1 << 20)
        var left = count - ping.count
        while left > 0 {
            try connection.send(left < spaces.count ? Array(spaces.prefix(left)) : spaces)
            left -= spaces.count
        }
        if newline { try connection.send("\n") }
    }
}
