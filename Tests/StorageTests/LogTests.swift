// The log when nothing goes wrong.
import Memory
import Storage
import Testing
import TestSupport

@Suite struct LogTests {
    @Test func `an empty directory opens as an empty log without a file`() throws {
        let disk = FaultyDisk()
        let (log, records) = try LogHarness.open(disk)
        #expect(records == [])
        #expect(log.nextSequence == 1)
        try log.close()
        #expect(LogHarness.logNames(disk) == [])
    }

    @Test func `what was appended is replayed in order by every later open`() throws {
        let seed = TestSeed(11)
        var random = seed.random
        let disk = FaultyDisk()
        var expected: [LoggedRecord] = []
        for round in 0..<20 {
            let (log, records) = try LogHarness.open(disk, LogHarness.smallFiles, seed: UInt64(round))
            #expect(records == expected, "\(seed)")
            for _ in 0..<Int.random(in: 0...6, using: &random) {
                let group = (0..<Int.random(in: 1...4, using: &random)).map { _ in
                    LogEntry(
                        type: UInt8.random(in: 1...254, using: &random),
                        payload: (0..<Int.random(in: 0...60, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) })
                }
                let first = try log.append(group)
                #expect(first == UInt64(expected.count) + 1, "\(seed)")
                for entry in group { expected.append(LoggedRecord(sequence: UInt64(expected.count) + 1, type: entry.type, payload: entry.payload)) }
                #expect(log.nextSequence == UInt64(expected.count) + 1)
            }
            // Every other process ends without a word.
            if Bool.random(using: &random) { try log.close() }
        }
    }

    @Test(arguments: Array(0...40) + [4095, 4096, 4097, 100_000])
    func `payloads of any length come back`(byteCount: Int) throws {
        let disk = FaultyDisk()
        let entry = LogHarness.entry(3, byteCount)
        let (log, _) = try LogHarness.open(disk)
        _ = try log.append([entry])
        let (_, records) = try LogHarness.open(disk)
        #expect(records == [LoggedRecord(sequence: 1, type: 3, payload: entry.payload)])
    }

    @Test func `a file is closed once it reaches its size, and the next one begins where it ended`() throws {
        let disk = FaultyDisk()
        let (log, _) = try LogHarness.open(disk, LogFileSizes(target: 500, zeroedStep: 100))
        for number in 0..<50 { _ = try log.append([LogHarness.entry(UInt8(number + 1), 60)]) }
        try log.close()
        // A record of 60 bytes takes 96: five of them bring a file of 64 to 544.
        let names = LogHarness.logNames(disk)
        #expect(names.count == 10)
        for name in names { #expect(disk[name]?.count == 64 + 5 * 96 + 32) }
        #expect(names.first == "log-0000000000000001")
        #expect(names.last == "log-000000000000000a")
        let (_, records) = try LogHarness.open(disk)
        #expect(records.map(\.sequence) == Array(1...50))
    }

    @Test func `every open appends to a file of its own and never to an old one`() throws {
        let disk = FaultyDisk()
        for round in 0..<3 {
            let (log, _) = try LogHarness.open(disk, seed: UInt64(round))
            let before = LogHarness.logNames(disk).map { disk[$0] }
            _ = try log.append([LogHarness.entry(1, 1)])
            try log.close()
            let names = LogHarness.logNames(disk)
            #expect(names.count == round + 1)
            #expect(names.dropLast().map { disk[$0] } == before)
        }
    }

    @Test func `opening and closing without appending leaves no file behind`() throws {
        let disk = FaultyDisk()
        _ = try LogHarness.run([.append([LogHarness.entry(1, 1)])], on: disk, sizes: LogHarness.oneFile)
        let before = disk.names
        for _ in 0..<3 { try LogHarness.open(disk).log.close() }
        #expect(disk.names == before)
    }

    @Test func `files that are no log files are left alone`() throws {
        let disk = FaultyDisk()
        for name in [
            "log", "log-1", "log-000000000000000G", "log-00000000000000001", "LOG-0000000000000001", "log-+000000000000001",
            "log-ffffffffffffffff", "manifest-ffffffffffffffff", "manifest", "reserve",
        ] {
            disk[name] = [1, 2, 3]
        }
        let before = disk.names
        _ = try LogHarness.run(LogHarness.workload, on: disk, sizes: LogHarness.oneFile)
        for name in before { #expect(disk[name] == [1, 2, 3]) }
    }

    @Test func `one sync a group, and none for its mark`() throws {
        let disk = FaultyDisk()
        let log = try LogHarness.openAlone(disk)
        _ = try log.append([LogHarness.entry(1, 1)])
        disk.plan(nil)
        _ = try log.append([LogHarness.entry(2, 1), LogHarness.entry(3, 1)])
        #expect(disk.calls.filter { $0 == .sync }.count == 1)
        #expect(disk.calls.last == .write)
        #expect(!disk.calls.contains(.syncDirectory))
    }
}
