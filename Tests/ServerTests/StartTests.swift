// How a daemon starts and stops, as whoever starts it sees it.
import Foundation
import Testing
import TestSupport
import Wire

@Suite struct StartTests {
    private let directory: TemporaryDirectory
    private var data: String { directory.file("db") }

    init() throws { directory = try TemporaryDirectory() }

    @Test func `a daemon starts, answers and stops when asked`() throws {
        let daemon = try DaemonProcess(data: data)
        #expect(try daemon.connect().ask(#"{"id":1,"op":"ping"}"#) == #"{"id":1,"ok":true}"#)
        let end = try daemon.stop()
        #expect(end.code == 0 && end.log.contains("stopped"))
    }

    // MARK: What it does not start on

    @Test func `a second daemon on one directory is refused, and the first goes on`() throws {
        let first = try DaemonProcess(data: data)
        let end = try DaemonProcess.runToEnd(["--data", data, "--port", "0"])
        #expect(end.code == 1 && end.log.contains(data) && end.log.contains("another process holds this database"), "\(end.log)")
        #expect(try first.connect().ask(#"{"id":1,"op":"ping"}"#) == #"{"id":1,"ok":true}"#)
        #expect(try first.stop().code == 0)
        #expect(try DaemonProcess(data: data).stop().code == 0, "the directory is free again")
    }

    @Test func `a port that is taken is named`() throws {
        let first = try DaemonProcess(data: data)
        let end = try DaemonProcess.runToEnd(["--data", directory.file("other"), "--port", "\(first.port)"])
        #expect(end.code == 1 && end.log.contains("cannot listen on 127.0.0.1:\(first.port)") && end.log.contains("in use"), "\(end.log)")
    }

    @Test(arguments: ["0.0.0.0", "::", "192.168.0.1", "10.0.0.1", "example.org", "127.0.0.1.example.org", "127.example.org", "128.0.0.1", "::ffff:127.0.0.1", "127.0.0", "127.0.0.256", ""])
    func `an address that others can reach is refused`(host: String) throws {
        let end = try DaemonProcess.runToEnd(["--data", data, "--port", "0", "--host", host])
        #expect(end.code == 1 && end.log.contains("refusing to listen") && end.log.contains("loopback"), "\(end.log)")
        #expect(!FileManager.default.fileExists(atPath: data), "refused before anything is made")
    }

    @Test func `any loopback address will do`() throws {
        let daemon = try DaemonProcess(data: data, ["--host", "127.0.0.2"])
        #expect(try daemon.stop().code == 0)
        #expect(try DaemonProcess(data: data, ["--host", "localhost"]).stop().code == 0)
    }

    @Test func `a data path that is no directory is named`() throws {
        let file = directory.file("a-file")
        #expect(FileManager.default.createFile(atPath: file, contents: Data("x".utf8)))
        let end = try DaemonProcess.runToEnd(["--data", file, "--port", "0"])
        #expect(end.code == 1 && end.log.contains(file) && end.log.contains("Not a directory"), "\(end.log)")
    }

    @Test func `a data path in a directory that is not there is named`() throws {
        let end = try DaemonProcess.runToEnd(["--data", directory.file("a/b"), "--port", "0"])
        #expect(end.code == 1 && end.log.contains(directory.file("a/b")) && end.log.contains("No such file or directory"), "\(end.log)")
    }

    @Test(arguments: [[], ["--port", "65536"], ["--port", "-1"], ["--port", "x"], ["--workers", "0"], ["--patience", "0"], ["--patience", "3601"], ["--unknown"]])
    func `flags that make no sense are a matter of usage`(arguments: [String]) throws {
        let end = try DaemonProcess.runToEnd(arguments.isEmpty ? [] : ["--data", data] + arguments)
        #expect(end.code == 2 && end.log.lowercased().contains("usage"), "\(end.log)")
    }

    // MARK: Stopping

    @Test func `what is in flight when the daemon is asked to stop is finished and answered`() throws {
        let daemon = try DaemonProcess(data: data)
        let connections = try (0..<4).map { _ in try daemon.connect() }
        try connections[0].ok(#"{"id":1,"op":"collection.create","name":"kb","dim":2,"metric":"cosine"}"#)
        let idle = try daemon.connect()
        #expect(try idle.ask(#"{"id":1,"op":"ping"}"#) == #"{"id":1,"ok":true}"#)
        for (number, connection) in connections.enumerated() {
            try connection.send((0..<200).map { #"{"id":\#($0),"op":"upsert","collection":"kb","records":[{"id":"\#(number)-\#($0)","vector":[1,2]}]}"# + "\n" }.joined())
        }
        var acknowledged: Set<String> = []
        // Something of each has been taken in when the signal comes.
        for (number, connection) in connections.enumerated() { acknowledged.insert("\(number)-\(try #require(try connection.receive().id))") }
        daemon.askToStop()
        for (number, connection) in connections.enumerated() {
            var last = -1
            while let line = try connection.receiveLine() {
                let answer = try Answer(line: Array(line.utf8))
                #expect(answer.failure == nil, "what is taken in is carried out: \(line)")
                let id = try #require(answer.id)
                #expect(id > last, "and in its order")
                last = id
                acknowledged.insert("\(number)-\(id)")
            }
        }
        #expect(try idle.receiveLine() == nil)
        #expect(try daemon.stop().code == 0)

        let next = try DaemonProcess(data: data)
        let ids = acknowledged.map { "\"\($0)\"" }.joined(separator: ",")
        let answer = try next.connect().ok(#"{"id":1,"op":"get","collection":"kb","ids":[\#(ids)]}"#)
        #expect(answer.root["missing"]?.array.isEmpty == true && answer.root["documents"]?.array.count == acknowledged.count)
    }

    @Test func `a read that waits for a sequence does not hold up the end`() throws {
        // It was polled for until its deadline; the stop gave up after ten seconds and the next poll ended the process.
        let daemon = try DaemonProcess(data: data)
        let connection = try daemon.connect()
        try connection.ok(#"{"id":0,"op":"collection.create","name":"kb","dim":2,"metric":"cosine"}"#)
        try connection.send((1...60).map { #"{"id":\#($0),"op":"count","collection":"kb","min_seq":1000000,"deadline_ms":600000}"# + "\n" }.joined())
        #expect(try connection.ask(#"{"id":61,"op":"ping"}"#) == #"{"id":61,"ok":true}"#)
        daemon.askToStop()
        for _ in 1...60 { #expect(try connection.receive().failure?.code == "behind") }
        #expect(try connection.receiveLine() == nil)
        #expect(try daemon.stop().code == 0)
    }

    @Test func `a stopping daemon takes no connection`() throws {
        let daemon = try DaemonProcess(data: data)
        let port = daemon.port
        #expect(try daemon.stop().code == 0)
        #expect(throws: SocketError.self) { try LineConnection(port: port) }
    }
}
