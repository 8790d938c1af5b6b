// How long a connection may keep the daemon waiting.
import Testing
import TestSupport
import Wire
#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

@Suite struct PatienceTests {
    private let served: ServedDatabase

    init() throws { served = try ServedDatabase(["--patience", "1"]) }

    @Test func `a line that never ends is one error and the end`() throws {
        let connection = try served.daemon.connect()
        try connection.send("{\"id\":1,\"op\":\"ping\"}\n{\"id\":2,")
        #expect(try connection.receiveLine() == #"{"id":1,"ok":true}"#)
        let failure = try #require(try connection.receive().failure)
        #expect(failure.code == "too_slow" && failure.retry == "later")
        #expect(try connection.receiveLine() == nil)
    }

    @Test func `a line may take longer than the patience while it keeps coming`() throws {
        let connection = try served.daemon.connect()
        // 8 kB are enough for 8 s at 1 kB a second; it is finished after one patience and before the eighth.
        try connection.send("{\"id\":1,\"op\":\"ping\"" + String(repeating: " ", count: 8192))
        usleep(1_600_000)
        #expect(try connection.ask("}") == #"{"id":1,"ok":true}"#)
    }

    @Test func `a connection may be idle for as long as it likes`() throws {
        let connection = try served.daemon.connect()
        #expect(try connection.ask(#"{"id":1,"op":"ping"}"#) == #"{"id":1,"ok":true}"#)
        usleep(2_200_000)
        #expect(try connection.ask(#"{"id":2,"op":"ping"}"#) == #"{"id":2,"ok":true}"#)
    }

    @Test func `a peer that reads nothing for the whole patience is closed`() throws {
        let other = try served.daemon.connect()
        try other.ok(#"{"id":1,"op":"collection.create","name":"kb","dim":2,"metric":"cosine"}"#)
        let text = String(repeating: "x", count: 256 << 10)
        try other.ok(#"{"id":2,"op":"upsert","collection":"kb","records":[{"id":"a","vector":[1,2],"text":"\#(text)"}]}"#)
        let connection = try served.daemon.connect(receiveBufferBytes: 4096)
        #expect(try connection.ask(#"{"id":1,"op":"ping"}"#) == #"{"id":1,"ok":true}"#)
        let open = try served.daemon.openFileCount()
        let count = 100
        try connection.send((0..<count).map { #"{"id":\#($0),"op":"get","collection":"kb","ids":["a"]}"# + "\n" }.joined())
        // Until it has closed the socket, half a minute at most; reading in between would be a sign of life.
        for _ in 0..<1500 {
            usleep(20_000)
            if let open, let now = try served.daemon.openFileCount(), now < open { break }
        }
        var received = 0
        while try connection.receiveLine() != nil, received < count { received += 1 }
        #expect(received < count, "25 MiB do not fit the sockets' buffers, so the end came before the last answer")
        #expect(try other.ask(#"{"id":3,"op":"ping"}"#) == #"{"id":3,"ok":true}"#)
    }
}
