// Peers that ask and do not read: what waits for them is bounded, others do not notice, and nothing is lost.
import Testing
import TestSupport
import Wire
#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

@Suite struct BackpressureTests {
    @Test func `answers that nobody reads do not fill the memory, and come when they are read`() throws {
        // All lines of one read were once answered at once, whatever waited unread: 1 MiB of small requests for large
        // documents was as many gigabytes of answers as one likes.
        let served = try ServedDatabase()
        let other = try served.daemon.connect()
        try other.ok(#"{"id":1,"op":"collection.create","name":"kb","dim":2,"metric":"cosine"}"#)
        let text = String(repeating: "x", count: 256 << 10)
        try other.ok(#"{"id":2,"op":"upsert","collection":"kb","records":[{"id":"a","vector":[1,2],"text":"\#(text)"}]}"#)
        let before = try served.daemon.peakResidentBytes()

        let count = 400
        let connection = try served.daemon.connect(receiveBufferBytes: 4096)
        try connection.send((0..<count).map { #"{"id":\#($0),"op":"get","collection":"kb","ids":["a"]}"# + "\n" }.joined())
        for id in 0..<200 { #expect(try other.ask(#"{"id":\#(id),"op":"ping"}"#) == #"{"id":\#(id),"ok":true}"#) }

        try settle(served.daemon)

        var answered: Set<Int> = []
        for _ in 0..<count {
            let line = try #require(try connection.receiveLine())
            #expect(line.utf8.count > text.utf8.count)
            let id = line.dropFirst(#"{"id":"#.count).prefix { $0.isNumber }
            #expect(answered.insert(try #require(Int(id))).inserted)
        }
        #expect(answered == Set(0..<count))
        if let before, let after = try served.daemon.peakResidentBytes() {
            // 8 MiB may wait unread, an answer or two beyond; 100 MiB were asked for.
            #expect(after - before < 40 << 20, "\((after - before) >> 20) MiB")
        }
    }

    @Test func `a peer that has said all it will and reads slowly is answered to the end`() throws {
        let served = try ServedDatabase()
        let other = try served.daemon.connect()
        try other.ok(#"{"id":1,"op":"collection.create","name":"kb","dim":2,"metric":"cosine"}"#)
        try other.ok(#"{"id":2,"op":"upsert","collection":"kb","records":[{"id":"a","text":"\#(String(repeating: "x", count: 256 << 10))"}]}"#)
        let connection = try served.daemon.connect(receiveBufferBytes: 4096)
        try connection.send((0..<100).map { #"{"id":\#($0),"op":"get","collection":"kb","ids":["a"]}"# + "\n" }.joined())
        try connection.finishSending()
        try settle(served.daemon)
        var answered: Set<Int> = []
        while let line = try connection.receiveLine() { answered.insert(try #require(try Answer(line: Array(line.utf8)).id)) }
        #expect(answered == Set(0..<100))
    }

    /// Waits until the daemon has taken no more memory for a while: it has done all it will do unread.
    private func settle(_ daemon: DaemonProcess) throws {
        var peak = try daemon.peakResidentBytes(), unchanged = 0
        for _ in 0..<600 where unchanged < 10 {
            usleep(20_000)
            let next = try daemon.peakResidentBytes()
            unchanged = next == peak ? unchanged + 1 : 0
            peak = next
        }
    }
}
