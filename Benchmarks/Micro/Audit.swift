// What it costs whoever answers to have an answer audited, and the thread that writes what has been.
import Engine
import Foundation
import Memory
import Storage

/// A search of 768 numbers that found ten chunks: nanoseconds, and bytes in the log.
func audits() {
    let path = FileManager.default.temporaryDirectory.appending(path: "needletail-micro-\(UUID().uuidString)").path
    do {
        let log = try AuditLog(disk: try FileSystemDisk(path: path), nowMilliseconds: 0)
        audits(log)
        log.close(nowMilliseconds: 0)
        try FileManager.default.removeItem(atPath: path)
    } catch { preconditionFailure("\(error)") }
}

/// What an answer is made of. By itself, as those who answer have it: a captured variable is asked for leave with each access.
private struct AuditedAnswer {
    let ids = (0..<10).map { Array("handbook/engineering/page-\($0 * 977).md".utf8) }
    var input = SearchInput()
    var items = AuditItems()
    var head = AuditHead()

    init() {
        input.floats = pattern(768)
        input.vectors = [0..<768]
        input.filter = .field("team", .isIn([.string("support"), .string("legal")]))
        head.user = "user:ana.maria@example.org"
        head.agent = "agent:weekly-report"
        head.credential = "front-service"
        head.operation = "search"
        head.collection = "handbook"
        head.plan = "graph"
    }

    @inline(never)
    mutating func gather() {
        items.removeAll()
        for (ordinal, id) in ids.enumerated() {
            // Sound: bytes have no invalid pattern.
            items.append(unsafe id.span.bytes, ordinal: ordinal, grade: .read)
        }
    }

    @inline(never)
    mutating func digest() {
        head.queryDigest = input.queryDigest
        head.filterDigest = input.filterDigest
    }
}

private func audits(_ log: AuditLog) {
    var answer = AuditedAnswer()
    let calls = 300
    func run(_ calls: Int, _ body: (inout AuditedAnswer) -> Void) { for _ in 0..<calls { body(&answer) } }
    let before = log.statistics
    // In turns, so that what one hands over the next writes; short, as others may want the processor.
    let times = nanoseconds(rounds: 300, calls: calls, [
        { calls in
            run(calls) { answer in
                answer.gather()
                answer.digest()
                log.append(answer.head, answer.items)
            }
        },
        { _ in log.flush(nowMilliseconds: 0, syncing: false) },
        { calls in run(calls) { $0.gather() } },
        { calls in run(calls) { $0.digest() } },
    ])
    let after = log.statistics
    precondition(after.lost == 0, "a round fits what may wait")
    line("", ["in all", "ids", "digests", "written", "bytes"])
    line("10 chunks", [times[0], times[2], times[3], times[1]].map { fixed($0) } + ["\((after.bytes - before.bytes) / Int(after.records - before.records))"])
}
