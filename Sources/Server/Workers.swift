// The fixed set of threads that do the work, each job with a worker's memory at hand.
import NIOPosix
import Synchronization
import Wire

/// What a job needs besides the request: a parser and a place to write the answer. Used by one thread at a time.
final class Worker: @unchecked Sendable {
    // Sendable: handed out by `Workers` to one job at a time.
    var decoder = RequestDecoder()
    var response = ResponseWriter()
}

/// A pool of threads, and of workers that keep their memory from job to job.
final class Workers: Sendable {
    private let threads: NIOThreadPool
    private let idle = Mutex<[Worker]>([])
    /// Jobs that run or wait for a thread.
    private let jobs = Atomic<Int>(0)
    let count: Int

    init(count: Int) {
        self.count = count
        threads = NIOThreadPool(numberOfThreads: count)
        threads.start()
    }

    /// Whether a job would find a thread that does nothing. Others may be faster to it.
    var hasIdleThread: Bool { jobs.load(ordering: .relaxed) < count }

    /// Runs a job on one of the threads. After `stop` it is not run: its connection is gone.
    func submit(_ job: @escaping @Sendable (Worker) -> Void) {
        jobs.add(1, ordering: .relaxed)
        threads.submit { state in
            if case .active = state { self.withWorker(job) }
            self.jobs.subtract(1, ordering: .relaxed)
        }
    }

    /// Runs on the calling thread.
    func withWorker(_ body: (Worker) -> Void) {
        let worker = idle.withLock { $0.popLast() } ?? Worker()
        body(worker)
        idle.withLock { $0.append(worker) }
    }

    func stop() async throws { try await threads.shutdownGracefully() }
}
