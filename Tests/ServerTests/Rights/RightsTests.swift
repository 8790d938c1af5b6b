// Rights through the daemon: given, taken away, explained; and what a restart leaves of them.
import Synchronization
import Testing
import TestSupport
import Wire

@Suite struct RightsTests {
    private let served: ServedDatabase
    private let connection: LineConnection

    init() throws {
        served = try ServedDatabase()
        connection = try served.daemon.connect()
        for line in [
            #"{"id":1,"op":"collection.create","name":"kb","dim":2,"metric":"dot","access":"enforced"}"#,
            #"{"id":2,"op":"group.put","group":"group:eng","members":["user:ana","group:leads"]}"#,
            #"{"id":3,"op":"group.put","group":"group:leads","members":["user:lea"]}"#,
            #"{"id":4,"op":"access.put","access":"engineering","grants":[{"principal":"group:eng","grade":"read"}],"contact":"lea@example.org"}"#,
            #"{"id":5,"op":"access.put","access":"salaries","inherits":"engineering","denials":["user:ana"]}"#,
            #"{"id":6,"op":"access.put","access":"drafts","grants":[{"principal":"user:ana","grade":"derive"},{"principal":"user:bo","grade":"exists"}]}"#,
            #"{"id":7,"op":"agent.put","agent":"agent:weekly","grade":"derive"}"#,
            #"{"id":8,"op":"upsert","collection":"kb","documents":[{"id":"eng","kind":"folder","access":"engineering"},{"id":"runbook","parent":"eng","title":"Runbook","chunks":[{"text":"restart it","vector":[1,0]},{"text":"pay scale","vector":[1,1],"access":"salaries"}]},{"id":"plan","parent":"eng","access":"drafts","title":"Plan","chunks":[{"text":"next year","vector":[2,0]}]},{"id":"stray","chunks":[{"text":"nobody's","vector":[3,0]}]}]}"#,
        ] { try connection.ok(line) }
    }

    private func hits(_ caller: String, _ more: String = "", on connection: LineConnection? = nil) throws -> [String] {
        let line = #"{"id":9,"op":"search","collection":"kb","as":\#(caller),"vector":[1,0],"k":10,"exact":true\#(more)}"#
        return try (connection ?? self.connection).ok(line).root["hits"]?.array.map { hit in
            "\(hit["document"]?.string ?? "")#\(hit["chunk"]?.int ?? -1) \(hit["grade"]?.string ?? "")"
        } ?? []
    }

    @Test func `people find what they may read, agents what they may derive from, and nobody what is nobody's`() throws {
        #expect(try hits(#"{"user":"user:lea"}"#) == ["runbook#0 read", "runbook#1 read"])
        #expect(try hits(#"{"user":"user:ana"}"#) == ["runbook#0 read"])
        #expect(try hits(#"{"user":"user:ana","agent":"agent:weekly"}"#) == ["plan#0 derive", "runbook#0 derive"])
        #expect(try hits(#"{"user":"user:stranger"}"#) == [])
        #expect(try connection.failure(#"{"id":1,"op":"search","collection":"kb","vector":[1,0]}"#).code == "caller_required")
        #expect(try connection.failure(#"{"id":1,"op":"search","collection":"kb","vector":[1,0],"as":{"user":"user:ana","agent":"agent:none"}}"#).code == "unknown_agent")
    }

    @Test func `what may only be known to exist is told where that is asked for, with whom to ask`() throws {
        let ana = try connection.ok(#"{"id":1,"op":"search","collection":"kb","as":{"user":"user:ana"},"vector":[1,0],"include_exists":true}"#).root
        #expect(ana["exists"]?.array.map { $0["document"]?.string } == ["plan"] && ana["exists"]?.array[0]["title"]?.string == "Plan")
        let got = try connection.ok(#"{"id":2,"op":"get","collection":"kb","as":{"user":"user:bo"},"ids":["plan","runbook","never"],"include_exists":true}"#).root
        #expect(got["documents"]?.array == [] && got["exists"]?.array.map { $0["document"]?.string } == ["plan"])
        #expect(got["missing"]?.array.map(\.string) == ["runbook", "never"])
        #expect(try connection.failure(#"{"id":3,"op":"read","collection":"kb","as":{"user":"user:bo"},"document":"plan"}"#).code == "not_found")
    }

    @Test func `a right that is withdrawn is gone with the next request, and one change says so for a whole group`() throws {
        #expect(try hits(#"{"user":"user:lea"}"#).count == 2)
        try connection.ok(#"{"id":1,"op":"group.remove","group":"group:leads","members":["user:lea"]}"#)
        #expect(try hits(#"{"user":"user:lea"}"#) == [])
        try connection.ok(#"{"id":2,"op":"group.add","group":"group:eng","members":["user:lea"]}"#)
        try connection.ok(#"{"id":3,"op":"access.deny","access":"engineering","principal":"user:lea"}"#)
        #expect(try hits(#"{"user":"user:lea"}"#) == [] && hits(#"{"user":"user:ana"}"#) == ["runbook#0 read"])
        try connection.ok(#"{"id":4,"op":"patch","collection":"kb","ids":["eng"],"access":null}"#)
        #expect(try hits(#"{"user":"user:ana"}"#) == [])
    }

    @Test func `rights outlive the daemon, written down or in the log alone`() throws {
        let expected = [try hits(#"{"user":"user:lea"}"#), try hits(#"{"user":"user:ana","agent":"agent:weekly"}"#)]
        for flushes in [false, true] {
            if flushes { try served.daemon.connect().ok(#"{"id":1,"op":"flush"}"#) }
            served.daemon.kill()
            try served.start()
            let later = try served.daemon.connect()
            #expect(try [hits(#"{"user":"user:lea"}"#, on: later), hits(#"{"user":"user:ana","agent":"agent:weekly"}"#, on: later)] == expected)
        }
    }

    @Test func `it is explained why somebody may see a document, and who may`() throws {
        let why = try connection.ok(#"{"id":1,"op":"access.explain","collection":"kb","document":"runbook","user":"user:lea","chunk":1}"#).root
        #expect(why["grade"]?.string == "read" && why["objects"]?.array[0]["matches"]?.array[0]["via"]?.array.map(\.string) == ["user:lea", "group:leads", "group:eng"])
        let whyNot = try connection.ok(#"{"id":2,"op":"access.explain","collection":"kb","document":"runbook","user":"user:ana","chunk":1}"#).root
        #expect(whyNot["grade"]?.string == "none" && whyNot["reason"]?.string == #"user:ana is denied in "salaries""#)
        let stray = try connection.ok(#"{"id":3,"op":"access.explain","collection":"kb","document":"stray","user":"user:ana"}"#).root
        #expect(stray["grade"]?.string == "none")
        let readers = try connection.ok(#"{"id":4,"op":"access.readers","collection":"kb","document":"plan"}"#).root
        #expect(readers["users"]?.array.map { $0["user"]?.string } == ["user:ana", "user:bo"] && readers["public"]?.string == "none")
    }

    @Test func `patch and delete as somebody touch what they may read, and change nobody's rights`() throws {
        #expect(try connection.ok(#"{"id":1,"op":"patch","collection":"kb","as":{"user":"user:ana"},"under":"eng","title":"mine"}"#).root["patched"]?.int == 2)
        #expect(try connection.ok(#"{"id":2,"op":"delete","collection":"kb","as":{"user":"user:bo"},"ids":["runbook","plan","stray"]}"#).root["deleted"]?.int == 0)
        #expect(try connection.failure(#"{"id":3,"op":"patch","collection":"kb","as":{"user":"user:ana"},"ids":["runbook"],"access":"drafts"}"#).code == "forbidden")
        #expect(try connection.ok(#"{"id":4,"op":"delete","collection":"kb","as":{"user":"user:lea"},"ids":["runbook","plan"]}"#).root["deleted"]?.int == 1)
    }

    /// A service that patched for somebody by `under` changed what they may read below a folder that they may not find, and by
    /// `if_version` was told of documents that they may not find.
    @Test func `for whom something is patched or deleted, what they may not find is as if it were not there`() throws {
        try connection.ok(
            #"{"id":1,"op":"upsert","collection":"kb","documents":[{"id":"vault","kind":"folder"},{"id":"note","parent":"vault","access":"engineering","chunks":[{"vector":[0,1]}]}]}"#)
        let asAna = #""collection":"kb","as":{"user":"user:ana"}"#
        #expect(try connection.ok(#"{"id":2,"op":"patch",\#(asAna),"under":"vault","title":"mine"}"#).root["patched"]?.int == 0)
        #expect(try connection.ok(#"{"id":3,"op":"patch",\#(asAna),"filter":{"$under":"vault"},"title":"mine"}"#).root["patched"]?.int == 0)
        #expect(try connection.ok(#"{"id":4,"op":"delete",\#(asAna),"under":"vault"}"#).root["deleted"]?.int == 0)
        for id in ["stray", "never"] {
            let refused = try connection.failure(#"{"id":5,"op":"patch",\#(asAna),"ids":["\#(id)"],"if_version":7,"title":"mine"}"#)
            #expect(refused.code == "version_conflict" && refused.message.contains("version is 0"))
            #expect(try connection.ok(#"{"id":6,"op":"patch",\#(asAna),"ids":["\#(id)"],"if_version":0,"title":"mine"}"#).root["patched"]?.int == 0)
        }
        #expect(try connection.ok(#"{"id":7,"op":"patch",\#(asAna),"ids":["note"],"if_version":1,"title":"mine"}"#).root["patched"]?.int == 1)
    }

    @Test func `a cursor ends with a right that its caller loses`() throws {
        let request = #""op":"list","collection":"kb","as":{"user":"user:lea"},"limit":1"#
        try connection.ok(#"{"id":1,"op":"upsert","collection":"kb","records":[{"id":"r2","parent":"eng","vector":[1,0]}]}"#)
        let cursor = try #require(connection.ok(#"{"id":2,\#(request)}"#).root["cursor"]?.string)
        try connection.ok(#"{"id":3,\#(request),"cursor":"\#(cursor)"}"#)
        // Somebody else's does not end it.
        try connection.ok(#"{"id":4,"op":"access.grant","access":"drafts","principal":"user:zoe","grade":"read"}"#)
        try connection.ok(#"{"id":5,\#(request),"cursor":"\#(cursor)"}"#)
        try connection.ok(#"{"id":6,"op":"access.deny","access":"salaries","principal":"user:lea"}"#)
        #expect(try connection.failure(#"{"id":7,\#(request),"cursor":"\#(cursor)"}"#).code == "cursor_ended")
    }

    @Test func `while others search, no answer at or behind a revocation holds what it took away`() throws {
        let records = (0..<300).map { #"{"id":"n\#($0)","parent":"eng","vector":[\#($0 % 7),\#($0 % 5)]}"# }.joined(separator: ",")
        try connection.ok(#"{"id":1,"op":"upsert","collection":"kb","records":[\#(records)]}"#)
        let race = Race(port: served.daemon.port)
        // Threads, as tasks that wait would keep the few that tasks run on: the last would begin once the first have ended.
        Threads.run(9) { number in if number == 0 { race.revoke() } else { race.search() } }
        let (rounds, answers) = (race.rounds, race.answers)
        #expect(rounds.count == Race.roundCount && answers.count > 100)
        // Sequences at which the right went and came back, in turn: it is gone between an odd one and the next.
        let turns = rounds.flatMap { [$0.from, $0.to] }
        #expect(turns == turns.sorted())
        let wrong = answers.filter { answer in
            let isGone = turns.partitioningIndex { $0 > answer.sequence } % 2 == 1
            return answer.hits != (isGone ? 0 : 5)
        }
        #expect(wrong.isEmpty, "\(wrong.first.map { "\($0)" } ?? "")")
        print("revocations: \(Race.roundCount) cycles, \(answers.count) answers, \(answers.count { $0.hits == 0 }) of them without the right, lost=\(wrong.count)")
    }
}

extension [Int] {
    /// Where the first element for which a condition holds stands, which also holds for all behind it; the end where there is none.
    fileprivate func partitioningIndex(where isBehind: (Int) -> Bool) -> Int {
        var (low, high) = (0, count)
        while low < high {
            let middle = (low + high) / 2
            if isBehind(self[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}

/// Some who search as ana, and one who takes her out of her group and puts her back.
private final class Race: Sendable {
    /// `NEEDLETAIL_REVOCATIONS` asks for more.
    static let roundCount = TestCycles("NEEDLETAIL_REVOCATIONS", otherwise: 60).count
    private let port: Int
    private let isDone = Atomic(false)
    /// By round: the sequence at which the right was gone, and the one at which it was back.
    private let gone = Mutex<[(from: Int, to: Int)]>([])
    private let seen = Mutex<[(sequence: Int, hits: Int)]>([])

    init(port: Int) { self.port = port }

    var rounds: [(from: Int, to: Int)] { gone.withLock { $0 } }
    var answers: [(sequence: Int, hits: Int)] { seen.withLock { $0 } }

    func search() {
        do {
            let reader = try LineConnection(port: port)
            for _ in 0..<max(5000, 500 * Self.roundCount) where !isDone.load(ordering: .relaxed) { try search(by: reader) }
        } catch { Issue.record("\(error)") }
    }

    private func search(by reader: LineConnection) throws {
        let root = try reader.ok(#"{"id":1,"op":"search","collection":"kb","as":{"user":"user:ana"},"vector":[1,1],"k":5}"#).root
        let answer = (root["seq"]?.int ?? -1, root["hits"]?.array.count ?? -1)
        seen.withLock { $0.append(answer) }
    }

    func revoke() {
        defer { isDone.store(true, ordering: .relaxed) }
        do {
            let writer = try LineConnection(port: port)
            for _ in 0..<Self.roundCount {
                let removed = try writer.ok(#"{"id":1,"op":"group.remove","group":"group:eng","members":["user:ana"]}"#).root["seq"]?.int ?? -1
                // Long enough for others to meet both.
                for _ in 0..<5 { try search(by: writer) }
                let added = try writer.ok(#"{"id":2,"op":"group.add","group":"group:eng","members":["user:ana"]}"#).root["seq"]?.int ?? -1
                for _ in 0..<5 { try search(by: writer) }
                gone.withLock { $0.append((removed, added)) }
            }
        } catch { Issue.record("\(error)") }
    }
}
