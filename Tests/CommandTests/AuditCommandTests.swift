// needletail audit: the log of a running daemon asked and verified, and a log that somebody has changed.
import Foundation
import Testing
import TestSupport
import Wire

@Suite struct AuditCommandTests {
    let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    @Test func `what was searched is shown, and the chain is verified while the daemon runs and afterwards`() throws {
        let running = try DaemonProcess(data: directory.file("data"), ["--audit", "all"])
        let port = "\(running.port)", data = directory.file("data")
        let rows = (0..<5).map { #"{"id":"d\#($0)","vector":[\#($0),1],"text":"text \#($0)"}"# }.joined(separator: "\n")
        #expect(try needletail("load", "-", "--collection", "c", "--create", "--dim", "2", "--metric", "l2", "--port", port, in: directory, input: rows).code == 0)
        for _ in 0..<3 { #expect(try needletail("search", "c", "--vector", "[3,1]", "--k", "2", "--port", port, in: directory).code == 0) }
        #expect(try needletail("get", "c", "d9", "--port", port, in: directory).output.contains("not there"))

        let shown = try needletail("audit", "query", "--document", "d3", "--port", port, in: directory)
        #expect(shown.code == 0 && shown.output.split(separator: "\n").count == 4 && shown.output.contains("d3#0, "), "\(shown.output)\(shown.errors)")
        let refused = try needletail("audit", "query", "--document", "d9", "--port", port, in: directory)
        #expect(refused.output.contains("d9 (none)"), "\(refused.output)")
        let one = try needletail("audit", "query", "--limit", "1", "--collection", "c", "--port", port, in: directory)
        #expect(one.output.contains("there are older ones: --before "), "\(one.output)")
        let head = try needletail("audit", "query", "--from", "2020-01-01", "--port", port, "--json", in: directory).json()["head"]
        let hash = try #require(head?["hash"]?.string)

        let whileRunning = try needletail("audit", "verify", data, "--expect", hash, in: directory)
        #expect(whileRunning.code == 0 && whileRunning.output.hasPrefix("the audit log of \(data) holds\nrecords 1 to "), "\(whileRunning.output)\(whileRunning.errors)")
        #expect(try running.stop().code == 0)
        let json = try needletail("audit", "verify", data + "/audit", "--expect", hash, "--json", in: directory).json()
        #expect(json["sound"]?.bool == true && json["has_expected"]?.bool == true && json["files"]?.int == 1 && json["lost"]?.int == 0)
        #expect(json["records"]?.int == json["last"]?["record"]?.int && json["first"]?["record"]?.int == 1)
        // The database's own verification knows the folder.
        let whole = try needletail("verify", data, in: directory)
        #expect(whole.code == 0 && !whole.output.contains("not a file of the database"), "\(whole.output)")

        let other = String(hash.reversed())
        let unexpected = try needletail("audit", "verify", data, "--expect", other, in: directory)
        #expect(unexpected.code == 1 && unexpected.output.contains("the expected hash is NOT part of it"))
        #expect(try needletail("audit", "verify", data, "--expect", "zz", in: directory).code == 2)

        let name = try #require(FileManager.default.contentsOfDirectory(atPath: data + "/audit").first)
        var bytes = try Data(contentsOf: URL(filePath: data + "/audit/" + name))
        bytes[250] ^= 1
        try bytes.write(to: URL(filePath: data + "/audit/" + name))
        let broken = try needletail("audit", "verify", data, in: directory)
        #expect(broken.code == 1 && broken.output.contains("is BROKEN\n  \(name), byte "), "\(broken.output)")
        #expect(try needletail("audit", "verify", data, "--json", in: directory).json()["break"]?["file"]?.string == name)
        #expect(try needletail("audit", "verify", directory.file("absent"), in: directory).code == 1)
    }
}
