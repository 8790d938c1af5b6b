// Log records of any bytes under valid checksums: they are applied or refused, and what was applied can be read.
@testable import Engine
import Memory
import Storage
import TestSupport
@testable import Wire

extension FuzzTarget {
    /// An input is a list of records: type, 16-bit length, payload. A collection is there before them.
    static let records = FuzzTarget(name: "records", seeds: { [RecordList.seed] }) { input in
        let records = RecordList(input)
        guard let first = records.applied(), let second = records.applied() else { return }
        for (number, state) in first.collections {
            guard let other = second.collections[number], CollectionAnswers.all(CollectionSnapshot(state)) == CollectionAnswers.all(CollectionSnapshot(other)) else {
                violated("the same records make the same database")
            }
        }
        guard first.sequence == second.sequence, first.numbers == second.numbers else { violated("the same records make the same database") }
    }
}

private struct RecordList {
    private var records: [LogEntry] = []
    private static let recordsMax = 32

    init(_ input: [UInt8]) {
        var choices = Choices(input)
        while !choices.isEmpty, records.count < Self.recordsMax {
            let type = choices.byte()
            records.append(LogEntry(type: max(1, min(type, 254)), payload: choices.bytes(choices.word())))
        }
    }

    /// The database that a replay makes of them; nil where it refuses one.
    func applied() -> Writer? {
        var writer = Writer()
        do throws(Corruption) {
            for (index, record) in (Self.beginning + records).enumerated() {
                // Sound: bytes have no invalid pattern.
                _ = try writer.apply(type: record.type, sequence: UInt64(index) + 1, payload: unsafe record.payload.span.bytes)
            }
        } catch { return nil }
        return writer
    }

    private static let written = RequestScript.records(of: RequestScript.lines)
    /// The collection.
    private static let beginning = Array(written.prefix(1))

    /// The other records that real requests make.
    static let seed: [UInt8] = written.dropFirst().flatMap { record in
        [record.type, UInt8(truncatingIfNeeded: record.payload.count), UInt8(truncatingIfNeeded: record.payload.count >> 8)] + record.payload
    }
}
