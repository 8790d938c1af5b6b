// Commands for whoever runs a database: its snapshots carried away and back, and its directory looked at and checked.
import Foundation
import Testing
import TestSupport
import Wire

@Suite struct OperatorCommandTests {
    let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    /// A daemon with a few documents.
    private func daemon() throws -> DaemonProcess {
        let daemon = try DaemonProcess(data: directory.file("data"))
        try write(0..<20, to: daemon)
        return daemon
    }

    private func write(_ numbers: Range<Int>, to daemon: DaemonProcess) throws {
        let rows = numbers.map { #"{"id":"d\#($0)","vector":[\#($0),1],"text":"text \#($0)","n":\#($0)}"# }.joined(separator: "\n")
        let loaded = try needletail(
            "load", "-", "--collection", "c", "--create", "--dim", "2", "--metric", "l2", "--field", "n=int", "--port", "\(daemon.port)", in: directory, input: rows)
        try #require(loaded.code == 0, "\(loaded.errors)")
    }

    @Test func `snapshots are exported, restored beside the original, and served`() throws {
        let first = try daemon()
        let port = "\(first.port)"
        #expect(try needletail("snapshot", "create", "monday", "--port", port, in: directory).code == 0)
        #expect(try needletail("flush", "--port", port, in: directory).code == 0)
        #expect(try needletail("snapshot", "create", "tuesday", "--port", port, in: directory).code == 0)
        try write(20..<25, to: first)
        #expect(try needletail("snapshot", "create", "wednesday", "--port", port, in: directory).code == 0)

        let whole = try needletail("snapshot", "export", "tuesday", "tuesday.zst", "--port", port, in: directory)
        #expect(whole.code == 0 && whole.output.hasPrefix("exported tuesday at sequence 2 to tuesday.zst: "), "\(whole.errors)")
        let increment = try needletail(
            "snapshot", "export", "wednesday", "w.zst", "--since", "tuesday", "--port", port, "--json", in: directory)
        #expect(try increment.json()["seq"]?.int == 3, "\(increment.errors)")
        let again = try needletail("snapshot", "export", "tuesday", "tuesday.zst", "--port", port, in: directory)
        #expect(again.code == 1 && again.errors.contains("tuesday.zst"), "an archive is not overwritten")
        let verified = try needletail("snapshot", "verify", "monday", "--port", port, in: directory)
        #expect(verified.code == 0 && verified.output.hasPrefix("monday is sound, at sequence 2: "), "\(verified.errors)")
        let unknown = try needletail("snapshot", "export", "friday", "friday.zst", "--port", port, in: directory)
        #expect(unknown.code == 1 && unknown.errors.hasPrefix("Error: unknown_snapshot (name): "))
        #expect(!FileManager.default.fileExists(atPath: directory.file("friday.zst")))

        let lacking = try needletail("restore", "w.zst", "--data", "restored", in: directory)
        #expect(lacking.code == 1 && lacking.errors.contains("earlier snapshots"))
        let restored = try needletail("restore", "w.zst", "--base", "tuesday.zst", "--data", "restored", in: directory)
        #expect(restored.code == 0 && restored.output.hasPrefix("restored wednesday at sequence 3 into restored: 25 documents, 25 chunks\n"), "\(restored.errors)")
        let refused = try needletail("restore", "tuesday.zst", "--data", "restored", in: directory)
        #expect(refused.code == 1 && refused.errors.contains("not empty"))
        #expect(try needletail("restore", "tuesday.zst", "--data", "older", "--json", in: directory).json()["documents"]?.int == 20)

        let second = try DaemonProcess(data: directory.file("restored"))
        let got = try needletail("get", "c", "d24", "--port", "\(second.port)", in: directory).output
        #expect(got.contains("n: 24") && got.contains("text 24"))
    }

    @Test func `a directory is verified when nobody uses it, and what is damaged is named`() throws {
        let running = try daemon()
        let data = directory.file("data")
        let held = try needletail("verify", data, in: directory)
        #expect(held.code == 1 && held.errors.contains("another process holds this database"))
        #expect(try needletail("flush", "--port", "\(running.port)", in: directory).code == 0)
        #expect(try running.stop().code == 0)
        let sound = try needletail("verify", data, in: directory)
        #expect(sound.code == 0 && sound.output.hasPrefix("\(data) is sound, up to sequence 2\n") && sound.output.contains("20 documents, 20 chunks"))

        let name = try #require(FileManager.default.contentsOfDirectory(atPath: data).first { $0.hasPrefix("segment-") })
        var bytes = try Data(contentsOf: URL(filePath: data + "/" + name))
        bytes[100] ^= 1
        try bytes.write(to: URL(filePath: data + "/" + name))
        let damaged = try needletail("verify", data, in: directory)
        #expect(damaged.code == 1 && damaged.output.contains("is DAMAGED: 1 problem\n  \(name), byte "))
        let json = try needletail("verify", data, "--json", in: directory)
        #expect(try json.code == 1 && json.json()["problems"]?.array.first?["file"]?.string == name && json.json()["sound"]?.bool == false)
        #expect(try needletail("verify", "absent", in: directory).code == 1)
        #expect(!FileManager.default.fileExists(atPath: directory.file("absent")))
        #expect(try needletail("verify", in: directory).code == 2)
    }

    @Test func `a directory is inspected while a daemon uses it, and afterwards, alike`() throws {
        let running = try daemon()
        #expect(try needletail("snapshot", "create", "s", "--port", "\(running.port)", in: directory).code == 0)
        #expect(try needletail("flush", "--port", "\(running.port)", in: directory).code == 0)
        let data = directory.file("data")
        let shown = try needletail("inspect", data, in: directory)
        #expect(shown.code == 0, "\(shown.errors)")
        for part in ["in files   up to sequence 2", "collection c (number 1): 20 documents, 0 folders", "  spaces: default 2 l2", "  fields: n int",
            "20 rows of chunks 0 to 19", "snapshot s: sequence 2", "texts", "vectors default", "ids"] {
            #expect(shown.output.contains(part), "\(part) is not in\n\(shown.output)")
        }
        let json = try needletail("inspect", data, "--json", in: directory).json()
        #expect(json["covered_seq"]?.int == 2 && json["collections"]?.array.first?["documents"]?.int == 20)
        #expect(try running.stop().code == 0)
        #expect(try needletail("inspect", data, in: directory).output == shown.output)
        #expect(try needletail("inspect", directory.path, in: directory).code == 1)
    }
}
