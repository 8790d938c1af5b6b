// How a daemon starts and stops, as whoever starts it sees it.
import Testing
import TestSupport
import Wire

@Suite struct StartTests {
    @Test func `a daemon starts, answers and stops when asked`() throws {
        let served = try ServedDatabase()
        #expect(try served.daemon.connect().ask(#"{"id":1,"op":"ping"}"#) == #"{"id":1,"ok":true}"#)
        #expect(try served.daemon.stop().code == 0)
    }
}
