// The audit log: who received what, under which sequence. Threads that answer hand records over; another writes them.
import Memory
package import Storage
import Synchronization

/// A directory of audit files in use by this process. Safe to use from any thread.
///
/// - `append` costs whoever answers a copy of a few hundred bytes under a lock that is held for no longer; it never waits for the disk.
/// - Records are in a file once a `flush` begun after them has returned, and on the device once one with `syncing` has. A crash takes
///   what came after, and nothing before.
/// - What cannot be written is counted, and the count becomes a record: reads go on (see Decisions).
package final class AuditLog: Sendable {
    /// Of the directory, within a database's.
    package static let directoryName = Verification.auditName

    private let disk: any Disk
    private let waitingBytes: Int
    private let backlog = Mutex(AuditBacklog())
    private let writer: Mutex<AuditWriter>
    private let published: Mutex<AuditStatistics>

    /// Takes the directory, and finds the end of the log in it: O(last file). Nothing of it is changed before the first flush, but that
    /// records which may be in memory alone are written again.
    package init(disk: any Disk, sizes: AuditSizes = AuditSizes(), nowMilliseconds: Int64) throws(DiskError) {
        try disk.lock()
        let writer = AuditWriter(try AuditRecovery(disk), on: disk, sizes: sizes, nowMilliseconds: nowMilliseconds)
        self.disk = disk
        waitingBytes = sizes.waitingBytes
        published = Mutex(writer.statistics)
        self.writer = Mutex(writer)
    }

    /// Hands a read over. Nothing is allocated once the memory for what waits has grown to its usual size.
    ///
    /// Where more than the bound waits, the read is counted as lost, with all of its items.
    package func append(_ head: AuditHead, _ items: AuditItems) {
        backlog.withLock { backlog in
            guard backlog.bytes.count < waitingBytes else {
                backlog.lost += 1
                return
            }
            for part in 0..<items.partCount { backlog.add(head, items, part: part) }
        }
    }

    /// Writes all that has been handed over, on the caller's thread, which may wait for the disk.
    ///
    /// - Parameter syncing: whether it is to be on the device, too.
    package func flush(nowMilliseconds: Int64, syncing: Bool) {
        writer.withLock { writer in
            writer.flush(nowMilliseconds: nowMilliseconds, syncing: syncing) { taken in takeBacklog(&taken) }
            publish(writer)
        }
    }

    /// Whether so much waits that the next flush should not.
    package var isPressing: Bool { backlog.withLock { $0.bytes.count > waitingBytes / 4 } }

    /// Writes everything, and that the log ends here. Nothing is appended afterwards.
    package func close(nowMilliseconds: Int64) {
        writer.withLock { writer in
            writer.flush(nowMilliseconds: nowMilliseconds, syncing: true) { taken in takeBacklog(&taken) }
            writer.close(nowMilliseconds: nowMilliseconds)
            publish(writer)
        }
    }

    /// As of the last flush, and what has been lost since.
    package var statistics: AuditStatistics {
        var statistics = published.withLock { $0 }
        statistics.lost += backlog.withLock { $0.lost }
        return statistics
    }

    private func publish(_ writer: AuditWriter) {
        let statistics = writer.statistics
        published.withLock { $0 = statistics }
    }

    /// Exchanges what has been handed over for an empty one, whose memory is used again.
    private func takeBacklog(_ taken: inout AuditBacklog) {
        taken.removeAll()
        backlog.withLock { backlog in swap(&backlog, &taken) }
    }

    // MARK: Asking

    /// The newest records that a query is about, from the files, what has just been handed over included. Reads files from the newest
    /// on until there are enough: O(bytes of the log) at the most.
    package func query(_ query: AuditQuery, nowMilliseconds: Int64, deadline: Deadline = .none) throws(EngineError) -> AuditAnswer {
        flush(nowMilliseconds: nowMilliseconds, syncing: false)
        let (extent, statistics) = writer.withLock { writer in (writer.extent, writer.statistics) }
        var search = AuditSearch(query, deadline: deadline)
        do throws(DiskError) {
            for number in extent.files.reversed() where !search.isDone {
                try search.run(over: number, upTo: number == extent.files.last ? extent.end : .max, on: disk)
            }
        } catch {
            throw EngineError(.diskFailed, "the audit log could not be read: \(error)")
        }
        try deadline.check()
        return search.finish(statistics)
    }
}
